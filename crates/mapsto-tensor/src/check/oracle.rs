//! The oracle: a backend that computes everything in f64 (integers in i64), one element at a time, in the obvious way.
//!
//! It keeps the backend's trait honest, and every kernel of the CPU is checked against it.

use crate::backend::{Backend, Direction, MapOp, Order, Reduction, Window, host};
use crate::dtype::Class;
use crate::random::{Distribution, Draw};
use crate::shape::Shape;
use crate::{DType, Device, Tensor};

/// The oracle's device.
pub fn device() -> Device {
    static ORACLE: Oracle = Oracle;
    Device::new(&ORACLE)
}

/// A copy of a tensor on a device whose memory the CPU reaches.
pub(super) fn moved(x: &Tensor, device: Device) -> Tensor {
    let shape = *x.shape_of();
    match x.dtype() {
        DType::F64 => host::write::<f64>(device, &host::read(x), shape),
        DType::I64 => host::write::<i64>(device, &host::read(x), shape),
        DType::Bool => host::write::<bool>(device, &host::read(x), shape),
        _ => host::write::<f32>(device, &host::read(x), shape),
    }
}

struct Oracle;

/// Elements by position, in f64, with the arithmetic that walks along axes.
struct Array {
    shape: Vec<usize>,
    values: Vec<f64>,
}

impl Array {
    fn of(x: &Tensor) -> Array {
        Array { shape: x.shape().to_vec(), values: host::read_f64(x) }
    }
    fn zeros(shape: &[usize]) -> Array {
        Array { shape: shape.to_vec(), values: vec![0.0; shape.iter().product()] }
    }
    fn place(&self, at: &[usize]) -> usize {
        at.iter().zip(&self.shape).fold(0, |p, (i, n)| p * n + i)
    }
    fn at(&self, at: &[usize]) -> f64 {
        self.values[self.place(at)]
    }
    /// The element that broadcasting puts at `at`.
    fn broadcast_at(&self, at: &[usize]) -> f64 {
        let lead = at.len() - self.shape.len();
        let own: Vec<usize> =
            self.shape.iter().zip(&at[lead..]).map(|(&n, &i)| if n == 1 { 0 } else { i }).collect();
        self.at(&own)
    }
    fn tensor(&self, dtype: DType) -> Tensor {
        host::write(device(), &self.values, Shape::new(&self.shape)).to(dtype)
    }
}

/// Every position of a shape in row-major order.
fn positions(shape: &[usize]) -> impl Iterator<Item = Vec<usize>> + '_ {
    (0..shape.iter().product()).map(|mut flat| {
        let mut at: Vec<usize> = shape
            .iter()
            .rev()
            .map(|&n| {
                let i = flat % n;
                flat /= n;
                i
            })
            .collect();
        at.reverse();
        at
    })
}

fn with(at: &[usize], axis: usize, i: usize) -> Vec<usize> {
    let mut at = at.to_vec();
    at[axis] = i;
    at
}

/// The point of the image at `[n, c, i, j, p, q]`: point (i, j) of window (p, q); none in the padding.
fn tap(window: &Window, image: [usize; 2], at: &[usize]) -> Option<[usize; 2]> {
    let point = |d: usize| {
        let padded = at[4 + d] * window.stride[d] + at[2 + d] * window.dilation[d];
        padded.checked_sub(window.padding[d]).filter(|&p| p < image[d])
    };
    Some([point(0)?, point(1)?])
}

impl Backend for Oracle {
    fn name(&self) -> &'static str {
        "oracle"
    }

    fn map(&self, op: &dyn MapOp, xs: &[&Tensor], shape: &Shape, dtype: DType) -> Tensor {
        let integers = xs.last().is_some_and(|x| x.dtype().class() == Class::I64);
        let arrays: Vec<Array> = xs.iter().map(|x| Array::of(x)).collect();
        let params = op.params();
        let program = match op.int_program() {
            Some(int) if integers => int,
            _ => op.program(),
        };
        let values: Vec<f64> = positions(shape)
            .map(|at| {
                let x: Vec<f64> = arrays.iter().map(|a| a.broadcast_at(&at)).collect();
                if !integers {
                    return program.eval(&params, &x);
                }
                let x: Vec<[i64; 1]> = x.iter().map(|&v| [v as i64]).collect();
                let mut y = [0i64];
                program.run(&params, &x.iter().map(|v| &v[..]).collect::<Vec<_>>(), &mut y);
                y[0] as f64
            })
            .collect();
        // Written by conversion, element by element: `to` would come back here.
        macro_rules! written {
            ($($d:ident => $t:ty),*) => {
                match dtype {
                    $(DType::$d => host::write::<$t>(
                        device(),
                        &values.iter().map(|&v| <$t as crate::Element>::from_f64(v)).collect::<Vec<_>>(),
                        *shape,
                    ),)*
                }
            };
        }
        written!(F32 => f32, F64 => f64, F16 => half::f16, BF16 => half::bf16, I64 => i64, I32 => i32, U8 => u8, I8 => i8, Bool => bool)
    }

    fn reduce(&self, kind: Reduction, x: &Tensor, mask: &[bool]) -> Tensor {
        let array = Array::of(x);
        let left: Vec<usize> = (0..x.rank()).filter(|&i| !mask[i]).collect();
        let mut out = Array::zeros(&left.iter().map(|&i| x.shape()[i]).collect::<Vec<_>>());
        let mut groups: Vec<Vec<f64>> = vec![Vec::new(); out.values.len()];
        for at in positions(x.shape()) {
            let to: Vec<usize> = left.iter().map(|&i| at[i]).collect();
            groups[out.place(&to)].push(array.at(&at));
        }
        let beats = |a: f64, b: f64| match kind {
            _ if b.is_nan() => false,
            Reduction::Max | Reduction::ArgMax => a > b || a.is_nan(),
            _ => a < b || a.is_nan(),
        };
        for (y, group) in out.values.iter_mut().zip(&groups) {
            let best = (0..group.len()).reduce(|b, i| if beats(group[i], group[b]) { i } else { b });
            *y = match kind {
                Reduction::Sum => group.iter().sum(),
                Reduction::Product => group.iter().product(),
                Reduction::Max | Reduction::Min => best.map_or(f64::NAN, |b| group[b]),
                Reduction::ArgMax | Reduction::ArgMin => best.unwrap_or(0) as f64,
            };
        }
        out.tensor(match kind {
            Reduction::ArgMax | Reduction::ArgMin => DType::I64,
            Reduction::Sum | Reduction::Product if !x.dtype().is_float() => DType::I64,
            _ => x.dtype(),
        })
    }

    fn scan(&self, x: &Tensor, axis: usize, direction: Direction) -> Tensor {
        let (array, n) = (Array::of(x), x.shape()[axis]);
        let mut out = Array::zeros(x.shape());
        for at in positions(x.shape()) {
            let range = if direction == Direction::Forward { 0..at[axis] + 1 } else { at[axis]..n };
            let place = out.place(&at);
            out.values[place] = range.map(|i| array.at(&with(&at, axis, i))).sum();
        }
        out.tensor(if x.dtype().is_float() { x.dtype() } else { DType::I64 })
    }

    fn matmul(&self, a: &Tensor, b: &Tensor) -> Tensor {
        let (row, col) = (a.rank() - 2, a.rank() - 1);
        let (x, y) = (Array::of(a), Array::of(b));
        let shape = with(a.shape(), col, b.shape()[col]);
        let mut out = Array::zeros(&shape);
        for at in positions(&shape) {
            let place = out.place(&at);
            let steps = 0..a.shape()[col];
            out.values[place] = steps.map(|i| x.at(&with(&at, col, i)) * y.at(&with(&at, row, i))).sum();
        }
        out.tensor(a.dtype())
    }

    fn gather(&self, x: &Tensor, axis: usize, index: &Tensor) -> Tensor {
        let (x_values, i) = (Array::of(x), Array::of(index));
        let mut out = Array::zeros(index.shape());
        for at in positions(index.shape()) {
            let place = out.place(&at);
            out.values[place] = x_values.at(&with(&at, axis, i.at(&at) as usize));
        }
        out.tensor(x.dtype())
    }

    fn scatter_add(&self, x: Tensor, axis: usize, index: &Tensor, src: &Tensor) -> Tensor {
        let (mut out, i, s) = (Array::of(&x), Array::of(index), Array::of(src));
        for at in positions(index.shape()) {
            let place = out.place(&with(&at, axis, i.at(&at) as usize));
            out.values[place] += s.at(&at);
        }
        out.tensor(x.dtype())
    }

    fn index_select(&self, x: &Tensor, axis: usize, index: &Tensor) -> Tensor {
        let (x_values, i) = (Array::of(x), Array::of(index));
        let mut out = Array::zeros(&x.shape_of().with(axis, index.len()));
        let shape = out.shape.clone();
        for at in positions(&shape) {
            let place = out.place(&at);
            out.values[place] = x_values.at(&with(&at, axis, i.values[at[axis]] as usize));
        }
        out.tensor(x.dtype())
    }

    fn index_add(&self, x: Tensor, axis: usize, index: &Tensor, src: &Tensor) -> Tensor {
        let (mut out, i, s) = (Array::of(&x), Array::of(index), Array::of(src));
        for at in positions(src.shape()) {
            let place = out.place(&with(&at, axis, i.values[at[axis]] as usize));
            out.values[place] += s.at(&at);
        }
        out.tensor(x.dtype())
    }

    fn argsort(&self, x: &Tensor, axis: usize, order: Order) -> Tensor {
        let array = Array::of(x);
        let mut out = Array::zeros(x.shape());
        for at in positions(&x.shape_of().with(axis, 1)) {
            let value = |i: &usize| array.at(&with(&at, axis, *i));
            let mut rank: Vec<usize> = (0..x.shape()[axis]).collect();
            rank.sort_by(|i, j| {
                let (a, b) = (value(i), value(j));
                let nan = a.is_nan().cmp(&b.is_nan());
                let ascending = nan.then(a.partial_cmp(&b).unwrap_or(std::cmp::Ordering::Equal));
                if order == Order::Ascending { ascending } else { ascending.reverse() }
            });
            for (i, from) in rank.into_iter().enumerate() {
                let place = out.place(&with(&at, axis, i));
                out.values[place] = from as f64;
            }
        }
        out.tensor(DType::I64)
    }

    fn window(&self, x: &Tensor, window: &Window) -> Tensor {
        let (array, [n, c, h, w]) = (Array::of(x), x.dims());
        let [oh, ow] = window.out([h, w]).expect("checked by the caller");
        let [kh, kw] = window.kernel;
        let mut out = Array::zeros(&[n, c * kh * kw, oh * ow]);
        for at in positions(&[n, c, kh, kw, oh, ow]) {
            if let Some([y, x]) = tap(window, [h, w], &at) {
                let place = out.place(&[at[0], (at[1] * kh + at[2]) * kw + at[3], at[4] * ow + at[5]]);
                out.values[place] = array.at(&[at[0], at[1], y, x]);
            }
        }
        out.tensor(x.dtype())
    }

    fn window_transpose(&self, cols: &Tensor, window: &Window, [h, w]: [usize; 2]) -> Tensor {
        let (array, [n, rows, _]) = (Array::of(cols), cols.dims());
        let [oh, ow] = window.out([h, w]).expect("checked by the caller");
        let [kh, kw] = window.kernel;
        let c = rows / (kh * kw);
        let mut out = Array::zeros(&[n, c, h, w]);
        for at in positions(&[n, c, kh, kw, oh, ow]) {
            if let Some([y, x]) = tap(window, [h, w], &at) {
                let place = out.place(&[at[0], at[1], y, x]);
                out.values[place] +=
                    array.at(&[at[0], (at[1] * kh + at[2]) * kw + at[3], at[4] * ow + at[5]]);
            }
        }
        out.tensor(cols.dtype())
    }

    fn random(&self, draw: Draw, distribution: Distribution, shape: &Shape, dtype: DType) -> Tensor {
        // Randomness is defined by Philox's bits, which the kernels are tested for against published vectors.
        let cpu = Device::cpu().scope(|| Tensor::random(draw, distribution, *shape, dtype));
        moved(&cpu, device()).to(dtype)
    }
}
