//! Channels that become places, places that become channels, and channels in another order.

use crate::check::floats;
use crate::error::named;
use crate::kind::{OpKind, Samples, Takes};
use crate::{Tensor, fail};

impl Tensor {
    /// `y[.., c, h·r + i, w·r + j] = x[.., c·r² + i·r + j, h, w]`: Shi et al. (2016), arXiv:1609.05158, equation 4.
    ///
    /// * Shape: `[.., c·r², h, w] → [.., c, h·r, w·r]`, every dtype.   * Gradient: `pixel_unshuffle`.   * ONNX: `DepthToSpace` (CRD).
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![1.0, 2.0, 3.0, 4.0].reshape([4, 1, 1]);
    /// assert_close!(x.pixel_shuffle(2), [[[1.0, 2.0], [3.0, 4.0]]]);
    /// ```
    /// # Panics
    /// When there are less than three axes, or the channels cannot be divided.
    #[track_caller]
    pub fn pixel_shuffle(&self, r: usize) -> Tensor {
        let parts = r.saturating_mul(r);
        let fits = self.rank() >= 3 && parts > 0 && self.shape()[self.rank() - 3].is_multiple_of(parts);
        if !fits {
            fail!("pixel_shuffle", "[.., a multiple of {parts}, h, w] was expected, found {:?}", self.shape());
        }
        named("pixel_shuffle", || {
            let (front, [c, h, w]) = self.shape().split_last_chunk::<3>().expect("three axes");
            let (n, c) = (front.iter().product::<usize>(), c / parts);
            let y = self.reshape([n, c, r, r, *h, *w]).permute([0, 1, 4, 2, 5, 3]);
            y.reshape([front, &[c, h * r, w * r]].concat())
        })
    }

    /// The opposite of [`pixel_shuffle`](Tensor::pixel_shuffle): `y[.., c·r² + i·r + j, h, w] = x[.., c, h·r + i, w·r + j]`.
    ///
    /// * Shape: `[.., c, h·r, w·r] → [.., c·r², h, w]`, every dtype.   * Gradient: `pixel_shuffle`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let x = tensor![[[1.0, 2.0], [3.0, 4.0]]];
    /// assert_close!(x.pixel_unshuffle(2).flatten(0), [1.0, 2.0, 3.0, 4.0]);
    /// ```
    /// # Panics
    /// When there are less than three axes, or the sides cannot be divided.
    #[track_caller]
    pub fn pixel_unshuffle(&self, r: usize) -> Tensor {
        let fits = self.rank() >= 3 && r > 0 && self.shape()[self.rank() - 2..].iter().all(|n| n.is_multiple_of(r));
        if !fits {
            fail!("pixel_unshuffle", "[.., c, a multiple of {r}, a multiple of {r}] was expected, found {:?}", self.shape());
        }
        named("pixel_unshuffle", || {
            let (front, [c, h, w]) = self.shape().split_last_chunk::<3>().expect("three axes");
            let (n, h, w) = (front.iter().product::<usize>(), h / r, w / r);
            let y = self.reshape([n, *c, h, r, w, r]).permute([0, 1, 3, 5, 2, 4]);
            y.reshape([front, &[c * r * r, h, w]].concat())
        })
    }

    /// Channels in `groups` parts, dealt out like cards: `y[n, i·groups + g] = x[n, g·(c / groups) + i]`, so that the next
    /// convolution in groups sees all of them: Zhang et al. (2018), ShuffleNet, arXiv:1707.01083.
    ///
    /// * Shape: `[n, c, ..] → [n, c, ..]`, every dtype.   * Gradient: the opposite.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// assert_close!(tensor![[1.0, 2.0, 3.0, 4.0]].channel_shuffle(2), [[1.0, 3.0, 2.0, 4.0]]);
    /// ```
    /// # Panics
    /// When there are less than two axes, or the channels cannot be divided.
    #[track_caller]
    pub fn channel_shuffle(&self, groups: usize) -> Tensor {
        if self.rank() < 2 || groups == 0 || !self.shape()[1].is_multiple_of(groups) {
            fail!("channel_shuffle", "[n, a multiple of {groups}, ..] was expected, found {:?}", self.shape());
        }
        named("channel_shuffle", || {
            let (n, c) = (self.shape()[0], self.shape()[1]);
            let rest = self.shape()[2..].iter().product::<usize>();
            self.reshape([n, groups, c / groups, rest]).permute([0, 2, 1, 3]).reshape(self.shape())
        })
    }
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("pixel_shuffle", "Channels that become places.", Takes::All, of_shuffle).made_of("reshape and permute"),
    OpKind::new("pixel_unshuffle", "Places that become channels.", Takes::All, of_unshuffle).made_of("reshape and permute"),
    OpKind::new("channel_shuffle", "Channels in groups, dealt out.", Takes::All, of_channels).made_of("reshape and permute"),
];

fn of_shuffle(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 8, 2, 3], &d)], |x| x[0].pixel_shuffle(2));
    s.of(&[(&[9, 1, 2], &d)], |x| x[0].pixel_shuffle(3));
    s.of(&[(&[1, 1, 1, 4, 2, 1], &d)], |x| x[0].pixel_shuffle(2));
    s.of(&[(&[0, 4, 2, 1], &d)], |x| x[0].pixel_shuffle(2));
}

fn of_unshuffle(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 2, 4, 6], &d)], |x| x[0].pixel_unshuffle(2));
    s.of(&[(&[1, 3, 6], &d)], |x| x[0].pixel_unshuffle(3));
    s.of(&[(&[2, 0, 4, 6], &d)], |x| x[0].pixel_unshuffle(2));
}

fn of_channels(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 6, 4, 3], &d)], |x| x[0].channel_shuffle(3));
    s.of(&[(&[2, 4], &d)], |x| x[0].channel_shuffle(2));
    s.of(&[(&[2, 4, 0], &d)], |x| x[0].channel_shuffle(2));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn shuffles() {
        let d = || floats(-2.0..2.0);
        check(|x| x.pixel_shuffle(2)).shapes([&[2, 8, 2, 3]])
            .formula(|[x]| Numbers::from_fn(&[2, 2, 4, 6], |at| x.at(&[at[0], at[1] * 4 + at[2] % 2 * 2 + at[3] % 2, at[2] / 2, at[3] / 2])))
            .on(d());
        check(|x| x.pixel_unshuffle(2).pixel_shuffle(2)).shapes([&[2, 2, 4, 6]]).formula(|[x]| x.clone()).on(d());
        check(|x| x.channel_shuffle(3)).shapes([&[2, 6, 2]]).formula(|[x]| Numbers::from_fn(&[2, 6, 2], |at| x.at(&[at[0], at[1] % 3 * 2 + at[1] / 3, at[2]]))).on(d());
        let error = |f: &dyn Fn() -> Tensor| catch(f).unwrap_err().message().to_string();
        assert_eq!(error(&|| Tensor::ones([1, 6, 2, 2]).pixel_shuffle(2)), "pixel_shuffle: [.., a multiple of 4, h, w] was expected, found [1, 6, 2, 2]");
        assert_eq!(error(&|| Tensor::ones([1, 3, 2]).pixel_unshuffle(2)), "pixel_unshuffle: [.., c, a multiple of 2, a multiple of 2] was expected, found [1, 3, 2]");
        assert_eq!(error(&|| Tensor::ones([1, 3, 2]).channel_shuffle(0)), "channel_shuffle: [n, a multiple of 0, ..] was expected, found [1, 3, 2]");
    }
}
