//! Hooks on layers: functions that see, or replace, what goes into a layer and what comes out of it.

use super::layer::Layer;
use super::{AtLengths, Item, ItemMut, Module, Path, Then};
use mapsto_spec::Entry;
use mapsto_tensor::graph::HookResult;
use mapsto_tensor::{DType, Tensor};
use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

type Before = Arc<dyn Fn(&Tensor) -> Option<Tensor> + Send + Sync>;
type After = Arc<dyn Fn(&Tensor, &Tensor) -> Option<Tensor> + Send + Sync>;

/// A layer with hooks: before its forward pass they see, or replace, the input, and after it the output. Without hooks it is the layer itself, under
/// the same names and with the same bits; while it has any, it shares no pass with its neighbours.
///
/// In a [`Sequential`](crate::Sequential) a layer is hooked by its name: [`register_forward_hook`](crate::Sequential::register_forward_hook). A struct
/// of one's own has a field of this type. For gradients there is [`Tensor::register_hook`], also on an output that a hook sees.
/// ```
/// use mapsto_nn::{Hooked, prelude::*};
/// #[derive(Module)]
/// # #[module(crate = mapsto_nn)]
/// struct Net { fc: Hooked<Linear> }
/// let net = Net { fc: Hooked::new(Linear::new(2, 3)) };
/// let zeros = net.fc.register_forward_hook(|_x: &Tensor, y: &Tensor| y * 0.0);
/// assert_eq!(tensor![1.0, 2.0].apply(&net.fc).to_vec::<f32>(), [0.0; 3]);
/// drop(zeros);
/// assert_ne!(tensor![1.0, 2.0].apply(&net.fc).to_vec::<f32>(), [0.0; 3]);
/// assert_eq!(net.parameters()[0].0, "fc.weight");
/// ```
pub struct Hooked<L> {
    /// The layer.
    pub layer: L,
    hooks: Hooks,
}

impl<L: Layer> Hooked<L> {
    /// The layer with no hooks so far.
    pub fn new(layer: L) -> Hooked<L> {
        Hooked { layer, hooks: Hooks::default() }
    }

    /// Shows each input to `f`, which gives nothing, or what is to be the input, until the handle is dropped.
    pub fn register_forward_pre_hook<R: HookResult>(
        &self,
        f: impl Fn(&Tensor) -> R + Send + Sync + 'static,
    ) -> LayerHook {
        self.hooks.before(Arc::new(move |x| f(x).seen()))
    }

    /// Shows each input and its output to `f`, which gives nothing, or what is to be the output, until the handle is dropped.
    pub fn register_forward_hook<R: HookResult>(
        &self,
        f: impl Fn(&Tensor, &Tensor) -> R + Send + Sync + 'static,
    ) -> LayerHook {
        self.hooks.after(Arc::new(move |x, y| f(x, y).seen()))
    }
}

/// A hook on a layer. Dropping it removes the hook.
#[must_use = "dropping it removes the hook"]
#[derive(Debug)]
pub struct LayerHook {
    hooks: Hooks,
    id: usize,
}

impl Drop for LayerHook {
    fn drop(&mut self) {
        let gone = self.hooks.all(|all| {
            let at = all.iter().position(|(id, _)| *id == self.id);
            at.map(|at| all.remove(at))
        });
        self.hooks.0.count.fetch_sub(1, Relaxed);
        drop(gone);
    }
}

/// The hooks of one layer, which their handles share.
#[derive(Clone, Default, Debug)]
pub struct Hooks(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// How many there are, to be read in each forward pass.
    count: AtomicUsize,
    all: Mutex<Vec<(usize, Kind)>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} hooks", self.count.load(Relaxed))
    }
}

#[derive(Clone)]
enum Kind {
    Before(Before),
    After(After),
}

impl Hooks {
    fn all<R>(&self, f: impl FnOnce(&mut Vec<(usize, Kind)>) -> R) -> R {
        // Nothing that could panic runs under this lock.
        f(&mut self.0.all.lock().unwrap_or_else(|e| e.into_inner()))
    }

    pub(crate) fn before(&self, f: Before) -> LayerHook {
        self.add(Kind::Before(f))
    }

    pub(crate) fn after(&self, f: After) -> LayerHook {
        self.add(Kind::After(f))
    }

    fn add(&self, kind: Kind) -> LayerHook {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let id = NEXT.fetch_add(1, Relaxed);
        self.all(|all| all.push((id, kind)));
        self.0.count.fetch_add(1, Relaxed);
        LayerHook { hooks: self.clone(), id }
    }

    fn any(&self) -> bool {
        self.0.count.load(Relaxed) > 0
    }
}

impl<L: Layer> Module for Hooked<L> {
    fn visit(&self, path: &mut Path, f: &mut dyn FnMut(&Path, Item<'_>)) {
        self.layer.visit(path, f);
    }
    fn visit_mut(&mut self, path: &mut Path, f: &mut dyn FnMut(&Path, ItemMut<'_>)) {
        self.layer.visit_mut(path, f);
    }
}

impl<L: Layer> Layer for Hooked<L> {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        if !self.hooks.any() {
            return self.layer.forward(x);
        }
        let hooks: Vec<Kind> = self.hooks.all(|all| all.iter().map(|(_, kind)| kind.clone()).collect());
        let mut x = x.clone();
        for kind in &hooks {
            if let Kind::Before(f) = kind
                && let Some(new) = f(&x)
            {
                x = new;
            }
        }
        let mut y = self.layer.forward(&x);
        for kind in &hooks {
            if let Kind::After(f) = kind
                && let Some(new) = f(&x, &y)
            {
                y = new;
            }
        }
        y
    }

    #[track_caller]
    fn forward_then(&self, x: &Tensor, then: &[Then<'_>]) -> (Tensor, usize) {
        if self.hooks.any() { (self.forward(x), 0) } else { self.layer.forward_then(x, then) }
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, lengths: &[usize]) -> Result<AtLengths, String> {
        // What hooks make of a result is not known to leave the padding alone.
        if self.hooks.any() { Err(self.describe()) } else { self.layer.at_lengths(x, lengths) }
    }

    fn as_then(&self) -> Option<Then<'_>> {
        if self.hooks.any() { None } else { self.layer.as_then() }
    }

    fn hooks(&self) -> Option<&Hooks> {
        Some(&self.hooks)
    }

    fn layers_mut(&mut self) -> Option<&mut Vec<Box<dyn Layer>>> {
        self.layer.layers_mut()
    }

    fn name(&self) -> Cow<'static, str> {
        self.layer.name()
    }
    fn describe(&self) -> String {
        self.layer.describe()
    }
    fn inner(&self) -> Vec<(String, &dyn Layer)> {
        self.layer.inner()
    }
    fn summary(&self) -> String {
        self.layer.summary()
    }
    fn input_dtype(&self) -> DType {
        self.layer.input_dtype()
    }
    fn entry(&self) -> Option<Entry> {
        self.layer.entry()
    }
    fn entries(&self) -> Option<Vec<Entry>> {
        self.layer.entries()
    }
    /// Without the hooks, which are the original's.
    fn clone_layer(&self) -> Option<Box<dyn Layer>> {
        self.layer.clone_layer()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;
    use mapsto_tensor::catch;

    #[test]
    fn hooks_see_and_replace_and_go_with_their_handles() {
        let mut net = seq![Linear::new(3, 4), Tensor::relu, seq![Linear::new(4, 2), Tensor::tanh]];
        let x = Tensor::randn([5, 3]);
        let plain = net.forward(&x).to_vec::<f32>();
        let names =
            || net_names(&seq![Linear::new(3, 4), Tensor::relu, seq![Linear::new(4, 2), Tensor::tanh]]);
        let seen: Arc<Mutex<Vec<Vec<usize>>>> = Arc::default();
        let to = seen.clone();
        let look = net.register_forward_hook("0", move |x: &Tensor, y: &Tensor| {
            to.lock().unwrap().extend([x.shape().to_vec(), y.shape().to_vec()]);
        });
        assert_eq!(net.forward(&x).to_vec::<f32>(), plain, "a hook that looks changes nothing");
        assert_eq!(*seen.lock().unwrap(), [vec![5, 3], vec![5, 4]]);
        let double = net.register_forward_pre_hook("2.0", |x: &Tensor| x * 2.0);
        let ones = net.register_forward_hook("2.1", |_: &Tensor, y: &Tensor| Some(y * 0.0 + 1.0));
        assert_eq!(net.forward(&x).to_vec::<f32>(), [1.0; 10]);
        drop(ones);
        assert_ne!(net.forward(&x).to_vec::<f32>(), plain);
        drop((look, double));
        assert_eq!(net.forward(&x).to_vec::<f32>(), plain);
        assert_eq!(seen.lock().unwrap().len(), 6);
        assert_eq!(net_names(&net), names(), "names of parameters stay");
        assert_eq!(
            net.entry(),
            seq![Linear::new(3, 4), Tensor::relu, seq![Linear::new(4, 2), Tensor::tanh]].entry()
        );
    }

    fn net_names(net: &Sequential) -> Vec<String> {
        net.parameters().into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn a_hook_on_either_neighbour_switches_shared_passes_off() {
        let x = Tensor::randn([2, 3, 6, 6]);
        for hooked in ["0", "1"] {
            let mut net = seq![Conv2d::new(3, 4, 3), Tensor::relu];
            let plain = net.forward(&x).to_vec::<f32>();
            let least = Arc::new(Mutex::new(Vec::new()));
            let to = least.clone();
            let _hook = net.register_forward_hook(hooked, move |_: &Tensor, y: &Tensor| {
                to.lock().unwrap().push(y.min(..).item());
            });
            assert_eq!(net.forward(&x).to_vec::<f32>(), plain);
            let least = least.lock().unwrap()[0];
            assert_eq!(least < 0.0, hooked == "0", "the convolution's own output, and the rectifier's");
        }
    }

    #[test]
    fn hooks_are_part_of_the_graph_and_unknown_names_are_refused() {
        let mut net = seq![Linear::new(2, 2).no_bias(), Tensor::tanh];
        let _hook = net.register_forward_hook("0", |_: &Tensor, y: &Tensor| y * 3.0);
        let x = tensor![[0.3, -0.2]];
        let w = net.parameters()[0].1.clone();
        let plain = train(|| (x.linear(&w, None) * 3.0).tanh().sum(..)).backward();
        let grads = train(|| net.forward(&x).sum(..)).backward();
        assert_close!(grads.of(&w), plain.of(&w));
        let e = catch(|| drop(net.register_forward_hook("2", |_: &Tensor, _: &Tensor| ()))).unwrap_err();
        assert!(
            e.message().contains("no layer is called `2`") && e.help_text().unwrap().contains("0, 1"),
            "{e}"
        );
    }
}
