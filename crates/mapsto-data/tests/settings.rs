//! Every number that a transform or a preprocessing step can be set to, in files and in Rust, refuses what cannot change an
//! image: one test over all of them.

use mapsto_data::prelude::*;
use mapsto_data::preprocess::{Resize, STEPS};
use mapsto_data::transforms::TRANSFORMS;
use mapsto_spec::{Entry, Value};
use mapsto_tensor::prelude::*;
use std::sync::Arc;

const TRIED: [f64; 10] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -1e-9, 0.0, 0.5, 1.0, 2.0, 1e18];

type Fits = fn(f64) -> bool;
const WHOLE: Fits = |x| x >= 0.0 && x.fract() == 0.0;
const COUNT: Fits = |x| x >= 1.0 && x.fract() == 0.0;
const AT_LEAST_0: Fits = |x| x.is_finite() && x >= 0.0;
const UP_TO_1: Fits = |x| (0.0..=1.0).contains(&x);
const HALF_TURN: Fits = |x| (0.0..=180.0).contains(&x);
const FINITE: Fits = f64::is_finite;
const FACTOR: Fits = |x| x.is_finite() && x != 0.0;
const ABOVE_0: Fits = |x| x.is_finite() && x > 0.0;

/// Of each entry the settings that are numbers, `""` for the main value, and whether they are whole numbers.
type Settings = (&'static str, &'static [(&'static str, Fits, bool)]);

const IN_FILES: [Settings; 24] = [
    ("shift", &[("", WHOLE, true)]),
    ("rotate", &[("", HALF_TURN, false)]),
    ("flip", &[("", UP_TO_1, false)]),
    // Padding must stay below the window, which has three pixels here.
    ("crop", &[("", COUNT, true), ("padding", |x| WHOLE(x) && x < 3.0, true)]),
    ("noise", &[("", AT_LEAST_0, false)]),
    ("resized_crop", &[("", |x| COUNT(x) && x < 65_536.0, true)]),
    (
        "color_jitter",
        &[
            ("brightness", AT_LEAST_0, false),
            ("contrast", AT_LEAST_0, false),
            ("saturation", AT_LEAST_0, false),
            ("hue", |x| (0.0..=0.5).contains(&x), false),
        ],
    ),
    ("grayscale", &[("", UP_TO_1, false)]),
    ("gaussian_blur", &[("", |x| x == 1.0, true), ("probability", UP_TO_1, false)]),
    ("autocontrast", &[("", UP_TO_1, false)]),
    ("equalize", &[("", UP_TO_1, false)]),
    ("posterize", &[("", |x| COUNT(x) && x <= 8.0, true), ("probability", UP_TO_1, false)]),
    ("solarize", &[("", UP_TO_1, false), ("probability", UP_TO_1, false)]),
    ("cutout", &[("", WHOLE, true)]),
    ("random_erasing", &[("", UP_TO_1, false), ("value", UP_TO_1, false)]),
    (
        "rand_augment",
        &[("", |x| WHOLE(x) && x <= 100.0, true), ("magnitude", |x| WHOLE(x) && x <= 30.0, true)],
    ),
    ("trivial_augment", &[]),
    ("mixup", &[("", AT_LEAST_0, false)]),
    ("cutmix", &[("", AT_LEAST_0, false)]),
    ("scale", &[("", FACTOR, false), ("offset", FINITE, false)]),
    ("normalize", &[("", FINITE, false), ("std", ABOVE_0, false)]),
    ("standardize", &[("mean", FINITE, false), ("std", ABOVE_0, false)]),
    ("resize", &[("", |x| COUNT(x) && x < 65_536.0, true)]),
    ("columns", &[("one_hot", WHOLE, true)]),
];

/// The entry with what it cannot do without.
fn least(name: &str) -> Entry {
    let entry = Entry::new(name);
    match name {
        "crop" | "resize" | "shift" | "resized_crop" | "posterize" | "cutout" => entry.with_value(3_usize),
        "rotate" | "noise" | "scale" => entry.with_value(0.5),
        "normalize" => entry.with_value(0.5).with_option("std", 0.5),
        "standardize" => entry.with_option("mean", 0.5).with_option("std", 0.5),
        _ => entry,
    }
}

fn build(entry: &Entry) -> Result<()> {
    match TRANSFORMS.iter().any(|kind| kind.name == entry.name) {
        true => mapsto_spec::build::<dyn Transform>(entry, &()).map(drop),
        false => Preprocess::from_entries(std::slice::from_ref(entry)).map(drop),
    }
}

#[test]
fn every_setting_in_files_refuses_what_it_cannot_mean() {
    let known: Vec<&str> = TRANSFORMS.iter().map(|k| k.name).chain(STEPS.iter().map(|k| k.name)).collect();
    assert_eq!(IN_FILES.map(|settings| settings.0).to_vec(), known);
    let mut tried = 0;
    for (name, settings) in IN_FILES {
        for &(option, fits, is_whole) in settings {
            for x in TRIED {
                let value = if is_whole && x.fract() == 0.0 { Value::Int(x as i64) } else { Value::Float(x) };
                let entry = match option {
                    "" => least(name).with_value(value),
                    option => least(name).with_option(option, value),
                };
                let built = catch(|| build(&entry)).expect("an error and no panic");
                assert_eq!(built.is_ok(), fits(x), "{entry}: {built:?}");
                if let Err(e) = built {
                    let named = if option.is_empty() { name } else { option };
                    assert!(e.message().contains(named) || e.message().contains(name), "{entry}: {e}");
                }
                tried += 1;
            }
        }
    }
    assert_eq!(tried, 35 * TRIED.len());
}

#[test]
fn every_setting_in_rust_refuses_what_it_cannot_mean() {
    type Setter = (&'static str, Fits, fn(f64));
    let settings: [Setter; 22] = [
        ("rotate", HALF_TURN, |x| _ = Rotate::new(x)),
        ("flip", UP_TO_1, |x| _ = Flip::horizontal().probability(x)),
        ("noise", AT_LEAST_0, |x| _ = Noise::new(x)),
        ("brightness", AT_LEAST_0, |x| _ = ColorJitter::new().brightness(x)),
        ("contrast", AT_LEAST_0, |x| _ = ColorJitter::new().contrast(x)),
        ("saturation", AT_LEAST_0, |x| _ = ColorJitter::new().saturation(x)),
        ("hue", |x| (0.0..=0.5).contains(&x), |x| _ = ColorJitter::new().hue(x)),
        ("grayscale", UP_TO_1, |x| _ = Grayscale::new(x)),
        ("blur", UP_TO_1, |x| _ = GaussianBlur::new(3).probability(x)),
        ("sigma", ABOVE_0, |x| _ = GaussianBlur::new(3).sigma([x, x])),
        ("autocontrast", UP_TO_1, |x| _ = Autocontrast::new(x)),
        ("equalize", UP_TO_1, |x| _ = Equalize::new(x)),
        ("posterize", UP_TO_1, |x| _ = Posterize::new(3).probability(x)),
        ("solarize", UP_TO_1, |x| _ = Solarize::new(x)),
        ("erasing", UP_TO_1, |x| _ = RandomErasing::new(x)),
        ("area", |x| x > 0.0 && x <= 1.0, |x| _ = ResizedCrop::new([3, 3]).area([x, x])),
        ("mixup", AT_LEAST_0, |x| _ = Mixup::new(x)),
        ("cutmix", AT_LEAST_0, |x| _ = Cutmix::new(x)),
        ("scale", FACTOR, |x| _ = Scale::new(x)),
        ("offset", FINITE, |x| _ = Scale::new(1.0).offset(x)),
        ("mean", FINITE, |x| _ = Normalize::new([x], [1.0])),
        ("std", ABOVE_0, |x| _ = Normalize::new([0.0], [x])),
    ];
    for (name, fits, set) in settings {
        for x in TRIED {
            assert_eq!(catch(|| set(x)).is_ok(), fits(x), "{name}({x})");
        }
    }
    for size in [[0, 3], [3, 0]] {
        assert!(catch(|| Crop::random(size)).is_err() && catch(|| Crop::center(size)).is_err());
        assert!(catch(|| Resize::new(size)).is_err());
    }
    for (padding, fits) in [(0, true), (2, true), (3, false), (usize::MAX, false)] {
        assert_eq!(catch(|| Crop::random([4, 3]).padding(padding)).is_ok(), fits, "{padding}");
    }
}

/// What fits no picture of this size is named when the first picture comes.
#[test]
fn what_a_picture_is_too_small_for_is_refused_with_both_sizes() {
    let pictures = InMemory::new(Tensor::ones([2, 1, 6, 4]), tensor![0, 1]);
    let first = |transform: Arc<dyn Transform>| {
        let batch = pictures.clone().batches(2).transform(transform).epoch(0).next().unwrap();
        batch.map(|batch| batch.x.shape().to_vec()).map_err(|e| e.message().to_string())
    };
    assert_eq!(first(Arc::new(Shift::new(3))).unwrap(), [2, 1, 6, 4]);
    assert!(
        first(Arc::new(Shift::new(4))).unwrap_err().contains("4 pixels move an image of [6, 4] out of sight")
    );
    assert!(first(Arc::new(Shift::new(usize::MAX))).is_err());
    assert_eq!(first(Arc::new(Crop::random([6, 6]).padding(1))).unwrap(), [2, 1, 6, 6]);
    assert!(
        first(Arc::new(Crop::center([7, 4])))
            .unwrap_err()
            .contains("a window of [7, 4] from an image of [6, 4]")
    );
}
