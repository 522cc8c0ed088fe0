//! Spectral norm: a layer's weight divided by its largest singular value, so that the layer stretches nothing.

use super::LayerKind;
use super::weight_norm::{read_weighted, weighted};
use crate::{Layer, Module, State, budget};
use mapsto_spec::{Bounds, Entry, at_least_1, count_option};
use mapsto_tensor::{DType, Tensor, fail, is_recomputing, is_training, no_grad};
use std::borrow::Cow;

/// A layer with the weight `W / σ`, where `σ = uᵀ W v` is the largest singular value of the weight as a matrix of its outputs. Each
/// forward pass in training brings `u` and `v` nearer to its vectors by a step of the power method; gradients see them as constants.
///
/// * Shape: as the layer.
/// * Parameters: those of the layer under `layer`.
/// * States: `u` `[outputs]` and `v` `[all others]`, of length 1, drawn at random and led through 15 steps.
/// * PyTorch: `torch.nn.utils.parametrizations.spectral_norm(layer)`, whose states are `_u` and `_v`; Keras: `SpectralNormalization`.
///
/// Source: Miyato, Kataoka, Koyama, Yoshida (2018), Spectral normalization for generative adversarial networks, arXiv:1802.05957,
/// algorithm 1.
/// ```
/// use mapsto_nn::prelude::*;
/// let mut normed = SpectralNorm::new(Linear::new(2, 2).no_bias());
/// normed.layer.weight.set(&tensor![[0.0, 4.0], [1.0, 0.0]])?;
/// let normed = SpectralNorm::new(normed.layer);
/// assert_close!(normed.forward(&tensor![[1.0, 1.0]]), [[1.0, 0.25]]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct SpectralNorm<L> {
    /// The layer, whose weight is divided.
    pub layer: L,
    /// The singular vector on the side of the outputs.
    pub u: State,
    /// The singular vector on the other side.
    pub v: State,
    #[module(skip)]
    steps: usize,
    #[module(skip)]
    eps: f64,
    #[module(skip)]
    dim: usize,
}

/// The steps of the power method before the first forward pass, as many as in PyTorch.
const FIRST_STEPS: usize = 15;

impl<L: Layer> SpectralNorm<L> {
    /// The layer with its weight divided, by one step of the power method in each forward pass of training; eps is 10⁻¹².
    ///
    /// # Panics
    /// When the layer is none of one weight.
    #[track_caller]
    pub fn new(layer: L) -> SpectralNorm<L> {
        let weight = weighted("spectral_norm", &layer);
        let dim = weight.output_axis();
        SpectralNorm::along(layer, dim, 1, 1e-12)
    }

    #[track_caller]
    fn along(layer: L, dim: usize, steps: usize, eps: f64) -> SpectralNorm<L> {
        let weight = weighted("spectral_norm", &layer).weight().detach();
        if dim >= weight.rank() {
            fail!("spectral_norm", "the weight {:?} has no axis {dim}", weight.shape());
        }
        let matrix = as_matrix(&weight, dim);
        let [outputs, others] = matrix.dims();
        let (dtype, device) = (weight.dtype(), weight.device());
        let random = |n: usize| device.scope(|| Tensor::randn([n])).to(dtype).normalize(2.0, 0, eps);
        let (u, v) = (State::new(random(outputs)), State::new(random(others)));
        let normed = SpectralNorm { layer, u, v, steps, eps, dim };
        no_grad(|| normed.step(&matrix, FIRST_STEPS));
        normed
    }

    /// The same with so many steps of the power method in each forward pass of training.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn steps(self, steps: usize) -> SpectralNorm<L> {
        SpectralNorm { steps: at_least_1("spectral_norm", "steps", steps), ..self }
    }

    /// The same with another smallest length by which a vector is divided.
    ///
    /// # Panics
    /// When it is not finite and above 0.
    #[track_caller]
    #[must_use]
    pub fn eps(self, eps: f64) -> SpectralNorm<L> {
        SpectralNorm { eps: Bounds::ABOVE_0.check("spectral_norm", "eps", eps), ..self }
    }

    /// The same with the rows of the matrix along another axis of the weight; its vectors are drawn anew.
    ///
    /// # Panics
    /// When the weight has no such axis.
    #[track_caller]
    #[must_use]
    pub fn dim(self, dim: usize) -> SpectralNorm<L> {
        SpectralNorm::along(self.layer, dim, self.steps, self.eps)
    }

    /// Brings `u` and `v` nearer to the singular vectors.
    fn step(&self, matrix: &Tensor, steps: usize) {
        let (mut u, mut v) = (self.u.get(), self.v.get());
        for _ in 0..steps {
            u = matrix.matmul(&v.unsqueeze(1)).squeeze(1).normalize(2.0, 0, self.eps);
            v = u.unsqueeze(0).matmul(matrix).squeeze(0).normalize(2.0, 0, self.eps);
        }
        self.u.set(u);
        self.v.set(v);
    }

    /// The weight that the layer works with.
    pub fn weight(&self) -> Tensor {
        let weight: &Tensor = weighted("spectral_norm", &self.layer).weight();
        let sigma =
            self.u.get().unsqueeze(0).matmul(&as_matrix(weight, self.dim)).matmul(&self.v.get().unsqueeze(1));
        weight / sigma.reshape(())
    }
}

/// A weight as a matrix whose rows lie along an axis of it.
fn as_matrix(weight: &Tensor, dim: usize) -> Tensor {
    let rows = weight.shape()[dim];
    let others = weight.len() / rows.max(1);
    weight.movedim(dim as isize, 0).reshape([rows, others])
}

impl<L: Layer + 'static> Layer for SpectralNorm<L> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let layer = weighted("spectral_norm", &self.layer);
        if is_training() && !is_recomputing() {
            no_grad(|| self.step(&as_matrix(&layer.weight().detach(), self.dim), self.steps));
        }
        layer.forward_by(x, &self.weight())
    }

    fn name(&self) -> Cow<'static, str> {
        "SpectralNorm".into()
    }

    fn describe(&self) -> String {
        format!("SpectralNorm({})", self.layer.describe())
    }

    fn input_dtype(&self) -> DType {
        self.layer.input_dtype()
    }

    fn clone_layer(&self) -> Option<Box<dyn Layer>> {
        let (layer, u, v) = (self.layer.clone_layer()?, self.u.clone(), self.v.clone());
        Some(Box::new(SpectralNorm { layer, u, v, steps: self.steps, eps: self.eps, dim: self.dim }))
    }

    fn entry(&self) -> Option<Entry> {
        let entry = Entry::new(KIND.name).with_value(self.layer.entry()?).with_option("steps", self.steps);
        Some(entry.with_option("eps", self.eps).with_option("dim", self.dim))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "spectral_norm",
    "The given layer with its weight divided by its largest singular value.",
    |args, input| {
        let layer = read_weighted(args, input)?;
        let steps: usize = count_option(args, "steps", 1)?;
        let eps = Bounds::ABOVE_0.option(args, "eps", 1e-12)?;
        let (shape, usual) =
            layer.weighted().map(|w| (w.weight().shape().to_vec(), w.output_axis())).unwrap_or_default();
        let dim: usize = args.get_or("dim", usual)?;
        let Some(&rows) = shape.get(dim) else {
            return Err(args.misfit("dim", format!("the weight {shape:?} has no axis {dim}")));
        };
        budget::weight(args, &[rows])?;
        budget::weight(args, &[shape.iter().product::<usize>() / rows.max(1)])?;
        Ok(Box::new(SpectralNorm::along(layer, dim, steps, eps)))
    },
)
.options(&[
    ("", "the layer"),
    ("steps", "how many steps of the power method each forward pass in training takes"),
    ("eps", "the smallest length by which a vector is divided"),
    ("dim", "the axis of the weight along which the rows of its matrix lie"),
])
.example(|| Entry::new("spectral_norm").with_value(Entry::new("linear").with_value(2_usize)));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn spectral_norm() {
        // After many steps the vectors are the singular ones, at which the value stands still as they move.
        check_layer(|| SpectralNorm::new(Linear::new(3, 2)).steps(200)).gives([4, 3], [4, 2]);
        check_layer(|| SpectralNorm::new(ConvTranspose1d::new(2, 3, 2)).steps(200))
            .gives([1, 2, 3], [1, 3, 4]);
        check_layer(|| SpectralNorm::new(Conv2d::new(2, 2, 2).no_bias()).dim(1).steps(200).eps(1e-9))
            .gives([1, 2, 3, 3], [1, 2, 2, 2]);
    }

    /// A diagonal matrix is divided by its largest number, once the steps of training have found it.
    #[test]
    fn training_finds_the_largest_singular_value() {
        let mut normed = SpectralNorm::new(Linear::new(3, 3).no_bias());
        normed.layer.weight.set(&tensor![[2.0, 0.0, 0.0], [0.0, 5.0, 0.0], [0.0, 0.0, -3.0]]).unwrap();
        let x = tensor![[1.0, 1.0, 1.0]];
        let before = normed.u.get().to_vec::<f32>();
        let _ = normed.forward(&x);
        assert_eq!(normed.u.get().to_vec::<f32>(), before);
        (0..60).for_each(|_| drop(train(|| normed.forward(&x))));
        assert_close!(normed.forward(&x), [[0.4, 1.0, -0.6]]);
        assert_eq!((normed.u.get().shape(), normed.v.get().shape()), (&[3][..], &[3][..]));
    }

    #[test]
    fn a_file_names_it_around_a_layer() {
        let conv = Entry::new("conv_transpose2d").with_value(3_usize).with_option("kernel", 2_usize);
        let entry = Entry::new("spectral_norm").with_value(conv).with_option("steps", 2_usize);
        check_entry::<dyn Layer>(&entry, &[2, 6, 6]);
        let spec = ModelSpec::new([2, 6, 6], [entry]);
        let rendered = spec.rendered().unwrap().layers[0].to_string();
        assert!(rendered.ends_with("steps = 2, eps = 1e-12, dim = 1 }"), "{rendered}");
        let e = catch(|| SpectralNorm::new(Linear::new(2, 2)).dim(2)).unwrap_err();
        assert_eq!(e.message(), "spectral_norm: the weight [2, 2] has no axis 2");
        let e = catch(|| drop(SpectralNorm::new(Tensor::relu))).unwrap_err();
        assert_eq!(e.message(), "spectral_norm: `relu` is no layer of one weight");
    }
}
