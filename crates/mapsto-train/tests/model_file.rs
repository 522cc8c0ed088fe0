//! Model files come back bit for bit, read what the reference implementation wrote, and survive every kind of damage.

use mapsto_data::{Preprocess, Scale};
use mapsto_nn::prelude::*;
use mapsto_spec::Entry;
use mapsto_tensor::{DType, ErrorKind};
use mapsto_train::prelude::*;
use mapsto_train::{read_tensors, write_tensors};

const FROM_PYTHON: &[u8] = include_bytes!("golden/from_python.safetensors");

fn file() -> Vec<u8> {
    let tensors = [
        ("flag".to_string(), Tensor::from_vec(vec![true, false, true], [3])),
        ("blocks.3.attn.qkv.weight".to_string(), Tensor::arange(0..24).to(DType::F32).reshape([2, 3, 4])),
        ("bias".to_string(), tensor![0.1, -0.2].to(DType::F64)),
        ("step".to_string(), Tensor::from_vec(vec![-5_i64], [0_usize; 0])),
        ("none".to_string(), Tensor::zeros([0, 7])),
        ("ids".to_string(), Tensor::from_vec(vec![1_i32, 2], [2])),
        ("tiny".to_string(), Tensor::from_vec(vec![200_u8], [1])),
        ("small".to_string(), Tensor::from_vec(vec![-7_i8], [1])),
        ("half".to_string(), tensor![1.5, -2.5].to(DType::F16)),
        ("brain".to_string(), tensor![1.5, -2.5].to(DType::BF16)),
    ];
    let mut bytes = Vec::new();
    write_tensors(&mut bytes, &[("classes".into(), "[\"a \\\"b\\\"\"]".into())], &tensors).unwrap();
    bytes
}

#[test]
fn every_dtype_comes_back() {
    let (metadata, tensors) = read_tensors(&file()).unwrap();
    assert_eq!(metadata, [("classes".to_string(), "[\"a \\\"b\\\"\"]".to_string())]);
    let of = |name: &str| tensors.iter().find(|(n, _)| n == name).unwrap().1.clone();
    assert_eq!(tensors.len(), 10);
    assert_eq!(of("flag").to_vec::<bool>(), [true, false, true]);
    assert_eq!(of("blocks.3.attn.qkv.weight").shape(), [2, 3, 4]);
    assert_eq!(of("blocks.3.attn.qkv.weight").to_vec::<f32>()[23], 23.0);
    assert_eq!(of("bias").to_vec::<f64>(), tensor![0.1, -0.2].to(DType::F64).to_vec::<f64>());
    assert_eq!((of("step").item(), of("step").rank()), (-5.0, 0));
    assert_eq!(of("none").shape(), [0, 7]);
    assert_eq!((of("ids").dtype(), of("tiny").item(), of("small").item()), (DType::I32, 200.0, -7.0));
    assert_eq!((of("half").dtype(), of("half").to_vec::<f32>()), (DType::F16, vec![1.5, -2.5]));
    assert_eq!((of("brain").dtype(), of("brain").to_vec::<f32>()), (DType::BF16, vec![1.5, -2.5]));
}

#[test]
fn reads_what_the_reference_implementation_wrote() {
    let (metadata, tensors) = read_tensors(FROM_PYTHON).unwrap();
    assert_eq!(metadata, [("note".to_string(), "quotes \" and \n lines, ünïcode".to_string())]);
    let of = |name: &str| tensors.iter().find(|(n, _)| n == name).unwrap().1.clone();
    assert_eq!(of("fc.weight").to_vec::<f32>(), [0.0, 0.25, 0.5, 0.75, 1.0, 1.25]);
    assert_eq!(of("fc.weight").shape(), [2, 3]);
    assert_eq!(of("fc.bias").to_vec::<f64>(), [-1.5, 2.0]);
    assert_eq!(of("steps").item(), 7.0);
    assert_eq!(of("small").to_vec::<i8>(), [-1, 2, 127]);
    assert_eq!(of("half").to_vec::<f32>(), [0.5, -2.0, 65504.0]);
    assert_eq!(of("mask").to_vec::<bool>(), [true, false]);
    assert_eq!(of("empty").shape(), [0, 3]);
}

fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

#[test]
fn hostile_headers_are_refused() {
    let entry = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"x":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    let deep = "[".repeat(50_000);
    let wide = format!("[{}0]", "0,".repeat(50_000));
    let data = [0_u8; 8];
    for (header, why) in [
        (entry("F32", "[2]", "[0,8]"), ""),
        (entry("F32", "[3]", "[0,8]"), "does not fill"),
        (entry("F32", "[2]", "[0,16]"), "does not fill"),
        (entry("F32", "[2]", "[8,0]"), "does not fill"),
        (entry("F32", "[4611686018427387904,4]", "[0,8]"), "does not fill"),
        (entry("F32", "[0,9223372036854775807,9223372036854775807]", "[0,0]"), "does not fill"),
        (entry("F32", "[99999999999999999999999]", "[0,8]"), "whole number"),
        (entry("F32", "[-2]", "[0,8]"), "whole number"),
        (entry("F32", "[1]", "[0,4]"), "the tensors take 4 bytes, the file has 8"),
        (entry("F32", "[1]", "[4,8]"), "starts at byte 4"),
        (entry("F32", "[2]", "[0]"), "1 data_offsets"),
        (entry("F31", "[2]", "[0,8]"), "unknown dtype `F31`"),
        (entry("F32", &wide, "[0,8]"), "too many axes"),
        (entry("F32", &deep, "[0,8]"), "whole number"),
        (r#"{"x":{"dtype":"F32","shape":[2]}}"#.into(), "lacks"),
        (r#"{"x":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#.into(), "same key twice"),
        (entry("F32", "[2]", "[0,8]").replace("\"shape\"", "\"more\":1,\"shape\""), "unknown key"),
        (r#"{"__metadata__":{"a":"1","a":"2"}}"#.into(), "stands twice"),
        (r#"{"__metadata__":{"a":1}}"#.into(), "expected"),
        (r#"{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"\u0061":{"dtype":"U8","shape":[0],"data_offsets":[8,8]}}"#.into(), "stands twice"),
        (r#"{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}"#.into(), "starts at byte 0"),
        ("{".into(), "expected"),
        ("[]".into(), "expected"),
        ("{\"x".into(), "without an end"),
        ("{} x".into(), "text after the header"),
        ("".into(), "expected"),
    ] {
        match read_tensors(&with_header(&header, &data)) {
            Ok(_) => assert_eq!(why, "", "{header} was read"),
            Err(e) => {
                assert!(!why.is_empty() && e.to_string().contains(why), "{header}: {e}");
                assert_eq!(e.kind(), ErrorKind::Data);
            }
        }
    }
    for claimed in [u64::MAX, 1 << 40, 9] {
        let bytes = [&claimed.to_le_bytes()[..], b"{}      "].concat();
        let said = if claimed == 9 { "a header of 9 bytes" } else { "it is no model file" };
        assert!(read_tensors(&bytes).unwrap_err().to_string().contains(said), "{claimed}");
    }
    assert!(read_tensors(b"1234567").unwrap_err().to_string().contains("too few"));
    assert!(read_tensors(&with_header("\u{0}\u{0}", &[])).is_err());
    let bool_of_two = with_header(&entry("BOOL", "[1]", "[0,1]"), &[2]);
    assert!(read_tensors(&bool_of_two).unwrap_err().to_string().contains("neither 0 nor 1"));
}

/// Damages a file in one of the ways files are damaged, or attacked.
fn damaged(good: &[u8], key: &mut random::Keyed) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..1 + key.below(4) {
        let at = key.below(bytes.len().max(1));
        match key.below(6) {
            0 => bytes.truncate(at),
            1 if at < bytes.len() => bytes[at] ^= 1 << key.below(8),
            2 if at < bytes.len() => bytes[at] = b"{}[]\",:0919\\ \xff"[key.below(14)],
            3 => bytes.extend((0..key.below(9)).map(|_| b'0')),
            4 if bytes.len() > 8 => {
                let (from, n) = (key.below(bytes.len()), key.below(16));
                let piece = bytes[from..(from + n).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            5 if bytes.len() > 8 => {
                bytes[..8].copy_from_slice(&(key.below(2 * good.len()) as u64).to_le_bytes())
            }
            _ => {}
        }
    }
    bytes
}

#[test]
fn thirty_thousand_damaged_files_give_errors_and_no_panic() {
    let mut key = random::Keyed::new(&[2024]);
    let (mut refused, mut read) = (0, 0);
    for good in [file(), FROM_PYTHON.to_vec(), small_model()] {
        for _ in 0..10_000 {
            let bytes = damaged(&good, &mut key);
            match ModelFile::from_bytes(&bytes) {
                Err(e) => {
                    assert!(!e.message().is_empty());
                    refused += 1;
                }
                Ok(file) => {
                    let size: usize = file.tensors.iter().map(|(_, t)| t.len() * t.dtype().size()).sum();
                    assert!(size <= bytes.len());
                    read += 1;
                }
            }
        }
    }
    assert_eq!(refused + read, 30_000);
    assert!(
        refused > 15_000 && read > 300,
        "{refused} refused, {read} read: the damage is too mild or too harsh"
    );
}

fn small_model() -> Vec<u8> {
    // Tests that run at the same time have a file each.
    let name = format!("mapsto-small-{}-{:?}.safetensors", std::process::id(), std::thread::current().id());
    let path = std::env::temp_dir().join(name);
    let spec = ModelSpec::new([2], [Entry::new("linear").with_value(1_usize)]);
    ModelFile::of(&spec.build().unwrap()).classes(["no", "yes"]).spec(&spec).write(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(path).unwrap();
    bytes
}

#[test]
fn a_model_comes_back_from_its_file_alone() {
    let path = std::env::temp_dir().join(format!("mapsto-info-{}.safetensors", std::process::id()));
    let layers = [
        Entry::new("linear").with_value(3_usize),
        Entry::new("relu"),
        Entry::new("linear").with_value(2_usize),
    ];
    let spec = ModelSpec::new([2], layers);
    let model = spec.build().unwrap();
    let preprocess = Preprocess::new().then(Scale::new(0.5));
    ModelFile::of(&model).classes(["no", "y\"es"]).spec(&spec).preprocess(&preprocess).write(&path).unwrap();

    let file = ModelFile::read(&path).unwrap();
    let x = tensor![[1.0, -2.0]];
    assert_eq!(file.build().unwrap().forward(&x).to_vec::<f32>(), model.forward(&x).to_vec::<f32>());
    assert_eq!(file.info.preprocessing().unwrap().apply(x).to_vec::<f32>(), [0.5, -1.0]);
    assert_eq!(file.info.classes, ["no", "y\"es"]);
    std::fs::remove_file(path).unwrap();

    let without = ModelFile::of(&model).build().unwrap_err();
    assert!(without.to_string().contains("no spec to build a model from"));
}

#[test]
fn a_model_of_another_shape_is_named_and_left_alone() {
    let file = ModelFile::of(&seq![Linear::new(2, 3), Linear::new(3, 1)]);
    let mut other = seq![Linear::new(2, 3), Linear::new(4, 1)];
    let before = other.state_dict();
    let error = file.load_into(&mut other).unwrap_err().to_string();
    assert!(error.contains("1.weight") && error.contains("[1, 4]") && error.contains("[1, 3]"), "{error}");
    assert_eq!(before[0].1.to_vec::<f32>(), other.state_dict()[0].1.to_vec::<f32>());
    let report = file.load_into_except(&mut other, &Exceptions::of(["1.*"])).unwrap();
    assert_eq!(report.matched, ["0.weight", "0.bias", "1.bias"]);
}

#[test]
fn a_missing_file_is_named() {
    let error = ModelFile::read("no/such/model.safetensors").unwrap_err();
    assert!(error.kind() == ErrorKind::Io && error.to_string().contains("no/such/model.safetensors"));
}

#[test]
fn a_model_of_code_is_saved_with_its_layers_and_what_its_outputs_mean() {
    use mapsto_data::prelude::*;
    let folder = std::env::temp_dir().join(format!("mapsto-of-code-{}", std::process::id()));
    let set = || InMemory::new(Tensor::randn([12, 4]), tensor![0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2]);
    let fit = |net: &mut Sequential, name: &str| {
        let path = folder.join(name);
        let mut trainer = Trainer::new(Adam::new(0.01), cross_entropy).epochs(1);
        trainer = trainer.on(mapsto_train::callbacks::Checkpoint::best("loss").to(&path));
        trainer.fit(net, set().batches(4), None).unwrap();
        ModelFile::read(&path).unwrap()
    };
    let mut net =
        seq![Linear::new(4, 6), Tensor::tanh, Residual::new(seq![Linear::new(6, 6)]), Linear::new(6, 3)];
    let file = fit(&mut net, "listed.safetensors");
    let x = Tensor::randn([5, 4]);
    assert_eq!(file.build().unwrap().forward(&x).to_vec::<f32>(), net.forward(&x).to_vec::<f32>());
    let loss = Entry::from_json(file.info.loss.as_ref().unwrap()).unwrap();
    assert_eq!(loss.to_string(), "{ cross_entropy = true, label_smoothing = 0.0 }");
    // What no file can hold is saved as weights alone.
    let file = fit(&mut seq![Linear::new(4, 3), |x: &Tensor| x * 2.0], "closure.safetensors");
    assert_eq!(file.info.spec, None);
    std::fs::remove_dir_all(folder).unwrap();
}

/// Every file that is written: a model of a program, the best model of a run, the state to resume from.
#[test]
fn a_single_changed_bit_is_found_in_every_file() {
    use mapsto_data::{Dataset, InMemory};
    use mapsto_train::callbacks::{Checkpoint, EarlyStop};
    let at = |name: &str| std::env::temp_dir().join(format!("mapsto-bit-{name}-{}", std::process::id()));
    let (best, last) = (at("best"), at("last"));
    let set = InMemory::new(tensor![[1.0], [2.0]], tensor![[2.0], [4.0]]);
    let trainer = Trainer::new(Adam::new(0.01), mse).epochs(2).quiet();
    let trainer = trainer.on(Checkpoint::best("loss").to(&best)).on(Checkpoint::last().to(&last));
    let mut trainer = trainer.on(EarlyStop::watching("loss"));
    trainer.fit(&mut Linear::new(1, 1), set.batches(1), None).unwrap();
    for (what, good) in [
        ("a model", small_model()),
        ("the best model", std::fs::read(&best).unwrap()),
        ("the state", std::fs::read(&last).unwrap()),
    ] {
        // Without its name the digest is no digest; all else is then as it was written.
        let name = good.windows(13).position(|part| part == b"mapsto digest").unwrap();
        for bit in 0..8 * good.len() {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let read = ModelFile::from_bytes(&bytes);
            assert!(
                read.is_err() || (name..name + 13).contains(&(bit / 8)),
                "{what}: bit {bit} was not missed"
            );
        }
        ModelFile::from_bytes(&good).unwrap();
    }
    std::fs::remove_file(best).unwrap();
    std::fs::remove_file(last).unwrap();
}
