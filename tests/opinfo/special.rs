//! Special functions, whole numbers and the parts of floats.

use super::{Call, Found, no, number, one};
use mapsto::prelude::*;

impl Call<'_> {
    pub(super) fn special(&self, op: &str, x: &Tensor) -> Option<Found> {
        if x.dtype() == DType::Bool {
            return None;
        }
        Some(one(match op {
            "i0" => x.i0(),
            "special.i0e" => x.i0e(),
            "special.i1" => x.i1(),
            "special.i1e" => x.i1e(),
            "special.entr" => x.entr(),
            "special.erfcx" => x.erfcx(),
            "special.log_ndtr" => x.log_ndtr(),
            "special.ndtr" => x.ndtr(),
            "special.ndtri" => x.ndtri(),
            "signbit" if !x.dtype().is_float() => return Some(no("the sign bit of integers: `lt(0)`")),
            "signbit" => x.signbit(),
            "mvlgamma" => match self.int(1, "p") {
                Some(p) if p >= 0 => x.multigammaln(p as usize),
                _ => return Some(no("sizes that no call can write")),
            },
            "frexp" => {
                let (mantissa, exponent) = x.frexp();
                return Some(Ok(vec![mantissa, exponent]));
            }
            "cov" if self.tensor(9, "fweights").or(self.tensor(9, "aweights")).is_some() => {
                return Some(no("a covariance with weights"));
            }
            "cov" | "corrcoef" if x.rank() == 0 => return Some(no("an axis of a tensor that has none")),
            "cov" | "corrcoef" if x.rank() == 2 && x.shape()[0] == 1 => {
                return Some(no("a covariance of one row, which is a matrix here"));
            }
            "cov" => x.cov(self.int(9, "correction").unwrap_or(1) as usize),
            "corrcoef" => x.corrcoef(),
            "trapezoid" | "trapz" | "cumulative_trapezoid" => {
                if self.tensor(1, "x").is_some() {
                    return Some(no("an integral over places that are given"));
                }
                let (dx, at) = (self.number(9, "dx", 1.0), self.int(9, "dim").unwrap_or(-1));
                match op {
                    "cumulative_trapezoid" => x.cumulative_trapezoid(dx, at),
                    _ => x.trapezoid(dx, at),
                }
            }
            _ => return self.special_pairs(op),
        }))
    }

    /// Functions of two numbers, of which one may be none of a tensor.
    pub(super) fn special_pairs(&self, op: &str) -> Option<Found> {
        const KNOWN: [&str; 15] = [
            "fmax",
            "fmin",
            "float_power",
            "gcd",
            "lcm",
            "ldexp",
            "logaddexp2",
            "nextafter",
            "igamma",
            "igammac",
            "special.xlog1py",
            "special.zeta",
            "__rmod__",
            "rsub",
            "clamp_max",
        ];
        (KNOWN.contains(&op) || op == "clamp_min").then(|| self.of_special_pairs(op))
    }

    fn of_special_pairs(&self, op: &str) -> Found {
        let [a, b] = self.promoted()?;
        if a.dtype() == DType::Bool {
            return no("arithmetic and order of bool");
        }
        let whole = !a.dtype().is_float();
        if op == "ldexp" {
            let x = if whole { a.to(DType::F32) } else { a };
            return one(x.ldexp(b.to(DType::I64)));
        }
        let to = |dtype: DType| if whole { [a.to(dtype), b.to(dtype)] } else { [a.clone(), b.clone()] };
        one(match op {
            "fmax" | "fmin" if whole => return no("`fmax` of integers, which have no NaN: `maximum`"),
            "fmax" => a.fmax(&b),
            "fmin" => a.fmin(&b),
            "clamp_max" => a.minimum(&b),
            "clamp_min" => a.maximum(&b),
            "gcd" => a.gcd(&b),
            "lcm" => a.lcm(&b),
            "__rmod__" => b.remainder(&a),
            "rsub" => {
                let alpha = self.arg(2, "alpha").and_then(number).unwrap_or(1.0);
                if whole { b - a * alpha as i64 } else { b - a * alpha }
            }
            "nextafter" => a.nextafter(&b),
            "logaddexp2" => a.logaddexp2(&b),
            // PyTorch answers in f64, whatever is given.
            "float_power" => {
                let [a, b] = to(DType::F64);
                a.float_power(&b)
            }
            _ => {
                let [a, b] = to(DType::F32);
                match op {
                    "igamma" => a.gammainc(&b),
                    "igammac" => a.gammaincc(&b),
                    "special.xlog1py" => a.xlog1py(&b),
                    "special.zeta" => a.zeta(&b),
                    other => unreachable!("{other}"),
                }
            }
        })
    }
}
