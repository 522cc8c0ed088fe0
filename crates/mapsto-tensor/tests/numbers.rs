//! Numbers beside tensors, over every operation that takes one and every dtype: comparisons are exact, and what a dtype
//! cannot hold is refused and never changed.

use mapsto_tensor::Scalar;
use mapsto_tensor::prelude::*;

/// What becomes of the number.
#[derive(Clone, Copy)]
enum Role {
    /// It is compared.
    Compared(fn(i128, i128) -> bool),
    /// It enters arithmetic.
    Arithmetic,
    /// It is put into the tensor.
    Filled,
}
use Role::{Arithmetic, Compared, Filled};

type Call = fn(&Tensor, Scalar) -> Tensor;

/// Every operation with a number, by the file of `ops/` (or of the core) that declares it.
const CALLS: &[(&str, Role, Call)] = &[
    ("compare", Compared(|a, b| a == b), |x, v| x.eq(v)),
    ("compare", Compared(|a, b| a != b), |x, v| x.ne(v)),
    ("compare", Compared(|a, b| a < b), |x, v| x.lt(v)),
    ("compare", Compared(|a, b| a <= b), |x, v| x.le(v)),
    ("compare", Compared(|a, b| a > b), |x, v| x.gt(v)),
    ("compare", Compared(|a, b| a >= b), |x, v| x.ge(v)),
    ("add", Arithmetic, |x, v| x.add(v)),
    ("sub", Arithmetic, |x, v| x.sub(v)),
    ("mul", Arithmetic, |x, v| x.mul(v)),
    ("div", Arithmetic, |x, v| x.div(v)),
    ("operators", Arithmetic, |x, v| with(v, |v| x + v, |v| x + v)),
    ("operators", Arithmetic, |x, v| with(v, |v| v + x, |v| v + x)),
    ("operators", Arithmetic, |x, v| with(v, |v| x - v, |v| x - v)),
    ("operators", Arithmetic, |x, v| with(v, |v| v - x, |v| v - x)),
    ("operators", Arithmetic, |x, v| with(v, |v| x * v, |v| x * v)),
    ("operators", Arithmetic, |x, v| with(v, |v| v * x, |v| v * x)),
    ("operators", Arithmetic, |x, v| with(v, |v| x / v, |v| x / v)),
    ("operators", Arithmetic, |x, v| with(v, |v| v / x, |v| v / x)),
    ("maximum", Arithmetic, |x, v| x.maximum(v)),
    ("minimum", Arithmetic, |x, v| x.minimum(v)),
    ("clamp", Arithmetic, |x, v| x.clamp(v, f64::INFINITY)),
    ("clamp", Arithmetic, |x, v| x.clamp(f64::NEG_INFINITY, v)),
    ("choose", Filled, |x, v| yes(x).choose(x, v)),
    ("choose", Filled, |x, v| yes(x).choose(v, x)),
    ("atan2", Arithmetic, |x, v| x.atan2(v)),
    ("copysign", Arithmetic, |x, v| x.copysign(v)),
    ("lerp", Arithmetic, |x, v| x.lerp(x, v)),
    ("logaddexp", Arithmetic, |x, v| x.logaddexp(v)),
    ("remainder", Arithmetic, |x, v| if v.to_f64() == 0.0 { x.clone() } else { x.remainder(v) }),
    ("fmax", Arithmetic, |x, v| x.fmax(v)),
    ("gammainc", Arithmetic, |x, v| x.gammainc(v)),
    ("nextafter", Arithmetic, |x, v| x.nextafter(v)),
    ("xlog1py", Arithmetic, |x, v| x.xlog1py(v)),
    ("zeta", Arithmetic, |x, v| x.zeta(v)),
    ("index_fill", Filled, |x, v| x.index_fill(0, &tensor![0], v)),
    ("masked_fill", Filled, |x, v| x.masked_fill(&yes(x), v)),
    ("pad", Filled, |x, v| x.pad(&[(1, 0)], v)),
    ("create", Filled, |x, v| Tensor::full_of(x.shape(), v, x.dtype())),
    ("create", Filled, |x, v| Tensor::full_like(x, v)),
];

fn with(v: Scalar, int: impl Fn(i64) -> Tensor, float: impl Fn(f64) -> Tensor) -> Tensor {
    match v {
        Scalar::Int(v) => int(v),
        Scalar::Float(v) => float(v),
    }
}

fn yes(x: &Tensor) -> Tensor {
    Tensor::full_of(x.shape(), 1, DType::Bool)
}

const INTS: [(DType, i64, i64); 4] = [
    (DType::I64, i64::MIN, i64::MAX),
    (DType::I32, i32::MIN as i64, i32::MAX as i64),
    (DType::I8, -128, 127),
    (DType::U8, 0, 255),
];

/// Integers at the ends of every dtype, and around 2⁵³, where f64 begins to skip some.
fn integers() -> Vec<i64> {
    let ends = [0, 7, 127, 128, 255, 256, 300, 1 << 24, 1 << 31, 1 << 32, 3_000_000_000, 1 << 53, i64::MAX];
    let mut all: Vec<i64> = ends.iter().flat_map(|&v| [v - 1, v, v.saturating_add(1)]).collect();
    all.extend(all.clone().iter().map(|v| -v));
    all.extend([i64::MIN, i64::MIN + 1]);
    all
}

fn floats() -> Vec<f64> {
    let whole = [0.0, 1.0, 127.0, 300.0, 9_223_372_036_854_775_808.0, 1e19, 1e30, 1e300, f64::INFINITY];
    let mut all: Vec<f64> = whole.iter().flat_map(|&v| [v, -v, v + 0.5, -v - 0.5]).collect();
    all.push(f64::NAN);
    all
}

/// The reference, by comparing twice the numbers as i128.
fn holds(relation: fn(i128, i128) -> bool, x: i64, v: Scalar) -> bool {
    match v {
        Scalar::Int(v) => relation(x as i128, v as i128),
        Scalar::Float(v) if v.is_nan() => relation(0, 1) && relation(1, 0),
        Scalar::Float(v) if v.abs() >= 1e20 => relation(0, v.signum() as i128),
        Scalar::Float(v) => relation(2 * x as i128, 2 * v.trunc() as i128 + (2.0 * v.fract()) as i128),
    }
}

#[test]
fn integers_are_exact_or_refused() {
    let numbers: Vec<Scalar> =
        integers().into_iter().map(Scalar::Int).chain(floats().into_iter().map(Scalar::Float)).collect();
    let (mut compared, mut held, mut refused) = (0, 0, 0);
    for (dtype, lo, hi) in INTS {
        let values: Vec<i64> = integers().into_iter().filter(|v| (lo..=hi).contains(v)).collect();
        let x = Tensor::from_slice(&values, values.len()).to(dtype);
        for &(name, role, call) in CALLS {
            for &v in &numbers {
                let whole = match v {
                    Scalar::Int(v) => Some(v as i128),
                    Scalar::Float(v) => (v.fract() == 0.0 && v.abs() < 1e20).then_some(v as i128),
                };
                let fits = whole.is_some_and(|v| (lo as i128..=hi as i128).contains(&v));
                let result = catch(|| call(&x, v));
                match role {
                    Compared(relation) => {
                        let want: Vec<bool> = values.iter().map(|&x| holds(relation, x, v)).collect();
                        assert_eq!(result.unwrap().to_vec::<bool>(), want, "{name} of {dtype} and {v:?}");
                        compared += values.len();
                    }
                    // Division needs floats, an infinite limit of `clamp` is none.
                    _ if name == "div"
                        || result.as_ref().is_err_and(|e| e.message().contains("floats are needed")) =>
                    {
                        assert!(result.is_err());
                        refused += 1;
                    }
                    _ if name == "clamp" && !v.to_f64().is_finite() => {
                        // An infinite limit on its own side is none; any other is refused.
                        let none = result.is_ok_and(|y| y.to_vec::<i64>() == values);
                        assert!(!none || v.to_f64().is_infinite(), "{v:?}");
                        held += 1;
                    }
                    _ if fits => {
                        let y = result.unwrap_or_else(|e| panic!("{name} of {dtype} and {v:?}: {e}"));
                        if matches!(role, Filled) {
                            let all = y.to_vec::<i64>();
                            assert!(
                                all.contains(&(whole.unwrap() as i64)) || name == "choose",
                                "{name} of {dtype} and {v:?}: {all:?}"
                            );
                        }
                        held += 1;
                    }
                    _ => {
                        let e = result.err().unwrap_or_else(|| panic!("{name} of {dtype} took {v:?}"));
                        let named = name == "operators" || name == "create" || e.message().starts_with(name);
                        assert!(
                            named && e.help_text().is_some() && e.message().contains(&dtype.to_string()),
                            "{name}: {e}"
                        );
                        refused += 1;
                    }
                }
            }
        }
    }
    println!(
        "{} calls, {} numbers: {compared} comparisons, {held} held, {refused} refused",
        CALLS.len(),
        numbers.len()
    );
    assert!(compared > 10_000 && held > 1000 && refused > 1000);
}

#[test]
fn arithmetic_of_i64_is_exact() {
    let big = (1i64 << 53) + 1;
    for v in [big, -big, i64::MAX - 7, i64::MIN + 7] {
        let x = Tensor::from_slice(&[v], 1);
        assert_eq!((&x + 1).item_i64(), v + 1);
        assert_eq!((&x - 1).item_i64(), v - 1);
        assert_eq!((1 - &x).item_i64(), 1i64.wrapping_sub(v));
        assert_eq!((tensor![1] * v).item_i64(), v);
        assert_eq!((tensor![0] + v).item_i64(), v);
        assert_eq!(x.maximum(v.saturating_add(1)).item_i64(), v.max(v + 1));
        assert_eq!(tensor![0].clamp(v, v).item_i64(), v);
        assert_eq!(tensor![true].choose(v, 0).item_i64(), v);
        assert_eq!(tensor![0].masked_fill(&tensor![true], v).item_i64(), v);
        assert_eq!(tensor![0].pad(&[(0, 1)], v).to_vec::<i64>(), [0, v]);
        assert_eq!(Tensor::full_of((), v, DType::I64).item_i64(), v);
        assert_eq!(Tensor::arange(v..v + 2).to_vec::<i64>(), [v, v + 1]);
        assert_eq!(
            Tensor::zeros([1, 1]).to(DType::I64).scatter_add(1, &tensor![[0]], &x.reshape([1, 1])).item_i64(),
            v
        );
        for y in [
            x.max(..),
            x.min(..),
            x.sum(..),
            x.prod(..),
            x.cumsum(0),
            x.sort(0).0,
            x.index_select(0, &tensor![0]),
        ] {
            assert_eq!(y.item_i64(), v);
        }
        assert!(x.eq(v).to_vec::<bool>()[0] && !x.eq(v + 1).to_vec::<bool>()[0]);
    }
    let e = catch(|| tensor![big].item()).unwrap_err();
    assert_eq!(e.message(), "item: f64 cannot hold 9007199254740993");
    assert_eq!(tensor![1i64 << 60].item(), (1i64 << 60) as f64);
    assert!(catch(|| tensor![1.5].item_i64()).unwrap_err().message().contains("integers are needed"));
}

#[test]
fn a_finite_number_never_becomes_infinite() {
    let (mut held, mut refused) = (0, 0);
    for (dtype, top) in
        [(DType::F16, 65504.0), (DType::BF16, 3.38e38), (DType::F32, 3.4e38), (DType::F64, f64::MAX)]
    {
        let x = Tensor::from_slice(&[1.0, f64::INFINITY, -f64::INFINITY, f64::NAN, top], 5).to(dtype);
        for &(name, role, call) in CALLS {
            for v in [top, -top, f64::INFINITY, f64::NEG_INFINITY, 1e-300, 7.0] {
                assert_eq!(call(&x, v.into()).dtype() == DType::Bool, matches!(role, Compared(_)));
                held += 1;
            }
            for v in [top * 1.1, -top * 1.1, 1e300] {
                let v = if dtype == DType::F64 { continue } else { v };
                let result = catch(|| call(&x, v.into()));
                if let Compared(relation) = role {
                    let order = |x: f64| if x < v { -1 } else { (x > v) as i128 };
                    let want: Vec<bool> = x
                        .to(DType::F64)
                        .to_vec::<f64>()
                        .into_iter()
                        .map(|x| {
                            if x.is_nan() { relation(0, 1) && relation(1, 0) } else { relation(order(x), 0) }
                        })
                        .collect();
                    assert_eq!(result.unwrap().to_vec::<bool>(), want, "{name} of {dtype} and {v}");
                    held += 1;
                } else {
                    let e = result.err().unwrap_or_else(|| panic!("{name} of {dtype} took {v}"));
                    assert!(e.message().contains("is infinite in") && e.help_text().is_some(), "{e}");
                    refused += 1;
                }
            }
        }
    }
    println!("{held} held or compared, {refused} refused");
    for call in [
        || tensor![1e39],
        || Tensor::full([1], 1e39),
        || Tensor::linspace(0.0, -1e39, 3),
        || Tensor::scalar(1e39),
    ] {
        assert!(catch(call).unwrap_err().message().contains("is infinite in f32"));
    }
}

#[test]
fn bool_has_logic_and_comparisons_but_no_arithmetic_with_numbers() {
    let x = tensor![true, false];
    type Call = (&'static str, fn(&Tensor) -> Tensor);
    let calls: &[Call] = &[
        ("neg", |x| x.neg()),
        ("abs", |x| x.abs()),
        ("sign", |x| x.sign()),
        ("square", |x| x.square()),
        ("relu", |x| x.relu()),
        ("floor", |x| x.floor()),
        ("sub", |x| x - x),
        ("add", |x| x + 1),
        ("sub", |x| 1 - x),
        ("mul", |x| x * 2),
        ("div", |x| x / x),
        ("maximum", |x| x.maximum(1)),
        ("minimum", |x| x.minimum(0)),
        ("clamp", |x| x.clamp(0, 1)),
    ];
    for (name, call) in calls {
        let e = catch(|| call(&x)).err().unwrap_or_else(|| panic!("{name} of bool is silent"));
        assert!(
            e.message().starts_with(name) && e.message().contains("bool") && e.help_text().is_some(),
            "{e}"
        );
    }
    // As in PyTorch: a sum is `or`, a product is `and`.
    assert_eq!((&x + &x.not()).to_vec::<bool>(), [true, true]);
    assert_eq!((&x * &x.not()).to_vec::<bool>(), [false, false]);
    assert_eq!(x.maximum(x.not()).to_vec::<bool>(), [true, true]);
    assert_eq!((x.eq(1).to_vec::<bool>(), x.lt(300).to_vec::<bool>()), (vec![true, false], vec![true, true]));
}

/// Every method of a tensor that takes a number is in the table above, or has its place here for a reason.
#[test]
fn the_table_names_every_operation_that_takes_a_number() {
    // Attributes in the type that is computed in, not numbers that adopt a dtype.
    let attributes = [
        "attention",
        "batch_norm",
        "bincount",
        "cosine_similarity",
        "cross_entropy",
        "dropout",
        "elu",
        "hardtanh",
        "layer_norm",
        "leaky_relu",
        "lp_pool",
        "nan_to_num",
        "nanquantile",
        "norm",
        "pow",
        "quantile",
        "roi_align",
        "selu",
        "shrink",
        "trapezoid",
    ];
    // Of integers alone, a comparison that is not exact, exponents in a dtype of their own, and a share: their own tests try numbers.
    let others = ["bitwise", "frexp", "gcd", "isclose", "nms", "powt"];
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ops");
    let mut found = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let takes = text.lines().any(|line| {
            line.trim_start().starts_with("pub fn")
                && [": f64", "Into<Scalar>", "Into<Operand>"].iter().any(|t| line.contains(t))
        });
        if takes {
            found += 1;
            let named = CALLS.iter().any(|call| call.0 == name)
                || attributes.contains(&name)
                || others.contains(&name);
            assert!(named, "{name} takes a number and is not in the table");
        }
    }
    assert!(found >= 15, "{found}");
}
