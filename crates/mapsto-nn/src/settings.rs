//! Every number that can be set, in files and in Rust, refuses what it cannot mean: one test over all of them.

#![cfg(test)]

mod in_files;
mod in_rust;

use crate::init::Init;
use crate::prelude::*;
use crate::schedules::Horizon;
use in_files::in_files;
use in_rust::IN_RUST;
use mapsto_spec::{Entry, Family, Value};

/// What a setting may be, as its documentation says.
#[derive(Clone, Copy, Debug, PartialEq)]
enum May {
    Finite,
    Not0,
    AtLeast0,
    Above0,
    AtLeast1,
    Share,
    UpTo1,
    /// From −1 to 1.
    Cosines,
    /// A whole number of at least 1.
    Count,
    /// A whole number of at least 0.
    Whole,
}
use May::*;

impl May {
    fn be(self, x: f64) -> bool {
        x.is_finite()
            && match self {
                Finite => true,
                Not0 => x != 0.0,
                AtLeast0 => x >= 0.0,
                Above0 => x > 0.0,
                AtLeast1 => x >= 1.0,
                Share => (0.0..1.0).contains(&x),
                UpTo1 => (0.0..=1.0).contains(&x),
                Cosines => (-1.0..=1.0).contains(&x),
                Count => x >= 1.0 && x.fract() == 0.0,
                Whole => x >= 0.0 && x.fract() == 0.0,
            }
    }
}

const TRIED: [f64; 9] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -1e-9, 0.0, 0.5, 1.0, 2.0];

/// The entry with what it cannot do without.
fn sample(noun: &str, name: &str) -> Entry {
    fn of<T: Family + ?Sized>(name: &str) -> Option<Entry> {
        T::kinds().iter().find(|kind| kind.name == name).map(|kind| kind.sample())
    }
    type Sampled = fn(&str) -> Option<Entry>;
    let families: [(&str, Sampled); 5] = [
        ("optimizer", of::<dyn Optimizer>),
        ("schedule", of::<dyn Schedule>),
        ("loss", of::<dyn Loss>),
        ("initialiser", of::<dyn Init>),
        ("layer", of::<dyn Layer>),
    ];
    families.iter().find(|family| family.0 == noun).and_then(|family| (family.1)(name)).unwrap()
}

/// Builds an entry and returns it with its defaults; what was built must say the same.
fn told<T: Family + ?Sized>(entry: &Entry, given: &T::Given) -> mapsto_tensor::Result<Entry> {
    let (built, filled) = mapsto_spec::filled::<T>(entry, given)?;
    let said = T::entry_of(&built, given);
    // An end or a length that rounds to another one of the same steps says so in its own number.
    let same = said.as_ref().is_some_and(|said| said.agrees(&filled)) || T::NOUN == "schedule";
    assert!(same, "{filled} says {said:?}");
    Ok(filled)
}

/// Builds an entry and returns it with its defaults.
fn build(noun: &str, entry: &Entry) -> mapsto_tensor::Result<Entry> {
    let horizon = Horizon { steps: 100, epoch: 10 };
    match noun {
        "optimizer" => told::<dyn Optimizer>(entry, &()),
        "schedule" => told::<dyn Schedule>(entry, &horizon),
        "loss" => told::<dyn Loss>(entry, &()),
        "initialiser" => told::<dyn Init>(entry, &()),
        _ => {
            let images = ["conv2d", "max_pool2d", "avg_pool2d", "adaptive_max_pool2d"];
            let larger = [
                "conv_transpose2d",
                "local_response_norm",
                "upsample",
                "pixel_shuffle",
                "pad2d",
                "squeeze_excite",
                "softmax2d",
            ];
            let input = match entry.name.as_str() {
                name if images.contains(&name) || name == "adaptive_avg_pool2d" || name == "batch_norm2d" => {
                    vec![2, 6, 6]
                }
                "conv3d" | "conv_transpose3d" | "batch_norm3d" => vec![2, 4, 6, 6],
                "depthwise_conv2d" | "separable_conv2d" => vec![2, 6, 6],
                "embedding" | "embedding_bag" | "repeat_vector" => vec![4],
                name if name.ends_with("pool3d") => vec![2, 3, 4, 4],
                "pad3d" => vec![2, 3, 4, 4],
                "lp_pool2d" | "pixel_unshuffle" | "unfold" => vec![2, 6, 6],
                "fold" => vec![3, 4],
                "fractional_max_pool2d" | "conv_lstm1d" => vec![2, 6, 6],
                "conv_lstm2d" => vec![2, 2, 6, 6],
                "conv_lstm3d" => vec![2, 2, 4, 4, 4],
                name if larger.contains(&name) => vec![4, 6, 6],
                _ => vec![4, 6],
            };
            ModelSpec::new(input, [entry.clone()]).rendered().map(|spec| spec.layers[0].clone())
        }
    }
}

#[test]
fn every_setting_of_every_entry_refuses_what_it_cannot_mean() {
    let table = in_files();
    fn of<T: Family + ?Sized>() -> (&'static str, Vec<&'static str>) {
        (T::NOUN, T::kinds().iter().map(|kind| kind.name).collect())
    }
    let families =
        [of::<dyn Optimizer>(), of::<dyn Schedule>(), of::<dyn Loss>(), of::<dyn Layer>(), of::<dyn Init>()];
    let mut missing = String::new();
    for (noun, kinds) in &families {
        for name in kinds.iter().filter(|name| !table.iter().any(|row| (row.0, row.1) == (*noun, **name))) {
            missing += &format!("\n        (\"{noun}\", \"{name}\", vec![]),");
        }
    }
    let told = format!("say in `in_files` of {} what each number may be, as in", in_files::FILE);
    assert!(missing.is_empty(), "{told}{missing}");
    assert_eq!(
        table.len(),
        families.iter().map(|f| f.1.len()).sum::<usize>(),
        "an entry is there twice, or is gone"
    );
    let (mut settings, mut tried) = (0, 0);
    for (noun, name, may) in &table {
        let least = sample(noun, name);
        // No number with a default may be missing from the table.
        let rendered = build(noun, &least).unwrap_or_else(|e| panic!("{noun} {name}: {e}"));
        let main = rendered.value.iter().map(|v| ("", v));
        for (option, value) in main.chain(rendered.options.iter().map(|(n, v)| (n.as_str(), v))) {
            if matches!(value, Value::Int(_) | Value::Float(_)) {
                assert!(may.iter().any(|(n, _)| *n == option), "{noun} `{name}` has a setting `{option}`");
            }
        }
        for (option, may) in may {
            settings += 1;
            for x in TRIED {
                let whole = matches!(may, Count | Whole) && x.fract() == 0.0;
                let value = if whole { Value::Int(x as i64) } else { Value::Float(x) };
                let entry = match *option {
                    "" => least.clone().with_value(value),
                    option => least.clone().with_option(option, value),
                };
                let built = catch(|| build(noun, &entry)).expect("an error and no panic");
                // What fits the bounds may still not fit the input, as two groups of three channels.
                let fits = may.be(x);
                let message = built.as_ref().err().map_or(String::new(), |e| e.message().to_string());
                assert!(fits || built.is_err(), "{entry}: {x} is taken for a {may:?}");
                assert!(!fits || !message.contains("must be"), "{entry}: {message}");
                tried += 1;
            }
        }
    }
    assert!(settings >= 77 && tried == settings * TRIED.len(), "{settings} settings, {tried} numbers");
}

#[test]
fn every_builder_refuses_what_it_cannot_mean() {
    // The functions are read out of the sources, so that a new one cannot be left out of the list.
    let src = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = std::collections::BTreeSet::new();
    let folders = ["optim", "schedules", "losses", "layers", "init"].map(|folder| src.join(folder));
    let files = folders.iter().flat_map(|f| std::fs::read_dir(f).unwrap().map(|e| e.unwrap().path()));
    let files = files.filter(|file| file.is_file());
    for file in files.chain(["recurrent.rs", "module/ema.rs"].map(|f| src.join(f))) {
        let stem = file.file_stem().unwrap().to_str().unwrap().to_string();
        for line in std::fs::read_to_string(&file).unwrap().lines() {
            // What many have alike is made by a macro: `settings!(betas, eps, decay);`.
            let made = line.trim().strip_prefix("settings!(").and_then(|l| l.strip_suffix(");"));
            found.extend(made.into_iter().flat_map(|l| l.split(", ")).map(|name| format!("{stem}::{name}")));
            let Some((name, rest)) = line.trim().strip_prefix("pub fn ").and_then(|l| l.split_once('('))
            else {
                continue;
            };
            if rest.split(')').next().unwrap().contains(": f64") || rest.contains(", beta: f64") {
                found.insert(format!("{stem}::{name}"));
            }
        }
    }
    let listed: std::collections::BTreeSet<String> = IN_RUST.iter().map(|(n, ..)| n.to_string()).collect();
    let missing: Vec<&String> = found.difference(&listed).collect();
    assert!(
        missing.is_empty(),
        "say in `IN_RUST` of {} which numbers these take: {missing:?}",
        in_rust::FILE
    );
    assert_eq!(listed, found, "a row of `IN_RUST` is of no function");
    for (name, may, set) in IN_RUST {
        for x in TRIED {
            let refused = catch(|| set(x)).err();
            assert_eq!(refused.is_none(), may.be(x), "{name}({x}): {refused:?}");
            if let Some(e) = refused {
                assert!(e.message().contains("must be"), "{e}");
            }
        }
    }
    assert!(listed.len() >= 46 && IN_RUST.len() >= 48, "the functions are written in another way now");
}
