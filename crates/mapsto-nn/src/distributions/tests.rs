//! Every distribution against torch.distributions, and samples against the distribution itself.
//!
//! `golden/distributions.jsonl` holds PyTorch's numbers, and `golden/distributions.py` made it.

use super::*;
use mapsto_spec::Json;
use mapsto_tensor::check::check;
use mapsto_tensor::prelude::*;

const GOLDEN: &str = include_str!("../../golden/distributions.jsonl");

/// The names of all distributions, each of which has a golden line and a way to be made.
const NAMES: [&str; 21] = [
    "normal",
    "log_normal",
    "uniform",
    "bernoulli",
    "exponential",
    "gamma",
    "laplace",
    "gumbel",
    "poisson",
    "beta",
    "dirichlet",
    "categorical",
    "multivariate_normal",
    "cauchy",
    "half_cauchy",
    "half_normal",
    "student_t",
    "chi2",
    "weibull",
    "pareto",
    "inverse_gamma",
];

/// A distribution by its name, and its divergence from another one.
type Made = (Box<dyn Distribution>, Box<dyn Fn(&[Tensor]) -> Tensor>);

/// A number of a distribution that is asked for.
type Found<'a> = Box<dyn Fn() -> Tensor + 'a>;

/// A distribution of these parameters, and what its divergence from one of other parameters is.
fn made(name: &str, p: &[Tensor]) -> Made {
    macro_rules! of {
        ($make:expr) => {{
            let make = $make;
            let d = make(p);
            (
                Box::new(d.clone()) as Box<dyn Distribution>,
                Box::new(move |q: &[Tensor]| kl_divergence(&d, &make(q))) as Box<dyn Fn(&[Tensor]) -> Tensor>,
            )
        }};
    }
    // Without a divergence, as in PyTorch.
    macro_rules! alone {
        ($d:expr) => {
            (
                Box::new($d) as Box<dyn Distribution>,
                Box::new(|_: &[Tensor]| -> Tensor { fail!("kl", "there is no divergence") })
                    as Box<dyn Fn(&[Tensor]) -> Tensor>,
            )
        };
    }
    match name {
        "normal" => of!(|p: &[Tensor]| Normal::new(&p[0], &p[1])),
        "log_normal" => of!(|p: &[Tensor]| LogNormal::new(&p[0], &p[1])),
        "uniform" => of!(|p: &[Tensor]| Uniform::new(&p[0], &p[1])),
        "bernoulli" => of!(|p: &[Tensor]| Bernoulli::of_logits(&p[0])),
        "exponential" => of!(|p: &[Tensor]| Exponential::new(&p[0])),
        "gamma" => of!(|p: &[Tensor]| Gamma::new(&p[0], &p[1])),
        "laplace" => of!(|p: &[Tensor]| Laplace::new(&p[0], &p[1])),
        "gumbel" => of!(|p: &[Tensor]| Gumbel::new(&p[0], &p[1])),
        "poisson" => of!(|p: &[Tensor]| Poisson::new(&p[0])),
        "beta" => of!(|p: &[Tensor]| Beta::new(&p[0], &p[1])),
        "dirichlet" => of!(|p: &[Tensor]| Dirichlet::new(&p[0])),
        "categorical" => of!(|p: &[Tensor]| Categorical::of_logits(&p[0])),
        "multivariate_normal" => of!(|p: &[Tensor]| MultivariateNormal::diagonal(&p[0], &p[1])),
        "cauchy" => of!(|p: &[Tensor]| Cauchy::new(&p[0], &p[1])),
        "half_cauchy" => of!(|p: &[Tensor]| HalfCauchy::new(&p[0])),
        "half_normal" => of!(|p: &[Tensor]| HalfNormal::new(&p[0])),
        "student_t" => alone!(StudentT::new(&p[0], &p[1], &p[2])),
        "chi2" => of!(|p: &[Tensor]| Chi2::new(&p[0])),
        "weibull" => alone!(Weibull::new(&p[0], &p[1])),
        "pareto" => of!(|p: &[Tensor]| Pareto::new(&p[0], &p[1])),
        "inverse_gamma" => of!(|p: &[Tensor]| InverseGamma::new(&p[0], &p[1])),
        other => panic!("{other} cannot be made"),
    }
}

fn numbers(json: &Json) -> Vec<f64> {
    let number = |x: &Json| x.number().or_else(|| x.str()?.parse().ok()).expect("a number");
    json.list().expect("a list").iter().map(number).collect()
}

fn tensor_of(json: &Json) -> Tensor {
    let v = numbers(json);
    let n = v.len();
    Tensor::from_vec(v, [n])
}

fn lines() -> Vec<Json> {
    GOLDEN.lines().map(|line| Json::parse(line).unwrap()).collect()
}

fn parameters(line: &Json, key: &str) -> Vec<Tensor> {
    line.get(key).unwrap().list().unwrap().iter().map(tensor_of).collect()
}

#[test]
fn densities_entropies_moments_and_divergences_are_pytorchs() {
    let lines = lines();
    assert_eq!(lines.iter().map(|l| l.get("name").unwrap().str().unwrap()).collect::<Vec<_>>(), NAMES);
    let mut compared = 0;
    for line in lines {
        let name = line.get("name").unwrap().str().unwrap();
        let (d, kl) = made(name, &parameters(&line, "p"));
        assert_eq!(d.name(), name);
        let x = tensor_of(line.get("x").unwrap());
        let x = if name == "categorical" { x.to(DType::I64) } else { x };
        let found: [(&str, Found); 5] = [
            ("log_prob", Box::new(|| d.log_prob(&x))),
            ("entropy", Box::new(|| d.entropy())),
            ("mean", Box::new(|| d.mean())),
            ("variance", Box::new(|| d.variance())),
            ("kl", Box::new(|| kl(&parameters(&line, "q")))),
        ];
        for (what, found) in found {
            let Some(want) = line.get(what) else {
                assert!(catch(found).is_err(), "{name}: PyTorch has no {what}");
                continue;
            };
            for (i, (f, w)) in found().to_vec::<f64>().into_iter().zip(numbers(want)).enumerate() {
                let same = f == w || (f - w).abs() <= 1e-12 * w.abs().max(1.0) || (f.is_nan() && w.is_nan());
                assert!(same, "{name}, {what} {i}: {f}, {w}");
                compared += 1;
            }
        }
    }
    assert!(compared > 200, "{compared}");
}

#[test]
fn samples_have_the_moments_and_the_shape() {
    seed(1);
    for line in lines() {
        let name = line.get("name").unwrap().str().unwrap();
        if ["categorical", "cauchy", "half_cauchy"].contains(&name) {
            continue; // a test of its own counts classes, and heavy tails have no moments
        }
        let (d, _) = made(name, &parameters(&line, "p"));
        let x = d.sample(&[200, 100]);
        assert_eq!(x.shape(), [200, 100, 4], "{name}");
        assert!(!x.is_recorded());
        let x = x.reshape([20_000, 4]);
        let (mean, std) = (d.mean(), d.stddev());
        let off = ((x.mean(0) - &mean) / &std * 20_000f64.sqrt()).nan_to_num().abs().max(..).item();
        assert!(off < 4.5, "{name}: the mean is off by {off} deviations");
        let spread = (x.var(0) / std.square()).nan_to_num_with(1.0, 1.0, 1.0);
        // A few samples of a tail that almost never comes say nothing of the spread.
        let known = std.ge(0.05);
        let off = known.choose(spread - 1.0, 0.0).abs().max(..).item();
        assert!(off < if name == "log_normal" { 0.5 } else { 0.1 }, "{name}: the variance is off by {off}");
    }
}

#[test]
fn the_mean_of_minus_log_prob_is_the_entropy() {
    seed(2);
    for line in lines() {
        let name = line.get("name").unwrap().str().unwrap();
        if name == "poisson" {
            continue; // its entropy has no formula
        }
        let (d, _) = made(name, &parameters(&line, "p"));
        let logs = d.log_prob(&d.sample(&[20_000]));
        let (mean, std) = (logs.mean(0), logs.std(0));
        let off = ((mean + d.entropy()) / (std / 20_000f64.sqrt() + 1e-3)).abs().max(..).item();
        assert!(off < 4.5, "{name}: off by {off} deviations");
    }
}

#[test]
fn densities_and_samples_have_derivatives() {
    use mapsto_tensor::check::floats;
    type Of = fn(&Tensor) -> Tensor;
    let densities: [Of; 17] = [
        |p| Normal::new(p, &(p * p + 0.5)).log_prob(&Tensor::full_like(&p.detach(), 0.7)),
        |p| LogNormal::new(p, &(p * p + 0.5)).log_prob(&Tensor::full_like(&p.detach(), 0.7)),
        |p| Exponential::new(p).log_prob(&Tensor::full_like(&p.detach(), 0.7)),
        |p| Gamma::new(p, &(p * p + 0.5)).log_prob(&Tensor::full_like(&p.detach(), 0.7)),
        |p| Laplace::new(&(p + 2.0), p).log_prob(&Tensor::full_like(&p.detach(), 0.7)),
        |p| Gumbel::new(p, &(p * p + 0.5)).log_prob(&Tensor::full_like(&p.detach(), 0.7)),
        |p| Poisson::new(p).log_prob(&Tensor::full_like(&p.detach(), 3.0)),
        |p| Beta::new(p, &(p * p + 0.5)).log_prob(&Tensor::full_like(&p.detach(), 0.7)),
        |p| Bernoulli::of_logits(p).log_prob(&Tensor::full_like(&p.detach(), 1.0)),
        |p| Cauchy::new(p, &(p * p + 0.5)).log_prob(&Tensor::full_like(&p.detach(), 0.7)),
        |p| HalfCauchy::new(p).log_prob(&Tensor::full_like(&p.detach(), 0.7)),
        |p| HalfNormal::new(p).log_prob(&Tensor::full_like(&p.detach(), 0.7)),
        |p| StudentT::new(p, &(p * 0.3), &(p * p + 0.5)).log_prob(&Tensor::full_like(&p.detach(), 0.7)),
        |p| Chi2::new(p).log_prob(&Tensor::full_like(&p.detach(), 0.7)),
        |p| Weibull::new(p, &(p * p + 0.5)).log_prob(&Tensor::full_like(&p.detach(), 0.7)),
        |p| Pareto::new(&(p * 0.3), &(p * p + 0.5)).log_prob(&Tensor::full_like(&p.detach(), 0.7)),
        |p| InverseGamma::new(p, &(p * p + 0.5)).log_prob(&Tensor::full_like(&p.detach(), 0.7)),
    ];
    for f in densities {
        check(f).absolute(1.0).shapes([&[5]]).on(floats(0.6..2.0));
    }
    // With the shape 1 it is the exponential distribution, also at 0.
    let at_zero = |k: f64| Weibull::new(&tensor![2.0], &tensor![k]).log_prob(&tensor![0.0]).item();
    assert!((at_zero(1.0) + 2.0f64.ln()).abs() < 1e-6);
    assert_eq!([at_zero(0.5), at_zero(2.0)], [f64::INFINITY, f64::NEG_INFINITY]);
    // An element that nobody uses changes no gradient.
    let a = tensor![2.0].leaf();
    let y = Gamma::new(&a, &tensor![1.5]).log_prob(&tensor![0.7, 0.0]).slice(0, 0..1);
    assert_close!(y.sum(..).backward().of(&a), [-0.3739544]);
    // A sample moves with its parameters: by the noise.
    let (mean, std) = (tensor![1.0, 2.0].leaf(), tensor![0.5, 3.0].leaf());
    let x = Normal::new(&mean, &std).rsample(&[10]);
    let grads = x.sum(..).backward();
    assert_close!(grads.of(&mean), [10.0, 10.0]);
    assert_close!(grads.of(&std), ((x.detach() - mean.detach()) / std.detach()).sum(0));
    let (low, high) = (tensor![0.0].leaf(), tensor![2.0].leaf());
    let grads = Uniform::new(&low, &high).rsample(&[50]).sum(..).backward();
    assert_close!(grads.of(&low) + grads.of(&high), [50.0]);
    let e = catch(|| Poisson::new(&tensor![1.0]).rsample(&[])).unwrap_err();
    assert_eq!(e.message(), "poisson: its samples have no derivative by its parameters");
}

/// The mean of a function of samples moves with the parameters as the mean over the distribution does: by the gradient through the
/// samples, and by the derivative of the formula of the mean and the variance.
#[test]
fn samples_that_move_move_the_moments() {
    seed(8);
    let n = 40_000;
    let mut tried = 0;
    for line in lines() {
        let name = line.get("name").unwrap().str().unwrap();
        if ["bernoulli", "poisson", "categorical", "cauchy", "half_cauchy"].contains(&name) {
            continue; // these do not move, or have no moments
        }
        let p: Vec<Tensor> = parameters(&line, "p").iter().map(Tensor::leaf).collect();
        let (d, _) = made(name, &p);
        let x = d.rsample(&[n]);
        assert!(x.is_recorded(), "{name}");
        let each = x.sum(..).backward();
        let of_mean = made(name, &p).0.mean().sum(..).backward();
        for (i, p) in p.iter().enumerate() {
            let (got, want) =
                (each.of(p) / n as f64, of_mean.get(p).map_or(Tensor::zeros_like(p), Tensor::clone));
            // Of each element: slopes are as large as the samples are spread.
            let scale = (d.stddev().detach() / p.detach().abs().maximum(0.1) + 1.0).maximum(want.abs());
            let off = ((&got - &want) / scale).abs().max(..).item();
            assert!(off < 0.05, "{name}: the mean moves with parameter {i} by {got:?}, not by {want:?}");
            tried += 1;
        }
    }
    assert!(tried > 20, "{tried}");
}

/// `golden/draws.jsonl` holds `torch._standard_gamma_grad` and `torch._dirichlet_grad` of draws: PyTorch approximates them to about
/// three digits between the tails, and the values of mpmath beside the operation say which digits are right.
#[test]
fn draws_move_as_pytorch_approximates_it() {
    let mut compared = 0;
    for line in include_str!("../../golden/draws.jsonl").lines().map(|line| Json::parse(line).unwrap()) {
        let kind = mapsto_tensor::ops::kind(line.get("op").unwrap().str().unwrap()).unwrap();
        let xs = parameters(&line, "x");
        let y = mapsto_tensor::graph::apply(
            kind.build(mapsto_tensor::graph::Attrs::new()).unwrap(),
            &xs.iter().collect::<Vec<_>>(),
        );
        for (i, (f, w)) in y.to_vec::<f64>().into_iter().zip(numbers(line.get("y").unwrap())).enumerate() {
            assert!((f / w - 1.0).abs() < 3e-3, "{} {i}: {f}, {w}", kind.name);
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
}

/// At the ends of their supports, by the values of SciPy.
#[test]
fn ends_of_a_support_have_the_density_of_the_formula() {
    let of = |a: f64, b: f64| (Tensor::full([1], a), Tensor::full([1], b));
    let gamma = |a: f64| {
        let (a, rate) = of(a, 1.0);
        Gamma::new(&a, &rate).log_prob(&tensor![0.0]).item()
    };
    assert_eq!([gamma(1.0), gamma(0.5), gamma(2.0)], [0.0, f64::INFINITY, f64::NEG_INFINITY]);
    let beta = |a: f64, b: f64, x: f64| {
        let (a, b) = of(a, b);
        Beta::new(&a, &b).log_prob(&Tensor::full([1], x)).item()
    };
    assert_close!(
        tensor![beta(1.0, 3.0, 0.0), beta(2.0, 1.0, 1.0), beta(1.0, 1.0, 0.0)],
        [3f64.ln(), 2f64.ln(), 0.0]
    );
    assert_eq!(beta(0.5, 1.0, 0.0), f64::INFINITY);
}

#[test]
fn outside_of_the_support_nothing_has_a_density() {
    let (one, half) = (tensor![1.0], tensor![0.5]);
    let none = [
        LogNormal::new(&one, &one).log_prob(&tensor![-1.0, 0.0]),
        Exponential::new(&one).log_prob(&tensor![-1.0, -0.1]),
        Gamma::new(&one, &one).log_prob(&tensor![-1.0, -0.1]),
        Beta::new(&one, &one).log_prob(&tensor![-1.0, 1.1]),
        Uniform::new(&half, &one).log_prob(&tensor![0.4, 1.0]),
        Poisson::new(&one).log_prob(&tensor![-1.0, 0.5]),
    ];
    for y in none {
        assert_eq!(y.to_vec::<f32>(), [f32::NEG_INFINITY; 2]);
    }
    // And whoever learns gets no NaN from there.
    let rate = tensor![2.0].leaf();
    let grads =
        Gamma::new(&tensor![3.0], &rate).log_prob(&tensor![-1.0, 1.0]).slice(0, 1..).sum(..).backward();
    assert!(grads.of(&rate).is_finite());
    let refused: [fn(); 4] = [
        || drop(Beta::new(&tensor![0.0], &tensor![1.0])),
        || drop(Uniform::new(&tensor![1.0], &tensor![1.0])),
        || drop(Poisson::new(&tensor![-1.0])),
        || drop(Dirichlet::new(&Tensor::scalar(1.0))),
    ];
    for make in refused {
        assert!(catch(make).is_err());
    }
}
