//! Embeddings of the categories of a table, whose ids stand in the last columns of its rows.

use super::LayerKind;
use crate::init::{Init, Normal};
use crate::{Layer, Module, Param};
use mapsto_spec::Entry;
use mapsto_tensor::{DType, Tensor, fail};

/// Replaces the last columns, which hold ids, by a learned vector each: `y = [x[..d − k], w[id₁], .., w[id_k]]`.
///
/// The ids are numbers among numbers, as the step `columns` of a table writes them. Id 0 stands for all that was not known in
/// training, and what is no id of its column is taken for 0.
///
/// * Shape: `[.., d] → [.., d − k + k · size]`, with `k` columns of ids.
/// * Parameters: `weight` `[Σ counts, size]`, normal of standard deviation 0.1: the rows of the first column, then those of the
///   next.
/// * PyTorch has none: `Embedding` for each column, and `cat`; Keras: `Embedding` for each column, and `Concatenate`.
///
/// Source: Guo, Berkhahn (2016), Entity embeddings of categorical variables, arXiv:1604.06737.
/// ```
/// use mapsto_nn::prelude::*;
/// let mut layer = CategoryEmbedding::new([2, 3], 1);
/// layer.weight.set(&tensor![[0.0], [1.0], [10.0], [20.0], [30.0]])?;
/// assert_close!(layer.forward(&tensor![[0.5, 1.0, 2.0], [0.7, 0.0, 9.0]]), [[0.5, 1.0, 30.0], [0.7, 0.0, 10.0]]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct CategoryEmbedding {
    /// The vectors of all columns, `[Σ counts, size]`.
    pub weight: Param,
    #[module(skip)]
    counts: Vec<usize>,
}

impl CategoryEmbedding {
    /// Its name in files.
    pub const NAME: &'static str = KIND.name;

    /// Vectors of `size` for columns of so many ids each.
    ///
    /// # Panics
    /// When there is no column, or one has no id.
    #[track_caller]
    pub fn new(counts: impl Into<Vec<usize>>, size: usize) -> CategoryEmbedding {
        let counts = counts.into();
        if counts.is_empty() || counts.contains(&0) {
            fail!("category_embedding", "{counts:?} ids: there is a column at least, with an id at least");
        }
        let total = counts.iter().sum();
        CategoryEmbedding { weight: Param::new(Normal::new(0.1).tensor(&[total, size])), counts }
    }
}

impl Layer for CategoryEmbedding {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let k = self.counts.len();
        let Some(&d) = x.shape().last().filter(|&&d| d >= k) else {
            fail!("category_embedding", "the last {k} columns hold ids, and the input is {:?}", x.shape());
        };
        let (mut parts, mut before) = (vec![x.slice(-1, 0..d - k)], 0);
        for (i, &count) in self.counts.iter().enumerate() {
            let id = x.select(-1, d - k + i).detach().to(DType::F32).floor();
            let is_known = id.ge(0.0).to(DType::F32) * id.lt(count as f64).to(DType::F32);
            let id = (id * is_known + before as f64).to(DType::I64);
            parts.push(id.embedding(&self.weight).to(x.dtype())); // [.., size]
            before += count;
        }
        Tensor::cat(&parts, -1)
    }

    fn describe(&self) -> String {
        let [_, size] = self.weight.dims();
        format!("CategoryEmbedding({:?} × {size})", self.counts)
    }

    fn entry(&self) -> Option<Entry> {
        let [_, size] = self.weight.dims();
        Some(Entry::new(KIND.name).with_value(self.counts.clone()).with_option("size", size))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "category_embedding",
    "A learned vector for each of the ids in the last columns of a table.",
    |args, input| {
        let (counts, size): (Vec<usize>, usize) = (args.main()?, args.get_or("size", 8)?);
        if counts.is_empty() || counts.contains(&0) || size == 0 {
            return Err(
                args.error("", "it needs a column at least, with an id at least, and vectors of a size")
            );
        }
        let k = counts.len();
        let Some((&d, rest)) = input.split_last().filter(|(d, _)| **d >= k) else {
            return Err(args.misfit("", format!("the last {k} columns hold ids, and the input is {input:?}")));
        };
        let total = counts.iter().try_fold(0_usize, |sum, &n| sum.checked_add(n));
        crate::budget::weight(args, &[total.unwrap_or(usize::MAX), size])?;
        let width = k.checked_mul(size).and_then(|n| n.checked_add(d)).unwrap_or(usize::MAX);
        crate::budget::output(args, &[rest.iter().product(), width])?;
        Ok(Box::new(CategoryEmbedding::new(counts, size)))
    },
)
.options(&[("", "the number of ids of each of the last columns"), ("size", "the size of a vector")])
.example(|| Entry::new("category_embedding").with_value(vec![5_usize, 3]));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_tensor::{Tensor, catch};

    #[test]
    fn category_embedding() {
        check_layer(|| CategoryEmbedding::new([3, 2], 4)).gives([5, 6], [5, 12]);
        check_layer(|| CategoryEmbedding::new([3, 2], 4)).gives([5, 2], [5, 8]);
        check_layer(|| CategoryEmbedding::new([4], 1)).gives([2, 3, 2], [2, 3, 2]);
    }

    #[test]
    fn each_column_learns_its_own_vectors() {
        let layer = CategoryEmbedding::new([2, 3], 2);
        let x = tensor![[7.0, 1.0, 0.0], [8.0, 1.0, 2.0], [9.0, -1.0, 5.0]];
        let grads = train(|| layer.forward(&x).slice(-1, 1..).sum(..)).backward();
        // Unknown ids are the first of their column.
        assert_close!(grads.of(&layer.weight), [[1.0, 1.0], [2.0, 2.0], [2.0, 2.0], [0.0, 0.0], [1.0, 1.0]]);
        let nan = layer.forward(&tensor![[0.0, f64::NAN, 1e30]]);
        assert!(nan.to_vec::<f32>().iter().all(|v| v.is_finite()));
        assert!(catch(|| layer.forward(&Tensor::zeros([3, 1]))).is_err());
    }
}
