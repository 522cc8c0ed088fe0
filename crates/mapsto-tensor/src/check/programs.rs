//! Every elementwise operation as a program: its bits are those of the function it was written from, in Rust and in C,
//! and its symbolic derivatives are those written by hand and those of differences.
//!
//! The operations are not listed here: all samples of all kinds run, with both orders of derivatives, and each elementwise
//! operation that the CPU is asked for on the way is looked at.

#![cfg(test)]

use crate::backend::{MapOp, proof};
use crate::prelude::*;
use crate::random::Keyed;
use crate::{ops, record};
use mapsto_kernels::program::{C_PRELUDE, Lane, Params, Program};
use mapsto_kernels::simd::{Isa, with_isa};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

/// An operation that was seen: how its program looks in C, and the numbers that it must give.
#[derive(Clone)]
struct Seen {
    c: [String; 2],
    ints: Option<String>,
    inputs: usize,
    params: Vec<f64>,
    singles: Vec<(Vec<f32>, f32)>,
    doubles: Vec<(Vec<f64>, f64)>,
    bytes: Vec<(Vec<i8>, i8)>,
}

thread_local! {
    static SEEN: RefCell<BTreeMap<String, Seen>> = const { RefCell::new(BTreeMap::new()) };
}

/// A name for an operation with its parameters and dtype class.
fn key(op: &dyn MapOp, program: &Program) -> String {
    format!("{} {:?} {program}", op.name(), op.params().values())
}

/// Floats of all kinds by their bits: every magnitude, subnormals, infinities, NaN, both zeros, and common numbers.
fn floats(n: usize, seed: u64) -> (Vec<f32>, Vec<f64>) {
    let mut random = Keyed::new(&[0x70726f6f66, seed]);
    let mut whole = |bits: u32| (random.uniform(0.0, 2f64.powi(bits as i32)).floor()) as u64;
    let special =
        [0.0, -0.0, 1.0, -1.0, 0.5, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e-40, -1e-42, 5e-324];
    let mut singles: Vec<f32> = Vec::new();
    let mut doubles: Vec<f64> = Vec::new();
    for i in 0..n {
        match whole(3) {
            0 => {
                let v = special[whole(16) as usize % special.len()];
                singles.push(v as f32);
                doubles.push(v);
            }
            1..4 => {
                let bits = whole(32);
                singles.push(f32::from_bits(bits as u32));
                doubles.push(f64::from_bits(bits << 32 | whole(32)));
            }
            _ => {
                let v = (whole(20) as f64 - 524_288.0) / 65_536.0 + i as f64 * 1e-9;
                singles.push(v as f32);
                doubles.push(v);
            }
        }
    }
    (singles, doubles)
}

fn same(a: f64, b: f64) -> bool {
    (a.is_nan() && b.is_nan()) || a.to_bits() == b.to_bits()
}

/// As many numbers as leave a rest behind whole tiles.
const COUNT: usize = 1100;

/// Runs a program in every family of instructions and compares each element.
fn agrees<T: Lane + std::fmt::Debug>(
    name: &str,
    program: &Program,
    params: &Params,
    xs: &[Vec<T>],
    f: impl Fn(&[T]) -> T,
    same: impl Fn(T, T) -> bool,
) -> Vec<(Vec<T>, T)> {
    let at = |i: usize| xs.iter().map(|x| x[i]).collect::<Vec<T>>();
    let want: Vec<T> = (0..COUNT).map(|i| f(&at(i))).collect();
    let slices: Vec<&[T]> = xs.iter().map(|x| &x[..]).collect();
    for &isa in Isa::available() {
        let mut y = vec![T::default(); COUNT];
        with_isa(isa, || program.run(params, &slices, &mut y));
        for i in 0..COUNT {
            assert!(
                same(y[i], want[i]),
                "{name} of {:?}: {:?} as a program in {isa:?}, {:?} by itself",
                at(i),
                y[i],
                want[i]
            );
        }
    }
    (0..COUNT).map(|i| (at(i), want[i])).collect()
}

fn prove(op: &dyn MapOp, dtype: DType) {
    let (params, integers) = (op.params(), !dtype.is_float());
    let program = if integers { op.int_program().expect("it has one") } else { op.program() };
    let single = op.single_program();
    let single: &Program = single.as_deref().unwrap_or(&program);
    let name = key(op, &program) + if integers { " int" } else { "" };
    if SEEN.with_borrow(|seen| seen.contains_key(&name)) {
        return;
    }
    let inputs = program.inputs();
    let mut seen = Seen {
        c: [single.c::<f32>("f"), program.c::<f64>("f")],
        ints: integers.then(|| program.c::<i8>("f")),
        inputs,
        params: params.values().to_vec(),
        singles: vec![],
        doubles: vec![],
        bytes: vec![],
    };
    if integers {
        integer(op, &program, &name, &mut seen);
    } else {
        let (singles, doubles): (Vec<Vec<f32>>, Vec<Vec<f64>>) =
            (0..inputs as u64).map(|i| floats(COUNT, i)).unzip();
        let same32 = |a: f32, b: f32| same(a as f64, b as f64);
        seen.singles = agrees(&name, single, &params, &singles, |x| op.f32(x), same32);
        if op.in_double() {
            agrees(&name, single, &params, &doubles, |x| op.single_in_double(x), same);
        }
        seen.doubles = agrees(&name, &program, &params, &doubles, |x| op.f64(x), same);
        for (x, y) in &seen.doubles {
            assert!(same(program.eval(&params, x), *y), "{name} of {x:?}: a step at a time it is not {y}");
        }
        // The loop of its own, if there is one.
        let slices: Vec<&[f32]> = singles.iter().map(|x| &x[..]).collect();
        for &isa in Isa::available() {
            let mut y = vec![0f32; COUNT];
            if with_isa(isa, || op.own(&slices, &mut y)) {
                for (y, (x, want)) in y.iter().zip(&seen.singles) {
                    assert!(same32(*y, *want), "{name} of {x:?}: {y} by its own loop in {isa:?}, not {want}");
                }
            }
        }
    }
    SEEN.with_borrow_mut(|all| all.insert(name, seen));
}

/// Integers in each type: what the wide function gives, wrapped.
fn integer(op: &dyn MapOp, program: &Program, name: &str, seen: &mut Seen) {
    let mut random = Keyed::new(&[0x696e74]);
    let mut draw =
        || random.uniform(-(2f64.powi(62)), 2f64.powi(62)) as i64 >> (random.uniform(0.0, 62.0) as u32);
    let wide: Vec<Vec<i64>> = (0..program.inputs()).map(|_| (0..COUNT).map(|_| draw()).collect()).collect();
    let params = op.params();
    agrees(name, program, &params, &wide, |x| op.i64(x), |a, b| a == b);
    macro_rules! narrow {
        ($($t:ident)*) => {$({
            let xs: Vec<Vec<$t>> = wide.iter().map(|x| x.iter().map(|v| *v as $t).collect()).collect();
            // In this type and wrapped from the widest: the same.
            let f = |x: &[$t]| op.i64(&x.iter().map(|v| *v as i64).collect::<Vec<_>>()) as $t;
            let _points = agrees(name, program, &params, &xs, f, |a, b| a == b);
            narrow!(@keep $t _points);
        })*};
        (@keep i8 $points:ident) => { seen.bytes = $points };
        (@keep $t:ident $points:ident) => {};
    }
    if ["and", "or", "xor", "not"].contains(&op.name()) {
        return; // masks alone: their own test is the truth table of `ops/logical.rs`
    }
    narrow!(i32 u8 i8);
}

/// Runs all samples of all kinds in these dtypes with derivatives of both orders, and gives all operations seen.
fn all_seen(dtypes: &[DType]) -> BTreeMap<String, Seen> {
    SEEN.with_borrow_mut(|seen| seen.clear());
    proof::watched(prove, || {
        for kind in ops::OPS {
            for sample in dtypes.iter().flat_map(|d| kind.samples(*d, 1)) {
                let leaves: Vec<Tensor> = sample.inputs.iter().map(leaf_if_float).collect();
                let y = record(|| (sample.call)(&leaves));
                let floats: Vec<&Tensor> = leaves.iter().filter(|x| x.dtype().is_float()).collect();
                if !y.dtype().is_float() || floats.is_empty() || y.is_empty() {
                    continue;
                }
                let derived = catch(|| {
                    let first = record(|| crate::graph::grads_or_zeros(&y, &floats));
                    for g in &first {
                        let _ = crate::graph::grads_or_zeros(g, &floats);
                    }
                });
                // Some have no second derivative; that of a proof is another error.
                if let Err(error) = derived {
                    assert!(proof::is_watched(), "{error}");
                }
            }
        }
    });
    SEEN.take()
}

fn leaf_if_float(x: &Tensor) -> Tensor {
    if x.dtype().is_float() { x.detach().leaf() } else { x.clone() }
}

#[test]
fn every_elementwise_operation_is_its_program_bit_for_bit() {
    let seen = all_seen(&[DType::F64, DType::F32, DType::I64, DType::Bool]);
    // Each name of an elementwise operation in a file of `ops/` must have passed by.
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/ops");
    let mut missing = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for block in [
            "impl Unary for",
            "impl Binary for",
            "impl Slope for",
            "impl Compare for",
            "impl MapOp for",
            "impl PairLoss for",
        ] {
            for part in text.split(block).skip(1) {
                let name = part.split("NAME: &'static str = \"").nth(1).and_then(|s| s.split('"').next());
                let name = name
                    .map(str::to_string)
                    .or_else(|| part.split("        \"").nth(1)?.split('"').next().map(str::to_string));
                if let Some(name) = name
                    && !seen.keys().any(|k| k.starts_with(&format!("{name} ")))
                {
                    missing.push(name);
                }
            }
        }
    }
    assert!(missing.is_empty(), "never ran: {missing:?}");
    let names: std::collections::BTreeSet<&str> = seen.keys().map(|k| k.split(' ').next().unwrap()).collect();
    println!("{} programs of {} elementwise operations", seen.len(), names.len());
    compiled_c_agrees(&seen);
}

/// Prints all programs into one file of C, compiles it, and compares what it computes.
fn compiled_c_agrees(seen: &BTreeMap<String, Seen>) {
    if Command::new("cc").arg("--version").output().is_err() {
        println!("skipped: there is no `cc` to compile the programs with");
        return;
    }
    // Reads numbers of doubles, which hold every float and i8 exactly, and writes results likewise.
    let mut c = String::from(C_PRELUDE) + "#include <stdio.h>\n";
    let mut calls = String::new();
    let mut input: Vec<u8> = Vec::new();
    let mut want: Vec<(String, f64)> = Vec::new();
    let mut function = 0;
    for (name, s) in seen {
        let mut emit = |text: &str, t: &str, points: Vec<(Vec<f64>, f64)>| {
            if points.is_empty() {
                return;
            }
            c += &text.replacen(" f(", &format!(" f{function}("), 1);
            let args: String = (0..s.inputs).map(|i| format!("({t})x[{i}], ")).collect();
            let params: Vec<String> = s.params.iter().map(|p| format!("({t}){p:e}")).collect();
            let params = if params.is_empty() {
                "0".to_string()
            } else {
                params.join(", ").replace("inf", "INFINITY")
            };
            calls += &format!(
                "    {{ const {t} p[] = {{{params}}}; for (int i = 0; i < {}; i++) {{ double x[4]; \
                 if (fread(x, 8, {}, stdin) != {}) return 1; double y = (double)f{function}({args}p); fwrite(&y, 8, 1, stdout); }} }}\n",
                points.len(),
                s.inputs,
                s.inputs
            );
            for (x, y) in points {
                x.iter().for_each(|v| input.extend(v.to_ne_bytes()));
                want.push((format!("{name} ({t}) of {x:?}"), y));
            }
            function += 1;
        };
        emit(
            &s.c[0],
            "float",
            s.singles.iter().map(|(x, y)| (x.iter().map(|v| *v as f64).collect(), *y as f64)).collect(),
        );
        emit(&s.c[1], "double", s.doubles.clone());
        if let Some(text) = &s.ints {
            emit(
                text,
                "int8_t",
                s.bytes.iter().map(|(x, y)| (x.iter().map(|v| *v as f64).collect(), *y as f64)).collect(),
            );
        }
    }
    c += &format!("int main(void) {{\n{calls}    return 0;\n}}\n");
    let folder = std::env::temp_dir().join(format!("mapsto-programs-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (source, program) = (folder.join("programs.c"), folder.join("programs"));
    std::fs::write(&source, c).unwrap();
    let built = Command::new("cc")
        .args(["-std=c11", "-O1", "-ffp-contract=off", "-Wno-unknown-pragmas", "-o"])
        .args([&program, &source])
        .arg("-lm")
        .output()
        .unwrap();
    assert!(built.status.success(), "cc: {}", String::from_utf8_lossy(&built.stderr));
    let mut child = Command::new(&program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let got: Vec<f64> =
        output.stdout.chunks_exact(8).map(|b| f64::from_ne_bytes(b.try_into().unwrap())).collect();
    assert_eq!(got.len(), want.len());
    for (got, (what, want)) in got.iter().zip(&want) {
        assert!(same(*got, *want), "{what}: C gives {got}, Rust {want}");
    }
    println!("{function} functions of C agree bit for bit at {} points", want.len());
}

thread_local! {
    static FIRST: RefCell<Vec<(String, usize, Params, Program)>> = const { RefCell::new(Vec::new()) };
}

#[test]
fn symbolic_derivatives_are_those_written_by_hand_and_those_of_differences() {
    fn note(op: &dyn MapOp, dtype: DType) {
        if dtype == DType::F64 {
            let p = op.program();
            FIRST
                .with_borrow_mut(|all| all.push((op.name().to_string(), p.inputs(), op.params(), p.clone())));
        }
    }
    let (mut operations, mut points) = (0, 0);
    for kind in ops::OPS {
        for sample in kind.samples(DType::F64, 1) {
            if sample.inputs.iter().any(|x| x.dtype() != DType::F64 || x.is_empty()) {
                continue;
            }
            FIRST.with_borrow_mut(|all| all.clear());
            let leaves: Vec<Tensor> = sample.inputs.iter().map(|x| x.detach().leaf()).collect();
            let y = proof::watched(note, || record(|| (sample.call)(&leaves)));
            let first = FIRST.take();
            // Of the public calls those count that are one elementwise operation on their inputs in order.
            let [(name, inputs, params, program)] = &first[..] else { continue };
            let shapes_agree = leaves.iter().all(|x| x.shape() == y.shape());
            if *name != kind.name || *inputs != leaves.len() || !shapes_agree || !y.dtype().is_float() {
                continue;
            }
            operations += 1;
            let wrt: Vec<&Tensor> = leaves.iter().collect();
            let by_hand = record(|| crate::graph::grads_or_zeros(&y, &wrt));
            let numbers: Vec<Vec<f64>> = leaves.iter().map(|x| x.to_vec::<f64>()).collect();
            for (i, dx) in by_hand.iter().enumerate() {
                let slope = program.derivative(i);
                let second = crate::graph::grads_or_zeros(dx, &wrt);
                let bends: Vec<Program> = (0..*inputs).map(|j| slope.derivative(j)).collect();
                let dx = dx.to_vec::<f64>();
                for k in 0..dx.len() {
                    let x: Vec<f64> = numbers.iter().map(|n| n[k]).collect();
                    let near = |got: f64, want: f64, tolerance: f64, what: &str| {
                        let fine = (got - want).abs() <= tolerance * (1.0 + want.abs())
                            || (got.is_nan() && want.is_nan());
                        assert!(fine, "{name} by {i} at {x:?}: symbolic {got}, {what} {want}; {slope}");
                    };
                    let got = slope.eval(params, &x);
                    near(got, dx[k], 1e-12, "by hand");
                    let moved = |p: &Program, j: usize| {
                        let at = |d: f64| {
                            let mut x = x.clone();
                            x[j] += d;
                            p.eval(params, &x)
                        };
                        (at(1e-6) - at(-1e-6)) / 2e-6
                    };
                    near(got, moved(program, i), 1e-5, "by differences");
                    for (j, bend) in bends.iter().enumerate() {
                        let got = bend.eval(params, &x);
                        near(got, second[j].to_vec::<f64>()[k], 1e-11, "second order, by hand");
                        near(got, moved(&slope, j), 1e-5, "second order, by differences");
                    }
                    points += 1;
                }
            }
        }
    }
    println!("{operations} samples of elementwise operations, {points} points");
    assert!(operations > 60, "{operations}");
}

#[test]
fn slopes_of_losses_are_the_derivatives_of_their_values() {
    fn note(op: &dyn MapOp, dtype: DType) {
        if dtype == DType::F64 {
            FIRST.with_borrow_mut(|all| {
                all.push((op.name().to_string(), 2, op.params(), op.program().clone()))
            });
        }
    }
    let mut losses = 0;
    for name in ["mse", "bce", "bce_with_logits"] {
        let (x, t) = (Tensor::full([4], 0.3).to(DType::F64).leaf(), Tensor::full([4], 0.75).to(DType::F64));
        FIRST.with_borrow_mut(|all| all.clear());
        let _ = proof::watched(note, || match name {
            "mse" => x.mse(&t).backward(),
            "bce" => x.bce(&t).backward(),
            _ => x.bce_with_logits(&t).backward(),
        });
        let seen = FIRST.take();
        let find = |params: usize| {
            seen.iter()
                .find(|s| s.0 == name && s.2.values().len() == params)
                .expect("the loss ran as a program")
        };
        let (value, slope) = (find(0).3.derivative(0), find(1));
        for (x, t) in [(0.1, 0.9), (0.5, 0.5), (0.8, 0.0), (0.95, 1.0)] {
            let (got, want) = (value.eval(&Params::NONE, &[x, t]), slope.3.eval(&[1.0].into(), &[x, t]));
            assert!(
                (got - want).abs() < 1e-12 * (1.0 + want.abs()),
                "{name} at {x}, {t}: {got}, by hand {want}"
            );
        }
        losses += 1;
    }
    assert_eq!(losses, 3);
}

#[test]
fn small_integers_are_wide_ones_that_wrap() {
    let mut compared = 0;
    for kind in ops::OPS {
        for dtype in [DType::I32, DType::U8, DType::I8, DType::Bool] {
            for sample in kind.samples(dtype, 3) {
                let wide: Vec<Tensor> = sample.inputs.iter().map(|x| x.to(DType::I64)).collect();
                // What takes masks or refuses wide numbers has nothing to be compared with.
                let (Ok(y), Ok(want)) = (catch(|| sample.run()), catch(|| (sample.call)(&wide))) else {
                    continue;
                };
                let want = want.to(y.dtype());
                assert_eq!(
                    y.to(DType::F64).to_vec::<f64>(),
                    want.to(DType::F64).to_vec::<f64>(),
                    "{} of {dtype}",
                    kind.name
                );
                compared += 1;
            }
        }
    }
    println!("{compared} calls on small integers");
    assert!(compared > 300, "{compared}");
}
