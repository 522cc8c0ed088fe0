//! Running statistics that are computed again over a data set, as the averaged weights of a model need it.

use super::{Layer, State};
use mapsto_tensor::{Tensor, no_grad, random, train};
use std::cell::RefCell;
use std::collections::HashMap;

thread_local! {
    /// How many batches each state has seen in the scope around, where there is one.
    static SEEN: RefCell<Option<HashMap<usize, u64>>> = const { RefCell::new(None) };
}

/// Computes the running statistics of batch norms again: their mean over these batches, each of which weighs the same.
///
/// The model runs in training mode, as dropout needs it too, and records nothing; no parameter changes, and randomness is left as it was.
/// What the statistics were before does not matter. A model without running statistics stays as it is.
///
/// PyTorch: `swa_utils.update_bn`; Keras has none.
///
/// Source: Izmailov et al. (2018), arXiv:1803.05407, section 3.2.
/// ```
/// use mapsto_nn::prelude::*;
/// use mapsto_nn::update_bn;
/// let net = seq![BatchNorm1d::new(1)];
/// update_bn(&net, [tensor![[1.0], [3.0]], tensor![[5.0], [7.0]]]);
/// assert_close!(net.state_dict()[2].1, [4.0]); // the running mean: (2 + 6) / 2
/// assert_close!(net.state_dict()[3].1, [2.0]); // the running variance, of n − 1
/// ```
/// # Panics
/// When the model does not take a batch.
#[track_caller]
pub fn update_bn(model: &(impl Layer + ?Sized), batches: impl IntoIterator<Item = Tensor>) {
    cumulative(|| no_grad(|| batches.into_iter().for_each(|x| drop(model.forward(&x)))));
}

/// Runs `body`, forward passes of a model, in training mode, so that running statistics become their mean over all passes; randomness is as
/// before afterwards. [`update_bn`] does so of a layer.
pub fn cumulative<R>(body: impl FnOnce() -> R) -> R {
    struct Back(Option<HashMap<usize, u64>>, random::RandomState);
    impl Drop for Back {
        fn drop(&mut self) {
            let before = self.0.take();
            SEEN.with(|seen| *seen.borrow_mut() = before);
            random::set_state(&self.1);
        }
    }
    let before = SEEN.with(|seen| seen.borrow_mut().replace(HashMap::new()));
    let _back = Back(before, random::state());
    train(body)
}

/// The share of a new batch in a running statistic whose own share is `momentum`: in [`cumulative`], that of the n-th batch is `1 / n`.
pub(crate) fn share_of(state: &State, momentum: f64) -> f64 {
    SEEN.with(|seen| match &mut *seen.borrow_mut() {
        None => momentum,
        Some(seen) => {
            let n = seen.entry(std::ptr::from_ref(state) as usize).or_insert(0);
            *n += 1;
            1.0 / *n as f64
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prelude::*;

    #[test]
    fn statistics_are_the_mean_over_batches_whatever_they_were() {
        let first = Linear::new(3, 4);
        let net = seq![first.clone(), BatchNorm1d::new(4).momentum(0.3), Dropout::new(0.5)];
        let batches: Vec<Tensor> = (0..5).map(|_| Tensor::randn([6, 3])).collect();
        let hidden: Vec<Tensor> = batches.iter().map(|x| x.apply(&first)).collect();
        let names: Vec<String> = net.state_dict().into_iter().map(|(name, _)| name).collect();
        let weights = net.state_dict()[0].1.to_vec::<f32>();
        net.visit(&mut Path::new(), &mut |_, item| {
            if let Item::State(s) = item {
                s.set(s.get() * f64::NAN);
            }
        });
        let before = random::state();
        update_bn(&net, batches);
        assert_eq!(random::state(), before);
        let state = net.state_dict();
        let at = |end: &str| state[names.iter().position(|n| n.ends_with(end)).unwrap()].1.clone();
        let mean = hidden.iter().fold(Tensor::zeros([4]), |sum, h| sum + h.mean(0) / 5.0);
        let var = hidden.iter().fold(Tensor::zeros([4]), |sum, h| sum + h.var_with(0, 1) / 5.0);
        assert_close!(at("running_mean"), mean);
        assert_close!(at("running_var"), var);
        assert_eq!(state[0].1.to_vec::<f32>(), weights);
        // The scope ends: the next step is one of the layer's own momentum.
        let x = Tensor::ones([2, 3]);
        let h = x.apply(&first);
        let _ = train(|| net.forward(&x));
        let again = net.state_dict()[4].1.clone();
        assert_close!(again, mean * 0.7 + h.mean(0) * 0.3);
    }
}
