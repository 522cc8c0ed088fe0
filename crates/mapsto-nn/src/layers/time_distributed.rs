//! A layer applied to every step of sequences, where by itself it would not know the axis of the steps.

use super::LayerKind;
use crate::spec::build_layers;
use crate::{Layer, Module, budget};
use mapsto_spec::Entry;
use mapsto_tensor::{DType, Tensor, fail};
use std::borrow::Cow;

/// `y[:, t] = f(x[:, t])` for every step `t`, all steps in one pass, as a batch of `b · t` samples.
///
/// A [`Linear`](crate::Linear) does so by itself; a convolution of the images of a film does not.
///
/// * Shape: `[b, t, ..] → [b, t, ..]`, as `f` makes `[b, ..] → [b, ..]`.   * Parameters: those of `f`, under `layer`.
/// * PyTorch: `f(x.flatten(0, 1)).unflatten(0, (b, t))`; Keras: `TimeDistributed`.
///
/// ```
/// use mapsto_nn::prelude::*;
/// let see = TimeDistributed::new(seq![Conv2d::new(3, 8, 3), Tensor::relu, GlobalAvgPool::new()]);
/// let film = Tensor::zeros([2, 5, 3, 9, 9]);
/// assert_eq!(seq![see, Lstm::new(8, 4).last()].forward(&film).shape(), [2, 4]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct TimeDistributed<L> {
    layer: L,
}

impl<L: Layer> TimeDistributed<L> {
    /// Applies a layer to every step.
    pub fn new(layer: L) -> TimeDistributed<L> {
        TimeDistributed { layer }
    }
}

impl<L: Layer> Layer for TimeDistributed<L> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let &[b, t, ref rest @ ..] = x.shape() else {
            fail!("time_distributed", "[batch, steps, ..] was expected, found {:?}", x.shape());
        };
        let y = self.layer.forward(&x.reshape(&[&[b * t], rest].concat()[..]));
        match y.shape() {
            &[n, ref rest @ ..] if n == b * t => y.reshape(&[&[b, t], rest].concat()[..]),
            shape => {
                fail!("time_distributed", "the layer makes {shape:?} of {} samples", b * t; help = "it has to keep the axis of the batch")
            }
        }
    }

    fn name(&self) -> Cow<'static, str> {
        "TimeDistributed".into()
    }

    fn describe(&self) -> String {
        format!("TimeDistributed({})", self.layer.describe())
    }

    fn input_dtype(&self) -> DType {
        self.layer.input_dtype()
    }

    fn clone_layer(&self) -> Option<Box<dyn Layer>> {
        Some(Box::new(TimeDistributed { layer: self.layer.clone_layer()? }))
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name).with_value(self.layer.entries()?))
    }
}

pub(super) const KIND: LayerKind =
    LayerKind::new("time_distributed", "The given layers on every step of sequences.", |args, input| {
        let entries: Vec<Entry> = args.main()?;
        let Some((&steps, rest)) = input.split_first() else {
            return Err(args.misfit("", "the input should be [steps, ..], it has no axes"));
        };
        let body = build_layers(&entries, rest)?;
        budget::output(args, &[&[steps], &body.output[..]].concat())?;
        args.record_main(body.entries);
        Ok(Box::new(TimeDistributed::new(body.layers)))
    })
    .options(&[("", "the layers")])
    .example(|| Entry::new("time_distributed").with_value(vec![Entry::new("relu")]));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::Entry;

    #[test]
    fn time_distributed() {
        let body = || seq![Conv2d::new(2, 3, 2), Tensor::tanh, Flatten::new()];
        check_layer(move || TimeDistributed::new(body())).gives([2, 3, 2, 3, 3], [2, 3, 12]);
        check_layer(|| TimeDistributed::new(Dropout::new(0.3))).gives([2, 3, 4], [2, 3, 4]);
        let layer = TimeDistributed::new(body());
        let x = Tensor::randn([2, 3, 2, 3, 3]);
        let y = layer.forward(&x);
        assert_close!(y.select(1, 2), layer.layer.forward(&x.select(1, 2)));
        let e = catch(|| layer.forward(&Tensor::ones([3]))).unwrap_err();
        assert_eq!(e.message(), "time_distributed: [batch, steps, ..] was expected, found [3]");
        let mean = TimeDistributed::new(|x: &Tensor| x.sum(..));
        assert!(catch(|| mean.forward(&x)).unwrap_err().message().contains("makes [] of 6 samples"));
    }

    #[test]
    fn a_model_file_can_name_it() {
        let conv = Entry::new("conv2d").with_value(4_usize).with_option("kernel", 3_usize);
        let see = Entry::new("time_distributed").with_value(vec![conv, Entry::new("global_avg_pool")]);
        let layers = vec![see, Entry::new("lstm").with_value(5_usize).with_option("last", true)];
        let spec = ModelSpec::new([7, 3, 8, 8], layers);
        assert_eq!(spec.shapes().unwrap(), [vec![7, 4], vec![5]]);
        let model = spec.build().unwrap();
        assert_eq!(model.forward(&Tensor::zeros([2, 7, 3, 8, 8])).shape(), [2, 5]);
        assert!(model.parameters()[0].0.starts_with("0.layer.0.weight"));
    }
}
