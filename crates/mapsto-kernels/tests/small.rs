//! Every kernel that uses pointers, at sizes small enough for an interpreter (`cargo xtask miri`), by two threads.

use mapsto_kernels::attention::{AttentionShape, Heads, Hidden, attention, attention_backward};
use mapsto_kernels::blocks::for_blocks;
use mapsto_kernels::conv::{self, ConvShape, Ending};
use mapsto_kernels::gemm::{Activation, Epilogue, Mat, Write, bf16, gemm, gemm_batch};
use mapsto_kernels::rnn::{Gru, GruGrads, GruKept, Lstm, LstmGrads, LstmKept, Sequences};
use mapsto_kernels::threads::{for_chunks, parallel, with_threads};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

fn numbers(n: usize, seed: usize) -> Vec<f32> {
    (0..n).map(|i| ((i + 31 * seed) * 7919 % 1009) as f32 / 504.5 - 1.0).collect()
}

fn close(got: &[f32], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    for (i, (&got, &want)) in got.iter().zip(want).enumerate() {
        assert!((got as f64 - want).abs() <= 2e-5 * (1.0 + want.abs()), "at {i}: {got} is not {want}");
    }
}

#[test]
fn the_pool_lends_pieces_and_takes_them_back() {
    with_threads(3, || {
        for blocks in [1, 2, 7, 20] {
            let seen: Vec<AtomicUsize> = (0..blocks).map(|_| AtomicUsize::new(0)).collect();
            parallel(blocks, usize::MAX, |i| {
                seen[i].fetch_add(1, Relaxed);
            });
            assert!(seen.iter().all(|seen| seen.load(Relaxed) == 1));
        }
        let (mut x, mut y) = (vec![0; 10], vec![0; 20]);
        for_chunks(&mut x, 3, usize::MAX, |i, x| x.fill(i));
        assert_eq!(x, [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]);
        for_blocks([&mut x, &mut y], [3, 6], usize::MAX, |i, [x, y]| {
            x.fill(10 * i);
            y.fill(x[0] + 1);
        });
        assert_eq!((x[9], y[19], y[0]), (30, 31, 1));
    });
}

#[test]
fn products_in_place() {
    // Plain loops, rows, columns, unpacked, no steps.
    products(&[[2, 3, 2], [1, 9, 70], [9, 20, 1], [3, 7, 5], [1, 0, 3]]);
}

#[test]
fn products_in_panels() {
    // In panels, and cut along the steps.
    products(if cfg!(miri) { &[[9, 18, 7], [2, 65, 3]] } else { &[[33, 18, 29], [2, 4100, 3]] });
}

fn products(sizes: &[[usize; 3]]) {
    for &[m, k, n] in sizes {
        let (a, b, bias) = (numbers(m * k, 1), numbers(k * n, 2), numbers(n, 3));
        for (turned_a, turned_b) in [(false, false), (true, false), (false, true)] {
            let left = |i: usize, l: usize| a[if turned_a { l * m + i } else { i * k + l }] as f64;
            let right = |l: usize, j: usize| b[if turned_b { j * k + l } else { l * n + j }] as f64;
            let want: Vec<f64> = (0..m * n)
                .map(|at| {
                    (0..k).map(|l| left(at / n, l) * right(l, at % n)).sum::<f64>() + bias[at % n] as f64
                })
                .map(|y| y.max(0.0))
                .collect();
            let a = if turned_a { Mat::row_major(&a, k, m).t() } else { Mat::row_major(&a, m, k) };
            let b = if turned_b { Mat::row_major(&b, n, k).t() } else { Mat::row_major(&b, k, n) };
            let mut c = vec![f32::NAN; m * n];
            let epilogue = Epilogue { bias: Some(&bias), activation: Activation::Relu };
            with_threads(2, || gemm(a, b, &mut c, Write::Overwrite, epilogue));
            close(&c, &want);
            bf16::gemm(bf16::Way::Singles, a, b, &mut c, Write::Add, Epilogue::none());
        }
        if k < 64 {
            let (mut c, each) = (vec![0.0; 3 * m * n], numbers(3 * m * k, 4));
            let mat_a = |i: usize| Mat::row_major(&each[i * m * k..][..m * k], m, k);
            with_threads(2, || gemm_batch(3, mat_a, |_| Mat::row_major(&b, k, n), &mut c, Write::Add));
        }
    }
}

const SHAPE: ConvShape = ConvShape {
    n: 1,
    c_in: 3,
    h: 4,
    w: 5,
    c_out: 5,
    kernel: [3, 3],
    stride: [1, 1],
    padding: [1, 1],
    dilation: [1, 1],
    groups: 1,
};

#[test]
fn direct_convolutions() {
    convolve(SHAPE);
    convolve(ConvShape { stride: [2, 3], n: 2, ..SHAPE });
    convolve(ConvShape { c_in: 2, c_out: 4, groups: 2, ..SHAPE });
}

#[test]
fn winograds_convolution() {
    let (n, c) = if cfg!(miri) { (1, 5) } else { (8, 16) };
    convolve(ConvShape { n, c_in: c, c_out: c, h: 4, w: 4, ..SHAPE });
}

fn convolve(s: ConvShape) {
    let [oh, ow] = s.out();
    let (ci, co) = (s.c_in / s.groups, s.c_out / s.groups);
    let (x, w) = (numbers(s.n * s.c_in * s.h * s.w, 1), numbers(s.c_out * ci * 9, 2));
    let (mut y, mut dx, mut dw) = (vec![f32::NAN; s.n * s.c_out * oh * ow], x.clone(), w.clone());
    with_threads(2, || {
        conv::conv2d(&s, &x, &w, &Ending::none(), &mut y);
        conv::conv2d_data(&s, &y, &w, &mut dx);
        conv::conv2d_weight(&s, &x, &y, &mut dw);
    });
    // Some outputs by their definition.
    for at in (0..y.len()).step_by(7) {
        let (n, o, r, q) = (at / (s.c_out * oh * ow), at / (oh * ow) % s.c_out, at / ow % oh, at % ow);
        let mut want = 0.0f64;
        for (c, t) in (0..ci).flat_map(|c| (0..9).map(move |t| (c, t))) {
            let (row, column) = (r * s.stride[0] + t / 3, q * s.stride[1] + t % 3);
            if (1..=s.h).contains(&row) && (1..=s.w).contains(&column) {
                let image = n * s.c_in + o / co * ci + c;
                let x = x[(image * s.h + row - 1) * s.w + column - 1];
                want += x as f64 * w[(o * ci + c) * 9 + t] as f64;
            }
        }
        assert!((y[at] as f64 - want).abs() < 1e-4, "{s:?} at {at}: {} is not {want}", y[at]);
    }
    // Σ y² is linear in the images and in the weights: Σ dx·x and Σ dw·w are it again.
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| a as f64 * b as f64).sum::<f64>();
    let all = dot(&y, &y);
    assert!((dot(&dx, &x) - all).abs() < 1e-4 * all && (dot(&dw, &w) - all).abs() < 1e-4 * all, "{s:?}");
}

fn dense<'a>(s: &AttentionShape, x: &'a [f32], rows: usize, columns: usize) -> Heads<'a, f32> {
    Heads::dense(x, [s.b, s.heads, rows, columns])
}

#[test]
fn attention_and_its_gradients() {
    // Two strips of queries; an interpreter has time for one.
    let t = if cfg!(miri) { 3 } else { 35 };
    let s = AttentionShape { b: 1, heads: 2, t, s: t + 2, d: 3, e: 2 };
    let len = |rows: usize, columns: usize| s.b * s.heads * rows * columns;
    let (q, k, v) = (numbers(len(s.t, s.d), 1), numbers(len(s.s, s.d), 2), numbers(len(s.s, s.e), 3));
    let x = [dense(&s, &q, s.t, s.d), dense(&s, &k, s.s, s.d), dense(&s, &v, s.s, s.e)];
    for hidden in [Hidden::Nothing, Hidden::Later] {
        let (mut y, mut log) = (vec![f32::NAN; len(s.t, s.e)], vec![f32::NAN; len(s.t, 2)]);
        let g = numbers(y.len(), 4);
        let mut dqkv = vec![f32::NAN; len(s.t, s.d) + len(s.s, s.d + s.e)];
        with_threads(2, || {
            attention(&s, 0.5, x[0], x[1], x[2], hidden, &mut y, &mut log);
            attention_backward(&s, 0.5, x, hidden, &y, &log, dense(&s, &g, s.t, s.e), &mut dqkv);
        });
        assert!(y.iter().chain(&log).chain(&dqkv).all(|x| x.is_finite()));
        for (i, h) in [(0, 0), (t / 2, 1), (t - 1, 1)] {
            let seen = if matches!(hidden, Hidden::Later) { i + 1 + s.s - s.t } else { s.s };
            let score = |j: usize| {
                let dot = |c: usize| q[(h * s.t + i) * s.d + c] as f64 * k[(h * s.s + j) * s.d + c] as f64;
                (0.5 * (0..s.d).map(dot).sum::<f64>()).exp()
            };
            let all: f64 = (0..seen).map(score).sum();
            let want: Vec<f64> = (0..s.e)
                .map(|c| (0..seen).map(|j| score(j) / all * v[(h * s.s + j) * s.e + c] as f64).sum())
                .collect();
            close(&y[(i * s.heads + h) * s.e..][..s.e], &want);
        }
    }
}

#[test]
fn recurrent_networks_and_their_gradients() {
    let sizes = Sequences { batch: 9, steps: 2, inputs: 3, hidden: 5, ..Sequences::WHOLE };
    let Sequences { batch, steps, inputs, hidden, .. } = sizes;
    let (x, h0, c0) =
        (numbers(batch * steps * inputs, 1), numbers(batch * hidden, 2), numbers(batch * hidden, 3));
    let (w_ih, w_hh, b) =
        (numbers(4 * hidden * inputs, 4), numbers(4 * hidden * hidden, 5), numbers(4 * hidden, 6));
    let n = batch * steps * hidden;
    let dy = numbers(n, 7);
    with_threads(2, || {
        let lstm = Lstm { sizes, x: &x, h0: &h0, c0: &c0, w_ih: &w_ih, w_hh: &w_hh, b: Some(&b) };
        let (mut gates, mut cells, mut y) = (vec![f32::NAN; 4 * n], vec![f32::NAN; n], vec![f32::NAN; n]);
        lstm.forward(&mut gates, &mut cells, &mut y);
        let [mut dx, mut dh, mut dc, mut di, mut dw, mut db] =
            [&x, &h0, &c0, &w_ih, &w_hh, &b].map(Vec::clone);
        dh.fill(0.0);
        dc.fill(0.0);
        let grads = LstmGrads {
            x: Some(&mut dx),
            h0: &mut dh,
            c0: &mut dc,
            w_ih: Some(&mut di),
            w_hh: Some(&mut dw),
            b: Some(&mut db),
        };
        lstm.backward(LstmKept { gates: &gates, cells: &cells, y: &y }, &dy, grads);
        assert!([&y, &dx, &dh, &dc, &di, &dw, &db].iter().all(|x| x.iter().all(|x| x.is_finite())));

        let (w_ih, w_hh, b) = (&w_ih[..3 * hidden * inputs], &w_hh[..3 * hidden * hidden], &b[..3 * hidden]);
        let gru = Gru { sizes, x: &x, h0: &h0, w_ih, w_hh, b: Some([b, b]) };
        let (mut gates, mut u, mut y) = (vec![f32::NAN; 3 * n], vec![f32::NAN; n], vec![f32::NAN; n]);
        gru.forward(&mut gates, &mut u, &mut y);
        let [mut dx, mut dh, mut di, mut dw] = [&x[..], &h0, w_ih, w_hh].map(<[f32]>::to_vec);
        let (mut b1, mut b2) = (b.to_vec(), b.to_vec());
        dh.fill(0.0);
        let grads = GruGrads {
            x: Some(&mut dx),
            h0: &mut dh,
            w_ih: Some(&mut di),
            w_hh: Some(&mut dw),
            b: Some([&mut b1, &mut b2]),
        };
        gru.backward(GruKept { gates: &gates, u: &u, y: &y }, &dy, grads);
        assert!([&y, &dx, &dh, &di, &dw, &b1, &b2].iter().all(|x| x.iter().all(|x| x.is_finite())));
    });
}
