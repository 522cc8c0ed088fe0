//! Attributes of operations: the numbers and words that, with its name, make an operation again.

use crate::{DType, Error, ErrorKind, Result, Scalar, Tensor};
use std::fmt;

/// Receives attributes, one at a time.
pub type Say<'a> = &'a mut dyn FnMut(&'static str, Attr);

/// The value of an attribute.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Attr {
    /// A whole number: an axis, a count.
    Int(i64),
    /// A number.
    Float(f64),
    /// Yes or no.
    Bool(bool),
    /// One of several words.
    Text(&'static str),
    /// Axes, sizes, positions.
    Ints(Vec<i64>),
    /// A dtype.
    DType(DType),
    /// Values that are part of the operation and not an input.
    Tensor(Tensor),
}

/// Equal in kind and in every bit: `NaN` equals itself.
impl PartialEq for Attr {
    fn eq(&self, other: &Attr) -> bool {
        match (self, other) {
            (Attr::Int(a), Attr::Int(b)) => a == b,
            (Attr::Float(a), Attr::Float(b)) => a.to_bits() == b.to_bits(),
            (Attr::Bool(a), Attr::Bool(b)) => a == b,
            (Attr::Text(a), Attr::Text(b)) => a == b,
            (Attr::Ints(a), Attr::Ints(b)) => a == b,
            (Attr::DType(a), Attr::DType(b)) => a == b,
            (Attr::Tensor(a), Attr::Tensor(b)) => {
                let bits = |t: &Tensor| {
                    crate::backend::carry::read_f64(t).into_iter().map(f64::to_bits).collect::<Vec<_>>()
                };
                a.dtype() == b.dtype() && a.shape() == b.shape() && bits(a) == bits(b)
            }
            _ => false,
        }
    }
}

impl fmt::Display for Attr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Attr::Int(v) => write!(f, "{v}"),
            Attr::Float(v) => write!(f, "{v:?}"),
            Attr::Bool(v) => write!(f, "{v}"),
            Attr::Text(v) => f.write_str(v),
            Attr::Ints(v) => write!(f, "{v:?}"),
            Attr::DType(v) => write!(f, "{v}"),
            Attr::Tensor(v) => write!(f, "{} {:?}", v.dtype(), v.shape()),
        }
    }
}

macro_rules! attr_from {
    ($($t:ty, $x:ident => $make:expr;)*) => {$(
        impl From<$t> for Attr { fn from($x: $t) -> Attr { $make } }
    )*};
}
attr_from! {
    i64, x => Attr::Int(x);
    usize, x => Attr::Int(x as i64);
    f64, x => Attr::Float(x);
    bool, x => Attr::Bool(x);
    &'static str, x => Attr::Text(x);
    DType, x => Attr::DType(x);
    &Tensor, x => Attr::Tensor(x.clone());
    Scalar, x => match x { Scalar::Int(v) => Attr::Int(v), Scalar::Float(v) => Attr::Float(v) };
    &[usize], x => Attr::Ints(x.iter().map(|&n| n as i64).collect());
}
impl<const N: usize> From<[usize; N]> for Attr {
    fn from(x: [usize; N]) -> Attr {
        Attr::from(&x[..])
    }
}

/// Attributes by name, from which an operation is built.
///
/// ```
/// use mapsto_tensor::graph::{Attrs, apply};
/// use mapsto_tensor::{ops, prelude::*};
/// let clamp = ops::kind("clamp").unwrap().build(Attrs::new().with("lo", -1.0).with("hi", 1.0))?;
/// assert_close!(apply(clamp, &[&tensor![-3.0, 0.5]]), [-1.0, 0.5]);
/// let e = ops::kind("clamp").unwrap().build(Attrs::new().with("lo", -1.0)).err().unwrap();
/// assert_eq!(e.message(), "clamp: the attribute `hi` is missing");
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Attrs(Vec<(&'static str, Attr)>);

impl Attrs {
    /// No attributes.
    pub fn new() -> Attrs {
        Attrs::default()
    }

    /// Those of an operation.
    pub fn of(op: &dyn super::Op) -> Attrs {
        let mut attrs = Attrs::new();
        op.attrs(&mut |name, value| attrs.0.push((name, value)));
        attrs
    }

    /// One more.
    pub fn with(mut self, name: &'static str, value: impl Into<Attr>) -> Attrs {
        self.0.push((name, value.into()));
        self
    }

    /// The value with this name, if there is one.
    pub fn get(&self, name: &str) -> Option<&Attr> {
        self.0.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }

    /// Every name with its value, in the operation's order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Attr)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }

    fn take(&mut self, name: &str) -> Option<Attr> {
        let i = self.0.iter().position(|(n, _)| *n == name)?;
        Some(self.0.remove(i).1)
    }

    /// Requires that every attribute has been taken.
    pub(crate) fn finish(self) -> Result<()> {
        match self.0.first() {
            None => Ok(()),
            Some((name, _)) => Err(wrong(format!("there is no attribute `{name}`"))),
        }
    }

    /// Takes the attribute with this name.
    ///
    /// # Errors
    /// When it is missing, or cannot be read as `T`.
    pub fn need<T: FromAttr>(&mut self, name: &str) -> Result<T> {
        let value = self.take(name).ok_or_else(|| wrong(format!("the attribute `{name}` is missing")))?;
        T::from_attr(&value)
            .ok_or_else(|| wrong(format!("the attribute `{name}` cannot be {value}, {} is needed", T::KIND)))
    }

    /// Takes the attribute with this name, if it is there.
    ///
    /// # Errors
    /// When it cannot be read as `T`.
    pub fn may<T: FromAttr>(&mut self, name: &str) -> Result<Option<T>> {
        if self.get(name).is_some() { self.need(name).map(Some) } else { Ok(None) }
    }
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::Model, message)
}

/// A type that an attribute can be read as.
pub trait FromAttr: Sized {
    /// What it must be, for messages.
    const KIND: &'static str;
    /// The value, if the attribute is one.
    fn from_attr(attr: &Attr) -> Option<Self>;
}

macro_rules! from_attr {
    ($($t:ty, $kind:literal, $pattern:pat => $value:expr;)*) => {$(
        impl FromAttr for $t {
            const KIND: &'static str = $kind;
            fn from_attr(attr: &Attr) -> Option<$t> {
                match attr { $pattern => $value, _ => None }
            }
        }
    )*};
}
from_attr! {
    i64, "a whole number", Attr::Int(v) => Some(*v);
    usize, "a whole number that is not negative", Attr::Int(v) => usize::try_from(*v).ok();
    f64, "a number", Attr::Float(v) => Some(*v);
    bool, "a bool", Attr::Bool(v) => Some(*v);
    &'static str, "a word", Attr::Text(v) => Some(*v);
    DType, "a dtype", Attr::DType(v) => Some(*v);
    Tensor, "a tensor", Attr::Tensor(v) => Some(v.clone());
    Vec<usize>, "a list of sizes", Attr::Ints(v) => v.iter().map(|&n| usize::try_from(n).ok()).collect();
}
impl FromAttr for Scalar {
    const KIND: &'static str = "a number";
    fn from_attr(attr: &Attr) -> Option<Scalar> {
        match attr {
            Attr::Int(v) => Some(Scalar::Int(*v)),
            Attr::Float(v) => Some(Scalar::Float(*v)),
            _ => None,
        }
    }
}
impl<const N: usize> FromAttr for [usize; N] {
    const KIND: &'static str = "a list of as many sizes as the operation has";
    fn from_attr(attr: &Attr) -> Option<[usize; N]> {
        Vec::from_attr(attr)?.try_into().ok()
    }
}
