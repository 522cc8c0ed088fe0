//! Definitions, in other operations, of those that mapsto-tensor is about to fuse; each is shadowed once it is there.

use mapsto_tensor::{Axes, Tensor, keep};

pub(crate) trait Pending {
    fn log_softmax(&self, axis: i32) -> Tensor;
    fn var_with(&self, axes: impl Into<Axes> + Clone, ddof: usize) -> Tensor;
    #[cfg(test)]
    fn one_hot(&self, classes: usize) -> Tensor;
    fn layer_norm(&self, w: &Tensor, b: &Tensor, eps: f64) -> Tensor;
    fn batch_norm_with(&self, mean: &Tensor, var: &Tensor, w: &Tensor, b: &Tensor, eps: f64) -> Tensor;
    fn batch_norm(&self, w: &Tensor, b: &Tensor, eps: f64) -> (Tensor, Tensor, Tensor);
}

impl Pending for Tensor {
    fn log_softmax(&self, axis: i32) -> Tensor {
        let x = self - self.detach().max(keep(axis));
        &x - x.exp().sum(keep(axis)).log()
    }
    fn var_with(&self, axes: impl Into<Axes> + Clone, ddof: usize) -> Tensor {
        let sum = (self - self.mean(keep(axes.clone()))).square().sum(axes);
        let count = (self.len() / sum.len().max(1)) as f64;
        sum / (count - ddof as f64)
    }
    #[cfg(test)]
    fn one_hot(&self, classes: usize) -> Tensor {
        self.unsqueeze(-1).eq(Tensor::arange(0..classes as i64)).to(mapsto_tensor::DType::I64)
    }
    fn layer_norm(&self, w: &Tensor, b: &Tensor, eps: f64) -> Tensor {
        let d = self - self.mean(keep(-1));
        let var = d.square().mean(keep(-1));
        d * (var + eps).rsqrt() * w + b
    }
    fn batch_norm_with(&self, mean: &Tensor, var: &Tensor, w: &Tensor, b: &Tensor, eps: f64) -> Tensor {
        let mut shape = vec![1; self.rank()];
        shape[1] = w.len();
        let wide = |t: &Tensor| t.reshape(&shape[..]);
        (self - wide(mean)) * (wide(var) + eps).rsqrt() * wide(w) + wide(b)
    }
    fn batch_norm(&self, w: &Tensor, b: &Tensor, eps: f64) -> (Tensor, Tensor, Tensor) {
        let axes: Vec<usize> = (0..self.rank()).filter(|&a| a != 1).collect();
        let (mean, var) = (self.mean(&axes[..]), self.var_with(&axes[..], 0));
        (self.batch_norm_with(&mean, &var, w, b, eps), mean, var)
    }
}
