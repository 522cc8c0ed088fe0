//! What norms share: statistics within groups, scale and shift, running statistics, and their options in files.

use crate::layers::features;
use crate::module::share_of;
use crate::{Param, State};
use mapsto_spec::{Args, Bounds, Entry, count_option};
use mapsto_tensor::{Result, Shape, Tensor, fail};

/// Channels `[n, channels, ..]` normalised in groups, before scale and shift.
#[track_caller]
pub(crate) fn normalised(name: &str, x: &Tensor, channels: usize, groups: usize, eps: f64) -> Tensor {
    if x.rank() < 2 || x.shape()[1] != channels {
        fail!(name, "[n, {channels}, ..] was expected, found {:?}", x.shape());
    }
    if x.is_empty() {
        return x.clone();
    }
    // As rows of a group, for which there is a kernel.
    let group = x.len() / x.shape()[0] / groups;
    let ones = x.device().scope(|| Tensor::full_of([group], 1.0, x.dtype()));
    x.reshape([x.shape()[0], groups, group]).layer_norm(&ones, None, eps).reshape(x.shape())
}

/// `x [n, channels, ..]` times the scale of each channel, plus its shift, where there are any.
#[track_caller]
pub(crate) fn scaled(x: Tensor, weight: &Option<Param>, bias: &Option<Param>) -> Tensor {
    let by_channel = |p: &Tensor| p.reshape([&[p.len()][..], &vec![1; x.rank() - 2]].concat());
    let y = weight.as_ref().map_or(x.clone(), |w| &x * by_channel(w));
    bias.as_ref().map_or(y.clone(), |b| y + by_channel(b))
}

/// The scale and the shift of each channel beside `x`: ones and zeros where a norm has none.
pub(crate) fn scale_and_shift(
    x: &Tensor,
    channels: usize,
    weight: &Option<Param>,
    bias: &Option<Param>,
) -> [Tensor; 2] {
    let made = |value| x.device().scope(|| Tensor::full_of([channels], value, x.dtype()));
    let or = |p: &Option<Param>, value| p.as_deref().cloned().unwrap_or_else(|| made(value));
    [or(weight, 1.0), or(bias, 0.0)]
}

/// `state ← (1 − share) · state + share · new`; in [`cumulative`](crate::module::cumulative) the mean of all that came.
pub(crate) fn move_towards(state: &State, new: &Tensor, share: f64) {
    let (old, share) = (state.get(), share_of(state, share));
    let new = new.detach().to(old.dtype());
    // Whatever there was before, even if it was no number.
    state.set(if share == 1.0 { new } else { old * (1.0 - share) + new * share });
}

/// The momentum of running statistics; where `none` says why there are none that it moves, it may not be set.
pub(crate) fn momentum_of(args: &mut Args, none: Option<&str>) -> Result<f64> {
    let Some(why) = none else { return Bounds::UP_TO_1.option(args, "momentum", 0.1) };
    match Bounds::UP_TO_1.optional(args, "momentum")? {
        Some(_) => {
            let message = format!("`momentum` means nothing with {why}");
            Err(args.error("momentum", message).help("leave `momentum` out"))
        }
        None => Ok(0.1),
    }
}

/// Whether a norm has a scale, and whether it has a shift.
pub(crate) fn affine_of(args: &mut Args, default: bool) -> Result<[bool; 2]> {
    let affine = args.get_or("affine", default)?;
    let bias = args.get_or("bias", affine)?;
    if bias && !affine {
        let message = "`bias = true` needs `affine = true`: there is no shift without a scale";
        return Err(args.error("bias", message).help("leave `bias` out"));
    }
    Ok([affine, bias])
}

/// The entry of a norm with its scale and its shift.
pub(crate) fn affine_said(entry: Entry, weight: &Option<Param>, bias: &Option<Param>) -> Entry {
    entry.with_option("affine", weight.is_some()).with_option("bias", bias.is_some())
}

/// The sizes of the axes that are normalised, of which there must be one.
#[track_caller]
pub(crate) fn sizes(op: &str, size: Shape) -> Shape {
    if size.is_empty() {
        fail!(op, "at least one axis must be normalised, and there is none"; help = "name the size of the last axis");
    }
    size
}

/// Sizes as a layer says them: one number as it is.
pub(crate) fn shown(size: &Shape) -> String {
    if let [size] = size[..] { size.to_string() } else { format!("{size:?}") }
}

/// The sizes of as many last axes of the input as the entry says.
pub(crate) fn last_axes<'a>(args: &mut Args, input: &'a [usize]) -> Result<&'a [usize]> {
    let axes = count_option(args, "axes", 1)?;
    if axes == 1 {
        features(args, input)?;
    }
    match input.len().checked_sub(axes) {
        Some(at) => Ok(&input[at..]),
        None => {
            Err(args.misfit("axes", format!("{axes} axes are to be normalised, and the input is {input:?}")))
        }
    }
}
