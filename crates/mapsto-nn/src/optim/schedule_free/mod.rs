//! What both schedule-free optimizers do: they train at one point, step another one, and are judged at the average of that.

use super::setting::Setting;
use super::{Rule, Scalar, SlotShape, Update, numbers, slots};
use mapsto_kernels::optim::{update, update_watched};
use mapsto_spec::Bounds;
use mapsto_tensor::{Element, Tensor};

/// With the gradient at `y`, in units of its size or not: `z ← z − lr g`, `x ← x + c (z − x)`, `y ← (1 − β) z + β x`, where the share `c` of a
/// step is `wₜ / Σ w`, with `wₜ = tʳ lr²`, the largest rate so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScheduleFree {
    pub(super) beta: f64,
    /// β₂ and ε, of the one whose gradient is in units of its size.
    pub(super) adam: Option<(f64, f64)>,
    pub(super) decay: f64,
    pub(super) r: f64,
    pub(super) weight_lr_power: f64,
}

pub(super) const R: Setting =
    Setting::new("r", Bounds::AT_LEAST_0, "the power of the number of a step that it weighs in the average");
pub(super) const WEIGHT_LR_POWER: Setting = Setting::new(
    "weight_lr_power",
    Bounds::AT_LEAST_0,
    "the power of the largest learning rate so far that a step weighs in the average",
);

/// The slot that is shown.
pub(super) const X: usize = 0;

impl ScheduleFree {
    /// The share that `z` has in the average after this step, and the new sums: of the weights, in two parts so that f32 is
    /// enough, and the largest rate.
    fn share(&self, now: &Update, [sum, rest, most]: [f64; 3], round: fn(f64) -> f64) -> (f64, [f64; 3]) {
        let most = most.max(now.lr);
        let weight = (now.step as f64).powf(self.r) * most.powf(self.weight_lr_power);
        let sum = sum + rest + weight;
        let share = if sum > 0.0 { weight / sum } else { 0.0 };
        (share, [round(sum), sum - round(sum), most])
    }
}

impl Rule for ScheduleFree {
    fn slots(&self) -> &'static [&'static str] {
        if self.adam.is_some() { &["x", "z", "sums", "v"] } else { &["x", "z", "sums"] }
    }

    fn slot_shape(&self) -> SlotShape {
        |slot, shape| if slot == 2 { vec![3] } else { shape.to_vec() }
    }

    fn apply<T: Scalar>(&self, now: &Update, p: &mut [T], g: &[T], memory: &mut [Tensor]) {
        let (memory, squares) = memory.split_at_mut(3);
        let [x, z, sums] = slots::<T, _>(memory);
        if now.step == 1 {
            x.copy_from_slice(p);
            z.copy_from_slice(p);
        }
        let held = [0, 1, 2].map(|i| Element::to_f64(sums[i]));
        let (share, held) = self.share(now, held, |x| Element::to_f64(<T as Element>::from_f64(x)));
        sums.copy_from_slice(&numbers(held));
        let decay = now.decay.unwrap_or(self.decay);
        let [lr, c, beta, back, decay] = numbers::<T, _>([now.lr, share, self.beta, 1.0 - self.beta, decay]);
        let Some((beta2, eps)) = self.adam else {
            let finite = update(
                g,
                [p, x, z],
                #[inline(always)]
                |g, [p, x, z]| {
                    let z = z - lr * (g + decay * p);
                    let x = x + c * (z - x);
                    [back * z + beta * x, x, z]
                },
            );
            return now.require_finite(finite, g);
        };
        let root = now.begun(beta2).sqrt();
        let [beta2, fresh, eps, root] = numbers::<T, _>([beta2, 1.0 - beta2, eps * root, root]);
        let [v] = slots::<T, _>(squares);
        let finite = update_watched::<T, _, 3>(
            g,
            [p, x, z, v],
            #[inline(always)]
            |g, [p, x, z, v]| {
                let v = beta2 * v + fresh * (g * g);
                let z = z - lr * (root * g / (v.sqrt() + eps) + decay * p);
                let x = x + c * (z - x);
                [back * z + beta * x, x, z, v]
            },
        );
        now.require_finite(finite, g);
    }

    fn compose(&self, now: &Update, p: &Tensor, g: &Tensor, memory: &mut [Tensor]) -> Tensor {
        let [x, z, sums, v @ ..] = memory else { unreachable!("its slots were asked for") };
        if now.step == 1 {
            (*x, *z) = (p.clone(), p.clone());
        }
        let held: [f64; 3] = std::array::from_fn(|i| sums.slice(0, i..i + 1).item());
        let round = if p.dtype() == mapsto_tensor::DType::F64 { |x| x } else { |x| f64::from(x as f32) };
        let (share, held) = self.share(now, held, round);
        *sums = Tensor::from_slice(&held, 3).to(sums.dtype()).to_device(sums.device());
        let g = match (self.adam, v.first_mut()) {
            (Some((beta2, eps)), Some(v)) => {
                *v = &*v * beta2 + g.square() * (1.0 - beta2);
                now.require_finite_squares(v);
                g / ((&*v / now.begun(beta2)).sqrt() + eps)
            }
            _ => g.clone(),
        };
        *z = &*z - now.with_decay(self.decay, &g, p) * now.lr;
        *x = &*x + (&*z - &*x) * share;
        &*z * (1.0 - self.beta) + &*x * self.beta
    }
}
