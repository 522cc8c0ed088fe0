//! A device far away: its memory is its own, no code of the CPU may touch it, and it computes everything in f64 (integers
//! in i64), one element at a time, in the obvious way.
//!
//! It keeps the boundary honest, because an operation that reaches for the memory of its operands fails here; and every
//! kernel of the CPU is checked against it.

use crate::Scalar;
use crate::backend::{Backend, Buffer, Direction, MapOp, Order, Reduction, Window};
use crate::dtype::Class;
use crate::random::{Distribution, Draw};
use crate::shape::Shape;
use crate::{DType, Device, Element, Layout, Tensor};
use mapsto_kernels::philox;
use mapsto_kernels::real::Float;
use std::cell::Cell;

mod arrays;
use arrays::{Values, around, places, positions};

/// The device.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_tensor::check::far;
/// let x = tensor![1.0, 2.0].to_device(far::device());
/// assert!(x.as_slice::<f32>().is_none());
/// assert_eq!((&x * 3.0).to_vec::<f32>(), [3.0, 6.0]);
/// ```
pub fn device() -> Device {
    static FAR: Far = Far;
    Device::new(&FAR)
}

/// What has been carried to the device and back on this thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Traffic {
    /// How often numbers were written to the device.
    pub writes: usize,
    /// The bytes of them.
    pub written: usize,
    /// How often numbers were read from the device.
    pub reads: usize,
    /// The bytes of them.
    pub read: usize,
}

thread_local! {
    static TRAFFIC: Cell<Traffic> = const { Cell::new(Traffic { writes: 0, written: 0, reads: 0, read: 0 }) };
}

/// What has been carried so far. All that a kernel of the CPU computes of this device's numbers was read before, and all
/// that it gives to the device was written; so the two show how much it can have had a part in.
pub fn traffic() -> Traffic {
    TRAFFIC.get()
}

struct Far;

/// The values of a tensor in row-major order.
fn values(x: &Tensor) -> Values {
    memory(x).at(&places(x.layout()))
}

fn floats(x: &Tensor) -> Vec<f64> {
    values(x).floats()
}

fn ids(x: &Tensor) -> Vec<i64> {
    values(x).integers()
}

fn memory(x: &Tensor) -> &Values {
    let memory = x.storage().buffer().and_then(Buffer::get::<Values>);
    memory.unwrap_or_else(|| panic!("a tensor of `far` was expected, this one is on {:?}", x.device()))
}

/// A tensor of values, each rounded to what the dtype holds.
fn tensor(values: Values, shape: &Shape, dtype: DType) -> Tensor {
    Tensor::from_buffer(device(), Buffer::new(values.stored(dtype)), *shape, dtype)
}

/// A tensor of elements of `x`, named by their numbers in row-major order; 0 where none is named.
fn picked(x: &Tensor, from: Vec<Option<usize>>, shape: &Shape) -> Tensor {
    tensor(values(x).picked(&from), shape, x.dtype())
}

/// The point of the image for point `(i, j)` of window `(p, q)`; none in the padding.
fn tap(window: &Window, image: [usize; 2], point: [usize; 2], at: [usize; 2]) -> Option<[usize; 2]> {
    let place = |d: usize| {
        let padded = at[d] * window.stride[d] + point[d] * window.dilation[d];
        padded.checked_sub(window.padding[d]).filter(|&p| p < image[d])
    };
    Some([place(0)?, place(1)?])
}

/// Every window's points: the number of the column's element, and that of the image's element unless it is padding.
fn taps(window: &Window, [n, c, h, w]: [usize; 4]) -> Vec<Option<usize>> {
    let [oh, ow] = window.out([h, w]).expect("checked by the caller");
    let [kh, kw] = window.kernel;
    positions(&[n, c, kh, kw, oh, ow])
        .map(|at| {
            let [y, x] = tap(window, [h, w], [at[2], at[3]], [at[4], at[5]])?;
            Some(((at[0] * c + at[1]) * h + y) * w + x)
        })
        .collect()
}

impl Backend for Far {
    fn name(&self) -> &'static str {
        "far"
    }

    fn fill(&self, value: Scalar, shape: &Shape, dtype: DType) -> Tensor {
        let values = match value {
            Scalar::Float(v) => Values::Floats(vec![v; shape.count()]),
            Scalar::Int(v) => Values::Integers(vec![v; shape.count()]),
        };
        tensor(values, shape, dtype)
    }

    fn write(&self, bytes: &[u8], shape: &Shape, dtype: DType) -> Tensor {
        let t = TRAFFIC.get();
        TRAFFIC.set(Traffic { writes: t.writes + 1, written: t.written + bytes.len(), ..t });
        tensor(Values::of_bytes(bytes, dtype), shape, dtype)
    }

    fn read(&self, x: &Tensor, to: &mut [u8]) {
        let t = TRAFFIC.get();
        TRAFFIC.set(Traffic { reads: t.reads + 1, read: t.read + to.len(), ..t });
        values(x).to_bytes(x.dtype(), to);
    }

    fn copy(&self, x: &Tensor, to: &mut Tensor, at: &Layout) {
        let from = values(x);
        let to =
            to.buffer_mut().and_then(Buffer::get_mut::<Values>).expect("a tensor of `far` that is alone");
        to.put(&places(at), &from);
    }

    fn within(&self, index: &Tensor, n: usize) -> Result<(), (usize, i64)> {
        let index = ids(index);
        match index.iter().position(|&i| i < 0 || i as u64 >= n as u64) {
            Some(at) => Err((at, index[at])),
            None => Ok(()),
        }
    }

    fn map(&self, op: &dyn MapOp, xs: &[&Tensor], shape: &Shape, dtype: DType) -> Tensor {
        let integers = xs.last().is_some_and(|x| x.dtype().class() == Class::I64);
        let spread = |x: &&Tensor| memory(x).at(&places(&x.layout().broadcast_to(shape)));
        let (values, count) = (xs.iter().map(spread), shape.count());
        let params = op.params();
        let program = match op.int_program() {
            Some(int) if integers => int,
            _ => op.program(),
        };
        if integers {
            let xs: Vec<Vec<i64>> = values.map(Values::integers).collect();
            let at = |i: usize| {
                let mut y = [0i64];
                program.run(&params, &xs.iter().map(|x| &x[i..i + 1]).collect::<Vec<_>>(), &mut y);
                y[0]
            };
            return tensor(Values::Integers((0..count).map(at).collect()), shape, dtype);
        }
        let xs: Vec<Vec<f64>> = values.map(Values::floats).collect();
        let at = |i: usize| program.eval(&params, &xs.iter().map(|x| x[i]).collect::<Vec<_>>());
        tensor(Values::Floats((0..count).map(at).collect()), shape, dtype)
    }

    fn reduce(&self, kind: Reduction, x: &Tensor, mask: &[bool]) -> Tensor {
        let left: Shape = x.shape().iter().zip(mask).filter(|(_, gone)| !**gone).map(|(n, _)| *n).collect();
        let mut groups: Vec<Vec<usize>> = vec![Vec::new(); left.count()];
        for (i, at) in positions(x.shape()).enumerate() {
            let kept = at.iter().zip(x.shape()).zip(mask).filter(|(_, gone)| !**gone);
            groups[kept.fold(0, |to, ((i, n), _)| to * n + i)].push(i);
        }
        let values = values(x);
        // A NaN is larger than all else where the largest is sought, and smaller where the smallest is.
        let beats = |a: f64, b: f64| match kind {
            _ if b.is_nan() => false,
            Reduction::Max | Reduction::ArgMax => a > b || a.is_nan(),
            _ => a < b || a.is_nan(),
        };
        let best = |group: &Vec<usize>| match &values {
            Values::Floats(v) => {
                (0..group.len()).reduce(|b, i| if beats(v[group[i]], v[group[b]]) { i } else { b })
            }
            Values::Integers(v) => (0..group.len()).reduce(|b, i| {
                let (x, y) = (v[group[i]], v[group[b]]);
                let better = if matches!(kind, Reduction::Max | Reduction::ArgMax) { x > y } else { x < y };
                if better { i } else { b }
            }),
        };
        let (result, dtype) = match (kind, &values) {
            (Reduction::ArgMax | Reduction::ArgMin, _) => {
                let at = groups.iter().map(|g| best(g).unwrap_or(0) as i64).collect();
                (Values::Integers(at), DType::I64)
            }
            (Reduction::Max | Reduction::Min, _) => {
                (values.picked(&groups.iter().map(|g| best(g).map(|b| g[b])).collect::<Vec<_>>()), x.dtype())
            }
            // Not `sum()`, which is −0 for nothing.
            (Reduction::Sum, Values::Floats(v)) => (
                Values::Floats(groups.iter().map(|g| g.iter().fold(0.0, |sum, &i| sum + v[i])).collect()),
                x.dtype(),
            ),
            (_, Values::Floats(v)) => (
                Values::Floats(groups.iter().map(|g| g.iter().map(|&i| v[i]).product()).collect()),
                x.dtype(),
            ),
            (Reduction::Sum, Values::Integers(v)) => {
                let sum = |g: &Vec<usize>| g.iter().fold(0i64, |s, &i| s.wrapping_add(v[i]));
                (Values::Integers(groups.iter().map(sum).collect()), DType::I64)
            }
            (_, Values::Integers(v)) => {
                let product = |g: &Vec<usize>| g.iter().fold(1i64, |s, &i| s.wrapping_mul(v[i]));
                (Values::Integers(groups.iter().map(product).collect()), DType::I64)
            }
        };
        tensor(result, &left, dtype)
    }

    fn scan(&self, x: &Tensor, axis: usize, direction: Direction) -> Tensor {
        let ([outer, n, inner], mut values) = (around(x.shape(), axis), values(x));
        for o in 0..outer {
            for i in 0..inner {
                let at = |k: usize| {
                    (o * n + if direction == Direction::Forward { k } else { n - 1 - k }) * inner + i
                };
                for k in 1..n {
                    match &mut values {
                        Values::Floats(v) => v[at(k)] += v[at(k - 1)],
                        Values::Integers(v) => v[at(k)] = v[at(k)].wrapping_add(v[at(k - 1)]),
                    }
                }
            }
        }
        tensor(values, x.shape_of(), if x.dtype().is_float() { x.dtype() } else { DType::I64 })
    }

    fn matmul(&self, a: &Tensor, b: &Tensor) -> Tensor {
        let (last, n) = (a.rank() - 1, b.shape()[b.rank() - 1]);
        let (m, k, shape) = (a.shape()[last - 1], a.shape()[last], a.shape_of().with(last, n));
        let (a_values, b_values) = (floats(a), floats(b));
        let mut y = vec![0.0; shape.count()];
        for (row, y) in y.chunks_exact_mut(n.max(1)).enumerate() {
            let (a, b) = (&a_values[row * k..][..k], &b_values[row / m * k * n..][..k * n]);
            for (a, b) in a.iter().zip(b.chunks_exact(n)) {
                y.iter_mut().zip(b).for_each(|(y, b)| *y += a * b);
            }
        }
        tensor(Values::Floats(y), &shape, a.dtype())
    }

    fn gather(&self, x: &Tensor, axis: usize, index: &Tensor) -> Tensor {
        let at = slots(x.shape(), axis, index);
        picked(x, at.into_iter().map(Some).collect(), index.shape_of())
    }

    fn scatter_add(&self, x: Tensor, axis: usize, index: &Tensor, src: &Tensor) -> Tensor {
        let at = slots(x.shape(), axis, index);
        added(&x, &at, src)
    }

    fn index_select(&self, x: &Tensor, axis: usize, index: &Tensor) -> Tensor {
        let shape = x.shape_of().with(axis, index.len());
        picked(x, slices(x.shape(), axis, index).into_iter().map(Some).collect(), &shape)
    }

    fn index_add(&self, x: Tensor, axis: usize, index: &Tensor, src: &Tensor) -> Tensor {
        let at = slices(x.shape(), axis, index);
        added(&x, &at, src)
    }

    fn argsort(&self, x: &Tensor, axis: usize, order: Order) -> Tensor {
        let ([outer, n, inner], values) = (around(x.shape(), axis), values(x));
        let mut at = vec![0; x.len()];
        for (o, i) in (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))) {
            let place = |k: usize| (o * n + k) * inner + i;
            let mut rank: Vec<usize> = (0..n).collect();
            rank.sort_by(|&a, &b| {
                let ascending = values.compare(place(a), place(b));
                if order == Order::Ascending { ascending } else { ascending.reverse() }
            });
            rank.into_iter().enumerate().for_each(|(k, from)| at[place(k)] = from as i64);
        }
        tensor(Values::Integers(at), x.shape_of(), DType::I64)
    }

    fn window(&self, x: &Tensor, window: &Window) -> Tensor {
        let [n, c, h, w] = x.dims();
        let [oh, ow] = window.out([h, w]).expect("checked by the caller");
        let shape = Shape::new(&[n, c * window.kernel[0] * window.kernel[1], oh * ow]);
        picked(x, taps(window, [n, c, h, w]), &shape)
    }

    fn window_transpose(&self, cols: &Tensor, window: &Window, [h, w]: [usize; 2]) -> Tensor {
        let [n, rows, _] = cols.dims();
        let image = [n, rows / (window.kernel[0] * window.kernel[1]), h, w];
        let mut y = vec![0.0; image.iter().product()];
        for (from, to) in floats(cols).into_iter().zip(taps(window, image)) {
            if let Some(to) = to {
                y[to] += from;
            }
        }
        tensor(Values::Floats(y), &Shape::new(&image), cols.dtype())
    }

    fn random(&self, draw: Draw, distribution: Distribution, shape: &Shape, dtype: DType) -> Tensor {
        // Philox's bits are the definition of randomness, and are checked against published vectors.
        fn drawn<T: Float + Element>(draw: Draw, distribution: Distribution, count: usize) -> Vec<f64> {
            let (mut y, of) = (vec![<T as Default>::default(); count], <T as Element>::from_f64);
            match distribution {
                Distribution::Uniform(lo, hi) => philox::uniform(draw, of(lo), of(hi), &mut y),
                Distribution::Normal(mean, std) => philox::normal(draw, of(mean), of(std), &mut y),
                Distribution::Bernoulli(p) => {
                    let mut hits = vec![0u8; count];
                    philox::bernoulli(draw, p, &mut hits);
                    y.iter_mut().zip(hits).for_each(|(y, hit)| *y = <T as Element>::from_i64(hit as i64));
                }
            }
            y.into_iter().map(Element::to_f64).collect()
        }
        let values = match dtype.class() {
            Class::F64 => drawn::<f64>(draw, distribution, shape.count()),
            _ => drawn::<f32>(draw, distribution, shape.count()),
        };
        tensor(Values::Floats(values), shape, dtype)
    }
}

/// For each element of `index`, the number of the element of a tensor of shape `x` that it names along an axis.
fn slots(x: &[usize], axis: usize, index: &Tensor) -> Vec<usize> {
    let named = |(mut at, i): (Vec<usize>, i64)| {
        at[axis] = i as usize;
        at.iter().zip(x).fold(0, |to, (i, n)| to * n + i)
    };
    positions(index.shape()).zip(ids(index)).map(named).collect()
}

/// The numbers of the elements of the slices that a list names along an axis.
fn slices(x: &[usize], axis: usize, index: &Tensor) -> Vec<usize> {
    let ([outer, n, inner], index) = (around(x, axis), ids(index));
    let slice = |o: usize, k: i64| (0..inner).map(move |i| (o * n + k as usize) * inner + i);
    (0..outer).flat_map(|o| index.iter().flat_map(move |&k| slice(o, k)).collect::<Vec<_>>()).collect()
}

/// `x` with the elements of `src` added in order, each where `at` says.
fn added(x: &Tensor, at: &[usize], src: &Tensor) -> Tensor {
    let y = match (values(x), values(src)) {
        (Values::Integers(mut y), Values::Integers(src)) => {
            at.iter().zip(src).for_each(|(&at, v)| y[at] = y[at].wrapping_add(v));
            Values::Integers(y)
        }
        (y, src) => {
            let mut y = y.floats();
            at.iter().zip(src.floats()).for_each(|(&at, v)| y[at] += v);
            Values::Floats(y)
        }
    };
    tensor(y, x.shape_of(), x.dtype())
}
