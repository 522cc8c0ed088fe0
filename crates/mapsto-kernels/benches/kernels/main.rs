//! How fast the kernels are on this machine, beside the multiply-add rate that its registers reach: `cargo bench -p
//! mapsto-kernels`, with the words that a line must contain as arguments.

mod peak;

use std::hint::black_box;
use std::time::{Duration, Instant};

use mapsto_kernels::attention::{AttentionShape, Heads, Hidden, attention, attention_backward};
use mapsto_kernels::conv::{ConvShape, Ending, Packed, conv2d, conv2d_data, conv2d_packed, conv2d_weight};
use mapsto_kernels::gemm::bf16::{self, Way};
use mapsto_kernels::gemm::{Activation, Epilogue, Mat, Write, gemm};
use mapsto_kernels::map::{map1_wide, map2_wide};
use mapsto_kernels::norm::{layer_norm, layer_norm_backward};
use mapsto_kernels::pool::{PoolShape, max_pool2d, max_pool2d_backward, max_pool2d_values};
use mapsto_kernels::real::Real;
use mapsto_kernels::rnn::{Gru, GruGrads, GruKept, Lstm, LstmGrads, LstmKept, Sequences};
use mapsto_kernels::simd::isa;
use mapsto_kernels::threads::{for_chunks, parallel, threads, with_threads};
use peak::{bf16_peak, peak};

fn main() {
    let filter: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let one = peak(1);
    let all = peak(threads());
    println!(
        "{:?}; multiply-adds in registers: {one:.0} GFLOP/s on 1 thread, {all:.0} on {}",
        isa(),
        threads()
    );
    if let Some(rate) = bf16_peak() {
        println!("bf16 pairs into f32 (VDPBF16PS) in registers: {rate:.0} GFLOP/s on 1 thread");
    }
    let bench = Bench { filter, one, all };

    bench.run("dispatch of 2 blocks", 0, || {
        parallel(2, usize::MAX, |i| {
            black_box(i);
        })
    });
    for (m, k, n) in [(4, 2, 4), (4, 4, 1), (4, 4, 4), (8, 8, 8), (16, 16, 16), (32, 32, 32)] {
        bench.gemm(m, k, n, "nn");
    }
    for n in [64, 128, 256, 512, 1024, 2048] {
        bench.gemm(n, n, n, "nn");
    }
    bench.gemm(512, 512, 512, "nt");
    bench.gemm(512, 512, 512, "tn");
    // The linear layers of the MNIST network: forward, data and weight gradients.
    bench.gemm(64, 3136, 128, "nt");
    bench.gemm(64, 128, 3136, "nn");
    bench.gemm(128, 64, 3136, "tn");
    bench.gemm(64, 128, 10, "nt");
    bench.gemm(64, 10, 128, "nn");
    bench.gemm(10, 64, 128, "tn");
    bench.gemm(1, 3136, 128, "nt");
    bench.gemm(1, 1024, 1024, "nn");

    // The linear layers of a GPT of width 384 on 8 texts of 256: forward, data and weight gradients.
    for (inputs, outputs) in [(384, 1152), (384, 384), (384, 1536), (1536, 384), (384, 65)] {
        bench.gemm(2048, inputs, outputs, "nt");
        bench.gemm(2048, outputs, inputs, "nn");
        bench.gemm(outputs, 2048, inputs, "tn");
    }
    // Some of them with operands rounded to bf16, in all ways, and as sums of two bf16.
    let forms = [(64, 64, 64, "nn"), (256, 256, 256, "nn"), (1024, 1024, 1024, "nn")].into_iter();
    for (m, k, n, form) in forms.chain(
        [(384, 1152), (1536, 384), (384, 65)]
            .into_iter()
            .flat_map(|(i, o)| [(2048, i, o, "nt"), (2048, o, i, "nn"), (o, 2048, i, "tn")]),
    ) {
        bench.gemm_bf16(m, k, n, form);
    }
    // Its attention, and one of long sequences.
    bench.attention(8, 6, 256, 64);
    bench.attention(1, 8, 2048, 64);
    bench.norm(2048, 384);
    bench.gelu(1 << 13);
    bench.gelu(2048 * 1536);

    let s = ConvShape {
        n: 64,
        c_in: 1,
        h: 28,
        w: 28,
        c_out: 32,
        kernel: [3, 3],
        stride: [1, 1],
        padding: [1, 1],
        dilation: [1, 1],
        groups: 1,
    };
    // The convolutions of the MNIST network, then others.
    bench.conv(s);
    bench.conv(ConvShape { c_in: 32, h: 14, w: 14, c_out: 64, ..s });
    bench.conv(ConvShape { n: 8, c_in: 64, h: 56, w: 56, c_out: 128, stride: [2, 2], ..s });
    bench.conv(ConvShape { n: 8, c_in: 256, h: 14, w: 14, c_out: 256, kernel: [1, 1], padding: [0, 0], ..s });
    bench.conv(ConvShape { n: 1, c_in: 32, h: 14, w: 14, c_out: 64, ..s });
    bench.conv(ConvShape { n: 8, c_in: 64, h: 56, w: 56, c_out: 64, groups: 64, ..s });
    bench.resnet(1);
    bench.resnet(16);
    bench.lstm(Sequences { batch: 32, steps: 64, inputs: 128, hidden: 256, ..Sequences::WHOLE });
    bench.lstm(Sequences { batch: 1, steps: 64, inputs: 128, hidden: 256, ..Sequences::WHOLE });
    bench.gru(Sequences { batch: 32, steps: 64, inputs: 128, hidden: 256, ..Sequences::WHOLE });
    bench.pool(64 * 32, 28);
    bench.pool(64 * 64, 14);
    let s = PoolShape { planes: 64, h: 112, w: 112, kernel: [3, 3], stride: [2, 2], padding: [1, 1] };
    let (x, mut y, mut at) = (numbers(64 * 112 * 112), numbers(64 * 56 * 56), vec![0; 64 * 56 * 56]);
    let none = Activation::None;
    bench.run("max pool 64x112x112 k3 s2", 0, || max_pool2d(&s, &x, none, black_box(&mut y), &mut at));
    bench.run("max pool 64x112x112 k3 s2 values", 0, || max_pool2d_values(&s, &x, none, black_box(&mut y)));
    bench.step();
}

struct Bench {
    filter: Vec<String>,
    one: f64,
    all: f64,
}

impl Bench {
    fn gemm(&self, m: usize, k: usize, n: usize, form: &str) {
        self.product(&format!("gemm {m}x{k}x{n} {form}"), [m, k, n], form, |a, b, c| {
            gemm(a, b, c, Write::Overwrite, Epilogue::none())
        });
    }

    /// All ways one after the other, and f32 beside them.
    fn gemm_bf16(&self, m: usize, k: usize, n: usize, form: &str) {
        let none = Epilogue::none();
        let name = |way: &str| format!("bf16 {way} {m}x{k}x{n} {form}");
        let sizes = [m, k, n];
        self.product(&name("unrounded"), sizes, form, |a, b, c| gemm(a, b, c, Write::Overwrite, none));
        self.product(&name("x3"), sizes, form, |a, b, c| bf16::gemm_x3(a, b, c, none));
        for &way in Way::available() {
            self.product(&name(&format!("{way:?}")), sizes, form, |a, b, c| {
                bf16::gemm(way, a, b, c, Write::Overwrite, none)
            });
        }
    }

    fn product(
        &self,
        name: &str,
        [m, k, n]: [usize; 3],
        form: &str,
        f: impl Fn(Mat<f32>, Mat<f32>, &mut [f32]),
    ) {
        let (a, b) = (numbers(m * k), numbers(k * n));
        let mut c = vec![0.0f32; m * n];
        self.run(name, 2 * m * k * n, || {
            let a =
                if form.starts_with('t') { Mat::row_major(&a, k, m).t() } else { Mat::row_major(&a, m, k) };
            let b = if form.ends_with('t') { Mat::row_major(&b, n, k).t() } else { Mat::row_major(&b, k, n) };
            f(a, b, black_box(&mut c))
        });
    }

    fn conv(&self, s: ConvShape) {
        let [oh, ow] = s.out();
        let (x, g) = (numbers(s.n * s.c_in * s.h * s.w), numbers(s.n * s.c_out * oh * ow));
        let w = numbers(s.c_out * s.c_in / s.groups * s.kernel[0] * s.kernel[1]);
        let b = numbers(s.c_out);
        let (mut y, mut dx, mut dw) = (g.clone(), x.clone(), w.clone());
        let name = format!("conv {}x{}x{}x{} to {}", s.n, s.c_in, s.h, s.w, s.c_out);
        let name = format!("{name} k{} s{} g{}", s.kernel[0], s.stride[0], s.groups);
        let flops = 2 * s.macs();
        let relu = Ending { activation: Activation::Relu, ..Ending::bias(&b) };
        self.run(&format!("{name} forward"), flops, || conv2d(&s, &x, &w, &relu, black_box(&mut y)));
        self.run(&format!("{name} data"), flops, || conv2d_data(&s, &g, &w, black_box(&mut dx)));
        self.run(&format!("{name} weight"), flops, || conv2d_weight(&s, &x, &g, black_box(&mut dw)));
    }

    /// The 20 convolutions of ResNet-18 on `n` images of 224 × 224 with packed weights, each kind alone and then all of them in turn.
    fn resnet(&self, n: usize) {
        let same = |c, side, count| (count, c, side, c, 3, 1);
        let layers = [
            (1, 3, 224, 64, 7, 2),
            same(64, 56, 4),
            (1, 64, 56, 128, 3, 2),
            (1, 64, 56, 128, 1, 2),
            same(128, 28, 3),
            (1, 128, 28, 256, 3, 2),
            (1, 128, 28, 256, 1, 2),
            same(256, 14, 3),
            (1, 256, 14, 512, 3, 2),
            (1, 256, 14, 512, 1, 2),
            same(512, 7, 3),
        ];
        let mut all = Vec::new();
        for (count, c_in, side, c_out, k, stride) in layers {
            let s = ConvShape {
                n,
                c_in,
                h: side,
                w: side,
                c_out,
                kernel: [k, k],
                stride: [stride, stride],
                padding: [k / 2, k / 2],
                dilation: [1, 1],
                groups: 1,
            };
            let [oh, ow] = s.out();
            let (x, b) = (numbers(n * c_in * side * side), numbers(c_out));
            let mut y = numbers(n * c_out * oh * ow);
            for i in 0..count {
                let w = numbers(c_out * c_in * k * k);
                let packed = Packed::new(&s, &w);
                let ending = Ending { activation: Activation::Relu, ..Ending::bias(&b) };
                if i == 0 {
                    let name = format!("resnet {n}x{c_in}x{side}x{side} to {c_out} k{k} s{stride}");
                    self.run(&name, 2 * s.macs(), || {
                        conv2d_packed(&s, &x, &w, &packed, &ending, black_box(&mut y))
                    });
                }
                all.push((s, w, packed));
            }
        }
        let flops = all.iter().map(|(s, ..)| 2 * s.macs()).sum();
        let b = numbers(512);
        let most = n * 64 * 112 * 112;
        let (x, mut y) = (numbers(most), numbers(most));
        self.run(&format!("resnet {n} all"), flops, || {
            for (s, w, packed) in &all {
                let [oh, ow] = s.out();
                let x = &x[..n * s.c_in * s.h * s.w];
                let y = &mut y[..n * s.c_out * oh * ow];
                let ending = Ending { activation: Activation::Relu, ..Ending::bias(&b[..s.c_out]) };
                conv2d_packed(s, x, w, packed, &ending, black_box(y));
            }
        });
    }

    /// Causal, of queries, keys and values that lie in one matrix, as one product makes them.
    fn attention(&self, b: usize, heads: usize, t: usize, d: usize) {
        let s = AttentionShape { b, heads, t, s: t, d, e: d };
        let x = numbers(b * t * 3 * heads * d);
        let row = heads * d;
        let strides = [t * 3 * row, d, 3 * row, 1].map(|n| n as isize);
        let [q, k, v] = [0, row, 2 * row].map(|offset| Heads { data: &x[..], offset, strides });
        let (mut y, mut log) = (vec![0.0; b * t * row], vec![0.0; 2 * b * heads * t]);
        let mut dx = x.clone();
        let name = format!("attention {b}x{heads}x{t}x{d}");
        let product = b * heads * t * (t + 1) * d;
        self.run(&format!("{name} forward"), 2 * product, || {
            attention(&s, 0.125, q, k, v, Hidden::Later, black_box(&mut y), &mut log)
        });
        let ones = numbers(y.len());
        let g = Heads { data: &ones, offset: 0, strides: [t * row, d, row, 1].map(|n| n as isize) };
        self.run(&format!("{name} backward"), 5 * product, || {
            attention_backward(&s, 0.125, [q, k, v], Hidden::Later, &y, &log, g, black_box(&mut dx))
        });
    }

    /// Layer norm of rows as a GPT's.
    fn norm(&self, rows: usize, n: usize) {
        let (x, gamma, g) = (numbers(rows * n), numbers(n), numbers(rows * n));
        let (mut y, mut mean, mut rstd) = (x.clone(), vec![[0.0; 2]; rows], numbers(rows));
        self.run(&format!("layer norm {rows}x{n} forward"), 0, || {
            layer_norm(&x, n, Some(&gamma), None, 1e-5, black_box(&mut y), &mut mean, &mut rstd)
        });
        let (mut dgamma, mut dbeta) = (gamma.clone(), gamma.clone());
        self.run(&format!("layer norm {rows}x{n} backward"), 0, || {
            layer_norm_backward(
                &x,
                n,
                Some(&gamma),
                &mean,
                &rstd,
                &g,
                black_box(&mut y),
                &mut dgamma,
                &mut dbeta,
            )
        });
    }

    /// GELU and its gradient, as tensors run them.
    fn gelu(&self, n: usize) {
        let (x, g, mut y) = (numbers(n), numbers(n), numbers(n));
        self.run(&format!("gelu {n} forward"), 0, || {
            for_chunks(black_box(&mut y), 1 << 14, 2 * n, |i, y| {
                map1_wide(
                    &x[i << 14..][..y.len()],
                    y,
                    #[inline(always)]
                    |x| x * x.normal().0,
                )
            })
        });
        self.run(&format!("gelu {n} backward"), 0, || {
            for_chunks(black_box(&mut y), 1 << 14, 2 * n, |i, y| {
                map2_wide(
                    &x[i << 14..][..y.len()],
                    &g[i << 14..][..y.len()],
                    y,
                    #[inline(always)]
                    |x, g| {
                        let (cdf, density) = x.normal();
                        g * (cdf + x * density)
                    },
                )
            })
        });
    }

    /// An LSTM, and the chain of its way back alone.
    fn lstm(&self, sizes: Sequences<'_>) {
        let Sequences { batch, steps, inputs, hidden, .. } = sizes;
        let (rows, state) = (batch * steps, batch * hidden);
        let near_zero = |n: usize| numbers(n).into_iter().map(|x| 0.1 * x).collect::<Vec<f32>>();
        let (x, w_ih, w_hh) =
            (numbers(rows * inputs), near_zero(4 * hidden * inputs), near_zero(4 * hidden * hidden));
        let (zero, dy) = (vec![0.0; state], near_zero(rows * hidden));
        let lstm = Lstm { sizes, x: &x, h0: &zero, c0: &zero, w_ih: &w_ih, w_hh: &w_hh, b: None };
        let (mut gates, mut cells, mut y) = (vec![0.0; 4 * rows * hidden], dy.clone(), dy.clone());
        let (mut dx, mut dh, mut dc) = (x.clone(), zero.clone(), zero.clone());
        let (mut dw_ih, mut dw_hh, mut db) = (w_ih.clone(), w_hh.clone(), vec![0.0; 4 * hidden]);
        let name = format!("lstm {batch}x{steps}x{inputs} to {hidden}");
        let flops = 2 * rows * 4 * hidden * (inputs + hidden);
        self.run(&format!("{name} forward"), flops, || {
            lstm.forward(&mut gates, &mut cells, black_box(&mut y))
        });
        self.run(&format!("{name} backward"), 2 * flops, || {
            let grads = LstmGrads {
                x: Some(&mut dx),
                h0: &mut dh,
                c0: &mut dc,
                w_ih: Some(&mut dw_ih),
                w_hh: Some(&mut dw_hh),
                b: Some(&mut db),
            };
            lstm.backward(LstmKept { gates: &gates, cells: &cells, y: &y }, black_box(&dy), grads);
        });
        self.run(&format!("{name} chain backward"), flops / (inputs + hidden) * hidden, || {
            let grads = LstmGrads { x: None, h0: &mut dh, c0: &mut dc, w_ih: None, w_hh: None, b: None };
            lstm.backward(LstmKept { gates: &gates, cells: &cells, y: &y }, black_box(&dy), grads);
        });
    }

    fn gru(&self, sizes: Sequences<'_>) {
        let Sequences { batch, steps, inputs, hidden, .. } = sizes;
        let (rows, state) = (batch * steps, batch * hidden);
        let near_zero = |n: usize| numbers(n).into_iter().map(|x| 0.1 * x).collect::<Vec<f32>>();
        let (x, w_ih, w_hh) =
            (numbers(rows * inputs), near_zero(3 * hidden * inputs), near_zero(3 * hidden * hidden));
        let (zero, dy) = (vec![0.0; state], near_zero(rows * hidden));
        let gru = Gru { sizes, x: &x, h0: &zero, w_ih: &w_ih, w_hh: &w_hh, b: None };
        let (mut gates, mut u, mut y) = (vec![0.0; 3 * rows * hidden], dy.clone(), dy.clone());
        let (mut dx, mut dh, mut dw_ih, mut dw_hh) = (x.clone(), zero.clone(), w_ih.clone(), w_hh.clone());
        let name = format!("gru {batch}x{steps}x{inputs} to {hidden}");
        let flops = 2 * rows * 3 * hidden * (inputs + hidden);
        self.run(&format!("{name} forward"), flops, || gru.forward(&mut gates, &mut u, black_box(&mut y)));
        self.run(&format!("{name} backward"), 2 * flops, || {
            let grads = GruGrads {
                x: Some(&mut dx),
                h0: &mut dh,
                w_ih: Some(&mut dw_ih),
                w_hh: Some(&mut dw_hh),
                b: None,
            };
            gru.backward(GruKept { gates: &gates, u: &u, y: &y }, black_box(&dy), grads);
        });
    }

    fn pool(&self, planes: usize, side: usize) {
        let s = PoolShape { planes, h: side, w: side, kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
        let x = numbers(planes * side * side);
        let (mut y, mut at, mut dx) = (vec![0.0; x.len() / 4], vec![0i32; x.len() / 4], x.clone());
        let (name, none) = (format!("max pool {planes}x{side}x{side}"), Activation::None);
        self.run(&format!("{name} forward"), 0, || max_pool2d(&s, &x, none, black_box(&mut y), &mut at));
        self.run(&format!("{name} backward"), 0, || {
            max_pool2d_backward(&s, &y, &at, None, black_box(&mut dx))
        });
    }

    /// All convolution, pooling and linear kernels of one training step of the MNIST network on 64 images.
    fn step(&self) {
        let s = ConvShape {
            n: 64,
            c_in: 1,
            h: 28,
            w: 28,
            c_out: 32,
            kernel: [3, 3],
            stride: [1, 1],
            padding: [1, 1],
            dilation: [1, 1],
            groups: 1,
        };
        let t = ConvShape { c_in: 32, h: 14, w: 14, c_out: 64, ..s };
        let p = PoolShape { planes: 64 * 32, h: 28, w: 28, kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
        let q = PoolShape { planes: 64 * 64, h: 14, w: 14, ..p };
        let (x, w1, b1, w2, b2) = (numbers(64 * 784), numbers(288), numbers(32), numbers(18432), numbers(64));
        let (w3, b3, w4, b4) = (numbers(128 * 3136), numbers(128), numbers(1280), numbers(10));
        let (mut y1, mut y2, mut y3, mut y4) =
            (vec![0.0; 1605632], vec![0.0; 802816], vec![0.0; 8192], vec![0.0; 640]);
        let (mut p1, mut a1, mut p2, mut a2) =
            (vec![0.0; 401408], vec![0; 401408], vec![0.0; 200704], vec![0; 200704]);
        let (mut d1, mut d2, mut dp1, mut dp2, mut d3) =
            (y1.clone(), y2.clone(), p1.clone(), p2.clone(), y3.clone());
        let (mut g1, mut g2, mut g3, mut g4) = (w1.clone(), w2.clone(), w3.clone(), w4.clone());
        let relu = Activation::Relu;
        let flops = 2 * (s.macs() * 2 + t.macs() * 3 + 64 * 128 * (3136 + 10) * 3);
        self.run("step of the MNIST network, batch 64", flops, || {
            let rows = |x, n| Mat::row_major(x, 64, n);
            conv2d(&s, &x, &w1, &Ending::bias(&b1), &mut y1);
            max_pool2d(&p, &y1, relu, &mut p1, &mut a1);
            conv2d(&t, &p1, &w2, &Ending::bias(&b2), &mut y2);
            max_pool2d(&q, &y2, relu, &mut p2, &mut a2);
            let (w3, w4) = (Mat::row_major(&w3, 128, 3136), Mat::row_major(&w4, 10, 128));
            gemm(
                rows(&p2, 3136),
                w3.t(),
                &mut y3,
                Write::Overwrite,
                Epilogue { bias: Some(&b3), activation: relu },
            );
            let last = Epilogue { bias: Some(&b4[..]), activation: Activation::None };
            gemm(rows(&y3, 128), w4.t(), &mut y4, Write::Overwrite, last);
            gemm(rows(&y4, 10).t(), rows(&y3, 128), &mut g4, Write::Overwrite, Epilogue::none());
            gemm(rows(&y4, 10), w4, &mut d3, Write::Overwrite, Epilogue::none());
            gemm(rows(&d3, 128).t(), rows(&p2, 3136), &mut g3, Write::Overwrite, Epilogue::none());
            gemm(rows(&d3, 128), w3, &mut dp2, Write::Overwrite, Epilogue::none());
            max_pool2d_backward(&q, &dp2, &a2, Some(&p2), &mut d2);
            conv2d_weight(&t, &p1, &d2, &mut g2);
            conv2d_data(&t, &d2, &w2, &mut dp1);
            max_pool2d_backward(&p, &dp1, &a1, Some(&p1), &mut d1);
            conv2d_weight(&s, &x, &d1, black_box(&mut g1));
        });
    }

    /// Prints the best time of many on one thread and on all; the best, because other work only ever adds time.
    fn run(&self, name: &str, flops: usize, mut f: impl FnMut()) {
        if !self.filter.iter().all(|word| name.contains(word.as_str())) {
            return;
        }
        print!("{name:<44}");
        for (n, peak) in [(1, self.one), (threads(), self.all)] {
            let time = with_threads(n, || best(&mut f));
            print!(" {:>11}", format!("{:.2?}", Duration::from_secs_f64(time)));
            if flops > 0 {
                let rate = flops as f64 / time * 1e-9;
                print!(" {rate:>6.1} GFLOP/s {:>3.0} %", rate / peak * 100.0);
            }
        }
        println!();
    }
}

fn numbers(n: usize) -> Vec<f32> {
    (0..n).map(|i| (i * 7919 % 1000) as f32 / 500.0 - 1.0).collect()
}

/// Seconds of the fastest of many calls, over a quarter of a second.
fn best(f: &mut impl FnMut()) -> f64 {
    f();
    let (mut best, start) = (f64::INFINITY, Instant::now());
    let mut calls = 1;
    while start.elapsed() < Duration::from_millis(250) {
        let t = Instant::now();
        (0..calls).for_each(|_| f());
        let each = t.elapsed().as_secs_f64() / calls as f64;
        best = best.min(each);
        // Batches of about 20 µs, so that reading the clock costs nothing.
        calls = ((20e-6 / each) as usize).clamp(1, 1000);
    }
    best
}
