//! The operands of cases at each size: about how many elements the first has, and of what shape layers have it.

use crate::ops::cell::{Input, Layout, Values};
use Values::{Bits, Ids, Normal, Positive, Unit};

/// Rows and columns, or images.
pub fn elementwise(size: usize, layout: Layout) -> Vec<usize> {
    if layout == Layout::ChannelsLast { images(size) } else { matrix(size) }
}
pub fn matrix(size: usize) -> Vec<usize> {
    [[1, 1], [25, 40], [250, 400], [1000, 1000], [2500, 4000]][size].to_vec()
}
pub fn cube(size: usize) -> Vec<usize> {
    [[1, 1, 1], [5, 10, 20], [20, 50, 100], [50, 100, 200], [100, 200, 500]][size].to_vec()
}
pub fn images(size: usize) -> Vec<usize> {
    [[1, 1, 1, 1], [2, 5, 10, 10], [10, 16, 25, 25], [20, 50, 25, 40], [50, 50, 50, 80]][size].to_vec()
}

pub fn laid(shape: Vec<usize>, values: Values) -> Input {
    Input { shape, values, laid: true }
}
pub fn weight(shape: Vec<usize>, values: Values) -> Input {
    Input { shape, values, laid: false }
}

pub fn one(size: usize, layout: Layout) -> Vec<Input> {
    vec![laid(elementwise(size, layout), Normal)]
}
pub fn positive(size: usize, layout: Layout) -> Vec<Input> {
    vec![laid(elementwise(size, layout), Positive)]
}
pub fn unit(size: usize, layout: Layout) -> Vec<Input> {
    vec![laid(elementwise(size, layout), Unit)]
}
pub fn two(size: usize, layout: Layout) -> Vec<Input> {
    vec![laid(elementwise(size, layout), Normal), laid(elementwise(size, layout), Normal)]
}
pub fn two_positive(size: usize, layout: Layout) -> Vec<Input> {
    vec![laid(elementwise(size, layout), Positive), laid(elementwise(size, layout), Positive)]
}
pub fn probabilities(size: usize, layout: Layout) -> Vec<Input> {
    vec![laid(elementwise(size, layout), Unit), laid(elementwise(size, layout), Unit)]
}
pub fn with_mask(size: usize, layout: Layout) -> Vec<Input> {
    let mut xs = two(size, layout);
    xs.insert(0, laid(elementwise(size, layout), Bits));
    xs
}
pub fn masked(size: usize, layout: Layout) -> Vec<Input> {
    vec![laid(elementwise(size, layout), Normal), laid(elementwise(size, layout), Bits)]
}
pub fn row_added(size: usize, layout: Layout) -> Vec<Input> {
    let shape = matrix(size);
    let row = vec![shape[1]];
    let _ = layout;
    vec![laid(shape, Normal), weight(row, Normal)]
}
pub fn of_three_axes(size: usize, _: Layout) -> Vec<Input> {
    vec![laid(cube(size), Normal)]
}
pub fn near_one(size: usize, _: Layout) -> Vec<Input> {
    vec![laid(cube(size), Positive)]
}
pub fn narrow(size: usize, _: Layout) -> Vec<Input> {
    let n = [1, 500, 50_000, 500_000, 5_000_000][size];
    vec![laid(vec![n, if size == 0 { 1 } else { 2 }], Normal)]
}
pub fn picks_like(size: usize, _: Layout) -> Vec<Input> {
    let shape = matrix(size);
    vec![laid(shape.clone(), Normal), weight(shape.clone(), Ids(shape[1]))]
}
pub fn adds_like(size: usize, layout: Layout) -> Vec<Input> {
    let mut xs = picks_like(size, layout);
    xs.push(laid(matrix(size), Normal));
    xs
}
pub fn picked_rows(size: usize, _: Layout) -> Vec<Input> {
    let shape = matrix(size);
    vec![laid(shape.clone(), Normal), weight(vec![shape[0]], Ids(shape[0]))]
}
pub fn picked_columns(size: usize, _: Layout) -> Vec<Input> {
    let shape = matrix(size);
    vec![laid(shape.clone(), Normal), weight(vec![shape[1]], Ids(shape[1]))]
}
pub fn classes(size: usize, _: Layout) -> Vec<Input> {
    let shape = matrix(size);
    vec![laid(shape.clone(), Normal), weight(vec![shape[0]], Ids(shape[1]))]
}
pub fn small_ids(size: usize, layout: Layout) -> Vec<Input> {
    let n = [1, 50, 5000, 50_000, 500_000][size];
    let _ = layout;
    vec![laid(vec![n], Positive)]
}
pub fn product(size: usize, _: Layout) -> Vec<Input> {
    let [m, k, n] = [[1, 1, 1], [32, 32, 32], [256, 400, 256], [1000, 1000, 1000], [4000, 2500, 64]][size];
    vec![laid(vec![m, k], Normal), laid(vec![k, n], Normal)]
}
pub fn products(size: usize, _: Layout) -> Vec<Input> {
    let [b, m] = [[1, 1], [4, 16], [100, 32], [256, 64], [256, 200]][size];
    vec![laid(vec![b, m, m], Normal), laid(vec![b, m, m], Normal)]
}
pub fn thin(size: usize, _: Layout) -> Vec<Input> {
    let [m, k] = [[1, 1], [250, 4], [10_000, 10], [60_000, 16], [1_000_000, 10]][size];
    vec![laid(vec![m, k], Normal), laid(vec![k, k], Normal)]
}
pub fn dense(size: usize, _: Layout) -> Vec<Input> {
    let [m, k, n] = [[1, 1, 1], [16, 64, 32], [128, 784, 128], [1000, 1000, 256], [5000, 2000, 512]][size];
    vec![laid(vec![m, k], Normal), weight(vec![n, k], Normal), weight(vec![n], Normal)]
}
pub fn convolved(size: usize, k: usize, groups: bool) -> Vec<Input> {
    let [n, c, side] = [[1, 1, 1], [1, 8, 11], [8, 16, 28], [32, 32, 32], [64, 64, 48]][size];
    let w = vec![c, if groups { 1 } else { c }, k, k];
    vec![laid(vec![n, c, side, side], Normal), weight(w, Normal)]
}
pub fn conv3(size: usize, _: Layout) -> Vec<Input> {
    convolved(size, 3, false)
}
pub fn conv1(size: usize, _: Layout) -> Vec<Input> {
    convolved(size, 1, false)
}
pub fn depthwise(size: usize, _: Layout) -> Vec<Input> {
    convolved(size, 3, true)
}
pub fn along(size: usize, _: Layout) -> Vec<Input> {
    let [n, c, length] = [[1, 1, 3], [2, 8, 60], [8, 16, 800], [32, 32, 1000], [64, 64, 2400]][size];
    vec![laid(vec![n, c, length], Normal), weight(vec![c, c, 3], Normal)]
}
pub fn volumes(size: usize, _: Layout) -> Vec<Input> {
    let [n, c, side] = [[1, 1, 3], [1, 4, 6], [2, 8, 18], [8, 16, 20], [8, 32, 32]][size];
    vec![laid(vec![n, c, side, side, side], Normal), weight(vec![c, c, 3, 3, 3], Normal)]
}
pub fn pooled(size: usize, _: Layout) -> Vec<Input> {
    let [n, c, side] = [[1, 1, 2], [1, 10, 10], [8, 16, 28], [32, 32, 32], [64, 64, 48]][size];
    vec![laid(vec![n, c, side, side], Normal)]
}
pub fn per_channel(size: usize, _: Layout) -> Vec<Input> {
    let shape = if size == 0 { vec![2, 1, 1, 1] } else { images(size) };
    let c = vec![shape[1]];
    vec![laid(shape, Normal), weight(c.clone(), Positive), weight(c, Normal)]
}
pub fn given_per_channel(size: usize, layout: Layout) -> Vec<Input> {
    let mut xs = per_channel(size, layout);
    let c = xs[1].shape.clone();
    xs.extend([weight(c.clone(), Normal), weight(c, Positive)]);
    xs
}
pub fn per_feature(size: usize, _: Layout) -> Vec<Input> {
    let shape = matrix(size);
    let k = vec![shape[1]];
    vec![laid(shape, Normal), weight(k.clone(), Positive), weight(k, Normal)]
}
pub fn heads(size: usize, _: Layout) -> Vec<Input> {
    let [b, h, t, d] =
        [[1, 1, 1, 1], [1, 2, 16, 32], [2, 4, 128, 64], [8, 8, 256, 64], [16, 12, 512, 64]][size];
    (0..3).map(|_| laid(vec![b, h, t, d], Normal)).collect()
}
pub fn recurrent(size: usize, gates: usize) -> Vec<Input> {
    let [b, t, k, h] =
        [[1, 1, 1, 1], [2, 8, 32, 32], [16, 20, 64, 128], [32, 64, 128, 256], [64, 128, 256, 512]][size];
    let mut xs = vec![laid(vec![b, t, k], Normal)];
    xs.extend((0..if gates == 4 { 2 } else { 1 }).map(|_| weight(vec![b, h], Unit)));
    xs.extend([k, h].map(|width| weight(vec![gates * h, width], Unit)));
    xs
}
pub fn lstm(size: usize, _: Layout) -> Vec<Input> {
    recurrent(size, 4)
}
pub fn gru(size: usize, _: Layout) -> Vec<Input> {
    recurrent(size, 3)
}

pub fn among(size: usize, layout: Layout) -> Vec<Input> {
    let mut xs = one(size, layout);
    xs.push(weight(vec![[1, 10, 100, 1000, 1000][size]], Normal));
    xs
}
pub fn matrices(size: usize, _: Layout) -> Vec<Input> {
    // At least two observations; not many more variables than are looked at together.
    let shape = [[1, 2], [25, 40], [100, 1000], [250, 4000], [500, 20_000]][size];
    vec![laid(shape.to_vec(), Normal)]
}
pub fn two_matrices(size: usize, _: Layout) -> Vec<Input> {
    vec![laid(matrix(size), Normal), laid(matrix(size), Normal)]
}
pub fn copied_rows(size: usize, layout: Layout) -> Vec<Input> {
    let mut xs = picked_rows(size, layout);
    xs.push(laid(matrix(size), Normal));
    xs
}
pub fn taken(size: usize, _: Layout) -> Vec<Input> {
    let shape = matrix(size);
    vec![laid(shape.clone(), Normal), weight(shape.clone(), Ids(shape[0] * shape[1]))]
}
pub fn one_and_half(size: usize, _: Layout) -> Vec<Input> {
    let shape = matrix(size);
    vec![laid(shape.clone(), Normal), laid(vec![shape[0], shape[1].div_ceil(2)], Normal)]
}
pub fn shuffled(size: usize, _: Layout) -> Vec<Input> {
    let shape = [[1, 4, 1, 1], [1, 8, 11, 11], [8, 16, 28, 28], [32, 32, 32, 32], [64, 64, 48, 48]][size];
    vec![laid(shape.to_vec(), Normal)]
}
pub fn along_places(size: usize, layout: Layout) -> Vec<Input> {
    vec![along(size, layout).swap_remove(0)]
}
pub fn in_volumes(size: usize, layout: Layout) -> Vec<Input> {
    vec![volumes(size, layout).swap_remove(0)]
}
/// Elements with the positions that they were found at, in planes of twice as many places along each axis.
fn unpooled(of: Vec<Input>) -> Vec<Input> {
    let shape = of[0].shape.clone();
    let places = shape[2..].iter().map(|n| 2 * n).product();
    vec![laid(shape.clone(), Normal), weight(shape, Ids(places))]
}
pub fn unpooled1(size: usize, layout: Layout) -> Vec<Input> {
    unpooled(along(size, layout))
}
pub fn unpooled2(size: usize, layout: Layout) -> Vec<Input> {
    unpooled(pooled(size, layout))
}
pub fn unpooled3(size: usize, layout: Layout) -> Vec<Input> {
    unpooled(volumes(size, layout))
}
pub fn maps(size: usize, _: Layout) -> Vec<Input> {
    vec![laid(vec![[1, 8, 64, 512, 2048][size], 2, 3], Normal)]
}
pub fn seen(size: usize, layout: Layout) -> Vec<Input> {
    let mut xs = pooled(size, layout);
    let [n, _, h, w] = xs[0].shape[..] else { return xs };
    xs.push(weight(vec![n, h, w, 2], Unit));
    xs
}
/// Logarithms of probabilities, and labels.
pub fn spoken(size: usize, _: Layout) -> Vec<Input> {
    let [n, t, k, longest] =
        [[1, 1, 2, 1], [2, 20, 25, 5], [8, 100, 125, 20], [32, 250, 125, 50], [64, 1200, 130, 100]][size];
    vec![laid(vec![n, t, k], Normal), weight(vec![n, longest], Ids(k - 1))]
}
pub fn rnn(size: usize, _: Layout) -> Vec<Input> {
    recurrent(size, 1)
}
