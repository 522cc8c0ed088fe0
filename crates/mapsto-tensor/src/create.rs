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
    /// assert_eq!(e.message(), "full: u8 cannot hold 300, it reaches from 0 to 255");
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
        filled_from("from_slice", values, shape.into())
    }

    /// The elements of a vector in row-major order.
    ///
    /// # Panics
    /// When the vector has another length than the shape.
    #[track_caller]
    pub fn from_vec<T: Element>(values: Vec<T>, shape: impl Into<Shape>) -> Tensor {
        filled_from("from_vec", &values, shape.into())
    }

    /// `start, start + 1, ..` below `end`, as i64; the ends are integers of any kind.
    ///
    /// ```
    /// use mapsto_tensor::prelude::*;
    /// assert_eq!(Tensor::arange(2..5).to_vec::<i64>(), [2, 3, 4]);
    /// assert_eq!(Tensor::arange(0..vec![7, 8].len()).to_vec::<i64>(), [0, 1]);
    /// ```
    /// # Panics
    /// When i64 does not hold an end.
    #[track_caller]
    pub fn arange<I: TryInto<i64>>(range: Range<I>) -> Tensor {
        let range = whole("arange", range);
        let count = range.end.saturating_sub(range.start).max(0) as usize;
        let shape = Shape::from(count).fit("arange");
        crate::backend::counted(range, shape)
    }

    /// `n` values (f32) from `lo` to `hi`, both included, evenly spaced.
    ///
    /// # Panics
    /// When an end is not finite, or is infinite in f32.
    #[track_caller]
    pub fn linspace(lo: f64, hi: f64, n: usize) -> Tensor {
        if !(lo.is_finite() && hi.is_finite()) {
            fail!("linspace", "both ends must be finite, got {lo} and {hi}");
        }
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

    /// Integers (i64) drawn evenly from a range, from the user stream.
    ///
    /// ```
    /// use mapsto_tensor::prelude::*;
    /// let dice = Tensor::randint([1000], 1..7);
    /// assert_eq!((dice.min(..).item_i64(), dice.max(..).item_i64(), dice.dtype()), (1, 6, DType::I64));
    /// ```
    /// # Panics
    /// When the range is empty, or i64 does not hold an end.
    #[track_caller]
    pub fn randint<I: TryInto<i64>>(shape: impl Into<Shape>, range: Range<I>) -> Tensor {
        let (shape, range) = (shape.into().fit("randint"), whole("randint", range));
        let Some(width) = range.end.checked_sub(range.start).filter(|&w| w > 0) else {
            fail!("randint", "there is no integer to draw in {}..{}, or more than i64 counts", range.start, range.end;
                  help = "the end is not drawn: `0..10` gives 0 to 9");
        };
        let Draw { seed, stream, draw } = random::next(Stream::User);
        let mut numbers = random::Keyed::new(&[seed, stream.into(), draw]);
        let mut values = room_for(shape.count());
        values.extend((0..shape.count()).map(|_| range.start + numbers.below(width as usize) as i64));
        Tensor::from_slice::<i64>(&values, shape)
    }

    /// Standard normal numbers of the shape, the float dtype and the device of `other`, from the user stream.
    ///
    /// ```
    /// use mapsto_tensor::prelude::*;
    /// let x = Tensor::zeros([2, 3]).to(DType::F64);
    /// assert_eq!((Tensor::randn_like(&x).shape(), Tensor::randn_like(&x).dtype()), (&[2, 3][..], DType::F64));
    /// ```
    /// # Panics
    /// When `other` does not hold floats.
    #[track_caller]
    pub fn randn_like(other: &Tensor) -> Tensor {
        Tensor::random_like("randn_like", Distribution::Normal(0.0, 1.0), other)
    }

    /// Numbers uniform in 0..1 of the shape, the float dtype and the device of `other`, from the user stream.
    ///
    /// ```
    /// use mapsto_tensor::prelude::*;
    /// assert!(Tensor::rand_like(&Tensor::zeros([100])).max(..).item() < 1.0);
    /// ```
    /// # Panics
    /// When `other` does not hold floats.
    #[track_caller]
    pub fn rand_like(other: &Tensor) -> Tensor {
        Tensor::random_like("rand_like", Distribution::Uniform(0.0, 1.0), other)
    }

    #[track_caller]
    fn random_like(op: &str, distribution: Distribution, other: &Tensor) -> Tensor {
        if !other.dtype().is_float() {
            fail!(op, "random numbers are floats, the other tensor holds {}", other.dtype();
                  help = "draw integers with `Tensor::randint`");
        }
        let draw = random::next(Stream::User);
        other.device().scope(|| Tensor::random(draw, distribution, *other.shape_of(), other.dtype()))
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
    /// When the distribution does not exist: bounds in the wrong order, a negative deviation, a probability outside of 0..=1, or
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

impl Nested for usize {
    type Number = i64;
    fn sizes(&self, _: &mut Vec<usize>) {}
    fn numbers(&self, _: &[usize], out: &mut Vec<i64>) -> Result<(), String> {
        out.push(i64::try_from(*self).map_err(|_| format!("i64 does not hold {self}"))?);
        Ok(())
    }
}

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

impl<N: Nested> Nested for &[N] {
    type Number = N::Number;
    nested_list!();
}

/// The tensor of a list of numbers or of lists, as [`tensor!`](crate::tensor) makes it: f64 becomes f32, and every
/// integer but u8 becomes i64. [`Tensor::from_vec`] keeps f64.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// let x = Tensor::from(vec![vec![1.0, 2.0], vec![3.0, 4.0]]);
/// assert_eq!((x.shape(), x.dtype()), (&[2, 2][..], DType::F32));
/// assert_eq!(Tensor::from([1usize, 2]).dtype(), DType::I64);
/// ```
impl<N: Nested> From<Vec<N>> for Tensor {
    #[track_caller]
    fn from(values: Vec<N>) -> Tensor {
        tensor(values)
    }
}
/// As from a vector.
impl<N: Nested, const K: usize> From<[N; K]> for Tensor {
    #[track_caller]
    fn from(values: [N; K]) -> Tensor {
        tensor(values)
    }
}
/// As from a vector.
impl<N: Nested> From<&[N]> for Tensor {
    #[track_caller]
    fn from(values: &[N]) -> Tensor {
        tensor(values)
    }
}

/// The ends of a range as i64.
#[track_caller]
fn whole<I: TryInto<i64>>(op: &str, range: Range<I>) -> Range<i64> {
    match (range.start.try_into(), range.end.try_into()) {
        (Ok(start), Ok(end)) => start..end,
        _ => fail!(op, "an end of the range is larger than i64 holds"),
    }
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

/// The values in row-major order, by the name of the function that was given them.
#[track_caller]
fn filled_from<T: Element>(op: &str, values: &[T], shape: Shape) -> Tensor {
    let shape = shape.fit(op);
    if values.len() != shape.count() {
        fail!(op, "{} values for the shape {shape:?} of {}", values.len(), shape.count());
    }
    crate::backend::carry::write(Device::current(), values, shape)
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
fn lists_become_tensors() {
    assert_eq!(Tensor::from(vec![1.5, 2.5]).to_vec::<f32>(), [1.5, 2.5]);
    assert_eq!(Tensor::from(&[[1, 2], [3, 4]][..]).shape(), [2, 2]);
    assert_eq!(Tensor::from([vec![true], vec![false]]).to_vec::<bool>(), [true, false]);
    let e = crate::catch(|| Tensor::from([usize::MAX])).unwrap_err();
    assert_eq!(e.message(), format!("tensor: i64 does not hold {}", usize::MAX));
}

#[test]
fn random_integers_are_even_and_repeat() {
    use crate::catch;
    crate::seed(3);
    let x = Tensor::randint([6000], -1..2);
    for v in -1..2 {
        let share = x.eq(v).to(DType::F32).mean(..).item();
        assert!((share - 1.0 / 3.0).abs() < 0.03, "{v}: {share}");
    }
    crate::seed(3);
    assert_eq!(Tensor::randint([6000], -1..2).to_vec::<i64>(), x.to_vec::<i64>());
    assert_ne!(Tensor::randint([6000], -1..2).to_vec::<i64>(), x.to_vec::<i64>());
    let e = catch(|| Tensor::randint([2], 5..5)).unwrap_err();
    assert_eq!(e.message(), "randint: there is no integer to draw in 5..5, or more than i64 counts");
    assert!(catch(|| Tensor::randint([2], i64::MIN..i64::MAX)).is_err());
    assert!(catch(|| Tensor::randn_like(&x)).unwrap_err().message().contains("holds i64"));
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
