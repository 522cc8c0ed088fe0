//! Printing like NumPy: nested brackets, aligned columns, long axes shortened; `{:.2}` sets the decimals.

use crate::{DType, Tensor};
use std::fmt;

/// An axis longer than this shows its first and last [`EDGE`] elements only, if the tensor has many elements.
const MANY: usize = 1000;
const EDGE: usize = 3;

impl fmt::Display for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = self.len() > MANY;
        let shown = crate::no_grad(|| if short { edges(self) } else { self.detach() });
        let texts: Vec<String> = if self.dtype() == DType::I64 {
            shown.to_vec::<i64>().iter().map(i64::to_string).collect()
        } else {
            let values = crate::backend::carry::read_f64(&shown);
            let style = Style::of(values.iter().copied(), self.dtype(), f.precision());
            values.iter().map(|v| style.text(*v)).collect()
        };
        let width = texts.iter().map(|t| t.chars().count()).max().unwrap_or(0);
        let mut texts = texts.iter();
        write_axis(f, self.shape(), short, 0, width, &mut texts)
    }
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} {:?} {}", self.0.layout.shape, self.dtype())
    }
}

enum Style {
    Bool,
    Integer,
    Fixed(usize),
    Scientific(usize),
}

impl Style {
    /// Enough decimals to tell the elements apart, at most four; scientific where the range is too wide for that.
    fn of(values: impl Iterator<Item = f64>, dtype: DType, precision: Option<usize>) -> Style {
        if dtype == DType::Bool {
            return Style::Bool;
        }
        if !dtype.is_float() {
            return Style::Integer;
        }
        if let Some(p) = precision {
            return Style::Fixed(p);
        }
        let (mut largest, mut smallest, mut decimals) = (0f64, f64::INFINITY, 1);
        for v in values.filter(|v| v.is_finite() && *v != 0.0) {
            largest = largest.max(v.abs());
            smallest = smallest.min(v.abs());
            let needed =
                (1..4).find(|&d| ((v * 10f64.powi(d)).round() / 10f64.powi(d) - v).abs() < 1e-6 * v.abs());
            decimals = decimals.max(needed.unwrap_or(4) as usize);
        }
        if largest >= 1e8 || smallest < 1e-4 || largest / smallest > 1e6 {
            Style::Scientific(4)
        } else {
            Style::Fixed(decimals)
        }
    }

    fn text(&self, v: f64) -> String {
        match self {
            Style::Bool => (v != 0.0).to_string(),
            Style::Integer => format!("{v}"),
            _ if v.is_nan() => "nan".into(),
            _ if v.is_infinite() => {
                if v > 0.0 {
                    "inf".into()
                } else {
                    "-inf".into()
                }
            }
            Style::Fixed(p) => format!("{v:.p$}"),
            Style::Scientific(p) => format!("{v:.p$e}"),
        }
    }
}

/// The positions along an axis that are shown; a gap stands between `None`s.
fn positions(n: usize, short: bool) -> Vec<Option<usize>> {
    if short && n > 2 * EDGE {
        (0..EDGE).map(Some).chain([None]).chain((n - EDGE..n).map(Some)).collect()
    } else {
        (0..n).map(Some).collect()
    }
}

/// The elements that are shown of a large tensor, so that no others are read.
fn edges(x: &Tensor) -> Tensor {
    (0..x.rank()).fold(x.detach(), |x, axis| match x.shape()[axis] {
        n if n > 2 * EDGE => {
            Tensor::cat(&[x.slice(axis, ..EDGE as isize), x.slice(axis, (n - EDGE) as isize..)], axis)
        }
        _ => x,
    })
}

fn write_axis<'a>(
    f: &mut fmt::Formatter<'_>,
    shape: &[usize],
    short: bool,
    depth: usize,
    width: usize,
    texts: &mut impl Iterator<Item = &'a String>,
) -> fmt::Result {
    let Some((&n, rest)) = shape.split_first() else {
        return write!(f, "{:>width$}", texts.next().map_or("", |t| t));
    };
    write!(f, "[")?;
    for (k, position) in positions(n, short).into_iter().enumerate() {
        if k > 0 {
            if rest.is_empty() {
                write!(f, ", ")?;
            } else {
                write!(f, ",{}{:indent$}", "\n".repeat(rest.len()), "", indent = depth + 1)?;
            }
        }
        match position {
            None => write!(f, "..")?,
            Some(_) => write_axis(f, rest, short, depth + 1, width, texts)?,
        }
    }
    write!(f, "]")
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;

    #[test]
    fn tensors_print_like_numpy() {
        assert_eq!(tensor![[1.0, -2.5], [30.0, 4.0]].to_string(), "[[ 1.0, -2.5],\n [30.0,  4.0]]");
        assert_eq!(format!("{:.2}", tensor![0.125, 1.0]), "[0.12, 1.00]");
        assert_eq!(Tensor::scalar(3.0).to_string(), "3.0");
        assert_eq!(tensor![true, false].to_string(), "[ true, false]");
        assert_eq!(tensor![1e-9, 1.0].to_string(), "[1.0000e-9,  1.0000e0]");
        assert_eq!(tensor![f64::NAN, f64::INFINITY].to_string(), "[nan, inf]");
        assert_eq!(Tensor::arange(0..2000).to_string(), "[   0,    1,    2, .., 1997, 1998, 1999]");
        assert_eq!(format!("{:?}", tensor![[1, 2]]), "[[1, 2]] [1, 2] i64");
        assert_eq!(Tensor::zeros([2, 0]).to_string(), "[[],\n []]");
        assert_eq!(tensor![i64::MAX].to_string(), "[9223372036854775807]");
    }
}
