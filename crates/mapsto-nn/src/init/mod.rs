//! How weights begin: initialisers, drawn from the init stream of randomness.

mod by_rule;
mod constant;
mod fan;
mod identity;
mod kaiming;
mod lsuv;
mod normal;
mod orthogonal;
mod sparse;
mod truncated_normal;
mod uniform;
mod variance_scaling;
mod xavier;

pub use by_rule::by_rule;
pub use constant::{Constant, Ones, Zeros};
pub use fan::{Fan, fans};
pub use identity::Identity;
pub use kaiming::{KaimingNormal, KaimingUniform};
pub use lsuv::{Lsuv, lsuv};
pub use normal::Normal;
pub use orthogonal::Orthogonal;
pub use sparse::Sparse;
pub use truncated_normal::TruncatedNormal;
pub use uniform::Uniform;
pub use variance_scaling::VarianceScaling;
pub use xavier::{XavierNormal, XavierUniform};

use mapsto_spec::{Entry, Family, Kind};
use mapsto_tensor::{Device, Tensor};

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

    /// The entry that a file names it by, with every setting; `None` for what no file can hold.
    fn entry(&self) -> Option<Entry> {
        None
    }
}

impl Init for Box<dyn Init> {
    fn tensor(&self, shape: &[usize]) -> Tensor {
        (**self).tensor(shape)
    }
    fn entry(&self) -> Option<Entry> {
        (**self).entry()
    }
}

/// The outline of a weight whose values are computed one by one, where the current device holds no numbers.
fn outline(shape: &[usize]) -> Option<Tensor> {
    (!Device::current().backend().has_numbers()).then(|| Tensor::zeros(shape))
}

/// A line of [`INITS`].
pub type InitKind = Kind<dyn Init>;

/// Every initialiser that can be named in a file.
///
/// ```
/// use mapsto_nn::init::Init;
/// use mapsto_spec::{Entry, build};
/// let init = build::<dyn Init>(&Entry::new("normal"), &())?;
/// assert_eq!(init.entry().unwrap().to_string(), "{ normal = 0.01, mean = 0.0 }");
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
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
    identity::KIND,
    sparse::KIND,
    variance_scaling::KIND,
];

impl Family for dyn Init {
    const NOUN: &'static str = "initialiser";
    type Given = ();
    fn kinds() -> &'static [InitKind] {
        INITS
    }
    fn entry_of(init: &dyn Init, (): &()) -> Option<Entry> {
        init.entry()
    }
}

#[test]
fn every_initialiser_says_its_entry() {
    mapsto_spec::check_family::<dyn Init>(&[&()]);
    let check = |entry: Entry| mapsto_spec::check_entry::<dyn Init>(&entry, &());
    check(Entry::new("uniform").with_value(vec![-1.0, 2.0]));
    check(Entry::new("normal").with_value(0.5).with_option("mean", -1.0));
    check(Entry::new("truncated_normal").with_value(0.5).with_option("cut", 3.0));
    check(Entry::new("kaiming_uniform").with_option("slope", 0.2).with_option("fan", "out"));
    check(Entry::new("kaiming_normal").with_option("slope", 0.3).with_option("fan", "out"));
    for name in ["xavier_uniform", "xavier_normal", "orthogonal"] {
        check(Entry::new(name).with_option("gain", 2.0));
    }
}
