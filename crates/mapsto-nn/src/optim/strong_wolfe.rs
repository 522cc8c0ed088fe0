//! A line search that ends where the loss has fallen enough and its slope is small: the strong conditions of Wolfe.

use mapsto_tensor::{Result, Tensor};

/// A point of a line, `x + t d`.
#[derive(Clone, Debug)]
pub struct Trial {
    /// How far it is from the start, in units of the direction.
    pub t: f64,
    /// The loss there; infinite where it is no number, so that the search comes back.
    pub loss: f64,
    /// The gradient there.
    pub gradient: Tensor,
    /// The derivative of the loss along the line.
    pub slope: f64,
}

/// By how much the loss must have fallen, as a share of what the slope at the start promises.
const FALL: f64 = 1e-4;
/// How large the slope may still be, as a share of that at the start.
const SLOPE: f64 = 0.9;
/// The smallest change of an element that is looked for.
const LEAST: f64 = 1e-9;

/// Finds a `t` with `loss(t) ≤ loss(0) + 10⁻⁴ t slope(0)` and `|slope(t)| ≤ 0.9 |slope(0)|`, and answers the point with the number
/// of evaluations.
///
/// It begins at `t`, looks `most` times at most, and gives up where the largest element of the direction, which is `size`, would
/// move by less than 10⁻⁹; then it answers the lowest point that it knows.
///
/// Source: Nocedal, Wright (2006), Numerical optimization, algorithms 3.5 and 3.6, step for step as in PyTorch's `LBFGS`.
/// ```
/// use mapsto_nn::optim::{Trial, strong_wolfe};
/// use mapsto_nn::prelude::*;
/// let mut at = |t: f64| Ok(Trial { t, loss: (t - 3.0).powi(2), gradient: tensor![0.0], slope: 2.0 * (t - 3.0) });
/// let (start, mut looks) = (at(0.0)?, 0);
/// let (end, looked) = strong_wolfe(&start, 0.1, 1.0, 25, &mut |t| { looks += 1; at(t) })?;
/// assert!(end.slope.abs() <= 0.9 * 6.0 && end.loss < 9.0 && looked == looks);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
///
/// # Errors
/// Those of `at`.
pub fn strong_wolfe(
    start: &Trial,
    t: f64,
    size: f64,
    most: usize,
    at: &mut dyn FnMut(f64) -> Result<Trial>,
) -> Result<(Trial, usize)> {
    let is_high = |x: &Trial| x.loss > start.loss + FALL * x.t * start.slope;
    let is_flat = |x: &Trial| x.slope.abs() <= -SLOPE * start.slope;
    let (mut before, mut new, mut looks) = (start.clone(), at(t)?, 1);

    // Outwards, until two points have such a point between them.
    let mut bracket = loop {
        let i = looks - 1;
        if i >= most {
            let lower = if start.loss <= new.loss { start.clone() } else { new };
            return Ok((lower, looks));
        }
        if is_high(&new) || (i > 1 && new.loss >= before.loss) {
            break [before, new];
        }
        if is_flat(&new) {
            return Ok((new, looks));
        }
        if new.slope >= 0.0 {
            break [before, new];
        }
        let bounds = (new.t + 0.01 * (new.t - before.t), new.t * 10.0);
        let next = at(lowest(&before, &new, bounds))?;
        (before, new) = (new, next);
        looks += 1;
    };

    // Inwards, always with the lowest point known as one end.
    let order = |b: &[Trial; 2]| if b[0].loss <= b[1].loss { (0, 1) } else { (1, 0) };
    let (mut low, mut high) = order(&bracket);
    let mut is_stuck = false;
    while looks - 1 < most && (bracket[1].t - bracket[0].t).abs() * size >= LEAST {
        let (least, largest) = (bracket[0].t.min(bracket[1].t), bracket[0].t.max(bracket[1].t));
        let mut t = lowest(&bracket[0], &bracket[1], (least, largest));
        // Where it comes too near to an end twice, a tenth of the way is taken instead.
        let tenth = 0.1 * (largest - least);
        let is_near = (largest - t).min(t - least) < tenth;
        if is_near && (is_stuck || t >= largest || t <= least) {
            t = if (t - largest).abs() < (t - least).abs() { largest - tenth } else { least + tenth };
            is_stuck = false;
        } else {
            is_stuck = is_near;
        }
        let new = at(t)?;
        looks += 1;
        if is_high(&new) || new.loss >= bracket[low].loss {
            bracket[high] = new;
            (low, high) = order(&bracket);
            continue;
        }
        if is_flat(&new) {
            return Ok((new, looks));
        }
        if new.slope * (bracket[high].t - bracket[low].t) >= 0.0 {
            bracket[high] = bracket[low].clone();
        }
        bracket[low] = new;
    }
    Ok((bracket[low].clone(), looks))
}

/// Where the cubic through two points with their slopes is lowest, within bounds; their middle where it has no such place.
fn lowest(a: &Trial, b: &Trial, (least, most): (f64, f64)) -> f64 {
    let d = a.slope + b.slope - 3.0 * (a.loss - b.loss) / (a.t - b.t);
    let square = d * d - a.slope * b.slope;
    // NaN, where a loss is infinite, is not.
    if square >= 0.0 {
        let root = square.sqrt();
        let t = match a.t <= b.t {
            true => b.t - (b.t - a.t) * ((b.slope + root - d) / (b.slope - a.slope + 2.0 * root)),
            false => a.t - (a.t - b.t) * ((a.slope + root - d) / (a.slope - b.slope + 2.0 * root)),
        };
        if t.is_finite() {
            return t.max(least).min(most);
        }
    }
    f64::midpoint(least, most)
}

#[test]
fn the_conditions_hold_at_the_end_wherever_it_begins() {
    // Steep walls, a loss that is infinite beyond 4, and a wave.
    let functions: [fn(f64) -> (f64, f64); 3] = [
        |t| ((t - 1.0).powi(4) * 100.0, 400.0 * (t - 1.0).powi(3)),
        |t| if t < 4.0 { (-t - (4.0 - t).ln(), -1.0 + 1.0 / (4.0 - t)) } else { (f64::INFINITY, f64::NAN) },
        |t| (t.sin() * 3.0 + 0.1 * t * t - 2.0 * t, 3.0 * t.cos() + 0.2 * t - 2.0),
    ];
    for (i, f) in functions.into_iter().enumerate() {
        let mut at = |t: f64| {
            let (loss, slope) = f(t);
            Ok(Trial { t, loss, gradient: Tensor::zeros([1]), slope })
        };
        let mut start = at(0.0).unwrap();
        // A line goes downwards.
        start.slope = -start.slope.abs();
        if f(0.0).1 > 0.0 {
            continue;
        }
        for t in [1e-3, 0.1, 1.0, 3.9, 30.0] {
            let (end, looks) = strong_wolfe(&start, t, 1.0, 50, &mut at).unwrap();
            assert!(end.loss <= start.loss + FALL * end.t * start.slope, "{i} from {t}: {end:?}");
            assert!(end.slope.abs() <= -SLOPE * start.slope, "{i} from {t}: {end:?}");
            assert!(looks <= 51);
        }
    }
}
