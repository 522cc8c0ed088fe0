//! LIME: a line that answers as the model does near the sample.

use crate::coalitions::{Games, cells, members};
use crate::least_squares::weighted;
use crate::{Ask, Explanation, Method, Model, Needs};
use mapsto_tensor::random::Keyed;
use mapsto_tensor::{Error, ErrorKind, Result, Tensor};

/// The slopes of a line that is fitted to the model's scores around the sample: features are on or off, samples of them weigh
/// `√exp(−d² / width²)` where `d = 1 − √(on / m)` is their distance by cosine from the sample, and squares of slopes are penalized by 1.
///
/// A feature that is off has the numbers of the baselines: the columns of a table against a usual row, the cells of a picture against
/// gray. A picture of more than 49 pixels is divided into seven cells by seven unless `features` says otherwise. Half of the features are
/// off at each of `samples` (1000) draws; where so few features have all their combinations among them, those are taken instead.
/// `width` is 0.25. It says what matters near the sample, not how much a feature adds: slopes do not add up, the penalty makes
/// them smaller, and a feature that changes nothing may get a little. A note tells how much of the model's answers the line explains; where that is little, the slopes mean
/// little. It costs `samples` questions a sample for each baseline.
///
/// Source: Ribeiro, Singh and Guestrin, 2016. lime: `LimeImageExplainer` with `feature_selection='none'`; captum: `Lime`.
/// ```
/// use mapsto_explain::{Ask, Model, method};
/// use mapsto_tensor::prelude::*;
/// let model = Model::asked(|x: &Tensor| x.select(1, 0) * 3.0 - x.select(1, 1));
/// let found = method("lime")?.explain(&model, &tensor![[1.0, 1.0, 1.0]], &Ask::new().width(100.0))?;
/// // Of 8 equal weights a slope keeps 2 / (2 + 1) under the penalty.
/// assert_close!(found.attributions()?, [[2.0, -0.66667, 0.0]]);
/// # Ok::<(), Error>(())
/// ```
pub struct Lime;

impl Method for Lime {
    fn name(&self) -> &'static str {
        "lime"
    }
    fn says(&self) -> &'static str {
        "the slopes of a line that answers as the model does near the sample"
    }
    fn needs(&self) -> Needs {
        Needs::Answers
    }
    fn explain(&self, model: &Model<'_>, x: &Tensor, ask: &Ask) -> Result<Explanation> {
        let width = ask.width.unwrap_or(0.25);
        if width.is_nan() || width <= 0.0 {
            return Err(Error::new(ErrorKind::Usage, format!("a kernel of width {width} weighs nothing"))
                .help("give a width above 0; 0.25 is usual"));
        }
        let games = Games::of(model, x, ask, cells)?;
        let (m, samples) = (games.players(), ask.count(1000).max(2));
        let fits = std::cell::RefCell::new(Vec::new());
        let mut found = games.explained(|games, i| {
            let near = around(m, samples, &mut Keyed::new(&[ask.seed, i as u64]));
            let (slopes, fit) = line(&near, &games.worth(i, &near)?, width);
            fits.borrow_mut().push(fit);
            Ok(slopes)
        })?;
        found.base = None;
        for (i, fit) in fits.into_inner().into_iter().enumerate() {
            let share = format!(
                "sample {}: the line explains {:.0} % of the model's answers around it",
                i + 1,
                100.0 * fit
            );
            found.notes.push(if fit < 0.5 { format!("{share}, so its slopes mean little") } else { share });
        }
        Ok(found)
    }
}

/// The features that are on: the sample first, then others, all of them where `samples` are enough.
fn around(m: usize, samples: usize, draw: &mut Keyed) -> Vec<Vec<bool>> {
    if m < 31 && 1 << m <= samples {
        return (0..1 << m).rev().map(|c| members(c, m)).collect();
    }
    let other = |_| (0..m).map(|_| draw.bernoulli(0.5)).collect();
    [vec![true; m]].into_iter().chain((1..samples).map(other)).collect()
}

/// The slopes, and the share of the weighted variance that they explain.
fn line(on: &[Vec<bool>], worth: &[f64], width: f64) -> (Vec<f64>, f64) {
    let m = on.first().map_or(0, Vec::len);
    let weight = |c: &Vec<bool>| {
        let d = 1.0 - (c.iter().filter(|c| **c).count() as f64 / m as f64).sqrt();
        (-(d * d) / (width * width)).exp().sqrt()
    };
    let w: Vec<f64> = on.iter().map(weight).collect();
    let total: f64 = w.iter().sum();
    let mean = |of: &dyn Fn(usize) -> f64| (0..on.len()).map(|c| w[c] * of(c)).sum::<f64>() / total;
    let middle: Vec<f64> = (0..m).map(|j| mean(&|c| f64::from(on[c][j]))).collect();
    let level = mean(&|c| worth[c]);
    let x: Vec<Vec<f64>> = on.iter().map(|c| (0..m).map(|j| f64::from(c[j]) - middle[j]).collect()).collect();
    let y: Vec<f64> = worth.iter().map(|v| v - level).collect();
    // With a penalty the matrix is never singular.
    let slopes = weighted(&x, &y, &w, 1.0).unwrap_or_else(|| vec![0.0; m]);
    let error = |c: usize| y[c] - x[c].iter().zip(&slopes).map(|(x, b)| x * b).sum::<f64>();
    let (unexplained, varies) = (mean(&|c| error(c).powi(2)), mean(&|c| y[c] * y[c]));
    (slopes, if varies > 0.0 { 1.0 - unexplained / varies } else { 1.0 })
}

#[test]
fn draws_find_the_slopes_of_a_line_and_say_how_well_it_fits() {
    let model = Model::asked(|x: &Tensor| x.select(1, 0) * 3.0 - x.select(1, 5));
    let ask = Ask::new().samples(4000).width(10.0);
    let found = Lime.explain(&model, &Tensor::ones([1, 20]), &ask).unwrap();
    let slopes = found.attributions().unwrap().to_vec::<f32>();
    for (j, slope) in slopes.iter().enumerate() {
        let wanted = [3.0, 0.0, 0.0, 0.0, 0.0, -1.0].get(j).copied().unwrap_or(0.0);
        assert!((slope - wanted).abs() < 0.01, "{j}: {slope}");
    }
    assert_eq!(found.notes, ["sample 1: the line explains 100 % of the model's answers around it"]);
    // Whether the number of features that are on is odd is explained by no line.
    let odd = Model::asked(|x: &Tensor| (1.0 - x * 2.0).prod(1));
    let found = Lime.explain(&odd, &Tensor::ones([1, 8]), &Ask::new().width(10.0)).unwrap();
    assert!(found.notes[0].ends_with("so its slopes mean little"), "{:?}", found.notes);
    assert!(Lime.explain(&odd, &Tensor::ones([1, 8]), &Ask::new().width(0.0)).is_err());
}
