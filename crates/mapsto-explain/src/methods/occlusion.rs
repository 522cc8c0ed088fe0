//! Occlusion: how far the score falls when a window of the sample is covered.

use crate::coalitions::{Games, each};
use crate::{Ask, Explanation, Method, Model, Needs};
use mapsto_tensor::{Error, ErrorKind, Result, Tensor};

/// How far the score falls when a window is covered by the baseline, `f(x) − f(x covered)`, for each number the mean over the windows
/// that cover it.
///
/// The window is `width` numbers long: pixels high and wide over all channels of a picture `[channels, h, w]` (a seventh of its
/// longer side by default), steps of a sequence `[t, d]` (one), columns of a table `[d]` (one). It moves by half its length, so
/// that windows overlap; [`over`](Occlusion::over) takes any window and any step. It costs one question for each place of the window
/// and each baseline. It lies where the cover is itself a shape that the model knows, such as a black square, and where what the
/// score rests on is larger than the window, or stands in the picture twice.
///
/// Source: Zeiler and Fergus, 2014, section 4.2. captum: `Occlusion`; Keras: none.
/// ```
/// use mapsto_explain::{Ask, Model, method};
/// use mapsto_tensor::prelude::*;
/// let model = Model::asked(|x: &Tensor| x.select(1, 0) * x.select(1, 1) + x.select(1, 2));
/// let found = method("occlusion")?.explain(&model, &tensor![[2.0, 3.0, 5.0]], &Ask::new().width(2.0))?;
/// // The windows {0, 1} and {1, 2} lower the score by 6 and 11.
/// assert_close!(found.attributions()?, [[6.0, 8.5, 11.0]]);
/// # Ok::<(), Error>(())
/// ```
pub struct Occlusion;

impl Method for Occlusion {
    fn name(&self) -> &'static str {
        "occlusion"
    }
    fn says(&self) -> &'static str {
        "how far the score falls when a window of the sample is covered"
    }
    fn needs(&self) -> Needs {
        Needs::Answers
    }
    fn explain(&self, model: &Model<'_>, x: &Tensor, ask: &Ask) -> Result<Explanation> {
        let shape = x.shape().get(1..).unwrap_or_default();
        let own = match *shape {
            [_, h, w] => h.max(w).div_ceil(7),
            _ => 1,
        };
        let side = ask.width.unwrap_or(own as f64);
        if side.is_nan() || side < 1.0 {
            return Err(Error::new(ErrorKind::Usage, format!("a window of width {side} covers nothing"))
                .help("give a width of at least 1"));
        }
        let (side, half) = (side.round() as usize, (side.round() as usize / 2).max(1));
        // Channels, and the numbers of a step, are covered together.
        let moves: Vec<bool> = match shape.len() {
            0 | 1 => vec![true; shape.len()],
            2 => vec![true, false],
            _ => (0..shape.len()).map(|axis| axis > 0).collect(),
        };
        let along = |i: usize, n: usize| if moves[i] { n } else { shape[i] };
        let window: Vec<usize> = (0..shape.len()).map(|i| along(i, side).min(shape[i])).collect();
        let step: Vec<usize> = (0..shape.len()).map(|i| along(i, half)).collect();
        self.over(model, x, ask, &window, &step)
    }
}

impl Occlusion {
    /// The same with a window of any shape, which moves by `step` along each axis of a sample; the last places are cut off at
    /// the edge, and `features` are not read.
    ///
    /// # Errors
    /// As [`explain`](Method::explain); a window that has another number of axes than a sample, is empty, or larger than it.
    pub fn over(
        &self,
        model: &Model<'_>,
        x: &Tensor,
        ask: &Ask,
        window: &[usize],
        step: &[usize],
    ) -> Result<Explanation> {
        let shape = x.shape().get(1..).unwrap_or_default();
        let fits = window.len() == shape.len() && step.len() == shape.len();
        if !fits || window.iter().zip(shape).any(|(w, n)| *w == 0 || w > n) || step.contains(&0) {
            let message =
                format!("a window {window:?} that moves by {step:?} does not fit samples {shape:?}");
            return Err(Error::new(ErrorKind::Usage, message)
                .help("give a length and a step, from 1 to the size, for each axis of a sample"));
        }
        let ask = Ask { features: None, ..ask.clone() };
        let games = Games::of(model, x, &ask, each)?;
        let places = places(shape, window, step);
        let found: Result<Vec<Vec<f64>>> = (0..games.scores.len())
            .map(|i| {
                let covered = games.worth_by(i, places.len(), |c, k| !places[c].contains(&k))?;
                let mut sums = vec![(0.0, 0usize); shape.iter().product()];
                for (place, v) in places.iter().zip(covered) {
                    for k in place {
                        sums[*k] = (sums[*k].0 + games.scores[i] - v, sums[*k].1 + 1);
                    }
                }
                Ok(sums.into_iter().map(|(sum, n)| sum / n.max(1) as f64).collect())
            })
            .collect();
        Ok(games.shows(found?))
    }
}

/// The numbers that the window covers at each of its places.
fn places(shape: &[usize], window: &[usize], step: &[usize]) -> Vec<std::collections::BTreeSet<usize>> {
    let mut corners = vec![vec![]];
    for axis in 0..shape.len() {
        let count = (shape[axis] - window[axis]).div_ceil(step[axis]) + 1;
        let with = |corner: &Vec<usize>| {
            (0..count).map(|c| [&corner[..], &[c * step[axis]]].concat()).collect::<Vec<_>>()
        };
        corners = corners.iter().flat_map(with).collect();
    }
    let covers = |corner: Vec<usize>| {
        let mut flat = vec![0];
        for axis in 0..shape.len() {
            let reach = corner[axis]..shape[axis].min(corner[axis] + window[axis]);
            flat = flat.iter().flat_map(|k| reach.clone().map(move |at| k * shape[axis] + at)).collect();
        }
        flat.into_iter().collect()
    };
    corners.into_iter().map(covers).collect()
}

#[test]
fn a_window_over_a_picture_covers_every_channel_and_ends_at_the_edge() {
    let x = Tensor::ones([2, 3, 9, 9]);
    let model = Model::asked(|x: &Tensor| x.select(2, 8).select(2, 8).sum(1));
    let found = Occlusion.explain(&model, &x, &Ask::new().width(4.0)).unwrap().attributions().unwrap();
    assert_eq!(found.shape(), [2, 3, 9, 9]);
    let at = |h: usize, w: usize| found.select(0, 1).select(0, 2).select(0, h).select(0, w).item();
    assert_eq!((at(8, 8), at(8, 4), at(4, 8), at(0, 0)), (3.0, 0.0, 0.0, 0.0));
    assert_eq!(places(&[2, 9], &[2, 4], &[2, 2]).len(), 4);
    let steps = Model::asked(|x: &Tensor| x.select(1, 1).sum(1));
    let found = Occlusion.explain(&steps, &Tensor::ones([1, 3, 2]), &Ask::new()).unwrap();
    assert_eq!(found.attributions().unwrap().to_vec::<f32>(), [0.0, 0.0, 2.0, 2.0, 0.0, 0.0]);
    let wrong = Occlusion.over(&model, &x, &Ask::new(), &[3, 10, 1], &[1, 1, 1]).unwrap_err();
    assert!(wrong.message().contains("does not fit samples [3, 9, 9]"), "{wrong}");
}
