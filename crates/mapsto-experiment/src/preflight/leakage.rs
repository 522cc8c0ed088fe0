//! Leakage: a single column of a table that tells the target by itself, as an identifier that was given later, or the target in
//! other words.

use mapsto::{DType, Result};

use super::seen::{Batch, Seen};
use super::{Preflight, Verdict};
use crate::experiment::Experiment;
use crate::plain::plain;

/// So many intervals a column is cut into, of equal numbers of samples.
const INTERVALS: usize = 32;
/// A column that is right for so many of those that the majority is wrong about tells the target.
const TELLS: f64 = 0.99;

/// The check.
pub fn check(experiment: &Experiment, seen: &Seen, found: &mut Preflight) -> Result<()> {
    let names = &experiment.info.features;
    let (Some(learn), Some(judge)) = (columns(&seen.learn, names.len()), columns(&seen.judge, names.len()))
    else {
        return Ok(());
    };
    let is_classes = seen.training().is_classes;
    if learn.y.len() < 50 {
        return Ok(());
    }
    let mut leaks = Vec::new();
    for (column, name) in names.iter().enumerate() {
        let told = match is_classes {
            true => told_class(&learn, &judge, column).max(separation(&learn.x[column], &learn.y)),
            false => rank_correlation(&learn.x[column], &learn.y).abs(),
        };
        if told >= if is_classes { TELLS } else { 0.999 } {
            leaks.push(plain(name));
        }
    }
    if leaks.is_empty() {
        let text = format!("none of {} columns tells the target by itself", names.len());
        found.say("leakage", Verdict::Fine, text, None);
        return Ok(());
    }
    let text = format!(
        "{} {} the target by {}",
        leaks.join(", "),
        if leaks.len() == 1 { "tells" } else { "tell, each," },
        if leaks.len() == 1 { "itself" } else { "themselves" }
    );
    let help = "is it known before the target is? if not, leave it out of `features`";
    found.say("leakage", Verdict::Warning, text, Some(help.into()));
    Ok(())
}

/// Inputs by columns, and one target each.
struct Columns {
    x: Vec<Vec<f64>>,
    y: Vec<f64>,
}

/// None where the inputs are not the columns of a table, or there are several targets.
fn columns(batch: &Batch, names: usize) -> Option<Columns> {
    let (n, cells) = (batch.len(), &batch.cells);
    if names == 0 || cells.shape() != [n, names] || batch.y.len() != n {
        return None;
    }
    let x = cells.to(DType::F64).t().contiguous().to_vec::<f64>();
    // Cells that are missing are alike, and stand behind all others.
    let column = |cells: &[f64]| cells.iter().map(|&v| if v.is_nan() { f64::MAX } else { v }).collect();
    Some(Columns { x: x.chunks(n).map(column).collect(), y: batch.y.to(DType::F64).to_vec::<f64>() })
}

/// Of the samples whose class is not the most frequent one, the share that a column tells: by the most frequent class of each of
/// its intervals. It is the least over the classes, so that a column which tells one class of many is none that tells the target.
fn told_class(learn: &Columns, judge: &Columns, column: usize) -> f64 {
    let (x, y) = (&learn.x[column], &learn.y);
    let mut order: Vec<usize> = (0..x.len()).collect();
    order.sort_by(|&a, &b| x[a].total_cmp(&x[b]));
    let mut intervals: Vec<(f64, f64)> = Vec::new();
    let mut start = 0;
    while start < order.len() {
        // Equal numbers stay together.
        let mut end = (start + order.len().div_ceil(INTERVALS)).min(order.len());
        while end < order.len() && x[order[end]] == x[order[end - 1]] {
            end += 1;
        }
        intervals.push((x[order[end - 1]], most_frequent(order[start..end].iter().map(|&i| y[i]))));
        start = end;
    }
    let told = |v: f64| {
        let at = intervals.partition_point(|(upper, _)| *upper < v).min(intervals.len() - 1);
        intervals[at].1
    };
    let mut right: std::collections::BTreeMap<u64, (usize, usize)> = std::collections::BTreeMap::new();
    for (&v, &class) in judge.x[column].iter().zip(&judge.y) {
        let (hits, all) = right.entry(class.to_bits()).or_default();
        *hits += usize::from(told(v) == class);
        *all += 1;
    }
    match right.len() {
        0 | 1 => 0.0,
        _ => right.values().map(|&(hits, all)| hits as f64 / all as f64).fold(1.0, f64::min),
    }
}

/// How far a number tells two classes apart by where it lies: `|2 AUC − 1|`, which is 1 where all of one lie above all of the other; 0
/// for other numbers of classes.
fn separation(x: &[f64], y: &[f64]) -> f64 {
    let largest = y.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let least = y.iter().copied().fold(f64::INFINITY, f64::min);
    let (n1, n0) = (y.iter().filter(|&&c| c == largest).count(), y.iter().filter(|&&c| c == least).count());
    if n1 + n0 != y.len() || n1 == 0 || n0 == 0 || largest == least {
        return 0.0;
    }
    let above: f64 = ranks(x).iter().zip(y).filter(|(_, c)| **c == largest).map(|(rank, _)| rank).sum();
    let (n1, n0) = (n1 as f64, n0 as f64);
    let auc = (above - n1 * (n1 - 1.0) / 2.0) / (n1 * n0);
    (2.0 * auc - 1.0).abs()
}

fn most_frequent(classes: impl Iterator<Item = f64>) -> f64 {
    let mut counts = std::collections::BTreeMap::<u64, usize>::new();
    classes.for_each(|class| *counts.entry(class.to_bits()).or_default() += 1);
    counts.into_iter().max_by_key(|&(_, n)| n).map_or(f64::NAN, |(class, _)| f64::from_bits(class))
}

/// Spearman's rank correlation; 0 where either side is constant.
fn rank_correlation(x: &[f64], y: &[f64]) -> f64 {
    let (x, y) = (ranks(x), ranks(y));
    let n = x.len() as f64;
    let (mx, my) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let mut sums = [0.0; 3];
    for (a, b) in x.iter().zip(&y) {
        let (a, b) = (a - mx, b - my);
        sums[0] += a * b;
        sums[1] += a * a;
        sums[2] += b * b;
    }
    let scale = (sums[1] * sums[2]).sqrt();
    if scale > 0.0 { sums[0] / scale } else { 0.0 }
}

/// Equal numbers share the mean of their ranks.
fn ranks(x: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..x.len()).collect();
    order.sort_by(|&a, &b| x[a].total_cmp(&x[b]));
    let mut ranks = vec![0.0; x.len()];
    let mut start = 0;
    while start < order.len() {
        let end = (start..order.len()).find(|&i| x[order[i]] != x[order[start]]).unwrap_or(order.len());
        order[start..end].iter().for_each(|&i| ranks[i] = (start + end - 1) as f64 / 2.0);
        start = end;
    }
    ranks
}

#[test]
fn columns_that_tell_the_target_are_told_from_those_that_help() {
    let n = 200;
    let class: Vec<f64> = (0..n).map(|i| f64::from(i % 3)).collect();
    let noise: Vec<f64> = (0..n).map(|i| f64::from(i * 7919 % 101)).collect();
    let same: Vec<f64> = class.iter().map(|c| 2.0 * c + 1.0).collect();
    let half: Vec<f64> = class.iter().map(|c| f64::from(*c == 0.0)).collect();
    let columns = Columns { x: vec![noise, same, half], y: class };
    assert!(told_class(&columns, &columns, 0) < 0.9);
    assert_eq!(told_class(&columns, &columns, 1), 1.0);
    assert!(told_class(&columns, &columns, 2) < 0.9);
    let y = [0.0, 0.0, 1.0, 1.0, 1.0];
    assert_eq!(separation(&[-3.0, -0.1, 0.1, 2.0, 7.0], &y), 1.0);
    assert_eq!(separation(&[5.0, 4.0, 3.0, 3.0, 1.0], &y), 1.0);
    assert!(separation(&[1.0, 3.0, 2.0, 4.0, 0.0], &y) < 0.5);
    assert_eq!(ranks(&[3.0, 1.0, 3.0]), [1.5, 0.0, 1.5]);
    assert!((rank_correlation(&[1.0, 2.0, 3.0], &[1.0, 8.0, 27.0]) - 1.0).abs() < 1e-12);
    assert_eq!(rank_correlation(&[1.0, 1.0], &[1.0, 2.0]), 0.0);
}
