//! Sizes whose product does not fit a word: every kernel that is told sizes refuses them, or has nothing to do.

use mapsto_kernels::adaptive_pool::{self as adaptive, AdaptivePoolShape};
use mapsto_kernels::attention::{AttentionShape, Heads, Hidden, attention, attention_backward};
use mapsto_kernels::conv::{self, ConvShape, Ending, Packed};
use mapsto_kernels::gemm::{self, Activation, Epilogue, Mat, Write, bf16};
use mapsto_kernels::index::{gather, scatter_add, select, select_add};
use mapsto_kernels::loss::{CrossEntropy, cross_entropy, cross_entropy_backward};
use mapsto_kernels::pool::{self, PoolShape};
use mapsto_kernels::rnn::Sequences;
use mapsto_kernels::rnn::{Gru, GruGrads, GruKept, Lstm, LstmGrads, LstmKept};
use mapsto_kernels::sort::{Order, argsort, topk};
use mapsto_kernels::{norm, reduce, scan, softmax};
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Factors of which many products wrap: `THIRD · 3` is 2⁶⁴ + 2, `HALF · 2` is 2⁶⁴, `ROOT²` is 2⁶⁴.
const THIRD: usize = 0x5555_5555_5555_5556;
const HALF: usize = 1 << 63;
const ROOT: usize = 1 << 32;
const SIZES: [usize; 8] = [0, 1, 2, 3, ROOT, HALF, THIRD, usize::MAX];

/// Counts the calls that were refused, and panics where one failed by arithmetic and not by a check.
struct Calls {
    made: Cell<usize>,
    refused: Cell<usize>,
    failed: RefCell<Vec<String>>,
}

impl Calls {
    fn try_one(&self, what: &str, sizes: &dyn std::fmt::Debug, f: impl FnOnce()) {
        self.made.set(self.made.get() + 1);
        let Err(payload) = catch_unwind(AssertUnwindSafe(f)) else { return };
        self.refused.set(self.refused.get() + 1);
        let text = payload.downcast_ref::<String>().map(String::as_str);
        let text = text.or(payload.downcast_ref::<&str>().copied()).unwrap_or("");
        let arithmetic =
            ["attempt to", "out of range", "out of bounds", "capacity overflow", "divide by zero"];
        if arithmetic.iter().any(|word| text.contains(word)) {
            self.failed.borrow_mut().push(format!("{what} of {sizes:?}: {text}"));
        }
    }
}

impl Drop for Calls {
    fn drop(&mut self) {
        let (made, refused, failed) = (self.made.get(), self.refused.get(), self.failed.take());
        println!("{made} calls, {refused} refused\n{}", failed[..failed.len().min(20)].join("\n"));
        assert!(failed.is_empty());
    }
}

/// Calls `f` with every choice of `N` of the sizes whose product is neither small nor what memory holds.
fn each<const N: usize>(mut f: impl FnMut([usize; N])) {
    // Of five sizes every 17th choice: the step shares no factor with the choices, so each size meets each other.
    for k in (0..SIZES.len().pow(N as u32)).step_by(if N == 5 { 17 } else { 1 }) {
        let sizes: [usize; N] = std::array::from_fn(|d| SIZES[k / SIZES.len().pow(d as u32) % SIZES.len()]);
        if sizes.iter().any(|&n| n > 3) {
            f(sizes)
        }
    }
}

/// What a length would be if the product wrapped: the length that an unchecked comparison asks for. None if that is
/// more than a test should hold.
fn wrapped(sizes: &[usize]) -> Option<usize> {
    Some(sizes.iter().fold(1usize, |a, &b| a.wrapping_mul(b))).filter(|&n| n <= 4096)
}

fn quiet() -> Calls {
    // Thousands of refusals are expected; what is not is printed at the end.
    std::panic::set_hook(Box::new(|_| {}));
    Calls { made: Cell::new(0), refused: Cell::new(0), failed: RefCell::default() }
}

#[test]
fn products_of_matrices_and_what_attention_makes_of_them() {
    let calls = quiet();
    let data = vec![1.0f32; 4096];
    // Rows and columns that are repeated by a stride of 0 need no memory.
    for strides in [(0, 0), (0, 1), (1, 0)] {
        each(|[m, k, n]| {
            let Some(len) = wrapped(&[m, n]).filter(|_| k <= 3) else { return };
            let a = Mat {
                data: &data,
                rows: m,
                cols: k,
                row_stride: strides.0,
                col_stride: strides.1,
                offset: 0,
            };
            let b = Mat {
                data: &data,
                rows: k,
                cols: n,
                row_stride: strides.1,
                col_stride: strides.0,
                offset: 0,
            };
            let sizes = (m, k, n, strides);
            let new = || vec![0.0f32; len];
            calls.try_one("gemm", &sizes, || gemm::gemm(a, b, &mut new(), Write::Add, Epilogue::none()));
            for way in bf16::Way::available() {
                calls.try_one("bf16", &sizes, || {
                    bf16::gemm(*way, a, b, &mut new(), Write::Overwrite, Epilogue::none())
                });
            }
            calls.try_one("gemm_x3", &sizes, || bf16::gemm_x3(a, b, &mut new(), Epilogue::none()));
            calls.try_one("row_major", &sizes, || _ = Mat::row_major(&data[..len], m, n));
        });
        each(|[batch, m, n]| {
            let Some(len) = wrapped(&[batch, m, n]) else { return };
            let a =
                |_| Mat { data: &data, rows: m, cols: 2, row_stride: strides.0, col_stride: 1, offset: 0 };
            let b =
                |_| Mat { data: &data, rows: 2, cols: n, row_stride: 1, col_stride: strides.1, offset: 0 };
            let run = || gemm::gemm_batch(batch, a, b, &mut vec![0.0; len], Write::Overwrite);
            calls.try_one("gemm_batch", &(batch, m, n), run);
        });
    }
    each(|[b, heads, t, s]| {
        let (Some(y), Some(log)) = (wrapped(&[b, heads, t, 2]), wrapped(&[2, b, heads, t])) else { return };
        let shape = AttentionShape { b, heads, t, s, d: 2, e: 2 };
        let x = Heads { data: &data, offset: 0, strides: [0, 0, 0, 1] };
        // So many keys that are all the same one are no mistake, but take forever.
        if s <= 3 || b.max(heads).max(t) > 3 {
            for hidden in [Hidden::Nothing, Hidden::Later, Hidden::Bias(x)] {
                calls.try_one("attention", &shape, || {
                    attention(&shape, 1.0, x, x, x, hidden, &mut vec![0.0; y], &mut vec![0.0; log])
                });
            }
        }
        let Some(all) = wrapped(&[b, heads, s, 4]).map(|keys| keys + y) else { return };
        calls.try_one("attention_backward", &shape, || {
            let (y, log) = (vec![0.0; y], vec![0.0; log]);
            attention_backward(&shape, 1.0, [x; 3], Hidden::Nothing, &y, &log, x, &mut vec![0.0; all])
        });
        calls.try_one("dense heads", &shape, || _ = Heads::dense(&data, [b, heads, t, s]));
        calls.try_one("gradients", &shape, || _ = shape.gradients());
    });
    assert!(calls.refused.get() > 500);
}

#[test]
fn windows_of_every_kind() {
    let calls = quiet();
    let mut seen = 0;
    each(|[n, c, h, k, p]| {
        for (stride, dilation) in [(1, 1), (2, 1), (1, ROOT), (HALF, 3), (ROOT, usize::MAX)] {
            let s = ConvShape {
                n,
                c_in: c,
                h,
                w: 2,
                c_out: 2,
                kernel: [k, 1],
                stride: [stride, stride],
                padding: [p, 0],
                dilation: [dilation, 1],
                groups: 1,
            };
            // The output's length is asked of the shape itself; a shape without one is refused there.
            let mut out = None;
            calls.try_one("out", &s, || out = Some(s.out()));
            let (Some(x), Some(w)) = (wrapped(&[n, c, h, 2]), wrapped(&[2, c, k])) else { continue };
            let [oh, ow] = out.unwrap_or([1, 1]);
            let (Some(y), Some(cols)) = (wrapped(&[n, 2, oh, ow]), wrapped(&[n, c, k, oh, ow])) else {
                continue;
            };
            seen += 1;
            let (x, w, y, cols) = (vec![1.0f32; x], vec![1.0f32; w], vec![1.0f32; y], vec![1.0f32; cols]);
            calls.try_one("macs", &s, || _ = s.macs());
            calls.try_one("conv2d", &s, || conv::conv2d(&s, &x, &w, &Ending::none(), &mut y.clone()));
            calls.try_one("conv2d_data", &s, || conv::conv2d_data(&s, &y, &w, &mut x.clone()));
            calls.try_one("conv2d_weight", &s, || conv::conv2d_weight(&s, &x, &y, &mut w.clone()));
            calls.try_one("packed", &s, || drop(Packed::new(&s, &w)));
            calls.try_one("window", &s, || conv::window(&s, &x, &mut cols.clone()));
            calls.try_one("window_transpose", &s, || conv::window_transpose(&s, &cols, &mut x.clone()));
        }
    });
    each(|[planes, h, k, p, stride]| {
        let s = PoolShape { planes, h, w: 2, kernel: [k, 1], stride: [stride, 1], padding: [p, 0] };
        let mut out = None;
        calls.try_one("out", &s, || out = Some(s.out()));
        let [oh, ow] = out.unwrap_or([1, 1]);
        let (Some(x), Some(y)) = (wrapped(&[planes, h, 2]), wrapped(&[planes, oh, ow])) else { return };
        seen += 1;
        let (x, y, at) = (vec![1.0f32; x], vec![1.0f32; y], vec![0; y]);
        let none = Activation::None;
        calls.try_one("max_pool2d", &s, || pool::max_pool2d(&s, &x, none, &mut y.clone(), &mut at.clone()));
        calls.try_one("max_pool2d_values", &s, || pool::max_pool2d_values(&s, &x, none, &mut y.clone()));
        calls.try_one("max_pool2d_backward", &s, || {
            pool::max_pool2d_backward(&s, &y, &at, None, &mut x.clone())
        });
        calls.try_one("avg_pool2d", &s, || pool::avg_pool2d(&s, &x, &mut y.clone()));
        calls.try_one("avg_pool2d_backward", &s, || pool::avg_pool2d_backward(&s, &y, &mut x.clone()));
    });
    each(|[planes, h, w, out]| {
        let (Some(x), Some(y)) = (wrapped(&[planes, h, w]), wrapped(&[planes, out, 2])) else { return };
        let s = AdaptivePoolShape { planes, h, w, out: [out, 2] };
        let (x, y, at) = (vec![1.0f32; x], vec![1.0f32; y], vec![0; y]);
        calls.try_one("adaptive_avg", &s, || adaptive::adaptive_avg_pool2d(&s, &x, &mut y.clone()));
        calls.try_one("adaptive_avg_backward", &s, || {
            adaptive::adaptive_avg_pool2d_backward(&s, &y, &mut x.clone())
        });
        calls.try_one("adaptive_max", &s, || {
            adaptive::adaptive_max_pool2d(&s, &x, &mut y.clone(), &mut at.clone())
        });
        calls.try_one("adaptive_max_backward", &s, || {
            adaptive::adaptive_max_pool2d_backward(&s, &y, &at, &mut x.clone())
        });
        if out > 0 {
            calls.try_one("adaptive window", &s, || _ = s.window(0, out - 1));
        }
    });
    assert!(calls.refused.get() > 1000 && seen > 300);
}

#[test]
fn walks_along_an_axis_and_picks_from_one() {
    let calls = quiet();
    each(|dims @ [outer, n, inner]| {
        let (Some(x), Some(y)) = (wrapped(&dims), wrapped(&[outer, inner])) else { return };
        let (x, y, at) = (vec![1.0f32; x], vec![0.0f32; y], vec![0i64; y]);
        calls.try_one("sum", &dims, || reduce::sum(&x, dims, &mut y.clone()));
        calls.try_one("product", &dims, || reduce::product(&x, dims, &mut y.clone()));
        calls.try_one("mean", &dims, || reduce::mean(&x, dims, &mut y.clone()));
        calls.try_one("variance", &dims, || reduce::variance(&x, dims, &y, 1.0, &mut y.clone()));
        calls.try_one("squares", &dims, || reduce::squares(&x, dims, &y, &mut y.clone()));
        calls.try_one("max", &dims, || reduce::max(&x, dims, &mut y.clone()));
        calls.try_one("min", &dims, || reduce::min(&x, dims, &mut y.clone()));
        calls.try_one("argmax", &dims, || reduce::argmax(&x, dims, &mut at.clone()));
        calls.try_one("argmin", &dims, || reduce::argmin(&x, dims, &mut at.clone()));
        calls.try_one("cumsum", &dims, || scan::cumsum(&x, dims, &mut x.clone()));
        calls.try_one("cumsum_reverse", &dims, || scan::cumsum_reverse(&x, dims, &mut x.clone()));
        for m in [0, 1, 3] {
            let Some(len) = wrapped(&[outer, m, inner]) else { continue };
            let (g, ids, each) = (vec![1.0f32; len], vec![0i64; m], vec![0i64; len]);
            calls.try_one("select", &dims, || select(&x, dims, &ids, &mut g.clone()));
            calls.try_one("select_add", &dims, || select_add(&mut x.clone(), dims, &ids, &g));
            calls.try_one("gather", &dims, || gather(&x, dims, &each, m, &mut g.clone()));
            calls.try_one("scatter_add", &dims, || scatter_add(&mut x.clone(), dims, &each, m, &g));
        }
        let Some(channels) = wrapped(&[n]) else { return };
        let (mut mean, mut var) = (vec![[0.0f32; 2]; channels], vec![0.0f32; channels]);
        calls.try_one("batch_norm_stats", &dims, || norm::batch_norm_stats(&x, dims, &mut mean, &mut var));
        calls.try_one("batch_norm_apply", &dims, || {
            norm::batch_norm_apply(&x, dims, &mean, &var, None, None, &mut x.clone())
        });
        calls.try_one("batch_norm_backward", &dims, || {
            let [mut dgamma, mut dbeta] = [var.clone(), var.clone()];
            norm::batch_norm_backward(
                &x,
                dims,
                &x,
                &mean,
                &var,
                None,
                &mut x.clone(),
                &mut dgamma,
                &mut dbeta,
            )
        });
    });
    each(|[rows, n]| {
        let Some(x) = wrapped(&[rows, n]) else { return };
        let x = vec![1.0f32; x];
        let sizes = (rows, n);
        calls.try_one("softmax", &sizes, || softmax::softmax(&x, [rows, n, 1], &mut x.clone()));
        calls.try_one("log_softmax", &sizes, || softmax::log_softmax(&x, [rows, n, 1], &mut x.clone()));
        calls.try_one("softmax_backward", &sizes, || {
            softmax::softmax_backward(&x, &x, [rows, n, 1], &mut x.clone())
        });
        calls.try_one("log_softmax_backward", &sizes, || {
            softmax::log_softmax_backward(&x, &x, [rows, n, 1], &mut x.clone())
        });
        calls.try_one("argsort", &sizes, || argsort(&x, n, Order::Ascending, &mut vec![0; x.len()]));
        let Some(y) = wrapped(&[rows]) else { return };
        let one = vec![1.0f32; y];
        calls.try_one("logsumexp", &sizes, || softmax::logsumexp(&x, [rows, n, 1], &mut one.clone()));
        calls.try_one("topk", &sizes, || topk(&x, n, 1.min(n), Order::Ascending, &mut vec![0; y]));
        calls.try_one("layer_norm", &sizes, || {
            let (mut y, mut m, mut r) = (x.clone(), vec![[0.0; 2]; y], one.clone());
            norm::layer_norm(&x, n, None, None, 1e-5, &mut y, &mut m, &mut r)
        });
        let rule = CrossEntropy { classes: n, smoothing: 0.0, weights: None, ignore: None };
        let ids = vec![0; y];
        calls.try_one("cross_entropy", &sizes, || {
            cross_entropy(&rule, &x, &ids, &mut one.clone(), &mut one.clone())
        });
        calls.try_one("cross_entropy_backward", &sizes, || {
            cross_entropy_backward(&rule, &x, &ids, &one, &one, &mut x.clone())
        });
    });
    assert!(calls.refused.get() > 200);
}

#[test]
fn sequences() {
    let calls = quiet();
    each(|[batch, steps, inputs, hidden]| {
        let sizes = Sequences { batch, steps, inputs, hidden, ..Sequences::WHOLE };
        let len = |all: &[usize]| wrapped(all).map(|n| vec![0.5f32; n]);
        let Some(x) = len(&[batch, steps, inputs]) else { return };
        let (Some(state), Some(y)) = (len(&[batch, hidden]), len(&[batch, steps, hidden])) else { return };
        let (Some(b3), Some(b4)) = (len(&[3, hidden]), len(&[4, hidden])) else { return };
        let (Some(i3), Some(i4)) = (len(&[3, hidden, inputs]), len(&[4, hidden, inputs])) else { return };
        let (Some(h3), Some(h4)) = (len(&[3, hidden, hidden]), len(&[4, hidden, hidden])) else { return };
        let (Some(g3), Some(g4)) = (len(&[3, batch, steps, hidden]), len(&[4, batch, steps, hidden])) else {
            return;
        };
        let gru = Gru { sizes, x: &x, w_ih: &i3, w_hh: &h3, b: Some([&b3, &b3]), h0: &state };
        calls.try_one("gru", &sizes, || gru.forward(&mut g3.clone(), &mut y.clone(), &mut y.clone()));
        calls.try_one("gru backward", &sizes, || {
            let kept = GruKept { gates: &g3, u: &y, y: &y };
            let grads = GruGrads {
                x: Some(&mut x.clone()),
                w_ih: Some(&mut i3.clone()),
                w_hh: Some(&mut h3.clone()),
                b: Some([&mut b3.clone(), &mut b3.clone()]),
                h0: &mut state.clone(),
            };
            gru.backward(kept, &y, grads)
        });
        let lstm = Lstm { sizes, x: &x, w_ih: &i4, w_hh: &h4, b: Some(&b4), h0: &state, c0: &state };
        calls.try_one("lstm", &sizes, || lstm.forward(&mut g4.clone(), &mut y.clone(), &mut y.clone()));
        calls.try_one("lstm backward", &sizes, || {
            let kept = LstmKept { gates: &g4, cells: &y, y: &y };
            let grads = LstmGrads {
                x: Some(&mut x.clone()),
                w_ih: Some(&mut i4.clone()),
                w_hh: Some(&mut h4.clone()),
                b: Some(&mut b4.clone()),
                h0: &mut state.clone(),
                c0: &mut state.clone(),
            };
            lstm.backward(kept, &y, grads)
        });
    });
    assert!(calls.made.get() > 500 && calls.refused.get() > 100);
}
