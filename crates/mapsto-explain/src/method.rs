//! What a method of explaining is: its name, what it says of itself, and the one call that all of them answer.

use crate::{Ask, Explanation, METHODS, Model};
use mapsto_tensor::{Error, ErrorKind, Result, Tensor};

/// What a method must be able to do with a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// To ask it: any function from inputs to scores will do.
    Answers,
    /// To differentiate it at its inputs.
    Gradients,
    /// To look at its layers and weights.
    Layers,
}

/// A way to explain what a model says; one file and one line of [`METHODS`] each.
///
/// ```
/// use mapsto_explain::METHODS;
/// assert!(METHODS.iter().any(|method| method.name() == "saliency"));
/// ```
pub trait Method: Send + Sync {
    /// The name by which it is asked for: `integrated-gradients`.
    fn name(&self) -> &'static str;

    /// What it says, in one sentence.
    fn says(&self) -> &'static str;

    /// What it must be able to do with the model.
    fn needs(&self) -> Needs;

    /// Whether its attributions add up to `f(x) − f(baseline)`.
    fn is_complete(&self) -> bool {
        false
    }

    /// Whether it speaks of the model as a whole, over many rows, and not of each sample.
    fn is_global(&self) -> bool {
        false
    }

    /// What it says of each sample of the batch `x`, `[n, ..]`.
    ///
    /// # Errors
    /// The model does not take `x` or cannot be asked this way; `ask` does not fit the model.
    fn explain(&self, model: &Model<'_>, x: &Tensor, ask: &Ask) -> Result<Explanation>;
}

/// The method with this name.
///
/// ```
/// use mapsto_explain::method;
/// assert_eq!(method("saliency")?.name(), "saliency");
/// assert_eq!(method("magic").err().unwrap().message(), "no method of explaining is called `magic`");
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
/// # Errors
/// There is none.
pub fn method(name: &str) -> Result<&'static dyn Method> {
    METHODS.iter().copied().find(|method| method.name() == name).ok_or_else(|| {
        let names: Vec<&str> = METHODS.iter().map(|method| method.name()).collect();
        let message = format!("no method of explaining is called `{name}`");
        Error::new(ErrorKind::Usage, message).help(format!("there are {}", names.join(", ")))
    })
}
