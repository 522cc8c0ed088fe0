//! The samples as `write.py` wrote them: a line of JSON each, and the tensors that it names in a safetensors file.

use mapsto::prelude::*;
use mapsto::spec::Json;
use std::collections::HashMap;
use std::fmt;
use std::path::Path;

/// A call of PyTorch's, or a module with a call of it.
pub struct Sample {
    pub id: String,
    pub op: String,
    pub args: Vec<Json>,
    pub kwargs: Vec<(String, Json)>,
    pub inputs: Vec<Tensor>,
    pub outputs: Vec<Tensor>,
    /// Of each input the gradient of `Σ y · wave`, and that of `Σ gradients · wave`.
    pub first: Vec<Option<Tensor>>,
    #[allow(dead_code, reason = "modules have none")]
    pub second: Vec<Option<Tensor>>,
    /// PyTorch's message, where it refuses.
    pub refused: Option<String>,
    /// The whole line, of which a module's has more.
    #[allow(dead_code, reason = "the samples of operations have nothing else")]
    pub line: Json,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shapes: Vec<_> = self.inputs.iter().map(|x| format!("{:?} {}", x.shape(), x.dtype())).collect();
        write!(f, "{} of {}", Json::List(self.args.clone()), shapes.join(", "))?;
        self.kwargs.iter().try_for_each(|(name, value)| write!(f, ", {name}={value}"))?;
        self.refused.iter().try_for_each(|reason| write!(f, " ({reason})"))
    }
}

fn tensors(path: &Path) -> HashMap<String, Tensor> {
    let bytes = std::fs::read(path).expect("the samples' tensors");
    let (head, rest) = bytes.split_at(8);
    let (head, data) = rest.split_at(u64::from_le_bytes(head.try_into().expect("8 bytes")) as usize);
    let head = Json::parse(std::str::from_utf8(head).expect("text")).expect("the header");
    let of = |(name, entry): &(String, Json)| {
        let whole = |json: &Json| json.int().expect("a number") as usize;
        let list = |key: &str| {
            entry.get(key).and_then(Json::list).expect("a list").iter().map(whole).collect::<Vec<_>>()
        };
        let (shape, span) = (list("shape"), list("data_offsets"));
        let raw = &data[span[0]..span[1]];
        let words = || raw.chunks_exact(8).map(|b| b.try_into().expect("8 bytes"));
        let tensor = match entry.get("dtype").and_then(Json::str).expect("a dtype") {
            "F64" => Tensor::from_vec(words().map(f64::from_le_bytes).collect::<Vec<_>>(), &shape[..]),
            "I64" => Tensor::from_vec(words().map(i64::from_le_bytes).collect::<Vec<_>>(), &shape[..]),
            "F32" => {
                let words = raw.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("4 bytes")));
                Tensor::from_vec(words.collect::<Vec<_>>(), &shape[..])
            }
            "BOOL" => Tensor::from_vec(raw.iter().map(|b| *b != 0).collect::<Vec<_>>(), &shape[..]),
            "U8" => Tensor::from_vec(raw.to_vec(), &shape[..]),
            other => panic!("a tensor of {other}"),
        };
        (name.clone(), tensor)
    };
    // More axes than a tensor has are left out, and with them their sample.
    head.object()
        .expect("an object")
        .iter()
        .filter(|(_, e)| e.get("shape").and_then(Json::list).is_some_and(|shape| shape.len() <= 6))
        .map(of)
        .collect()
}

/// All samples of a file whose tensors have at most six axes.
pub fn samples(file: &str) -> Vec<Sample> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("opinfo");
    let tensors = tensors(&folder.join(format!("{file}.safetensors")));
    let lines = std::fs::read_to_string(folder.join(format!("{file}.jsonl"))).expect("the samples");
    let mut of: HashMap<&str, Vec<&String>> = HashMap::new();
    for name in tensors.keys() {
        of.entry(name.split('.').next().unwrap_or_default()).or_default().push(name);
    }
    let read = |line: &str| {
        let json = Json::parse(line).expect("a line of JSON");
        let text = |key: &str| json.get(key).and_then(Json::str).map(str::to_string);
        let id = text("id").expect("an id");
        let named = |what: &str, i: usize| tensors.get(&format!("{id}.{what}{i}")).cloned();
        let count = |what: &str| (0..).take_while(|i| named(what, *i).is_some()).count();
        let inputs: Vec<Tensor> = (0..count("x")).filter_map(|i| named("x", i)).collect();
        let outputs = json.get("outputs").and_then(Json::int).expect("how many") as usize;
        let outputs: Vec<Tensor> = (0..outputs).map(|i| named("y", i)).collect::<Option<_>>()?;
        Some(Sample {
            op: text("op").expect("a name"),
            args: json.get("args").and_then(Json::list)?.to_vec(),
            kwargs: json.get("kwargs").and_then(Json::object)?.to_vec(),
            first: (0..inputs.len()).map(|i| named("g", i)).collect(),
            second: (0..inputs.len()).map(|i| named("h", i)).collect(),
            refused: text("refused"),
            inputs,
            outputs,
            id,
            line: json,
        })
    };
    lines.lines().filter_map(read).collect()
}
