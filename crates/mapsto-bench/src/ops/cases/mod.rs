//! The operations that are measured: one line each, with the same work in PyTorch's words (`a`, `b`, `c` are the operands).

mod axes;
#[cfg(test)]
mod excused;
mod functions;
mod inputs;
mod losses;
mod moves;
mod places;
mod products;

use super::cell::{Input, Layout};
use mapsto::kind::OpKind;
use mapsto::prelude::*;

/// One operation of the registry, or one way to use it.
pub struct Case {
    /// The kind in the registry, and after a `/` which way to use it.
    pub name: &'static str,
    /// The operands at a size, of a rank that the layout suits.
    pub inputs: fn(usize, Layout) -> Vec<Input>,
    pub run: fn(&[Tensor]) -> Tensor,
    pub torch: &'static str,
    /// Whether it has a gradient.
    pub smooth: bool,
}

impl Case {
    /// The kind in the registry.
    pub fn kind(&self) -> &'static OpKind {
        let name = self.name.split('/').next().unwrap_or(self.name);
        mapsto::ops::kind(name).unwrap_or_else(|| panic!("no operation is called {name}"))
    }
}

const fn smooth(
    name: &'static str,
    inputs: fn(usize, Layout) -> Vec<Input>,
    run: fn(&[Tensor]) -> Tensor,
    torch: &'static str,
) -> Case {
    Case { name, inputs, run, torch, smooth: true }
}

const fn flat(
    name: &'static str,
    inputs: fn(usize, Layout) -> Vec<Input>,
    run: fn(&[Tensor]) -> Tensor,
    torch: &'static str,
) -> Case {
    Case { smooth: false, ..smooth(name, inputs, run, torch) }
}

/// All cases, family by family.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    let families =
        [functions::CASES, axes::CASES, moves::CASES, products::CASES, places::CASES, losses::CASES];
    families.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::cell::{Cell, DTYPES, Pass};
    use excused::NOT_MEASURED;

    #[test]
    fn every_kind_of_the_registry_is_measured_or_says_why_not() {
        let measured = |name: &str| cases().any(|case| case.kind().name == name);
        let excused = |name: &str| NOT_MEASURED.iter().any(|(n, _)| *n == name) || name.contains("_grad");
        let wrong: Vec<&str> = mapsto::ops::OPS
            .iter()
            .map(|kind| kind.name)
            .filter(|name| measured(name) == excused(name))
            .collect();
        assert!(wrong.is_empty(), "{} kinds in both lists, or in none: {}", wrong.len(), wrong.join(" "));
        for (i, case) in cases().enumerate() {
            assert!(cases().take(i).all(|other| other.name != case.name), "{} stands twice", case.name);
        }
    }

    #[test]
    fn every_case_runs_on_small_operands_of_every_dtype_and_layout() {
        let mut ran = 0;
        for case in cases() {
            for layout in Layout::ALL {
                for (dtype, size) in (0..DTYPES.len()).flat_map(|dtype| [(dtype, 0), (dtype, 1)]) {
                    for pass in [Pass::Forward, Pass::Both] {
                        let cell = Cell { case, dtype, size, layout, pass };
                        if cell.exists() {
                            cell.prepare().call();
                            ran += 1;
                        }
                    }
                }
            }
        }
        println!("{ran} cells ran");
    }
}
