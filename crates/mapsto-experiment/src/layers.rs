//! `LayerRow`: what each layer of a model gives, holds and costs, found by running it.

use std::cell::Cell;
use std::rc::Rc;

use mapsto::nn::{Layer, ModelSpec, ModuleExt};
use mapsto::trace::{self, TraceEvent};
use mapsto::{Result, Tensor, no_grad};

/// A layer of a model, for one sample.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerRow {
    /// The layer in a few words, such as `Linear(4 → 3)`.
    pub layer: String,
    /// The layers inside it: how deep inside, from 1, the layer, and the parameters that it holds.
    pub inside: Vec<(usize, String, usize)>,
    /// The shape of what it gives.
    pub shape: Vec<usize>,
    /// Its parameters.
    pub parameters: usize,
    /// Multiplications, each followed by an addition, of matrix products and convolutions.
    pub macs: u64,
    /// The memory of what it gives.
    pub bytes: usize,
}

impl LayerRow {
    /// Every layer of a model in order. Zeros are run through them, one by one; on [`Device::shape`](mapsto::Device::shape) nothing is computed.
    ///
    /// ```
    /// use mapsto::nn::ModelSpec;
    /// use mapsto::spec::Entry;
    /// use mapsto_experiment::LayerRow;
    /// let rows = LayerRow::of(&ModelSpec::new([4], [Entry::new("linear").with_value(3_usize)]))?;
    /// assert_eq!((rows[0].layer.as_str(), rows[0].parameters, rows[0].macs), ("Linear(4 → 3)", 15, 12));
    /// # Ok::<(), mapsto::Error>(())
    /// ```
    ///
    /// # Errors
    /// The model cannot be built.
    pub fn of(spec: &ModelSpec) -> Result<Vec<LayerRow>> {
        let model = spec.build()?;
        let shape: Vec<usize> = std::iter::once(1).chain(spec.input.iter().copied()).collect();
        let mut x = Tensor::zeros(&shape[..]).to(model.input_dtype());
        let mut rows = Vec::new();
        for layer in model.layers() {
            let (y, macs) = no_grad(|| macs(|| layer.forward(&x)));
            rows.push(LayerRow {
                layer: if layer.inner().is_empty() { layer.describe() } else { layer.name().into_owned() },
                inside: inside(&**layer, 1),
                shape: y.shape()[1..].to_vec(),
                parameters: layer.parameter_count(),
                macs,
                bytes: y.len() * y.dtype().size(),
            });
            x = y;
        }
        Ok(rows)
    }
}

/// The layers inside a layer, those inside them one deeper.
fn inside(layer: &dyn Layer, depth: usize) -> Vec<(usize, String, usize)> {
    let mut out = Vec::new();
    for (name, part) in layer.inner() {
        let within = inside(part, depth + 1);
        let shown = if within.is_empty() { part.describe() } else { part.name().into_owned() };
        out.push((depth, format!("{name}: {shown}"), part.parameter_count()));
        out.extend(within);
    }
    out
}

/// Runs `body` and counts its multiplications, each followed by an addition.
fn macs<R>(body: impl FnOnce() -> R) -> (R, u64) {
    let count = Rc::new(Cell::new(0));
    let seen = Rc::clone(&count);
    let watch = move |event: &TraceEvent<'_>| seen.set(seen.get() + event.cost().macs);
    let result = trace::with(watch, body);
    (result, count.get())
}

#[test]
fn products_are_counted_and_the_rest_is_free() {
    let (a, b) = (Tensor::ones([5, 3, 4]), Tensor::ones([4, 7]));
    assert_eq!(macs(|| a.matmul(&b).tanh()).1, 5 * 3 * 4 * 7);
    assert_eq!(macs(|| a.linear(&Tensor::ones([6, 4]), None)).1, 15 * 6 * 4);
}
