//! How a language model's next token is drawn from the scores of all.

use mapsto_tensor::{Tensor, fail};

/// Draws a token from `softmax(scores / temperature)`, perhaps from the few best alone.
///
/// The draw comes from the stream that `Tensor::rand` draws from, so a seed repeats a text.
/// ```
/// use mapsto_models::Sampling;
/// use mapsto_tensor::prelude::*;
/// let scores = tensor![0.0, 2.0, 1.0];
/// assert_eq!(Sampling::new().greedy().draw(&scores), 1);
/// seed(1);
/// let drawn: Vec<i64> = (0..100).map(|_| Sampling::new().top_k(2).draw(&scores)).collect();
/// assert!(drawn.contains(&1) && drawn.contains(&2) && !drawn.contains(&0));
/// ```
#[derive(Clone, Debug)]
pub struct Sampling {
    temperature: f64,
    top_k: Option<usize>,
}

impl Default for Sampling {
    fn default() -> Sampling {
        Sampling::new()
    }
}

impl Sampling {
    /// From all tokens, at temperature 1.
    pub fn new() -> Sampling {
        Sampling { temperature: 1.0, top_k: None }
    }

    /// The same with the scores divided by `temperature`: below 1 likely tokens become likelier, above 1 all alike.
    ///
    /// # Panics
    /// When it is not a positive number.
    #[track_caller]
    pub fn temperature(self, temperature: f64) -> Sampling {
        if !(temperature > 0.0 && temperature.is_finite()) {
            fail!("sampling", "the temperature must be above 0, got {temperature}"; help = "`greedy` always takes the best token");
        }
        Sampling { temperature, ..self }
    }

    /// The same from the `k` best tokens alone.
    ///
    /// # Panics
    /// When `k` is 0.
    #[track_caller]
    pub fn top_k(self, k: usize) -> Sampling {
        if k == 0 {
            fail!("sampling", "there is nothing to draw from 0 tokens");
        }
        Sampling { top_k: Some(k), ..self }
    }

    /// The best token always.
    pub fn greedy(self) -> Sampling {
        self.top_k(1)
    }

    /// A token by the scores of all, `[vocabulary]`.
    ///
    /// # Panics
    /// When the scores are not a list with an element.
    #[track_caller]
    pub fn draw(&self, scores: &Tensor) -> i64 {
        let [count] = scores.dims();
        if count == 0 {
            fail!("sampling", "there are no scores");
        }
        let (best, ids) = scores.topk(self.top_k.unwrap_or(count).min(count), 0);
        let weights = (best / self.temperature).softmax(0).to_vec::<f32>();
        let mut left = Tensor::rand([1]).item() as f32 * weights.iter().sum::<f32>();
        let at = weights.iter().position(|w| {
            left -= w;
            left < 0.0
        });
        ids.to_vec::<i64>()[at.unwrap_or(0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapsto_tensor::prelude::*;

    #[test]
    fn tokens_come_as_often_as_their_softmax_says() {
        seed(3);
        let share = |sampling: Sampling| {
            let hits = (0..4000).filter(|_| sampling.draw(&tensor![0.0, 3f64.ln()]) == 1).count();
            hits as f64 / 4000.0
        };
        assert!((share(Sampling::new()) - 0.75).abs() < 0.03);
        assert!((share(Sampling::new().temperature(0.5)) - 0.9).abs() < 0.03);
        let error = catch(|| Sampling::new().temperature(0.0)).unwrap_err();
        assert_eq!(error.message(), "sampling: the temperature must be above 0, got 0");
    }
}
