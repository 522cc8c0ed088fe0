//! The randomisation check: an explanation that stays as it is when the weights are drawn anew does not speak of what the model learnt.

use crate::{Ask, Explanation, Method, Model, Shown};
use mapsto_nn::{ItemMut, Layer, Path};
use mapsto_tensor::random::Keyed;
use mapsto_tensor::{DType, Result, Tensor, catch};

/// How alike attributions stay when the weights are drawn anew.
///
/// Source: Adebayo, Gilmer, Muelly, Goodfellow, Hardt and Kim, 2018.
#[derive(Clone, Debug, PartialEq)]
pub struct Sanity {
    /// The rank correlation (Spearman's) of the sizes of the attributions, the mean over draws and samples, over the features that either
    /// explanation gives something; from −1 to 1.
    pub likeness: f64,
    /// How many models were drawn.
    pub draws: usize,
    /// How many features were compared, the fewest of a sample.
    pub features: usize,
}

impl Sanity {
    /// From this likeness on an explanation is said to ignore the model.
    pub const SUSPICIOUS: f64 = 0.7;

    /// Of fewer features a likeness may well come by chance, and nothing is said of it.
    pub const FEWEST: usize = 8;

    /// Explains models with weights of chance in the place of the model's, and compares. `None` where there is nothing to compare: other
    /// things than attributions, a model whose layers are not known or cannot be copied, or fewer than four features.
    ///
    /// ```
    /// use mapsto_explain::{Ask, Model, Sanity, method};
    /// use mapsto_nn::prelude::*;
    /// seed(3);
    /// let net = seq![Linear::new(30, 20), Tensor::tanh, Linear::new(20, 2)];
    /// let (model, x, ask) = (Model::of(&net), Tensor::randn([4, 30]), Ask::new());
    /// let found = method("saliency")?.explain(&model, &x, &ask)?;
    /// let sanity = Sanity::of(method("saliency")?, &model, &x, &ask, &found, 5)?.unwrap();
    /// assert!(sanity.likeness.abs() < 0.3 && sanity.warning().is_none());
    /// # Ok::<(), mapsto_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of the method.
    pub fn of(
        method: &dyn Method,
        model: &Model<'_>,
        x: &Tensor,
        ask: &Ask,
        found: &Explanation,
        draws: usize,
    ) -> Result<Option<Sanity>> {
        let (Shown::Attributions(of_model), Some(layer)) = (&found.shown, model.layer()) else {
            return Ok(None);
        };
        let ask = ask.clone().classes(found.classes.clone());
        let (mut sum, mut features) = (0.0, usize::MAX);
        for draw in 0..draws {
            let Some(other) = randomised(layer, draw as u64) else { return Ok(None) };
            let of_chance = method.explain(&model.with_layer(&*other), x, &ask)?;
            let Some((likeness, compared)) = likeness(of_model, &of_chance.attributions()?, &ask) else {
                return Ok(None);
            };
            sum += likeness;
            features = features.min(compared);
        }
        Ok((draws > 0).then(|| Sanity { likeness: sum / draws as f64, draws, features }))
    }

    /// What should be said of the explanation; nothing where it depends on the weights.
    pub fn warning(&self) -> Option<String> {
        (self.likeness >= Sanity::SUSPICIOUS && self.features >= Sanity::FEWEST).then(|| {
            format!(
                "with weights of chance the explanation stays much the same (rank correlation {:.2}): it says more of the input than of \
                 what the model learnt",
                self.likeness
            )
        })
    }
}

/// A copy of a layer with weights of chance: normal with the mean and spread that they had, and what has one axis in another order. `None`
/// where it cannot be copied.
pub fn randomised(layer: &dyn Layer, seed: u64) -> Option<Box<dyn Layer>> {
    let mut copy = layer.clone_layer()?;
    let mut which = 0;
    copy.visit_mut(&mut Path::new(), &mut |_, item| {
        let ItemMut::Param(param) = item else { return };
        which += 1;
        let mut rng = Keyed::new(&[seed, which, 0x72616e64]);
        let values = param.to(DType::F64).to_vec::<f64>();
        let n = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / n;
        let std = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
        let drawn = match param.rank() {
            0 | 1 => rng.permutation(values.len()).iter().map(|i| values[*i]).collect(),
            _ => values.iter().map(|_| mean + std * rng.normal()).collect::<Vec<f64>>(),
        };
        let drawn = Tensor::from_vec(drawn, param.shape()).to(param.dtype()).to_device(param.device());
        // Shape and type are those that it had, so nothing is refused.
        let _ = catch(|| param.set(&drawn));
    });
    Some(copy)
}

/// The mean rank correlation of the sizes of two attributions, sample by sample, of features that are numbers joined where the question
/// says so.
fn likeness(a: &Tensor, b: &Tensor, ask: &Ask) -> Option<(f64, usize)> {
    let n = a.shape().first().copied().filter(|n| *n > 0)?;
    let one = a.len() / n;
    let (a, b) = (a.to(DType::F64).to_vec::<f64>(), b.to(DType::F64).to_vec::<f64>());
    let sizes = |row: &[f64]| -> Vec<f64> {
        let joined = ask.features.as_ref().filter(|f| f.of().len() == one).map(|f| f.joined(row));
        joined.unwrap_or_else(|| row.to_vec()).iter().map(|v| v.abs()).collect()
    };
    // What gets nothing from either, such as the black around a digit, would make any two explanations alike.
    let both = |(a, b): (&[f64], &[f64])| -> (Vec<f64>, Vec<f64>) {
        sizes(a).into_iter().zip(sizes(b)).filter(|(a, b)| *a != 0.0 || *b != 0.0).unzip()
    };
    let each = a.chunks(one).zip(b.chunks(one)).map(both);
    let each: Vec<(f64, usize)> = each
        .filter(|(a, _)| a.len() >= 4)
        .map(|(a, b)| (correlation(&ranks(&a), &ranks(&b)), a.len()))
        .collect();
    let fewest = each.iter().map(|(_, n)| *n).min()?;
    Some((each.iter().map(|(likeness, _)| likeness).sum::<f64>() / each.len() as f64, fewest))
}

/// The rank of each number, the mean of their places where some are equal.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut out = vec![0.0; values.len()];
    let mut from = 0;
    while from < order.len() {
        let same = order[from..].iter().take_while(|i| values[**i] == values[order[from]]).count();
        order[from..from + same].iter().for_each(|i| out[*i] = from as f64 + (same - 1) as f64 / 2.0);
        from += same;
    }
    out
}

/// Pearson's correlation, 0 where one side does not vary.
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (ma, mb) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        ab += (x - ma) * (y - mb);
        aa += (x - ma).powi(2);
        bb += (y - mb).powi(2);
    }
    if aa * bb > 0.0 { ab / (aa * bb).sqrt() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Needs, method};
    use mapsto_nn::prelude::*;

    /// An explanation that shows the input, whatever the model is.
    struct Edges;
    impl Method for Edges {
        fn name(&self) -> &'static str {
            "edges"
        }
        fn says(&self) -> &'static str {
            "where the input is"
        }
        fn needs(&self) -> Needs {
            Needs::Answers
        }
        fn explain(&self, model: &Model<'_>, x: &Tensor, ask: &Ask) -> Result<Explanation> {
            let classes = ask.chosen(&model.scores(x)?)?;
            Ok(Explanation { classes, ..Explanation::new(Shown::Attributions(x.abs())) })
        }
    }

    #[test]
    fn a_method_that_ignores_the_model_is_said_to() {
        seed(4);
        let net = seq![Linear::new(40, 30), Tensor::relu, Linear::new(30, 3)];
        let (model, x, ask) = (Model::of(&net), Tensor::randn([3, 40]), Ask::new());
        let checked = |method: &dyn Method| {
            let found = method.explain(&model, &x, &ask).unwrap();
            Sanity::of(method, &model, &x, &ask, &found, 3).unwrap().unwrap()
        };
        let blind = checked(&Edges);
        assert!(
            (blind.likeness - 1.0).abs() < 1e-12 && blind.warning().unwrap().contains("1.00"),
            "{blind:?}"
        );
        let seeing = checked(method("integrated-gradients").unwrap());
        assert!(seeing.warning().is_none(), "{seeing:?}");
        let asked = Model::asked(|x: &Tensor| x.sum(1));
        let found = Edges.explain(&asked, &x, &ask).unwrap();
        assert_eq!(Sanity::of(&Edges, &asked, &x, &ask, &found, 3).unwrap(), None);
    }

    /// Numbers of scipy.stats.spearmanr.
    #[test]
    fn rank_correlations_are_those_of_scipy() {
        let spearman = |a: &[f64], b: &[f64]| correlation(&ranks(a), &ranks(b));
        assert!(
            (spearman(&[1.0, 2.0, 3.0, 4.0, 5.0], &[5.0, 6.0, 7.0, 8.0, 7.0]) - 0.8207826816681233).abs()
                < 1e-12
        );
        assert!((spearman(&[1.0, 1.0, 2.0, 9.0], &[4.0, 3.0, 2.0, 2.0]) + 0.8888888888888888).abs() < 1e-12);
        assert_eq!(spearman(&[1.0, 1.0], &[1.0, 2.0]), 0.0);
    }
}
