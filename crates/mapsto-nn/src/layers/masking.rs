//! Sequences of different lengths in one batch: lengths are found by their padding, and the layers inside keep to them.

use super::seen::within_lengths;
use super::{LayerKind, Sequential};
use crate::spec::build_layers;
use crate::{AtLengths, Layer, Module, budget};
use mapsto_spec::{Bounds, Entry};
use mapsto_tensor::{DType, Device, Tensor, fail};

/// Applies layers to sequences that are padded at their ends to the longest of the batch: the last step of a sequence is the last one that is
/// not all padding.
///
/// Recurrent layers end there, and the one that reads backwards begins there; attention sees no padding. What stands after the last step of a
/// sequence changes no bit of the answer, and there the output is 0. Inside may stand layers that keep to lengths (recurrent layers, attention,
/// transformers) or that work on each step by itself (linear layers, activations, norms of features, embeddings, dropout, joins of these); another
/// one, which would mix steps with padding, is refused. A layer that makes one result of a sequence, such as `Lstm::last`, ends
/// the sequences, and any layer may follow it.
///
/// * Shape: `[b, t, ..]`, or ids `[b, t]`, to what the layers make of it.   * Parameters: those of the layers, under `layers`.
/// * PyTorch: `pack_padded_sequence` around a layer, `src_key_padding_mask`; Keras: `Masking`, and `Embedding(mask_zero=True)`.
/// ```
/// use mapsto_nn::prelude::*;
/// let net = Masking::new(seq![Embedding::new(9, 4), Lstm::new(4, 3).last()]);
/// let y = net.forward(&tensor![[5, 2, 0, 0], [1, 7, 3, 8]]); // the first one has two steps
/// assert_close!(y.slice(0, ..1), net.forward(&tensor![[5, 2]]));
/// let z = net.forward_lengths(&tensor![[5, 2, 6, 6], [1, 7, 3, 8]], &[2, 4]);
/// assert_close!(z, y);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Masking {
    layers: Sequential,
    padding: f64,
}

impl Masking {
    /// These layers, on sequences that are padded with 0.
    pub fn new(layers: Sequential) -> Masking {
        Masking { layers, padding: 0.0 }
    }

    /// The same of another padding: an id, or the number that all features of a padded step have.
    ///
    /// # Panics
    /// When it is not finite.
    #[track_caller]
    #[must_use]
    pub fn padding(self, padding: f64) -> Masking {
        Masking { padding: Bounds::FINITE.check("masking", "padding", padding), ..self }
    }

    /// The number of steps of each sequence `[b, t, ..]`, up to the last one that is not all padding.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let net = Masking::new(seq![]).padding(-1.0);
    /// assert_eq!(net.lengths(&tensor![[3, -1, 4, -1], [-1, -1, -1, -1]]), [3, 0]);
    /// ```
    /// # Panics
    /// When `x` has fewer than two axes.
    #[track_caller]
    pub fn lengths(&self, x: &Tensor) -> Vec<usize> {
        let [b, t] = self.steps(x);
        let there: Vec<bool> =
            x.detach().ne(self.padding).reshape([b, t, x.len() / (b * t).max(1)]).any(-1).to_vec();
        let last = |steps: &[bool]| steps.iter().rposition(|&there| there).map_or(0, |i| i + 1);
        if t == 0 { vec![0; b] } else { there.chunks(t).map(last).collect() }
    }

    /// The output for sequences of lengths that are known, whatever stands after them.
    ///
    /// # Panics
    /// When there is not a length of at most `t` for each sequence, or a layer inside knows no lengths.
    #[track_caller]
    pub fn forward_lengths(&self, x: &Tensor, lengths: &[usize]) -> Tensor {
        let [b, t] = self.steps(x);
        if lengths.len() != b || lengths.iter().any(|&n| n > t) {
            fail!("masking", "lengths {lengths:?} do not fit {b} sequences of {t} steps"; help = "give a length of at most {t} for each");
        }
        if x.dtype().is_float() && x.rank() == 2 {
            fail!("masking", "steps of features [batch, steps, features] were expected, found {:?} of {}", x.shape(), x.dtype();
                  help = "one number a step has one feature: `x.unsqueeze(-1)`, `{{ unflatten = [-1, 1] }}` in a file");
        }
        // Steps that no sequence has are left out, so that nothing sees how many there are.
        let most = lengths.iter().copied().max().unwrap_or(0).max(1).min(t);
        let x = x.slice(1, ..most as isize);
        let x = if x.dtype().is_float() { hidden(&x, lengths) } else { x };
        match self.layers.at_lengths(&x, lengths) {
            Ok(AtLengths::Samples(y)) => y,
            Ok(AtLengths::Steps(y)) => {
                let mut around = vec![(0, 0); y.rank()];
                around[1] = (0, t - most);
                let y = if y.dtype().is_float() { hidden(&y, lengths) } else { y };
                if most < t { y.pad(&around, 0.0) } else { y }
            }
            Err(layer) => {
                fail!("masking", "{layer} knows no lengths of sequences: it might mix steps with padding";
                                help = "put it behind the layer that makes one result of a sequence (`last = true`), or outside of `masking`")
            }
        }
    }

    #[track_caller]
    fn steps(&self, x: &Tensor) -> [usize; 2] {
        match x.shape() {
            &[b, t, ..] => [b, t],
            shape => fail!("masking", "[batch, steps, ..] was expected, found {shape:?}"),
        }
    }
}

/// `x` with 0 after the last step of each sequence.
#[track_caller]
fn hidden(x: &Tensor, lengths: &[usize]) -> Tensor {
    let mut there = within_lengths(x, lengths, x.shape()[1]);
    for _ in 2..x.rank() {
        there = there.unsqueeze(-1);
    }
    there.choose(x, 0.0)
}

impl Layer for Masking {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let [_, t] = self.steps(x);
        // Without numbers there is no padding to be seen.
        let lengths = if x.device() == Device::shape() { vec![t; x.shape()[0]] } else { self.lengths(x) };
        self.forward_lengths(x, &lengths)
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, lengths: &[usize]) -> std::result::Result<AtLengths, String> {
        self.layers.at_lengths(x, lengths)
    }

    fn describe(&self) -> String {
        format!("Masking({})", self.layers.describe())
    }

    fn inner(&self) -> Vec<(String, &dyn Layer)> {
        vec![("layers".to_string(), &self.layers as &dyn Layer)]
    }

    fn input_dtype(&self) -> DType {
        self.layers.input_dtype()
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.layers.entries()?).with_option("padding", self.padding))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "masking",
    "The given layers on sequences of different lengths, which end where their padding begins.",
    |args, input| {
        let entries: Vec<Entry> = args.main()?;
        let padding = Bounds::FINITE.option(args, "padding", 0.0)?;
        if input.is_empty() {
            return Err(args.misfit("", "the input should be [steps, ..], it has no axes"));
        }
        let body = build_layers(&entries, input)?;
        budget::output(args, &body.output)?;
        args.record_main(body.entries);
        let layer = Masking { layers: body.layers, padding };
        refused(&layer, input).map_err(|e| args.misfit("", e))?;
        Ok(Box::new(layer))
    },
)
.options(&[
    ("", "the layers"),
    (
        "padding",
        "the id that stands after the last step, or the number that all features of a padded step have",
    ),
])
.example(|| Entry::new("masking").with_value(vec![Entry::new("relu")]));

/// What is wrong with the layers, found without any number.
fn refused(layer: &Masking, input: &[usize]) -> std::result::Result<(), String> {
    let shape = [&[1], input].concat();
    let x = Tensor::full_of(&shape[..], 0.0, layer.input_dtype());
    match mapsto_tensor::catch(|| mapsto_tensor::no_grad(|| layer.forward_lengths(&x, &[input[0]]))) {
        Ok(_) => Ok(()),
        Err(e) => Err(e.message().trim_start_matches("masking: ").to_string()),
    }
}

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::Entry;

    #[test]
    fn masking() {
        check_layer(|| Masking::new(seq![Linear::new(3, 4), Tensor::tanh, Gru::new(4, 2).bidirectional()]))
            .gives([2, 5, 3], [2, 5, 4]);
        check_layer(|| Masking::new(seq![Lstm::new(3, 2).last(), Linear::new(2, 2)]))
            .gives([2, 5, 3], [2, 2]);
        let net = Masking::new(seq![Conv1d::new(3, 2, 1)]);
        let e = catch(|| net.forward(&Tensor::ones([2, 3, 4]))).unwrap_err();
        assert!(e.message().contains("Conv1d(3 → 2, 1) knows no lengths of sequences"), "{e}");
        let e = catch(|| net.forward_lengths(&Tensor::ones([2, 3, 4]), &[2, 4])).unwrap_err();
        assert_eq!(e.message(), "masking: lengths [2, 4] do not fit 2 sequences of 3 steps");
        let e = catch(|| net.forward(&Tensor::ones([3]))).unwrap_err();
        assert_eq!(e.message(), "masking: [batch, steps, ..] was expected, found [3]");
    }

    #[test]
    fn a_model_file_can_name_it() {
        let embedding = Entry::new("embedding").with_value(9_usize).with_option("size", 4_usize);
        let lstm = Entry::new("lstm").with_value(5_usize).with_option("last", true);
        let entry = Entry::new("masking").with_value(vec![embedding, lstm]);
        let spec = ModelSpec::new([6], [entry.clone()]);
        assert_eq!(spec.shapes().unwrap(), [[5]]);
        let model = spec.build().unwrap();
        let y = model.forward(&tensor![[3, 1, 0, 0, 0, 0]]);
        assert_close!(y, model.forward(&tensor![[3, 1]]));
        assert_eq!(model.input_dtype(), DType::I64);
        let conv = Entry::new("conv1d").with_value(2_usize).with_option("kernel", 3_usize);
        let bad = ModelSpec::new([6, 4], [Entry::new("masking").with_value(vec![conv])]);
        let e = bad.build().err().unwrap();
        assert!(e.to_string().contains("knows no lengths of sequences"), "{e}");
    }

    #[test]
    fn a_sequence_of_padding_alone_has_no_steps() {
        let x = Tensor::zeros([2, 4, 3]);
        for net in [seq![Lstm::new(3, 3)], seq![MultiHeadAttention::new(3, 1)], seq![Gru::new(3, 3).last()]] {
            let y = Masking::new(net).forward(&x);
            assert!(y.is_finite() && y.shape()[0] == 2, "{y}");
        }
    }
}
