//! How exact functions of one number are, and the page `docs/accuracy.md` that says it: f32 against the same function in f64 at
//! many numbers, and both against exact values of mpmath.
//!
//! `accuracy/points.txt` holds the exact values, and `accuracy/points.py` made it.

use mapsto_tensor::prelude::*;

type Function = fn(&Tensor) -> Tensor;

/// Name, function, range, and the largest error: half a unit more than rounding where all is computed in f64, two units
/// where f32 has a form of its own.
const FUNCTIONS: &[(&str, Function, std::ops::Range<f64>, f64)] = &[
    ("log2", |x| x.log2(), 0.0..100.0, 1.0),
    ("log10", |x| x.log10(), 0.0..100.0, 1.0),
    ("exp2", |x| x.exp2(), -20.0..20.0, 1.0),
    ("tan", |x| x.tan(), -50.0..50.0, 2.0),
    ("asin", |x| x.asin(), -1.0..1.0, 2.0),
    ("acos", |x| x.acos(), -1.0..1.0, 2.0),
    ("atan", |x| x.atan(), -20.0..20.0, 2.0),
    ("sinh", |x| x.sinh(), -80.0..80.0, 2.0),
    ("cosh", |x| x.cosh(), -80.0..80.0, 2.0),
    ("asinh", |x| x.asinh(), -1e3..1e3, 2.0),
    ("acosh", |x| x.acosh(), 1.0..1e3, 1.0),
    ("atanh", |x| x.atanh(), -1.0..1.0, 2.0),
    ("trunc", |x| x.trunc(), -1e3..1e3, 0.0),
    ("frac", |x| x.frac(), -1e3..1e3, 0.0),
    ("lgamma", |x| x.lgamma(), -30.0..100.0, 1.0),
    ("digamma", |x| x.digamma(), -30.0..100.0, 1.0),
    ("polygamma", |x| x.polygamma(2), 0.0..30.0, 1.0),
    ("erfinv", |x| x.erfinv(), -1.0..1.0, 1.0),
    ("erfc", |x| x.erfc(), -5.0..9.0, 1.0),
    ("sinc", |x| x.sinc(), -30.0..30.0, 1.0),
    ("logit", |x| x.logit(), 0.0..1.0, 2.0),
    ("log_sigmoid", |x| x.log_sigmoid(), -80.0..80.0, 2.0),
    ("relu6", |x| x.relu6(), -9.0..9.0, 0.0),
    ("hardtanh", |x| x.hardtanh(-1.0, 1.0), -3.0..3.0, 0.0),
    ("hardsigmoid", |x| x.hardsigmoid(), -5.0..5.0, 2.0),
    ("hardswish", |x| x.hardswish(), -5.0..5.0, 2.0),
    ("hardshrink", |x| x.hardshrink(0.5), -3.0..3.0, 0.0),
    ("softshrink", |x| x.softshrink(0.5), -3.0..3.0, 1.0),
    ("tanhshrink", |x| x.tanhshrink(), -9.0..9.0, 1.0),
    ("softsign", |x| x.softsign(), -30.0..30.0, 2.0),
    ("selu", |x| x.selu(), -20.0..20.0, 4.0),
    ("celu", |x| x.celu(0.5), -20.0..20.0, 4.0),
    ("mish", |x| x.mish(), -80.0..80.0, 1.0),
    ("exp", |x| x.exp(), -87.0..88.0, 1.0),
    ("expm1", |x| x.expm1(), -30.0..88.0, 3.0),
    ("log", |x| x.log(), 0.0..100.0, 1.0),
    ("log1p", |x| x.log1p(), -0.99..100.0, 2.0),
    ("sin", |x| x.sin(), -1e4..1e4, 2.0),
    ("cos", |x| x.cos(), -1e4..1e4, 2.0),
    ("tanh", |x| x.tanh(), -12.0..12.0, 3.0),
    ("sigmoid", |x| x.sigmoid(), -80.0..80.0, 3.0),
    ("erf", |x| x.erf(), -5.0..5.0, 2.0),
    ("erfcx", |x| x.erfcx(), -9.0..100.0, 1.0),
    ("ndtr", |x| x.ndtr(), -12.0..6.0, 1.0),
    ("log_ndtr", |x| x.log_ndtr(), -1e3..6.0, 1.0),
    ("ndtri", |x| x.ndtri(), 0.0..1.0, 1.0),
    ("entr", |x| x.entr(), 0.0..9.0, 2.0),
    ("i0", |x| x.i0(), -80.0..80.0, 1.0),
    ("i0e", |x| x.i0e(), -1e3..1e3, 1.0),
    ("i1", |x| x.i1(), -80.0..80.0, 1.0),
    ("i1e", |x| x.i1e(), -1e3..1e3, 1.0),
];

/// Functions at the points of `points.txt`: the largest error, in units in the last place of the type. Where a function has roots
/// that are no numbers of the type, or grows from differences, the units are those of `max(1, |y|)`.
const EXACT: &[(&str, Function, f64)] = &[
    ("acos", |x| x.acos(), 2.0),
    ("acosh", |x| x.acosh(), 2.0),
    ("asin", |x| x.asin(), 2.0),
    ("asinh", |x| x.asinh(), 2.0),
    ("atan", |x| x.atan(), 2.0),
    ("atanh", |x| x.atanh(), 2.0),
    ("cos", |x| x.cos(), 2.0),
    ("cosh", |x| x.cosh(), 2.0),
    ("exp", |x| x.exp(), 2.0),
    ("exp2", |x| x.exp2(), 2.0),
    ("expm1", |x| x.expm1(), 3.0),
    ("log", |x| x.log(), 2.0),
    ("log10", |x| x.log10(), 2.0),
    ("log1p", |x| x.log1p(), 2.0),
    ("log2", |x| x.log2(), 2.0),
    ("sin", |x| x.sin(), 2.0),
    ("sinh", |x| x.sinh(), 2.0),
    ("tan", |x| x.tan(), 2.0),
    ("tanh", |x| x.tanh(), 4.0),
    ("lgamma", |x| x.lgamma(), ROOTED),
    ("digamma", |x| x.digamma(), ROOTED),
    ("polygamma1", |x| x.polygamma(1), ROOTED),
    ("polygamma2", |x| x.polygamma(2), ROOTED),
    ("polygamma3", |x| x.polygamma(3), ROOTED),
    ("erf", |x| x.erf(), 4.0),
    ("erfc", |x| x.erfc(), 12.0),
    ("erfinv", |x| x.erfinv(), 12.0),
    ("erfcx", |x| x.erfcx(), 12.0),
    ("ndtr", |x| x.ndtr(), 12.0),
    ("log_ndtr", |x| x.log_ndtr(), ROOTED),
    ("ndtri", |x| x.ndtri(), ROOTED),
    ("entr", |x| x.entr(), ROOTED),
    ("i0", |x| x.i0(), 24.0),
    ("i0e", |x| x.i0e(), 24.0),
    ("i1", |x| x.i1(), 24.0),
    ("i1e", |x| x.i1e(), 24.0),
    ("sinc", |x| x.sinc(), ROOTED),
];

/// Beside `max(1, |y|)`.
const ROOTED: f64 = 40.0;

const POINTS: &str = include_str!("accuracy/points.txt");

/// The largest error of a function at its points.
fn at_points(name: &str, f: Function, rooted: bool) -> (f64, usize) {
    let of = |hex: &str| f64::from_bits(u64::from_str_radix(hex, 16).expect("bits"));
    let (mut worst, mut count) = (0.0, 0);
    for line in POINTS.lines() {
        let [of_name, width, x, y] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        if of_name != name {
            continue;
        }
        let (single, want) = (width == "32", of(y));
        let x = Tensor::from_vec(vec![of(x)], [1]);
        let x = if single { x.to(DType::F32) } else { x };
        let found = f(&x).to(DType::F64).to_vec::<f64>()[0];
        let size = if rooted { want.abs().max(1.0) } else { want.abs() };
        let unit = match single {
            true => {
                let size = (size as f32).max(f32::MIN_POSITIVE);
                f64::from(size.next_up() - size)
            }
            false => size.max(f64::MIN_POSITIVE).next_up() - size.max(f64::MIN_POSITIVE),
        };
        // What is infinite in f32 is the nearest there is.
        let error =
            if single && want.abs() > f64::from(f32::MAX) { 0.0 } else { (found - want).abs() / unit };
        worst = if error <= worst { worst } else { error };
        count += 1;
    }
    (worst, count)
}

/// Numbers of a range, evenly and by their size.
fn numbers(range: &std::ops::Range<f64>, n: usize) -> Tensor {
    let even = Tensor::uniform([n / 2], range.start, range.end);
    let small = Tensor::uniform([n / 2], -20.0, 0.0).exp2() * (range.end - range.start);
    let middle = if range.contains(&0.0) { 0.0 } else { range.start };
    Tensor::cat(&[even, small + middle], 0).clamp(range.start, range.end)
}

/// The largest difference in units in the last place of f32; below the normal numbers a unit is that of the least.
fn ulps(y: &Tensor, exact: &Tensor) -> (f64, usize) {
    let (y, exact) = (y.to_vec::<f32>(), exact.to_vec::<f64>());
    let mut worst = (0.0, 0);
    for (i, (y, w)) in y.iter().zip(&exact).enumerate() {
        let rounded = *w as f32;
        if !rounded.is_finite() || !y.is_finite() {
            assert!(
                y.to_bits() == rounded.to_bits()
                    || y.is_nan() && w.is_nan()
                    || (w.abs() - f64::from(f32::MAX)).abs() < 1e32,
                "{y} {w}"
            );
            continue;
        }
        let size = rounded.abs().max(f32::MIN_POSITIVE);
        let error = (f64::from(*y) - w).abs() / f64::from(size.next_up() - size);
        if error > worst.0 {
            worst = (error, i);
        }
    }
    worst
}

#[test]
fn functions_are_as_exact_as_the_page_says() {
    seed(7);
    // MAPSTO_NUMBERS=1000000 looks at as many; the page is that of the usual number.
    let asked = std::env::var("MAPSTO_NUMBERS").ok().and_then(|n| n.parse().ok());
    let n = asked.unwrap_or(100_000);
    let mut page = format!(
        "# Accuracy\n\nThe largest errors of functions of one number, in units in the last place (the best is 0.5). This page is written by\n\
         `MAPSTO_BLESS=1 cargo test -p mapsto-tensor --test accuracy`.\n\n## f32 at {n} numbers\n\n\
         Half of them lie evenly in the domain and half by their size, and the same function in f64 says what is exact.\n\n\
         | function | domain | largest error | bound |\n|---|---|---|---|\n"
    );
    let mut wrong = Vec::new();
    for (name, f, range, bound) in FUNCTIONS {
        let x = numbers(range, n);
        let (y, exact) = (f(&x), f(&x.to(DType::F64)));
        let (worst, at) = ulps(&y, &exact);
        page += &format!("| `{name}` | {} to {} | {worst:.2} | {bound} |\n", range.start, range.end);
        if worst > *bound {
            wrong.push(format!("{name} at {}: {worst:.2} units in the last place", x.to_vec::<f32>()[at]));
        }
    }
    page += "\n## Against exact values\n\nThe values are those of mpmath in 60 digits: of elementary functions in f32 at inputs that NumPy's own \
             accuracy tests take\nfor hard, of the others in f64 over the whole domain. Where a function has roots, or loses digits beside a \
             limit, the unit is that of\n`max(1, |y|)`.\n\n| function | type | points | largest error | unit of |\n|---|---|---|---|---|\n";
    for (name, f, bound) in EXACT {
        let rooted = *bound == ROOTED;
        let (worst, count) = at_points(name, *f, rooted);
        let single = POINTS.lines().any(|line| line.starts_with(&format!("{name} 32 ")));
        assert!(count > 20, "{name} has {count} points");
        let (kind, unit) =
            (if single { "f32" } else { "f64" }, if rooted { "`max(1, \\|y\\|)`" } else { "`y`" });
        page += &format!("| `{name}` | {kind} | {count} | {worst:.2} | {unit} |\n");
        if worst > *bound {
            wrong.push(format!("{name} is {worst:.2} units from the exact value"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    if asked.is_some() {
        println!("{page}");
        return;
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/accuracy.md");
    if std::env::var_os("MAPSTO_BLESS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == page,
        "docs/accuracy.md is stale: run `MAPSTO_BLESS=1 cargo test -p mapsto-tensor --test accuracy`"
    );
}
