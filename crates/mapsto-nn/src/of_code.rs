//! Models of code written down: a spec made of the entries that layers say of themselves.

use crate::{Exceptions, Layer, ModelSpec, ModuleExt, Sequential};
use mapsto_spec::Entry;
use mapsto_tensor::{Error, ErrorKind, Result};

impl ModelSpec {
    /// A model of code written down, for inputs of this shape without the batch: `seq![..]` whose layers all say their
    /// entries. A file with it can be built, evaluated and used without the program that made the model.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// let net = seq![Linear::new(4, 8), Tensor::relu, Linear::new(8, 3).no_bias()];
    /// let spec = ModelSpec::of(&net, [4])?;
    /// let said = r#"[{ linear = 8, bias = true }, "relu", { linear = 3, bias = false }]"#;
    /// assert_eq!(mapsto_spec::Value::from(spec.layers.clone()).to_string(), said);
    /// assert_eq!(spec.build()?.parameter_count(), net.parameter_count());
    /// let e = ModelSpec::of(&seq![|x: &Tensor| x * 2.0], [4]).unwrap_err();
    /// assert!(e.message().contains("layer 0, closure, has no entry"));
    /// # Ok::<(), mapsto_tensor::Error>(())
    /// ```
    /// # Errors
    /// When a layer has no entry, as a closure has none, or when what a file would build of it has other names or shapes.
    pub fn of(model: &Sequential, input: impl Into<Vec<usize>>) -> Result<ModelSpec> {
        let entry = |(i, layer): (usize, &dyn Layer)| {
            layer.entry().ok_or_else(|| {
                let message =
                    format!("model: layer {i}, {}, has no entry that a file could hold", layer.name());
                Error::new(ErrorKind::Model, message)
                    .help("save the weights alone, and make the model in the program that loads them")
            })
        };
        let layers = model
            .layers()
            .iter()
            .map(|layer| &**layer)
            .enumerate()
            .map(entry)
            .collect::<Result<Vec<Entry>>>()?;
        ModelSpec { input: input.into(), layers }.checked(model)
    }

    /// The same of any model that is layers one after the other; nothing where it is none, or has a layer without an entry.
    pub fn of_layer<L: Layer + ?Sized>(model: &L, input: impl Into<Vec<usize>>) -> Option<ModelSpec> {
        let spec = ModelSpec { input: input.into(), layers: model.entries()? };
        spec.checked(model).ok()
    }

    /// The spec, provided that what it builds has the names and shapes of `model`.
    fn checked<L: Layer + ?Sized>(self, model: &L) -> Result<ModelSpec> {
        let any_float = Exceptions::none().converting();
        self.outline()?.compare_state_dict(model.state_dict(), &any_float).map_err(|e| {
            let said =
                format!("model: for inputs of {:?} a file would build another model than this", self.input);
            e.context(said).help("give the sizes of one sample, without the batch, that this model takes")
        })?;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use mapsto_spec::Json;

    #[test]
    fn a_model_of_code_is_written_down_and_built_again() {
        let body = || seq![Linear::new(6, 6).init(crate::init::Normal::new(0.5)), Tensor::gelu];
        let net = seq![
            Linear::new(4, 6),
            LayerNorm::new(6),
            Residual::new(body()),
            Repeat::new(2, body),
            Parallel::concat([body(), seq![Dropout::new(0.25)]]),
            seq![Tensor::tanh, None::<Linear>],
            Linear::new(12, 3).no_bias(),
        ];
        let spec = ModelSpec::of(&net, [4]).unwrap();
        let mut again = ModelSpec::from_json(&Json::parse(&spec.to_json().to_string()).unwrap())
            .unwrap()
            .build()
            .unwrap();
        again.load_state_dict(net.state_dict(), &Exceptions::none()).unwrap();
        let x = Tensor::randn([5, 4]);
        assert_eq!(again.forward(&x).to_vec::<f32>(), net.forward(&x).to_vec::<f32>());
        assert_eq!(ModelSpec::of(&again, [4]).unwrap(), spec);
        // Whose file would have other names, another shape, or another number of positions.
        for (net, input) in [
            (seq![Residual::new(Linear::new(4, 4))], vec![4]),
            (seq![Linear::new(4, 4)], vec![5]),
            (seq![PositionalEmbedding::new(9, 4)], vec![6, 4]),
            (seq![BatchNorm::<3>::new(4)], vec![4]),
        ] {
            assert!(ModelSpec::of(&net, input).is_err(), "{net:?}");
        }
        assert!(ModelSpec::of_layer(&vec![Linear::new(4, 4)], [4]).is_some());
        assert!(ModelSpec::of_layer(&Linear::new(4, 4), [4]).is_none());
    }
}
