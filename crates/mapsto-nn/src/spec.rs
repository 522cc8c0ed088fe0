//! A model written down: the shape of its input and its layers as entries, from a model file or a saved model.

#[cfg(test)]
mod tests;

use crate::budget;
use crate::layers::Sequential;
use crate::{Layer, ModuleExt};
use mapsto_spec::{Entry, Json};
use mapsto_tensor::{DType, Device, Error, ErrorKind, Result, Tensor, catch, no_grad, random};

/// The layers of a model in order, and the shape of one input.
///
/// Layers are told the shape they receive, found by passing zeros through what has been built so far; so a file says
/// `{ linear = 128 }` and not how many features arrive.
/// ```
/// use mapsto_nn::prelude::*;
/// use mapsto_spec::Entry;
/// let layers = [Entry::new("flatten"), Entry::new("linear").with_value(10_usize)];
/// let spec = ModelSpec::new([1, 28, 28], layers);
/// let model = spec.build()?;
/// assert_eq!(model.forward(&Tensor::zeros([2, 1, 28, 28])).shape(), [2, 10]);
/// assert_eq!(model.parameter_count(), 784 * 10 + 10);
/// assert_eq!(ModelSpec::from_json(&spec.to_json())?, spec);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ModelSpec {
    /// The shape of one input, without the batch axis.
    pub input: Vec<usize>,
    /// The layers in order.
    pub layers: Vec<Entry>,
}

impl ModelSpec {
    /// A model of these layers for inputs of this shape.
    pub fn new(input: impl Into<Vec<usize>>, layers: impl IntoIterator<Item = Entry>) -> ModelSpec {
        ModelSpec { input: input.into(), layers: layers.into_iter().collect() }
    }

    /// Builds the model, its weights freshly drawn.
    ///
    /// # Errors
    /// When a layer or an option is unknown, a value does not fit, or a layer cannot take the shape it would receive; the
    /// error points at the entry.
    pub fn build(&self) -> Result<Sequential> {
        Ok(build_layers(&self.layers, &self.input)?.layers)
    }

    /// Builds the model, provided that its weights have no more than `elements` elements in all: for files from elsewhere,
    /// whose own size says how many weights there can be.
    ///
    /// # Errors
    /// As [`build`](ModelSpec::build), and when the weights are more; they are not allocated then.
    pub fn build_within(&self, elements: usize) -> Result<Sequential> {
        budget::within(elements, || self.build())
    }

    /// The model on [`Device::shape`]: its names, shapes and costs without any number, whatever its size. Draws no
    /// randomness that would shift later draws.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// use mapsto_spec::Entry;
    /// let spec = ModelSpec::new([20_000], [Entry::new("linear").with_value(10_000_usize)]);
    /// assert_eq!(spec.outline()?.parameter_count(), 200_010_000);
    /// # Ok::<(), mapsto_tensor::Error>(())
    /// ```
    /// # Errors
    /// As [`build`](ModelSpec::build).
    pub fn outline(&self) -> Result<Sequential> {
        Ok(self.outlined()?.layers)
    }

    fn outlined(&self) -> Result<Built> {
        let state = random::state();
        let built = Device::shape().scope(|| build_layers(&self.layers, &self.input));
        random::set_state(&state);
        built
    }

    /// The same with every default filled in. Draws no randomness that would shift later draws.
    ///
    /// # Errors
    /// As [`build`](ModelSpec::build).
    pub fn rendered(&self) -> Result<ModelSpec> {
        Ok(ModelSpec { input: self.input.clone(), layers: self.outlined()?.entries })
    }

    /// The shape after each layer, without the batch axis.
    ///
    /// # Errors
    /// As [`build`](ModelSpec::build).
    pub fn shapes(&self) -> Result<Vec<Vec<usize>>> {
        Ok(self.outlined()?.shapes)
    }

    /// The spec as JSON: `{"input":[1,28,28],"layers":["flatten",{"linear":10}]}`.
    pub fn to_json(&self) -> Json {
        let layers = self.layers.iter().map(Entry::to_json).collect();
        Json::Object(vec![
            ("input".into(), Json::from(self.input.clone())),
            ("layers".into(), Json::List(layers)),
        ])
    }

    /// Reads what [`to_json`](ModelSpec::to_json) writes.
    ///
    /// # Errors
    /// When `json` has another form.
    pub fn from_json(json: &Json) -> Result<ModelSpec> {
        let wrong = |what: &str| Error::new(ErrorKind::Model, format!("model spec: {what}"));
        let sizes = json.get("input").and_then(Json::list).ok_or_else(|| wrong("`input` is missing"))?;
        let size = |j: &Json| j.int().and_then(|n| usize::try_from(n).ok());
        let input =
            sizes.iter().map(|j| size(j).ok_or_else(|| wrong("`input` holds something that is not a size")));
        let layers = json.get("layers").and_then(Json::list).ok_or_else(|| wrong("`layers` is missing"))?;
        Ok(ModelSpec {
            input: input.collect::<Result<_>>()?,
            layers: layers.iter().map(Entry::from_json).collect::<Result<_>>()?,
        })
    }
}

/// Layers built one after the other.
pub(crate) struct Built {
    pub(crate) layers: Sequential,
    /// The entries with every default filled in.
    pub(crate) entries: Vec<Entry>,
    /// The shape after each layer, without the batch axis.
    pub(crate) shapes: Vec<Vec<usize>>,
    /// The last shape.
    pub(crate) output: Vec<usize>,
}

pub(crate) fn build_layers(entries: &[Entry], input: &[usize]) -> Result<Built> {
    budget::nested(|| build_list(entries, input))
}

fn build_list(entries: &[Entry], input: &[usize]) -> Result<Built> {
    if budget::count(input).is_none() || input.len() + 1 > mapsto_tensor::MAX_RANK {
        return Err(Error::new(ErrorKind::Model, format!("model: an input of shape {input:?} is too large")));
    }
    let (mut layers, mut rendered, mut shapes) = (Sequential::default(), Vec::new(), Vec::new());
    let mut shape = input.to_vec();
    for (i, entry) in entries.iter().enumerate() {
        let built = build_layer(entry, &shape).map_err(|e| at(e, entry, i));
        let (layer, entry, after) = built?;
        shape = after;
        shapes.push(shape.clone());
        rendered.push(entry);
        layers = layers.then(layer);
    }
    Ok(Built { layers, entries: rendered, shapes, output: shape })
}

fn build_layer(entry: &Entry, input: &[usize]) -> Result<(Box<dyn Layer>, Entry, Vec<usize>)> {
    budget::layer()?;
    budget::pass(&entry.name, input)?;
    let (layer, entry) = catch(|| mapsto_spec::filled::<dyn Layer>(entry, input))??;
    let dtype = layer.input_dtype();
    // Zeros in inference mode draw nothing and change no state. They are cheap even for large models: one sample, or two where a
    // layer takes the statistics of its batch.
    let pass = |samples: usize| {
        let batch: Vec<usize> = std::iter::once(samples).chain(input.iter().copied()).collect();
        catch(|| no_grad(|| layer.forward(&Tensor::full_of(&batch[..], 0.0, dtype))))
    };
    let y = pass(1).or_else(|error| pass(2).map_err(|_| error))?;
    let output = y.shape().get(1..).unwrap_or_default().to_vec();
    if output.contains(&0) {
        return Err(Error::new(
            ErrorKind::Model,
            format!("layer `{}`: nothing is left of {input:?}: {output:?}", entry.name),
        ));
    }
    Ok((layer, entry, output))
}

/// Points at the entry, unless the error already points into it, and names entries that have no place by their number.
fn at(error: Error, entry: &Entry, i: usize) -> Error {
    match entry.span {
        Some(span) => error.with_span(span.into()),
        None => error.context(format!("layers[{i}]")),
    }
}

impl ModelSpec {
    /// The dtype of the inputs the built model takes: ids when it begins with an embedding.
    ///
    /// # Errors
    /// As [`build`](ModelSpec::build).
    pub fn input_dtype(&self) -> Result<DType> {
        Ok(self.outline()?.input_dtype())
    }

    /// The number of parameters of the built model.
    ///
    /// # Errors
    /// As [`build`](ModelSpec::build).
    pub fn parameter_count(&self) -> Result<usize> {
        Ok(self.outline()?.parameter_count())
    }
}
