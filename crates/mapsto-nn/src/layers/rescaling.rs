//! A fixed factor and offset for each feature: from standardized numbers back to a unit, or into another one.

use super::LayerKind;
use crate::{AtLengths, Layer, Module};
use mapsto_spec::{Args, Bounds, Entry, FromValue, Value};
use mapsto_tensor::{Result, Tensor, fail};

/// `y = factor · x + offset`, with one factor and offset or one for each feature; nothing is learned.
///
/// As the last layer of a regression, with the standard deviation and the mean of the targets, it lets the layers before it
/// give numbers near 0 and the model give its answers in the unit of the targets.
///
/// * Shape: `[.., d] → [.., d]`.
/// * PyTorch has none; Keras: `Rescaling`.
/// ```
/// use mapsto_nn::prelude::*;
/// let layer = Rescaling::new([10.0, 2.0]).offset([100.0, 0.0]);
/// assert_close!(layer.forward(&tensor![[1.0, -1.5]]), [[110.0, -3.0]]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Rescaling {
    #[module(skip)]
    factor: Vec<f64>,
    #[module(skip)]
    offset: Vec<f64>,
}

impl Rescaling {
    /// Multiplies by one factor, or by one for each feature.
    ///
    /// # Panics
    /// When there is none, or one is 0 or not finite.
    #[track_caller]
    pub fn new(factor: impl Into<Vec<f64>>) -> Rescaling {
        let factor = factor.into();
        if factor.is_empty() {
            fail!("rescaling", "no factor is given"; help = "give one for all features, or one for each");
        }
        factor.iter().for_each(|&f| _ = Bounds::NOT_0.check("rescaling", "factor", f));
        Rescaling { factor, offset: vec![0.0] }
    }

    /// Adds one offset afterwards, or one for each feature.
    ///
    /// # Panics
    /// When there is none, or one is not finite.
    #[track_caller]
    #[must_use]
    pub fn offset(self, offset: impl Into<Vec<f64>>) -> Rescaling {
        let offset = offset.into();
        if offset.is_empty() {
            fail!("rescaling", "no offset is given"; help = "give one for all features, or one for each");
        }
        offset.iter().for_each(|&o| _ = Bounds::FINITE.check("rescaling", "offset", o));
        Rescaling { offset, ..self }
    }
}

impl Layer for Rescaling {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let d = x.shape().last().copied().unwrap_or(1);
        for numbers in [&self.factor, &self.offset] {
            if numbers.len() > 1 && numbers.len() != d {
                fail!(
                    "rescaling",
                    "there are {} numbers, one for each feature, and the input is {:?}",
                    numbers.len(),
                    x.shape()
                );
            }
        }
        if let ([factor], [offset]) = (&self.factor[..], &self.offset[..]) {
            return x * *factor + *offset;
        }
        let row = |numbers: &[f64]| {
            let shape: &[usize] = if numbers.len() == 1 { &[] } else { &[d] };
            x.device().scope(|| Tensor::from_vec(numbers.to_vec(), shape)).to(x.dtype())
        };
        x * row(&self.factor) + row(&self.offset)
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, _: &[usize]) -> std::result::Result<AtLengths, String> {
        AtLengths::each(self, x)
    }

    fn describe(&self) -> String {
        format!("Rescaling({:?}, {:?})", self.factor, self.offset)
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(short(&self.factor)).with_option("offset", short(&self.offset)))
    }
}

/// One number where there is one, else the list.
fn short(numbers: &[f64]) -> Value {
    match *numbers {
        [one] => one.into(),
        _ => numbers.to_vec().into(),
    }
}

/// One number or a list of numbers.
struct Numbers(Vec<f64>);

impl FromValue for Numbers {
    const EXPECTED: &'static str = "a finite number, or a list of finite numbers";
    fn from_value(value: &Value) -> Option<Numbers> {
        f64::from_value(value).map(|one| vec![one]).or_else(|| Vec::from_value(value)).map(Numbers)
    }
}

fn checked(args: &Args, name: &str, bounds: Bounds, numbers: Vec<f64>) -> Result<Vec<f64>> {
    let what = if name.is_empty() { "factor" } else { name };
    if numbers.is_empty() {
        return Err(args.error(name, format!("`{what}` is an empty list")));
    }
    match numbers.iter().find(|&&x| !bounds.hold(x)) {
        Some(&x) => Err(args.error(name, bounds.complaint(what, x))),
        None => Ok(numbers),
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "rescaling",
    "Multiplies by a fixed factor and adds a fixed offset, as from standardized numbers to their unit.",
    |args, input| {
        let Numbers(factor) = args.main()?;
        let factor = checked(args, "", Bounds::NOT_0, factor)?;
        let offset = args.optional::<Numbers>("offset")?.map_or(vec![0.0], |Numbers(offset)| offset);
        let offset = checked(args, "offset", Bounds::FINITE, offset)?;
        let d = input.last().copied().unwrap_or(1);
        for numbers in [&factor, &offset] {
            if numbers.len() > 1 && numbers.len() != d {
                let what = format!("{} numbers do not fit the {d} features of {input:?}", numbers.len());
                return Err(args.misfit("", what));
            }
        }
        args.record_main(short(&factor));
        args.record("offset", short(&offset));
        Ok(Box::new(Rescaling { factor, offset }))
    },
)
.options(&[
    ("", "the factor, or one for each feature"),
    ("offset", "what is added afterwards, or one for each feature; 0 where nothing is said"),
])
.example(|| Entry::new("rescaling").with_value(2.0));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};
    use mapsto_tensor::{Tensor, catch};

    #[test]
    fn rescaling() {
        check_layer(|| Rescaling::new([2.5]).offset([1.0])).gives([4, 3], [4, 3]);
        check_layer(|| Rescaling::new([2.5, 1.0, -3.0]).offset([1.0])).gives([4, 3], [4, 3]);
        let list = Entry::new("rescaling").with_value(vec![2.0, 3.0]).with_option("offset", vec![0.5, 0.0]);
        check_entry::<dyn Layer>(&list, &[2][..]);
        assert!(catch(|| Rescaling::new([1.0, 2.0]).forward(&Tensor::zeros([2, 3]))).is_err());
    }
}
