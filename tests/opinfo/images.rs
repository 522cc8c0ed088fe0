//! Borders, resampling, windows, and the shuffles of channels.

use super::{Call, Found, no, number, one, wholes};
use mapsto::ops::{Border, GridSample, Interpolation, Pool, Resize, Window};
use mapsto::prelude::*;
use mapsto::spec::Json;

impl Call<'_> {
    pub(super) fn images(&self, op: &str, x: &Tensor) -> Option<Found> {
        let factor = |name: &str| self.int(1, name).and_then(|n| usize::try_from(n).ok());
        let op = if op.starts_with("grid_sampler") { op } else { op.strip_prefix("nn.functional.")? };
        Some(match op {
            "pad" => self.pad(x),
            "channel_shuffle" => one(x.channel_shuffle(factor("groups")?)),
            "pixel_shuffle" | "pixel_unshuffle" if x.rank() > 4 && self.sample.refused.is_none() => {
                no("several axes of batches")
            }
            "pixel_shuffle" => match factor("upscale_factor") {
                Some(r) => self.batch(3, |x| vec![x.pixel_shuffle(r)]),
                None => no("sizes that no call can write"),
            },
            "pixel_unshuffle" => match factor("downscale_factor") {
                Some(r) => self.batch(3, |x| vec![x.pixel_unshuffle(r)]),
                None => no("sizes that no call can write"),
            },
            "grid_sample" | "grid_sampler_2d" | "grid_sampler_3d" => {
                let mode = self.arg(2, "mode").map_or("bilinear".to_string(), word);
                let outside = self.arg(3, "padding_mode").map_or("zeros".to_string(), word);
                let options = match &mode[..] {
                    "nearest" | "1" => GridSample::new().nearest(),
                    "bicubic" | "2" => GridSample::new().bicubic(),
                    _ => GridSample::new(),
                };
                let options = match &outside[..] {
                    "border" | "1" => options.border(),
                    "reflection" | "2" => options.reflection(),
                    _ => options,
                };
                let options = if self.flag(4, "align_corners") { options.align_corners() } else { options };
                one(x.grid_sample(self.tensor(1, "grid")?, options))
            }
            "interpolate" => self.resized(x, self.arg(3, "mode").and_then(Json::str).unwrap_or("nearest")),
            "upsample_nearest" => self.resized(x, "nearest"),
            "upsample_bilinear" => self.resized(x, "bilinear"),
            "unfold" => {
                let sizes = [("kernel_size", 1), ("dilation", 1), ("padding", 0), ("stride", 1)];
                let mut found = [[0; 2]; 4];
                for (k, (name, usual)) in sizes.into_iter().enumerate() {
                    let Some(size) = self.each::<2>(1 + k, name, usual) else {
                        return Some(no("sizes that no call can write"));
                    };
                    found[k] = size;
                }
                let [kernel, dilation, padding, stride] = found;
                self.batch(3, |x| vec![x.window(Window { kernel, stride, padding, dilation })])
            }
            "max_unpool1d" => self.unpooled::<1>(
                x,
                |x, at, pool, n| x.max_unpool1d_with(at, pool, n[0]),
                Tensor::max_unpool1d,
            ),
            "max_unpool2d" => {
                self.unpooled::<2>(x, |x, at, pool, n| x.max_unpool2d_with(at, pool, n), Tensor::max_unpool2d)
            }
            "max_unpool3d" => {
                self.unpooled::<3>(x, |x, at, pool, n| x.max_unpool3d_with(at, pool, n), Tensor::max_unpool3d)
            }
            _ => return None,
        })
    }

    fn resized(&self, x: &Tensor, mode: &str) -> Found {
        let Ok(mode_) = Interpolation::of(mode) else { return no("an unknown mode") };
        let places = x.rank().saturating_sub(2);
        // One number stands for all axes.
        let spread = |json: &Json| -> Option<Vec<f64>> {
            match json {
                Json::List(list) => list.iter().map(number).collect(),
                one => Some(vec![number(one)?; places]),
            }
        };
        let size = self.arg(1, "size").and_then(spread);
        let resize = match (size, self.arg(2, "scale_factor").and_then(spread)) {
            (Some(size), _) => Resize::to(size.iter().map(|n| *n as usize).collect::<Vec<_>>()),
            (None, Some(by)) => Resize::by(by),
            _ => return no("sizes that no call can write"),
        };
        let mut resize = resize.mode(mode_);
        if self.flag(4, "align_corners") || self.sample.op.ends_with("upsample_bilinear") {
            resize = resize.align_corners();
        }
        if self.flag(5, "recompute_scale_factor") {
            resize = resize.recompute_scale_factor();
        }
        if self.flag(6, "antialias") {
            resize = resize.antialias();
        }
        one(x.interpolate(&resize))
    }

    fn unpooled<const N: usize>(
        &self,
        x: &Tensor,
        with: fn(&Tensor, &Tensor, Pool<N>, [usize; N]) -> Tensor,
        plain: fn(&Tensor, &Tensor, Pool<N>) -> Tensor,
    ) -> Found {
        let Some(at) = self.tensor(1, "indices") else { return no("no places") };
        // Of several maxima in one place the last counts, and so it has the gradient; PyTorch gives it to all.
        let plane: usize = at.shape()[at.rank().saturating_sub(N)..].iter().product();
        let shared = |places: &[i64]| {
            let mut sorted = places.to_vec();
            sorted.sort_unstable();
            sorted.windows(2).any(|pair| pair[0] == pair[1])
        };
        if at.dtype() == DType::I64
            && self.sample.first.iter().any(Option::is_some)
            && at.to_vec::<i64>().chunks(plane.max(1)).any(shared)
        {
            return no("a gradient at one of several maxima in one place, of which the last counts");
        }
        let Some(kernel) = self.each::<N>(2, "kernel_size", 1) else {
            return no("sizes that no call can write");
        };
        let mut pool = Pool::new(kernel);
        if self.arg(3, "stride").is_some_and(|json| json.list() != Some(&[])) {
            let Some(stride) = self.each::<N>(3, "stride", 1) else {
                return no("sizes that no call can write");
            };
            pool = pool.stride(stride);
        }
        let Some(padding) = self.each::<N>(4, "padding", 0) else {
            return no("sizes that no call can write");
        };
        let pool = pool.padding(padding);
        let size = match self.arg(5, "output_size").and_then(wholes) {
            None => None,
            Some(size) if size.len() < N => return no("sizes that no call can write"),
            Some(size) => {
                let of = size[size.len() - N..].iter().map(|n| *n as usize).collect::<Vec<_>>();
                <[usize; N]>::try_from(of).ok()
            }
        };
        let single = x.rank() == N + 1;
        let (x, at) = if single { (x.unsqueeze(0), at.unsqueeze(0)) } else { (x.clone(), at.clone()) };
        let y = size.map_or_else(|| plain(&x, &at, pool), |size| with(&x, &at, pool, size));
        one(if single { y.squeeze(0) } else { y })
    }

    fn pad(&self, x: &Tensor) -> Found {
        let around = self.arg(1, "pad").and_then(wholes).unwrap_or_default();
        if around.len() % 2 == 1 || around.len() > 2 * x.rank() {
            return no("sizes that no call can write");
        }
        let mode = self.arg(2, "mode").and_then(Json::str).unwrap_or("constant");
        let mut pairs = vec![(0, 0); x.rank()];
        let mut x = x.clone();
        for (k, pair) in around.chunks(2).enumerate() {
            let at = x.rank() - 1 - k;
            // A number below 0 cuts off, which is `slice` here.
            let (cut, n) = ([pair[0], pair[1]].map(|n| (-n).max(0)), x.shape()[at] as isize);
            if cut != [0, 0] {
                if mode != "constant" || cut[0] + cut[1] > n {
                    return no("a border that cuts off more than there is, or in a mode");
                }
                x = x.slice(at as isize, cut[0]..n - cut[1]);
            }
            pairs[at] = (pair[0].max(0) as usize, pair[1].max(0) as usize);
        }
        let border = match mode {
            "reflect" => Border::Reflect,
            "replicate" => Border::Replicate,
            "circular" => Border::Circular,
            _ => {
                let value = self.arg(3, "value").and_then(number).unwrap_or(0.0);
                return match x.dtype() {
                    DType::Bool => no("a fill of bool by a number"),
                    dtype if dtype.is_float() => one(x.pad(&pairs, value)),
                    // PyTorch cuts the fraction off.
                    _ => one(x.pad(&pairs, value as i64)),
                };
            }
        };
        one(x.pad_with(&pairs, border))
    }
}

/// A word, or the number that PyTorch has in its place.
fn word(json: &Json) -> String {
    json.str().map_or_else(|| json.to_string(), ToString::to_string)
}
