//! Every parser of bytes from outside, with inputs that it reads: what the stable loop and cargo-fuzz try.

use mapsto_data::{Color, Dataset, Idx, InMemory, Preprocess, Table, parse_image};
use mapsto_experiment::{Config, Override};
use mapsto_nn::{Adam, Linear, ModelSpec, mse};
use mapsto_spec::{Entry, Json};
use mapsto_tensor::Tensor;
use mapsto_train::callbacks::{Checkpoint, EarlyStop};
use mapsto_train::{History, ModelFile, Trainer, read_tensors, write_tensors};
use std::path::{Path, PathBuf};

/// A parser: it may refuse any bytes, and panic about none.
pub struct Parser {
    /// Its name, as in `fuzz/fuzz_targets`.
    pub name: &'static str,
    /// Bytes that it reads, to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Whether it takes these bytes.
    pub takes: fn(&[u8]) -> bool,
}

/// All of them.
pub const PARSERS: &[Parser] = &[
    Parser {
        name: "idx",
        seeds: idx_seeds,
        takes: |bytes| Idx::parse(bytes).is_ok_and(|array| !array.tensor().shape().is_empty()),
    },
    Parser { name: "csv", seeds: csv_seeds, takes: csv },
    Parser { name: "image", seeds: image_seeds, takes: |bytes| parse_image(bytes, Color::Rgb).is_ok() },
    Parser { name: "safetensors", seeds: model_seeds, takes: |bytes| read_tensors(bytes).is_ok() },
    Parser { name: "model", seeds: model_seeds, takes: model },
    Parser {
        name: "json",
        seeds: json_seeds,
        takes: |bytes| text(bytes).is_some_and(|text| Json::parse(text).is_ok()),
    },
    Parser { name: "spec", seeds: json_seeds, takes: spec },
    Parser { name: "config", seeds: config_seeds, takes: config },
    Parser { name: "flag", seeds: config_seeds, takes: |bytes| text(bytes).is_some_and(flag) },
    Parser { name: "state", seeds: state_seeds, takes: state },
    Parser {
        name: "metrics",
        seeds: metrics_seeds,
        takes: |bytes| text(bytes).is_some_and(|text| History::from_csv(text).is_ok()),
    },
];

/// Whether it is a training file, which must then read back as it is rendered.
fn config(bytes: &[u8]) -> bool {
    let Some(Ok(config)) = text(bytes).map(|text| Config::parse(text, &[])) else { return false };
    let rendered = config.render();
    let again = Config::parse(&rendered, &[]).map(|config| config.render());
    assert_eq!(again.as_ref(), Ok(&rendered), "not the same twice");
    true
}

/// Whether it is the value of an override; an option of a set may be any value.
fn flag(text: &str) -> bool {
    let file = "[data]\nset = 'csv'\n[model]\nlayers = ['flatten']\n[train]\nloss = 'mse'\n";
    Config::parse(file, &[Override::new("data.option", text)]).is_ok()
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn csv(bytes: &[u8]) -> bool {
    let Ok(table) = Table::parse(bytes, "fuzz.csv") else { return false };
    let Some(last) = table.columns().last() else { return false };
    let Ok(chosen) = table.features_except([last]) else { return false };
    chosen.class(last).is_ok() | chosen.target(last).is_ok()
}

fn model(bytes: &[u8]) -> bool {
    ModelFile::from_bytes(bytes).is_ok_and(|file| file.build().is_ok() & file.info.preprocessing().is_ok())
}

fn spec(bytes: &[u8]) -> bool {
    let Some(json) = text(bytes).and_then(|text| Json::parse(text).ok()) else { return false };
    let steps = json.list().unwrap_or_default().iter().map(Entry::from_json).collect::<Result<Vec<_>, _>>();
    let prepared = steps.is_ok_and(|steps| Preprocess::from_entries(&steps).is_ok());
    prepared | ModelSpec::from_json(&json).is_ok_and(|spec| spec.build_within(10_000).is_ok())
}

fn idx_seeds() -> Vec<Vec<u8>> {
    vec![
        [&[0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3][..], &[7; 6]].concat(),
        [&[0, 0, 13, 1, 0, 0, 0, 2][..], &[0; 8]].concat(),
        [&[0, 0, 8, 7][..], &[0, 0, 0, 1].repeat(7), &[1]].concat(),
    ]
}

fn csv_seeds() -> Vec<Vec<u8>> {
    [
        "a,b,kind\n1,2.5,x\n-3e2,\"4\",y\n",
        ",a,y\n0,1.5,3\n1,2.5,5\n",
        "a;b\n1,5;2\n",
        "\u{feff}a,b\r\n1,2\r\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// The smallest pictures of either format, and two on which the JPEG decoder panics.
fn image_seeds() -> Vec<Vec<u8>> {
    vec![
        include_bytes!("../../crates/mapsto-data/src/picture/crash_1.bin").to_vec(),
        include_bytes!("../../crates/mapsto-data/src/picture/crash_2.bin").to_vec(),
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0:~\x9bU\0\0\0\nIDATx\x9cc`\0\0\0\x02\0\x01H\xaf\xa4q\0\0\0\0IEND\xaeB`\x82".to_vec(),
    ]
}

fn model_seeds() -> Vec<Vec<u8>> {
    let entries = [
        Entry::new("linear").with_value(2usize),
        Entry::new("residual").with_value(vec![Entry::new("relu"), Entry::new("layer_norm")]),
    ];
    let spec = ModelSpec::new([3], entries);
    let folder = std::env::temp_dir().join(format!("mapsto-fuzz-{}", std::process::id()));
    let path = folder.join("model.safetensors");
    let written = std::fs::create_dir_all(&folder).is_ok()
        && spec
            .build()
            .is_ok_and(|model| ModelFile::of(&model).spec(&spec).classes(["no", "yes"]).write(&path).is_ok());
    let bytes = std::fs::read(&path).unwrap_or_default();
    // A folder that stays behind in the temporary ones harms nobody.
    let _ = std::fs::remove_dir_all(folder);
    assert!(written && !bytes.is_empty(), "the temporary folder takes a model file");
    vec![unsealed(&bytes), bytes]
}

/// The file without its digests, which would refuse every damage before it gets anywhere.
fn unsealed(bytes: &[u8]) -> Vec<u8> {
    let (mut texts, tensors) = read_tensors(bytes).unwrap_or_default();
    texts.retain(|(key, _)| !key.ends_with("digest"));
    let mut file = Vec::new();
    assert!(write_tensors(&mut file, &texts, &tensors).is_ok(), "memory takes a model file");
    file
}

fn json_seeds() -> Vec<Vec<u8>> {
    [
        r#"{"input":[1,8,8],"layers":[{"conv2d":2,"kernel":3},"relu","flatten",{"linear":3,"bias":false}]}"#,
        r#"{"input":[4,8],"layers":[{"lstm":3,"layers":2},{"attention":1},{"residual":[{"linear":3}]}]}"#,
        r#"[{"normalize":0.1307,"std":0.3081},{"standardize":true,"mean":[1.5],"std":[2.0]},{"scale":2}]"#,
        r#"{"a\n\u00e9":[1,-2.5e-3,null,true,"😀"],"b":{}}"#,
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

fn config_seeds() -> Vec<Vec<u8>> {
    [
        "[data]\nset = 'csv'\npath = 'a.csv'\nclass = 'kind'\nbatch = 8\nstandardize = true\naugment = [{ noise = 0.1 }]\n\
         [model]\ninput = [2]\nlayers = [{ linear = 8, bias = false }, 'relu', { residual = ['tanh'] }]\n\
         [train]\nloss = { cross_entropy = true, weights = [1, 2] }\noptimizer = { adam = 1e-3, groups = [{ '*.bias' = true, decay = 0 }] }\n\
         callbacks = [{ early_stop = 'val loss', patience = 3 }]\nepochs = 3\nclip_norm = 1\nout = 'runs/a'\n",
        "[data]\nset = 'mnist'\ntest = 0.25\nsplit = 'ordered'\n[model]\nlayers = ['flatten']\n[train]\nloss = 'mse'\nmatmul_precision = 'high'\n",
        "{ conv2d = 0x10, kernel = [3, 5], init = { normal = 0.02 } }",
        "[1, -2.5e3, inf, 'a', \"b\\u00e9\", true, 1979-05-27]",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// A run of one epoch on four samples, with or without what is written in a file.
fn train(write: Option<&Path>, resume: Option<&Path>) -> mapsto_tensor::Result<History> {
    let x = Tensor::linspace(-1.0, 1.0, 4).reshape([4, 1]);
    let set = InMemory::new(x.clone(), &x * 3.0);
    let mut trainer = Trainer::new(Adam::new(0.1), mse).quiet().on(EarlyStop::watching("loss"));
    if let Some(path) = write {
        trainer = trainer.on(Checkpoint::last().to(path));
    }
    if let Some(path) = resume {
        trainer = trainer.resume(path);
    }
    trainer.fit(&mut Linear::new(1, 1), set.batches(2), None)
}

fn place(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("mapsto-fuzz-{name}-{}.safetensors", std::process::id()))
}

/// Whether a run goes on from these bytes.
fn state(bytes: &[u8]) -> bool {
    let path = place("state");
    let goes_on = std::fs::write(&path, bytes).is_ok() && train(None, Some(&path)).is_ok();
    let _ = std::fs::remove_file(path);
    goes_on
}

/// A state, and the same without its digests.
fn state_seeds() -> Vec<Vec<u8>> {
    let path = place("seed");
    let trained = train(Some(&path), None).is_ok();
    let whole = std::fs::read(&path).unwrap_or_default();
    let _ = std::fs::remove_file(path);
    assert!(trained && !whole.is_empty(), "the temporary folder takes a training state");
    vec![unsealed(&whole), whole]
}

fn metrics_seeds() -> Vec<Vec<u8>> {
    vec![
        History::default().to_csv().into_bytes(),
        b"epoch,step,lr,loss,seconds,samples_per_second,waiting\n1,10,0.1,2.5,1,100,0\n".to_vec(),
    ]
}
