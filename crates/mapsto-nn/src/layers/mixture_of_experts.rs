//! A mixture of experts: a router chooses for each step which few of many networks see it.

use super::{FeedForward, LayerKind, Linear, features, feed_forward};
use crate::{Apply, Layer, Module, budget};
use mapsto_spec::{Bounds, Entry, at_least_1, count_option};
use mapsto_tensor::memory::room_for;
use mapsto_tensor::{Tensor, fail, keep};

/// `y = Σ gₑ · expertₑ(x)` over the `top` experts of the largest probability in `p = softmax(W x)`, with `gₑ = pₑ / Σ p` of those
/// chosen; `g = p` where it is one alone, whose share of itself would teach the router nothing.
///
/// Every step reaches all of its experts, however many choose the same: nothing is dropped. A step costs `top` networks, whatever the
/// number of experts is. Routers left alone come to choose few experts; [`forward_with_balance`](MixtureOfExperts::forward_with_balance)
/// gives the loss that keeps them busy alike.
///
/// * Shape: `[.., size] → [.., size]`.
/// * Parameters: `router.weight` `[experts, size]`, and `experts.0`, `experts.1`, .., each a [`FeedForward`].
/// * Hugging Face: `MixtralSparseMoeBlock`, with `silu` and a gate; PyTorch and Keras have none.
///
/// Source: Shazeer et al. (2017), Outrageously large neural networks, arXiv:1701.06538; Jiang et al. (2024), Mixtral of experts,
/// arXiv:2401.04088, §2.1.
/// ```
/// use mapsto_nn::prelude::*;
/// let layer = MixtureOfExperts::new(8, 16, 4).top(2);
/// let x = Tensor::randn([2, 5, 8]);
/// assert_eq!(layer.forward(&x).shape(), [2, 5, 8]);
/// assert!(layer.forward_with_balance(&x).1.item() > 0.9);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct MixtureOfExperts {
    /// The scores of the experts.
    pub router: Linear,
    /// The networks.
    pub experts: Vec<FeedForward>,
    top: usize,
}

impl MixtureOfExperts {
    /// For steps of `size` numbers, this many networks of `hidden` features, of which each step sees one.
    ///
    /// # Panics
    /// When there are no experts, or no hidden features.
    #[track_caller]
    pub fn new(size: usize, hidden: usize, experts: usize) -> MixtureOfExperts {
        let count = at_least_1("mixture_of_experts", "experts", experts);
        let mut experts = room_for(count);
        experts.extend((0..count).map(|_| FeedForward::new(size, hidden)));
        MixtureOfExperts { router: Linear::new(size, count).no_bias(), experts, top: 1 }
    }

    /// The same, each step seeing this many.
    ///
    /// # Panics
    /// When it is 0, or more than there are.
    #[track_caller]
    #[must_use]
    pub fn top(self, top: usize) -> MixtureOfExperts {
        if top == 0 || top > self.experts.len() {
            fail!("mixture_of_experts", "{top} of {} experts cannot be chosen", self.experts.len());
        }
        MixtureOfExperts { top, ..self }
    }

    /// The same with every expert changed: `.network(|n| n.activation(Tensor::silu).gated())`.
    #[must_use]
    pub fn network(self, change: impl FnMut(FeedForward) -> FeedForward) -> MixtureOfExperts {
        MixtureOfExperts { experts: self.experts.into_iter().map(change).collect(), ..self }
    }

    /// The output, and how unevenly the experts are chosen: `E Σ fₑ Pₑ`, with the share `fₑ` of all choices that fall on expert `e` and its
    /// mean probability `Pₑ`. It is 1 where all are chosen alike, and up to `E` where one is chosen alone. A hundredth of it is
    /// usually added to the loss.
    ///
    /// Source: Fedus, Zoph, Shazeer (2021), Switch transformers, arXiv:2101.03961, equations 4 to 6.
    #[track_caller]
    pub fn forward_with_balance(&self, x: &Tensor) -> (Tensor, Tensor) {
        let size = self.router.inputs();
        if x.shape().last() != Some(&size) {
            fail!("mixture_of_experts", "[.., {size}] was expected, found {:?}", x.shape());
        }
        if x.is_empty() {
            return (x.clone(), Tensor::ones_like(&x.sum(..)));
        }
        let (flat, count) = (x.reshape([x.len() / size.max(1), size]), self.experts.len());
        let p = flat.apply(&self.router).softmax(-1); // [n, experts]
        let (best, ids) = p.topk(self.top, -1); // [n, top]
        let gates = if self.top == 1 { best } else { &best / best.sum(keep(-1)) };
        // As exact as the gates, which are f32 under `autocast`.
        let mut y = Tensor::zeros_like(&flat).to(gates.dtype());
        for (e, expert) in self.experts.iter().enumerate() {
            let chosen = ids.eq(e as i64);
            let gate = (&gates * chosen.to(gates.dtype())).sum(-1); // [n], 0 where it is not chosen
            if !x.device().backend().has_numbers() {
                y += flat.apply(expert) * gate.unsqueeze(-1);
                continue;
            }
            let rows = chosen.any(-1).nonzero().flatten(0);
            if !rows.is_empty() {
                let part = flat.index_select(0, &rows).apply(expert);
                y = y.index_add(0, &rows, &(part * gate.index_select(0, &rows).unsqueeze(-1)));
            }
        }
        let share = ids.flatten(0).one_hot(count).to(p.dtype()).mean(0);
        let balance = (share * p.mean(0)).sum(..) * count as f64;
        (y.reshape(x.shape()), balance)
    }
}

impl Layer for MixtureOfExperts {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.forward_with_balance(x).0
    }

    fn describe(&self) -> String {
        format!("MixtureOfExperts({} of {} × {})", self.top, self.experts.len(), self.experts[0].describe())
    }

    fn entry(&self) -> Option<Entry> {
        let network = |expert: &FeedForward| {
            let (entry, told) = (expert.entry()?, Entry::new(KIND.name).with_value(self.experts.len()));
            let told = told.with_option("hidden", expert.linear2.inputs()).with_option("top", self.top);
            let mut both = ["bias", "dropout"].iter();
            let told =
                both.try_fold(told, |told, name| Some(told.with_option(*name, entry.option(name)?.clone())))?;
            expert.told(told)
        };
        let said = network(&self.experts[0])?;
        let alike =
            self.experts.iter().all(|expert| network(expert).is_some_and(|other| other.agrees(&said)));
        (alike && self.router.bias.is_none()).then_some(said)
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "mixture_of_experts",
    "A router chooses for each step a few of the given number of networks.",
    |args, input| {
        let (count, size): (usize, usize) = (args.main()?, features(args, input)?);
        let (hidden, top) = (count_option(args, "hidden", 2048_usize)?, count_option(args, "top", 1_usize)?);
        if count == 0 {
            return Err(args.error("", "the number of experts must be at least 1, got 0"));
        }
        if top > count {
            return Err(args.misfit("top", format!("{top} of {count} experts cannot be chosen")));
        }
        budget::layers(count)?;
        budget::weight(args, &[count, size])?;
        budget::output(args, &[input.iter().product::<usize>() / size.max(1), 2, hidden])?;
        let bias = args.get_or("bias", true)?;
        let dropout = Bounds::SHARE.option(args, "dropout", 0.0)?;
        let mut experts = Vec::new();
        for _ in 0..count {
            experts.push(feed_forward::from_options(args, size, hidden, bias, dropout)?);
        }
        Ok(Box::new(MixtureOfExperts { router: Linear::new(size, count).no_bias(), experts, top }))
    },
)
.options(&[
    ("", "the number of experts"),
    ("hidden", "the hidden features of each"),
    ("top", "how many of them each step sees"),
    ("bias", "whether the experts have biases"),
    ("dropout", "the probability to forget a hidden feature, while training"),
    feed_forward::GATED,
    feed_forward::ACTIVATION,
])
.example(|| Entry::new("mixture_of_experts").with_value(2_usize).with_option("hidden", 3_usize));

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    fn layer(experts: usize) -> MixtureOfExperts {
        MixtureOfExperts::new(3, 2, experts).network(|n| n.activation(Tensor::tanh))
    }

    #[test]
    fn mixture_of_experts() {
        check_layer(|| layer(2).top(2)).gives([2, 3, 3], [2, 3, 3]);
        check_layer(|| layer(2)).gives([40, 3], [40, 3]);
        check_layer(|| layer(3).top(2).network(|n| n.gated().no_bias())).gives([40, 3], [40, 3]);
        let entry = Entry::new("mixture_of_experts").with_value(4_usize).with_option("top", 2_usize);
        check_entry::<dyn Layer>(
            &entry.with_option("gated", true).with_option("activation", "silu"),
            &[3, 4],
        );
        let e = catch(|| layer(2).top(3)).unwrap_err();
        assert_eq!(e.message(), "mixture_of_experts: 3 of 2 experts cannot be chosen");
        let e = catch(|| layer(2).forward(&Tensor::ones([2, 4]))).unwrap_err();
        assert_eq!(e.message(), "mixture_of_experts: [.., 3] was expected, found [2, 4]");
        assert_eq!(layer(2).forward(&Tensor::ones([0, 3])).shape(), [0, 3]);
    }

    #[test]
    fn each_step_is_the_weighted_mean_of_its_best_experts() {
        let (mut moe, x) = (layer(4).top(2), Tensor::randn([30, 3]).to(DType::F64));
        moe.convert(DType::F64);
        let ((y, balance), one) = (moe.forward_with_balance(&x), moe.clone().top(1).forward(&x));
        let (mut choices, mut mean) = ([0.0; 4], [0.0; 4]);
        for i in 0..30 {
            let step = x.slice(0, i..i + 1);
            let p = step.apply(&moe.router).softmax(-1).to_vec::<f64>();
            let mut order = [0, 1, 2, 3];
            order.sort_by(|&a, &b| p[b].total_cmp(&p[a]));
            let [a, b] = [order[0], order[1]];
            let mixed = step.apply(&moe.experts[a]) * p[a] + step.apply(&moe.experts[b]) * p[b];
            let alone = (one.slice(0, i..i + 1) - step.apply(&moe.experts[a]) * p[a]).abs().max(..).item();
            assert!(alone < 1e-12, "step {i}: {alone}");
            let error = (y.slice(0, i..i + 1) - mixed / (p[a] + p[b])).abs().max(..).item();
            assert!(error < 1e-12, "step {i}: {error}");
            [a, b].iter().for_each(|&e| choices[e] += 1.0 / 60.0);
            (0..4).for_each(|e| mean[e] += p[e] / 30.0);
        }
        let expected: f64 = 4.0 * choices.iter().zip(mean).map(|(f, p)| f * p).sum::<f64>();
        assert!((balance.item() - expected).abs() < 1e-12);
        assert!(train(|| moe.forward_with_balance(&x).1).backward().of(&moe.router.weight).is_finite());
    }
}
