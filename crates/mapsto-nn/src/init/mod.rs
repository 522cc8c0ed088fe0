//! How weights begin: initialisers, drawn from the init stream of randomness.

mod constant;
mod fan;
mod kaiming;
mod normal;
mod orthogonal;
mod truncated_normal;
mod uniform;
mod xavier;

pub use constant::{Constant, Ones, Zeros};
pub use fan::{Fan, fans};
pub use kaiming::{KaimingNormal, KaimingUniform};
pub use normal::Normal;
pub use orthogonal::Orthogonal;
pub use truncated_normal::TruncatedNormal;
pub use uniform::Uniform;
pub use xavier::{XavierNormal, XavierUniform};

use mapsto_spec::{Args, Entry, Kind};
use mapsto_tensor::{Device, Result, Tensor};

/// A rule for the first values of a weight.
///
/// ```
/// use mapsto_nn::prelude::*;
/// use mapsto_nn::init::{Init, Constant};
/// assert_close!(Constant(0.5).tensor(&[2]), [0.5, 0.5]);
/// ```
pub trait Init: Send + Sync {
    /// Values of this shape (f32): `[out, in, ..]` for weights.
    fn tensor(&self, shape: &[usize]) -> Tensor;
}

impl Init for Box<dyn Init> {
    fn tensor(&self, shape: &[usize]) -> Tensor {
        (**self).tensor(shape)
    }
}

/// The outline of a weight whose values are computed one by one, where the current device holds no numbers.
fn outline(shape: &[usize]) -> Option<Tensor> {
    (!Device::current().backend().has_numbers()).then(|| Tensor::zeros(shape))
}

/// A line of [`INITS`].
pub type InitKind = Kind<fn(&mut Args) -> Result<Box<dyn Init>>>;

/// Every initialiser that can be named in a file.
pub const INITS: &[InitKind] = &[
    constant::ZEROS,
    constant::ONES,
    constant::CONSTANT,
    normal::KIND,
    uniform::KIND,
    truncated_normal::KIND,
    xavier::UNIFORM,
    xavier::NORMAL,
    kaiming::UNIFORM,
    kaiming::NORMAL,
    orthogonal::KIND,
];

/// The initialiser that an entry names, and the entry with its defaults filled in.
///
/// ```
/// use mapsto_nn::init;
/// use mapsto_spec::Entry;
/// let (_, rendered) = init::build_init(&Entry::new("normal"))?;
/// assert_eq!(rendered.to_string(), "{ normal = 0.01, mean = 0.0 }");
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
/// # Errors
/// When the name or an option is unknown, or a value does not fit.
pub fn build_init(entry: &Entry) -> Result<(Box<dyn Init>, Entry)> {
    mapsto_spec::build("initialiser", INITS, entry)
}
