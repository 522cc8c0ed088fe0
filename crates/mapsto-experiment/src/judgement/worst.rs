//! The samples that a model does worst on.

use mapsto::training::Predictions;
use mapsto::training::metrics::Scored;
use mapsto::{DType, Result};

use super::{Kind, Worst};
use crate::experiment::Experiment;

impl Experiment {
    /// The ten samples with the largest loss or error.
    pub(super) fn worst(&self, kind: Kind, found: &Predictions, names: &[String]) -> Result<Vec<Worst>> {
        const MOST: usize = 10;
        let mut all: Vec<Worst> = match kind {
            Kind::Classes(at) => {
                let scored = Scored::read("eval", self.scale(), &found.y, &found.target)?;
                let values = found.y.to(DType::F64).to_vec::<f64>();
                let given = |i: usize| match at {
                    Some(at) => usize::from(values[i] >= at),
                    None => {
                        let row = &values[i * scored.classes..(i + 1) * scored.classes];
                        (1..row.len()).fold(0, |best, c| if row[c] > row[best] { c } else { best })
                    }
                };
                let one = |i: usize| Worst {
                    name: names[found.indices[i]].clone(),
                    truth: self.class(scored.actual[i]),
                    prediction: self.class(given(i)),
                    loss: scored.surprise(i),
                };
                (0..scored.len()).map(one).collect()
            }
            Kind::Numbers => {
                let [y, t] = [&found.y, &found.target].map(|x| x.to(DType::F64).to_vec::<f64>());
                let width = y.len() / found.indices.len().max(1);
                let one = |i: usize| {
                    // Of several numbers the one that is farthest off.
                    let at = (i * width..(i + 1) * width)
                        .max_by(|&a, &b| (y[a] - t[a]).abs().total_cmp(&(y[b] - t[b]).abs()))?;
                    Some(Worst {
                        name: names[found.indices[i]].clone(),
                        truth: (t[at] as f32).to_string(),
                        prediction: (y[at] as f32).to_string(),
                        loss: (y[at] - t[at]).abs(),
                    })
                };
                (0..found.indices.len()).filter_map(one).collect()
            }
            Kind::Labels(_) | Kind::Other => Vec::new(),
        };
        all.sort_by(|a, b| b.loss.total_cmp(&a.loss));
        all.truncate(MOST);
        Ok(all)
    }
}
