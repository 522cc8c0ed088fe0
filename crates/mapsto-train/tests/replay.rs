//! A step that is run again from its bundle: forward and backward, with dropout and running statistics, in each precision.

use mapsto_data::prelude::*;
use mapsto_nn::prelude::*;
use mapsto_spec::Entry;
use mapsto_train::{Trainer, replay};

fn net(entries: &[&str]) -> Sequential {
    seed(2);
    let layer = |name: &&str| Entry::new(*name);
    let mut layers = vec![Entry::new("linear").with_value(4_usize), Entry::new("batch_norm1d")];
    layers.push(Entry::new("dropout").with_value(0.3));
    layers.extend(entries.iter().map(layer));
    layers.push(Entry::new("linear").with_value(1_usize));
    ModelSpec::new([3], layers).build().unwrap()
}

fn set() -> InMemory {
    seed(7);
    let mut targets = Tensor::zeros([24, 1]).to_vec::<f32>();
    targets[13] = 1e30;
    InMemory::new(Tensor::randn([24, 3]), Tensor::from_slice(&targets, [24, 1]))
}

#[test]
fn a_loss_that_overflows_is_found_in_its_row_in_each_precision() {
    for precision in [DType::F32, DType::BF16] {
        let folder = std::env::temp_dir().join(format!("mapsto-replayed-{precision}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let mut model = net(&["relu"]);
        let mut trainer =
            Trainer::new(Adam::new(1e-3), mse).precision(precision).seed(5).folder(&folder).quiet();
        let e = trainer.fit(&mut model, set().batches(6), None).unwrap_err();
        assert!(e.message().contains("; the batch is sample 12, sample 13, sample 14 and 3 more"), "{e}");
        assert!(e.help_text().unwrap().contains("`mapsto replay "), "{e}");
        // What was drawn since does not matter.
        seed(99);
        let before = mapsto_tensor::random::state();
        let again = replay(folder.join("replay.safetensors")).unwrap();
        assert_eq!(mapsto_tensor::random::state(), before, "the program's own draws go on");
        assert!(again.is_same && again.loss.is_infinite(), "{again:?}");
        assert_eq!((again.epoch, again.batch, again.step), (1, 3, 3));
        assert_eq!(again.samples[1], "sample 13");
        let first = again.first.unwrap();
        assert!(first.inputs.iter().any(|input| input.contains("e30")), "{first:?}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn a_derivative_that_is_not_finite_is_found() {
    let folder = std::env::temp_dir().join(format!("mapsto-replayed-derivative-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    // The loss is below the largest number, and its derivative by the weights is not: 3e18 · 1e21.
    let mut model = ModelSpec::new([3], [Entry::new("linear").with_value(1_usize)]).build().unwrap();
    let state = model.state_dict().into_iter().map(|(name, t)| (name, Tensor::full(t.shape(), 1e-3)));
    model.load_state_dict(state, &Exceptions::none()).unwrap();
    let set = InMemory::new(Tensor::full([6, 3], 1e21), Tensor::full([6, 1], 1e19));
    let e = Trainer::new(Sgd::new(0.1), mse).folder(&folder).quiet().fit(&mut model, set.batches(6), None);
    let e = e.unwrap_err();
    assert!(e.message().contains("the derivative of `linear`") && e.message().contains("`0.weight`"), "{e}");
    let again = replay(folder.join("replay.safetensors")).unwrap();
    assert!(again.is_same && again.loss.is_finite(), "{again:?}");
    let first = again.first.unwrap();
    assert!(first.op.contains("the derivative of `linear`"), "{first:?}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_is_no_step_or_damaged_is_refused() {
    let folder = std::env::temp_dir().join(format!("mapsto-replayed-damaged-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("model.safetensors");
    mapsto_train::save(&net(&[]), &path).unwrap();
    assert!(replay(&path).unwrap_err().message().contains("the file holds no step to run again"));
    let mut model = net(&["relu"]);
    let _ = Trainer::new(Sgd::new(0.1), mse).folder(&folder).quiet().fit(&mut model, set().batches(6), None);
    let bytes = std::fs::read(folder.join("replay.safetensors")).unwrap();
    for at in (0..bytes.len()).step_by(97) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x41;
        std::fs::write(&path, damaged).unwrap();
        // A byte that says nothing, such as one of the seal's name, may be another.
        assert!(replay(&path).map_or(true, |again| again.is_same), "byte {at}");
        std::fs::write(&path, &bytes[..at]).unwrap();
        assert!(replay(&path).is_err(), "cut at {at}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}
