//! The harness for fused operations: the kernel against the definition, values and gradients alike.

use super::{Domain, assert_tensors_close, floats_of, laid_out};
use crate::graph::{Fused, fused, grads_or_zeros};
use crate::{DType, Tensor, no_grad};
use mapsto_kernels::threads::with_threads;

/// Requires the kernel of a fused operation to exist and to agree with `compose`, in f32 and f64, on row-major,
/// transposed and sliced inputs: the values, the gradient of every input alone and of all together, the second
/// derivative; and to give the same bits on any number of threads. The inputs are drawn from `domains`.
///
/// # Panics
/// When anything is wrong, with what and where.
#[track_caller]
pub fn check_fused<F: Fused>(op: impl Fn() -> F + Sync, inputs: &[(&[usize], Domain)]) {
    for (dtype, tolerance) in [(DType::F64, 1e-11), (DType::F32, 5e-5)] {
        for layout in ["row-major", "transposed", "sliced"] {
            let xs: Vec<Tensor> = inputs
                .iter()
                .enumerate()
                .map(|(i, (shape, domain))| {
                    let x = domain.draw(shape, i as u64);
                    laid_out(&if x.dtype().is_float() { x.to(dtype) } else { x }, layout)
                })
                .collect();
            let what = |part: &str| {
                format!("{part} of {} ({layout} {dtype}): kernel against definition", op().name())
            };
            let refs: Vec<&Tensor> = xs.iter().collect();
            let fast = no_grad(|| op().cpu(&refs)).unwrap_or_else(|| panic!("{}", what("no kernel")));
            let slow = no_grad(|| op().compose(&refs));
            assert_tensors_close(&fast.y, &slow, tolerance, tolerance, &what("the value"));
            assert_eq!(fast.y.dtype(), slow.dtype(), "{}", what("the dtype"));
            let g = floats_of(slow.shape(), 1).to(dtype);
            let floats: Vec<usize> = (0..xs.len()).filter(|&i| xs[i].dtype().is_float()).collect();
            let alone = floats.iter().map(|&i| vec![i]);
            for wanted in alone.chain([floats.clone()]) {
                let gradients = |f: &dyn Fn(&[&Tensor]) -> Tensor| -> Vec<Tensor> {
                    let leaves = leaves_of(&xs, &wanted);
                    let refs: Vec<&Tensor> = leaves.iter().collect();
                    let grads = f(&refs).backward_with(&g);
                    wanted.iter().map(|&i| grads.of(&leaves[i]).clone()).collect()
                };
                let fast = gradients(&|xs| fused(op(), xs));
                let slow = gradients(&|xs| op().compose(xs));
                for ((i, a), b) in wanted.iter().zip(&fast).zip(&slow) {
                    let part = format!("the gradient {i} of {wanted:?}");
                    assert_tensors_close(a, b, 4.0 * tolerance, 4.0 * tolerance, &what(&part));
                }
                for n in [2, 8] {
                    let many = with_threads(n, || gradients(&|xs| fused(op(), xs)));
                    for (a, b) in fast.iter().zip(&many) {
                        assert_tensors_close(a, b, 0.0, 0.0, &what(&format!("{n} threads' gradient")));
                    }
                }
            }
            let curvature = |f: &dyn Fn(&[&Tensor]) -> Tensor| -> Vec<Tensor> {
                let leaves = leaves_of(&xs, &floats);
                let refs: Vec<&Tensor> = leaves.iter().collect();
                let wanted: Vec<&Tensor> = floats.iter().map(|&i| &leaves[i]).collect();
                let first = grads_or_zeros(&(f(&refs) * &g).sum(..), &wanted);
                let along = first
                    .iter()
                    .enumerate()
                    .map(|(i, d)| (d * floats_of(d.shape(), 7 + i as u64).to(dtype)).sum(..))
                    .reduce(|a, b| a + b)
                    .expect("a float input");
                grads_or_zeros(&along, &wanted)
            };
            let (fast, slow) = (curvature(&|xs| fused(op(), xs)), curvature(&|xs| op().compose(xs)));
            for (a, b) in fast.iter().zip(&slow) {
                let t = 40.0 * tolerance;
                assert_tensors_close(a, b, t, t, &what("the second derivative"));
            }
        }
    }
}

/// The same inputs, of which those named are leaves.
fn leaves_of(xs: &[Tensor], wanted: &[usize]) -> Vec<Tensor> {
    xs.iter().enumerate().map(|(i, x)| if wanted.contains(&i) { x.leaf() } else { x.clone() }).collect()
}
