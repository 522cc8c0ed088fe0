//! What `mixup` and `cutmix` share: who is mixed with whom, how much, and what becomes of the targets.

use crate::{Sample, SampleKey};
use mapsto_spec::Args;
use mapsto_tensor::random::Keyed;
use mapsto_tensor::{DType, Error, ErrorKind, Result, Tensor};

/// The randomness of a batch: of its samples and their order.
pub(crate) fn of_batch(keys: &[SampleKey]) -> Keyed {
    const MIX: u64 = 0x6d_69_78;
    let first = keys[0];
    let words = [first.seed, MIX, first.epoch, first.place as u64];
    Keyed::new(&words.into_iter().chain(keys.iter().map(|key| key.sample as u64)).collect::<Vec<u64>>())
}

/// Beta(α, α): 1 where α is 0, which mixes nothing.
pub(crate) fn share(alpha: f64, random: &mut Keyed) -> f64 {
    if alpha == 0.0 {
        return 1.0;
    }
    let (a, b) = (log_gamma_draw(alpha, random), log_gamma_draw(alpha, random));
    // a / (a + b) of logarithms, since draws of a small α underflow.
    1.0 / (1.0 + (b - a).exp())
}

/// The logarithm of a draw of Gamma(α, 1), by Marsaglia and Tsang (2000); below 1 with a power of a uniform draw more.
fn log_gamma_draw(alpha: f64, random: &mut Keyed) -> f64 {
    if alpha < 1.0 {
        let u = 1.0 - random.uniform(0.0, 1.0);
        return log_gamma_draw(alpha + 1.0, random) + u.ln() / alpha;
    }
    let d = alpha - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let z = random.normal();
        let v = (1.0 + c * z).powi(3);
        let u = 1.0 - random.uniform(0.0, 1.0);
        if v > 0.0 && u.ln() < 0.5 * z * z + d - d * v + d * v.ln() {
            return d.ln() + v.ln();
        }
    }
}

/// `λ y + (1 − λ) y'` of targets and those of the sample before each, the last before the first; class ids become probabilities first.
pub(crate) fn targets(name: &str, y: Tensor, classes: usize, share: f64) -> Result<Tensor> {
    let y = match y.dtype().is_float() {
        true => y,
        false if y.rank() == 1 && classes > 0 => y.to(DType::I64).one_hot(classes).to(DType::F32),
        false => {
            let message =
                format!("{name}: targets of the shape {:?} are no classes that could be mixed", y.shape());
            return Err(Error::new(ErrorKind::Usage, message)
                .help("name the classes of the set with `classes`, or give probabilities as targets"));
        }
    };
    Ok(&y * share + roll(&y) * (1.0 - share))
}

/// Each row where the next one was, the last one first.
pub(crate) fn roll(x: &Tensor) -> Tensor {
    let n = x.shape()[0] as i64;
    Tensor::cat(&[x.slice(0, n - 1..), x.slice(0, ..n - 1)], 0)
}

/// The sample that the rows of a batch are made of, together with the one before each.
pub(crate) fn mixed(
    batch: Sample,
    keys: &[SampleKey],
    alpha: f64,
    mix: impl FnOnce(Tensor, f64, &mut Keyed) -> Result<(Tensor, Tensor)>,
) -> Result<Sample> {
    if keys.is_empty() {
        return Ok(batch);
    }
    let mut random = of_batch(keys);
    let share = share(alpha, &mut random);
    let (x, y) = mix(batch.x, share, &mut random)?;
    Ok(Sample { x, y })
}

/// The α of an entry.
pub(crate) fn alpha(args: &mut Args, default: f64) -> Result<f64> {
    mapsto_spec::Bounds::AT_LEAST_0.main(args, "alpha", default)
}

#[test]
fn shares_are_distributed_as_beta() {
    for (alpha, variance) in [(0.2, 1.0 / (4.0 * 1.4)), (1.0, 1.0 / 12.0), (4.0, 1.0 / 36.0)] {
        let n = 20_000;
        let mut random = Keyed::new(&[7]);
        let draws: Vec<f64> = (0..n).map(|_| share(alpha, &mut random)).collect();
        assert!(draws.iter().all(|v| (0.0..=1.0).contains(v)));
        let mean = draws.iter().sum::<f64>() / n as f64;
        let found = draws.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64;
        assert!(
            (mean - 0.5).abs() < 0.01 && (found / variance - 1.0).abs() < 0.03,
            "{alpha}: {mean} {found} {variance}"
        );
    }
    assert_eq!(share(0.0, &mut Keyed::new(&[7])), 1.0);
}
