//! Activation checkpointing: what lies between the input and the result of a part of a model is not kept, and computed again.

use super::{At, Keep, Op, Ran, Vjp, apply, engine::grads_at};
use crate::random::{RandomState, set_state, state};
use crate::scope::{self, Mode};
use crate::{LeafId, Tensor, record, with_frozen};

/// `f(xs)` of which only the inputs are kept: `backward` computes it again, with the same random numbers and in the same mode, and
/// goes on through it. It takes one more forward pass and saves the memory of what `f` computes on the way.
///
/// `xs` are all that gradients are wanted of, also the parameters that `f` reads from elsewhere: through these the result is known
/// to depend on them. The numbers are the same, to the bit, in both directions. A layer for this is `mapsto::nn::Checkpointed`.
///
/// Source: Chen, Xu, Zhang, Guestrin (2016), Training deep nets with sublinear memory cost, arXiv:1604.06174.
/// ```
/// use mapsto_tensor::graph::checkpoint;
/// use mapsto_tensor::prelude::*;
/// let (x, w) = (tensor![0.5, 1.0].leaf(), tensor![2.0].leaf());
/// let y = checkpoint(|xs| (&xs[0] * &xs[1]).tanh().exp(), &[&x, &w]);
/// let plain = (&x * &w).tanh().exp();
/// assert_eq!(y.sum(..).backward().of(&w).to_vec::<f32>(), plain.sum(..).backward().of(&w).to_vec::<f32>());
/// ```
#[track_caller]
pub fn checkpoint(f: impl Fn(&[Tensor]) -> Tensor + Send + Sync + 'static, xs: &[&Tensor]) -> Tensor {
    apply(Checkpoint { f: Box::new(f), random: state(), mode: scope::mode() }, xs)
}

type Part = Box<dyn Fn(&[Tensor]) -> Tensor + Send + Sync>;

struct Checkpoint {
    f: Part,
    /// Those of the forward pass.
    random: RandomState,
    mode: Mode,
}

impl Checkpoint {
    /// The result once more, recorded, and made of the inputs where a gradient of them is wanted.
    #[track_caller]
    fn recorded(&self, at: &At<'_>) -> Tensor {
        /// Puts the randomness of this thread back, also after a panic.
        struct Back(RandomState);
        impl Drop for Back {
            fn drop(&mut self) {
                set_state(&self.0);
            }
        }
        let _back = Back(state());
        set_state(&self.random);
        let wants = |i: &usize| at.wants(*i);
        let xs: Vec<Tensor> = (0..at.inputs())
            .map(|i| if wants(&i) { at.input(i).clone() } else { at.input(i).detach() })
            .collect();
        let constants: Vec<LeafId> =
            (0..at.inputs()).filter(|i| !wants(i)).filter_map(|i| at.input(i).leaf_id()).collect();
        let again = || record(|| with_frozen(constants, || (self.f)(&xs)));
        scope::within(|_| self.mode.again(), again)
    }
}

impl Op for Checkpoint {
    fn name(&self) -> &'static str {
        "checkpoint"
    }
    fn takes(&self) -> std::ops::RangeInclusive<usize> {
        1..=usize::MAX
    }
    fn run(&self, xs: &[&Tensor]) -> Ran {
        let xs: Vec<Tensor> = xs.iter().map(|x| x.detach()).collect();
        // Outside of the operation as far as dtypes go: they are those of the plain part.
        scope::within(|mode| mode.unrecorded(), || (self.f)(&xs)).into()
    }
    fn keep(&self) -> Keep {
        Keep::INPUTS
    }
    fn again(&self, at: &At<'_>) -> Option<Tensor> {
        Some(self.recorded(at))
    }
    fn vjp(&self, at: &At<'_>, g: &Tensor) -> Vjp {
        let y = self.recorded(at);
        let inputs: Vec<&Tensor> = (0..at.inputs()).map(|i| at.input(i)).collect();
        let mut found = vec![None; inputs.len()];
        if y.is_recorded() {
            grads_at(&y, g, &inputs, &mut found);
        }
        Vjp(found.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::is_recomputing;
    use crate::prelude::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A part with randomness, two uses of its input and a parameter that is read from elsewhere.
    fn part(x: &Tensor, w: &Tensor) -> Tensor {
        (x.matmul(w).dropout(0.5) + x).tanh() * x
    }

    #[test]
    fn values_gradients_and_randomness_are_those_of_the_plain_part() {
        for (seeded, is_training) in [(1, true), (2, true), (3, false)] {
            let (w, v) = (Tensor::randn([6, 6]).parameter(), Tensor::randn([6, 6]).parameter());
            let x = Tensor::randn([4, 6]);
            let run = |kept: bool| {
                seed(seeded);
                let all = || {
                    let h = x.matmul(&v);
                    let held = w.clone();
                    let y = if kept {
                        part(&h, &w)
                    } else {
                        checkpoint(move |xs| part(&xs[0], &held), &[&h, &w])
                    };
                    (y.square() * &h).sum(..)
                };
                let loss = if is_training { train(all) } else { record(all) };
                let after = Tensor::rand([1]).item();
                let grads = loss.backward();
                let bits = |t: &Tensor| t.to_vec::<f32>();
                (bits(&loss), bits(grads.of(&w)), bits(grads.of(&v)), after, Tensor::rand([1]).item())
            };
            assert_eq!(run(false), run(true));
        }
    }

    #[test]
    fn it_is_computed_again_once_and_says_so() {
        let runs = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let (x, seen) = (tensor![1.0, 2.0].leaf(), runs.clone());
        let f = move |xs: &[Tensor]| {
            seen[usize::from(is_recomputing())].fetch_add(1, Ordering::Relaxed);
            xs[0].square()
        };
        let y = checkpoint(f, &[&x]);
        assert_close!(y.sum(..).backward().of(&x), [2.0, 4.0]);
        assert_eq!([0, 1].map(|i| runs[i].load(Ordering::Relaxed)), [1, 1]);
        assert!(!is_recomputing());
    }

    #[test]
    fn frozen_parameters_stay_constants_and_derivatives_go_on() {
        let (x, w) = (tensor![2.0].leaf(), tensor![3.0].parameter());
        let held = w.clone();
        let f = move |xs: &[Tensor]| &xs[0] * &xs[0] * &held;
        let y = train(|| with_frozen([w.leaf_id().unwrap()], || checkpoint(f.clone(), &[&x, &w])));
        let grads = y.sum(..).backward();
        assert_close!(grads.of(&x), [12.0]);
        assert!(grads.get(&w).is_none());
        // Twice, and forward: (w x²)'' = 2w.
        let y = train(|| checkpoint(f.clone(), &[&x, &w]));
        let [dx] = grad(&y.sum(..), [&x]);
        let [ddx, dw] = grad(&dx.sum(..), [&x, &w]);
        assert_close!(ddx, [6.0]);
        assert_close!(dw, [4.0]);
        let (_, dy) =
            crate::graph::jvp(|[x]| checkpoint(f.clone(), &[x, &w]), [&tensor![2.0]], [&tensor![1.0]]);
        assert_close!(dy, [12.0]);
    }
}
