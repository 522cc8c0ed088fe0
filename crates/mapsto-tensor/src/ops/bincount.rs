//! How often values occur.

use crate::kind::OpKind;
use crate::shape::Shape;
use crate::error::named;
use crate::{DType, Tensor, fail};

impl Tensor {
    /// How often each of the integers 0, 1, .. occurs: a list (i64) of at least `least` counts.
    ///
    /// * Shape: `[..] → [k]` (i64), integers only.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_eq!(tensor![1, 3, 1].bincount(0).to_vec::<i64>(), [0, 2, 0, 1]);
    /// assert_eq!(tensor![1].bincount(4).to_vec::<i64>(), [0, 1, 0, 0]);
    /// ```
    /// # Panics
    /// When the elements are not integers of at least 0.
    #[track_caller]
    pub fn bincount(&self, least: usize) -> Tensor {
        if self.dtype().is_float() || self.dtype() == DType::Bool {
            fail!("bincount", "integers are needed, these are {}", self.dtype(); help = "convert them with `.to(DType::I64)`");
        }
        Shape::new(&[least]).fit("bincount");
        let values = self.to(DType::I64).to_vec::<i64>();
        if let Some(wrong) = values.iter().find(|v| **v < 0) {
            fail!("bincount", "numbers of at least 0 are needed, one is {wrong}");
        }
        let most = values.iter().max().map_or(0, |v| usize::try_from(*v).unwrap_or(usize::MAX).saturating_add(1));
        let shape = Shape::new(&[most.max(least)]).fit("bincount");
        named("bincount", || {
            let mut counts = crate::memory::room_for(shape.count());
            counts.resize(shape.count(), 0i64);
            values.iter().for_each(|v| counts[*v as usize] += 1);
            self.device().scope(|| Tensor::from_vec(counts, shape))
        })
    }

    /// How many elements lie in each of `bins` equal parts of `lo..=hi`, and their `bins + 1` edges; what lies outside counts nowhere.
    ///
    /// * Shape: `[..] → ([bins], [bins + 1])`, floats only; the last part holds its upper edge.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (counts, edges) = tensor![0.0, 0.4, 0.6, 1.0, 7.0].histogram(2, 0.0, 1.0);
    /// assert_eq!(counts.to_vec::<i64>(), [2, 2]);
    /// assert_close!(edges, [0.0, 0.5, 1.0]);
    /// ```
    /// # Panics
    /// When there is no part, the range is empty, or the elements are not floats.
    #[track_caller]
    pub fn histogram(&self, bins: usize, lo: f64, hi: f64) -> (Tensor, Tensor) {
        if !self.dtype().is_float() {
            fail!("histogram", "floats are needed, these are {}", self.dtype(); help = "convert them with `.to(DType::F32)`");
        }
        if bins == 0 || hi - lo <= 0.0 || !(hi - lo).is_finite() {
            fail!("histogram", "{bins} parts of {lo}..{hi}"; help = "at least one part of a range that is not empty");
        }
        let room = Shape::new(&[bins.saturating_add(1)]).fit("histogram");
        let width = (hi - lo) / bins as f64;
        named("histogram", || {
            let mut edges = crate::memory::room_for(room.count());
            edges.extend((0..=bins).map(|i| if i == bins { hi } else { lo + width * i as f64 }));
            // Edges as they are shown, rounded to the dtype, decide.
            let edges = Tensor::from_vec(edges, room).to(self.dtype());
            let shown = edges.to(DType::F64).to_vec::<f64>();
            let mut counts = crate::memory::room_for(bins);
            counts.resize(bins, 0i64);
            for v in self.to(DType::F64).to_vec::<f64>().into_iter().filter(|v| (shown[0]..=shown[bins]).contains(v)) {
                let mut bin = (((v - lo) / width) as usize).min(bins - 1);
                while bin > 0 && v < shown[bin] {
                    bin -= 1;
                }
                while bin + 1 < bins && v >= shown[bin + 1] {
                    bin += 1;
                }
                counts[bin] += 1;
            }
            (self.device().scope(|| Tensor::from_vec(counts, [bins])), edges.to_device(self.device()))
        })
    }
}

pub(super) const KINDS: &[OpKind] = &[];

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn counts() {
        assert_eq!(ints(0..5).draw(&[40], 1).bincount(9).sum(..).item_i64(), 40);
        assert_eq!(Tensor::zeros([0]).to(DType::I64).bincount(2).to_vec::<i64>(), [0, 0]);
        let e = catch(|| tensor![2, -1].bincount(0)).unwrap_err();
        assert_eq!(e.message(), "bincount: numbers of at least 0 are needed, one is -1");
        assert!(catch(|| tensor![i64::MAX].bincount(0)).is_err());
        let x = floats(-2.0..2.0).draw(&[500], 1);
        let (counts, edges) = x.histogram(7, -1.0, 1.5);
        let inside = x.ge(-1.0).and(&x.le(1.5)).count_nonzero(..).item_i64();
        assert_eq!((counts.sum(..).item_i64(), edges.len()), (inside, 8));
        // Each edge belongs to the part above it, as in numpy.histogram.
        let tenths = Tensor::linspace(0.0, 1.0, 11).to(DType::F64);
        assert_eq!(tensor![f64::NAN, f64::INFINITY].histogram(1, 0.0, 1.0).0.to_vec::<i64>(), [0]);
        assert_eq!(tenths.histogram(2, 0.0, 1.0).0.to_vec::<i64>(), [5, 6]);
        // Also where the dtype rounds it: 0.1 of f32 is above 0.1 of f64, and 0.3 of f16 below.
        for dtype in [DType::F32, DType::F16, DType::F64] {
            let x = Tensor::linspace(0.0, 1.0, 11).to(DType::F64).to(dtype);
            let (counts, edges) = x.histogram(10, 0.0, 1.0);
            let (edges, x) = (edges.to(DType::F64).to_vec::<f64>(), x.to(DType::F64).to_vec::<f64>());
            let want: Vec<i64> = (0..10).map(|i| x.iter().filter(|v| **v >= edges[i] && (**v < edges[i + 1] || i == 9)).count() as i64).collect();
            assert_eq!(counts.to_vec::<i64>(), want, "{dtype}");
        }
    }
}
