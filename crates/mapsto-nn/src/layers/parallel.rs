//! Branches: several ways for the same input, whose results are put side by side or joined element by element.

use super::LayerKind;
use crate::spec::{Built, build_layers};
use crate::{AtLengths, Layer, Module, Sequential, budget};
use mapsto_spec::{Args, Entry};
use mapsto_tensor::{DType, Result, Tensor, fail};

/// `y = [f_1(x), .., f_n(x)]`, put side by side, or `y = f_1(x) + .. + f_n(x)`, their product, mean, greatest or least, or the
/// difference of two.
///
/// * Shape: side by side, the channels of images `[n, c, h, w]` and otherwise the features on the last axis add up, and all
///   other sizes are the same; joined element by element, all sizes are the same.
/// * Parameters: those of every branch, `branches.0.0.weight`, `branches.1.0.weight`, ..
/// * PyTorch has none; Keras: `Concatenate`, `Add`, `Multiply`, `Average`, `Maximum`, `Minimum` and `Subtract`, of what the
///   branches give.
///
/// Source: Szegedy et al. (2014), Going deeper with convolutions, arXiv:1409.4842, figure 2.
/// ```
/// use mapsto_nn::prelude::*;
/// let both = Parallel::concat([seq![Linear::new(4, 3)], seq![Tensor::relu]]);
/// assert_eq!(both.forward(&Tensor::zeros([2, 4])).shape(), [2, 7]);
/// let sum = Parallel::add([seq![|x: &Tensor| x * 2.0], seq![]]);
/// assert_close!(sum.forward(&tensor![[1.0, 5.0]]), [[3.0, 15.0]]);
/// let gate = Parallel::multiply([seq![Tensor::sigmoid], seq![]]);
/// assert_close!(gate.forward(&tensor![[0.0, 100.0]]), [[0.0, 100.0]]);
/// ```
#[derive(Clone, Debug, Module)]
#[module(crate = crate)]
pub struct Parallel {
    branches: Vec<Sequential>,
    #[module(skip)]
    join: Join,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Join {
    Concat,
    Add,
    Multiply,
    Average,
    Maximum,
    Minimum,
    Subtract,
}

impl Join {
    const WORDS: [(&'static str, Join); 7] = [
        ("concat", Join::Concat),
        ("add", Join::Add),
        ("multiply", Join::Multiply),
        ("average", Join::Average),
        ("maximum", Join::Maximum),
        ("minimum", Join::Minimum),
        ("subtract", Join::Subtract),
    ];

    /// What is wrong with so many branches.
    fn wants(self, branches: usize) -> Option<&'static str> {
        match (self, branches) {
            (_, 0) => Some("at least one branch is needed"),
            (Join::Subtract, n) if n != 2 => Some("a difference needs two branches"),
            _ => None,
        }
    }

    /// Results that fit, as one.
    #[track_caller]
    fn of(self, results: &[Tensor]) -> Tensor {
        let fold = |join: fn(&Tensor, &Tensor) -> Tensor| {
            results[1..].iter().fold(results[0].clone(), |so_far, y| join(&so_far, y))
        };
        match self {
            Join::Concat => Tensor::cat(results, Join::axis(results[0].rank())),
            Join::Add => fold(|a, b| a + b),
            Join::Multiply => fold(|a, b| a * b),
            Join::Average => fold(|a, b| a + b) / results.len() as f64,
            Join::Maximum => fold(|a, b| a.maximum(b)),
            Join::Minimum => fold(|a, b| a.minimum(b)),
            Join::Subtract => fold(|a, b| a - b),
        }
    }

    fn word(self) -> &'static str {
        Join::WORDS.iter().find(|(_, join)| *join == self).map_or("", |(word, _)| word)
    }

    /// The axis on which results of this many axes are put side by side, the batch being axis 0.
    fn axis(rank: usize) -> usize {
        if rank == 4 { 1 } else { rank.saturating_sub(1) }
    }

    /// The first branch whose result of this shape does not fit that of the first branch; batch axes included.
    fn misfit(self, shapes: &[Vec<usize>]) -> Option<usize> {
        let first = shapes.first()?;
        let axis = Join::axis(first.len());
        let fits = |shape: &Vec<usize>| {
            let free = |i: usize| self == Join::Concat && i == axis && i > 0;
            shape.len() == first.len() && (0..shape.len()).all(|i| free(i) || shape[i] == first[i])
        };
        shapes.iter().position(|shape| !fits(shape))
    }

    /// What must be the same of all results.
    fn rule(self) -> &'static str {
        match self {
            Join::Concat => "results side by side differ in their channels or features alone",
            Join::Add => "results that are added have the same shape",
            _ => "results that are joined element by element have the same shape",
        }
    }
}

impl Parallel {
    /// The results of these branches side by side.
    ///
    /// # Panics
    /// When there is no branch.
    #[track_caller]
    pub fn concat(branches: impl IntoIterator<Item = Sequential>) -> Parallel {
        Parallel::of(branches, Join::Concat)
    }

    /// The sum of the results of these branches.
    ///
    /// # Panics
    /// When there is no branch.
    #[track_caller]
    pub fn add(branches: impl IntoIterator<Item = Sequential>) -> Parallel {
        Parallel::of(branches, Join::Add)
    }

    /// The product of the results of these branches, element by element.
    ///
    /// # Panics
    /// When there is no branch.
    #[track_caller]
    pub fn multiply(branches: impl IntoIterator<Item = Sequential>) -> Parallel {
        Parallel::of(branches, Join::Multiply)
    }

    /// The mean of the results of these branches.
    ///
    /// # Panics
    /// When there is no branch.
    #[track_caller]
    pub fn average(branches: impl IntoIterator<Item = Sequential>) -> Parallel {
        Parallel::of(branches, Join::Average)
    }

    /// The greatest of the results of these branches, element by element.
    ///
    /// # Panics
    /// When there is no branch.
    #[track_caller]
    pub fn maximum(branches: impl IntoIterator<Item = Sequential>) -> Parallel {
        Parallel::of(branches, Join::Maximum)
    }

    /// The least of the results of these branches, element by element.
    ///
    /// # Panics
    /// When there is no branch.
    #[track_caller]
    pub fn minimum(branches: impl IntoIterator<Item = Sequential>) -> Parallel {
        Parallel::of(branches, Join::Minimum)
    }

    /// The result of the first branch less that of the second.
    ///
    /// # Panics
    /// When there are not two.
    #[track_caller]
    pub fn subtract(branches: impl IntoIterator<Item = Sequential>) -> Parallel {
        Parallel::of(branches, Join::Subtract)
    }

    #[track_caller]
    fn of(branches: impl IntoIterator<Item = Sequential>, join: Join) -> Parallel {
        let branches: Vec<Sequential> = branches.into_iter().collect();
        if let Some(wanted) = join.wants(branches.len()) {
            fail!("parallel", "{wanted}, got {}", branches.len());
        }
        Parallel { branches, join }
    }

    /// What the branches gave, joined.
    #[track_caller]
    fn joined(&self, results: &[Tensor]) -> Tensor {
        let shapes: Vec<Vec<usize>> = results.iter().map(|y| y.shape().to_vec()).collect();
        if let Some(i) = self.join.misfit(&shapes) {
            fail!("parallel", "branch 0 gives {:?} and branch {i} gives {:?}", shapes[0], shapes[i]; help = "{}", self.join.rule());
        }
        self.join.of(results)
    }
}

impl Layer for Parallel {
    #[track_caller]
    fn forward(&self, x: &Tensor) -> Tensor {
        self.joined(&self.branches.iter().map(|branch| branch.forward(x)).collect::<Vec<_>>())
    }

    #[track_caller]
    fn at_lengths(&self, x: &Tensor, lengths: &[usize]) -> std::result::Result<AtLengths, String> {
        let (mut steps, mut samples) = (Vec::new(), Vec::new());
        for branch in &self.branches {
            match branch.at_lengths(x, lengths)? {
                AtLengths::Steps(y) => steps.push(y),
                AtLengths::Samples(y) => samples.push(y),
            }
        }
        // Of images, channels are put side by side, which the steps would be taken for.
        if self.join == Join::Concat && steps.iter().any(|y: &Tensor| y.rank() == 4) {
            return Err(self.describe());
        }
        match (steps.is_empty(), samples.is_empty()) {
            (false, true) => Ok(AtLengths::Steps(self.joined(&steps))),
            (true, false) => Ok(AtLengths::Samples(self.joined(&samples))),
            _ => Err(self.describe()),
        }
    }

    fn describe(&self) -> String {
        let branches: Vec<String> = self.branches.iter().map(Layer::describe).collect();
        format!("Parallel({}; {})", branches.join(" | "), self.join.word())
    }

    fn input_dtype(&self) -> DType {
        self.branches[0].input_dtype()
    }

    fn entry(&self) -> Option<Entry> {
        let branches: Vec<Vec<Entry>> = self.branches.iter().map(Layer::entries).collect::<Option<_>>()?;
        Some(Entry::new(KIND.name).with_value(branches).with_option("join", self.join.word()))
    }
}

pub(super) const KIND: LayerKind = LayerKind::new(
    "parallel",
    "The given lists of layers, each on the same input, and their results joined.",
    build,
)
.options(&[
    ("", "the lists of layers"),
    (
        "join",
        "`\"concat\"` puts results side by side, by channels or features; `\"add\"`, `\"multiply\"`, \
         `\"average\"`, `\"maximum\"`, `\"minimum\"` and `\"subtract\"` join them element by element",
    ),
])
.example(|| Entry::new("parallel").with_value(vec![vec![Entry::new("relu")], vec![Entry::new("tanh")]]));

fn build(args: &mut Args, input: &[usize]) -> Result<Box<dyn Layer>> {
    let lists: Vec<Vec<Entry>> = args.main()?;
    let word: String = args.get_or("join", Join::Concat.word().to_string())?;
    let Some((_, join)) = Join::WORDS.into_iter().find(|(known, _)| *known == word) else {
        let words = Join::WORDS.map(|(word, _)| format!("\"{word}\"")).join(", ");
        return Err(args.error("join", format!("`join` must be one of {words}, got \"{word}\"")));
    };
    if lists.is_empty() {
        return Err(args.error("", "at least one list of layers is needed, got none"));
    }
    if let Some(wanted) = join.wants(lists.len()) {
        return Err(args.error("join", format!("{wanted}, got {}", lists.len())));
    }
    let mut built: Vec<Built> = Vec::new();
    for (i, list) in lists.iter().enumerate() {
        let branch = build_layers(list, input);
        built
            .push(branch.map_err(|e| if e.span().is_some() { e } else { e.context(format!("branch {i}")) })?);
    }
    // With the batch in front, as the results have it.
    let with_batch = |built: &Built| [&[1], &built.output[..]].concat();
    let shapes: Vec<Vec<usize>> = built.iter().map(with_batch).collect();
    if let Some(i) = join.misfit(&shapes) {
        let message =
            format!("branch 0 gives {:?} and branch {i} gives {:?}", built[0].output, built[i].output);
        let error = args.misfit("", message).help(join.rule());
        // The branch that does not fit is the place to look at.
        let place = lists[i].last().and_then(|layer| layer.span);
        return Err(place.into_iter().fold(error, |error, span| error.with_span(span.into())));
    }
    let mut output = built[0].output.clone();
    if let (Join::Concat, Some(size)) = (join, output.get_mut(Join::axis(shapes[0].len()).saturating_sub(1)))
    {
        *size = shapes.iter().map(|shape| shape[Join::axis(shape.len())]).fold(0, usize::saturating_add);
    }
    budget::output(args, &output)?;
    args.record_main(built.iter_mut().map(|built| std::mem::take(&mut built.entries)).collect::<Vec<_>>());
    let branches = built.into_iter().map(|built| built.layers).collect();
    Ok(Box::new(Parallel { branches, join }))
}

#[cfg(test)]
mod tests {
    use crate::check_layer::check_layer;
    use crate::prelude::*;
    use mapsto_spec::{Entry, Span};

    fn parallel(lists: Vec<Vec<Entry>>, join: &str) -> Entry {
        Entry::new("parallel").with_value(lists).with_option("join", join)
    }

    fn linear(n: usize) -> Entry {
        Entry::new("linear").with_value(n)
    }

    #[test]
    fn parallel_layers() {
        let branches = || [seq![Linear::new(3, 2), Tensor::tanh], seq![Linear::new(3, 4)]];
        check_layer(move || Parallel::concat(branches())).gives([5, 3], [5, 6]);
        check_layer(|| Parallel::add([seq![Linear::new(3, 3)], seq![]])).gives([5, 3], [5, 3]);
        let images = || Parallel::concat([seq![Conv2d::new(2, 3, 1)], seq![Conv2d::new(2, 1, 3).padding(1)]]);
        check_layer(images).gives([2, 2, 4, 4], [2, 4, 4, 4]);
        check_layer(|| Parallel::concat([seq![Linear::new(3, 2)], seq![]])).gives([2, 5, 3], [2, 5, 5]);
        assert!(catch(|| Parallel::add([])).unwrap_err().message().contains("at least one branch"));
        check_layer(move || Parallel::multiply([seq![Linear::new(3, 3)], seq![Tensor::tanh]]))
            .gives([5, 3], [5, 3]);
        check_layer(|| Parallel::average([seq![Linear::new(3, 3)], seq![], seq![]])).gives([5, 3], [5, 3]);
        check_layer(|| Parallel::maximum([seq![Linear::new(3, 3)], seq![]])).gives([5, 3], [5, 3]);
        check_layer(|| Parallel::minimum([seq![Linear::new(3, 3)], seq![]])).gives([5, 3], [5, 3]);
        check_layer(|| Parallel::subtract([seq![Linear::new(3, 3)], seq![]])).gives([5, 3], [5, 3]);
        let (x, double, half) =
            (tensor![[2.0, -4.0]], || seq![|x: &Tensor| x * 2.0], || seq![|x: &Tensor| x * 0.5]);
        let of = |make: fn([Sequential; 2]) -> Parallel| make([double(), half()]).forward(&x);
        assert_close!(of(Parallel::multiply), [[4.0, 16.0]]);
        assert_close!(of(Parallel::average), [[2.5, -5.0]]);
        assert_close!(of(Parallel::maximum), [[4.0, -2.0]]);
        assert_close!(of(Parallel::minimum), [[1.0, -8.0]]);
        assert_close!(of(Parallel::subtract), [[3.0, -6.0]]);
        let e = catch(|| Parallel::subtract([seq![], seq![], seq![]])).unwrap_err();
        assert_eq!(e.message(), "parallel: a difference needs two branches, got 3");
        let wrong = Parallel::add([seq![Linear::new(3, 1)], seq![]]);
        let e = catch(|| wrong.forward(&Tensor::ones([2, 3]))).unwrap_err();
        assert_eq!(e.message(), "parallel: branch 0 gives [2, 1] and branch 1 gives [2, 3]");
    }

    #[test]
    fn the_branch_that_does_not_fit_is_pointed_at() {
        let build = |entry: Entry, input: &[usize]| ModelSpec::new(input, [entry]).shapes();
        assert_eq!(build(parallel(vec![vec![linear(2)], vec![]], "concat"), &[7, 5]).unwrap(), [[7, 7]]);
        let conv = |n: usize, kernel: usize| Entry::new("conv2d").with_value(n).with_option("kernel", kernel);
        let images =
            parallel(vec![vec![conv(2, 1)], vec![conv(3, 3).with_option("padding", 1_usize)]], "concat");
        assert_eq!(build(images, &[4, 6, 6]).unwrap(), [[5, 6, 6]]);
        let placed = conv(3, 3).at(Span::new(40, 46));
        let e = build(parallel(vec![vec![conv(2, 1)], vec![placed]], "concat"), &[4, 6, 6]).unwrap_err();
        assert_eq!(e.span(), Some(40..46));
        assert!(e.message().contains("branch 0 gives [2, 6, 6] and branch 1 gives [3, 4, 4]"), "{e}");
        let e = build(parallel(vec![vec![linear(2)], vec![linear(3)]], "add"), &[5]).unwrap_err();
        assert_eq!(e.help_text(), Some("results that are added have the same shape"));
        let e =
            build(parallel(vec![vec![], vec![linear(3), Entry::new("linaer")]], "add"), &[5]).unwrap_err();
        assert!(e.message().contains("branch 1: layers[1]: unknown layer `linaer`"), "{e}");
        let e = build(parallel(vec![vec![]], "stack"), &[5]).unwrap_err();
        assert!(e.message().contains("`join` must be one of \"concat\", \"add\","), "{e}");
        assert!(build(parallel(vec![], "add"), &[5]).unwrap_err().message().contains("at least one list"));
    }

    #[test]
    fn probabilities_of_a_single_branch_are_known_as_such() {
        let net = Parallel::concat([seq![Linear::new(3, 4), |x: &Tensor| x.softmax(-1)]]);
        let e = catch(|| train(|| cross_entropy(&net.forward(&Tensor::ones([2, 3])), &tensor![0, 1])))
            .unwrap_err();
        assert!(e.message().contains("probabilities already"), "{e}");
    }
}
