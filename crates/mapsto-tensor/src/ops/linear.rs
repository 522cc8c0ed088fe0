//! The affine map of a fully connected layer, in one product.

use crate::autocast::low;
use crate::check::floats;
use crate::kind::{OpKind, Samples, Takes};
use crate::backend::cpu::{as_class, as_widened, matrix, slice, with_float};
use crate::backend::multiply::Affine;
use crate::elementwise::same_dtype;
use crate::graph::{At, Cost, Fast, Fused, Meaning, Meant, Outline, Say, Vjp, boxed, fused, times};
use crate::ops::relu::Step;
use crate::shape::Shape;
use crate::slope::times_slope;
use crate::storage::Plain;
use crate::{DType, Tensor, fail};
use half::{bf16, f16};
use mapsto_kernels::gemm::{Activation, Epilogue, Mat};
use std::borrow::Cow;

impl Tensor {
    /// `y = x wᵀ + b` over the last axis, the bias being added as the product is stored.
    ///
    /// * Shape: `[.., in], [out, in], [out] → [.., out]`, floats of one dtype.
    /// * Gradient: `dx = dy w`, `dw = dyᵀ x`, `db = Σ dy`.   * ONNX: `Gemm`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (w, b) = (tensor![[1.0, 2.0], [3.0, 4.0], [0.0, 1.0]], tensor![0.5, 0.0, -1.0]);
    /// assert_close!(tensor![1.0, 10.0].linear(&w, Some(&b)), [21.5, 43.0, 9.0]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, or the dtypes differ.
    #[track_caller]
    pub fn linear(&self, w: &Tensor, b: Option<&Tensor>) -> Tensor {
        affine(self, w, b, false)
    }

    /// `max(0, x wᵀ + b)` in one pass, with the bits of [`linear`](Tensor::linear) and [`relu`](Tensor::relu).
    ///
    /// * Shape: `[.., in], [out, in], [out] → [.., out]`, floats of one dtype.
    /// * Gradient: that of `linear` for `dy` where the result is above 0, and 0 elsewhere.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (w, b) = (tensor![[1.0, 2.0], [-3.0, -4.0]], tensor![0.5, 0.0]);
    /// assert_close!(tensor![1.0, 10.0].linear_relu(&w, Some(&b)), [21.5, 0.0]);
    /// ```
    /// # Panics
    /// When the shapes do not fit, or the dtypes differ.
    #[track_caller]
    pub fn linear_relu(&self, w: &Tensor, b: Option<&Tensor>) -> Tensor {
        affine(self, w, b, true)
    }
}

#[track_caller]
fn affine(x: &Tensor, w: &Tensor, b: Option<&Tensor>, relu: bool) -> Tensor {
    if let Some([x, w, b]) = low([Some(x), Some(w), b]) {
        return affine(&x.expect("given"), &w.expect("given"), b.as_ref(), relu);
    }
    check_shapes(x, w, b);
    x.shape_of().with(x.rank() - 1, w.shape()[0]).fit("linear");
    match b {
        Some(b) => fused(Linear { relu }, &[x, w, b]),
        None => fused(Linear { relu }, &[x, w]),
    }
}

#[track_caller]
fn check_shapes(x: &Tensor, w: &Tensor, b: Option<&Tensor>) {
    same_dtype("linear", x, w);
    if !x.dtype().is_float() {
        fail!("linear", "floats are needed, these are {}", x.dtype(); help = "convert them with `.to(DType::F32)`");
    }
    if w.rank() != 2 {
        fail!("linear", "the weight must be [out, in], it is {:?}", w.shape());
    }
    let [out, inputs] = w.dims();
    let (have, shape) = (x.shape().last().copied(), x.shape());
    if have != Some(inputs) {
        let have = have.map_or("no axis".to_string(), |n| n.to_string());
        let help = if x.rank() > 2 && shape[1..].iter().product::<usize>() == inputs {
            "join the axes first: `x.flatten(1)`"
        } else if shape.last() == Some(&out) {
            "the weight looks transposed: it is [out, in]; try `w.t()`"
        } else {
            "the last axis of x must be the last axis of the weight, which is [out, in]"
        };
        fail!("linear", "input sizes differ: x {shape:?} and w {:?}      {have} ≠ {inputs}", w.shape(); help = "{help}");
    }
    if let Some(b) = b {
        same_dtype("linear", x, b);
        if b.shape() != [out] {
            let bias = b.shape();
            fail!("linear", "the bias {bias:?} does not fit the weight {:?}, which has {out} outputs", w.shape();
                  help = "the bias must be [{out}]");
        }
    }
}

struct Linear {
    /// Whether a ReLU follows in the same pass.
    relu: bool,
}
impl Fused for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        2..=3
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        let bias = if xs.len() > 2 { y.count() } else { 0 };
        let relu = if self.relu { y.count() } else { 0 };
        Cost::products(xs, y, times(&[y.count(), xs[1].last()])).plus(bias + relu)
    }
    fn attrs(&self, say: Say<'_>) {
        say("relu", self.relu.into());
    }
    fn compose(&self, xs: &[&Tensor]) -> Tensor {
        let mut y = xs[0].matmul(&xs[1].t());
        if let Some(b) = xs.get(2) {
            y += *b;
        }
        if self.relu { y.relu() } else { y }
    }
    fn cpu(&self, xs: &[&Tensor]) -> Option<Fast> {
        let tall = tall(xs[0]);
        let b = xs.get(2).map(|b| as_class(b));
        let shape = xs[0].shape_of().with(xs[0].rank() - 1, xs[1].shape()[0]);
        let activation = if self.relu { Activation::Relu } else { Activation::None };
        let y = match xs[0].dtype() {
            DType::F64 => affine_map::<f64>(&tall, xs[1], b.as_deref(), activation, shape),
            DType::F16 => affine_map::<f16>(&tall, xs[1], b.as_deref(), activation, shape),
            DType::BF16 => affine_map::<bf16>(&tall, xs[1], b.as_deref(), activation, shape),
            _ => affine_map::<f32>(&tall, xs[1], b.as_deref(), activation, shape),
        };
        Some(y.into())
    }
    fn cpu_vjp(&self, at: &At<'_>, g: &Tensor) -> Option<Vjp> {
        let of_sum = if self.relu { Cow::Owned(times_slope(Step, g, &at.y().detach())) } else { Cow::Borrowed(g) };
        let rows = tall(&of_sum);
        let wide = as_widened(&rows);
        let dx = |at: &At<'_>| {
            let w = as_widened(at.b());
            let dx = with_float!(wide.dtype(), T => product::<T>(matrix(&wide), matrix(&w)));
            if at.shape(0).len() == 2 { dx } else { dx.reshape(at.shape(0)) }
        };
        let dw = |at: &At<'_>| {
            let tall = tall(at.a());
            let x = as_widened(&tall);
            with_float!(wide.dtype(), T => product::<T>(matrix::<T>(&wide).t(), matrix(&x)))
        };
        let (dx, dw) = (at.wants(0).then(|| dx(at)), at.wants(1).then(|| dw(at)));
        Some(match at.inputs() {
            3 => [dx, dw, at.wants(2).then(|| rows.sum(0))].into(),
            _ => [dx, dw].into(),
        })
    }
    fn vjp_each(&self, at: &At<'_>, g: &Tensor, n: usize) -> Vjp {
        let (rows, out) = (g.len() / g.shape().last().expect("an axis").max(&1), g.shape()[g.rank() - 1]);
        let (each, inputs) = (rows / n, at.shape(0)[at.shape(0).len() - 1]);
        let g = if self.relu { times_slope(Step, g, &at.y().detach()) } else { g.clone() }.reshape([n, each, out]);
        let x = || at.a().detach().reshape([n, each, inputs]);
        let dw = || match each {
            1 => g.swap(1, 2) * x(),
            // A product of each sample's own rows.
            _ => g.t().matmul(&x()),
        };
        let mut grads = vec![None, at.wants(1).then(dw)];
        if at.inputs() == 3 {
            grads.push(at.wants(2).then(|| g.sum(1)));
        }
        grads.into()
    }
    fn keeps_output(&self) -> bool {
        self.relu
    }
    fn meaning(&self, xs: &Meant<'_>) -> Option<Meaning> {
        if self.relu {
            return Some(Meaning::Rectified);
        }
        // With a weight that is made of others, such as one of shares, the numbers may be anything.
        xs.of(1).filter(|weight| *weight == Meaning::Scores)
    }
    fn ends_in(&self) -> &'static str {
        if self.relu { "relu" } else { self.name() }
    }
}

/// All axes but the last joined into one.
fn tall(x: &Tensor) -> Cow<'_, Tensor> {
    match x.shape() {
        [_, _] => Cow::Borrowed(x),
        shape => {
            let n = shape[shape.len() - 1];
            Cow::Owned(x.reshape([shape[..shape.len() - 1].iter().product(), n]))
        }
    }
}

fn affine_map<T: Affine<Sum: Plain>>(x: &Tensor, w: &Tensor, b: Option<&Tensor>, activation: Activation, shape: Shape) -> Tensor {
    Tensor::filled_by(shape, |y: &mut [T]| {
        T::multiply(matrix(x), matrix(w).t(), y, Epilogue { bias: b.map(slice), activation })
    })
}

fn product<T: Affine<Sum = T>>(a: Mat<'_, T>, b: Mat<'_, T>) -> Tensor {
    Tensor::filled_by([a.rows, b.cols], |c: &mut [T]| T::multiply(a, b, c, Epilogue::none()))
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("linear", "`y = x wᵀ + b` over the last axis, the bias being added as the product is stored.", Takes::Floats, samples).built(|a| Ok(boxed(Linear { relu: a.need("relu")? }))),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[4, 3], &d), (&[2, 3], &d), (&[2], &d)], |x| x[0].linear(&x[1], Some(&x[2])));
    s.of(&[(&[4, 3], &d), (&[5, 3], &d)], |x| x[0].linear(&x[1], None));
    s.of(&[(&[3], &d), (&[1, 3], &d), (&[1], &d)], |x| x[0].linear(&x[1], Some(&x[2])));
    s.of(&[(&[2, 3, 5], &d), (&[7, 5], &d)], |x| x[0].linear(&x[1], None));
    s.of(&[(&[0, 3], &d), (&[2, 3], &d), (&[2], &d)], |x| x[0].linear(&x[1], Some(&x[2])));
    s.of(&[(&[4, 3], &d), (&[5, 3], &d), (&[5], &d)], |x| x[0].linear_relu(&x[1], Some(&x[2])));
    s.of(&[(&[2, 2, 3], &d), (&[4, 3], &d)], |x| x[0].linear_relu(&x[1], None));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn linear() {
        let d = || floats(-2.0..2.0);
        check3(|x, w, b| x.linear(w, Some(b))).shapes([&[4, 3], &[5, 3], &[5]]).on(d(), d(), d());
        check3(|x, w, b| x.linear(w, Some(b))).shapes([&[3], &[2, 3], &[2]]).on(d(), d(), d());
        check2(|x, w| x.linear(w, None)).shapes([&[2, 3, 4], &[5, 4]]).on(d(), d());
        check2(|x, w| x.linear(w, None)).shapes([&[0, 4], &[5, 4]]).on(d(), d());
        check2(|x, w| x.linear(w, None)).shapes([&[2, 0], &[3, 0]]).on(d(), d());
        check_fused(|| Linear { relu: false }, &[(&[33, 20], d()), (&[17, 20], d()), (&[17], d())]);
        check_fused(|| Linear { relu: false }, &[(&[2, 9, 20], d()), (&[40, 20], d())]);
        check_fused(|| Linear { relu: true }, &[(&[33, 20], d()), (&[17, 20], d()), (&[17], d())]);
        check_fused(|| Linear { relu: true }, &[(&[2, 9, 20], d()), (&[40, 20], d())]);
        with_matmul_precision(MatmulPrecision::Bf16, || {
            check_fused(|| Linear { relu: false }, &[(&[33, 20], d()), (&[17, 20], d()), (&[17], d())]);
            check_fused(|| Linear { relu: false }, &[(&[2, 9, 50], d()), (&[40, 50], d())]);
        });
    }

    #[test]
    fn a_relu_in_the_same_pass_has_the_bits_of_one_after_it() {
        let bits = |y: Tensor| y.to_vec::<f64>().into_iter().map(f64::to_bits).collect::<Vec<_>>();
        for precision in [MatmulPrecision::Highest, MatmulPrecision::High, MatmulPrecision::Medium, MatmulPrecision::Bf16] {
            for (n, inputs, outputs) in [(1, 1, 1), (1, 40, 33), (3, 2, 5), (7, 64, 16), (33, 100, 70), (64, 300, 10)] {
                for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
                    let draw = |shape: &[usize]| Tensor::randn(shape.to_vec()).to(dtype);
                    let (x, w, b) = (draw(&[n, inputs]), draw(&[outputs, inputs]), draw(&[outputs]));
                    // Products of some rows underflow to −0, of which a ReLU makes 0.
                    let w = w * Tensor::from_vec((0..outputs).map(|i| if i % 3 == 1 { 1e-30 } else { 1.0 }).collect(), [outputs, 1]).to(dtype);
                    let small = &x * 1e-30;
                    for (x, b) in [(&x, Some(&b)), (&x, None), (&small, None)] {
                        let one = |x: &Tensor| with_matmul_precision(precision, || bits(x.linear_relu(&w, b)));
                        let two = |x: &Tensor| with_matmul_precision(precision, || bits(x.linear(&w, b).relu()));
                        assert!(one(x) == two(x), "{precision:?} {n} {inputs} {outputs} {dtype}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_mistake_names_both_shapes_and_the_fix() {
        let error = |x: &[usize], w: &[usize], b: Option<usize>| {
            let b = b.map(Tensor::zeros);
            catch(|| Tensor::zeros(x).linear(&Tensor::zeros(w), b.as_ref())).unwrap_err().to_string()
        };
        assert_eq!(
            error(&[32, 784], &[784, 128], None),
            "linear: input sizes differ: x [32, 784] and w [784, 128]      784 ≠ 128\nhelp: the weight looks transposed: it is [out, in]; try `w.t()`"
        );
        assert_eq!(
            error(&[8, 64, 7, 7], &[128, 3136], None),
            "linear: input sizes differ: x [8, 64, 7, 7] and w [128, 3136]      7 ≠ 3136\nhelp: join the axes first: `x.flatten(1)`"
        );
        assert_eq!(
            error(&[8, 4], &[2, 4], Some(3)),
            "linear: the bias [3] does not fit the weight [2, 4], which has 2 outputs\nhelp: the bias must be [2]"
        );
    }
}
