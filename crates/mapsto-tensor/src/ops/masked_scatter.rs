//! Elements written where a mask holds.

use crate::elementwise::same_dtype;
use crate::error::named;
use crate::kind::OpKind;
use crate::shape::broadcast;
use crate::{DType, Tensor, fail};

impl Tensor {
    /// With the elements of `source`, in row-major order, where a mask holds.
    ///
    /// * Shape: `[..], [..] (bool), [..] → [..]`; the mask broadcasts to the tensor; any number.   * Gradient: each `dy` to where its element came from.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (x, mask) = (Tensor::zeros([2, 2]), tensor![[true, false], [false, true]]);
    /// assert_close!(x.masked_scatter(&mask, &tensor![1.0, 2.0, 3.0]), [[1.0, 0.0], [0.0, 2.0]]);
    /// ```
    /// # Panics
    /// When the mask is not bool or does not broadcast to the tensor, the dtypes differ, or there are fewer elements than places.
    #[track_caller]
    pub fn masked_scatter(&self, mask: &Tensor, source: &Tensor) -> Tensor {
        if mask.dtype() != DType::Bool {
            fail!("masked_scatter", "the mask is {}, not bool", mask.dtype(); help = "compare it, e.g. `mask.ne(0)`");
        }
        same_dtype("masked_scatter", self, source);
        let shape = broadcast("masked_scatter", self.shape_of(), mask.shape_of());
        if shape != *self.shape_of() {
            fail!("masked_scatter", "the mask {:?} is larger than the tensor {:?}", mask.shape(), self.shape(); help = "`expand` the tensor first");
        }
        if !self.device().backend().has_numbers() {
            return self.clone();
        }
        named("masked_scatter", || {
            let (n, mut next) = (self.len(), self.len() as i64);
            let mut from = crate::memory::room_for(n);
            for (i, holds) in mask.expand(shape).to_vec::<bool>().into_iter().enumerate() {
                from.push(if holds { next } else { i as i64 });
                next += i64::from(holds);
            }
            let count = next as usize - n;
            if count > source.len() {
                fail!("masked_scatter", "the mask holds at {count} places, {} elements are given", source.len());
            }
            let all = Tensor::cat(&[self.reshape([n]), source.reshape([source.len()])], 0);
            all.index_select(0, &self.device().scope(|| Tensor::from_vec(from, [n]))).reshape(shape)
        })
    }
}

pub(super) const KINDS: &[OpKind] = &[];

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn masked_scatter() {
        let mask = tensor![[true, false, true], [false, false, true]];
        let places = [[Some(0), None, Some(1)], [None, None, Some(2)]];
        check2(move |x, s| x.masked_scatter(&mask, s)).shapes([&[2, 3], &[2, 2]])
            .formula(move |[x, s]| Numbers::from_fn(&[2, 3], |at| places[at[0]][at[1]].map_or(x.at(at), |k| s.values[k])))
            .on(floats(-2.0..2.0), floats(-2.0..2.0));
        let y = tensor![1, 2].masked_scatter(&tensor![true], &tensor![7, 8]);
        assert_eq!(y.to_vec::<i64>(), [7, 8]);
        let e = catch(|| y.masked_scatter(&tensor![true], &tensor![7])).unwrap_err();
        assert_eq!(e.message(), "masked_scatter: the mask holds at 2 places, 1 elements are given");
    }
}
