//! What follows a layer, so that a layer whose kernel can do it as it stores its numbers does both in one pass.

use super::Layer;
use crate::layers::MaxPool2d;
use mapsto_spec::type_of;
use mapsto_tensor::{Tensor, fail};
use std::any::TypeId;
use std::cell::Cell;
use std::fmt;

/// What follows a layer: [`Layer::forward_then`] takes as much of it into its pass as its kernel can do.
///
/// Layers in a list find their followers by themselves. A forward pass that is written by hand names them:
/// ```
/// use mapsto_nn::{Then, prelude::*};
/// let (conv, norm) = (Conv2d::new(3, 8, 3).padding(1), BatchNorm2d::new(8));
/// let (x, around) = (Tensor::randn([1, 3, 5, 5]), Tensor::ones([1, 8, 5, 5]));
/// let y = x.apply_then(&conv, &[Then::of(&norm), Then::Plus(&around), Then::of(&Tensor::relu)]);
/// assert_close!(y, (x.apply(&conv).apply(&norm) + &around).relu());
/// ```
/// The numbers are the same to the bit, whether what follows runs in the same pass or in one of its own; a NaN is a NaN in both,
/// with whatever sign the processor gives it.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Then<'a> {
    /// A layer that always has a pass of its own.
    Layer(&'a dyn Layer),
    /// An activation, which its function tells from others.
    Activation {
        /// The activation as a layer.
        layer: &'a dyn Layer,
        /// The type of its function, as each function has one of its own.
        function: TypeId,
    },
    /// A norm that is a line for each channel in inference.
    Norm(&'a dyn ByChannel),
    /// A sum with a tensor of the same shape, such as the way around a residual block.
    Plus(&'a Tensor),
    /// The maximum of each window.
    MaxPool(&'a MaxPool2d),
}

impl<'a> Then<'a> {
    /// What a layer is to the layer before it.
    pub fn of(layer: &'a dyn Layer) -> Then<'a> {
        layer.as_then().unwrap_or(Then::Layer(layer))
    }

    /// It in a pass of its own.
    ///
    /// # Panics
    /// When the layer does not take `y`, or a sum has two shapes.
    #[track_caller]
    pub fn apply(&self, y: &Tensor) -> Tensor {
        match *self {
            Then::Layer(layer) | Then::Activation { layer, .. } => layer.forward(y),
            Then::Norm(norm) => norm.forward(y),
            Then::MaxPool(pool) => pool.forward(y),
            Then::Plus(x) if x.shape() != y.shape() => {
                fail!("then", "the result {:?} and what is added to it {:?} differ", y.shape(), x.shape();
                      help = "both must have one shape: a sum after a layer does not broadcast")
            }
            Then::Plus(x) => y + x,
        }
    }

    /// Whether it is [`Tensor::relu`].
    ///
    /// ```
    /// use mapsto_nn::{Then, prelude::*};
    /// assert!(Then::of(&Tensor::relu).is_relu() && !Then::of(&Tensor::tanh).is_relu());
    /// ```
    pub fn is_relu(&self) -> bool {
        matches!(self, Then::Activation { function, .. } if is_relu(*function))
    }

    /// Whether it rather shares a pass with what follows it than with the layer before it. Max pooling reads the numbers before
    /// a ReLU in any case, and with the ReLU in its pass neither stores nor differentiates what loses.
    fn leads(&self, next: Option<&Then<'_>>) -> bool {
        self.is_relu() && matches!(next, Some(Then::MaxPool(_)))
    }
}

impl fmt::Debug for Then<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Then::Layer(layer) | Then::Activation { layer, .. } => f.write_str(&layer.describe()),
            Then::Norm(norm) => f.write_str(&norm.describe()),
            Then::MaxPool(pool) => f.write_str(&pool.describe()),
            Then::Plus(x) => write!(f, "+ {:?}", x.shape()),
        }
    }
}

/// A layer that is `y = (x − mean) · scale + shift` for each channel, at least at times.
pub trait ByChannel: Layer {
    /// The numbers of each channel, where the layer's own pass computes exactly this formula at present, rounding after each step;
    /// `None` while it does not, as a batch norm in training.
    fn line(&self) -> Option<Line>;
}

/// `y = (x − mean) · scale + shift`, with three numbers for each channel.
///
/// ```
/// use mapsto_nn::{ByChannel, prelude::*};
/// let norm = BatchNorm2d::new(2).eps(3.0);
/// let line = norm.line().unwrap();
/// assert_close!(line.scale, [0.5, 0.5]);
/// assert!(train(|| norm.line()).is_none());
/// ```
#[derive(Clone, Debug)]
pub struct Line {
    /// What is subtracted first, `[channels]`.
    pub mean: Tensor,
    /// The factor, `[channels]`.
    pub scale: Tensor,
    /// What is added last, `[channels]`.
    pub shift: Tensor,
}

/// Whether a function is [`Tensor::relu`].
fn is_relu(function: TypeId) -> bool {
    function == type_of(&Tensor::relu)
}

/// An activation and, where it is a ReLU before a max pooling, that in the same pass.
#[track_caller]
pub(crate) fn activation_then<L: Layer>(
    layer: &L,
    function: TypeId,
    x: &Tensor,
    then: &[Then<'_>],
) -> (Tensor, usize) {
    match then {
        [Then::MaxPool(pool), ..] if is_relu(function) => (pool.of_relu(x), 1),
        _ => (layer.forward(x), 0),
    }
}

thread_local! {
    static APART: Cell<bool> = const { Cell::new(false) };
}

/// Runs `body` with a pass of its own for each layer, for who looks at what layers give.
///
/// ```
/// use mapsto_nn::{apart, prelude::*};
/// let (net, x) = (seq![Linear::new(2, 3), Tensor::relu], Tensor::ones([1, 2]).leaf());
/// let steps = |f: &dyn Fn() -> Tensor| mapsto_tensor::graph::trace(f).1.steps().len();
/// assert_eq!((steps(&|| net.forward(&x)), steps(&|| apart(|| net.forward(&x)))), (1, 2));
/// ```
pub fn apart<R>(body: impl FnOnce() -> R) -> R {
    struct Back(bool);
    impl Drop for Back {
        fn drop(&mut self) {
            APART.set(self.0);
        }
    }
    let _back = Back(APART.replace(true));
    body()
}

/// Whether each layer has a pass of its own here.
pub(super) fn is_apart() -> bool {
    APART.get()
}

/// As many followers as the longest pass takes: a norm, a sum and a ReLU.
pub(crate) const MOST: usize = 3;

/// What may run in the pass of the layer before `layers` and `after`: it is written to `room`, and this is how much it is.
pub(super) fn following<'a, L: Layer>(
    layers: &'a [L],
    after: &[Then<'a>],
    room: &mut [Then<'a>; MOST],
) -> usize {
    if is_apart() {
        return 0;
    }
    let at = |i: usize| match layers.get(i) {
        Some(layer) => layer.as_then(),
        None => after.get(i - layers.len()).copied(),
    };
    let (mut count, mut next) = (0, at(0));
    while let (Some(then), true) = (next, count < MOST) {
        next = at(count + 1);
        if then.leads(next.as_ref()) {
            break;
        }
        room[count] = then;
        count += 1;
    }
    count
}
