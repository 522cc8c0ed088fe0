//! Making tensors: from numbers, by rule, at random.

use crate::device::Device;
use crate::dtype::{DType, Element};
use crate::random::{self, Distribution, Draw, Stream};
use crate::scalar::Scalar;
use crate::shape::Shape;
use crate::storage::pool::room_for;
use crate::{Layout, Tensor, fail};
use std::ops::Range;

impl Tensor {
    /// Zeros (f32).
    #[track_caller]
    pub fn zeros(shape: impl Into<Shape>) -> Tensor {
        Tensor::full(shape, 0.0)
    }

    /// Ones (f32).
    #[track_caller]
    pub fn ones(shape: impl Into<Shape>) -> Tensor {
        Tensor::full(shape, 1.0)
    }

    /// One value everywhere (f32).
    ///
    /// # Panics
    /// When a finite value is infinite in f32.
    #[track_caller]
    pub fn full(shape: impl Into<Shape>, value: impl Into<Scalar>) -> Tensor {
        Tensor::full_of(shape, value, DType::F32)
    }

    /// One value everywhere, of any dtype. Of bool, every value but 0 is true.
    ///
    /// ```
    /// use mapsto_tensor::prelude::*;
    /// assert_eq!(Tensor::full_of([2], i64::MAX, DType::I64).to_vec::<i64>(), [i64::MAX; 2]);
    /// let e = catch(|| Tensor::full_of([2], 300, DType::U8)).unwrap_err();
    /// assert_eq!(e.message(), "full: 300 is no u8, which reaches from 0 to 255");
    /// ```
    /// # Panics
    /// When the dtype cannot hold the value: no whole number or one out of range for integers, a finite one that is
    /// infinite in a float dtype.
    #[track_caller]
    pub fn full_of(shape: impl Into<Shape>, value: impl Into<Scalar>, dtype: DType) -> Tensor {
        Tensor::rounded(shape, value.into().held_by("full", dtype), dtype)
    }

    /// A computed value everywhere: rounded to the dtype, as any result is.
    #[track_caller]
    pub(crate) fn rounded(shape: impl Into<Shape>, value: impl Into<Scalar>, dtype: DType) -> Tensor {
        crate::backend::carry::fill(Device::current(), shape.into().fit("full"), value.into(), dtype)
    }

    /// One value (f32) without axes.
    #[track_caller]
    pub fn scalar(value: impl Into<Scalar>) -> Tensor {
        Tensor::full((), value)
    }

    /// Zeros of the shape and dtype of `other`.
    #[track_caller]
    pub fn zeros_like(other: &Tensor) -> Tensor {
        Tensor::full_like(other, 0.0)
    }

    /// Ones of the shape and dtype of `other`.
    #[track_caller]
    pub fn ones_like(other: &Tensor) -> Tensor {
        Tensor::full_like(other, 1.0)
    }

    /// One value everywhere, of the shape and dtype of `other`.
    ///
    /// # Panics
    /// As [`full_of`](Tensor::full_of).
    #[track_caller]
    pub fn full_like(other: &Tensor, value: impl Into<Scalar>) -> Tensor {
        let value = value.into().held_by("full_like", other.dtype());
        other.device().scope(|| Tensor::rounded(*other.shape_of(), value, other.dtype()))
    }

    /// The elements of a slice in row-major order.
    ///
    /// # Panics
    /// When the slice has another length than the shape.
    #[track_caller]
    pub fn from_slice<T: Element>(values: &[T], shape: impl Into<Shape>) -> Tensor {
        let shape = shape.into().fit("from_slice");
        if values.len() != shape.count() {
            fail!("from_slice", "{} values for the shape {shape:?} of {}", values.len(), shape.count());
        }
        crate::backend::carry::write(Device::current(), values, shape)
    }

    /// The elements of a vector in row-major order.
    ///
    /// # Panics
    /// When the vector has another length than the shape.
    #[track_caller]
    pub fn from_vec<T: Element>(values: Vec<T>, shape: impl Into<Shape>) -> Tensor {
        Tensor::from_slice(&values, shape)
    }

    /// `start, start + 1, ..` below `end`, as i64.
    ///
    /// ```
    /// use mapsto_tensor::prelude::*;
    /// assert_eq!(Tensor::arange(2..5).to_vec::<i64>(), [2, 3, 4]);
    /// ```
    #[track_caller]
    pub fn arange(range: Range<i64>) -> Tensor {
        let count = range.end.saturating_sub(range.start).max(0) as usize;
        let shape = Shape::from(count).fit("arange");
        let mut values = room_for(count);
        values.extend(range);
        Tensor::from_slice::<i64>(&values, shape)
    }

    /// `n` values (f32) from `lo` to `hi`, both included, evenly spaced.
    ///
    /// # Panics
    /// When a finite end is infinite in f32.
    #[track_caller]
    pub fn linspace(lo: f64, hi: f64, n: usize) -> Tensor {
        let step = if n > 1 { (hi - lo) / (n - 1) as f64 } else { 0.0 };
        let _ = (
            Scalar::Float(lo).held_by("linspace", DType::F32),
            Scalar::Float(hi).held_by("linspace", DType::F32),
        );
        let shape = Shape::from(n).fit("linspace");
        let mut values = room_for(n);
        values.extend((0..n).map(|i| (lo + step * i as f64) as f32));
        Tensor::from_slice::<f32>(&values, shape)
    }

    /// The identity matrix of size `n` (f32).
    #[track_caller]
    pub fn eye(n: usize) -> Tensor {
        let (backend, shape) = (Device::current().backend(), Shape::new(&[n, n]).fit("eye"));
        let mut y = backend.fill(Scalar::Int(0), &shape, DType::F32);
        let diagonal = Layout { strides: [(n + 1) as isize, 0, 0, 0, 0, 0], ..Layout::contiguous(n.into()) };
        backend.copy(&Tensor::ones([1]).expand([n]), &mut y, &diagonal);
        y
    }

    /// Standard normal numbers (f32) from the user stream.
    ///
    /// ```
    /// use mapsto_tensor::prelude::*;
    /// assert!(Tensor::randn([10_000]).mean(..).item().abs() < 0.05);
    /// ```
    #[track_caller]
    pub fn randn(shape: impl Into<Shape>) -> Tensor {
        Tensor::normal(shape, 0.0, 1.0)
    }

    /// Numbers uniform in 0..1 (f32) from the user stream.
    #[track_caller]
    pub fn rand(shape: impl Into<Shape>) -> Tensor {
        Tensor::uniform(shape, 0.0, 1.0)
    }

    /// Numbers uniform in `lo..hi` (f32) from the user stream.
    #[track_caller]
    pub fn uniform(shape: impl Into<Shape>, lo: f64, hi: f64) -> Tensor {
        Tensor::random(random::next(Stream::User), Distribution::Uniform(lo, hi), shape, DType::F32)
    }

    /// Normal numbers (f32) from the user stream.
    #[track_caller]
    pub fn normal(shape: impl Into<Shape>, mean: f64, std: f64) -> Tensor {
        Tensor::random(random::next(Stream::User), Distribution::Normal(mean, std), shape, DType::F32)
    }

    /// Ones with probability `p`, else zeros (f32), from the user stream.
    #[track_caller]
    pub fn bernoulli(shape: impl Into<Shape>, p: f64) -> Tensor {
        Tensor::random(random::next(Stream::User), Distribution::Bernoulli(p), shape, DType::F32)
    }

    /// A random order of `0..n` (i64) from the user stream.
    #[track_caller]
    pub fn permutation(n: usize) -> Tensor {
        let shape = Shape::from(n).fit("permutation");
        Tensor::from_slice(&random::permutation(random::next(Stream::User), n), shape)
    }

    /// Random numbers of a draw: element i is a pure function of the draw and i.
    ///
    /// # Panics
    /// When the distribution is none: bounds in the wrong order, a negative deviation, a probability outside of 0..=1, or
    /// numbers that the dtype cannot hold, the distance of the bounds among them.
    #[track_caller]
    pub fn random(draw: Draw, distribution: Distribution, shape: impl Into<Shape>, dtype: DType) -> Tensor {
        check_distribution(distribution, dtype);
        Device::current().backend().random(draw, distribution, &shape.into().fit("random"), dtype)
    }
}

/// What `tensor![..]` accepts: numbers, arrays and vectors of what it accepts.
pub trait Nested {
    /// The number type at the bottom, after literals of f64 became f32 and of i32 became i64.
    type Number: Element;
    /// Appends the sizes of the axes.
    fn sizes(&self, out: &mut Vec<usize>);
    /// Appends the numbers in row-major order, or says what is wrong with them.
    fn numbers(&self, sizes: &[usize], out: &mut Vec<Self::Number>) -> Result<(), String>;
}

macro_rules! nested_number {
    ($($t:ty => $to:ty),*) => {$(
        impl Nested for $t {
            type Number = $to;
            fn sizes(&self, _: &mut Vec<usize>) {}
            fn numbers(&self, _: &[usize], out: &mut Vec<$to>) -> Result<(), String> {
                let v = *self as $to;
                out.push(v);
                // Only an f64 can become infinite here.
                if Element::to_f64(v).is_infinite() && !Element::to_f64(*self).is_infinite() {
                    return Err(format!("{self} is infinite in {}", <$to as Element>::DTYPE));
                }
                Ok(())
            }
        }
    )*};
}
nested_number!(f64 => f32, f32 => f32, i32 => i64, i64 => i64, u8 => u8, bool => bool);

macro_rules! nested_list {
    () => {
        fn sizes(&self, out: &mut Vec<usize>) {
            out.push(self.len());
            if let Some(first) = self.first() {
                first.sizes(out);
            }
        }
        fn numbers(&self, sizes: &[usize], out: &mut Vec<N::Number>) -> Result<(), String> {
            if self.len() != sizes[0] {
                return Err(format!("rows of {} and of {} elements are mixed", sizes[0], self.len()));
            }
            self.iter().try_for_each(|x| x.numbers(&sizes[1..], out))
        }
    };
}
impl<N: Nested, const K: usize> Nested for [N; K] {
    type Number = N::Number;
    nested_list!();
}
impl<N: Nested> Nested for Vec<N> {
    type Number = N::Number;
    nested_list!();
}

/// The tensor of nested arrays or vectors; `tensor!` in function form.
///
/// # Panics
/// When the rows of an axis differ in length.
#[track_caller]
pub fn tensor<N: Nested>(values: N) -> Tensor {
    let (mut sizes, mut out) = (Vec::new(), Vec::new());
    values.sizes(&mut sizes);
    if let Err(wrong) = values.numbers(&sizes, &mut out) {
        fail!("tensor", "{wrong}");
    }
    Tensor::from_vec(out, sizes)
}

/// A tensor of the numbers written: floats become f32, integers i64, `true` and `false` bool.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// assert_eq!(tensor![[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]].shape(), [2, 3]);
/// assert_eq!(tensor![1, 2].dtype(), DType::I64);
/// ```
#[macro_export]
macro_rules! tensor {
    ($($values:expr),* $(,)?) => { $crate::create::tensor([$($values),*]) };
}

#[track_caller]
fn check_distribution(distribution: Distribution, dtype: DType) {
    // Drawn in f32 but for f64, and then stored.
    let most = match dtype {
        DType::F64 => f64::MAX,
        DType::F16 => 65504.0,
        _ => f64::from(f32::MAX),
    };
    let holds = |v: f64| v.abs() <= most;
    match distribution {
        Distribution::Uniform(lo, hi) if !(holds(lo) && holds(hi) && lo <= hi && holds(hi - lo)) => {
            fail!(
                "uniform",
                "the bounds must be finite, in order and not too far apart for {dtype}, got {lo} and {hi}"
            )
        }
        Distribution::Normal(mean, std) if !(holds(mean) && holds(std) && std >= 0.0) => {
            fail!(
                "normal",
                "mean and deviation must be finite in {dtype} and the deviation at least 0, got {mean} and {std}"
            )
        }
        Distribution::Bernoulli(p) if !(0.0..=1.0).contains(&p) => {
            fail!("bernoulli", "the probability must be from 0 to 1, got {p}")
        }
        _ => {}
    }
}

#[test]
fn tensors_are_made_by_rule() {
    assert_eq!(Tensor::eye(3).to_vec::<f32>(), [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
    assert_eq!(Tensor::linspace(0.0, 1.0, 5).to_vec::<f32>(), [0.0, 0.25, 0.5, 0.75, 1.0]);
    assert_eq!(Tensor::full_of([2], 3.0, DType::I32).to_vec::<i32>(), [3, 3]);
    assert_eq!(tensor![[true, false]].to_vec::<bool>(), [true, false]);
    assert_eq!(tensor![vec![1.5f32], vec![2.5f32]].shape(), [2, 1]);
    assert!(
        crate::catch(|| tensor(vec![vec![1], vec![1, 2]]))
            .unwrap_err()
            .message()
            .contains("rows of 1 and of 2")
    );
    assert_eq!(Tensor::zeros([0, 3]).to_vec::<f32>(), []);
}

#[test]
fn a_draw_from_no_distribution_is_refused() {
    use crate::catch;
    let inf = f64::INFINITY;
    for (lo, hi) in [(5.0, 1.0), (0.0, inf), (0.0, f64::NAN), (-3e38, 3e38), (-1e308, 1e308)] {
        assert!(catch(|| Tensor::uniform([3], lo, hi)).is_err(), "{lo} {hi}");
    }
    for (mean, std) in [(0.0, -1.0), (0.0, 1e39), (0.0, f64::NAN), (inf, 1.0)] {
        assert!(catch(|| Tensor::normal([3], mean, std)).is_err(), "{mean} {std}");
    }
    assert_eq!(Tensor::uniform([2], 1.0, 1.0).to_vec::<f32>(), [1.0, 1.0]);
}
