//! Baselines: what is reached without a network, by the most frequent class or the mean, by the nearest neighbour, and by a linear
//! model. A network that does not beat them has learnt nothing that was worth its training.

use mapsto::{DType, Result, Tensor};

use super::seen::{Batch, Seen};
use super::{Baseline, Preflight, Verdict};
use crate::experiment::Experiment;

/// So many numbers the inputs of the nearest neighbours may have together; beyond, fewer samples are taken.
const MOST_NUMBERS: usize = 16_000_000;
/// Steps of the linear model, by accelerated gradient descent.
const STEPS: usize = 60;

/// The check.
pub fn check(_: &Experiment, seen: &Seen, found: &mut Preflight) -> Result<()> {
    let is_classes = seen.training().is_classes;
    let (Some(learn), Some(judge)) = (Task::of(&seen.learn, is_classes), Task::of(&seen.judge, is_classes))
    else {
        return Ok(());
    };
    let Some(classes) = learn.classes(&judge) else { return Ok(()) };
    found.score = if is_classes { "accuracy" } else { "rmse" };
    found.judged = judge.y.shape()[0];
    let add = |found: &mut Preflight, name, answers: &Tensor| {
        found.baselines.push(Baseline { name, score: score(answers, &judge, is_classes) });
    };
    let constant = if is_classes { "majority" } else { "mean" };
    let targets = if is_classes { learn.one_hot(classes) } else { learn.y.clone() };
    let mean = targets.mean(0);
    add(found, constant, &mean.unsqueeze(0).expand([judge.y.shape()[0] as i64, -1]));
    if let (Some(x), Some(z)) = (&learn.x, &judge.x) {
        let (x, z) = standardized(x, z);
        add(found, "nearest neighbour", &nearest(&x, &targets, &z));
        add(found, "linear model", &linear(&x, &targets, &z, is_classes));
    }
    found.judged_on = seen.judged_on;
    let text = found.baselines_in_words().unwrap_or_default();
    found.say("baselines", Verdict::Fine, text, None);
    Ok(())
}

/// Inputs as rows, and targets: class ids, `[n]`, or values, `[n, k]`.
struct Task {
    x: Option<Tensor>,
    y: Tensor,
}

impl Task {
    fn of(batch: &Batch, is_classes: bool) -> Option<Task> {
        let n = batch.len();
        let (y, x) = match is_classes {
            true => (batch.y.reshape([n as i64]).to(DType::I64), batch.rows()),
            false if batch.y.dtype().is_float() && batch.y.len() <= n * 64 => {
                (batch.y.reshape([n as i64, -1]), batch.rows())
            }
            false => return None,
        };
        let x = x.filter(|x| x.is_finite());
        let Some(x) = x else { return Some(Task { x: None, y }) };
        let fits = (MOST_NUMBERS / x.shape()[1].max(1)).max(1);
        let n = n.min(fits) as i64;
        Some(Task { x: Some(x.slice(0, ..n)), y: y.slice(0, ..n) })
    }

    /// How many classes there are; none where an id is none.
    fn classes(&self, judge: &Task) -> Option<usize> {
        if self.y.dtype().is_float() {
            return Some(0);
        }
        let ids = [&self.y, &judge.y];
        let (least, most) = ids
            .iter()
            .fold((0i64, 0i64), |(a, b), y| (a.min(y.min(..).item() as i64), b.max(y.max(..).item() as i64)));
        (least >= 0 && most < 10_000).then_some(most as usize + 1)
    }

    fn one_hot(&self, classes: usize) -> Tensor {
        self.y.one_hot(classes).to(DType::F32)
    }
}

/// The share of right answers, by the largest column, or the root of the mean squared error.
fn score(answers: &Tensor, judge: &Task, is_classes: bool) -> f64 {
    match is_classes {
        true => answers.argmax(1).eq(&judge.y).to(DType::F64).mean(..).item(),
        false => (answers.to(DType::F64) - judge.y.to(DType::F64)).square().mean(..).item().sqrt(),
    }
}

/// Both with the mean 0 and the deviation 1 that the columns of the first have; columns that never change become 0.
fn standardized(x: &Tensor, z: &Tensor) -> (Tensor, Tensor) {
    let (mean, deviation) = (x.mean(0), x.std(0));
    let scale = deviation
        .gt(0.0)
        .choose(&(1.0 / deviation.clamp(1e-12, f64::INFINITY)), Tensor::zeros_like(&deviation));
    // What is far outside of all that was seen decides no distance.
    let of = |x: &Tensor| ((x - &mean) * &scale).clamp(-10.0, 10.0);
    (of(x), of(z))
}

/// The target of the nearest of `x` to each of `z`, by ‖x‖² − 2 x·z.
fn nearest(x: &Tensor, targets: &Tensor, z: &Tensor) -> Tensor {
    const AT_ONCE: i64 = 250;
    let squares = x.square().sum(1).unsqueeze(0);
    let n = z.shape()[0] as i64;
    let part = |start: i64| {
        let some = z.slice(0, start..(start + AT_ONCE).min(n));
        (&squares - some.matmul(&x.t()) * 2.0).argmin(1)
    };
    let places: Vec<Tensor> = (0..n).step_by(AT_ONCE as usize).map(part).collect();
    targets.index_select(0, &Tensor::cat(&places, 0))
}

/// What a linear model says of `z`: logistic regression for classes, least squares for values, with a little weight decay. Its
/// gradient descent is Nesterov's, with the inverse of the curvature as its rate.
fn linear(x: &Tensor, targets: &Tensor, z: &Tensor, is_classes: bool) -> Tensor {
    let with_one = |x: &Tensor| Tensor::cat(&[x.clone(), Tensor::ones([x.shape()[0], 1])], 1);
    let (x, z) = (with_one(x), with_one(z));
    let n = x.shape()[0] as f64;
    let transposed = x.t().contiguous();
    let mut v = Tensor::ones([x.shape()[1], 1]);
    let mut curvature = 1.0;
    for _ in 0..8 {
        let image = transposed.matmul(&x.matmul(&v)) / n;
        curvature = image.square().sum(..).item().sqrt() / v.square().sum(..).item().sqrt().max(1e-30);
        v = &image / image.square().sum(..).item().sqrt().max(1e-30);
    }
    // The power method comes from below.
    let rate = 1.0 / (1.2 * curvature * if is_classes { 0.5 } else { 1.0 } + 1e-4);
    let mut w = Tensor::zeros([x.shape()[1], targets.shape()[1]]);
    let mut before = w.clone();
    for step in 0..STEPS {
        let ahead = &w + (&w - &before) * (step as f64 / (step as f64 + 3.0));
        let said = x.matmul(&ahead);
        let said = if is_classes { said.softmax(1) } else { said };
        let slope = transposed.matmul(&(said - targets)) / n + &ahead * 1e-4;
        before = w;
        w = ahead - slope * rate;
    }
    z.matmul(&w)
}

#[test]
fn a_linear_model_and_the_nearest_neighbour_find_what_they_can() {
    use mapsto::assert_close;
    let x = Tensor::arange(0..40).to(DType::F32).reshape([40, 1]);
    let y = &x * 3.0 - 5.0;
    let (s, _) = standardized(&x, &x);
    let said = linear(&s, &y, &s, false);
    assert!((said - &y).abs().max(..).item() < 0.1);
    assert_close!(nearest(&s, &y, &s), &y);
    let classes = x.gt(19.5).to(DType::I64).reshape([40]).one_hot(2).to(DType::F32);
    let said = linear(&s, &classes, &s, true).argmax(1).to(DType::F32);
    assert_close!(said, x.gt(19.5).to(DType::F32).reshape([40]));
}
