//! Views through a grid against a sum over all elements in f64, and their gradients against differences.

use super::*;
use crate::simd::{Isa, with_isa};
use crate::threads::with_threads;

fn waves(n: usize, step: f64, by: f64) -> Vec<f64> {
    (0..n).map(|i| (i as f64 * step + 0.1).sin() * by).collect()
}

fn shapes() -> Vec<Grid> {
    let mut all = Vec::new();
    for between in [Between::Linear, Between::Nearest, Between::Cubic] {
        for outside in [Outside::Zeros, Outside::Border, Outside::Reflection] {
            for align_corners in [false, true] {
                let s =
                    Grid { n: 2, c: 3, size: [1, 5, 7], axes: 2, outs: 300, between, outside, align_corners };
                all.push(s);
                if between != Between::Cubic {
                    all.push(Grid { n: 1, size: [4, 3, 5], axes: 3, ..s });
                }
            }
        }
    }
    all
}

/// Where a place of an axis of `n` elements lies, as PyTorch's documentation has it.
fn inside(s: &Grid, x: f64, n: f64) -> f64 {
    let (least, most) = if s.align_corners { (0.0, n - 1.0) } else { (-0.5, n - 0.5) };
    match s.outside {
        Outside::Zeros => x,
        Outside::Border => x.clamp(0.0, n - 1.0),
        Outside::Reflection => {
            let mut x = x;
            while x < least || x > most {
                x = if x < least { 2.0 * least - x } else { 2.0 * most - x };
            }
            x.clamp(0.0, n - 1.0)
        }
    }
}

/// What element `i` of an axis of `n` weighs at a coordinate.
fn weight(s: &Grid, g: f64, i: usize, n: usize) -> f64 {
    let (i, size) = (i as f64, n as f64);
    let place = if s.align_corners { (g + 1.0) / 2.0 * (size - 1.0) } else { ((g + 1.0) * size - 1.0) / 2.0 };
    match s.between {
        Between::Nearest => f64::from(inside(s, place, size).round_ties_even() == i),
        Between::Linear => (1.0 - (inside(s, place, size) - i).abs()).max(0.0),
        Between::Cubic => {
            let low = place.floor();
            let of = |x: f64| match x.abs() {
                x if x <= 1.0 => (1.25 * x - 2.25) * x * x + 1.0,
                x => -0.75 * (((x - 5.0) * x + 8.0) * x - 4.0),
            };
            let taps = (-1..3).map(|k| low + f64::from(k));
            taps.filter(|at| inside(s, *at, size) == i).map(|at| of(place - at)).sum()
        }
    }
}

fn value(s: &Grid, x: &[f64], grid: &[f64], out: usize) -> f64 {
    let (plane, p) = (out / s.outs, out % s.outs);
    let place = &grid[((plane / s.c) * s.outs + p) * s.axes..][..s.axes];
    let [d, h, w] = s.size;
    let mut sum = 0.0;
    for z in 0..d {
        for r in 0..h {
            for c in 0..w {
                let slice = if s.axes == 3 { weight(s, place[2], z, d) } else { 1.0 };
                let all = slice * weight(s, place[1], r, h) * weight(s, place[0], c, w);
                sum += all * x[plane * d * h * w + (z * h + r) * w + c];
            }
        }
    }
    sum
}

#[test]
fn every_rule_is_its_formula_and_the_same_bits_for_any_number_of_threads() {
    for s in shapes() {
        let size: usize = s.size.iter().product();
        let (x, grid) = (waves(s.n * s.c * size, 0.7, 2.0), waves(s.n * s.outs * s.axes, 1.3, 2.3));
        let mut y = vec![f64::NAN; s.n * s.c * s.outs];
        let g = waves(y.len(), 0.37, 1.0);
        grid_sample(&s, &x, &grid, &mut y);
        for (out, y) in y.iter().enumerate() {
            assert!((y - value(&s, &x, &grid, out)).abs() < 1e-12, "{s:?}: {out}");
        }
        let (mut dx, mut dgrid) = (vec![f64::NAN; x.len()], vec![f64::NAN; grid.len()]);
        grid_sample_backward(&s, &grid, &g, &mut dx);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        assert!((dot(&dx, &x) - dot(&g, &y)).abs() < 1e-10, "{s:?}");
        grid_sample_backward_grid(&s, &x, &grid, &g, &mut dgrid);
        if s.between != Between::Nearest {
            for i in (0..grid.len()).step_by(7) {
                let at = |h: f64| {
                    let mut grid = grid.clone();
                    grid[i] += h;
                    let outs =
                        (0..s.c).map(|c| ((i / s.axes / s.outs) * s.c + c) * s.outs + i / s.axes % s.outs);
                    outs.map(|out| g[out] * value(&s, &x, &grid, out)).sum::<f64>()
                };
                let slope = (at(1e-6) - at(-1e-6)) / 2e-6;
                assert!(
                    (slope - dgrid[i]).abs() < 1e-6 * (1.0 + slope.abs()),
                    "{s:?}: {i} {slope} {}",
                    dgrid[i]
                );
            }
        }
        let single = |x: &[f64]| x.iter().map(|x| *x as f32).collect::<Vec<f32>>();
        let (x32, grid32, mut first) = (single(&x), single(&grid), None);
        for &isa in Isa::available() {
            let mut y32 = vec![f32::NAN; y.len()];
            with_isa(isa, || grid_sample(&s, &x32, &grid32, &mut y32));
            assert_eq!(first.get_or_insert(y32.clone()), &y32, "{s:?}, {isa:?}");
            for threads in [1, 2, 8] {
                let (mut y2, mut dx2, mut dgrid2) = (y.clone(), dx.clone(), dgrid.clone());
                [&mut y2, &mut dx2, &mut dgrid2].into_iter().for_each(|x| x.fill(f64::NAN));
                with_isa(isa, || {
                    with_threads(threads, || {
                        grid_sample(&s, &x, &grid, &mut y2);
                        grid_sample_backward(&s, &grid, &g, &mut dx2);
                        grid_sample_backward_grid(&s, &x, &grid, &g, &mut dgrid2);
                    })
                });
                assert!(y2 == y && dx2 == dx && dgrid2 == dgrid, "{s:?}, {isa:?}, {threads} threads");
            }
        }
    }
}

#[test]
fn what_is_no_number_or_far_away() {
    for s in shapes() {
        let s = Grid { n: 1, c: 1, outs: 3, ..s };
        let x = vec![1.0f32; s.size.iter().product()];
        let far = [f32::NAN, 1e30, f32::INFINITY].map(|far| vec![far; s.axes]).concat();
        let mut y = [0.5; 3];
        grid_sample(&s, &x, &far, &mut y);
        assert!(y[0].is_nan(), "{s:?}");
        match s.outside {
            Outside::Zeros => assert_eq!(y[1..], [0.0; 2], "{s:?}"),
            Outside::Border if s.between != Between::Cubic => assert_eq!(y[1..], [1.0; 2], "{s:?}"),
            _ => {}
        }
        let (mut dx, mut dgrid) = (x.clone(), far.clone());
        grid_sample_backward(&s, &far, &[1.0; 3], &mut dx);
        grid_sample_backward_grid(&s, &x, &far, &[1.0; 3], &mut dgrid);
    }
}
