//! L-BFGS: steps by an estimate of the curvature from the last changes of the gradient, with a line search.

use super::setting::{Held, LR, Setting, read};
use super::{Looks, Memory, Objective, Optimizer, OptimizerKind, OptimizerState, Trial, lr, strong_wolfe};
use crate::module::{ItemMut, Module, Path};
use mapsto_spec::Bounds;
use mapsto_tensor::{DType, Error, ErrorKind, Grads, Result, Tensor, fail, no_grad};

/// `p ← p + t d` with `d = −H g`, where `H` is made of the last `history_size` pairs of changes of the parameters, `s`, and of the gradient, `y`, by
/// the two loops of the source; `t` is found by [`strong_wolfe`], from the learning rate on.
///
/// A step is up to `max_iter` such iterations, and up to 5/4 as many evaluations of the loss; it ends before, where no element of the gradient is
/// larger than `tolerance_grad`, or nothing changes by more than `tolerance_change`. 20, 100, 10⁻⁷ and 10⁻⁹ are usual, and a learning
/// rate of 1.
///
/// It compares the gradient of one step with that of the next, so both must be of the same samples: the trainer takes it where an
/// epoch is one batch. All parameters are one vector, and there are no groups. In a loop written by hand a step is
/// [`descend`](Optimizer::descend), with a [`Closure`](super::Closure).
///
/// PyTorch: `optim.LBFGS` with `line_search_fn="strong_wolfe"`, and with none, which is the default there, after
/// [`fixed_step`](Lbfgs::fixed_step); Keras has none.
///
/// Source: Liu, Nocedal (1989), On the limited memory BFGS method for large scale optimization, algorithm 2.1; Nocedal, Wright (2006),
/// Numerical optimization, algorithm 7.4.
/// ```
/// use mapsto_nn::optim::{Closure, Lbfgs};
/// use mapsto_nn::prelude::*;
/// let mut w = Linear::new(2, 1).no_bias();
/// w.weight.set(&tensor![[-1.2, 1.0]])?;
/// // Rosenbrock's valley, whose end is at (1, 1).
/// let valley = |w: &Linear| {
///     let (x, y) = (w.weight.slice(1, ..1), w.weight.slice(1, 1..));
///     ((&y - x.square()).square() * 100.0 + (1.0 - &x).square()).sum(..)
/// };
/// let mut opt = Lbfgs::new(1.0);
/// for _ in 0..4 {
///     opt.descend(&mut Closure::new(&mut w, valley))?;
/// }
/// assert!(valley(&w).item() < 1e-6);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Debug)]
pub struct Lbfgs {
    rule: LbfgsRule,
    memory: Memory,
    past: Past,
}

#[derive(Clone, Copy, Debug)]
struct LbfgsRule {
    max_iter: usize,
    history_size: usize,
    tolerance_grad: f64,
    tolerance_change: f64,
    line_search: bool,
}

/// What is known of the loss from earlier iterations.
#[derive(Clone, Debug, Default)]
struct Past {
    iterations: u64,
    /// The last direction with the gradient it began at, and how far it was gone.
    last: Option<(Tensor, Tensor)>,
    t: f64,
    /// Changes of the gradient and of the parameters, the oldest first, with `1 / (y · s)`.
    pairs: Vec<(Tensor, Tensor, f64)>,
    /// The size of `H` before any pair.
    scale: f64,
}

impl Lbfgs {
    /// With 20 iterations a step, 100 pairs, and the line search; 1 is the usual learning rate.
    #[track_caller]
    pub fn new(lr: f64) -> Lbfgs {
        let rule = LbfgsRule {
            max_iter: 20,
            history_size: 100,
            tolerance_grad: 1e-7,
            tolerance_change: 1e-9,
            line_search: true,
        };
        Lbfgs { rule, memory: Memory::new(lr), past: Past::default() }
    }

    /// The same with another number of iterations a step.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn max_iter(mut self, max_iter: usize) -> Lbfgs {
        self.rule.max_iter = mapsto_spec::at_least_1(KIND.name, "max_iter", max_iter);
        self
    }

    /// The same remembering another number of pairs.
    ///
    /// # Panics
    /// When it is 0.
    #[track_caller]
    #[must_use]
    pub fn history_size(mut self, history_size: usize) -> Lbfgs {
        self.rule.history_size = mapsto_spec::at_least_1(KIND.name, "history_size", history_size);
        self
    }

    /// The same with another size of the gradient's largest element at which it has arrived.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    #[must_use]
    pub fn tolerance_grad(mut self, tolerance_grad: f64) -> Lbfgs {
        self.rule.tolerance_grad = TOLERANCE_GRAD.check(KIND.name, tolerance_grad);
        self
    }

    /// The same with another smallest change of the loss, or of the largest element of the parameters, for which it goes on.
    ///
    /// # Panics
    /// When it is not finite and at least 0.
    #[track_caller]
    #[must_use]
    pub fn tolerance_change(mut self, tolerance_change: f64) -> Lbfgs {
        self.rule.tolerance_change = TOLERANCE_CHANGE.check(KIND.name, tolerance_change);
        self
    }

    /// The same without a line search: each iteration goes as far as the learning rate says.
    #[must_use]
    pub fn fixed_step(mut self) -> Lbfgs {
        self.rule.line_search = false;
        self
    }
}

impl LbfgsRule {
    fn settings(&mut self) -> Vec<Held<'_>> {
        vec![
            Held::Count(MAX_ITER, &mut self.max_iter),
            Held::Count(HISTORY_SIZE, &mut self.history_size),
            TOLERANCE_GRAD.at(&mut self.tolerance_grad),
            TOLERANCE_CHANGE.at(&mut self.tolerance_change),
            Held::Flag(LINE_SEARCH, &mut self.line_search),
        ]
    }
}

/// The sum of products.
fn dot(a: &Tensor, b: &Tensor) -> f64 {
    (a * b).sum(..).item()
}

/// The size of the largest element.
fn largest(x: &Tensor) -> f64 {
    x.abs().max(..).item()
}

/// A model on the line from where it was.
struct Line<'o> {
    objective: &'o mut dyn Objective,
    start: Vec<Tensor>,
}

/// Shows the parameters that are to change.
fn each(model: &mut dyn Module, f: &mut dyn FnMut(&Path, &mut crate::Param)) {
    model.visit_mut(&mut Path::new(), &mut |path, item| {
        if let ItemMut::Param(p) = item
            && !p.is_frozen()
        {
            f(path, p);
        }
    });
}

impl Line<'_> {
    /// All gradients as one vector, 0 where a parameter has none.
    fn flat(&mut self, grads: &Grads) -> Tensor {
        let (mut parts, mut has_any) = (Vec::new(), false);
        let mut dtype = DType::F32;
        each(&mut self.objective.model(), &mut |path, p| {
            if !matches!(p.dtype(), DType::F32 | DType::F64) {
                fail!("lbfgs", "`{path}` is of {}, whose steps a line search cannot see", p.dtype();
                      help = "train in f32: `model.convert(DType::F32)`");
            }
            if p.dtype() == DType::F64 {
                dtype = DType::F64;
            }
            let g = grads.by_id(p.id());
            has_any |= g.is_some();
            let zeros = || Tensor::full_like(&p.detach(), 0.0);
            parts.push(g.map_or_else(zeros, Clone::clone).reshape([p.len()]));
        });
        if !has_any {
            fail!("lbfgs", "none of the model's parameters that are not frozen has a gradient";
                  help = "was the loss computed from this very model, inside `train(|| ..)`?");
        }
        let parts: Vec<Tensor> = parts.into_iter().map(|g| g.to(dtype)).collect();
        Tensor::cat(&parts, 0)
    }

    /// Remembers where it begins.
    fn begin(&mut self) {
        let start = &mut self.start;
        start.clear();
        each(&mut self.objective.model(), &mut |_, p| start.push(p.detach()));
    }

    /// Puts the parameters at `start + t d`.
    fn go(&mut self, t: f64, d: &Tensor) -> Result<()> {
        let (mut at, mut start, mut done) = (0, self.start.iter(), Ok(()));
        each(&mut self.objective.model(), &mut |_, p| {
            let step = d.slice(0, at..at + p.len()).reshape(p.shape()).to(p.dtype());
            at += p.len();
            let start = start.next().expect("as many as at the beginning");
            if done.is_ok() {
                done = p.set(&(start + step * t));
            }
        });
        done
    }

    fn gradients(&mut self) -> Result<(f64, Tensor)> {
        let (loss, grads) = self.objective.gradients()?;
        no_grad(|| Ok((loss, self.flat(&grads))))
    }
}

impl Lbfgs {
    /// The next direction from a point with the gradient `g`.
    fn direction(&mut self, g: &Tensor) -> Tensor {
        let past = &mut self.past;
        let Some((d, before)) = &past.last else {
            (past.pairs, past.scale) = (Vec::new(), 1.0);
            return -g;
        };
        if d.len() != g.len() {
            fail!("lbfgs", "the parameters to train have {} elements, in earlier steps they had {}", g.len(), d.len();
                  help = "begin with a new optimizer after freezing or changing parameters");
        }
        let (y, s) = (g - before, d * past.t);
        let curvature = dot(&y, &s);
        if curvature > 1e-10 {
            if past.pairs.len() == self.rule.history_size {
                drop(past.pairs.remove(0));
            }
            past.scale = curvature / dot(&y, &y);
            past.pairs.push((y, s, 1.0 / curvature));
        }
        let mut q = -g;
        let mut shares = Vec::new();
        for (y, s, inverse) in past.pairs.iter().rev() {
            let share = dot(s, &q) * inverse;
            q -= y * share;
            shares.push(share);
        }
        let mut r = q * past.scale;
        for ((y, s, inverse), share) in past.pairs.iter().zip(shares.iter().rev()) {
            let other = dot(y, &r) * inverse;
            r += s * (share - other);
        }
        r
    }

    fn iterate(&mut self, line: &mut Line<'_>, first: f64, g: Tensor) -> Result<()> {
        let (rule, lr) = (self.rule, self.memory.lr());
        let most = rule.max_iter * 5 / 4;
        let (mut now, mut looks) = (Trial { t: 0.0, loss: first, gradient: g, slope: 0.0 }, 1);
        if largest(&now.gradient) <= rule.tolerance_grad {
            return Ok(());
        }
        for i in 1..=rule.max_iter {
            let d = self.direction(&now.gradient);
            self.past.iterations += 1;
            let t = match self.past.iterations {
                1 => (1.0 / now.gradient.abs().sum(..).item()).min(1.0) * lr,
                _ => lr,
            };
            self.past.t = t;
            self.past.last = Some((d.clone(), now.gradient.clone()));
            now.slope = dot(&now.gradient, &d);
            if now.slope > -rule.tolerance_change {
                break;
            }
            let (before, size) = (now.loss, largest(&d));
            line.begin();
            if rule.line_search {
                now.t = 0.0;
                let mut at = |t: f64| {
                    line.go(t, &d)?;
                    let (loss, gradient) = line.gradients()?;
                    let slope = dot(&gradient, &d);
                    let loss = if loss.is_nan() { f64::INFINITY } else { loss };
                    Ok(Trial { t, loss, gradient, slope })
                };
                let (end, looked) = strong_wolfe(&now, t, size, most.saturating_sub(looks), &mut at)?;
                (now, looks) = (end, looks + looked);
                self.past.t = now.t;
                line.go(now.t, &d)?;
            } else {
                line.go(t, &d)?;
                if i == rule.max_iter {
                    break;
                }
                (now.loss, now.gradient) = line.gradients()?;
                looks += 1;
            }
            let is_done = largest(&now.gradient) <= rule.tolerance_grad
                || size * self.past.t.abs() <= rule.tolerance_change
                || (now.loss - before).abs() < rule.tolerance_change;
            if looks >= most || is_done {
                break;
            }
            if !now.loss.is_finite() || !now.gradient.is_finite() {
                return Err(not_finite("the loss has become infinite or NaN"));
            }
        }
        Ok(())
    }
}

fn not_finite(what: &str) -> Error {
    Error::new(ErrorKind::NonFinite, format!("lbfgs: {what}"))
        .help("lower the learning rate, or look for where the number comes from; go on from saved weights and a new optimizer")
}

impl Optimizer for Lbfgs {
    #[track_caller]
    fn step(&mut self, _: &mut dyn Module, _: Grads) {
        super::needs_an_objective(KIND.name);
    }

    fn descend(&mut self, objective: &mut dyn Objective) -> Result<f64> {
        let mut line = Line { objective, start: Vec::new() };
        let (loss, g) = line.gradients()?;
        if !g.is_finite() {
            return Err(not_finite("a gradient is infinite or NaN"));
        }
        no_grad(|| self.iterate(&mut line, loss, g))?;
        Ok(loss)
    }

    fn looks(&self) -> Looks {
        Looks::AlwaysAtTheSame
    }

    fn takes_groups(&self) -> bool {
        false
    }

    fn entry(&self) -> Option<mapsto_spec::Entry> {
        let mut rule = self.rule;
        Some(super::setting::told(KIND.name, &self.memory, rule.settings()))
    }

    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    fn state(&self) -> OptimizerState {
        let past = &self.past;
        let mut state = self.memory.state(&self.name());
        let numbers = [past.iterations as f64, past.t, past.scale];
        let all = numbers.into_iter().chain(past.pairs.iter().map(|pair| pair.2)).collect::<Vec<f64>>();
        let mut put = |name: &str, value: Tensor| state.tensors.push((format!("all/{name}"), value));
        put("numbers", Tensor::from_slice(&all, all.len()));
        if let Some((d, g)) = &past.last {
            put("direction", d.clone());
            put("gradient", g.clone());
        }
        for (i, (y, s, _)) in past.pairs.iter().enumerate() {
            put(&format!("y{i}"), y.clone());
            put(&format!("s{i}"), s.clone());
        }
        state
    }

    fn load_state(&mut self, model: &dyn Module, state: &OptimizerState) -> Result<()> {
        let wrong = |what: &str| Error::new(ErrorKind::Model, format!("optimizer state: {what}"));
        // The learning rate and the name; what is remembered of each parameter is nothing.
        let head = OptimizerState { tensors: Vec::new(), ..state.clone() };
        let find = |name: &str| {
            let key = format!("all/{name}");
            let value = state.tensors.iter().find(|(n, _)| *n == key).map(|(_, t)| t.detach().contiguous());
            value.ok_or_else(|| wrong(&format!("`{key}` is missing")))
        };
        let mut past = Past::default();
        if state.name == self.name() {
            let numbers = find("numbers")?;
            if numbers.dtype() != DType::F64 || numbers.len() < 3 {
                return Err(wrong("`all/numbers` should be three f64 and more"));
            }
            let numbers = numbers.to_vec::<f64>();
            (past.iterations, past.t, past.scale) = (numbers[0] as u64, numbers[1], numbers[2]);
            let mut n = 0;
            model.visit(&mut Path::new(), &mut |_, item| {
                if let crate::Item::Param(p) = item
                    && !p.is_frozen()
                {
                    n += p.len();
                }
            });
            let vector = |name: &str| {
                let x = find(name)?;
                let fits = x.len() == n && x.dtype().is_float();
                if fits { Ok(x) } else { Err(wrong(&format!("`all/{name}` should be {n} floats"))) }
            };
            if past.iterations > 0 {
                past.last = Some((vector("direction")?, vector("gradient")?));
            }
            for (i, &inverse) in numbers[3..].iter().enumerate() {
                past.pairs.push((vector(&format!("y{i}"))?, vector(&format!("s{i}"))?, inverse));
            }
        }
        let name = self.name();
        self.memory.load(&name, (&[], |_, shape| shape.to_vec()), model, &head)?;
        self.past = past;
        Ok(())
    }
}

const MAX_ITER: (&str, &str) = ("max_iter", "the iterations of a step");
const HISTORY_SIZE: (&str, &str) =
    ("history_size", "the changes of the gradient that the curvature is estimated from");
const TOLERANCE_GRAD: Setting = Setting::new(
    "tolerance_grad",
    Bounds::AT_LEAST_0,
    "the size of the gradient's largest element at which it has arrived",
);
const TOLERANCE_CHANGE: Setting = Setting::new(
    "tolerance_change",
    Bounds::AT_LEAST_0,
    "the smallest change of the loss or of a parameter for which it goes on",
);
const LINE_SEARCH: (&str, &str) =
    ("line_search", "whether each iteration looks for a point that fulfils Wolfe's strong conditions");

pub(super) const KIND: OptimizerKind = OptimizerKind::new(
    "lbfgs",
    "Steps by the curvature of the last gradients, of all samples at once (Liu, Nocedal 1989).",
    |args, ()| {
        let mut opt = Lbfgs::new(lr(args, 1.0)?);
        read(args, opt.rule.settings())?;
        Ok(Box::new(opt))
    },
)
.options(&[LR, MAX_ITER, HISTORY_SIZE, TOLERANCE_GRAD.told(), TOLERANCE_CHANGE.told(), LINE_SEARCH]);

#[cfg(test)]
mod tests {
    use crate::optim::*;
    use crate::prelude::*;

    fn bowl(net: &Linear) -> Tensor {
        (net.weight.square() * tensor![[1.0, 10.0, 100.0]]).sum(..) + net.weight.pow(4.0).sum(..)
    }

    #[test]
    fn a_step_needs_the_loss_again_and_f32() {
        let mut net = Linear::new(3, 1).no_bias();
        let grads = train(|| bowl(&net)).backward();
        let e = catch(|| Lbfgs::new(1.0).step(&mut net, grads)).unwrap_err();
        assert_eq!(e.message(), "lbfgs: a step computes the loss again");
        assert!(e.help_text().unwrap().contains("Closure::new"), "{e}");
        let e = catch(|| Lbfgs::new(1.0).group("weight", |g| g.lr(0.5))).unwrap_err();
        assert_eq!(e.message(), "group: Lbfgs has no groups");
        net.convert(DType::BF16);
        let cost = |net: &Linear| net.weight.square().sum(..);
        let e = catch(|| Lbfgs::new(1.0).descend(&mut Closure::new(&mut net, cost))).unwrap_err();
        assert!(e.message().contains("`weight` is of bf16"), "{e}");
    }

    #[test]
    fn it_arrives_with_and_without_a_line_search() {
        for mut opt in [Lbfgs::new(1.0), Lbfgs::new(0.5).fixed_step().max_iter(40).history_size(5)] {
            let mut net = Linear::new(3, 1).no_bias();
            net.weight.set(&tensor![[1.0, -2.0, 0.5]]).unwrap();
            for _ in 0..4 {
                opt.descend(&mut Closure::new(&mut net, bowl)).unwrap();
            }
            assert!(bowl(&net).item() < 1e-6, "{}", bowl(&net).item());
        }
    }
}
