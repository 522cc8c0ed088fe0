//! A dense layer along any axes: the product of input and weight that an equation names.

use super::{LayerKind, drawn_by, init_option};
use crate::init::{Init, Uniform, XavierUniform};
use crate::{Layer, Module, Param, budget};
use mapsto_spec::{Args, Entry};
use mapsto_tensor::{Result, Tensor, fail};

/// `y = einsum(equation, x, w) + b`: letters that input and weight share are summed over unless the output has them.
///
/// The letters of the equation are those of the axes of the input, of the weight and of the output: `"bti,io->bto"` is a linear layer on each
/// step. The first letter of the input is the batch.
///
/// * Shape: as the equation says.
/// * Parameters: `weight`, whose letters have the sizes of the input or those that are given, Xavier uniform; `bias`, zeros, along the letters of
///   the output that are given, where there are some.
/// * PyTorch: `torch.einsum` with a parameter; Keras: `EinsumDense`; ONNX: `Einsum`.
/// ```
/// use mapsto_nn::prelude::*;
/// // Of every step a matrix of 2 heads of 3 features.
/// let layer = EinsumDense::new("bti,ihd->bthd", &[('i', 4), ('h', 2), ('d', 3)]).bias("hd");
/// assert_eq!(layer.forward(&Tensor::zeros([5, 7, 4])).shape(), [5, 7, 2, 3]);
/// assert_eq!((layer.weight.shape(), layer.bias.unwrap().shape()), (&[4, 2, 3][..], &[2, 3][..]));
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct EinsumDense {
    /// The weight, with an axis for each of its letters.
    pub weight: Param,
    /// The bias, with an axis for each of its letters.
    pub bias: Option<Param>,
    #[module(skip)]
    equation: Equation,
    #[module(skip)]
    drawn: Option<Box<Entry>>,
}

/// An equation's letters, and those of the bias.
#[derive(Clone, Debug)]
struct Equation {
    text: String,
    input: Vec<char>,
    weight: Vec<char>,
    output: Vec<char>,
    bias: Vec<char>,
}

impl Equation {
    fn read(text: &str) -> std::result::Result<Equation, String> {
        let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let parts = compact.split_once("->").and_then(|(left, output)| Some((left.split_once(',')?, output)));
        let Some(((input, weight), output)) = parts else {
            return Err(format!("an equation such as \"bti,io->bto\" is needed, got \"{text}\""));
        };
        let letters = |part: &str| part.chars().collect::<Vec<char>>();
        let [input, weight, output] = [input, weight, output].map(letters);
        for part in [&input, &weight, &output] {
            if let Some(wrong) = part.iter().find(|c| !c.is_ascii_alphabetic()) {
                return Err(format!("axes have letters, and `{wrong}` in \"{text}\" is none"));
            }
            if let Some(twice) = part.iter().enumerate().find(|(i, c)| part[..*i].contains(c)) {
                return Err(format!("two axes of one part of \"{text}\" are called `{}`", twice.1));
            }
        }
        let (Some(batch), Some(first)) = (input.first(), output.first()) else {
            return Err(format!("input and output of \"{text}\" need an axis for the batch"));
        };
        if batch != first || weight.contains(batch) {
            return Err(format!(
                "the batch is `{batch}`, which comes first in the output of \"{text}\" and is not in the weight"
            ));
        }
        match output.iter().find(|c| !input.contains(c) && !weight.contains(c)) {
            Some(unknown) => Err(format!("`{unknown}` in the output of \"{text}\" is nowhere else")),
            None => Ok(Equation { text: compact, input, weight, output, bias: Vec::new() }),
        }
    }

    /// The letters along which a bias is added.
    fn with_bias(mut self, letters: &str) -> std::result::Result<Equation, String> {
        let bias: Vec<char> = letters.chars().collect();
        if let Some(unknown) = bias.iter().find(|c| !self.output[1..].contains(c)) {
            return Err(format!(
                "a bias along `{unknown}`, which is no axis of the output of \"{}\" after the batch",
                self.text
            ));
        }
        // In the order of the output, as it is added.
        self.bias = self.output.iter().copied().filter(|c| bias.contains(c)).collect();
        Ok(self)
    }

    /// The sizes of these letters, or the letter that has none.
    fn sizes(letters: &[char], known: &[(char, usize)]) -> std::result::Result<Vec<usize>, char> {
        let size = |c: &char| known.iter().find(|(letter, _)| letter == c).map(|(_, n)| *n).ok_or(*c);
        letters.iter().map(size).collect()
    }
}

impl EinsumDense {
    /// The layer of an equation, with the size of every letter of the weight.
    ///
    /// # Panics
    /// When the equation cannot be read, or a letter of the weight has no size.
    #[track_caller]
    pub fn new(equation: &str, sizes: &[(char, usize)]) -> EinsumDense {
        match Equation::read(equation) {
            Ok(equation) => match Equation::sizes(&equation.weight, sizes) {
                Ok(shape) => EinsumDense::drawn(equation, &shape),
                Err(letter) => {
                    fail!("einsum_dense", "the size of `{letter}` is not given"; help = "give that of each letter of the weight")
                }
            },
            Err(wrong) => fail!("einsum_dense", "{wrong}"),
        }
    }

    fn drawn(equation: Equation, shape: &[usize]) -> EinsumDense {
        // A weight of one axis has no fans.
        let weight = if shape.len() < 2 {
            Uniform::symmetric((shape.iter().product::<usize>().max(1) as f64).sqrt().recip()).tensor(shape)
        } else {
            XavierUniform::new().tensor(shape)
        };
        EinsumDense { weight: Param::new(weight), bias: None, equation, drawn: None }
    }

    /// The same with a bias along these letters of the output. Keras: `bias_axes`.
    ///
    /// # Panics
    /// When one is no letter of the output, or its size is not that of a letter of the weight.
    #[track_caller]
    #[must_use]
    pub fn bias(self, letters: &str) -> EinsumDense {
        let known: Vec<(char, usize)> =
            self.equation.weight.iter().copied().zip(self.weight.shape().iter().copied()).collect();
        let equation = match self.equation.with_bias(letters) {
            Ok(equation) => equation,
            Err(wrong) => fail!("einsum_dense", "{wrong}"),
        };
        match Equation::sizes(&equation.bias, &known) {
            Ok(shape) => EinsumDense { bias: Some(Param::new(Tensor::zeros(&shape[..]))), equation, ..self },
            Err(letter) => fail!("einsum_dense", "a bias along `{letter}`, which the weight does not have";
                                 help = "in a model file, where the size of the input is known, it may be any letter of the output"),
        }
    }

    /// The same with a weight that is drawn in this way.
    #[must_use]
    pub fn init(self, init: impl Init) -> EinsumDense {
        let weight = Param::new(init.tensor(self.weight.shape()));
        EinsumDense { weight, drawn: init.entry().map(Box::new), ..self }
    }
}

impl Layer for EinsumDense {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        let y = Tensor::einsum(&self.equation.text, &[x, &self.weight]);
        let Some(bias) = &self.bias else { return y };
        let mut at = bias.shape().iter();
        let letters = &self.equation.output;
        let shape: Vec<usize> = letters
            .iter()
            .map(|c| if self.equation.bias.contains(c) { at.next().copied().unwrap_or(1) } else { 1 })
            .collect();
        y + bias.reshape(&shape[..])
    }

    fn describe(&self) -> String {
        format!("EinsumDense({}, {:?})", self.equation.text, self.weight.shape())
    }

    fn entry(&self) -> Option<Entry> {
        // Sizes of letters that the input has are found from it.
        let own = |(c, _): &(&char, &usize)| !self.equation.input.contains(*c);
        let sizes: Vec<usize> =
            self.equation.weight.iter().zip(self.weight.shape()).filter(own).map(|(_, n)| *n).collect();
        let bias: String = self.equation.bias.iter().collect();
        let entry = Entry::new(KIND.name).with_value(self.equation.text.clone());
        let entry = entry.with_option("sizes", sizes).with_option("bias", bias);
        Some(drawn_by(entry, &self.drawn))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "einsum_dense",
    "The product of the input and a weight that the given equation names, such as \"bti,io->bto\".",
    build,
)
.options(&[
    ("", "the letters of the axes of input, weight and output; the first is the batch"),
    ("sizes", "the sizes of those letters of the weight that the input does not have, in their order"),
    ("bias", "the letters of the output along which a bias is added; none where nothing is said"),
    ("init", "how its weights are drawn, instead of the layer's own way"),
])
.example(|| Entry::new("einsum_dense").with_value("bti,io->bto").with_option("sizes", vec![2_usize]));

fn build(args: &mut Args, input: &[usize]) -> Result<Box<dyn Layer>> {
    let text: String = args.main()?;
    let sizes: Vec<usize> = args.get_or("sizes", Vec::new())?;
    let bias: String = args.get_or("bias", String::new())?;
    let equation = Equation::read(&text).map_err(|wrong| args.error("", wrong))?;
    let equation = equation.with_bias(&bias).map_err(|wrong| args.error("bias", wrong))?;
    args.record_main(equation.text.clone());
    args.record("bias", equation.bias.iter().collect::<String>());
    if equation.input.len() != input.len() + 1 {
        let letters = equation.input.len();
        return Err(args.misfit(
            "",
            format!("the input with its batch has {} axes, and the equation {letters}", input.len() + 1),
        ));
    }
    let mut known: Vec<(char, usize)> =
        equation.input[1..].iter().copied().zip(input.iter().copied()).collect();
    let own: Vec<char> = equation.weight.iter().copied().filter(|c| !equation.input.contains(c)).collect();
    if own.len() != sizes.len() || sizes.contains(&0) {
        let message = format!("the letters {own:?} of the weight need sizes of at least 1, got {sizes:?}");
        return Err(args.error("sizes", message));
    }
    known.extend(own.into_iter().zip(sizes));
    let shape_of = |letters: &[char]| Equation::sizes(letters, &known).expect("every letter has a size");
    let shape = shape_of(&equation.weight);
    if shape.len() > mapsto_tensor::MAX_RANK || equation.output.len() > mapsto_tensor::MAX_RANK {
        return Err(args.error("", format!("a tensor has at most {} axes", mapsto_tensor::MAX_RANK)));
    }
    budget::weight(args, &shape)?;
    budget::output(args, &shape_of(&equation.output[1..]))?;
    // What is multiplied: every letter once.
    let mut all: Vec<char> = equation.input[1..].iter().chain(&equation.weight).copied().collect();
    all.sort_unstable();
    all.dedup();
    budget::pass(args.name(), &shape_of(&all))?;
    let along = shape_of(&equation.bias);
    if !along.is_empty() {
        budget::weight(args, &along)?;
    }
    let layer = EinsumDense::drawn(equation, &shape);
    let bias = (!along.is_empty()).then(|| Param::new(Tensor::zeros(&along[..])));
    let layer = EinsumDense { bias, ..layer };
    Ok(Box::new(match init_option(args)? {
        Some(init) => layer.init(init),
        None => layer,
    }))
}

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, check_entry};

    #[test]
    fn einsum_dense() {
        let heads = || EinsumDense::new("bti,ihd->bthd", &[('i', 3), ('h', 2), ('d', 2)]).bias("d");
        check_layer(heads).gives([2, 4, 3], [2, 4, 2, 2]);
        check_layer(|| EinsumDense::new("bti,ts->bsi", &[('t', 4), ('s', 2)])).gives([2, 4, 3], [2, 2, 3]);
        let layer = EinsumDense::new("bi,io->bo", &[('i', 3), ('o', 2)]).bias("o");
        let same = Linear::new(3, 2);
        let x = Tensor::randn([5, 3]);
        let y = x.linear(&layer.weight.t(), layer.bias.as_deref());
        assert_close!(layer.forward(&x), y);
        assert_eq!(same.forward(&x).shape(), y.shape());
        let error = |equation: &str| {
            catch(|| EinsumDense::new(equation, &[('i', 3)])).unwrap_err().message().to_string()
        };
        assert!(error("bi->bo").contains("an equation such as"));
        assert!(error("bi,io->ob").contains("the batch is `b`"));
        assert!(error("bi,io->bz").contains("`z` in the output"));
        assert!(error("bi,io->bo").contains("the size of `o` is not given"));
        assert!(error("bii,io->bo").contains("are called `i`"));
    }

    #[test]
    fn files_have_all_settings() {
        let entry = Entry::new("einsum_dense").with_value("bti,tio->bto").with_option("sizes", vec![5_usize]);
        check_entry::<dyn Layer>(&entry.clone().with_option("bias", "to"), &[3, 4]);
        assert_eq!(ModelSpec::new([3, 4], [entry.clone()]).shapes().unwrap(), [[3, 5]]);
        let error = |entry: Entry| ModelSpec::new([3, 4], [entry]).build().err().unwrap().to_string();
        assert!(error(entry.clone().with_option("bias", "i")).contains("a bias along `i`"));
        assert!(error(entry.with_option("sizes", vec![5_usize, 2])).contains("need sizes of at least 1"));
        let e = error(Entry::new("einsum_dense").with_value("bi,io->bo").with_option("sizes", vec![2_usize]));
        assert!(e.contains("has 3 axes, and the equation 2"), "{e}");
    }
}
