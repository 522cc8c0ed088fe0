//! The kinds of numbers a tensor can hold, known at run time.

use half::{bf16, f16};
use std::fmt;

/// The kind of number of a tensor's elements.
///
/// `F32` is the default for floats and `I64` for class ids and indices. `F16` and `BF16` are stored in 16 bits and
/// computed in f32; the small integers are computed in 64 bits and wrap when stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    /// 32-bit float.
    F32,
    /// 64-bit float, used for checks.
    F64,
    /// IEEE 754 half precision.
    F16,
    /// The upper half of an f32: 8 bits of exponent, 7 of fraction.
    BF16,
    /// 64-bit signed integer.
    I64,
    /// 32-bit signed integer.
    I32,
    /// 8-bit unsigned integer.
    U8,
    /// 8-bit signed integer.
    I8,
    /// True or false, one byte each.
    Bool,
}

/// The type that arithmetic on a dtype is done in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// f32, for F32, F16 and BF16.
    F32,
    /// f64, for F64.
    F64,
    /// i64, for integers and booleans.
    I64,
}

impl DType {
    /// Every dtype.
    pub const ALL: [DType; 9] = [
        DType::F32,
        DType::F64,
        DType::F16,
        DType::BF16,
        DType::I64,
        DType::I32,
        DType::U8,
        DType::I8,
        DType::Bool,
    ];

    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            DType::F64 | DType::I64 => 8,
            DType::F32 | DType::I32 => 4,
            DType::F16 | DType::BF16 => 2,
            DType::U8 | DType::I8 | DType::Bool => 1,
        }
    }

    /// Whether it is a float, and so can have a derivative.
    pub fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F64 | DType::F16 | DType::BF16)
    }

    /// The type its arithmetic is done in.
    pub fn class(self) -> Class {
        match self {
            DType::F64 => Class::F64,
            DType::F32 | DType::F16 | DType::BF16 => Class::F32,
            _ => Class::I64,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::F16 => "f16",
            DType::BF16 => "bf16",
            DType::I64 => "i64",
            DType::I32 => "i32",
            DType::U8 => "u8",
            DType::I8 => "i8",
            DType::Bool => "bool",
        })
    }
}

impl std::str::FromStr for DType {
    type Err = crate::Error;
    fn from_str(s: &str) -> crate::Result<DType> {
        DType::ALL.into_iter().find(|d| d.to_string() == s).ok_or_else(|| {
            crate::Error::new(crate::ErrorKind::Usage, format!("unknown dtype `{s}`"))
                .help("one of f32, f64, f16, bf16, i64, i32, u8, i8, bool")
        })
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A Rust number type that tensors can hold and be read as.
pub trait Element: Copy + Send + Sync + Default + PartialEq + fmt::Debug + sealed::Sealed + 'static {
    /// The dtype of this type.
    const DTYPE: DType;
    /// The nearest value of this type; floats saturate when they become integers.
    fn from_f64(v: f64) -> Self;
    /// The value as f64; exact but for integers beyond 2⁵³.
    fn to_f64(self) -> f64;
    /// The value of this type for an integer; integers wrap.
    fn from_i64(v: i64) -> Self;
    /// The value as an integer; floats saturate.
    fn to_i64(self) -> i64;
    /// This value as another type: exact wherever that type can hold it.
    #[inline(always)]
    fn convert<T: Element>(self) -> T {
        if Self::DTYPE.is_float() { T::from_f64(self.to_f64()) } else { T::from_i64(self.to_i64()) }
    }
}

macro_rules! elements {
    ($($t:ty => $d:ident, $from:expr, $to:expr, $from_i:expr, $to_i:expr;)*) => {$(
        impl sealed::Sealed for $t {}
        impl Element for $t {
            const DTYPE: DType = DType::$d;
            #[inline(always)]
            fn from_f64(v: f64) -> $t { ($from)(v) }
            #[inline(always)]
            fn to_f64(self) -> f64 { ($to)(self) }
            #[inline(always)]
            fn from_i64(v: i64) -> $t { ($from_i)(v) }
            #[inline(always)]
            fn to_i64(self) -> i64 { ($to_i)(self) }
        }
    )*};
}
elements! {
    f32 => F32, |v| v as f32, |v| v as f64, |v| v as f32, |v| v as i64;
    f64 => F64, |v| v, |v| v, |v| v as f64, |v| v as i64;
    f16 => F16, |v| f16::from_f32(on_the_way(v)), f16::to_f64, |v| f16::from_f32(on_the_way(v as f64)), |v| f16::to_f64(v) as i64;
    bf16 => BF16, |v| bf16::from_f32(on_the_way(v)), bf16::to_f64, |v| bf16::from_f32(on_the_way(v as f64)), |v| bf16::to_f64(v) as i64;
    i64 => I64, |v| v as i64, |v| v as f64, |v| v, |v| v;
    i32 => I32, |v| v as i32, |v| v as f64, |v| v as i32, |v| v as i64;
    u8 => U8, |v| v as u8, |v| v as f64, |v| v as u8, |v| v as i64;
    i8 => I8, |v| v as i8, |v| v as f64, |v| v as i8, |v| v as i64;
    bool => Bool, |v| v != 0.0, |v| v as u8 as f64, |v| v != 0, |v| v as i64;
}

/// The f32 on the way from f64 to 16 bits: where inexact, the neighbour whose last bit is 1, so that it is never a tie and
/// the second rounding goes the way of the whole number. (`half` looks at the upper 32 bits of an f64 alone.)
#[inline(always)]
fn on_the_way(v: f64) -> f32 {
    let near = v as f32;
    let back = near as f64;
    if back == v || near.to_bits() & 1 == 1 || !near.is_finite() {
        return near;
    }
    f32::from_bits(if back.abs() < v.abs() { near.to_bits() + 1 } else { near.to_bits() - 1 })
}

#[test]
fn sixteen_bits_are_rounded_once() {
    // Halfway between two bf16 and the least bit of an f32 more, which must go up; and of an f64 more.
    let tie = f32::from_bits(0x3f80_8000);
    for (v, want) in [
        (tie as f64, 1.0),
        (tie.next_up() as f64, 1.0078125),
        ((tie as f64).next_up(), 1.0078125),
        ((tie as f64).next_down(), 1.0),
    ] {
        assert_eq!(<bf16 as Element>::from_f64(v).to_f64(), want);
        assert_eq!(<bf16 as Element>::from_f64(-v).to_f64(), -want);
    }
    let tie = 1.0 + 2f64.powi(-11); // of f16
    for (v, want) in [(tie, 1.0), (tie.next_up(), 1.0 + 2f64.powi(-10)), (tie.next_down(), 1.0)] {
        assert_eq!(<f16 as Element>::from_f64(v).to_f64(), want);
    }
    assert_eq!(<f16 as Element>::from_f64(65519.999999).to_f64(), 65504.0);
}

#[test]
fn names_and_sizes_round_trip() {
    for d in DType::ALL {
        assert_eq!(d.to_string().parse::<DType>().unwrap(), d);
    }
    assert_eq!(std::mem::size_of::<bf16>(), DType::BF16.size());
    assert!("float".parse::<DType>().unwrap_err().to_string().starts_with("unknown dtype `float`"));
}
