//! The one harness for operations: values, derivatives of both orders, layouts, dtypes, threads, odd inputs, backends.
//!
//! It is public, so that operations of one's own are checked the same way:
//!
//! ```
//! use mapsto_tensor::check::*;
//! check(|x| x.square() * 0.5).reference(|x| 0.5 * x * x).on(floats(-3.0..3.0));
//! ```
//! From that line it runs: the values against the f64 reference; the first derivative against central differences in
//! f64 (step 1e-6, atol 1e-6, rtol 1e-5), the second likewise; transposed, sliced, flipped and expanded inputs, and
//! gradients that arrive so; scalar, empty, size-1 and odd-sized shapes, and one that kernels cut into blocks; inputs near
//! zero; every float dtype, by relative error; broadcasting, where there are two inputs; one thread against many, bit by
//! bit; NaN and infinities; and the CPU against [`far`], a slow device that computes all in f64.

mod close;
mod domain;
pub mod far;
mod fused;
mod kinds;
mod numbers;
mod programs;

pub use close::{Expected, assert_tensors_close};
pub use domain::{Domain, bools, floats, ints};
pub use fused::check_fused;
pub use kinds::check_kinds;
pub use numbers::Numbers;

use crate::graph::grads_or_zeros;
use crate::shape::{Shape, broadcast};
use crate::{DType, Tensor, no_grad};
use domain::Kind;
use mapsto_kernels::threads::with_threads;

type Function = Box<dyn Fn(&[Tensor]) -> Tensor + Sync>;
type Reference = Box<dyn Fn(&[f64]) -> f64>;
type Formula<const N: usize> = Box<dyn Fn([&Numbers; N]) -> Numbers>;

/// A check being described; `on` runs it. `N` is the number of inputs.
pub struct Check<const N: usize> {
    f: Function,
    reference: Option<Reference>,
    formula: Option<Formula<N>>,
    shapes: Option<[Vec<usize>; N]>,
    differentiable: bool,
    tolerance: f64,
    /// The absolute error allowed beside the relative one, in units of the dtype's tolerance.
    absolute: f64,
}

/// Checks an operation on one tensor.
pub fn check(f: impl Fn(&Tensor) -> Tensor + Sync + 'static) -> Check<1> {
    Check::new(Box::new(move |xs| f(&xs[0])))
}

/// Checks an operation on two tensors, which broadcast unless `shapes` says which ones they have.
pub fn check2(f: impl Fn(&Tensor, &Tensor) -> Tensor + Sync + 'static) -> Check<2> {
    Check::new(Box::new(move |xs| f(&xs[0], &xs[1])))
}

/// Checks an operation on three tensors, which broadcast unless `shapes` says which ones they have.
pub fn check3(f: impl Fn(&Tensor, &Tensor, &Tensor) -> Tensor + Sync + 'static) -> Check<3> {
    Check::new(Box::new(move |xs| f(&xs[0], &xs[1], &xs[2])))
}

// `on` is inline so that the harness is compiled where something is checked, and not into every program.
impl Check<1> {
    /// What each element must be.
    pub fn reference(mut self, f: impl Fn(f64) -> f64 + 'static) -> Check<1> {
        self.reference = Some(Box::new(move |x| f(x[0])));
        self
    }
    /// Runs the check.
    ///
    /// # Panics
    /// When anything is wrong, with what and where.
    #[inline]
    #[track_caller]
    pub fn on(self, x: Domain) {
        self.run([x])
    }
}

impl Check<2> {
    /// What each element must be.
    pub fn reference(mut self, f: impl Fn(f64, f64) -> f64 + 'static) -> Check<2> {
        self.reference = Some(Box::new(move |x| f(x[0], x[1])));
        self
    }
    /// Runs the check.
    ///
    /// # Panics
    /// When anything is wrong, with what and where.
    #[inline]
    #[track_caller]
    pub fn on(self, a: Domain, b: Domain) {
        self.run([a, b])
    }
}

impl Check<3> {
    /// What each element must be.
    pub fn reference(mut self, f: impl Fn(f64, f64, f64) -> f64 + 'static) -> Check<3> {
        self.reference = Some(Box::new(move |x| f(x[0], x[1], x[2])));
        self
    }
    /// Runs the check.
    ///
    /// # Panics
    /// When anything is wrong, with what and where.
    #[inline]
    #[track_caller]
    pub fn on(self, a: Domain, b: Domain, c: Domain) {
        self.run([a, b, c])
    }
}

/// Shapes that an elementwise operation must take: scalar, size 1, odd, more axes, empty.
const SHAPES: [&[usize]; 6] = [&[], &[1], &[7], &[3, 5], &[0], &[2, 0, 3]];
/// Pairs that must broadcast.
const PAIRS: [[&[usize]; 2]; 7] = [
    [&[], &[3]],
    [&[3, 1], &[4]],
    [&[2, 3], &[2, 3]],
    [&[1], &[2, 2]],
    [&[2, 1, 3], &[4, 1]],
    [&[0], &[1]],
    [&[], &[]],
];

impl<const N: usize> Check<N> {
    fn new(f: Function) -> Check<N> {
        Check {
            f,
            reference: None,
            formula: None,
            shapes: None,
            differentiable: true,
            tolerance: 1.0,
            absolute: 0.0,
        }
    }

    /// What the whole result must be, for operations that are not elementwise: an index map, a sum over an axis.
    pub fn formula(mut self, f: impl Fn([&Numbers; N]) -> Numbers + 'static) -> Check<N> {
        self.formula = Some(Box::new(f));
        self
    }

    /// The shapes of the inputs, where not any shapes will do.
    pub fn shapes(mut self, shapes: [&[usize]; N]) -> Check<N> {
        self.shapes = Some(shapes.map(<[usize]>::to_vec));
        self
    }

    /// The result has no derivative (positions, comparisons, bits): only values are checked.
    pub fn without_derivative(mut self) -> Check<N> {
        self.differentiable = false;
        self
    }

    /// Multiplies the tolerance between dtypes, for operations that amplify rounding errors.
    pub fn tolerance(mut self, factor: f64) -> Check<N> {
        self.tolerance = factor;
        self
    }

    /// Allows an error relative to this number where the result is nearer to zero: for operations whose results cancel,
    /// such as sums. Elementwise operations keep their digits near zero.
    pub fn absolute(mut self, size: f64) -> Check<N> {
        self.absolute = size;
        self
    }

    #[track_caller]
    fn run(self, domains: [Domain; N]) {
        let cases: Vec<[Vec<usize>; N]> = match &self.shapes {
            Some(shapes) => vec![shapes.clone()],
            None if N == 1 => SHAPES.iter().map(|s| std::array::from_fn(|_| s.to_vec())).collect(),
            None => PAIRS.iter().map(|p| std::array::from_fn(|i| p[i % 2].to_vec())).collect(),
        };
        for (key, shapes) in cases.iter().enumerate() {
            let xs: [Tensor; N] = std::array::from_fn(|i| domains[i].draw(&shapes[i], (key * N + i) as u64));
            let y = (self.f)(&xs);
            self.values(&xs, &y);
            self.layouts(&xs, &y);
            self.dtypes(&xs, &y);
            self.elsewhere(&xs);
            // Differences cost two runs an element: large shapes are for values.
            let small = xs.iter().map(Tensor::len).sum::<usize>() <= 1000;
            if self.differentiable && small && y.dtype().is_float() && !y.is_empty() {
                self.derivatives(&xs);
            }
        }
        self.threads(&domains);
        self.near_zero(&domains);
        self.special();
    }

    /// Numbers near zero, of both signs where the domain has both: relative errors show there.
    #[track_caller]
    fn near_zero(&self, domains: &[Domain; N]) {
        let around = |d: &Domain| d.kind == Kind::Floats && d.range.contains(&0.0) && d.avoided.is_empty();
        if self.shapes.is_some() || !domains.iter().all(around) {
            return;
        }
        let xs: [Tensor; N] = std::array::from_fn(|i| {
            let size = Tensor::from_slice(&[1e-1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-9, 1e-12], 7);
            domains[i].draw(&[7], 50 + i as u64) * size
        });
        let y = (self.f)(&xs);
        self.values(&xs, &y);
        self.elsewhere(&xs);
        self.dtypes(&xs, &y);
    }

    /// The values against the reference, broadcast by the plainest means.
    #[track_caller]
    fn values(&self, xs: &[Tensor; N], y: &Tensor) {
        if let Some(formula) = &self.formula {
            let inputs: [Numbers; N] = std::array::from_fn(|i| Numbers {
                shape: xs[i].shape().to_vec(),
                values: crate::backend::carry::read_f64(&xs[i]),
            });
            let wanted = formula(std::array::from_fn(|i| &inputs[i]));
            let most = inputs.iter().flat_map(|x| &x.values).fold(0.0, |m: f64, v| m.max(v.abs()));
            let wanted = Tensor::from_vec(wanted.values, &wanted.shape[..]);
            let atol = 1e-12 * most.max(1e-12);
            assert_tensors_close(&y.to(DType::F64), &wanted, atol, 1e-11, "the values against the formula");
        }
        let Some(reference) = &self.reference else { return };
        let mut shape = Shape::from(());
        xs.iter().for_each(|x| shape = broadcast("check", &shape, x.shape_of()));
        let columns: Vec<Vec<f64>> =
            xs.iter().map(|x| crate::backend::carry::read_f64(&x.expand(shape))).collect();
        let expected: Vec<f64> = (0..shape.count())
            .map(|i| reference(&columns.iter().map(|c| c[i]).collect::<Vec<_>>()))
            .collect();
        let expected = Tensor::from_vec(expected, shape);
        let atol = if self.absolute > 0.0 { 1e-12 * self.absolute } else { 1e-22 };
        assert_tensors_close(&y.to(DType::F64), &expected, atol, 1e-12, "the values against the reference");
    }

    /// The same numbers lying differently in memory must give the same result.
    #[track_caller]
    fn layouts(&self, xs: &[Tensor; N], y: &Tensor) {
        for kind in ["transposed", "sliced", "flipped", "expanded"] {
            let odd: [Tensor; N] = std::array::from_fn(|i| laid_out(&xs[i], kind));
            let again = (self.f)(&odd);
            if kind == "expanded" {
                let plain: [Tensor; N] = std::array::from_fn(|i| odd[i].flip_twice());
                assert_tensors_close(&again, &(self.f)(&plain), 1e-12, 1e-12, "expanded inputs");
            } else {
                assert_tensors_close(&again, y, 1e-12, 1e-12, &format!("{kind} inputs"));
            }
        }
    }

    /// Every float dtype against f64, within what its digits allow.
    #[track_caller]
    fn dtypes(&self, xs: &[Tensor; N], y: &Tensor) {
        for (dtype, tolerance) in [(DType::F32, 2e-5), (DType::F16, 2e-2), (DType::BF16, 1e-1)] {
            // Both see the rounded inputs: only the operation's own error counts.
            let rounded: [Tensor; N] =
                std::array::from_fn(
                    |i| if xs[i].dtype().is_float() { xs[i].to(dtype) } else { xs[i].clone() },
                );
            let widened: [Tensor; N] = std::array::from_fn(|i| {
                if xs[i].dtype().is_float() { rounded[i].to(DType::F64) } else { xs[i].clone() }
            });
            let (low, high) = ((self.f)(&rounded), (self.f)(&widened));
            assert_eq!(low.shape(), y.shape(), "{dtype}: the shape differs from f64's");
            if y.dtype() == DType::F64 {
                assert_eq!(low.dtype(), dtype, "the result of {dtype} inputs has another dtype");
                let t = tolerance * self.tolerance;
                let atol = t * self.zero(&high) + smallest(dtype);
                assert_tensors_close(&low.to(DType::F64), &high, atol, t, &format!("{dtype} against f64"));
            }
        }
    }

    /// What counts as near zero: results of elementwise operations keep their digits at any size, those of others cancel
    /// among their largest terms.
    fn zero(&self, y: &Tensor) -> f64 {
        match self.reference {
            Some(_) => self.absolute,
            None => self.absolute.max(self.scale(y)),
        }
    }

    /// The largest number of a result.
    fn scale(&self, y: &Tensor) -> f64 {
        let values = crate::backend::carry::read_f64(y);
        values.iter().filter(|v| v.is_finite()).fold(0.0, |m: f64, v| m.max(v.abs())).max(self.absolute)
    }

    /// The CPU against a backend that computes all in f64, the obvious way.
    #[track_caller]
    fn elsewhere(&self, xs: &[Tensor; N]) {
        let device = far::device();
        let theirs: [Tensor; N] = std::array::from_fn(|i| xs[i].to_device(device));
        let expected = device.scope(|| (self.f)(&theirs));
        let y = (self.f)(xs);
        assert_tensors_close(&y, &expected, 1e-10 * self.scale(&y), 1e-9, "the CPU against `far`");
    }

    /// First and second derivatives against central differences, in f64.
    #[track_caller]
    fn derivatives(&self, xs: &[Tensor; N]) {
        derivatives(&*self.f, xs);
        let floats: Vec<usize> = (0..N).filter(|&i| xs[i].dtype().is_float()).collect();
        self.arriving(xs, &floats_of((self.f)(xs).shape(), 1), &floats);
    }

    /// A gradient that arrives expanded, strided or reversed is worth what the same numbers in row-major order are.
    #[track_caller]
    fn arriving(&self, xs: &[Tensor; N], weight: &Tensor, floats: &[usize]) {
        let gradients = |g: &Tensor| -> Option<Vec<Tensor>> {
            let leaves: Vec<Tensor> =
                xs.iter().map(|x| if x.dtype().is_float() { x.leaf() } else { x.clone() }).collect();
            let y = (self.f)(&leaves);
            let grads = y.is_recorded().then(|| y.backward_with(g))?;
            Some(
                floats
                    .iter()
                    .map(|&i| grads.get(&leaves[i]).cloned().unwrap_or_else(|| Tensor::zeros_like(&xs[i])))
                    .collect(),
            )
        };
        // A derivative is linear in what arrives: small gradients keep their digits.
        if let (Some(found), Some(wanted)) = (gradients(&(weight * 1e-6)), gradients(weight)) {
            for (i, (a, b)) in floats.iter().zip(found.iter().zip(&wanted)) {
                let what = format!("the derivative of input {i} where the gradient is small");
                assert_tensors_close(a, &(b * 1e-6), 1e-15 * self.scale(b), 1e-9, &what);
            }
        }
        for kind in ["transposed", "sliced", "flipped", "expanded"] {
            let odd = laid_out(weight, kind);
            let (Some(found), Some(wanted)) = (gradients(&odd), gradients(&odd.flip_twice())) else { return };
            for (i, (a, b)) in floats.iter().zip(found.iter().zip(&wanted)) {
                let what = format!("the derivative of input {i} where the gradient arrives {kind}");
                assert_tensors_close(a, b, 1e-12, 1e-12, &what);
            }
        }
    }

    /// The same bits for any number of threads, on inputs large enough to be shared among them.
    #[track_caller]
    fn threads(&self, domains: &[Domain; N]) {
        let shapes: [Vec<usize>; N] = self.shapes.clone().unwrap_or(std::array::from_fn(|_| vec![41, 1027]));
        let xs: [Tensor; N] = std::array::from_fn(|i| {
            let x = domains[i].draw(&shapes[i], 99 + i as u64);
            if x.dtype().is_float() { x.to(DType::F32) } else { x }
        });
        if self.shapes.is_none() {
            let wide: [Tensor; N] = std::array::from_fn(|i| {
                if xs[i].dtype().is_float() { xs[i].to(DType::F64) } else { xs[i].clone() }
            });
            let y = (self.f)(&wide);
            self.values(&wide, &y);
            self.elsewhere(&wide);
            self.dtypes(&wide, &y);
        }
        let one = crate::backend::carry::read_f64(&with_threads(1, || (self.f)(&xs)));
        for n in [2, 8] {
            let many = crate::backend::carry::read_f64(&with_threads(n, || (self.f)(&xs)));
            assert!(
                one.iter().zip(&many).all(|(a, b)| a.to_bits() == b.to_bits()) && one.len() == many.len(),
                "1 and {n} threads give different bits"
            );
        }
    }

    /// NaN and the infinities give what the reference gives.
    #[track_caller]
    fn special(&self) {
        let Some(reference) = self.reference.as_ref().filter(|_| N == 1) else { return };
        let values = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0];
        for dtype in [DType::F32, DType::F64] {
            let x = Tensor::from_slice(&values, 5).to(dtype);
            let y =
                crate::backend::carry::read_f64(&(self.f)(&std::array::from_fn::<_, N, _>(|_| x.clone())));
            for (v, y) in values.iter().zip(y) {
                let want = reference(&[*v]);
                let same = (want.is_nan() && y.is_nan())
                    || want == y
                    || (want.is_finite() && (want - y).abs() < 1e-6 * (1.0 + want.abs()));
                assert!(same, "at {v} ({dtype}) the reference is {want}, the result {y}");
            }
        }
    }
}

/// First and second derivatives of a function against central differences, in f64.
#[track_caller]
fn derivatives(f: &dyn Fn(&[Tensor]) -> Tensor, xs: &[Tensor]) {
    let floats: Vec<usize> = (0..xs.len()).filter(|&i| xs[i].dtype().is_float()).collect();
    let y = f(xs);
    let weight = floats_of(y.shape(), 1);
    let scalar = |xs: &[Tensor]| (f(xs) * &weight).sum(..);
    let gradients = |xs: &[Tensor], scalar: &dyn Fn(&[Tensor]) -> Tensor| -> Vec<Tensor> {
        let leaves: Vec<Tensor> =
            xs.iter().map(|x| if x.dtype().is_float() { x.leaf() } else { x.clone() }).collect();
        let wanted: Vec<&Tensor> = floats.iter().map(|&i| &leaves[i]).collect();
        grads_or_zeros(&scalar(&leaves), &wanted)
    };
    let first = gradients(xs, &scalar);
    for (&i, g) in floats.iter().zip(&first) {
        let numeric = central(xs, i, &|xs| no_grad(|| scalar(xs).item()));
        assert_tensors_close(g, &numeric, 1e-6, 1e-5, &format!("the derivative of input {i}"));
    }
    // `backward` must agree with `grad`: fused kernels have a derivative of their own there.
    let leaves: Vec<Tensor> =
        xs.iter().map(|x| if x.dtype().is_float() { x.leaf() } else { x.clone() }).collect();
    let loss = scalar(&leaves);
    if loss.is_recorded() {
        let grads = loss.backward();
        for (&i, g) in floats.iter().zip(&first) {
            let zeros = Tensor::zeros_like(g);
            let b = grads.get(&leaves[i]).unwrap_or(&zeros);
            assert_tensors_close(b, g, 1e-9, 1e-9, &format!("`backward` against `grad` for input {i}"));
        }
    }
    let directions: Vec<Tensor> = floats.iter().map(|&i| floats_of(xs[i].shape(), 2 + i as u64)).collect();
    let along = |xs: &[Tensor]| -> Tensor {
        let leaves: Vec<Tensor> = xs.to_vec();
        let wanted: Vec<&Tensor> = floats.iter().map(|&i| &leaves[i]).collect();
        let gs = grads_or_zeros(&scalar(&leaves), &wanted);
        gs.iter().zip(&directions).map(|(g, d)| (g * d).sum(..)).reduce(|a, b| a + b).expect("a float input")
    };
    let second = gradients(xs, &along);
    for (&i, g) in floats.iter().zip(&second) {
        let numeric = central(xs, i, &|xs| {
            let leaves: Vec<Tensor> =
                xs.iter().map(|x| if x.dtype().is_float() { x.leaf() } else { x.clone() }).collect();
            along(&leaves).item()
        });
        assert_tensors_close(g, &numeric, 1e-5, 1e-5, &format!("the second derivative of input {i}"));
    }
}

/// Two of a dtype's smallest steps from zero: what rounding alone may cost, where an operation takes two.
fn smallest(dtype: DType) -> f64 {
    match dtype {
        DType::F16 => f64::powi(2.0, -23),
        DType::BF16 | DType::F32 => f64::from(f32::MIN_POSITIVE),
        _ => 0.0,
    }
}

/// Fixed pseudo-random weights around ±1, so that no gradient cancels by symmetry.
fn floats_of(shape: &[usize], key: u64) -> Tensor {
    floats(-1.5..1.5).draw(shape, 1000 + key)
}

/// The derivative of a number at every element of input `i`, by central differences.
fn central(xs: &[Tensor], i: usize, f: &dyn Fn(&[Tensor]) -> f64) -> Tensor {
    let step = 1e-6;
    let values: Vec<f64> = xs[i].to_vec();
    let at = |k: usize, v: f64| {
        let mut moved = values.clone();
        moved[k] = v;
        let mut xs = xs.to_vec();
        xs[i] = Tensor::from_vec(moved, xs[i].shape());
        f(&xs)
    };
    let slopes: Vec<f64> = (0..values.len())
        .map(|k| (at(k, values[k] + step) - at(k, values[k] - step)) / (2.0 * step))
        .collect();
    Tensor::from_vec(slopes, xs[i].shape())
}

/// The same elements (for `expanded`: the first of each row repeated) in an unusual layout.
fn laid_out(x: &Tensor, kind: &str) -> Tensor {
    let rank = x.rank();
    match kind {
        "transposed" if rank >= 2 => {
            let order: Vec<usize> = (0..rank).rev().collect();
            x.permute(&order).contiguous().permute(&order)
        }
        "sliced" if rank >= 1 => {
            let around: Vec<(usize, usize)> = (0..rank).map(|i| (i % 2 + 1, 1)).collect();
            let mut wide = x.pad(&around, 1.0);
            for (i, &(before, _)) in around.iter().enumerate() {
                wide = wide.slice(i, before as isize..(before + x.shape()[i]) as isize);
            }
            wide
        }
        "flipped" if rank >= 1 => x.flip(-1).contiguous().flip(-1),
        "expanded" if rank >= 1 && x.shape()[0] > 0 => x.slice(0, 0..1).expand(x.shape()),
        _ => x.clone(),
    }
}

impl Tensor {
    /// A row-major copy made through no kernel but reading and writing.
    fn flip_twice(&self) -> Tensor {
        match self.dtype() {
            DType::F64 => Tensor::from_vec(self.to_vec::<f64>(), self.shape()),
            DType::I64 => Tensor::from_vec(self.to_vec::<i64>(), self.shape()),
            _ => self.contiguous(),
        }
    }
}
