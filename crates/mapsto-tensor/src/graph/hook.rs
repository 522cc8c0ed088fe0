//! Hooks on gradients: a function that sees, or replaces, the gradient of one tensor as `backward` comes by.

use super::origin::{Origin, Past};
use super::{Grads, LeafId, Node};
use crate::storage::Shared;
use crate::{Tensor, fail, scope};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};

impl Tensor {
    /// Shows the gradient of this tensor to `f`, in every later [`backward`](Tensor::backward), [`grad`](super::grad),
    /// [`grad_or_zeros`](super::grad_or_zeros) and [`grad_with`](super::grad_with) that comes by, until the handle is dropped.
    ///
    /// `f` gives nothing, or the gradient to go on with, of the same shape. It sees the whole gradient once, summed over all uses of the
    /// tensor, before those of what the tensor was computed from. Hooks run in the order in which they were
    /// registered, each on what the one before it gave. Under [`grad`](super::grad) what `f` computes of the gradient can be differentiated
    /// again. A parameter keeps its hooks as its values change. Derivatives forward ([`jvp`](super::jvp())) pass no hook.
    ///
    /// Where nothing is recorded, in `no_grad` or in inference, a hook on a result waits for a gradient that never comes. Inside of a
    /// part that [`checkpoint`](super::checkpoint) computes again, the hook on the second run is the one that is called: keep the handle outside
    /// of the part.
    ///
    /// ```
    /// use mapsto_tensor::prelude::*;
    /// let x = tensor![1.0, 2.0].leaf();
    /// let h = x.square();
    /// let hook = h.register_hook(|g: &Tensor| g.clamp(-1.0, 1.0));
    /// let loss = || (&h * 5.0).sum(..);
    /// assert_close!(grad(&loss(), [&x])[0], [2.0, 4.0]);
    /// drop(hook);
    /// assert_close!(grad(&loss(), [&x])[0], [10.0, 20.0]);
    /// ```
    /// # Panics
    /// When the tensor is a constant where operations are recorded. `backward` panics when `f` gives a gradient of another shape or dtype.
    #[track_caller]
    pub fn register_hook<R: HookResult>(&self, f: impl Fn(&Tensor) -> R + Send + Sync + 'static) -> Hook {
        let key = match &self.0.origin {
            Origin::Made(node) => {
                if !node.past.mark(Past::HOOKED) {
                    // Of a node that lay at this place before.
                    all().remove(&Key::of(node));
                }
                Key::of(node)
            }
            Origin::Leaf(id, _) => {
                LEAVES.fetch_add(1, Relaxed);
                Key::Leaf(*id)
            }
            Origin::Constant if !scope::mode().is_off() => {
                fail!("register_hook", "no gradient comes to a constant";
                      help = "make it a leaf with `.leaf()`, or compute it from parameters inside `train(|| ..)`")
            }
            Origin::Constant | Origin::Unrecorded(_) => return Hook(None),
        };
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Relaxed);
        all().entry(key).or_default().push((id, Arc::new(move |g| f(g).seen())));
        Hook(Some((key, id)))
    }
}

/// What a hook makes of a gradient: `()` leaves it, a tensor takes its place, an option does either.
pub trait HookResult {
    /// What takes the place of the gradient.
    fn seen(self) -> Option<Tensor>;
}
impl HookResult for () {
    fn seen(self) -> Option<Tensor> {
        None
    }
}
impl HookResult for Tensor {
    fn seen(self) -> Option<Tensor> {
        Some(self)
    }
}
impl HookResult for Option<Tensor> {
    fn seen(self) -> Option<Tensor> {
        self
    }
}

/// A hook that [`Tensor::register_hook`] made. Dropping it removes the hook.
#[must_use = "dropping it removes the hook"]
#[derive(Debug)]
pub struct Hook(Option<(Key, u64)>);

impl Drop for Hook {
    fn drop(&mut self) {
        let Some((key, id)) = self.0 else { return };
        let mut all = all();
        // The function is dropped behind the lock, as it may hold hooks itself.
        let gone = all.get_mut(&key).and_then(|hooks| {
            let at = hooks.iter().position(|(of, _)| *of == id)?;
            Some(hooks.remove(at))
        });
        if all.get(&key).is_some_and(Vec::is_empty) {
            all.remove(&key);
        }
        drop(all);
        if matches!(key, Key::Leaf(_)) {
            LEAVES.fetch_sub(1, Relaxed);
        }
        drop(gone);
    }
}

/// A node by its place in memory, which its mark says is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Node(usize),
    Leaf(LeafId),
}

impl Key {
    fn of(node: &Shared<Node>) -> Key {
        Key::Node(std::ptr::from_ref::<Node>(node).addr())
    }
}

type Look = Arc<dyn Fn(&Tensor) -> Option<Tensor> + Send + Sync>;

/// Whether any leaf has a hook is asked once for each `backward`, so it has a number of its own.
static LEAVES: AtomicUsize = AtomicUsize::new(0);
static ALL: Mutex<BTreeMap<Key, Vec<(u64, Look)>>> = Mutex::new(BTreeMap::new());

fn all() -> MutexGuard<'static, BTreeMap<Key, Vec<(u64, Look)>>> {
    // Nothing that could panic runs under this lock.
    ALL.lock().unwrap_or_else(|e| e.into_inner())
}

/// The gradient of a marked node as its hooks leave it.
#[track_caller]
#[cold]
pub(super) fn of_node(node: &Shared<Node>, g: Tensor) -> Tensor {
    through(Key::of(node), &g).unwrap_or(g)
}

/// Whether any leaf has a hook.
#[inline]
pub(super) fn on_leaves() -> bool {
    LEAVES.load(Relaxed) > 0
}

/// The gradient of a leaf as its hooks leave it, where they change it.
#[track_caller]
#[cold]
pub(super) fn of_leaf(id: LeafId, g: &Tensor) -> Option<Tensor> {
    through(Key::Leaf(id), g)
}

/// The gradients of all leaves as their hooks leave them.
#[track_caller]
#[cold]
pub(super) fn of_leaves(grads: &mut Grads) {
    let ids: Vec<LeafId> = grads.iter().map(|(id, _)| id).collect();
    for id in ids {
        let changed = grads.by_id(id).and_then(|g| of_leaf(id, g));
        if let Some(g) = changed {
            grads.insert(id, g);
        }
    }
}

#[track_caller]
fn through(key: Key, g: &Tensor) -> Option<Tensor> {
    let hooks: Vec<Look> = all().get(&key)?.iter().map(|(_, look)| look.clone()).collect();
    let mut changed = None;
    for look in hooks {
        let Some(new) = look(changed.as_ref().unwrap_or(g)) else { continue };
        if new.shape() != g.shape() || new.dtype() != g.dtype() {
            fail!("register_hook", "a gradient of {:?} in {} cannot take the place of one of {:?} in {}",
                  new.shape(), new.dtype(), g.shape(), g.dtype();
                  help = "give one of the same shape and dtype, or nothing");
        }
        changed = Some(new);
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::checkpoint;
    use crate::prelude::*;

    fn seen() -> (Arc<Mutex<Vec<f64>>>, impl Fn(&Tensor) + Send + Sync + 'static) {
        let list: Arc<Mutex<Vec<f64>>> = Arc::default();
        let to = list.clone();
        (list, move |g: &Tensor| to.lock().unwrap().push(g.sum(..).item()))
    }

    #[test]
    fn a_hook_sees_the_whole_gradient_once_and_goes_with_its_handle() {
        let x = tensor![1.0, 2.0].leaf();
        let (list, look) = seen();
        let h = &x * 3.0;
        let hook = h.register_hook(look);
        let loss = (&h * &h).sum(..) + h.slice(0, 0..1).sum(..); // used three times
        let grads = loss.backward();
        assert_close!(grads.of(&x), [21.0, 36.0]);
        assert_eq!(*list.lock().unwrap(), [6.0 + 1.0 + 12.0]);
        drop(hook);
        let h = &x * 3.0;
        let _ = h.square().sum(..).backward();
        assert_eq!(list.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_replaced_gradient_goes_on_and_hooks_run_in_order() {
        let x = tensor![2.0].leaf();
        let h = x.square();
        let _a = h.register_hook(|g: &Tensor| g + 1.0);
        let _b = h.register_hook(|g: &Tensor| Some(g * 10.0));
        let _c = h.register_hook(|_: &Tensor| None::<Tensor>);
        assert_close!(grad(&h.sum(..), [&x])[0], [80.0]);
        // What was asked for is what the hooks left.
        assert_close!(grad(&h.sum(..), [&h])[0], [20.0]);
        assert_close!(h.sum(..).backward().of(&x), [80.0]);
    }

    #[test]
    fn leaves_keep_their_hooks_as_their_values_change() {
        let mut w = tensor![1.0, 3.0].parameter();
        let (list, look) = seen();
        let (_see, halve) = (w.register_hook(look), w.register_hook(|g: &Tensor| g * 0.5));
        let loss = |w: &Tensor| train(|| w.square().sum(..) + w.slice(0, 0..1).sum(..));
        assert_close!(loss(&w).backward().of(&w), [1.5, 3.0]);
        w.replace(&tensor![2.0, 0.0]);
        assert_close!(grad(&loss(&w), [&w])[0], [2.5, 0.0]);
        assert_close!(grad_or_zeros(&loss(&w), &[&w])[0], [2.5, 0.0]);
        assert_eq!(*list.lock().unwrap(), [9.0, 5.0, 5.0]);
        drop(halve);
        assert_close!(loss(&w).backward().of(&w), [5.0, 0.0]);
    }

    #[test]
    fn second_derivatives_go_through_what_a_hook_computes() {
        // d(x³) = 3x², the hook squares g = 2y at y = x³: dx = 4y² 3x² = 12 x⁸, ddx = 96 x⁷.
        let x = tensor![1.1].leaf();
        let y = &x * &x * &x;
        let _hook = y.register_hook(|g: &Tensor| g.square());
        let [dx] = grad(&y.square().sum(..), [&x]);
        assert_close!(dx, [12.0 * 1.1f64.powi(8)]);
        let [ddx] = grad(&dx.sum(..), [&x]);
        // y is used in the gradient too, so the hook acts on that way once more: g = d(dx)/dy = 8 y 3x² = 24 x⁵,
        // squared and times 3x² it is 1728 x¹², beside 4y² 6x = 24 x⁷.
        assert_close!(ddx, [1728.0 * 1.1f64.powi(12) + 24.0 * 1.1f64.powi(7)]);
    }

    #[test]
    fn a_part_that_is_computed_again_has_the_hooks_of_its_second_run() {
        let x = tensor![3.0].leaf();
        let kept: Arc<Mutex<Vec<Hook>>> = Arc::default();
        let to = kept.clone();
        let part = move |xs: &[Tensor]| {
            let h = xs[0].square();
            to.lock().unwrap().push(h.register_hook(|g: &Tensor| g * 2.0));
            h * 5.0
        };
        let y = checkpoint(part, &[&x]);
        assert_close!(y.sum(..).backward().of(&x), [60.0]);
        assert_eq!(kept.lock().unwrap().len(), 2);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let x = tensor![1.0, 2.0].leaf();
        let message = |f: &dyn Fn()| catch(f).unwrap_err().message().to_string();
        assert!(
            message(&|| drop(tensor![1.0].register_hook(|_: &Tensor| ())))
                .contains("no gradient comes to a constant")
        );
        drop(no_grad(|| tensor![1.0].register_hook(|_: &Tensor| ())));
        let h = &x * 2.0;
        let _hook = h.register_hook(|g: &Tensor| g.sum(..));
        assert!(
            message(&|| drop(grad(&h.sum(..), [&x])))
                .contains("of [] in f32 cannot take the place of one of [2]")
        );
    }
}
