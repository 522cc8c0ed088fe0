//! Every number that can be set, in files and in Rust, refuses what it cannot mean: one test over all of them.

#![cfg(test)]

use crate::init::*;
use crate::optim::*;
use crate::prelude::*;
use crate::schedules::*;
use mapsto_spec::{Entry, Family, Value};

/// What a setting may be, as its documentation says.
#[derive(Clone, Copy, Debug, PartialEq)]
enum May {
    Finite,
    AtLeast0,
    Above0,
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
                AtLeast0 => x >= 0.0,
                Above0 => x > 0.0,
                Share => (0.0..1.0).contains(&x),
                UpTo1 => (0.0..=1.0).contains(&x),
                Cosines => (-1.0..=1.0).contains(&x),
                Count => x >= 1.0 && x.fract() == 0.0,
                Whole => x >= 0.0 && x.fract() == 0.0,
            }
    }
}

const TRIED: [f64; 9] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -1e-9, 0.0, 0.5, 1.0, 2.0];

/// The registry, the entry, and each of its settings.
type Settings = (&'static str, &'static str, Vec<(&'static str, May)>);

/// Of each registry's entries, the settings; `""` is the main value.
fn in_files() -> Vec<Settings> {
    let decay = ("decay", AtLeast0);
    let (lr, eps) = (("", AtLeast0), ("eps", Above0));
    let betas = [("beta1", Share), ("beta2", Share)];
    let pool = vec![("", Count), ("stride", Count), ("padding", Whole)];
    let recurrent = vec![("", Count), ("layers", Count), ("dropout", Share)];
    vec![
        ("optimizer", "sgd", vec![lr, ("momentum", Share), ("dampening", UpTo1), decay]),
        ("optimizer", "rmsprop", vec![lr, ("alpha", Share), eps, ("momentum", Share), decay]),
        ("optimizer", "adagrad", vec![lr, eps, ("lr_decay", AtLeast0), decay]),
        ("optimizer", "adam", [vec![lr, eps, decay], betas.to_vec()].concat()),
        ("optimizer", "adamw", [vec![lr, eps, decay], betas.to_vec()].concat()),
        ("optimizer", "adadelta", vec![lr, ("rho", Share), ("eps", Above0), ("decay", AtLeast0)]),
        (
            "optimizer",
            "adamax",
            vec![lr, ("beta1", Share), ("beta2", Share), ("eps", Above0), ("decay", AtLeast0)],
        ),
        (
            "optimizer",
            "nadam",
            vec![
                lr,
                ("beta1", Share),
                ("beta2", Share),
                ("eps", Above0),
                ("momentum_decay", AtLeast0),
                ("decay", AtLeast0),
            ],
        ),
        (
            "optimizer",
            "radam",
            vec![lr, ("beta1", Share), ("beta2", Share), ("eps", Above0), ("decay", AtLeast0)],
        ),
        ("optimizer", "lion", vec![lr, ("beta1", Share), ("beta2", Share), ("decay", AtLeast0)]),
        (
            "optimizer",
            "lamb",
            vec![lr, ("beta1", Share), ("beta2", Share), ("eps", Above0), ("decay", AtLeast0)],
        ),
        ("optimizer", "lars", vec![lr, ("momentum", Share), ("trust", Above0), ("decay", AtLeast0)]),
        (
            "optimizer",
            "rprop",
            vec![lr, ("shrink", Share), ("grow", Above0), ("least", Above0), ("most", Above0)],
        ),
        (
            "optimizer",
            "adafactor",
            vec![lr, ("decay_rate", Above0), ("eps", Above0), ("clip", Above0), ("decay", AtLeast0)],
        ),
        ("optimizer", "muon", vec![lr, ("momentum", Share), ("decay", AtLeast0)]),
        ("schedule", "constant", vec![]),
        ("schedule", "step_decay", vec![("", Above0), ("every", Above0)]),
        ("schedule", "exponential_decay", vec![("", Above0)]),
        ("schedule", "cosine", vec![("floor", UpTo1)]),
        ("schedule", "linear_warmup", vec![("", Above0)]),
        ("schedule", "polynomial", vec![("", Above0), ("floor", UpTo1)]),
        ("schedule", "cosine_restarts", vec![("", Above0), ("mult", Count), ("floor", UpTo1)]),
        (
            "schedule",
            "one_cycle",
            vec![("rise", UpTo1), ("div_factor", Above0), ("final_div_factor", Above0)],
        ),
        ("schedule", "cyclic", vec![("", Above0), ("floor", UpTo1), ("decay", UpTo1)]),
        ("schedule", "inverse_time", vec![("", Above0)]),
        ("schedule", "inverse_sqrt", vec![("", Above0)]),
        ("schedule", "warmup_stable_decay", vec![("", Above0), ("decay", Above0), ("floor", UpTo1)]),
        ("schedule", "multi_step", vec![("factor", Above0)]),
        ("loss", "mse", vec![]),
        ("loss", "mae", vec![]),
        ("loss", "huber", vec![("", Above0)]),
        ("loss", "bce", vec![]),
        ("loss", "bce_with_logits", vec![]),
        ("loss", "cross_entropy", vec![("label_smoothing", UpTo1)]),
        ("loss", "nll", vec![]),
        ("loss", "kl_div", vec![]),
        ("loss", "smooth_l1", vec![("", Above0)]),
        ("loss", "quantile", vec![("", UpTo1)]),
        ("loss", "log_cosh", vec![]),
        ("loss", "mape", vec![]),
        ("loss", "msle", vec![]),
        ("loss", "poisson_nll", vec![("eps", Above0)]),
        ("loss", "gaussian_nll", vec![("eps", Above0)]),
        ("loss", "negative_binomial", vec![("", Above0)]),
        ("loss", "hinge", vec![]),
        ("loss", "squared_hinge", vec![]),
        ("loss", "soft_margin", vec![]),
        ("loss", "hinge_embedding", vec![("", AtLeast0)]),
        ("loss", "multi_margin", vec![("", AtLeast0)]),
        ("loss", "multilabel_margin", vec![]),
        ("loss", "focal", vec![("", AtLeast0), ("alpha", UpTo1)]),
        ("loss", "categorical_focal", vec![("", AtLeast0)]),
        ("loss", "tversky", vec![("alpha", AtLeast0), ("beta", AtLeast0)]),
        ("loss", "dice", vec![]),
        ("loss", "cosine_similarity", vec![]),
        ("loss", "info_nce", vec![("", Above0)]),
        ("loss", "nt_xent", vec![("", Above0)]),
        ("loss", "arcface", vec![("", AtLeast0), ("scale", Above0)]),
        ("layer", "linear", vec![("", Count)]),
        ("layer", "conv2d", {
            let ones = ["", "kernel", "stride", "dilation", "groups"];
            ones.into_iter().map(|name| (name, Count)).chain([("padding", Whole)]).collect()
        }),
        ("layer", "max_pool2d", pool.clone()),
        ("layer", "avg_pool2d", pool),
        ("layer", "adaptive_max_pool2d", vec![("", Count)]),
        ("layer", "adaptive_avg_pool2d", vec![("", Count)]),
        ("layer", "batch_norm1d", vec![("momentum", UpTo1), eps]),
        ("layer", "batch_norm2d", vec![("momentum", UpTo1), eps]),
        ("layer", "layer_norm", vec![eps]),
        ("layer", "dropout", vec![("", Share)]),
        ("layer", "flatten", vec![]),
        ("layer", "embedding", vec![("", Count), ("size", Count)]),
        ("layer", "lstm", recurrent.clone()),
        ("layer", "gru", recurrent),
        ("layer", "positional_embedding", vec![]),
        ("layer", "attention", vec![("", Count), ("dropout", Share)]),
        ("layer", "transformer_block", vec![("", Count), ("hidden", Count), ("dropout", Share)]),
        ("layer", "residual", vec![]),
        ("layer", "checkpointed", vec![]),
        ("layer", "parallel", vec![]),
        ("layer", "repeat", vec![("", Count)]),
        ("layer", "sequential", vec![]),
        ("layer", "relu", vec![]),
        ("layer", "leaky_relu", vec![("", Finite)]),
        ("layer", "elu", vec![("", AtLeast0)]),
        ("layer", "gelu", vec![]),
        ("layer", "gelu_tanh", vec![]),
        ("layer", "silu", vec![]),
        ("layer", "sigmoid", vec![]),
        ("layer", "tanh", vec![]),
        ("layer", "softplus", vec![]),
        ("layer", "softmax", vec![]),
        ("layer", "log_softmax", vec![]),
        ("initialiser", "zeros", vec![]),
        ("initialiser", "ones", vec![]),
        ("initialiser", "constant", vec![("", Finite)]),
        ("initialiser", "normal", vec![("", AtLeast0), ("mean", Finite)]),
        ("initialiser", "uniform", vec![("", AtLeast0)]),
        ("initialiser", "truncated_normal", vec![("", AtLeast0), ("cut", Above0)]),
        ("initialiser", "xavier_uniform", vec![("gain", AtLeast0)]),
        ("initialiser", "xavier_normal", vec![("gain", AtLeast0)]),
        ("initialiser", "kaiming_uniform", vec![("slope", Finite)]),
        ("initialiser", "kaiming_normal", vec![("slope", Finite)]),
        ("initialiser", "orthogonal", vec![("gain", AtLeast0)]),
    ]
}

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
            let input = match entry.name.as_str() {
                name if images.contains(&name) || name == "adaptive_avg_pool2d" || name == "batch_norm2d" => {
                    vec![2, 6, 6]
                }
                "embedding" => vec![4],
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
    let told = format!("say in `in_files` of {} what each number may be, as in", file!());
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

type Setter = (&'static str, May, fn(f64));

/// Every function of optimizers, schedules, losses, layers and initialisers that takes an `f64`, by `file::function`.
const IN_RUST: &[Setter] = &[
    ("adagrad::new", AtLeast0, |x| drop(Adagrad::new(x))),
    ("adagrad::eps", Above0, |x| drop(Adagrad::new(0.1).eps(x))),
    ("adagrad::lr_decay", AtLeast0, |x| drop(Adagrad::new(0.1).lr_decay(x))),
    ("adagrad::decay", AtLeast0, |x| drop(Adagrad::new(0.1).decay(x))),
    ("adam::new", AtLeast0, |x| drop(Adam::new(x))),
    ("adam::betas", Share, |x| drop(Adam::new(0.1).betas(x, 0.9))),
    ("adam::betas", Share, |x| drop(Adam::new(0.1).betas(0.9, x))),
    ("adam::eps", Above0, |x| drop(Adam::new(0.1).eps(x))),
    ("adam::decay", AtLeast0, |x| drop(Adam::new(0.1).decay(x))),
    ("adamw::new", AtLeast0, |x| drop(AdamW::new(x))),
    ("adamw::betas", Share, |x| drop(AdamW::new(0.1).betas(x, 0.9))),
    ("adamw::betas", Share, |x| drop(AdamW::new(0.1).betas(0.9, x))),
    ("adamw::eps", Above0, |x| drop(AdamW::new(0.1).eps(x))),
    ("adamw::decay", AtLeast0, |x| drop(AdamW::new(0.1).decay(x))),
    ("group::lr", AtLeast0, |x| drop(Sgd::new(0.1).group("*", |g| g.lr(x)))),
    ("group::decay", AtLeast0, |x| drop(Sgd::new(0.1).group("*", |g| g.decay(x)))),
    ("memory::new", AtLeast0, |x| drop(crate::optim::Memory::new(x))),
    ("memory::set_lr", AtLeast0, |x| Sgd::new(0.1).set_lr(x)),
    ("rmsprop::new", AtLeast0, |x| drop(RmsProp::new(x))),
    ("rmsprop::alpha", Share, |x| drop(RmsProp::new(0.1).alpha(x))),
    ("rmsprop::eps", Above0, |x| drop(RmsProp::new(0.1).eps(x))),
    ("rmsprop::momentum", Share, |x| drop(RmsProp::new(0.1).momentum(x))),
    ("rmsprop::decay", AtLeast0, |x| drop(RmsProp::new(0.1).decay(x))),
    ("sgd::new", AtLeast0, |x| drop(Sgd::new(x))),
    ("sgd::momentum", Share, |x| drop(Sgd::new(0.1).momentum(x))),
    ("sgd::decay", AtLeast0, |x| drop(Sgd::new(0.1).decay(x))),
    ("adadelta::new", AtLeast0, |x| drop(Adadelta::new(x))),
    ("adadelta::rho", Share, |x| drop(Adadelta::new(0.1).rho(x))),
    ("adadelta::eps", Above0, |x| drop(Adadelta::new(0.1).eps(x))),
    ("adadelta::decay", AtLeast0, |x| drop(Adadelta::new(0.1).decay(x))),
    ("adamax::new", AtLeast0, |x| drop(Adamax::new(x))),
    ("adamax::betas", Share, |x| drop(Adamax::new(0.1).betas(x, 0.9))),
    ("adamax::betas", Share, |x| drop(Adamax::new(0.1).betas(0.9, x))),
    ("adamax::eps", Above0, |x| drop(Adamax::new(0.1).eps(x))),
    ("adamax::decay", AtLeast0, |x| drop(Adamax::new(0.1).decay(x))),
    ("nadam::new", AtLeast0, |x| drop(NAdam::new(x))),
    ("nadam::betas", Share, |x| drop(NAdam::new(0.1).betas(x, 0.9))),
    ("nadam::betas", Share, |x| drop(NAdam::new(0.1).betas(0.9, x))),
    ("nadam::eps", Above0, |x| drop(NAdam::new(0.1).eps(x))),
    ("nadam::momentum_decay", AtLeast0, |x| drop(NAdam::new(0.1).momentum_decay(x))),
    ("nadam::decay", AtLeast0, |x| drop(NAdam::new(0.1).decay(x))),
    ("radam::new", AtLeast0, |x| drop(RAdam::new(x))),
    ("radam::betas", Share, |x| drop(RAdam::new(0.1).betas(x, 0.9))),
    ("radam::betas", Share, |x| drop(RAdam::new(0.1).betas(0.9, x))),
    ("radam::eps", Above0, |x| drop(RAdam::new(0.1).eps(x))),
    ("radam::decay", AtLeast0, |x| drop(RAdam::new(0.1).decay(x))),
    ("lion::new", AtLeast0, |x| drop(Lion::new(x))),
    ("lion::betas", Share, |x| drop(Lion::new(0.1).betas(x, 0.9))),
    ("lion::betas", Share, |x| drop(Lion::new(0.1).betas(0.9, x))),
    ("lion::decay", AtLeast0, |x| drop(Lion::new(0.1).decay(x))),
    ("lamb::new", AtLeast0, |x| drop(Lamb::new(x))),
    ("lamb::betas", Share, |x| drop(Lamb::new(0.1).betas(x, 0.9))),
    ("lamb::betas", Share, |x| drop(Lamb::new(0.1).betas(0.9, x))),
    ("lamb::eps", Above0, |x| drop(Lamb::new(0.1).eps(x))),
    ("lamb::decay", AtLeast0, |x| drop(Lamb::new(0.1).decay(x))),
    ("lars::new", AtLeast0, |x| drop(Lars::new(x))),
    ("lars::momentum", Share, |x| drop(Lars::new(0.1).momentum(x))),
    ("lars::trust", Above0, |x| drop(Lars::new(0.1).trust(x))),
    ("lars::decay", AtLeast0, |x| drop(Lars::new(0.1).decay(x))),
    ("rprop::new", AtLeast0, |x| drop(Rprop::new(x))),
    ("rprop::shrink", Share, |x| drop(Rprop::new(0.1).shrink(x))),
    ("rprop::grow", Above0, |x| drop(Rprop::new(0.1).grow(x))),
    ("rprop::least", Above0, |x| drop(Rprop::new(0.1).least(x))),
    ("rprop::most", Above0, |x| drop(Rprop::new(0.1).most(x))),
    ("adafactor::new", AtLeast0, |x| drop(Adafactor::new(x))),
    ("adafactor::decay_rate", Above0, |x| drop(Adafactor::new(0.1).decay_rate(x))),
    ("adafactor::eps", Above0, |x| drop(Adafactor::new(0.1).eps(x))),
    ("adafactor::clip", Above0, |x| drop(Adafactor::new(0.1).clip(x))),
    ("adafactor::decay", AtLeast0, |x| drop(Adafactor::new(0.1).decay(x))),
    ("muon::new", AtLeast0, |x| drop(Muon::new(x))),
    ("muon::momentum", Share, |x| drop(Muon::new(0.1).momentum(x))),
    ("muon::decay", AtLeast0, |x| drop(Muon::new(0.1).decay(x))),
    ("sgd::dampening", UpTo1, |x| drop(Sgd::new(0.1).dampening(x))),
    ("cosine::floor", UpTo1, |x| _ = Cosine::new(1).floor(x)),
    ("exponential_decay::new", Above0, |x| _ = ExponentialDecay::new(1, x)),
    ("step_decay::new", Above0, |x| _ = StepDecay::new(1, x)),
    ("polynomial::new", Above0, |x| _ = Polynomial::new(1, x)),
    ("polynomial::floor", UpTo1, |x| _ = Polynomial::new(1, 1.0).floor(x)),
    ("cosine_restarts::floor", UpTo1, |x| _ = CosineRestarts::new(1).floor(x)),
    ("one_cycle::rise", UpTo1, |x| _ = OneCycle::new(1).rise(x)),
    ("one_cycle::div_factor", Above0, |x| _ = OneCycle::new(1).div_factor(x)),
    ("one_cycle::final_div_factor", Above0, |x| _ = OneCycle::new(1).final_div_factor(x)),
    ("cyclic::floor", UpTo1, |x| _ = Cyclic::new(1).floor(x)),
    ("cyclic::decay", UpTo1, |x| _ = Cyclic::new(1).decay(x)),
    ("inverse_time::new", Above0, |x| _ = InverseTime::new(1, x)),
    ("warmup_stable_decay::floor", UpTo1, |x| _ = WarmupStableDecay::new(1, 2, 1).floor(x)),
    ("multi_step::new", Above0, |x| drop(MultiStep::new([1], x))),
    ("cross_entropy::label_smoothing", UpTo1, |x| drop(CrossEntropy::new().label_smoothing(x))),
    ("huber::new", Above0, |x| _ = Huber::new(x)),
    ("smooth_l1::new", Above0, |x| _ = SmoothL1::new(x)),
    ("quantile::new", UpTo1, |x| _ = Quantile::new(x)),
    ("poisson_nll::eps", Above0, |x| _ = PoissonNll::new().eps(x)),
    ("gaussian_nll::eps", Above0, |x| _ = GaussianNll::new().eps(x)),
    ("negative_binomial::new", Above0, |x| _ = NegativeBinomial::new(x)),
    ("hinge_embedding::new", AtLeast0, |x| _ = HingeEmbedding::new(x)),
    ("multi_margin::new", AtLeast0, |x| _ = MultiMargin::new(x)),
    ("focal::new", AtLeast0, |x| _ = Focal::new(x)),
    ("focal::alpha", UpTo1, |x| _ = Focal::new(2.0).alpha(x)),
    ("categorical_focal::new", AtLeast0, |x| _ = CategoricalFocal::new(x)),
    ("tversky::alpha", AtLeast0, |x| _ = Tversky::new().alpha(x)),
    ("tversky::beta", AtLeast0, |x| _ = Tversky::new().beta(x)),
    ("info_nce::new", Above0, |x| _ = InfoNce::new(x)),
    ("nt_xent::new", Above0, |x| _ = NtXent::new(x)),
    ("arcface::new", AtLeast0, |x| _ = ArcFace::new(x)),
    ("arcface::scale", Above0, |x| _ = ArcFace::new(0.5).scale(x)),
    ("margin_ranking::margin_ranking", AtLeast0, |x| {
        _ = margin_ranking(&Tensor::ones([1]), &Tensor::ones([1]), &tensor![1], x)
    }),
    ("triplet_margin::triplet_margin", Above0, |x| {
        _ = triplet_margin(&Tensor::ones([1]), &Tensor::ones([1]), &Tensor::ones([1]), x)
    }),
    ("cosine_embedding::cosine_embedding", Cosines, |x| {
        _ = cosine_embedding(&Tensor::ones([1, 1]), &Tensor::ones([1, 1]), &tensor![1], x)
    }),
    ("batch_norm::momentum", UpTo1, |x| drop(BatchNorm1d::new(1).momentum(x))),
    ("batch_norm::eps", Above0, |x| drop(BatchNorm1d::new(1).eps(x))),
    ("dropout::new", Share, |x| _ = Dropout::new(x)),
    ("layer_norm::eps", Above0, |x| drop(LayerNorm::new(1).eps(x))),
    ("multi_head_attention::dropout", Share, |x| drop(MultiHeadAttention::new(2, 1).dropout(x))),
    ("transformer_block::dropout", Share, |x| drop(TransformerBlock::new(2, 1).dropout(x))),
    ("recurrent::dropout", Share, |x| drop((Lstm::new(1, 1).dropout(x), Gru::new(1, 1).dropout(x)))),
    ("kaiming::slope", Finite, |x| _ = (KaimingUniform::new().slope(x), KaimingNormal::new().slope(x))),
    ("normal::new", AtLeast0, |x| _ = Normal::new(x)),
    ("normal::mean", Finite, |x| _ = Normal::new(1.0).mean(x)),
    ("orthogonal::gain", AtLeast0, |x| _ = Orthogonal::new().gain(x)),
    ("truncated_normal::new", AtLeast0, |x| _ = TruncatedNormal::new(x)),
    ("truncated_normal::cut", Above0, |x| _ = TruncatedNormal::new(1.0).cut(x)),
    ("uniform::new", Finite, |x| _ = Uniform::new(-1e9, x)),
    ("uniform::symmetric", AtLeast0, |x| _ = Uniform::symmetric(x)),
    ("xavier::gain", AtLeast0, |x| _ = (XavierUniform::new().gain(x), XavierNormal::new().gain(x))),
    ("ema::new", Share, |x| drop(Ema::new(&Linear::new(1, 1), x))),
];

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
    assert!(missing.is_empty(), "say in `IN_RUST` of {} which numbers these take: {missing:?}", file!());
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
