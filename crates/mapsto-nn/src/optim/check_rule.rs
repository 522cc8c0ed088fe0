//! The one harness for optimizers: five steps against the published formula in f64.

use super::Optimizer;
use crate::{Module, Param};
use mapsto_tensor::check::far;
use mapsto_tensor::{DType, Device, Grads, Tensor};

/// Begins the check of the optimizer that `build` makes; [`follows`](RuleCheck::follows) runs it.
///
/// Use it for optimizers of your own:
/// ```
/// use mapsto_nn::optim::*;
/// check_rule(|| Sgd::new(0.1)).follows(|_, p, g, _| p - 0.1 * g);
/// ```
pub fn check_rule<O: Optimizer>(build: impl Fn() -> O + 'static) -> RuleCheck<O> {
    RuleCheck { build: Box::new(build) }
}

type Formula<'a> = dyn Fn(i32, f64, f64, &mut [f64; 2]) -> f64 + 'a;

/// An optimizer to be checked.
#[must_use]
pub struct RuleCheck<O> {
    build: Box<dyn Fn() -> O>,
}

#[derive(Clone, Module)]
#[module(crate = crate)]
struct Point {
    p: Param,
    frozen: Param,
}

impl<O: Optimizer> RuleCheck<O> {
    /// Checks five steps against `formula(t, p, g, memory) → p`, where t counts from 1 and memory holds two numbers, zero
    /// at first, for each element:
    ///
    /// * parameters in f64 follow it to 10⁻¹², in f32 to 10⁻⁵, and in f64 on a device that the CPU does not reach to 10⁻¹²;
    /// * frozen parameters stay, and every identity does;
    /// * saved after two steps and loaded into another optimizer, the rest gives the same bits.
    ///
    /// # Panics
    /// When one of these does not hold.
    #[track_caller]
    pub fn follows(self, formula: impl Fn(i32, f64, f64, &mut [f64; 2]) -> f64) {
        self.run(Device::cpu(), DType::F64, 1e-12, &formula);
        self.run(Device::cpu(), DType::F32, 1e-5, &formula);
        self.run(far::device(), DType::F64, 1e-12, &formula);
    }

    #[track_caller]
    fn run(&self, device: Device, dtype: DType, tolerance: f64, formula: &Formula<'_>) {
        // Longer than a block of any kernel, and no multiple of a vector's length; far away there are no blocks.
        let n = if device == Device::cpu() { 70_001 } else { 101 };
        let start: Vec<f64> = (0..n).map(|i| ((i * 37 % 101) as f64 - 50.0) / 40.0).collect();
        let gradient = |t: i32| -> Vec<f64> {
            (0..n).map(|i| ((i * 53 + 17 * t as usize) % 97) as f64 / 20.0 - 2.4).collect()
        };
        let tensor = |v: &[f64]| Tensor::from_slice(v, v.len()).to_device(device).to(dtype);
        let mut point = Point { p: Param::new(tensor(&start)), frozen: Param::new(tensor(&start)) };
        point.frozen.freeze();
        let ids = (point.p.id(), point.frozen.id());
        let (mut optimizer, mut other) = ((self.build)(), (self.build)());
        let mut twin: Option<Point> = None;
        let mut expected = start.clone();
        let mut memory = vec![[0.0; 2]; n];

        for t in 1..=5 {
            let g = tensor(&gradient(t));
            let mut grads = Grads::new();
            [ids.0, ids.1].into_iter().for_each(|id| grads.insert(id, g.clone()));
            optimizer.step(&mut point, grads);
            let g = g.to(DType::F64).to_vec::<f64>();
            for (i, p) in expected.iter_mut().enumerate() {
                *p = formula(t, *p, g[i], &mut memory[i]);
            }
            let found = point.p.to(DType::F64).to_vec::<f64>();
            for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let error = (found - expected).abs() / expected.abs().max(1.0);
                assert!(
                    error <= tolerance,
                    "{} {dtype} on {device:?}: step {t}, element {i} is {found}, not {expected}",
                    optimizer.name()
                );
            }
            if let Some(twin) = &mut twin {
                let mut grads = Grads::new();
                grads.insert(twin.p.id(), tensor(&gradient(t)));
                other.step(twin, grads);
            }
            if t == 2 {
                let copy = point.clone();
                other.load_state(&copy, &optimizer.state()).expect("the state of the same optimizer");
                twin = Some(copy);
            }
        }
        let bits =
            |p: &Param| p.to(DType::F64).to_vec::<f64>().into_iter().map(f64::to_bits).collect::<Vec<_>>();
        let twin = twin.expect("made in step 2");
        assert_eq!(bits(&point.p), bits(&twin.p), "{}: a saved state continues otherwise", optimizer.name());
        assert_eq!(
            bits(&point.frozen),
            bits(&Param::new(tensor(&start))),
            "{}: a frozen parameter moved",
            optimizer.name()
        );
        assert_eq!((point.p.id(), point.frozen.id()), ids, "{}: an identity changed", optimizer.name());
    }
}

#[test]
fn the_harness_finds_a_wrong_formula() {
    let wrong = || check_rule(|| super::Sgd::new(0.1)).follows(|_, p, g, _| p + 0.1 * g);
    let error = mapsto_tensor::catch(wrong).unwrap_err();
    assert!(error.message().starts_with("Sgd f64 on cpu: step 1, element 0 is"), "{error}");
}
