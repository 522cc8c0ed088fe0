//! Whole numbers that stand for categories, to ids from 0 on, by a list.

use super::LayerKind;
use crate::{Layer, Module};
use mapsto_spec::Entry;
use mapsto_tensor::{DType, Device, Tensor, fail};
use std::collections::HashMap;

/// The place of each number in a list, counted from 1; 0 for what is not in it.
///
/// * Shape: `[..] → [..]`, of ids (i64) up to the length of the list.   * Gradient: none.
/// * PyTorch has none; Keras: `IntegerLookup`, with one id for what is unknown.
/// ```
/// use mapsto_nn::prelude::*;
/// let layer = IntegerLookup::new([12, 36, 1138]);
/// assert_eq!(layer.forward(&tensor![[12, 1138], [7, 36]]).to_vec::<i64>(), [1, 3, 0, 2]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct IntegerLookup {
    #[module(skip)]
    vocabulary: Vec<i64>,
    #[module(skip)]
    places: HashMap<i64, i64>,
}

/// The list and the places, or a number that stands in it twice.
fn placed(vocabulary: Vec<i64>) -> std::result::Result<IntegerLookup, String> {
    if vocabulary.is_empty() {
        return Err("the list has no numbers".into());
    }
    let mut places = HashMap::with_capacity(vocabulary.len());
    for (i, &number) in vocabulary.iter().enumerate() {
        if places.insert(number, i as i64 + 1).is_some() {
            return Err(format!("{number} stands in the list twice"));
        }
    }
    Ok(IntegerLookup { vocabulary, places })
}

impl IntegerLookup {
    /// By this list.
    ///
    /// # Panics
    /// When it is empty, or a number stands in it twice.
    #[track_caller]
    pub fn new(vocabulary: impl Into<Vec<i64>>) -> IntegerLookup {
        match placed(vocabulary.into()) {
            Ok(layer) => layer,
            Err(wrong) => fail!("integer_lookup", "{wrong}"),
        }
    }

    /// By the numbers that are there, the most frequent first and the smaller first of equals. Keras: `adapt`.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let layer = IntegerLookup::adapted(&tensor![9, 4, 4, 7]);
    /// assert_eq!(layer.forward(&tensor![4, 7, 9, 1]).to_vec::<i64>(), [1, 2, 3, 0]);
    /// ```
    /// # Panics
    /// When there are none, or they are no whole numbers.
    #[track_caller]
    pub fn adapted(samples: &Tensor) -> IntegerLookup {
        let mut counts: HashMap<i64, usize> = HashMap::new();
        for number in whole("integer_lookup", samples) {
            *counts.entry(number).or_default() += 1;
        }
        let mut numbers: Vec<(i64, usize)> = counts.into_iter().collect();
        numbers.sort_by_key(|&(number, count)| (std::cmp::Reverse(count), number));
        IntegerLookup::new(numbers.into_iter().map(|(number, _)| number).collect::<Vec<_>>())
    }
}

/// The numbers of a tensor of whole numbers.
#[track_caller]
fn whole(name: &str, x: &Tensor) -> Vec<i64> {
    if x.dtype().is_float() {
        fail!(name, "whole numbers were expected, found {:?} of {}", x.shape(), x.dtype(); help = "`x.to(DType::I64)` makes them");
    }
    x.detach().to(DType::I64).to_vec()
}

/// Each whole number by a function, as ids.
#[track_caller]
pub(super) fn each(name: &str, x: &Tensor, f: impl Fn(i64) -> i64) -> Tensor {
    if x.device() == Device::shape() && !x.dtype().is_float() {
        return x.device().scope(|| Tensor::full_of(x.shape(), 0.0, DType::I64)); // nothing but its shape is there
    }
    let ids: Vec<i64> = whole(name, x).into_iter().map(f).collect();
    Tensor::from_vec(ids, x.shape()).to_device(x.device())
}

impl Layer for IntegerLookup {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        each("integer_lookup", x, |number| self.places.get(&number).copied().unwrap_or(0))
    }

    fn describe(&self) -> String {
        format!("IntegerLookup({} numbers)", self.vocabulary.len())
    }

    fn input_dtype(&self) -> DType {
        DType::I64
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.vocabulary.clone()))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "integer_lookup",
    "The place of each number in the given list, from 1 on; 0 for others.",
    |args, _| {
        let vocabulary: Vec<i64> = args.main()?;
        match placed(vocabulary) {
            Ok(layer) => Ok(Box::new(layer)),
            Err(wrong) => Err(args.error("", wrong)),
        }
    },
)
.options(&[("", "the numbers, each once")])
.example(|| Entry::new("integer_lookup").with_value(vec![3_i64, 1, 7]));

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn integer_lookup() {
        check_entry::<dyn Layer>(&Entry::new("integer_lookup").with_value(vec![5_i64, -2]), &[4]);
        assert_eq!(
            catch(|| IntegerLookup::new([2, 2])).unwrap_err().message(),
            "integer_lookup: 2 stands in the list twice"
        );
        let e = catch(|| IntegerLookup::new([2]).forward(&tensor![2.0])).unwrap_err();
        assert!(e.message().contains("whole numbers were expected, found [1] of f32"), "{e}");
        let bytes = tensor![5, 9].to(DType::U8);
        assert_eq!(IntegerLookup::new([9]).forward(&bytes).to_vec::<i64>(), [0, 1]);
    }
}
