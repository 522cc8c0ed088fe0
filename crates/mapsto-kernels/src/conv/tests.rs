//! Every way of convolving, and its gradients, against the definition.

use super::*;
use crate::gemm::Activation;
use crate::simd::{Isa, with_isa};
use crate::threads::with_threads;

fn numbers(n: usize, seed: u64) -> Vec<f64> {
    let mut s = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        s ^= s << 13;
        s ^= s >> 7;
        s ^= s << 17;
        (s >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// Calls `f(y's index, x's index, w's index)` for each term of the definition.
fn terms(s: &ConvShape, mut f: impl FnMut(usize, usize, usize)) {
    let ([oh, ow], (ci, co)) = (s.out(), s.per_group());
    for n in 0..s.n {
        for o in 0..s.c_out {
            for c in 0..ci {
                for p in 0..oh * ow {
                    for t in 0..s.kernel[0] * s.kernel[1] {
                        let y = p / ow * s.stride[0] + t / s.kernel[1] * s.dilation[0];
                        let x = p % ow * s.stride[1] + t % s.kernel[1] * s.dilation[1];
                        let (Some(y), Some(x)) = (y.checked_sub(s.padding[0]), x.checked_sub(s.padding[1]))
                        else {
                            continue;
                        };
                        if y < s.h && x < s.w {
                            let channel = n * s.c_in + o / co * ci + c;
                            let weight = (o * ci + c) * s.kernel[0] * s.kernel[1] + t;
                            f((n * s.c_out + o) * oh * ow + p, (channel * s.h + y) * s.w + x, weight);
                        }
                    }
                }
            }
        }
    }
}

fn shapes() -> Vec<ConvShape> {
    let base = ConvShape {
        n: 2,
        c_in: 3,
        h: 9,
        w: 11,
        c_out: 5,
        kernel: [3, 3],
        stride: [1, 1],
        padding: [1, 1],
        dilation: [1, 1],
        groups: 1,
    };
    vec![
        base,
        ConvShape { n: 1, c_out: 40, ..base },
        ConvShape { n: 17, c_in: 1, h: 6, w: 5, c_out: 1, ..base },
        ConvShape { kernel: [1, 1], padding: [0, 0], c_in: 9, c_out: 20, ..base },
        ConvShape { kernel: [1, 1], padding: [0, 0], stride: [2, 2], ..base },
        ConvShape { kernel: [5, 2], padding: [0, 3], ..base },
        ConvShape { stride: [2, 2], ..base },
        ConvShape { stride: [3, 2], kernel: [2, 5], padding: [0, 2], ..base },
        ConvShape { dilation: [2, 3], padding: [2, 3], ..base },
        ConvShape { dilation: [3, 2], stride: [2, 3], padding: [1, 0], kernel: [2, 3], ..base },
        ConvShape { c_in: 6, c_out: 4, groups: 2, stride: [2, 1], ..base },
        ConvShape { c_in: 6, c_out: 6, groups: 6, ..base },
        ConvShape { c_in: 2, c_out: 70, kernel: [2, 2], padding: [0, 0], ..base },
        ConvShape { h: 3, w: 3, kernel: [3, 3], padding: [0, 0], ..base },
        ConvShape { h: 1, w: 40, kernel: [1, 3], padding: [0, 1], c_in: 20, ..base },
        ConvShape { h: 5, w: 4, kernel: [2, 2], padding: [3, 2], ..base }, // more padding than the kernel reaches
        ConvShape { n: 3, h: 14, w: 14, c_in: 4, c_out: 16, ..base },
        ConvShape { n: 1, c_in: 150, c_out: 70, stride: [2, 2], ..base },
        ConvShape { n: 1, c_in: 32, c_out: 300, h: 5, w: 5, kernel: [3, 1], dilation: [2, 1], ..base },
        ConvShape { n: 2, h: 30, w: 31, kernel: [7, 7], stride: [2, 2], padding: [3, 3], c_out: 64, ..base },
    ]
}

/// Shapes that are convolved in Winograd's points: uneven tiles and channels, any padding, pieces of many channels.
fn winograd_shapes() -> Vec<ConvShape> {
    let base = ConvShape { n: 3, c_in: 16, h: 14, w: 14, c_out: 32, ..shapes()[0] };
    vec![
        base,
        ConvShape { n: 11, h: 4, w: 6, c_in: 17, c_out: 20, ..base },
        ConvShape { padding: [0, 2], h: 13, w: 9, c_out: 70, ..base },
        ConvShape { padding: [2, 0], h: 11, w: 12, c_in: 33, c_out: 16, ..base },
        ConvShape { n: 1, h: 23, w: 17, c_in: 150, c_out: 24, ..base },
        ConvShape { n: 9, h: 7, w: 7, c_in: 40, c_out: 100, ..base },
    ]
}

/// Depthwise shapes: narrow and wide planes, strides and dilations, many taps, all images of one channel.
fn depthwise_shapes() -> Vec<ConvShape> {
    let base = ConvShape { c_in: 6, c_out: 6, groups: 6, ..shapes()[0] };
    vec![
        base,
        ConvShape { stride: [2, 2], ..base },
        ConvShape { stride: [2, 2], h: 8, w: 8, n: 5, ..base },
        ConvShape { stride: [1, 3], kernel: [2, 4], padding: [0, 2], ..base },
        ConvShape { stride: [3, 2], kernel: [5, 5], padding: [2, 1], w: 35, ..base },
        ConvShape { dilation: [2, 3], padding: [2, 3], w: 17, ..base },
        ConvShape { kernel: [1, 1], padding: [0, 0], stride: [2, 2], h: 2, w: 1, ..base },
        ConvShape { n: 40, c_in: 1, c_out: 1, groups: 1, h: 16, w: 16, ..base },
        ConvShape { n: 1, h: 1, w: 1, ..base },
        ConvShape { n: 3, h: 90, w: 33, kernel: [3, 7], padding: [1, 3], ..base },
    ]
}

/// Shapes that are one product over the batch: taps that meet only padding, strides, several runs, one point.
fn batch_shapes() -> Vec<ConvShape> {
    let base = ConvShape { n: 9, c_in: 32, h: 2, w: 2, c_out: 40, ..shapes()[0] };
    vec![
        base,
        ConvShape { n: 19, h: 1, w: 1, ..base },
        ConvShape { n: 8, h: 1, w: 3, ..base },
        ConvShape { n: 17, h: 5, w: 7, stride: [2, 2], ..base },
        ConvShape { n: 16, h: 9, w: 4, stride: [3, 2], kernel: [2, 5], padding: [0, 2], ..base },
        ConvShape { h: 8, w: 3, kernel: [1, 1], padding: [0, 0], ..base },
        ConvShape { h: 5, w: 4, kernel: [1, 1], padding: [0, 0], stride: [2, 2], ..base },
        ConvShape { h: 3, w: 2, dilation: [2, 1], padding: [2, 2], kernel: [2, 2], ..base },
    ]
}

#[test]
fn depthwise_and_batched_ways_agree_with_the_definition_in_every_family() {
    for &isa in Isa::available() {
        with_isa(isa, || {
            for s in depthwise_shapes() {
                assert!(depthwise::covers(&s), "{s:?}");
                compare(&s, |x| x as f32, |x| x as f64, 2e-5);
            }
            for s in batch_shapes() {
                assert!(batch::covers(&s), "{s:?}");
                compare(&s, |x| x as f32, |x| x as f64, 2e-5);
            }
        });
    }
    // In several runs of images, each of which adds to the gradient of the weights.
    let s = ConvShape { n: 70, h: 32, w: 32, stride: [2, 2], ..batch_shapes()[0] };
    assert!(s.macs() / s.c_out > 1 << 22, "more than the matrix of one run");
    compare(&s, |x| x as f32, |x| x as f64, 2e-5);
}

fn compare<T: Conv>(s: &ConvShape, from: impl Fn(f64) -> T + Copy, to: impl Fn(T) -> f64, tolerance: f64) {
    let (x, w) = (numbers(s.n * s.c_in * s.h * s.w, 1), numbers(s.c_out * s.taps(), 2));
    let (bias, outs) = (numbers(s.c_out, 3), s.out()[0] * s.out()[1]);
    let g = numbers(s.n * s.c_out * outs, 4);
    let (mut y0, mut dx0, mut dw0) = (vec![0.0; g.len()], vec![0.0; x.len()], vec![0.0; w.len()]);
    terms(s, |y, i, t| {
        y0[y] += x[i] * w[t];
        dx0[i] += g[y] * w[t];
        dw0[t] += g[y] * x[i];
    });
    let cast = |v: &[f64]| v.iter().map(|&v| from(v)).collect::<Vec<T>>();
    let close = |got: &[T], want: &[f64], what: &str| {
        // Sums of many terms have errors of the size of their terms, not of their own.
        let size = (want.iter().map(|x| x * x).sum::<f64>() / want.len().max(1) as f64).sqrt();
        for (i, (&got, &want)) in got.iter().zip(want).enumerate() {
            let most = tolerance * size.max(want.abs());
            assert!((to(got) - want).abs() <= most, "{what} {s:?} at {i}: {} {want}", to(got));
        }
    };
    let (x, w, b, g) = (cast(&x), cast(&w), cast(&bias), cast(&g));
    let (mean, scale) = (cast(&numbers(s.c_out, 7)), cast(&numbers(s.c_out, 5)));
    let (shift, add) = (cast(&numbers(s.c_out, 8)), cast(&numbers(g.len(), 6)));
    let norm = Norm { mean: &mean, scale: &scale, shift: &shift };
    let all = Ending { bias: Some(&b), norm: Some(norm), add: Some(&add), activation: Activation::Relu };
    let run = |threads| {
        let junk = from(f64::NAN);
        let (mut y, mut dx, mut dw) = (vec![junk; g.len()], vec![junk; x.len()], vec![junk; w.len()]);
        let mut z = y.clone();
        with_threads(threads, || {
            conv2d(s, &x, &w, &Ending::none(), &mut y);
            conv2d(s, &x, &w, &all, &mut z);
            // What follows has the same bits in a pass of its own.
            let mut one_by_one = y.clone();
            all.pass(&mut one_by_one, s.c_out, s.out().iter().product());
            assert!(z == one_by_one, "{s:?}: a pass of two has other bits than two passes");
            conv2d_data(s, &g, &w, &mut dx);
            conv2d_weight(s, &x, &g, &mut dw);
        });
        [y, z, dx, dw]
    };
    let one = run(1);
    close(&one[0], &y0, "y");
    let z0: Vec<f64> = y0
        .iter()
        .enumerate()
        .map(|(i, y)| {
            let c = i / outs % s.c_out;
            ((y + bias[c] - to(mean[c])) * to(scale[c]) + to(shift[c]) + to(add[i])).max(0.0)
        })
        .collect();
    close(&one[1], &z0, "relu((y + bias − mean) · scale + shift + add)");
    close(&one[2], &dx0, "dx");
    close(&one[3], &dw0, "dw");
    for threads in [2, 8] {
        assert!(run(threads) == one, "{s:?}: {threads} threads give other bits");
    }
}

#[test]
fn convolutions_and_their_gradients_agree_with_the_definition_in_every_family() {
    for &isa in Isa::available() {
        with_isa(isa, || {
            for s in shapes() {
                compare(&s, |x| x as f32, |x| x as f64, 2e-5);
                compare(&s, |x| x, |x| x, 1e-12);
            }
        });
    }
}

#[test]
fn winograds_way_agrees_with_the_definition_in_every_family() {
    for &isa in Isa::available() {
        with_isa(isa, || {
            for s in winograd_shapes() {
                assert!(winograd::pays(&s));
                compare(&s, |x| x as f32, |x| x as f64, 2e-5);
            }
        });
    }
}

#[test]
fn windows_are_the_matrix_of_a_convolution_and_the_transpose_is_its_adjoint() {
    for s in shapes() {
        let outs = s.out()[0] * s.out()[1];
        let x = numbers(s.n * s.c_in * s.h * s.w, 1);
        let k = s.kernel[0] * s.kernel[1];
        let mut cols = vec![f64::NAN; s.n * s.c_in * k * outs];
        window(&s, &x, &mut cols);
        let other = numbers(cols.len(), 2);
        let mut back = vec![f64::NAN; x.len()];
        window_transpose(&s, &other, &mut back);
        // One output channel that sums nothing: a depthwise shape whose terms are the copies themselves.
        let copies = ConvShape { c_out: s.c_in, groups: s.c_in, ..s };
        let (mut cols0, mut back0) = (vec![0.0; cols.len()], vec![0.0; x.len()]);
        terms(&copies, |y, i, t| {
            let at = (y / outs * k + t % k) * outs + y % outs;
            cols0[at] = x[i];
            back0[i] += other[at];
        });
        assert_eq!(cols, cols0, "{s:?}");
        assert!(back.iter().zip(&back0).all(|(a, b)| (a - b).abs() < 1e-13), "{s:?}");
    }
}

#[test]
fn no_images_give_no_output_and_a_zero_gradient() {
    let s = ConvShape { n: 0, ..shapes()[0] };
    let w = vec![1.0f32; s.c_out * s.taps()];
    let mut dw = vec![f32::NAN; w.len()];
    conv2d(&s, &[], &w, &Ending::none(), &mut []);
    conv2d_data(&s, &[], &w, &mut []);
    conv2d_weight(&s, &[], &[], &mut dw);
    assert!(dw.iter().all(|&d| d == 0.0));
}
