//! What holds of every transform that a file can name: the range of pictures is kept, draws depend on seed, epoch and sample alone, for any
//! number of workers and after resuming, and at strength 0 nothing changes.

use mapsto_data::prelude::*;
use mapsto_data::transforms::TRANSFORMS;
use mapsto_spec::{Entry, build};
use mapsto_tensor::prelude::*;
use mapsto_tensor::random::Keyed;
use std::sync::Arc;

/// Pictures in three channels, or in one, with all levels.
fn pictures(n: usize, channels: usize, size: [usize; 2]) -> InMemory {
    let mut random = Keyed::new(&[5]);
    let bytes = (0..n * channels * size[0] * size[1]).map(|_| random.below(256) as u8).collect();
    let x = Tensor::from_vec(bytes, [n, channels, size[0], size[1]]);
    InMemory::from_pixels(x, Tensor::from_vec((0..n as i64).map(|i| i % 3).collect(), n))
        .classes(["a", "b", "c"])
}

/// Of every kind, as strong as it is usual or more; noise, which keeps to no range, is small.
fn strong(name: &str) -> Entry {
    let entry = Entry::new(name);
    match name {
        "shift" => entry.with_value(3_usize),
        "rotate" => entry.with_value(60.0),
        "crop" | "resized_crop" => entry.with_value(12_usize),
        "noise" => entry.with_value(0.01),
        "color_jitter" => {
            let entry = entry.with_option("brightness", 0.9).with_option("contrast", 2.0);
            entry.with_option("saturation", 3.0).with_option("hue", 0.5)
        }
        "grayscale" | "autocontrast" | "equalize" => entry.with_value(0.5),
        "posterize" => entry.with_value(3_usize),
        "cutout" => entry.with_value(5_usize),
        "rand_augment" => entry.with_value(3_usize).with_option("magnitude", 20_usize),
        _ => entry,
    }
}

/// Of every kind, without effect.
fn weak(name: &str) -> Option<Entry> {
    let entry = Entry::new(name);
    Some(match name {
        "shift" | "cutout" | "rand_augment" => entry.with_value(0_usize),
        "crop" => entry.with_value(vec![17_usize, 15]),
        "resized_crop" => {
            let entry = entry.with_value(vec![17_usize, 15]).with_option("area", vec![1.0, 1.0]);
            entry.with_option("ratio", vec![15.0 / 17.0, 15.0 / 17.0])
        }
        "posterize" => entry.with_value(8_usize),
        "solarize" => entry.with_value(0.5).with_option("probability", 0.0),
        "gaussian_blur" => entry.with_value(3_usize).with_option("probability", 0.0),
        "color_jitter" => entry,
        "trivial_augment" => return None, // it has no strength
        _ => entry.with_value(0.0),
    })
}

fn transform(entry: &Entry) -> Arc<dyn Transform> {
    Arc::from(build::<dyn Transform>(entry, &()).unwrap_or_else(|e| panic!("{entry}: {e}")))
}

fn bits(epoch: mapsto_data::Epoch) -> Vec<(Vec<u32>, Vec<f64>)> {
    let numbers = |x: &Tensor| x.to_vec::<f32>().iter().map(|v| v.to_bits()).collect();
    epoch.map(|batch| batch.unwrap()).map(|b| (numbers(&b.x), b.y.to(DType::F64).to_vec())).collect()
}

#[test]
fn the_range_is_kept_and_the_shape_is_what_was_asked_for() {
    for kind in TRANSFORMS {
        for (channels, size) in [(3, [17, 15]), (1, [28, 28]), (2, [14, 13]), (3, [13, 300])] {
            let loader =
                pictures(40, channels, size).batches(20).seed(1).transform(transform(&strong(kind.name)));
            let slack = if kind.name == "noise" { 0.1 } else { 1e-6 };
            for batch in loader.epoch(3) {
                let batch = batch.unwrap_or_else(|e| panic!("{}: {e}", kind.name));
                let wanted = if kind.name.ends_with("crop") { [12, 12] } else { size };
                assert_eq!(batch.x.shape(), [20, channels, wanted[0], wanted[1]], "{}", kind.name);
                let (least, most) = (batch.x.min(..).item(), batch.x.max(..).item());
                assert!(least >= -slack && most <= 1.0 + slack, "{}: {least} {most}", kind.name);
                if batch.y.dtype().is_float() {
                    assert_close!(batch.y.sum(1), Tensor::ones([20]));
                }
            }
        }
    }
}

#[test]
fn draws_depend_on_seed_epoch_and_sample_alone() {
    for kind in TRANSFORMS {
        let loader =
            pictures(23, 3, [20, 30]).batches(5).shuffle().seed(4).transform(transform(&strong(kind.name)));
        let want = bits(loader.epoch(2));
        for workers in [1, 3] {
            let loader = loader.clone().workers(workers);
            assert!(bits(loader.epoch(2)) == want, "{} with {workers} workers", kind.name);
            assert!(bits(loader.epoch_from(2, 3)) == want[3..], "{} resumed", kind.name);
        }
        let plain = pictures(23, 3, [20, 30]).batches(5).shuffle().seed(4);
        assert!(bits(plain.epoch(2)) != want, "{} changes nothing", kind.name);
        // The order of another epoch is another one, so samples are compared in the set's own.
        let ordered = pictures(23, 3, [20, 30]).batches(5).transform(transform(&strong(kind.name)));
        let (first, second) = (ordered.clone().seed(4), ordered.seed(5));
        assert!(bits(first.epoch(2)) != bits(first.epoch(3)), "{} does the same in each epoch", kind.name);
        assert!(bits(first.epoch(2)) != bits(second.epoch(2)), "{} does the same for each seed", kind.name);
    }
}

#[test]
fn nothing_changes_at_strength_0() {
    for kind in TRANSFORMS {
        let Some(entry) = weak(kind.name) else { continue };
        for channels in [1, 3] {
            let set = pictures(12, channels, [17, 15]);
            let plain: Vec<Tensor> = set.batches(6).epoch(0).map(|b| b.unwrap().x.clone()).collect();
            let changed = set.batches(6).transform(transform(&entry));
            for (batch, plain) in changed.epoch(0).zip(&plain) {
                let furthest = (&batch.unwrap().x - plain).abs().max(..).item();
                assert!(furthest < 1e-6, "{entry}: {furthest}");
            }
        }
    }
}

#[test]
fn numbers_of_other_ranges_are_refused_where_they_would_be_cut_off() {
    let kinds =
        ["color_jitter", "grayscale", "autocontrast", "equalize", "posterize", "solarize", "gaussian_blur"];
    for name in kinds.into_iter().chain(["rand_augment", "trivial_augment"]) {
        let set = InMemory::new(Tensor::full([2, 3, 8, 8], 200.0), tensor![0, 1]);
        let batch = set.batches(2).transform(transform(&strong(name))).epoch(0).next().unwrap();
        let e = batch.err().unwrap_or_else(|| panic!("{name}"));
        assert!(e.message().contains("in 0 ..= 1, and there is 200"), "{e}");
    }
}

#[test]
fn what_cannot_be_mixed_is_an_error() {
    for name in ["mixup", "cutmix"] {
        // Targets that are no classes are mixed as they are.
        let values = InMemory::new(Tensor::ones([4, 1, 6, 6]), tensor![[1.0], [2.0], [3.0], [4.0]]);
        let batch = values
            .batches(4)
            .seed(2)
            .transform(transform(&Entry::new(name)))
            .epoch(0)
            .next()
            .unwrap()
            .unwrap();
        assert_eq!(batch.y.shape(), [4, 1]);
        assert!((batch.y.mean(..).item() - 2.5).abs() < 1e-6);
        let labels = InMemory::new(Tensor::ones([4, 1, 6, 6]), Tensor::zeros([4, 2]).to(DType::I64));
        let batch = labels.batches(4).transform(transform(&Entry::new(name))).epoch(0).next().unwrap();
        assert!(batch.err().unwrap().message().contains("no classes that could be mixed"));
    }
}
