//! Rows of tensors put together by copying: the one inner loop of reading batches from memory.

use mapsto_tensor::storage::Plain;
use mapsto_tensor::{DType, Tensor};

/// The rows of `x` at `indices`, which are in range: `[n, ..] → [indices, ..]`.
pub(crate) fn gather(x: &Tensor, indices: &[usize]) -> Tensor {
    match x.dtype() {
        DType::F32 => gathered::<f32>(x, indices),
        DType::F64 => gathered::<f64>(x, indices),
        DType::I64 => gathered::<i64>(x, indices),
        DType::I32 => gathered::<i32>(x, indices),
        DType::U8 => gathered::<u8>(x, indices),
        DType::I8 => gathered::<i8>(x, indices),
        // Halves and truth values fit into f32 exactly, there and back.
        narrow => gathered::<f32>(&x.to(DType::F32), indices).to(narrow),
    }
}

/// Tensors of one shape and dtype along a new first axis: `[..] × n → [n, ..]`.
pub(crate) fn stack(parts: &[Tensor]) -> Tensor {
    match parts[0].dtype() {
        DType::F32 => stacked::<f32>(parts),
        DType::F64 => stacked::<f64>(parts),
        DType::I64 => stacked::<i64>(parts),
        DType::I32 => stacked::<i32>(parts),
        DType::U8 => stacked::<u8>(parts),
        DType::I8 => stacked::<i8>(parts),
        narrow => {
            let wide: Vec<Tensor> = parts.iter().map(|part| part.to(DType::F32)).collect();
            stacked::<f32>(&wide).to(narrow)
        }
    }
}

/// Calls `f` on the row of `from` at each index and the row of `to` that it becomes; rows have equally many elements.
pub(crate) fn each_row<A, B>(from: &[A], to: &mut [B], indices: &[usize], f: impl Fn(&[A], &mut [B])) {
    if to.is_empty() {
        return;
    }
    let width = to.len() / indices.len();
    for (out, &i) in to.chunks_exact_mut(width).zip(indices) {
        f(&from[i * width..][..width], out);
    }
}

/// The shape of `n` samples.
pub(crate) fn batch_shape(n: usize, sample: &[usize]) -> Vec<usize> {
    [&[n], sample].concat()
}

fn gathered<T: Plain>(x: &Tensor, indices: &[usize]) -> Tensor {
    let x = x.contiguous();
    let from = x.as_slice::<T>().expect("contiguous, of this dtype, on the host");
    Tensor::filled_by::<T>(batch_shape(indices.len(), &x.shape()[1..]), |to| {
        each_row(from, to, indices, |row, out| out.copy_from_slice(row));
    })
}

fn stacked<T: Plain>(parts: &[Tensor]) -> Tensor {
    let shape = batch_shape(parts.len(), parts[0].shape());
    let width = parts[0].len();
    Tensor::filled_by::<T>(shape, |to| {
        if width == 0 {
            return;
        }
        for (part, out) in parts.iter().zip(to.chunks_exact_mut(width)) {
            let part = part.detach().contiguous();
            out.copy_from_slice(part.as_slice::<T>().expect("contiguous, of this dtype, on the host"));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dtype_is_gathered_and_stacked() {
        use DType::*;
        for dtype in [F32, F64, F16, BF16, I64, I32, U8, I8, Bool] {
            let x = Tensor::from_slice(&[0i64, 1, 1, 1, 0, 0], [3, 2]).to(dtype);
            let picked = gather(&x, &[2, 0, 2]);
            assert_eq!((picked.dtype(), picked.shape()), (dtype, &[3, 2][..]));
            assert_eq!(picked.to(I64).to_vec::<i64>(), [0, 0, 0, 1, 0, 0]);
            let pair = stack(&[x.clone(), x]);
            assert_eq!((pair.dtype(), pair.shape()), (dtype, &[2, 3, 2][..]));
            assert_eq!(pair.to(I64).to_vec::<i64>()[6..], [0, 1, 1, 1, 0, 0]);
        }
    }

    #[test]
    fn views_and_empty_rows_are_fine() {
        let x = Tensor::from_slice(&[1.0f32, 2.0, 3.0, 4.0], [2, 2]).t();
        assert_eq!(gather(&x, &[1]).to_vec::<f32>(), [2.0, 4.0]);
        assert_eq!(stack(&[x.clone(), x]).to_vec::<f32>(), [1.0, 3.0, 2.0, 4.0, 1.0, 3.0, 2.0, 4.0]);
        assert_eq!(gather(&Tensor::zeros([3, 0]), &[1, 2]).shape(), [2, 0]);
        assert_eq!(stack(&[Tensor::zeros([0])]).shape(), [1, 0]);
    }
}
