//! Pools of sequences, images and volumes.

use super::{Call, Found, no, wholes};
use mapsto::ops::Pool;
use mapsto::prelude::*;
use mapsto::spec::Json;

impl Call<'_> {
    pub fn pools(&self, op: &str, x: &Tensor) -> Option<Found> {
        Some(match op.strip_prefix("nn.functional.")? {
            "max_pool1d" => self.pooled(false, Tensor::max_pool1d_with, Tensor::max_pool1d_with_indices),
            "max_pool2d" => self.pooled(false, Tensor::max_pool2d_with, Tensor::max_pool2d_with_indices),
            "max_pool3d" => self.pooled(false, Tensor::max_pool3d_with, Tensor::max_pool3d_with_indices),
            "avg_pool1d" => self.pooled(true, Tensor::avg_pool1d_with, Tensor::max_pool1d_with_indices),
            "avg_pool2d" => self.pooled(true, Tensor::avg_pool2d_with, Tensor::max_pool2d_with_indices),
            "avg_pool3d" => self.pooled(true, Tensor::avg_pool3d_with, Tensor::max_pool3d_with_indices),
            "adaptive_avg_pool1d" => self.adaptive(x, |x, [n]: [usize; 1]| vec![x.adaptive_avg_pool1d(n)]),
            "adaptive_avg_pool2d" => self.adaptive(x, |x, n: [usize; 2]| vec![x.adaptive_avg_pool2d(n)]),
            "adaptive_avg_pool3d" => self.adaptive(x, |x, n: [usize; 3]| vec![x.adaptive_avg_pool3d(n)]),
            "adaptive_max_pool1d" => self.adaptive(x, |x, [n]: [usize; 1]| {
                let (y, at) = x.adaptive_max_pool1d_with_indices(n);
                vec![y, at]
            }),
            "adaptive_max_pool2d" => self.adaptive(x, |x, n: [usize; 2]| {
                let (y, at) = x.adaptive_max_pool2d_with_indices(n);
                vec![y, at]
            }),
            "adaptive_max_pool3d" => self.adaptive(x, |x, n: [usize; 3]| {
                let (y, at) = x.adaptive_max_pool3d_with_indices(n);
                vec![y, at]
            }),
            _ => return None,
        })
    }

    fn pooled<const N: usize>(
        &self,
        average: bool,
        plain: fn(&Tensor, Pool<N>) -> Tensor,
        with_indices: fn(&Tensor, Pool<N>) -> (Tensor, Tensor),
    ) -> Found {
        let pool = self.pool::<N>(average)?;
        let both = !average && self.flag(6, "return_indices");
        if self.sample.refused.is_some() && self.tensor(0, "input").is_some_and(Tensor::is_empty) {
            return no("a pool of nothing, which gives nothing here");
        }
        self.batch(N + 1, |x| match both {
            true => {
                let (y, at) = with_indices(x, pool);
                vec![y, at]
            }
            false => vec![plain(x, pool)],
        })
    }

    fn adaptive<const N: usize>(
        &self,
        x: &Tensor,
        pool: impl FnOnce(&Tensor, [usize; N]) -> Vec<Tensor>,
    ) -> Found {
        let Some(size) = self.arg(1, "output_size") else { return no("no sizes") };
        let sizes: Option<Vec<usize>> = match size {
            Json::List(list) if list.len() == N && x.rank() >= N => list
                .iter()
                .zip(&x.shape()[x.rank() - N..])
                .map(|(json, now)| match json {
                    Json::Null => Some(*now),
                    json => usize::try_from(json.int()?).ok(),
                })
                .collect(),
            one => {
                wholes(one).filter(|n| n.len() == 1).and_then(|n| Some(vec![usize::try_from(n[0]).ok()?; N]))
            }
        };
        let Some(sizes) = sizes.and_then(|sizes| sizes.try_into().ok()) else {
            return no("sizes that no call can write");
        };
        let both = self.flag(2, "return_indices");
        let kept = move |ys: Vec<Tensor>| if both { ys } else { ys.into_iter().take(1).collect() };
        self.batch(N + 1, |x| kept(pool(x, sizes)))
    }
}
