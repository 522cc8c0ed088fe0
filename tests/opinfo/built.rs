//! Which of PyTorch's modules is what here, and how it is called.

#[path = "built_losses.rs"]
mod losses;

use super::read::Sample;
use mapsto::nn::recurrent::{Cell, RecurrentCell};
use mapsto::nn::{
    Bilinear, Exceptions, Gru, GruCell, Lstm, LstmCell, ModelSpec, Rnn, RnnCell, RnnRelu, RnnReluCell,
};
use mapsto::prelude::*;
use mapsto::spec::{Entry, Json};

/// Why a sample is not compared.
pub struct NotCompared(pub &'static str);

/// A module with its call.
pub struct Built<'a> {
    pub call: Box<dyn Fn() -> Vec<Tensor> + 'a>,
    pub parameters: Vec<(String, Tensor)>,
    /// Of each parameter its place among the tensors of the sample.
    pub names: Vec<(String, usize)>,
}

type Found<'a> = Result<Built<'a>, NotCompared>;

fn no<T>(reason: &'static str) -> Result<T, NotCompared> {
    Err(NotCompared(reason))
}

/// The settings of a sample and its tensors.
struct Of<'a> {
    sample: &'a Sample,
    tensors: &'a [Tensor],
}

impl<'a> Of<'a> {
    fn get(&self, name: &str) -> Option<&'a Json> {
        let found = self.sample.kwargs.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        found.filter(|json| **json != Json::Null)
    }

    fn number(&self, name: &str, default: f64) -> f64 {
        let read = |json: &Json| json.number().or_else(|| json.bool().map(f64::from));
        self.get(name).map_or(default, |json| read(json).expect("a number"))
    }

    fn flag(&self, name: &str, default: bool) -> bool {
        self.get(name).map_or(default, |json| json.bool().expect("true or false"))
    }

    /// Scale and shift of a norm as a training file says them.
    fn affine(&self, default: bool) -> String {
        let affine = self.flag("affine", default);
        format!(", \"affine\": {affine}, \"bias\": {}", affine && self.flag("bias", true))
    }

    /// A setting as a training file says it, `default` where there is none.
    fn text(&self, name: &str, default: &str) -> String {
        self.get(name).map_or(default.to_string(), ToString::to_string)
    }

    fn place(&self, json: &Json) -> Option<usize> {
        json.get("t").and_then(Json::int).map(|i| i as usize)
    }

    /// Argument `i` of the call, by its place or by its name.
    fn input(&self, i: usize, name: &str) -> Option<&'a Tensor> {
        let forward = self.sample.line.get("forward").and_then(|forward| forward.get(name));
        let json = self.sample.args.get(i).or(forward)?;
        Some(&self.tensors[self.place(json)?])
    }

    /// The parameters and buffers by their names, as PyTorch has them.
    fn state(&self) -> Vec<(String, usize)> {
        let state = self.sample.line.get("state").and_then(Json::object).expect("the state");
        state.iter().filter_map(|(name, json)| Some((name.clone(), self.place(json)?))).collect()
    }

    /// A layer of a training file on the first argument, which `rank` axes make one sample of.
    ///
    /// `entry` is written as in JSON; `rename` gives PyTorch's name of a parameter as ours, and nothing for what is not kept.
    fn layer(&self, entry: &str, rank: usize, rename: &dyn Fn(&str) -> Option<String>) -> Found<'a> {
        let Some(x) = self.input(0, "input") else { return no("the input is no tensor") };
        let single = x.rank() == rank;
        if !single && x.rank() != rank + 1 {
            return no("more axes than a batch of samples has");
        }
        if x.is_empty() {
            return no("a batch of nothing");
        }
        let sizes = if single { x.shape() } else { &x.shape()[1..] };
        let entry = Entry::from_json(&Json::parse(entry).expect("an entry")).expect("an entry");
        let mut model =
            ModelSpec::new(sizes, [entry.clone()]).build().unwrap_or_else(|e| panic!("{entry}: {e}"));
        model.convert(DType::F64);
        let names: Vec<(String, usize)> = self
            .state()
            .into_iter()
            .filter_map(|(name, place)| Some((format!("0.{}", rename(&name)?), place)))
            .collect();
        let state = names.iter().map(|(name, place)| (name.clone(), self.sample.inputs[*place].clone()));
        model.load_state_dict(state, &Exceptions::none()).unwrap_or_else(|e| panic!("{entry}: {e}"));
        let training = self.sample.line.get("training").and_then(Json::bool) == Some(true);
        let parameters = model.parameters();
        let forward = move || {
            let x = if single { x.unsqueeze(0) } else { x.clone() };
            let y = if training { train(|| model.forward(&x)) } else { model.forward(&x) };
            vec![if single { y.squeeze(0) } else { y }]
        };
        Ok(Built { call: Box::new(forward), parameters, names })
    }

    /// A layer of samples of any shape, as elementwise ones are.
    fn each(&self, entry: &str) -> Found<'a> {
        let Some(x) = self.input(0, "input") else { return no("the input is no tensor") };
        if x.rank() == 0 {
            return no("a layer takes a batch, and this is a single number");
        }
        self.layer(entry, x.rank() - 1, &|name| Some(name.to_string()))
    }

    fn plain(&self, entry: &str, rank: usize) -> Found<'a> {
        self.layer(entry, rank, &|name| Some(name.to_string()))
    }

    fn size(&self, name: &str) -> usize {
        self.number(name, 0.0) as usize
    }

    /// A module of the same names with the parameters of the sample, and what is called of it.
    fn module<M: Module + 'a>(&self, mut module: M, call: impl Fn(&M) -> Vec<Tensor> + 'a) -> Found<'a> {
        module.convert(DType::F64);
        let names = self.state();
        let state = names.iter().map(|(name, place)| (name.clone(), self.sample.inputs[*place].clone()));
        module.load_state_dict(state, &Exceptions::none()).unwrap_or_else(|e| panic!("{e}"));
        let parameters = module.parameters();
        Ok(Built { call: Box::new(move || call(&module)), parameters, names })
    }

    /// One step of a recurrence.
    fn cell<C: Cell + 'a>(
        &self,
        cell: RecurrentCell<C>,
        state: impl Fn(&[Tensor]) -> C::State + 'a,
    ) -> Found<'a> {
        let (Some(x), Some(held)) = (self.input(0, "input"), self.sample.args.get(1)) else {
            return no("a step without a state");
        };
        let held: Vec<Tensor> = match held {
            Json::List(list) => {
                list.iter().filter_map(|j| self.place(j)).map(|i| self.tensors[i].clone()).collect()
            }
            json => self.place(json).map(|i| self.tensors[i].clone()).into_iter().collect(),
        };
        if x.rank() != 2 {
            return no("a step without a batch");
        }
        let x = x.clone();
        self.module(cell, move |cell: &RecurrentCell<C>| cell.step(&x, Some(&state(&held))).as_ref().to_vec())
    }

    /// A function of the arguments, with no parameters.
    fn function(&self, call: impl Fn() -> Vec<Tensor> + 'a) -> Found<'a> {
        Ok(Built { call: Box::new(call), parameters: Vec::new(), names: Vec::new() })
    }
}

/// The module of a sample.
pub fn build<'a>(sample: &'a Sample, tensors: &'a [Tensor]) -> Found<'a> {
    let of = Of { sample, tensors };
    let name = sample.op.strip_prefix("nn.").expect("a module");
    match activation(&of, name) {
        Some(found) => found,
        None => layer(&of, name)
            .or_else(|| losses::loss(&of, name))
            .unwrap_or_else(|| no("nothing here corresponds")),
    }
}

fn activation<'a>(of: &Of<'a>, name: &str) -> Option<Found<'a>> {
    let plain = match name {
        "ReLU" => "relu",
        "ReLU6" => "relu6",
        "Hardswish" => "hardswish",
        "Sigmoid" => "sigmoid",
        "LogSigmoid" => "log_sigmoid",
        "SiLU" => "silu",
        "Softsign" => "softsign",
        "Tanh" => "tanh",
        "Tanhshrink" => "tanhshrink",
        "Mish" => "mish",
        "SELU" => "selu",
        "Hardtanh" => "hardtanh",
        _ => "",
    };
    if !plain.is_empty() {
        return Some(of.each(&format!("{plain:?}")));
    }
    let with = |entry: &str, key: &str, default: f64| {
        of.each(&format!("{{\"{entry}\": {:?}}}", of.number(key, default)))
    };
    Some(match name {
        "CELU" => with("celu", "alpha", 1.0),
        "ELU" => with("elu", "alpha", 1.0),
        "Hardshrink" => with("hardshrink", "lambd", 0.5),
        "Softshrink" => with("softshrink", "lambd", 0.5),
        "LeakyReLU" => with("leaky_relu", "negative_slope", 0.01),
        "GELU" => match of.get("approximate").and_then(Json::str) {
            Some("tanh") => of.each("\"gelu_tanh\""),
            _ => of.each("\"gelu\""),
        },
        "Threshold" => of.each(&format!(
            "{{\"threshold\": {:?}, \"value\": {:?}}}",
            of.number("threshold", 0.0),
            of.number("value", 0.0)
        )),
        "Softplus" if of.number("threshold", 20.0) < 20.0 => {
            no("a softplus with an early threshold, beyond which PyTorch's is not exact")
        }
        "Softplus" => with("softplus", "beta", 1.0),
        "Softmax" | "LogSoftmax" | "Softmin" | "GLU" => {
            let x = of.input(0, "input")?;
            let axis = of.number("dim", -1.0) as isize;
            let x = x.clone();
            let which = name.to_string();
            of.function(move || {
                vec![match which.as_str() {
                    "Softmax" => x.softmax(axis),
                    "LogSoftmax" => x.log_softmax(axis),
                    "Softmin" => (-&x).softmax(axis),
                    _ => {
                        let [a, b] = x.chunk::<2>(axis);
                        a * b.sigmoid()
                    }
                }]
            })
        }
        "Softmax2d" => {
            let x = of.input(0, "input")?.clone();
            of.function(move || vec![x.softmax(-3)])
        }
        _ => return None,
    })
}

fn layer<'a>(of: &Of<'a>, name: &str) -> Option<Found<'a>> {
    let eps = of.number("eps", 1e-5);
    let spatial =
        name.as_bytes().iter().rev().find(|c| c.is_ascii_digit()).map_or(0, |c| (c - b'0') as usize);
    Some(match name {
        "Linear" => {
            let entry = format!(
                "{{\"linear\": {}, \"bias\": {}}}",
                of.text("out_features", ""),
                of.flag("bias", true)
            );
            of.plain(&entry, of.input(0, "input")?.rank().max(2) - 1)
        }
        "Embedding" => {
            let entry = format!(
                "{{\"embedding\": {}, \"size\": {}}}",
                of.text("num_embeddings", ""),
                of.text("embedding_dim", "")
            );
            of.plain(&entry, of.input(0, "input")?.rank() - 1)
        }
        "Conv1d" | "Conv2d" | "Conv3d" | "ConvTranspose1d" | "ConvTranspose2d" | "ConvTranspose3d" => {
            let kind = if name.starts_with("ConvT") { "conv_transpose" } else { "conv" };
            let entry = format!(
                "{{\"{kind}{spatial}d\": {}, \"kernel\": {}, \"stride\": {}, \"padding\": {}, \"dilation\": {}, \"groups\": {}}}",
                of.text("out_channels", ""),
                of.text("kernel_size", ""),
                of.text("stride", "1"),
                of.text("padding", "0"),
                of.text("dilation", "1"),
                of.text("groups", "1")
            );
            of.plain(&entry, spatial + 1)
        }
        "BatchNorm1d" | "BatchNorm2d" | "BatchNorm3d" => {
            let tracked = of.flag("track_running_stats", true);
            let cumulative = of.get("momentum").is_none() && sample_says_null(of.sample, "momentum");
            let moves = match (tracked, cumulative) {
                (false, _) => ", \"track_running_stats\": false".to_string(),
                (_, true) => ", \"cumulative\": true".to_string(),
                _ => format!(", \"momentum\": {}", of.number("momentum", 0.1)),
            };
            let entry =
                format!("{{\"batch_norm{spatial}d\": true, \"eps\": {eps}{moves}{}}}", of.affine(true));
            let rank = of.input(0, "input")?.rank() - 1;
            of.layer(&entry, rank, &|name| {
                (cumulative || name != "num_batches_tracked").then(|| name.to_string())
            })
        }
        "GroupNorm" => {
            let groups = of.text("num_groups", "");
            let entry = format!("{{\"group_norm\": {groups}, \"eps\": {eps}{}}}", of.affine(true));
            of.plain(&entry, of.input(0, "input")?.rank() - 1)
        }
        "InstanceNorm1d" | "InstanceNorm2d" | "InstanceNorm3d" => {
            let moves = match of.flag("track_running_stats", false) {
                true => {
                    format!(", \"track_running_stats\": true, \"momentum\": {}", of.number("momentum", 0.1))
                }
                false => String::new(),
            };
            let entry = format!("{{\"instance_norm\": true, \"eps\": {eps}{moves}{}}}", of.affine(false));
            of.plain(&entry, spatial + 1)
        }
        "LayerNorm" | "RMSNorm" => {
            let sizes = of.get("normalized_shape").and_then(Json::list)?;
            let affine = of.flag("elementwise_affine", true);
            let (kind, bias) = match name {
                "LayerNorm" => ("layer_norm", format!(", \"bias\": {}", affine && of.flag("bias", true))),
                _ => ("rms_norm", String::new()),
            };
            let axes = sizes.len();
            let entry =
                format!("{{\"{kind}\": true, \"eps\": {eps}, \"axes\": {axes}, \"affine\": {affine}{bias}}}");
            of.plain(&entry, of.input(0, "input")?.rank() - 1)
        }
        "LocalResponseNorm" => {
            let entry = format!(
                "{{\"local_response_norm\": {}, \"alpha\": {:?}, \"beta\": {:?}, \"k\": {:?}}}",
                of.text("size", ""),
                of.number("alpha", 1e-4),
                of.number("beta", 0.75),
                of.number("k", 1.0)
            );
            if of.input(0, "input")?.rank() != 4 {
                return Some(no("a response norm of other things than images"));
            }
            of.plain(&entry, 3)
        }
        "PReLU" => {
            let x = of.input(0, "input")?;
            let slopes = of.sample.inputs[of.state()[0].1].len();
            let entry = format!("{{\"prelu\": 0.25, \"shared\": {}}}", slopes == 1);
            if slopes == 1 { of.each(&entry) } else { of.plain(&entry, x.rank() - 1) }
        }
        name if name.contains("Pad") => {
            let sides: Vec<i64> = match of.get("padding")? {
                Json::List(sides) => sides.iter().map(|s| s.int().expect("a number")).collect(),
                one => vec![one.int()?; 2 * spatial],
            };
            // PyTorch begins at the last axis and we at the first.
            let ours: Vec<i64> = sides.chunks(2).rev().flatten().copied().collect();
            let mode = match &name[..3] {
                "Ref" => "reflect",
                "Rep" => "replicate",
                "Cir" => "circular",
                _ => "constant",
            };
            let value = of.get("value").map_or(String::new(), |value| format!(", \"value\": {value}"));
            of.plain(&format!("{{\"pad{spatial}d\": {ours:?}, \"mode\": \"{mode}\"{value}}}"), spatial + 1)
        }
        name if name.starts_with("Adaptive") => {
            let kind = if name.contains("Avg") { "avg" } else { "max" };
            if of.get("output_size").and_then(Json::list).is_some_and(|l| l.contains(&Json::Null)) {
                return Some(no("an adaptive pooling that leaves an axis as it is"));
            }
            of.plain(
                &format!("{{\"adaptive_{kind}_pool{spatial}d\": {}}}", of.text("output_size", "1")),
                spatial + 1,
            )
        }
        name if name.starts_with("Fractional") => no("pooling of windows at random places"),
        name if name.contains("Pool") => {
            if of.flag("return_indices", false) {
                return Some(no("a layer of two results, which is a method of tensors here"));
            }
            let kind = name[..3].to_lowercase().replace("lpp", "lp");
            // One number stands for all axes, and a list of one is that number.
            let size = |name: &str| match of.get(name)? {
                Json::List(list) if list.len() == 1 => Some(list[0].to_string()),
                json => Some(json.to_string()),
            };
            let mut entry = format!("{{\"{kind}_pool{spatial}d\": {}", size("kernel_size")?);
            let options =
                ["stride", "padding", "dilation", "ceil_mode", "count_include_pad", "divisor_override"];
            for option in options {
                if let Some(value) = size(option) {
                    entry += &format!(", \"{option}\": {value}");
                }
            }
            if name.starts_with("LP") {
                entry += &format!(", \"p\": {:?}", of.number("norm_type", 2.0));
            }
            of.plain(&(entry + "}"), spatial + 1)
        }
        "Bilinear" => {
            let [a, b, out] =
                ["in1_features", "in2_features", "out_features"].map(|n| of.number(n, 0.0) as usize);
            let layer = Bilinear::new(a, b, out);
            let layer = if of.flag("bias", true) { layer } else { layer.no_bias() };
            let (x, y) = (of.input(0, "input1")?.clone(), of.input(1, "input2")?.clone());
            if x.rank() == 1 {
                return Some(no("a pair without a batch"));
            }
            of.module(layer, move |layer: &Bilinear| vec![layer.forward(&x, &y)])
        }
        "RNNCell" if of.get("nonlinearity").and_then(Json::str) == Some("relu") => {
            of.cell(RnnReluCell::new(of.size("input_size"), of.size("hidden_size")), |h| [h[0].clone()])
        }
        "RNNCell" => of.cell(RnnCell::new(of.size("input_size"), of.size("hidden_size")), |h| [h[0].clone()]),
        "GRUCell" => of.cell(GruCell::new(of.size("input_size"), of.size("hidden_size")), |h| [h[0].clone()]),
        "LSTMCell" => of.cell(LstmCell::new(of.size("input_size"), of.size("hidden_size")), |h| {
            [h[0].clone(), h[1].clone()]
        }),
        "MultiheadAttention" => no("attention, whose numbers of PyTorch stand in mapsto-nn's golden files"),
        name if name.starts_with("Transformer") => {
            no("a transformer, whose numbers of PyTorch stand in mapsto-nn's golden files")
        }
        "RNN" | "GRU" | "LSTM" => recurrent(of, name),
        _ => return None,
    })
}

fn sample_says_null(sample: &Sample, name: &str) -> bool {
    sample.kwargs.iter().any(|(key, value)| key == name && *value == Json::Null)
}

/// A recurrence over steps, whose batch stands first here and second in PyTorch unless it is told otherwise.
fn recurrent<'a>(of: &Of<'a>, name: &str) -> Found<'a> {
    let Some(x) = of.input(0, "input") else { return no("packed sequences") };
    let (inputs, hidden) = (of.number("input_size", 0.0) as usize, of.number("hidden_size", 0.0) as usize);
    let layers = of.number("num_layers", 1.0) as usize;
    let states: Vec<Tensor> = match of.sample.args.get(1) {
        Some(Json::List(list)) => {
            list.iter().filter_map(|j| of.place(j)).map(|i| of.tensors[i].clone()).collect()
        }
        Some(json) => of.place(json).map(|i| of.tensors[i].clone()).into_iter().collect(),
        None => Vec::new(),
    };
    let (first, single) = (of.flag("batch_first", false), x.rank() == 2);
    let names: Vec<(String, usize)> = of.state();
    macro_rules! built {
        ($layer:expr, $state:expr) => {{
            let mut layer = $layer.layers(layers);
            if of.flag("bidirectional", false) {
                layer = layer.bidirectional();
            }
            if !of.flag("bias", true) {
                layer = layer.no_bias();
            }
            layer.convert(DType::F64);
            let state = names.iter().map(|(n, place)| (n.clone(), of.sample.inputs[*place].clone()));
            layer.load_state_dict(state, &Exceptions::none()).unwrap_or_else(|e| panic!("{e}"));
            let (x, parameters) = (x.clone(), layer.parameters());
            let forward = move || {
                let batch =
                    |t: &Tensor| if single { t.unsqueeze(if first { 0 } else { 1 }) } else { t.clone() };
                let swap = |t: &Tensor| if first { t.clone() } else { t.permute([1, 0, 2]) };
                let held: Vec<Tensor> =
                    states.iter().map(|h| if single { h.unsqueeze(1) } else { h.clone() }).collect();
                let state = if held.is_empty() { None } else { Some($state(&held)) };
                let (y, last) = layer.with_state(&swap(&batch(&x)), state.as_ref());
                let y = swap(&y);
                let y = if single { y.squeeze(if first { 0 } else { 1 }) } else { y };
                let last: Vec<Tensor> = last.into_iter().collect();
                let last = last.into_iter().map(|h| if single { h.squeeze(1) } else { h });
                std::iter::once(y).chain(last).collect()
            };
            Ok(Built { call: Box::new(forward), parameters, names })
        }};
    }
    let one = |held: &[Tensor]| [held[0].clone()];
    let two = |held: &[Tensor]| [held[0].clone(), held[1].clone()];
    match (name, of.get("nonlinearity").and_then(Json::str)) {
        ("LSTM", _) => match of.number("proj_size", 0.0) as usize {
            0 => built!(Lstm::new(inputs, hidden), two),
            size => built!(Lstm::new(inputs, hidden).proj_size(size), two),
        },
        ("GRU", _) => built!(Gru::new(inputs, hidden), one),
        (_, Some("relu")) => built!(RnnRelu::new(inputs, hidden), one),
        _ => built!(Rnn::new(inputs, hidden), one),
    }
}
