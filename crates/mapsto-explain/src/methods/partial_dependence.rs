//! Partial dependence: how the score changes with one feature, for all samples and for each.

use crate::coalitions::{each, features, rows};
use crate::explanation::Curve;
use crate::{Ask, Explanation, Method, Model, Needs, Shown, Target};
use mapsto_tensor::{Result, Tensor};

/// The mean score over the samples when one feature has a value in all of them: `PDⱼ(v) = 1/n Σᵢ f(xᵢ with j = v)`; the scores of each sample
/// are its individual curve.
///
/// A feature of one number takes at most `samples` (20) values: those of the samples where they are so few, else evenly from their 5 %
/// to their 95 % quantile; one of [`Ask::words`] takes the words that most samples have. Cells that are missing (NaN) have no place among the values. A feature of several numbers, such as the columns of a category, takes the combinations that the samples
/// have, counted from 0; a column of ones and zeros is counted by where its one stands. The class is that of `class`,
/// or the one that is likeliest for most samples. It costs one answer for each sample and value. It lies where features go together:
/// it asks about old children. A flat mean curve over individual ones that go both ways is not a feature without effect.
///
/// Source: Friedman, 2001, section 8.2; individual curves: Goldstein et al., 2015. scikit-learn: `partial_dependence` with `kind='both'`.
/// ```
/// use mapsto_explain::{Ask, Model, Shown, method};
/// use mapsto_tensor::prelude::*;
/// let model = Model::asked(|x: &Tensor| x.select(1, 0) * x.select(1, 1));
/// let x = tensor![[1.0, 1.0], [2.0, -1.0], [3.0, 3.0]];
/// let found = method("partial-dependence")?.explain(&model, &x, &Ask::new())?;
/// let Shown::Curves(curves) = found.shown else { panic!() };
/// assert_eq!((&curves[0].at[..], &curves[0].scores[..]), (&[1.0, 2.0, 3.0][..], &[1.0, 2.0, 3.0][..]));
/// assert_eq!(curves[0].each[1], [-1.0, -2.0, -3.0]);
/// # Ok::<(), Error>(())
/// ```
pub struct PartialDependence;

impl Method for PartialDependence {
    fn name(&self) -> &'static str {
        "partial-dependence"
    }
    fn says(&self) -> &'static str {
        "how the score changes with one feature, for all samples and for each"
    }
    fn needs(&self) -> Needs {
        Needs::Answers
    }
    fn is_global(&self) -> bool {
        true
    }
    fn explain(&self, model: &Model<'_>, x: &Tensor, ask: &Ask) -> Result<Explanation> {
        let y = model.scores(x)?;
        let mut classes = ask.chosen(&y)?;
        let mut found = Explanation::new(Shown::Curves(Vec::new()));
        if ask.target == Target::Likeliest {
            let often = |class: usize| classes.iter().filter(|c| **c == class).count();
            // Of classes that are likeliest as often, the first.
            let most = (0..y.shape()[1]).rev().max_by_key(|class| often(*class)).unwrap_or(0);
            if y.shape()[1] > 1 {
                found.notes.push(format!("the score is that of class {most}, the likeliest of most samples"));
            }
            classes = vec![most; classes.len()];
        }
        let features = features(x, ask, each)?;
        let rows = rows(x);
        let mut curves = Vec::new();
        for feature in 0..features.len() {
            let own: Vec<usize> = (0..features.of().len()).filter(|k| features.of()[*k] == feature).collect();
            let most = ask.count(20).max(2);
            let (at, points) = grid(&rows, &own, most, ask.words.contains(&feature));
            if at.is_empty() {
                continue;
            }
            let mut each = vec![Vec::with_capacity(at.len()); rows.len()];
            for point in &points {
                let mut with = rows.clone();
                with.iter_mut().for_each(|row| own.iter().zip(point).for_each(|(k, v)| row[*k] = *v));
                let with = Tensor::from_vec(with.concat(), x.shape()).to(x.dtype());
                let scores = model.answers(&with, &classes)?;
                each.iter_mut().zip(scores).for_each(|(curve, score)| curve.push(score));
            }
            let mean = |p: usize| each.iter().map(|curve| curve[p]).sum::<f64>() / rows.len() as f64;
            curves.push(Curve { feature, scores: (0..at.len()).map(mean).collect(), at, each });
        }
        let k = y.shape()[1];
        let y = y.to_vec::<f64>();
        found.scores = classes.iter().enumerate().map(|(i, class)| y[i * k + class]).collect();
        found.classes = classes;
        found.shown = Shown::Curves(curves);
        Ok(found)
    }
}

/// The places on the axis, and what the numbers `own` of a feature are at each.
fn grid(rows: &[Vec<f64>], own: &[usize], most: usize, is_words: bool) -> (Vec<f64>, Vec<Vec<f64>>) {
    let mut seen: Vec<Vec<f64>> = rows.iter().map(|row| own.iter().map(|k| row[*k]).collect()).collect();
    let less = |a: &Vec<f64>, b: &Vec<f64>| {
        a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
    };
    // A cell that is missing has no place on the axis; the sample keeps its place among those that are asked about.
    seen.retain(|v| v.iter().all(|v| !v.is_nan()));
    seen.sort_by(less);
    let mut all: Vec<f64> = Vec::new();
    if own.len() == 1 {
        all = seen.iter().map(|v| v[0]).collect();
    }
    seen.dedup();
    if own.len() > 1 {
        // The first column hot comes first.
        seen.reverse();
        seen.truncate(most);
        let hot = |v: &Vec<f64>| {
            let others = v.iter().all(|v| *v == 0.0 || *v == 1.0) && v.iter().sum::<f64>() == 1.0;
            v.iter().position(|v| *v == 1.0).filter(|_| others)
        };
        let hots: Option<Vec<usize>> = seen.iter().map(hot).collect();
        let at = hots.unwrap_or_else(|| (0..seen.len()).collect());
        return (at.into_iter().map(|k| k as f64).collect(), seen);
    }
    if all.is_empty() {
        return (Vec::new(), Vec::new());
    }
    if is_words {
        // The words that most samples have: of a number that stands for a word there is no quantile.
        let often = |v: &Vec<f64>| all.iter().filter(|x| **x == v[0]).count();
        seen.sort_by_key(|v| std::cmp::Reverse(often(v)));
        seen.truncate(most);
    } else if seen.len() >= most {
        let (lowest, highest) = (quantile(&all, 0.05), quantile(&all, 0.95));
        let place = |p: usize| lowest + (highest - lowest) * p as f64 / (most - 1) as f64;
        if lowest < highest {
            seen = (0..most).map(|p| vec![place(p)]).collect();
        } else {
            seen = vec![vec![lowest]];
        }
    }
    (seen.iter().map(|v| v[0]).collect(), seen)
}

/// The quantile of sorted values as scikit-learn takes it here: `alphap = betap = 0.4` of SciPy's `mquantiles`.
fn quantile(sorted: &[f64], p: f64) -> f64 {
    let n = sorted.len() as f64;
    let at = n * p + 0.4 + p * (1.0 - 0.4 - 0.4);
    let k = at.floor().clamp(1.0, (n - 1.0).max(1.0));
    let share = (at - k).clamp(0.0, 1.0);
    let value = |k: f64| sorted[(k as usize).min(sorted.len()) - 1];
    (1.0 - share) * value(k) + share * value(k + 1.0)
}

#[test]
fn missing_cells_have_no_place_and_words_no_quantile() {
    let rows: Vec<Vec<f64>> = (0..100)
        .map(|i| vec![if i % 5 == 0 { f64::NAN } else { f64::from(i) }, f64::from(i % 30) * 1e9, f64::NAN])
        .collect();
    let (at, _) = grid(&rows, &[0], 20, false);
    assert!(at.len() == 20 && at.iter().all(|v| v.is_finite()) && at[0] > 1.0 && at[19] < 99.0, "{at:?}");
    let (at, _) = grid(&rows, &[1], 20, true);
    assert!(at.len() == 20 && at.iter().all(|v| v % 1e9 == 0.0) && at[0] < 1e10, "{at:?}");
    assert!(grid(&rows, &[2], 20, false).0.is_empty());
}

#[test]
fn curves_are_means_of_individual_ones_and_categories_are_set_together() {
    let x = Tensor::from_vec(
        (0..200).flat_map(|k| [k as f64, f64::from(k % 3 == 0), f64::from(k % 3 == 2)]).collect::<Vec<f64>>(),
        [200, 3],
    );
    let model = Model::asked(|x: &Tensor| {
        let one = x.select(1, 0) * 2.0 + x.select(1, 1) * 10.0 - x.select(1, 2);
        Tensor::stack(&[one.clone(), -one], 1)
    });
    let ask = Ask::new().features(crate::Features::new(vec![0, 1, 1]).unwrap()).samples(5);
    let found = PartialDependence.explain(&model, &x, &ask).unwrap();
    assert_eq!(found.notes, ["the score is that of class 0, the likeliest of most samples"]);
    let Shown::Curves(curves) = &found.shown else { panic!("no curves") };
    assert_eq!(curves.len(), 2);
    assert_eq!((curves[0].at.len(), curves[0].each.len()), (5, 200));
    let slope = (curves[0].scores[4] - curves[0].scores[0]) / (curves[0].at[4] - curves[0].at[0]);
    assert!((slope - 2.0).abs() < 1e-9);
    // Neither column is hot in a third of the samples, so combinations are counted as they stand: [1, 0], [0, 1], [0, 0].
    assert_eq!(curves[1].at, [0.0, 1.0, 2.0]);
    let steps: Vec<f64> = curves[1].scores.iter().map(|s| s - 199.0).collect();
    assert_eq!(steps, [10.0, -1.0, 0.0]);
    let other = PartialDependence.explain(&model, &x, &ask.class(1)).unwrap();
    let Shown::Curves(others) = &other.shown else { panic!("no curves") };
    assert_eq!(others[0].scores[3], -curves[0].scores[3]);
    assert_eq!(quantile(&[5.0], 0.5), 5.0);
}
