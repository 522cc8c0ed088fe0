//! The memory of the device `far`: lists of numbers, and the places in them that a layout names.

use crate::backend::host::with_type;
use crate::dtype::{Class, DType, Element};
use crate::layout::Layout;
use std::cmp::Ordering;

/// The numbers of a tensor: floats of every dtype in f64, integers and bool in i64.
pub(super) enum Values {
    Floats(Vec<f64>),
    Integers(Vec<i64>),
}

impl Values {
    pub(super) fn floats(self) -> Vec<f64> {
        match self {
            Values::Floats(v) => v,
            Values::Integers(v) => v.into_iter().map(|v| v as f64).collect(),
        }
    }

    pub(super) fn integers(self) -> Vec<i64> {
        match self {
            Values::Floats(v) => v.into_iter().map(|v| v as i64).collect(),
            Values::Integers(v) => v,
        }
    }

    /// Those at the places named.
    pub(super) fn at(&self, places: &[usize]) -> Values {
        match self {
            Values::Floats(v) => Values::Floats(places.iter().map(|&i| v[i]).collect()),
            Values::Integers(v) => Values::Integers(places.iter().map(|&i| v[i]).collect()),
        }
    }

    /// The same, with 0 where no place is named.
    pub(super) fn picked(&self, places: &[Option<usize>]) -> Values {
        match self {
            Values::Floats(v) => Values::Floats(places.iter().map(|i| i.map_or(0.0, |i| v[i])).collect()),
            Values::Integers(v) => Values::Integers(places.iter().map(|i| i.map_or(0, |i| v[i])).collect()),
        }
    }

    /// Writes others of the same kind to the places named.
    pub(super) fn put(&mut self, places: &[usize], from: &Values) {
        match (self, from) {
            (Values::Floats(to), Values::Floats(from)) => {
                places.iter().zip(from).for_each(|(&at, v)| to[at] = *v)
            }
            (Values::Integers(to), Values::Integers(from)) => {
                places.iter().zip(from).for_each(|(&at, v)| to[at] = *v)
            }
            _ => panic!("floats and integers were mixed"),
        }
    }

    /// How two of them compare; NaN counts as the largest.
    pub(super) fn compare(&self, a: usize, b: usize) -> Ordering {
        match self {
            Values::Integers(v) => v[a].cmp(&v[b]),
            Values::Floats(v) => {
                let nan = v[a].is_nan().cmp(&v[b].is_nan());
                nan.then(v[a].partial_cmp(&v[b]).unwrap_or(Ordering::Equal))
            }
        }
    }

    /// As a dtype holds them: rounded, saturated or wrapped; anything but 0 is true.
    pub(super) fn stored(self, dtype: DType) -> Values {
        match self {
            Values::Floats(v) if dtype == DType::Bool => {
                Values::Integers(v.into_iter().map(|v| (v != 0.0) as i64).collect())
            }
            Values::Integers(v) if dtype == DType::Bool => {
                Values::Integers(v.into_iter().map(|v| (v != 0) as i64).collect())
            }
            Values::Floats(v) => with_type!(dtype, T => held(v.into_iter().map(T::from_f64))),
            Values::Integers(v) => with_type!(dtype, T => held(v.into_iter().map(T::from_i64))),
        }
    }

    /// The numbers of a dtype that these bytes are.
    pub(super) fn of_bytes(bytes: &[u8], dtype: DType) -> Values {
        macro_rules! numbers {
            ($($d:pat => $t:ty),*) => {
                match dtype {
                    $($d => held(bytes.chunks_exact(size_of::<$t>()).map(|b| <$t>::from_ne_bytes(b.try_into().expect("whole numbers")))),)*
                }
            };
        }
        numbers!(DType::F32 => f32, DType::F64 => f64, DType::F16 => half::f16, DType::BF16 => half::bf16,
            DType::I64 => i64, DType::I32 => i32, DType::U8 | DType::Bool => u8, DType::I8 => i8)
    }

    /// Their bytes as a dtype.
    pub(super) fn to_bytes(&self, dtype: DType, to: &mut [u8]) {
        with_type!(dtype, T => {
            let to = to.chunks_exact_mut(size_of::<T>());
            match self {
                Values::Floats(v) => v.iter().zip(to).for_each(|(v, to)| to.copy_from_slice(&T::from_f64(*v).to_ne_bytes())),
                Values::Integers(v) => v.iter().zip(to).for_each(|(v, to)| to.copy_from_slice(&T::from_i64(*v).to_ne_bytes())),
            }
        })
    }
}

/// Numbers of one type as this device holds them.
fn held<T: Element>(numbers: impl Iterator<Item = T>) -> Values {
    match T::DTYPE.class() {
        Class::I64 => Values::Integers(numbers.map(T::to_i64).collect()),
        _ => Values::Floats(numbers.map(T::to_f64).collect()),
    }
}

/// Every position of a shape in row-major order.
pub(super) fn positions(shape: &[usize]) -> impl Iterator<Item = Vec<usize>> + '_ {
    (0..shape.iter().product()).map(move |mut flat| {
        let mut at = vec![0; shape.len()];
        for (i, n) in at.iter_mut().zip(shape).rev() {
            *i = flat % n;
            flat /= n;
        }
        at
    })
}

/// Where the elements of a layout lie, in row-major order.
pub(super) fn places(layout: &Layout) -> Vec<usize> {
    let mut places = vec![layout.offset() as isize];
    for (&n, &step) in layout.shape().iter().zip(layout.strides()) {
        places = places.iter().flat_map(|at| (0..n as isize).map(move |i| at + i * step)).collect();
    }
    places.into_iter().map(|at| at as usize).collect()
}

/// `[outer, n, inner]` around an axis.
pub(super) fn around(shape: &[usize], axis: usize) -> [usize; 3] {
    [shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product()]
}
