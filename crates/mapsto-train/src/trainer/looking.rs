//! Looking into a step: norms of gradients and changes, dead and saturated units. It reads tensors and draws nothing, so that no bit of
//! the training changes.

use crate::callbacks::{Inside, LayerInside, UnitsInside};
use mapsto_nn::{Item, Module, Path};
use mapsto_tensor::graph::Attr;
use mapsto_tensor::trace::TraceEvent;
use mapsto_tensor::{DType, Grads, LeafId, Tensor};
use std::collections::HashMap;

/// Activations with the bounds of their values; one with a lower bound alone kills the units that it holds there.
const BOUNDED: [(&str, f32, f32); 6] = [
    ("relu", 0.0, f32::INFINITY),
    ("relu6", 0.0, f32::INFINITY),
    ("tanh", -1.0, 1.0),
    ("sigmoid", 0.0, 1.0),
    ("hard_sigmoid", 0.0, 1.0),
    ("hardtanh", -1.0, 1.0),
];

/// The name of an activation that is looked at, as it stands in the list.
pub(crate) fn bounded(op: &str) -> Option<&'static str> {
    BOUNDED.iter().map(|(name, ..)| *name).find(|name| *name == op)
}

/// How near to a bound a value is saturated, as a part of the range.
const NEAR: f32 = 0.015;

/// So many values of a unit must be the same for it to be dead.
const FEWEST: usize = 32;

/// The activations of a forward pass as it goes.
#[derive(Default)]
pub(super) struct Units {
    /// The layer whose parameters were used last, the rank of its largest one, and how many used parameters before.
    last: Option<(LeafId, usize)>,
    layers: usize,
    seen: Vec<Seen>,
}

struct Seen {
    op: &'static str,
    bounds: (f32, f32),
    after: LeafId,
    rank: usize,
    layers: usize,
    y: Tensor,
}

impl Units {
    pub(super) fn see(&mut self, event: &TraceEvent<'_>) {
        if let Some(id) = event.leaves().next() {
            let of_leaves = event.inputs.iter().filter(|x| x.leaf_id().is_some());
            self.last = Some((id, of_leaves.map(|x| x.rank()).max().unwrap_or(0)));
            self.layers += 1;
        }
        // An activation of its own, or one that the operation before it does in the same pass and says as an attribute.
        let mut bounded = BOUNDED.iter().find(|(name, ..)| *name == event.op);
        event.operation.attrs(&mut |attr, value| {
            if matches!(value, Attr::Bool(true)) {
                bounded = BOUNDED.iter().find(|(name, ..)| *name == attr).or(bounded);
            }
        });
        if let (Some((op, low, high)), Some((after, rank))) = (bounded, self.last) {
            let y = event.output.detach();
            self.seen.push(Seen { op, bounds: (*low, *high), after, rank, layers: self.layers, y });
        }
    }

    /// What the activations gave; those behind the last layer are the model's answer, which may well be certain.
    pub(super) fn end(self, name: impl Fn(LeafId) -> String) -> Vec<UnitsInside> {
        let inner = self.seen.into_iter().filter(|seen| seen.layers < self.layers);
        inner
            .filter_map(|seen| {
                let kills = seen.bounds.1.is_infinite();
                let share = if kills { seen.dead() } else { Some(seen.saturated()) }?;
                Some(UnitsInside { op: seen.op, after: name(seen.after), kills, share })
            })
            .collect()
    }
}

impl Seen {
    fn values(&self) -> Vec<f32> {
        self.y.to(DType::F32).to_vec::<f32>()
    }

    /// The share of units that gave nothing on any sample; none where there are too few values to say so.
    fn dead(&self) -> Option<f64> {
        let shape = self.y.shape();
        // Channels of a convolution stand behind the batch, features of a linear layer last.
        let axis = if self.rank > 2 { 1 } else { shape.len().checked_sub(1)? };
        let units = *shape.get(axis)?;
        if units == 0 || self.y.len() / units < FEWEST {
            return None;
        }
        let others: Vec<usize> = (0..shape.len()).filter(|i| *i != axis).collect();
        let most = self.y.max(&others[..]).to(DType::F32).to_vec::<f32>();
        Some(most.iter().filter(|most| **most <= self.bounds.0).count() as f64 / units as f64)
    }

    /// The share of values that are near to a bound.
    fn saturated(&self) -> f64 {
        let (low, high) = self.bounds;
        let near = NEAR * (high - low);
        let is_near = |v: &&f32| **v < low + near || **v > high - near;
        let values = self.values();
        values.iter().filter(is_near).count() as f64 / values.len().max(1) as f64
    }
}

/// The parameters of a part before a step.
pub(super) struct Weights {
    layers: Vec<(String, f64)>,
    /// Those of at least two axes, whose size means something: biases begin at 0.
    before: HashMap<LeafId, Tensor>,
}

impl Weights {
    pub(super) fn before(part: &dyn Module, grads: &Grads, names: &HashMap<LeafId, Path>) -> Weights {
        let mut weights = Weights { layers: Vec::new(), before: HashMap::new() };
        part.visit(&mut Path::new(), &mut |_, item| {
            let Item::Param(p) = item else { return };
            let Some(g) = grads.by_id(p.id()) else { return };
            let layer = layer_of(names, p.id());
            let square = square(&g.to(DType::F32));
            match weights.layers.iter_mut().find(|(name, _)| *name == layer) {
                Some((_, sum)) => *sum += square,
                None => weights.layers.push((layer, square)),
            }
            if p.rank() >= 2 {
                // A reference count: the optimizer then writes to a copy.
                weights.before.insert(p.id(), p.detach());
            }
        });
        weights
    }

    pub(super) fn after(
        self,
        part: &dyn Module,
        names: &HashMap<LeafId, Path>,
        units: Vec<UnitsInside>,
    ) -> Inside {
        let mut changes: HashMap<String, (f64, f64)> = HashMap::new();
        part.visit(&mut Path::new(), &mut |_, item| {
            let Item::Param(p) = item else { return };
            let Some(before) = self.before.get(&p.id()) else { return };
            let before = before.to(DType::F32);
            let change = square(&(p.detach().to(DType::F32) - &before));
            let (changed, size) = changes.entry(layer_of(names, p.id())).or_default();
            (*changed, *size) = (*changed + change, *size + square(&before));
        });
        let layer = |(name, sum): (String, f64)| {
            let change = changes.get(&name).filter(|(_, size)| *size > 0.0);
            LayerInside {
                gradient: sum.sqrt(),
                update: change.map(|(change, size)| (change / size).sqrt()),
                name,
            }
        };
        Inside { layers: self.layers.into_iter().map(layer).collect(), units, ..Inside::default() }
    }
}

fn square(x: &Tensor) -> f64 {
    x.detach().square().sum(..).item()
}

/// `blocks.0.fc` of the parameter `blocks.0.fc.weight`.
pub(super) fn layer_of(names: &HashMap<LeafId, Path>, id: LeafId) -> String {
    let name = names.get(&id).map(Path::to_string).unwrap_or_default();
    name.rsplit_once('.').map_or(String::new(), |(layer, _)| layer.to_string())
}
