//! Averages of a model's parameters, which can be shown in it in place of those that are trained: what optimizers and trainers that average keep.

use super::{Item, ItemMut, Module, Param, Path};
use mapsto_tensor::{DType, Error, ErrorKind, LeafId, Result, Tensor, no_grad};
use std::collections::BTreeMap;

/// An average of each parameter that is not frozen, in f32 where the parameter is in half precision.
///
/// [`follow`](Averages::follow) moves it, `a ← keep · a + (1 − keep) · p`; [`show`](Averages::show) puts it into the model and
/// [`hide`](Averages::hide) the trained parameters back. [`Ema`](crate::Ema) and [`Swa`](crate::Swa) keep an average beside a model that
/// nobody else changes.
/// ```
/// use mapsto_nn::prelude::*;
/// use mapsto_nn::Averages;
/// let mut w = Linear::new(1, 1).no_bias();
/// w.weight.set(&tensor![[1.0]])?;
/// let mut averages = Averages::default();
/// averages.begin(&w);
/// w.weight.set(&tensor![[3.0]])?;
/// averages.follow(&w, 0.5);
/// averages.show(&mut w)?;
/// assert_close!(w.weight, [[2.0]]);
/// averages.hide(&mut w)?;
/// assert_close!(w.weight, [[3.0]]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Averages(BTreeMap<LeafId, Average>);

#[derive(Debug)]
struct Average {
    name: String,
    value: Tensor,
    /// While the model holds the average, the parameter.
    trained: Option<Tensor>,
}

/// A parameter in the dtype that its average is kept in.
fn wide(p: &Param) -> Tensor {
    let p = p.detach();
    if matches!(p.dtype(), DType::F16 | DType::BF16) { p.to(DType::F32) } else { p }
}

impl Averages {
    /// Lets the average of each parameter that has none begin at the parameter.
    pub fn begin(&mut self, model: &dyn Module) {
        self.begin_at(model, &wide);
    }

    /// As [`Averages::begin`], of parameters that are known more exactly than the model holds them.
    pub(crate) fn begin_at(&mut self, model: &dyn Module, wide: &dyn Fn(&Param) -> Tensor) {
        model.visit(&mut Path::new(), &mut |path, item| {
            if let Item::Param(p) = item
                && !p.is_frozen()
            {
                let begin = || Average { name: path.to_string(), value: wide(p), trained: None };
                self.0.entry(p.id()).or_insert_with(begin);
            }
        });
    }

    /// Moves each average towards its parameter: it keeps the share `keep` of itself.
    pub fn follow(&mut self, model: &dyn Module, keep: f64) {
        self.follow_to(model, keep, &wide);
    }

    pub(crate) fn follow_to(&mut self, model: &dyn Module, keep: f64, wide: &dyn Fn(&Param) -> Tensor) {
        model.visit(&mut Path::new(), &mut |_, item| {
            let Item::Param(p) = item else { return };
            let Some(average) = self.0.get_mut(&p.id()).filter(|_| !p.is_frozen()) else { return };
            let before = average.value.to_device(p.device());
            average.value = no_grad(|| before * keep + wide(p) * (1.0 - keep));
        });
    }

    /// Whether the model holds averages now.
    pub fn is_shown(&self) -> bool {
        self.0.values().any(|average| average.trained.is_some())
    }

    /// Whether there is no average.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts the averages into the model, and keeps what is trained.
    ///
    /// # Errors
    /// When the model has other dtypes than before.
    pub fn show(&mut self, model: &mut dyn Module) -> Result<()> {
        self.each(model, &mut |p, average| {
            if average.trained.is_none() {
                average.trained = Some(p.detach());
                p.set(&average.value.to_device(p.device()).to(p.dtype()))?;
            }
            Ok(())
        })
    }

    /// Puts back what is trained. Where somebody has written to a parameter since, that stays, and the average begins again there.
    ///
    /// # Errors
    /// As [`Averages::show`].
    pub fn hide(&mut self, model: &mut dyn Module) -> Result<()> {
        self.each(model, &mut |p, average| {
            let Some(trained) = average.trained.take() else { return Ok(()) };
            let shown = average.value.to_device(p.device()).to(p.dtype());
            if p.is_empty() || no_grad(|| (p.detach() - shown).abs().max(..).item()) == 0.0 {
                return p.set(&trained.to_device(p.device()));
            }
            average.value = p.detach().to(average.value.dtype());
            Ok(())
        })
    }

    /// The averages, and what is trained where they are shown, by name: what is saved to go on from.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        let mut tensors = Vec::new();
        for Average { name, value, trained } in self.0.values() {
            tensors.push((format!("{AVERAGE}/{name}"), value.clone()));
            tensors.extend(trained.iter().map(|p| (format!("{AVERAGE} trained/{name}"), p.clone())));
        }
        tensors
    }

    /// Takes what [`Averages::state`] gave out of a list of tensors.
    ///
    /// # Errors
    /// When they are of other parameters, or of other shapes.
    pub fn load(model: &dyn Module, tensors: &mut Vec<(String, Tensor)>) -> Result<Averages> {
        let own: BTreeMap<String, Tensor> =
            tensors.extract_if(.., |(name, _)| name.starts_with(AVERAGE)).collect();
        let (mut averages, mut found) = (BTreeMap::new(), 0);
        model.visit(&mut Path::new(), &mut |path, item| {
            let Item::Param(p) = item else { return };
            let find = |slot: &str| {
                let value = own.get(&format!("{slot}/{path}"));
                value
                    .filter(|x| x.shape() == p.shape() && x.dtype().is_float())
                    .map(|x| x.detach().contiguous())
            };
            let Some(value) = find(AVERAGE) else { return };
            let trained = find("average trained");
            found += 1 + usize::from(trained.is_some());
            averages.insert(p.id(), Average { name: path.to_string(), value, trained });
        });
        if found != own.len() {
            let message = "optimizer state: its averages are of other parameters, or of other shapes";
            return Err(Error::new(ErrorKind::Model, message));
        }
        Ok(Averages(averages))
    }

    /// Shows each parameter with its average.
    fn each(
        &mut self,
        model: &mut dyn Module,
        f: &mut dyn FnMut(&mut Param, &mut Average) -> Result<()>,
    ) -> Result<()> {
        let mut done = Ok(());
        model.visit_mut(&mut Path::new(), &mut |_, item| {
            if let ItemMut::Param(p) = item
                && let (true, Some(average)) = (done.is_ok(), self.0.get_mut(&p.id()))
            {
                done = f(p, average);
            }
        });
        done
    }
}

const AVERAGE: &str = "average";

#[test]
fn what_was_written_while_averages_were_shown_stays() {
    use crate::prelude::*;
    let mut w = Linear::new(2, 1);
    let mut averages = Averages::default();
    averages.begin(&w);
    let before = w.bias.as_ref().map(|b| b.to_vec::<f32>());
    averages.show(&mut w).unwrap();
    assert!(averages.is_shown() && !averages.is_empty());
    w.weight.set(&tensor![[5.0, 6.0]]).unwrap();
    averages.hide(&mut w).unwrap();
    assert_eq!(w.weight.to_vec::<f32>(), [5.0, 6.0]);
    assert_eq!(w.bias.as_ref().map(|b| b.to_vec::<f32>()), before);
    assert!(!averages.is_shown());
    averages.follow(&w, 0.9);
    averages.show(&mut w).unwrap();
    assert_close!(w.weight, [[5.0, 6.0]]);
    let e = Averages::load(&Linear::new(3, 1), &mut averages.state()).unwrap_err();
    assert!(e.message().contains("of other parameters"), "{e}");
}
