//! `InMemory`: a dataset whose samples are the rows of two tensors, the fast case.

use crate::dataset::not_a_class;
use crate::rows::{batch_shape, each_row, gather};
use crate::selection::first_too_large;
use crate::{Dataset, Info, Sample};
use mapsto_kernels::map::map1;
use mapsto_tensor::{DType, Error, ErrorKind, Result, Tensor, fail};

/// Samples held in memory: row `i` of `x` and row `i` of `y`.
///
/// A batch is one gather of rows into one tensor. Cloning shares the rows.
///
/// * Shape: `x: [n, ..]`, `y: [n]` with class ids (`i64`), or `[n, ..]` with values.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_tensor::prelude::*;
/// let set = InMemory::new(tensor![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], tensor![0, 1, 1]).classes(["no", "yes"]);
/// let Sample { x, y } = set.batch(&[2, 0])?;
/// assert_eq!(x.to_vec::<f32>(), [5.0, 6.0, 1.0, 2.0]);
/// assert_eq!(y.to_vec::<i64>(), [1, 0]);
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct InMemory {
    x: Tensor,
    y: Tensor,
    delivery: Delivery,
    info: Info,
    /// Whether `x` holds numbers that are too large for `f32`.
    has_too_large: bool,
}

/// How rows leave the set.
#[derive(Clone, Copy, PartialEq)]
enum Delivery {
    /// As they are.
    Same,
    /// Bytes as `f32`, divided by 255.
    Pixels,
    /// `f64` as `f32`, but for what is preprocessed first.
    Rounded,
}

impl InMemory {
    /// Rows of `x` with rows of `y`.
    ///
    /// Whole-number targets (`i64`, `[n]`) are class ids; unless [`classes`](InMemory::classes) names them, they are
    /// called `0`, `1`, … up to the largest.
    ///
    /// # Panics
    /// If `x` and `y` differ in their number of rows, or one of them is a scalar.
    #[track_caller]
    pub fn new(x: Tensor, y: Tensor) -> InMemory {
        if x.rank() == 0 || y.rank() == 0 || x.shape()[0] != y.shape()[0] {
            fail!("in-memory set", "rows differ: x {:?}, y {:?}", x.shape(), y.shape();
                help = "the first axis of both counts the samples");
        }
        let (x, y) = (x.detach().contiguous(), y.detach().contiguous());
        let info = Info { classes: numbered(&y), ..Info::default() };
        InMemory { x, y, delivery: Delivery::Same, info, has_too_large: false }
    }

    /// Images as bytes: kept as they are, a quarter of the memory, and delivered as `f32` in 0 ..= 1, `v / 255`.
    ///
    /// # Panics
    /// As [`new`](InMemory::new), and if `x` is not of dtype `u8`.
    #[track_caller]
    pub fn from_pixels(x: Tensor, y: Tensor) -> InMemory {
        if x.dtype() != DType::U8 {
            fail!("in-memory set", "pixels are {}, not u8", x.dtype(); help = "give other dtypes to `InMemory::new`");
        }
        InMemory { delivery: Delivery::Pixels, ..InMemory::new(x, y) }
    }

    /// Numbers kept as `f64`, preprocessed as such, and delivered as `f32`.
    #[track_caller]
    pub(crate) fn rounded(x: Tensor, y: Tensor) -> InMemory {
        let has_too_large = first_too_large(&x).is_some();
        InMemory { delivery: Delivery::Rounded, has_too_large, ..InMemory::new(x, y) }
    }

    /// Names the classes, in the order of their ids.
    #[must_use]
    pub fn classes<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> InMemory {
        self.info.classes = names.into_iter().map(Into::into).collect();
        self
    }

    /// Says what else is known about the set.
    #[must_use]
    pub fn with_info(mut self, info: Info) -> InMemory {
        self.info = info;
        self
    }

    /// All inputs, as they are delivered: `[n, ..]`.
    ///
    /// # Panics
    /// If one is too large for an `f32`, which only preprocessing can bring into reach.
    #[track_caller]
    pub fn x(&self) -> Tensor {
        match self.delivery {
            Delivery::Same => self.x.clone(),
            Delivery::Rounded => {
                if let Some([row, column]) = first_too_large(&self.x) {
                    fail!("in-memory set", "{}", self.too_large(row, column); help = "{TOO_LARGE_HELP}");
                }
                self.x.to(DType::F32)
            }
            Delivery::Pixels => Tensor::filled_by::<f32>(self.x.shape(), |out| pixels(bytes(&self.x), out)),
        }
    }

    /// All inputs as they are kept: `f64` of a table.
    pub(crate) fn exact(&self) -> Tensor {
        self.x.clone()
    }

    /// All targets: `[n]` or `[n, ..]`.
    pub fn y(&self) -> Tensor {
        self.y.clone()
    }

    /// What is wrong with a number of `x` which is too large for `f32`.
    fn too_large(&self, row: usize, column: usize) -> String {
        let value = self.x.select(0, row as isize).to_vec::<f64>()[column];
        let name = self.info.features.get(column).map_or(column.to_string(), |name| format!("`{name}`"));
        format!(
            "row {}, column {name}: {value:e} is too large for the 32 bits that models compute in",
            row + 1
        )
    }

    fn check(&self, i: usize) -> Result<()> {
        if i < self.len() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Data, format!("sample {i} is out of range 0..{}", self.len())))
    }
}

impl Dataset for InMemory {
    fn len(&self) -> usize {
        self.y.shape()[0]
    }

    fn get(&self, i: usize) -> Result<Sample> {
        let Sample { x, y } = self.batch(&[i])?;
        Ok(Sample { x: x.squeeze(0), y: y.squeeze(0) })
    }

    fn info(&self) -> Info {
        self.info.clone()
    }

    fn range(&self) -> Option<[f64; 2]> {
        (self.delivery == Delivery::Pixels).then_some([0.0, 1.0])
    }

    fn batch(&self, indices: &[usize]) -> Result<Sample> {
        indices.iter().try_for_each(|&i| self.check(i))?;
        let x = match self.delivery {
            Delivery::Same => gather(&self.x, indices),
            Delivery::Rounded => {
                let x = gather(&self.x, indices);
                if let Some([i, column]) = self.has_too_large.then(|| first_too_large(&x)).flatten() {
                    let message = self.too_large(indices[i], column);
                    return Err(Error::new(ErrorKind::Data, message).help(TOO_LARGE_HELP));
                }
                x.to(DType::F32)
            }
            Delivery::Pixels => {
                Tensor::filled_by::<f32>(batch_shape(indices.len(), &self.x.shape()[1..]), |out| {
                    each_row(bytes(&self.x), out, indices, pixels);
                })
            }
        };
        Ok(Sample { x, y: gather(&self.y, indices) })
    }

    fn exact_batch(&self, indices: &[usize]) -> Result<Option<Sample>> {
        if self.delivery != Delivery::Rounded {
            return Ok(None);
        }
        indices.iter().try_for_each(|&i| self.check(i))?;
        Ok(Some(Sample { x: gather(&self.x, indices), y: gather(&self.y, indices) }))
    }

    fn label(&self, i: usize) -> Result<i64> {
        self.check(i)?;
        match self.y.as_slice::<i64>() {
            Some(ids) if self.y.rank() == 1 => Ok(ids[i]),
            _ => Err(not_a_class(&self.name(i))),
        }
    }
}

const TOO_LARGE_HELP: &str = "standardize the inputs, or divide the column by a common number";

fn pixels(from: &[u8], to: &mut [f32]) {
    map1(
        from,
        to,
        #[inline(always)]
        |v| f32::from(v) / 255.0,
    );
}

fn bytes(x: &Tensor) -> &[u8] {
    x.as_slice::<u8>().expect("pixels are contiguous bytes since the set was made")
}

/// `0`, `1`, … for class ids without names; nothing for values, and for ids too large to be classes.
fn numbered(y: &Tensor) -> Vec<String> {
    const MOST: i64 = 1 << 20;
    let ids = match y.as_slice::<i64>() {
        Some(ids) if y.rank() == 1 => ids,
        _ => return Vec::new(),
    };
    let classes = ids.iter().max().map_or(0, |&largest| largest + 1);
    if classes > MOST {
        return Vec::new();
    }
    (0..classes).map(|id| id.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_any_dtype_are_gathered() {
        let f32s = Tensor::arange(0..12).to(DType::F32).reshape([4, 3]);
        let f64s = f32s.to(DType::F64);
        let ids = Tensor::arange(0..4);
        for x in [f32s.clone(), f64s, f32s.t().contiguous().t()] {
            let set = InMemory::new(x.clone(), ids.clone());
            let Sample { x: got, y } = set.batch(&[3, 0, 3]).unwrap();
            assert_eq!(got.dtype(), x.dtype());
            assert_eq!(got.to(DType::F32).to_vec::<f32>(), [9., 10., 11., 0., 1., 2., 9., 10., 11.]);
            assert_eq!(y.to_vec::<i64>(), [3, 0, 3]);
            assert_eq!(set.get(1).unwrap().x.shape(), [3]);
            assert_eq!(set.get(1).unwrap().y.shape(), [0usize; 0]);
        }
    }

    #[test]
    fn pixels_are_bytes_over_255() {
        let bytes: Vec<u8> = (0..=255).collect();
        let set = InMemory::from_pixels(Tensor::from_vec(bytes, [2, 1, 8, 16]), Tensor::arange(0..2));
        let x = set.batch(&[1]).unwrap().x;
        assert_eq!(x.shape(), [1, 1, 8, 16]);
        let want: Vec<f32> = (128..=255).map(|v| v as f32 / 255.0).collect();
        assert_eq!(x.to_vec::<f32>(), want);
        assert_eq!(set.x().to_vec::<f32>()[128..], want);
        assert_eq!(set.info().classes, ["0", "1"]);
    }

    #[test]
    fn mistakes_are_named() {
        let e =
            mapsto_tensor::catch(|| InMemory::new(Tensor::zeros([3, 2]), Tensor::zeros([2]))).err().unwrap();
        assert_eq!(e.message(), "in-memory set: rows differ: x [3, 2], y [2]");
        let set = InMemory::new(Tensor::zeros([3, 2]), Tensor::zeros([3]));
        assert_eq!(set.batch(&[0, 3]).unwrap_err().message(), "sample 3 is out of range 0..3");
        assert!(set.label(0).is_err());
        assert!(set.info().classes.is_empty());
    }

    #[test]
    fn an_empty_set_gives_an_empty_batch() {
        let set = InMemory::new(Tensor::zeros([0, 2]), Tensor::zeros([0]));
        assert_eq!(set.batch(&[]).unwrap().x.shape(), [0, 2]);
    }
}
