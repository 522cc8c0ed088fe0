//! Every operation that slides a window, on random valid shapes, against the loop of its definition in f64.

use mapsto_kernels::adaptive_pool::{self, AdaptivePoolShape};
use mapsto_kernels::conv::{self, Conv, ConvShape, Ending};
use mapsto_kernels::gemm::Activation;
use mapsto_kernels::pool::{self, PoolShape};
use mapsto_kernels::real::Float;
use mapsto_kernels::simd::{Isa, with_isa};
use mapsto_kernels::threads::with_threads;

/// Shapes of each kind; an interpreter is ten thousand times slower.
const ROUNDS: usize = if cfg!(miri) { 1 } else { 400 };
/// Multiply-adds of the largest convolution.
const MOST: usize = if cfg!(miri) { 800 } else { 300_000 };

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) as usize % n
    }

    fn within(&mut self, range: std::ops::RangeInclusive<usize>) -> usize {
        range.start() + self.below(range.end() - range.start() + 1)
    }

    fn pair(&mut self, range: std::ops::RangeInclusive<usize>) -> [usize; 2] {
        [self.within(range.clone()), self.within(range)]
    }

    /// Numbers of which f32 holds every digit; `distinct` is how many different ones there are.
    fn numbers(&mut self, n: usize, distinct: usize) -> Vec<f64> {
        (0..n).map(|_| self.below(distinct) as f64 / distinct as f64 * 4.0 - 2.0).collect()
    }
}

/// What kind of convolution is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Anything.
    Any,
    /// A few outputs that read little but padding.
    Padding,
    /// 3 × 3 taps of stride 1 and many channels, which Winograd's way takes.
    Square,
    /// Many terms and one group, which the way with channels last takes.
    Terms,
    /// Each channel alone.
    Depthwise,
    /// Something is empty.
    Empty,
}

const KINDS: [Kind; 6] = [Kind::Any, Kind::Padding, Kind::Square, Kind::Terms, Kind::Depthwise, Kind::Empty];

fn draw(r: &mut Random, kind: Kind) -> ConvShape {
    loop {
        let groups = [1, 1, 2, 3][r.below(4)];
        let mut s = ConvShape {
            n: r.within(1..=3),
            c_in: groups * r.within(1..=7),
            h: r.within(1..=13),
            w: r.within(1..=13),
            c_out: groups * r.within(1..=9),
            kernel: r.pair(1..=5),
            stride: r.pair(1..=4),
            padding: r.pair(0..=5),
            dilation: r.pair(1..=3),
            groups,
        };
        match kind {
            Kind::Any => s.n = r.within(1..=9),
            Kind::Padding => {
                (s.groups, s.dilation[1]) = (1, 1);
                (s.c_in, s.c_out) = (r.within(1..=18), r.within(1..=70));
                (s.h, s.w) = (r.within(1..=4), r.within(1..=3));
                (s.stride, s.padding) = (r.pair(1..=9), r.pair(0..=6));
            }
            Kind::Square => {
                s.groups = 1;
                (s.kernel, s.stride, s.dilation, s.padding) = ([3, 3], [1, 1], [1, 1], r.pair(0..=2));
                (s.c_in, s.c_out, s.n) = (r.within(16..=36), r.within(16..=36), r.within(1..=8));
                (s.h, s.w) = (r.within(2..=12), r.within(2..=12));
                if s.h * s.w * s.n > 200 {
                    continue;
                }
            }
            Kind::Terms => {
                (s.groups, s.dilation[1]) = (1, 1);
                (s.c_in, s.c_out) = (r.within(3..=40), r.within(1..=80));
            }
            Kind::Depthwise => {
                s.groups = r.within(1..=20);
                (s.c_in, s.c_out) = (s.groups, s.groups * r.within(1..=2));
            }
            Kind::Empty => {
                *[&mut s.n, &mut s.c_in, &mut s.c_out, &mut s.h, &mut s.w][r.below(5)] = 0;
            }
        }
        let reach = |d: usize| s.dilation[d] * (s.kernel[d] - 1) + 1;
        let fits = reach(0) <= s.h + 2 * s.padding[0] && reach(1) <= s.w + 2 * s.padding[1];
        if fits && s.macs() <= if kind == Kind::Square && !cfg!(miri) { 8 * MOST } else { MOST } {
            return s;
        }
    }
}

/// Calls `f(y's index, x's index, w's index)` for each term of the definition.
fn terms(s: &ConvShape, mut f: impl FnMut(usize, usize, usize)) {
    let [oh, ow] = s.out();
    let (ci, co, [kh, kw]) = (s.c_in / s.groups, s.c_out / s.groups, s.kernel);
    for (n, o) in (0..s.n).flat_map(|n| (0..s.c_out).map(move |o| (n, o))) {
        for (r, q) in (0..oh).flat_map(|r| (0..ow).map(move |q| (r, q))) {
            for (c, i) in (0..ci).flat_map(|c| (0..kh).map(move |i| (c, i))) {
                for j in 0..kw {
                    let y = r * s.stride[0] + i * s.dilation[0];
                    let x = q * s.stride[1] + j * s.dilation[1];
                    if y < s.padding[0] || x < s.padding[1] {
                        continue;
                    }
                    let (y, x) = (y - s.padding[0], x - s.padding[1]);
                    if y < s.h && x < s.w {
                        let image = ((n * s.c_in + o / co * ci + c) * s.h + y) * s.w + x;
                        let weight = ((o * ci + c) * kh + i) * kw + j;
                        f(((n * s.c_out + o) * oh + r) * ow + q, image, weight);
                    }
                }
            }
        }
    }
}

fn narrow<T: Float>(x: &[f64]) -> Vec<T> {
    x.iter().map(|&x| T::from_f64(x)).collect()
}

/// Panics unless `got` is `want`, to a share of the largest sum of absolute terms.
fn close<T: Float>(what: &str, shape: &dyn std::fmt::Debug, got: &[T], want: &[f64], size: &[f64]) {
    let share = if size_of::<T>() == 4 { 3e-6 } else { 1e-14 };
    let most = share * size.iter().fold(0.0f64, |a, &b| a.max(b));
    for (i, (&got, &want)) in got.iter().zip(want).enumerate() {
        let got = got.to_f64();
        assert!((got - want).abs() <= most, "{what} of {shape:?} at {i}: {got} is not {want}");
    }
    assert_eq!(got.len(), want.len());
}

/// The forward pass and both gradients by the definition, each with its sums of absolute terms.
fn by_definition(s: &ConvShape, x: &[f64], w: &[f64], g: &[f64]) -> [[Vec<f64>; 2]; 3] {
    let mut all = [g.len(), x.len(), w.len()].map(|n| [vec![0.0; n], vec![0.0; n]]);
    let [y, dx, dw] = &mut all;
    terms(s, |o, i, t| {
        for (sums, at, term) in
            [(&mut *y, o, x[i] * w[t]), (&mut *dx, i, g[o] * w[t]), (&mut *dw, t, g[o] * x[i])]
        {
            sums[0][at] += term;
            sums[1][at] += term.abs();
        }
    });
    all
}

fn convolve<T: Conv + Float>(s: &ConvShape, [x, w, g]: [&[f64]; 3], want: &[[Vec<f64>; 2]; 3]) {
    let (x, w, g) = (narrow::<T>(x), narrow::<T>(w), narrow::<T>(g));
    let junk = T::from_f64(f64::NAN);
    let (mut y, mut dx, mut dw) = (vec![junk; g.len()], vec![junk; x.len()], vec![junk; w.len()]);
    conv::conv2d(s, &x, &w, &Ending::none(), &mut y);
    close("the result", s, &y, &want[0][0], &want[0][1]);
    conv::conv2d_data(s, &g, &w, &mut dx);
    close("the gradient of the images", s, &dx, &want[1][0], &want[1][1]);
    conv::conv2d_weight(s, &x, &g, &mut dw);
    close("the gradient of the weights", s, &dw, &want[2][0], &want[2][1]);
}

#[test]
fn convolutions_agree_with_their_definition_on_random_shapes() {
    let mut r = Random(0x853c_49e6_748f_ea9b);
    for round in 0..ROUNDS * KINDS.len() {
        let s = draw(&mut r, KINDS[round % KINDS.len()]);
        let [oh, ow] = s.out();
        let x = r.numbers(s.n * s.c_in * s.h * s.w, 4001);
        let w = r.numbers(s.c_out * (s.c_in / s.groups) * s.kernel[0] * s.kernel[1], 4001);
        let g = r.numbers(s.n * s.c_out * oh * ow, 4001);
        let want = by_definition(&s, &x, &w, &g);
        for &isa in Isa::available() {
            with_isa(isa, || {
                with_threads(1 + round % 2, || {
                    convolve::<f32>(&s, [&x, &w, &g], &want);
                    convolve::<f64>(&s, [&x, &w, &g], &want);
                })
            });
        }
    }
}

#[test]
fn windows_are_copies_and_their_transpose_is_the_adjoint_on_random_shapes() {
    let mut r = Random(0xda3e_39cb_94b9_5bdb);
    for round in 0..2 * ROUNDS {
        let s = draw(&mut r, [Kind::Any, Kind::Padding, Kind::Depthwise, Kind::Empty][round % 4]);
        // One output channel for each input channel: its terms are the copies.
        let s = ConvShape { groups: s.c_in.max(1), c_out: s.c_in, ..s };
        let ([oh, ow], taps) = (s.out(), s.kernel[0] * s.kernel[1]);
        let x = r.numbers(s.n * s.c_in * s.h * s.w, 4001);
        let g = r.numbers(s.n * s.c_in * taps * oh * ow, 4001);
        let (mut want, mut back) = (vec![0.0; g.len()], vec![0.0; x.len()]);
        terms(&s, |o, i, t| {
            let at = (o / (oh * ow) * taps + t % taps) * oh * ow + o % (oh * ow);
            want[at] = x[i];
            back[i] += g[at];
        });
        let (mut cols, mut dx) = (vec![f64::NAN; g.len()], vec![f64::NAN; x.len()]);
        conv::window(&s, &x, &mut cols);
        assert_eq!(cols, want, "the windows of {s:?}");
        conv::window_transpose(&s, &g, &mut dx);
        close("the transpose", &s, &dx, &back, &[64.0]);
    }
}

/// Of a window's inputs: the place of the first largest (the first NaN if there is one), and their sum.
fn of_window(x: &[f64], window: &[usize]) -> (usize, f64) {
    let mut at = window[0];
    for &i in window {
        at = if x[at].is_nan() || x[at] >= x[i] { at } else { i };
    }
    (at, window.iter().map(|&i| x[i]).sum())
}

/// What pooling gives by its definition: for the windows of all planes, in order, and the size a mean divides by.
struct Pooled {
    largest: Vec<f64>,
    at: Vec<usize>,
    mean: Vec<f64>,
    passed: Vec<f64>,
    passed_by_relu: Vec<f64>,
    spread: Vec<f64>,
}

fn pooled(x: &[f64], g: &[f64], windows: &[(Vec<usize>, usize)]) -> Pooled {
    let zeros = vec![0.0; x.len()];
    let mut all = Pooled {
        largest: vec![],
        at: vec![],
        mean: vec![],
        passed: zeros.clone(),
        passed_by_relu: zeros.clone(),
        spread: zeros,
    };
    for ((window, size), &g) in windows.iter().zip(g) {
        let (at, sum) = of_window(x, window);
        all.largest.push(x[at]);
        all.at.push(at);
        all.mean.push(sum / *size as f64);
        all.passed[at] += g;
        all.passed_by_relu[at] += if x[at] > 0.0 { g } else { 0.0 };
        window.iter().for_each(|&i| all.spread[i] += g / *size as f64);
    }
    all
}

fn places(at: &[i32], outs: usize, plane: usize) -> Vec<usize> {
    at.iter().enumerate().map(|(i, &at)| i / outs * plane + at as usize).collect()
}

fn pool_on<T: Float>(s: &PoolShape, x: &[f64], g: &[f64], want: &Pooled) {
    let ([oh, ow], plane) = (s.out(), s.h * s.w);
    let (x, g, junk) = (narrow::<T>(x), narrow::<T>(g), T::from_f64(f64::NAN));
    let (mut y, mut dx, mut at) = (vec![junk; g.len()], vec![junk; x.len()], vec![-1; g.len()]);
    let relu: Vec<f64> = want.largest.iter().map(|y| y.max(0.0)).collect();
    for (activation, largest, passed) in
        [(Activation::None, &want.largest, &want.passed), (Activation::Relu, &relu, &want.passed_by_relu)]
    {
        y.fill(junk);
        pool::max_pool2d_values(s, &x, activation, &mut y);
        assert_eq!(y, narrow(largest), "the largest of {s:?}, {activation:?}");
        y.fill(junk);
        pool::max_pool2d(s, &x, activation, &mut y, &mut at);
        assert_eq!(y, narrow(largest), "the largest with their places of {s:?}, {activation:?}");
        assert_eq!(places(&at, oh * ow, plane), want.at, "the places of {s:?}");
        let y = if activation == Activation::Relu { Some(&y[..]) } else { None };
        pool::max_pool2d_backward(s, &g, &at, y, &mut dx);
        close("the gradient of the largest", s, &dx, passed, &[64.0]);
    }
    pool::avg_pool2d(s, &x, &mut y);
    close("the mean", s, &y, &want.mean, &[64.0]);
    dx.fill(junk);
    pool::avg_pool2d_backward(s, &g, &mut dx);
    close("the gradient of the mean", s, &dx, &want.spread, &[64.0]);
}

#[test]
fn pooling_agrees_with_its_definition_on_random_shapes() {
    let mut r = Random(0x9e37_79b9_7f4a_7c15);
    for round in 0..3 * ROUNDS {
        let kernel = if round % 5 == 0 { [2, 2] } else { r.pair(1..=7) };
        let s = PoolShape {
            planes: r.within(0..=5),
            h: r.within(1..=17),
            w: r.within(1..=40),
            kernel,
            stride: if round % 5 == 0 { [2, 2] } else { r.pair(1..=9) },
            padding: [r.within(0..=kernel[0] / 2), r.within(0..=kernel[1] / 2)],
        };
        if s.kernel[0] > s.h + 2 * s.padding[0] || s.kernel[1] > s.w + 2 * s.padding[1] {
            continue;
        }
        let [oh, ow] = s.out();
        let mut windows = vec![];
        for at in 0..s.planes * oh * ow {
            let (plane, p, q) = (at / (oh * ow), at / ow % oh, at % ow);
            let along = |start: usize, kernel: usize, padding: usize, size: usize| {
                (start..start + kernel).filter_map(move |i| i.checked_sub(padding)).filter(move |&i| i < size)
            };
            let rows = along(p * s.stride[0], s.kernel[0], s.padding[0], s.h);
            let row = |y| {
                along(q * s.stride[1], s.kernel[1], s.padding[1], s.w)
                    .map(move |x| (plane * s.h + y) * s.w + x)
            };
            windows.push((rows.flat_map(row).collect(), s.kernel[0] * s.kernel[1]));
        }
        let (x, g) = (r.numbers(s.planes * s.h * s.w, 16), r.numbers(windows.len(), 16));
        let want = pooled(&x, &g, &windows);
        for &isa in Isa::available() {
            with_isa(isa, || {
                with_threads(1 + round % 2, || {
                    pool_on::<f32>(&s, &x, &g, &want);
                    pool_on::<f64>(&s, &x, &g, &want);
                })
            });
        }
    }
}

fn adaptive_on<T: Float>(s: &AdaptivePoolShape, x: &[f64], g: &[f64], want: &Pooled) {
    let (x, g, junk) = (narrow::<T>(x), narrow::<T>(g), T::from_f64(f64::NAN));
    let (mut y, mut dx, mut at) = (vec![junk; g.len()], vec![junk; x.len()], vec![-1; g.len()]);
    adaptive_pool::adaptive_max_pool2d(s, &x, &mut y, &mut at);
    assert_eq!(y, narrow(&want.largest), "the largest of {s:?}");
    assert_eq!(places(&at, s.out[0] * s.out[1], s.h * s.w), want.at, "the places of {s:?}");
    adaptive_pool::adaptive_max_pool2d_backward(s, &g, &at, &mut dx);
    close("the gradient of the largest", s, &dx, &want.passed, &[64.0]);
    adaptive_pool::adaptive_avg_pool2d(s, &x, &mut y);
    close("the mean", s, &y, &want.mean, &[64.0]);
    dx.fill(junk);
    adaptive_pool::adaptive_avg_pool2d_backward(s, &g, &mut dx);
    close("the gradient of the mean", s, &dx, &want.spread, &[64.0]);
}

#[test]
fn adaptive_pooling_agrees_with_its_definition_on_random_shapes() {
    let mut r = Random(0xbf58_476d_1ce4_e5b9);
    for round in 0..2 * ROUNDS {
        let [h, w] = r.pair(1..=15);
        let s = AdaptivePoolShape { planes: r.within(0..=5), h, w, out: r.pair(1..=12) };
        let ([oh, ow], mut windows) = (s.out, vec![]);
        // The definition, written out: from ⌊i·size / n⌋ up to ⌈(i + 1)·size / n⌉.
        let along = |i: usize, size: usize, n: usize| i * size / n..((i + 1) * size).div_ceil(n);
        for at in 0..s.planes * oh * ow {
            let (plane, rows) = (at / (oh * ow), along(at / ow % oh, h, oh));
            let window: Vec<usize> =
                rows.flat_map(|y| along(at % ow, w, ow).map(move |x| (plane * h + y) * w + x)).collect();
            let size = window.len();
            windows.push((window, size));
        }
        let (x, g) = (r.numbers(s.planes * h * w, 16), r.numbers(windows.len(), 16));
        let want = pooled(&x, &g, &windows);
        for &isa in Isa::available() {
            with_isa(isa, || {
                with_threads(1 + round % 2, || {
                    adaptive_on::<f32>(&s, &x, &g, &want);
                    adaptive_on::<f64>(&s, &x, &g, &want);
                })
            });
        }
    }
}
