//! A moving average of a model's weights, which often generalises better than the last ones.

use super::{Exceptions, Item, LoadReport, Module, ModuleExt, Path};
use mapsto_spec::Bounds;
use mapsto_tensor::error::here;
use mapsto_tensor::{DType, Result, Tensor};

/// Exponential moving average of every parameter: `a ← β a + (1 − β) w`; states are taken as they are.
/// Averages of parameters in f16 and bf16 are kept in f32, where steps of a thousandth are not lost.
///
/// Source: Polyak, Juditsky (1992), Acceleration of stochastic approximation by averaging; the exponential form as in
/// Tarvainen, Valpola (2017), arXiv:1703.01780.
/// ```
/// use mapsto_nn::prelude::*;
/// let mut net = seq![Linear::new(1, 1).no_bias()];
/// net.load_state_dict([("0.weight".to_string(), tensor![[0.0]])], &Exceptions::none())?;
/// let mut ema = Ema::new(&net, 0.9);
/// net.load_state_dict([("0.weight".to_string(), tensor![[1.0]])], &Exceptions::none())?;
/// ema.update(&net);
/// ema.apply_to(&mut net)?;
/// assert_close!(net.state_dict()[0].1, [[0.1]]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ema {
    beta: f64,
    /// Each average, and the dtype that the model has it in.
    values: Vec<(String, Tensor, DType)>,
}

impl Ema {
    /// Starts from the model's present weights; `beta` in 0..1 is how much of the past each update keeps.
    ///
    /// # Panics
    /// When `beta` is not in 0..1.
    #[track_caller]
    pub fn new(model: &(impl Module + ?Sized), beta: f64) -> Ema {
        let beta = Bounds::SHARE.check("ema", "beta", beta);
        let wide = |(name, value): (String, Tensor)| {
            let dtype = value.dtype();
            (
                name,
                if matches!(dtype, DType::F16 | DType::BF16) { value.to(DType::F32) } else { value },
                dtype,
            )
        };
        Ema { beta, values: model.state_dict().into_iter().map(wide).collect() }
    }

    /// Moves the average towards the model's present weights.
    ///
    /// # Panics
    /// When the model's names are not those of the model that the average was started from.
    #[track_caller]
    pub fn update(&mut self, model: &(impl Module + ?Sized)) {
        self.update_keeping(model, self.beta);
    }

    /// As [`Ema::update`], keeping another share of the past.
    #[track_caller]
    pub(super) fn update_keeping(&mut self, model: &(impl Module + ?Sized), beta: f64) {
        let mut i = 0;
        let mut one = |path: &Path, item: Item<'_>| {
            let known = self.values.get_mut(i).filter(|(name, ..)| *name == path.to_string());
            let Some((_, value, dtype)) = known else {
                mapsto_tensor::fail!("ema", "the model has `{path}` where the average has another name";
                                     help = "use one `Ema` for each model");
            };
            *value = match item {
                Item::Param(p) => {
                    *dtype = p.dtype();
                    &*value * beta + p.detach().to(value.dtype()) * (1.0 - beta)
                }
                Item::State(s) => {
                    *dtype = s.get().dtype();
                    s.get()
                }
            };
            i += 1;
        };
        here(|| model.visit(&mut Path::new(), &mut one));
    }

    /// The averaged values by name, as a [`state_dict`](ModuleExt::state_dict).
    pub fn state_dict(&self) -> Vec<(String, Tensor)> {
        self.values.iter().map(|(name, value, dtype)| (name.clone(), value.to(*dtype))).collect()
    }

    /// Gives the averaged values to a model.
    ///
    /// # Errors
    /// When the model has other names or shapes.
    pub fn apply_to(&self, model: &mut impl Module) -> Result<LoadReport> {
        model.load_state_dict(self.state_dict(), &Exceptions::none())
    }
}

#[test]
fn an_average_refuses_another_model() {
    use crate::prelude::*;
    let mut ema = Ema::new(&Linear::new(1, 1), 0.5);
    let other = seq![Linear::new(1, 1)];
    let error = catch(|| ema.update(&other)).unwrap_err();
    assert_eq!(error.message(), "ema: the model has `0.weight` where the average has another name");
}

#[test]
fn averages_of_half_precision_do_not_stand_still() {
    use crate::prelude::*;
    for dtype in [DType::BF16, DType::F16] {
        let mut net = Linear::new(1, 1).no_bias();
        net.weight.set(&tensor![[1.0]]).unwrap();
        net.convert(dtype);
        let mut ema = Ema::new(&net, 0.999);
        net.weight.set(&tensor![[2.0]].to(dtype)).unwrap();
        (0..500).for_each(|_| ema.update(&net));
        let found = ema.state_dict()[0].1.clone();
        assert_eq!(found.dtype(), dtype);
        let expected = 2.0 - 0.999_f64.powi(500);
        assert!((found.item() - expected).abs() < 0.01, "{dtype}: {} {expected}", found.item());
    }
}
