//! What the pooling layers share: how their windows are read from a model file, and how they are spoken of.

use crate::budget;
use crate::layers::{image, sequence_of_channels};
use mapsto_spec::{Args, Entry, FromValue, Value, at_least_1};
use mapsto_tensor::ops::{PerAxis, Pool};
use mapsto_tensor::{Result, fail};

/// The channels and the places of an input with `N` axes of them.
pub(crate) fn places<const N: usize>(args: &Args, input: &[usize]) -> Result<(usize, [usize; N])> {
    match N {
        1 => drop(sequence_of_channels(args, input)?),
        2 => drop(image(args, input)?),
        _ if input.len() != N + 1 => {
            let e = args
                .misfit("", format!("the input should be [channels, depth, height, width], it is {input:?}"));
            return Err(e.help("rows of numbers, such as those of a table, are no volumes: `linear` takes them; images go through layers such as `max_pool2d`"));
        }
        _ => {}
    }
    Ok((input[0], std::array::from_fn(|d| input[d + 1])))
}

/// An option that is written down only where it is not the usual one.
pub(crate) fn unusual<T: FromValue + Into<Value> + Clone + PartialEq>(
    args: &mut Args,
    name: &str,
    usual: T,
) -> Result<T> {
    let value = args.take(name)?.unwrap_or_else(|| usual.clone());
    if value != usual {
        args.record(name, value.clone());
    }
    Ok(value)
}

/// The windows of an entry such as `{ max_pool2d = 3, stride = 2, padding = 1 }`, without options that only some have.
fn begin<const N: usize>(args: &mut Args) -> Result<Pool<N>> {
    let kernel: [usize; N] = args.main()?;
    let stride: [usize; N] = args.optional("stride")?.unwrap_or(kernel);
    args.record("stride", stride);
    if kernel.contains(&0) || stride.contains(&0) {
        return Err(args.error("stride", "a window and its stride are at least 1"));
    }
    Ok(Pool::new(kernel).stride(stride))
}

/// The padding, which needs the size of the windows.
fn padded<const N: usize>(args: &mut Args, pool: Pool<N>) -> Result<Pool<N>> {
    let padding: [usize; N] = args.get_or("padding", [0; N])?;
    for d in 0..N {
        if padding[d] > pool.kernel[d] / 2 {
            let message =
                format!("a padding of {} is more than half the window of {}", padding[d], pool.kernel[d]);
            return Err(args.error("padding", message));
        }
    }
    Ok(pool.padding(padding))
}

/// Refuses windows that do not fit the input.
fn fitting<const N: usize>(args: &mut Args, input: &[usize], pool: Pool<N>) -> Result<Pool<N>> {
    let pool = if unusual(args, "ceil_mode", false)? { pool.ceil_mode() } else { pool };
    let (channels, places) = places::<N>(args, input)?;
    for d in 0..N {
        let kernel = (pool.kernel[d] - 1).saturating_mul(pool.dilation[d]).saturating_add(1);
        let size = places[d].saturating_add(pool.padding[d]).saturating_add(pool.padding[d]);
        if kernel > size && !pool.ceil_mode {
            let message = format!("a window of {kernel} does not fit the image {input:?} of {}", places[d]);
            return Err(args.misfit("", message));
        }
    }
    match pool.out(places) {
        Ok(out) => budget::output(args, &[&[channels][..], &out].concat())?,
        Err((message, help)) => return Err(args.misfit("", message).help(help)),
    }
    Ok(pool)
}

/// The windows of maxima.
pub(crate) fn read_max<const N: usize>(args: &mut Args, input: &[usize]) -> Result<Pool<N>> {
    let pool = begin::<N>(args)?;
    let dilation = unusual(args, "dilation", [1; N])?;
    if dilation.contains(&0) {
        return Err(args.error("dilation", "the distance between the places of a window is at least 1"));
    }
    let pool = padded(args, pool.dilation(dilation))?;
    fitting(args, input, pool)
}

/// The windows of averages.
pub(crate) fn read_avg<const N: usize>(args: &mut Args, input: &[usize]) -> Result<Pool<N>> {
    let pool = begin(args)?;
    let pool = padded(args, pool)?;
    let pool = if unusual(args, "count_include_pad", true)? { pool } else { pool.exclude_pad() };
    let pool = match args.optional::<usize>("divisor_override")? {
        Some(0) => return Err(args.error("divisor_override", "`divisor_override` must be at least 1, got 0")),
        Some(divisor) => pool.divisor_override(divisor),
        None => pool,
    };
    fitting(args, input, pool)
}

/// The windows of norms, `{ lp_pool2d = 2, p = 2.0 }`.
pub(crate) fn read_lp<const N: usize>(args: &mut Args, input: &[usize]) -> Result<Pool<N>> {
    let pool = begin(args)?;
    fitting(args, input, pool)
}

/// Sizes of at least 1.
#[track_caller]
pub(crate) fn positive<const N: usize>(op: &str, name: &str, sizes: impl Into<PerAxis<N>>) -> [usize; N] {
    sizes.into().0.map(|n| at_least_1(op, name, n))
}

/// The number of windows that a layer's value asks an adaptive pooling to divide its input into.
pub(crate) fn read_windows<const N: usize>(args: &mut Args, input: &[usize]) -> Result<[usize; N]> {
    let out: [usize; N] = args.main()?;
    let (channels, places) = places::<N>(args, input)?;
    if places.contains(&0) || out.contains(&0) {
        return Err(args.misfit("", format!("an image {input:?} cannot be divided into {out:?} windows")));
    }
    budget::output(args, &[&[channels][..], &out].concat())?;
    Ok(out)
}

/// Sizes as they are spoken: `3×3`.
pub(crate) fn by_all(sizes: &[usize]) -> String {
    sizes.iter().map(usize::to_string).collect::<Vec<_>>().join("×")
}

/// `MaxPool2d(3×3, stride 2×2, padding 1×1)`, without what is as usual.
pub(crate) fn spoken<const N: usize>(name: &str, pool: &Pool<N>) -> String {
    let mut text = format!("{name}{N}d({}", by_all(&pool.kernel));
    for (name, value, usual) in [
        ("stride", pool.stride, pool.kernel),
        ("padding", pool.padding, [0; N]),
        ("dilation", pool.dilation, [1; N]),
    ] {
        if value != usual {
            text += &format!(", {name} {}", by_all(&value));
        }
    }
    if pool.ceil_mode {
        text += ", ceil mode";
    }
    if !pool.count_include_pad {
        text += ", without the padding";
    }
    if let Some(divisor) = pool.divisor_override {
        text += &format!(", over {divisor}");
    }
    text + ")"
}

/// The entry of a pooling layer, in the order in which it is read; `padded` for those that have padding.
pub(crate) fn entry<const N: usize>(name: &str, pool: &Pool<N>, padded: bool) -> Entry {
    let mut entry = Entry::new(name).with_value(pool.kernel).with_option("stride", pool.stride);
    if pool.dilation != [1; N] {
        entry = entry.with_option("dilation", pool.dilation);
    }
    if padded {
        entry = entry.with_option("padding", pool.padding);
    }
    if !pool.count_include_pad {
        entry = entry.with_option("count_include_pad", false);
    }
    if let Some(divisor) = pool.divisor_override {
        entry = entry.with_option("divisor_override", divisor);
    }
    if pool.ceil_mode {
        entry = entry.with_option("ceil_mode", true);
    }
    entry
}

/// # Panics
/// When the divisor is 0.
#[track_caller]
pub(crate) fn check_divisor(op: &str, divisor: usize) -> usize {
    if divisor == 0 {
        fail!(op, "`divisor_override` must be at least 1, got 0");
    }
    divisor
}
