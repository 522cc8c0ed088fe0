//! Softmax against plain formulas, by rows and by columns.

use super::*;
use crate::simd::{Isa, with_isa};
use crate::threads::with_threads;

#[test]
fn against_plain_formulas_with_the_same_bits_everywhere() {
    for (rows, n) in [(0, 3), (1, 1), (3, 10), (5, 31), (5, 32), (7, 33), (2, 9001), (700, 10), (40, 257)] {
        let x: Vec<f32> = (0..rows * n).map(|i| ((i * 7919) % 1009) as f32 / 50.0 - 10.0).collect();
        let g: Vec<f32> = (0..rows * n).map(|i| ((i * 104_729) % 997) as f32 / 500.0 - 1.0).collect();
        let run = || {
            let mut y = [(); 4].map(|()| vec![0f32; x.len()]);
            let mut l = vec![0f32; rows];
            let [s, ds, ls, dls] = &mut y;
            softmax(&x, [rows, n, 1], s);
            softmax_backward(s, &g, [rows, n, 1], ds);
            log_softmax(&x, [rows, n, 1], ls);
            log_softmax_backward(ls, &g, [rows, n, 1], dls);
            logsumexp(&x, [rows, n, 1], &mut l);
            (y, l)
        };
        let ([s, ds, ls, dls], l) = with_threads(1, run);
        for threads in [2, 8] {
            assert!(
                with_threads(threads, run) == ([s.clone(), ds.clone(), ls.clone(), dls.clone()], l.clone())
            );
        }
        for &isa in Isa::available() {
            assert!(
                with_isa(isa, run) == ([s.clone(), ds.clone(), ls.clone(), dls.clone()], l.clone()),
                "{isa:?}"
            );
        }
        for r in 0..rows {
            let row = r * n..(r + 1) * n;
            let (x, g): (Vec<f64>, Vec<f64>) = row.clone().map(|i| (x[i] as f64, g[i] as f64)).unzip();
            let log = x.iter().map(|x| x.exp()).sum::<f64>().ln();
            let p: Vec<f64> = x.iter().map(|x| (x - log).exp()).collect();
            let (dot, sum) = (g.iter().zip(&p).map(|(g, p)| g * p).sum::<f64>(), g.iter().sum::<f64>());
            assert!((l[r] as f64 - log).abs() < 2e-6 * (1.0 + log.abs()));
            for (j, i) in row.enumerate() {
                assert!((s[i] as f64 - p[j]).abs() < 3e-6 * p[j], "{} {}", s[i], p[j]);
                assert!((ls[i] as f64 - (x[j] - log)).abs() < 4e-6 * (1.0 + x[j].abs() + log.abs()));
                assert!((ds[i] as f64 - p[j] * (g[j] - dot)).abs() < 4e-6 * p[j]);
                assert!((dls[i] as f64 - (g[j] - p[j] * sum)).abs() < 1e-5 * (1.0 + p[j] * n as f64));
            }
        }
    }
}

#[test]
fn columns_are_what_rows_are() {
    for dims @ [outer, n, inner] in
        [[1, 1, 2], [2, 3, 5], [1, 70, 33], [3, 40, 600], [1, 700, 40], [1, 3, 2000], [0, 2, 3], [2, 0, 3]]
    {
        let len = outer * n * inner;
        let mut x: Vec<f64> = (0..len).map(|i| ((i * 7919) % 1009) as f64 / 50.0 - 10.0).collect();
        let g: Vec<f64> = (0..len).map(|i| ((i * 104_729) % 997) as f64 / 500.0 - 1.0).collect();
        // Columns in which one element has all but everything, and such as are no numbers.
        for (place, value) in [(0, 40.0), (1, f64::NAN), (2, f64::INFINITY), (3, -1e300)] {
            if place < usize::min(len, inner) {
                x[place] = value;
            }
        }
        let turned = |x: &[f64]| -> Vec<f64> {
            (0..len).map(|k| x[k / n / inner * n * inner + k % n * inner + k / n % inner]).collect()
        };
        let all = |x: &[f64], g: &[f64], dims: [usize; 3]| {
            let mut y = [(); 4].map(|()| vec![0.0; len]);
            let mut l = vec![0.0; outer * inner];
            let [s, ds, ls, dls] = &mut y;
            softmax(x, dims, s);
            softmax_backward(s, g, dims, ds);
            log_softmax(x, dims, ls);
            log_softmax_backward(ls, g, dims, dls);
            logsumexp(x, dims, &mut l);
            (y, l)
        };
        let (y, l) = all(&x, &g, dims);
        for threads in [1, 2, 8] {
            let again = with_threads(threads, || all(&x, &g, dims));
            let bits = |(y, l): &([Vec<f64>; 4], Vec<f64>)| -> Vec<u64> {
                y.iter().flatten().chain(l).map(|v| v.to_bits()).collect()
            };
            assert!(bits(&again) == bits(&(y.clone(), l.clone())));
        }
        let (want, want_l) = all(&turned(&x), &turned(&g), [outer * inner, n, 1]);
        let near =
            |a: f64, b: f64| (a - b).abs() <= 1e-13 * (1.0 + b.abs()) || a == b || a.is_nan() && b.is_nan();
        for (y, want) in y.iter().zip(&want) {
            assert!(turned(y).iter().zip(want).all(|(a, b)| near(*a, *b)), "{dims:?}");
        }
        assert!(l.iter().zip(&want_l).all(|(a, b)| near(*a, *b)), "{dims:?}");
    }
}

#[test]
fn far_out_values() {
    let mut y = [0f32; 4];
    softmax(&[1e30, -1e30, f32::NEG_INFINITY, 0.0], [1, 4, 1], &mut y);
    assert_eq!(y, [1.0, 0.0, 0.0, 0.0]);
    log_softmax(&[1e4, 0.0, 0.0, 0.0], [1, 4, 1], &mut y);
    assert_eq!(y, [0.0, -1e4, -1e4, -1e4]);
    softmax(&[1.0, f32::NAN, 0.0, 2.0], [2, 2, 1], &mut y);
    assert!(y[0].is_nan() && y[1].is_nan() && !y[2].is_nan());
    let (inf, mut l) = (f32::INFINITY, [0f32; 3]);
    logsumexp(&[-inf, -inf, inf, 0.0, f32::NAN, 0.0], [3, 2, 1], &mut l);
    assert!(l[0] == -inf && l[1] == inf && l[2].is_nan());
    logsumexp(&[], [3, 0, 1], &mut l);
    assert_eq!(l, [-inf; 3]);
    assert!(std::panic::catch_unwind(|| softmax(&[0f32; 5], [2, 2, 1], &mut [0f32; 5])).is_err());
}
