//! Which samples a loader reads and in which order, as a short text: what must be the same when a run is resumed.

use crate::digest::Digest;
use mapsto_data::{Loader, Rows};
use mapsto_tensor::{Result, random};

/// Samples that are looked at: enough to notice another set, few enough to be free.
const LOOKED_AT: usize = 16;

/// `86 in batches of 16, order 5b0f.., content 91aa..`: the order of the first two epochs, and some of the samples.
pub(super) fn of<B: Rows>(loader: &Loader<B>) -> Result<String> {
    let set = loader.dataset();
    let n = set.len();
    let mut order = Digest::new();
    (0..2).flat_map(|epoch| loader.order(epoch)).for_each(|i| order.add(i as u64));
    let mut content = Digest::new();
    // A set that draws while it is read must not shift the draws of the training.
    let before = random::state();
    let mut chosen: Vec<usize> =
        (0..LOOKED_AT.min(n)).map(|k| k * (n - 1) / (LOOKED_AT.min(n) - 1).max(1)).collect();
    chosen.dedup();
    for i in chosen {
        // A cell that is too large for `f32` is delivered to preprocessing only.
        let sample = match set.batch(&[i]) {
            Ok(sample) => sample,
            Err(e) => set.exact_batch(&[i])?.ok_or(e)?,
        };
        sample.each_tensor(&mut |t| content.add_tensor(t));
    }
    random::set_state(&before);
    Ok(format!("{n} in batches of {}, order {order}, content {content}", loader.batch_size()))
}

#[test]
fn another_order_set_or_batch_is_another_text() {
    use mapsto_data::{Dataset, InMemory};
    use mapsto_tensor::Tensor;
    let set = |first: i64| InMemory::new(Tensor::arange(first..first + 40), Tensor::arange(0..40));
    let text = |loader: Loader| of(&loader).unwrap();
    let first = text(set(0).batches(4).shuffle().seed(1));
    assert_eq!(first, text(set(0).batches(4).shuffle().seed(1).workers(3)));
    for other in [
        set(0).batches(4).shuffle().seed(2),
        set(0).batches(4),
        set(0).batches(5).shuffle().seed(1),
        set(1).batches(4).shuffle().seed(1),
        set(0).subset((0..39).collect::<Vec<_>>()).batches(4).shuffle().seed(1),
    ] {
        assert_ne!(text(other), first);
    }
    assert!(text(set(0).subset([7]).batches(1)).starts_with("1 in batches of 1, "));
}
