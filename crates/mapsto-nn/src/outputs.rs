//! `Outputs`: what a loss takes a model's outputs for, which reports follow, and which outputs that are known to be something
//! else contradict.

use mapsto_tensor::error::raise;
use mapsto_tensor::graph::Meaning;
use mapsto_tensor::{Error, ErrorKind, Result, Tensor};

/// What a model's outputs are: [`Loss::outputs`](crate::Loss::outputs) says it, and those who print them read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outputs {
    /// Scores of classes before a softmax, or of one column before a sigmoid: `cross_entropy`.
    Logits,
    /// Scores that are each of their own before a sigmoid: `bce_with_logits`.
    Logit,
    /// Logarithms of the probabilities of classes: `nll`, `kl_div`.
    LogProbabilities,
    /// Probabilities: `bce`.
    Probabilities,
    /// Plain numbers: regression.
    Values,
}

impl Outputs {
    /// Checks that outputs can be what a loss takes them for, as far as the operations that made them know:
    /// [`Tensor::meaning`]. A softmax before `cross_entropy` would be taken twice, and trains badly without a word.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// use mapsto_nn::Outputs;
    /// let y = tensor![[1.0, 2.0]].leaf();
    /// assert!(Outputs::Logits.check("cross_entropy", &y).is_ok());
    /// let e = Outputs::Logits.check("cross_entropy", &y.softmax(-1)).unwrap_err();
    /// assert!(e.message().contains("probabilities already, made by `softmax`"));
    /// ```
    /// # Errors
    /// When the outputs are known to be something else.
    pub fn check(self, loss: &str, y: &Tensor) -> Result<()> {
        match y.meaning().and_then(|(meaning, by)| self.quarrel(loss, meaning, by)) {
            Some((message, help)) => {
                Err(Error::new(ErrorKind::Model, format!("{loss}: {message}")).help(help))
            }
            None => Ok(()),
        }
    }

    /// As [`Outputs::check`], raised at the caller's line.
    #[track_caller]
    pub(crate) fn require(self, loss: &str, y: &Tensor) {
        if let Err(e) = self.check(loss, y) {
            raise(e);
        }
    }

    /// What is wrong with outputs of this meaning, and what would help.
    fn quarrel(self, loss: &str, meaning: Meaning, by: &str) -> Option<(String, String)> {
        use Meaning::*;
        // Of a table that is itself a parameter, and of its rows, only the author knows what the numbers mean; the loss checks
        // their range.
        if meaning == Scores && by == "parameter" && !matches!(self, Outputs::Logits | Outputs::Logit) {
            return None;
        }
        let scores = matches!(self, Outputs::Logits | Outputs::Logit);
        let twice = |what: &str, keep: &str| {
            let message = format!(
                "the outputs are {what} already, made by `{by}`; {loss} takes scores and makes probabilities of them itself"
            );
            (message, format!("leave `{by}` out at the end of the model{keep}"))
        };
        let narrow = |range: &str| {
            let message = format!(
                "the outputs are {range}, made by `{by}`; {loss} takes scores of any size, and with these no class \
                         can be ruled out"
            );
            (message, format!("leave `{by}` out at the end of the model"))
        };
        let other = |wanted: &str, found: &str, help: &str| {
            (format!("the outputs should be {wanted}, and `{by}` makes {found}"), help.to_string())
        };
        const TO_BCE: &str = "end the model in `sigmoid`, or better: use `bce_with_logits` on scores";
        const TO_NLL: &str = "end the model in `log_softmax`, or use `cross_entropy` on scores";
        Some(match (self, meaning) {
            (_, Constant) => (
                format!("the outputs are the same whatever the inputs are: `{by}` of one number is constant"),
                format!("leave `{by}` out, or give it one number for each class"),
            ),
            (Outputs::Logits, Distribution | Probabilities) => {
                twice("probabilities", ": taken twice, they train badly")
            }
            (Outputs::Logit, Distribution | Probabilities) => {
                twice("probabilities", ", or keep it and use `bce`: taken twice, they train badly")
            }
            _ if scores && matches!(meaning, LogDistribution | LogProbabilities) => {
                twice("logarithms of probabilities", ", or keep it and use `nll`")
            }
            _ if scores && meaning == Rectified => narrow("never far below 0"),
            _ if scores && meaning == Bounded => narrow("between −1 and 1"),
            (Outputs::Probabilities, Scores) => other("probabilities", "numbers of any size", TO_BCE),
            (Outputs::Probabilities, LogDistribution | LogProbabilities) => {
                other("probabilities", "their logarithms", TO_BCE)
            }
            (Outputs::LogProbabilities, Scores) => other("log-probabilities", "numbers of any size", TO_NLL),
            (Outputs::LogProbabilities, Distribution | Probabilities) => {
                other("log-probabilities", "probabilities", TO_NLL)
            }
            (Outputs::LogProbabilities, LogProbabilities) => other(
                "log-probabilities of classes, which exclude each other",
                "one of its own for each, which could all be certain",
                TO_NLL,
            ),
            _ => return None,
        })
    }
}
