//! The three transforms of rows that all others are made of: complex to complex, real to complex, complex to real.

use crate::transform::signal;
use mapsto_kernels::threads::for_chunks;
use mapsto_tensor::check::floats;
use mapsto_tensor::graph::{At, Attrs, Cost, Keep, Op, Outline, Ran, Say, Vjp, apply};
use mapsto_tensor::kind::{OpKind, Samples, Takes};
use mapsto_tensor::storage::Plain;
use mapsto_tensor::{DType, Device, Element, Result, Shape, Tensor, fail};
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};
use rustfft::num_complex::Complex;
use rustfft::{Fft as Plan, FftNum, FftPlanner};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, PoisonError};

/// The kinds of operations of this crate, as [`mapsto_tensor::ops::OPS`] lists those of the tensor.
pub static OPS: &[OpKind] = &[
    OpKind::new(
        "fft",
        "The discrete Fourier transform of complex rows, or its inverse, times a factor.",
        Takes::Floats,
        of_fft,
    )
    .built(|a| Ok(Box::new(Fft { inverse: a.need("inverse")?, scale: a.need("scale")? }))),
    OpKind::new(
        "rfft",
        "The first half of the discrete Fourier transform of real rows, times a factor.",
        Takes::Floats,
        of_rfft,
    )
    .built(|a| Ok(Box::new(Rfft { scale: a.need("scale")? }))),
    OpKind::new(
        "irfft",
        "Real rows of the first half of their discrete Fourier transform, times a factor.",
        Takes::Floats,
        of_irfft,
    )
    .built(of_attrs),
];

fn of_attrs(a: &mut Attrs) -> Result<Box<dyn Op>> {
    Ok(Box::new(Irfft { n: a.need("n")?, scale: a.need("scale")? }))
}

/// A type that transforms are computed in.
trait Float: Plain + FftNum {
    fn plans() -> &'static Mutex<Plans<Self>>;
}

/// Plans that have been made. Signals of ever new lengths would fill the memory with them, so they are forgotten once there are many.
struct Plans<T: FftNum> {
    complex: FftPlanner<T>,
    real: RealFftPlanner<T>,
    lengths: BTreeSet<usize>,
}

const MOST_LENGTHS: usize = 64;

impl<T: Float> Plans<T> {
    fn with<R>(n: usize, make: impl FnOnce(&mut Plans<T>) -> R) -> R {
        // A plan that could not be made is not in the list, so a poisoned lock holds nothing wrong.
        let mut plans = T::plans().lock().unwrap_or_else(PoisonError::into_inner);
        if plans.lengths.len() >= MOST_LENGTHS && !plans.lengths.contains(&n) {
            *plans = Plans::new();
        }
        plans.lengths.insert(n);
        make(&mut plans)
    }

    fn new() -> Plans<T> {
        Plans { complex: FftPlanner::new(), real: RealFftPlanner::new(), lengths: BTreeSet::new() }
    }
}

macro_rules! float {
    ($($t:ty)*) => {$(
        impl Float for $t {
            fn plans() -> &'static Mutex<Plans<$t>> {
                use std::sync::LazyLock;
                static PLANS: LazyLock<Mutex<Plans<$t>>> = LazyLock::new(|| Mutex::new(Plans::new()));
                &PLANS
            }
        }
    )*};
}
float!(f32 f64);

/// Room of one block of rows.
struct Room<T> {
    real: Vec<T>,
    complex: Vec<Complex<T>>,
    scratch: Vec<Complex<T>>,
}

/// How one row is made of another.
trait Row<T>: Sync {
    fn scratch(&self) -> usize;
    fn run(&self, x: &[T], y: &mut [T], room: &mut Room<T>);
}

fn load<T: FftNum>(x: &[T], to: &mut Vec<Complex<T>>) {
    to.clear();
    to.extend(x.chunks_exact(2).map(|z| Complex::new(z[0], z[1])));
}

fn store<T: FftNum>(z: &[Complex<T>], scale: T, y: &mut [T]) {
    for (y, z) in y.chunks_exact_mut(2).zip(z) {
        (y[0], y[1]) = (z.re * scale, z.im * scale);
    }
}

struct ComplexRow<T>(Arc<dyn Plan<T>>, T);
impl<T: FftNum> Row<T> for ComplexRow<T> {
    fn scratch(&self) -> usize {
        self.0.get_inplace_scratch_len()
    }
    fn run(&self, x: &[T], y: &mut [T], room: &mut Room<T>) {
        load(x, &mut room.complex);
        self.0.process_with_scratch(&mut room.complex, &mut room.scratch);
        store(&room.complex, self.1, y);
    }
}

struct RealRow<T>(Arc<dyn RealToComplex<T>>, T);
impl<T: FftNum> Row<T> for RealRow<T> {
    fn scratch(&self) -> usize {
        self.0.get_scratch_len()
    }
    fn run(&self, x: &[T], y: &mut [T], room: &mut Room<T>) {
        room.real.clear();
        room.real.extend_from_slice(x);
        room.complex.resize(y.len() / 2, Complex::new(T::zero(), T::zero()));
        let done = self.0.process_with_scratch(&mut room.real, &mut room.complex, &mut room.scratch);
        done.expect("the row has the plan's length");
        store(&room.complex, self.1, y);
    }
}

struct HalfRow<T>(Arc<dyn ComplexToReal<T>>, T);
impl<T: FftNum> Row<T> for HalfRow<T> {
    fn scratch(&self) -> usize {
        self.0.get_scratch_len()
    }
    fn run(&self, x: &[T], y: &mut [T], room: &mut Room<T>) {
        load(x, &mut room.complex);
        // A real signal has no imaginary part there, and none is read.
        room.complex[0].im = T::zero();
        if y.len().is_multiple_of(2) {
            room.complex[y.len() / 2].im = T::zero();
        }
        let done = self.0.process_with_scratch(&mut room.complex, y, &mut room.scratch);
        done.expect("the row has the plan's length");
        y.iter_mut().for_each(|y| *y = *y * self.1);
    }
}

/// Rows of `n` numbers to rows of `m`. Blocks have as many rows as make some thousand numbers, whatever the number of threads.
fn rows<T: Float>(x: &Tensor, (n, m): (usize, usize), shape: Shape, row: &dyn Row<T>) -> Tensor {
    let x = x.as_slice::<T>().expect("it lies in rows on the CPU");
    let count = (4096 / n.max(m)).max(1);
    let cost = x.len().saturating_mul(4 * (n.ilog2() as usize + 1));
    Tensor::filled_by(shape, |y: &mut [T]| {
        for_chunks(y, count * m, cost, |block, piece| {
            let zero = Complex::new(T::zero(), T::zero());
            let mut room = Room { real: Vec::new(), complex: Vec::new(), scratch: vec![zero; row.scratch()] };
            for (i, y) in piece.chunks_exact_mut(m).enumerate() {
                let at = (block * count + i) * n;
                row.run(&x[at..at + n], y, &mut room);
            }
        });
    })
}

/// What a transform makes of rows that lie anywhere and have any float dtype.
fn computed(x: &Tensor, shape: Shape, step: &Step) -> Ran {
    let (device, dtype) = (x.device(), x.dtype());
    shape.count();
    if !device.backend().has_numbers() || shape.contains(&0) {
        return device.scope(|| Tensor::full_of(shape, 0.0, dtype)).into();
    }
    let wide = if dtype == DType::F64 { DType::F64 } else { DType::F32 };
    let here = x.to_device(Device::cpu()).to(wide).contiguous();
    let run = if wide == DType::F64 { run::<f64> } else { run::<f32> };
    let y = Device::cpu().scope(|| run(&here, shape, step));
    y.to(dtype).to_device(device).into()
}

/// A transform of one row.
enum Step {
    Fft(Fft),
    Rfft(Rfft),
    Irfft(Irfft),
}

fn run<T: Float>(x: &Tensor, shape: Shape, step: &Step) -> Tensor {
    let last = |shape: &[usize]| shape[shape.len() - 1];
    let pairs = |shape: &[usize]| 2 * shape[shape.len() - 2];
    let factor = |scale: f64| <T as Element>::from_f64(scale);
    match step {
        Step::Fft(Fft { inverse, scale }) => {
            let n = pairs(&shape);
            let plan = Plans::<T>::with(n / 2, |plans| match inverse {
                true => plans.complex.plan_fft_inverse(n / 2),
                false => plans.complex.plan_fft_forward(n / 2),
            });
            rows(x, (n, n), shape, &ComplexRow(plan, factor(*scale)))
        }
        Step::Rfft(Rfft { scale }) => {
            let n = last(x.shape());
            let plan = Plans::<T>::with(n, |plans| plans.real.plan_fft_forward(n));
            rows(x, (n, pairs(&shape)), shape, &RealRow(plan, factor(*scale)))
        }
        Step::Irfft(Irfft { n, scale }) => {
            let plan = Plans::<T>::with(*n, |plans| plans.real.plan_fft_inverse(*n));
            rows(x, (pairs(x.shape()), *n), shape, &HalfRow(plan, factor(*scale)))
        }
    }
}

/// Operations of `n log n` steps for each row.
fn cost(xs: &[Outline], y: &Outline) -> Cost {
    let n = xs[0].shape.iter().rev().find(|n| **n > 2).map_or(1, |n| n.ilog2() as u64 + 1);
    Cost::each_input(xs, y, 3 * n)
}

/// The transform `y_k = scale Σⱼ x_j e^(∓2πi jk/n)` of rows `[.., n, 2]`.
#[derive(Clone, Copy)]
pub(crate) struct Fft {
    pub(crate) inverse: bool,
    pub(crate) scale: f64,
}
impl Op for Fft {
    fn name(&self) -> &'static str {
        "fft"
    }
    fn attrs(&self, say: Say<'_>) {
        say("inverse", self.inverse.into());
        say("scale", self.scale.into());
    }
    fn takes(&self) -> RangeInclusive<usize> {
        1..=1
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        if !matches!(signal("fft", xs[0]), [.., n] if *n > 0) {
            fail!(
                "fft",
                "complex rows [.., n, 2] of at least one number are needed, this is {:?}",
                xs[0].shape()
            );
        }
        computed(xs[0], xs[0].shape().into(), &Step::Fft(*self))
    }
    fn vjp(&self, _: &At<'_>, g: &Tensor) -> Vjp {
        // Of a complex matrix F, as a matrix of pairs, the transpose is that of F's conjugate transpose.
        apply(Fft { inverse: !self.inverse, ..*self }, &[g]).into()
    }
    fn jvp(&self, _: &At<'_>, dxs: &[Option<Tensor>]) -> Tensor {
        apply(*self, &[dxs[0].as_ref().expect("its only input moves")])
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        cost(xs, y)
    }
}

/// The first `⌊n/2⌋ + 1` numbers of the transform of real rows `[.., n]`; the others are their conjugates.
#[derive(Clone, Copy)]
pub(crate) struct Rfft {
    pub(crate) scale: f64,
}
impl Op for Rfft {
    fn name(&self) -> &'static str {
        "rfft"
    }
    fn attrs(&self, say: Say<'_>) {
        say("scale", self.scale.into());
    }
    fn takes(&self) -> RangeInclusive<usize> {
        1..=1
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        let x = xs[0];
        let Some((&n, before)) = x.shape().split_last().filter(|(n, _)| **n > 0 && x.dtype().is_float())
        else {
            fail!(
                "rfft",
                "rows [.., n] of at least one float are needed, this is {:?} of {}",
                x.shape(),
                x.dtype()
            )
        };
        let shape = before.iter().copied().chain([n / 2 + 1, 2]).collect();
        computed(x, shape, &Step::Rfft(*self))
    }
    /// `dx_j = Σ_{k ≤ n/2} Re(g_k e^(2πi jk/n))`: the inverse counts all but the ends twice, for their conjugates.
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        let n = at.shape(0)[at.shape(0).len() - 1];
        apply(Irfft { n, scale: self.scale }, &[&(g * weights(g, n, 0.5))]).into()
    }
    fn jvp(&self, _: &At<'_>, dxs: &[Option<Tensor>]) -> Tensor {
        apply(*self, &[dxs[0].as_ref().expect("its only input moves")])
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        cost(xs, y)
    }
}

/// Real rows `[.., n]` of the first `⌊n/2⌋ + 1` numbers of their transform, the others being their conjugates.
#[derive(Clone, Copy)]
pub(crate) struct Irfft {
    pub(crate) n: usize,
    pub(crate) scale: f64,
}
impl Op for Irfft {
    fn name(&self) -> &'static str {
        "irfft"
    }
    fn attrs(&self, say: Say<'_>) {
        say("n", self.n.into());
        say("scale", self.scale.into());
    }
    fn takes(&self) -> RangeInclusive<usize> {
        1..=1
    }
    fn keep(&self) -> Keep {
        Keep::NONE
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        let signal = signal("irfft", xs[0]);
        let Some((_, before)) = signal.split_last().filter(|(m, _)| self.n > 0 && **m == self.n / 2 + 1)
        else {
            fail!(
                "irfft",
                "the half of a transform of length {} has {} numbers, this is {:?}",
                self.n,
                self.n / 2 + 1,
                xs[0].shape()
            )
        };
        let shape = before.iter().copied().chain([self.n]).collect();
        computed(xs[0], shape, &Step::Irfft(*self))
    }
    fn vjp(&self, _: &At<'_>, g: &Tensor) -> Vjp {
        let y = apply(Rfft { scale: self.scale }, &[g]);
        (&y * weights(&y, self.n, 2.0)).into()
    }
    fn jvp(&self, _: &At<'_>, dxs: &[Option<Tensor>]) -> Tensor {
        apply(*self, &[dxs[0].as_ref().expect("its only input moves")])
    }
    fn cost(&self, xs: &[Outline], y: &Outline) -> Cost {
        cost(xs, y)
    }
}

/// As `[m, 1]`: 1 for the numbers of half a transform that stand for themselves, `inner` for those that stand for their conjugates too.
fn weights(like: &Tensor, n: usize, inner: f64) -> Tensor {
    let alone = |k: usize| k == 0 || 2 * k == n;
    let list: Vec<f64> = (0..n / 2 + 1).map(|k| if alone(k) { 1.0 } else { inner }).collect();
    like.device().scope(|| Tensor::from_vec(list, [n / 2 + 1, 1])).to(like.dtype())
}

fn of_fft(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    for shape in [&[1, 2][..], &[2, 2], &[7, 2], &[3, 8, 2], &[2, 3, 6, 2], &[0, 3, 2], &[2, 9, 2]] {
        s.of(&[(shape, &d)], |x| apply(Fft { inverse: false, scale: 1.0 }, &[&x[0]]));
        s.of(&[(shape, &d)], |x| apply(Fft { inverse: true, scale: 0.25 }, &[&x[0]]));
    }
}

fn of_rfft(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    for shape in [&[1][..], &[2], &[7], &[3, 8], &[2, 3, 6], &[0, 3], &[2, 9]] {
        s.of(&[(shape, &d)], |x| apply(Rfft { scale: 1.0 }, &[&x[0]]));
        s.of(&[(shape, &d)], |x| apply(Rfft { scale: 0.5 }, &[&x[0]]));
    }
}

fn of_irfft(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    for shape in [&[1, 2][..], &[2, 2], &[4, 2], &[3, 5, 2], &[2, 3, 3, 2], &[0, 3, 2]] {
        s.of(&[(shape, &d)], |x| {
            apply(Irfft { n: 2 * x[0].shape()[x[0].rank() - 2] - 1, scale: 1.0 }, &[&x[0]])
        });
    }
    for shape in [&[2, 2][..], &[3, 5, 2], &[2, 1, 4, 2], &[2, 0, 3, 2]] {
        s.of(&[(shape, &d)], |x| {
            apply(Irfft { n: 2 * x[0].shape()[x[0].rank() - 2] - 2, scale: 0.5 }, &[&x[0]])
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapsto_tensor::check::check_kinds;

    #[test]
    fn every_kind_is_proven_over_its_samples() {
        check_kinds(OPS);
    }

    #[test]
    fn lengths_without_end_are_forgotten() {
        for n in 1..=3 * MOST_LENGTHS {
            let y = apply(Rfft { scale: 1.0 }, &[&Tensor::ones([n])]);
            assert!((y.select(0, 0).select(0, 0).item() / n as f64 - 1.0).abs() < 1e-6, "{n}");
            assert!(f32::plans().lock().unwrap().lengths.len() <= MOST_LENGTHS);
        }
    }
}
