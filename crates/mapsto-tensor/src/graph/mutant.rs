//! Operations broken on purpose, one at a time, to see whether their tests notice: `cargo xtask mutants`.
//!
//! It is compiled under `--cfg mutants` alone. One build holds every mutant; the variable `MAPSTO_MUTANT` says which one a
//! process runs, as `NAME:DOOR:FAULT`, and the file that `MAPSTO_MUTANT_REACHED` names comes into being when that mutant
//! has changed a number.

use crate::backend::carry;
use crate::{DType, Device, Tensor, no_grad};
use std::cell::Cell;
use std::sync::OnceLock;

/// The doors at which an operation is broken.
const DOORS: [&str; 6] = ["definition", "kernel", "vjp0", "vjp1", "vjp2", "second"];
/// The faults.
const FAULTS: [&str; 9] =
    ["scaled", "negated", "shifted", "rolled", "last", "blocks", "tiny", "halves", "strided"];

struct Mutant {
    name: String,
    door: String,
    fault: String,
}

thread_local! {
    /// A mutant's own arithmetic is not broken.
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

fn chosen() -> Option<&'static Mutant> {
    static CHOSEN: OnceLock<Option<Mutant>> = OnceLock::new();
    let read = || {
        let text = std::env::var("MAPSTO_MUTANT").ok()?;
        let [name, door, fault] = text.split(':').map(String::from).collect::<Vec<_>>().try_into().ok()?;
        Some(Mutant { name, door, fault })
    };
    CHOSEN.get_or_init(read).as_ref()
}

/// The result of an operation, broken if it is the chosen one: on every device (`definition`), or on the CPU (`kernel`).
pub(super) fn value(name: &str, xs: &[&Tensor], y: Tensor) -> Tensor {
    let Some(mutant) = chosen().filter(|m| m.name == name && !BUSY.get()) else { return y };
    let here = mutant.door == "definition" || (mutant.door == "kernel" && y.device() == Device::cpu());
    let strided = xs.iter().any(|x| !x.layout().is_contiguous());
    if here { broken(&mutant.fault, y, strided) } else { y }
}

/// The gradient of input `i`, broken if it is the chosen one; `again` where it will be differentiated.
pub(super) fn gradient(name: &str, i: usize, again: bool, strided: bool, g: Tensor) -> Tensor {
    let Some(mutant) = chosen().filter(|m| m.name == name && !BUSY.get()) else { return g };
    let here = match mutant.door.strip_prefix("vjp") {
        Some(input) => input == i.to_string(),
        None => mutant.door == "second" && again,
    };
    if here && (!again || mutant.fault == "scaled") {
        // Differentiable again, a fault must leave the graph whole.
        if again {
            reached();
            return g * 1.001;
        }
        return broken(&mutant.fault, g, strided);
    }
    g
}

fn broken(fault: &str, y: Tensor, strided: bool) -> Tensor {
    struct Back;
    impl Drop for Back {
        fn drop(&mut self) {
            BUSY.set(false);
        }
    }
    BUSY.set(true);
    let _back = Back;
    let dtype = y.dtype();
    let mut values = carry::read_f64(&y);
    let before = values.clone();
    alter(fault, dtype, strided, &mut values);
    if before.iter().zip(&values).all(|(a, b)| a.to_bits() == b.to_bits()) {
        return y;
    }
    let shape = *y.shape_of();
    no_grad(|| {
        let altered = carry::write::<f64>(y.device(), &values, shape).to(dtype);
        if carry::read_f64(&altered).iter().zip(&before).any(|(a, b)| a.to_bits() != b.to_bits()) {
            reached();
        }
        altered
    })
}

fn alter(fault: &str, dtype: DType, strided: bool, values: &mut [f64]) {
    let float = dtype.is_float();
    let scaled = |v: &mut f64| *v = if float { *v * 1.003 } else { other(*v, dtype) };
    match fault {
        "scaled" => values.iter_mut().for_each(scaled),
        "negated" if float => values.iter_mut().for_each(|v| *v = -*v),
        "shifted" if float => values.iter_mut().for_each(|v| *v += 1e-3),
        "rolled" if values.len() > 1 => values.rotate_right(1),
        "last" => values.iter_mut().rev().take(1).for_each(|v| *v = other(*v, dtype)),
        "blocks" if values.len() > 10_000 => {
            values.iter_mut().rev().take(1).for_each(|v| *v = other(*v, dtype));
        }
        "tiny" if float => values.iter_mut().filter(|v| v.abs() < 1e-4).for_each(|v| *v *= 1.01),
        "halves" if matches!(dtype, DType::F16 | DType::BF16) => values.iter_mut().for_each(|v| *v *= 1.5),
        "strided" if strided => values.iter_mut().for_each(scaled),
        _ => {}
    }
}

/// A number that is plainly another one.
fn other(v: f64, dtype: DType) -> f64 {
    match dtype {
        DType::Bool => 1.0 - v,
        d if d.is_float() => v * 1.25 + 0.125,
        _ => v + 1.0,
    }
}

fn reached() {
    if let Some(file) = std::env::var_os("MAPSTO_MUTANT_REACHED") {
        let _ = std::fs::write(file, "");
    }
}

/// Prints every mutant beside the file of `ops/` that its operation stands in.
#[test]
fn every_mutant() {
    for (file, kinds) in crate::ops::FILES.iter().zip(crate::ops::kinds_by_file()) {
        for kind in *kinds {
            for door in DOORS {
                for fault in FAULTS {
                    if door != "second" || fault == "scaled" {
                        println!("mutant {file} {}:{door}:{fault}", kind.name);
                    }
                }
            }
        }
    }
}
