//! How the indices of a set are cut into parts: at random, by class, or in order.

use mapsto_tensor::{fail, random::Keyed};
use std::collections::BTreeMap;

// Words that keep the randomness of splits apart from that of loaders with the same seed.
const RANDOM: u64 = 0x73_70_6c_69_74;
const STRATIFIED: u64 = 0x73_74_72_61_74;

/// Random parts of `0..n`, each in ascending order.
#[track_caller]
pub(crate) fn random<const N: usize>(n: usize, fractions: &[f64; N], seed: u64) -> [Vec<usize>; N] {
    check(fractions);
    deal(Keyed::new(&[seed, RANDOM]).permutation(n), sizes(n, fractions))
}

/// Consecutive parts of `0..n`.
#[track_caller]
pub(crate) fn ordered<const N: usize>(n: usize, fractions: &[f64; N]) -> [Vec<usize>; N] {
    check(fractions);
    deal((0..n).collect(), sizes(n, fractions))
}

/// Random parts in which each class is within one sample of its fraction.
///
/// What is left of a class after rounding down goes, one each, to the parts that are furthest below their share over
/// all classes so far: many small classes would otherwise all round the same way and leave a part too small.
pub(crate) fn stratified<const N: usize>(labels: &[i64], fractions: &[f64; N], seed: u64) -> [Vec<usize>; N] {
    let mut classes: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (i, &label) in labels.iter().enumerate() {
        classes.entry(label).or_default().push(i);
    }
    let mut parts: [Vec<usize>; N] = std::array::from_fn(|_| Vec::new());
    let mut lacking = [0.0; N];
    for (label, members) in classes {
        let n = members.len();
        let mut sizes = fractions.map(|f| floor(f * n as f64));
        for k in 0..N {
            lacking[k] += fractions[k] * n as f64 - sizes[k] as f64;
        }
        for k in largest(&lacking).into_iter().take(n - sizes.iter().sum::<usize>()) {
            sizes[k] += 1;
            lacking[k] -= 1.0;
        }
        let order = Keyed::new(&[seed, STRATIFIED, label as u64]).permutation(n);
        let shuffled = order.into_iter().map(|i| members[i]).collect();
        for (part, dealt) in parts.iter_mut().zip(deal(shuffled, sizes)) {
            part.extend(dealt);
        }
    }
    parts.iter_mut().for_each(|part| part.sort_unstable());
    parts
}

/// Refuses fractions that are negative or do not add up to 1.
#[track_caller]
pub(crate) fn check(fractions: &[f64]) {
    let sum: f64 = fractions.iter().sum();
    if let Some(f) = fractions.iter().find(|f| f.is_nan() || **f < 0.0) {
        fail!("split", "a fraction must be at least 0, got {f} in {fractions:?}"; help = "for example [0.8, 0.2]");
    }
    if (sum - 1.0).abs() > 1e-6 {
        fail!("split", "fractions {fractions:?} add up to {sum}, not 1"; help = "for example [0.8, 0.2]");
    }
}

fn deal<const N: usize>(order: Vec<usize>, sizes: [usize; N]) -> [Vec<usize>; N] {
    let mut rest = order.as_slice();
    sizes.map(|size| {
        let (part, after) = rest.split_at(size);
        rest = after;
        let mut part = part.to_vec();
        part.sort_unstable();
        part
    })
}

/// Whole sizes that add up to `n`: rounded down, then one each to the largest remainders.
fn sizes<const N: usize>(n: usize, fractions: &[f64; N]) -> [usize; N] {
    let mut sizes = fractions.map(|f| floor(f * n as f64));
    let remainders: [f64; N] = std::array::from_fn(|k| fractions[k] * n as f64 - sizes[k] as f64);
    for k in largest(&remainders).into_iter().take(n - sizes.iter().sum::<usize>()) {
        sizes[k] += 1;
    }
    sizes
}

/// Rounds down, but forgives the last bits: 0.1 × 30 is 3, not 2.
fn floor(x: f64) -> usize {
    (x + 1e-6).floor() as usize
}

fn largest<const N: usize>(values: &[f64; N]) -> [usize; N] {
    let mut order: [usize; N] = std::array::from_fn(|k| k);
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers<const N: usize>(n: usize, parts: &[Vec<usize>; N]) {
        let mut all: Vec<usize> = parts.iter().flatten().copied().collect();
        all.sort_unstable();
        assert_eq!(all, (0..n).collect::<Vec<_>>());
    }

    #[test]
    fn parts_cover_the_set_once_and_have_the_asked_sizes() {
        for n in [0, 1, 2, 7, 10, 30, 1001] {
            let parts = random(n, &[0.7, 0.2, 0.1], 5);
            covers(n, &parts);
            for (part, f) in parts.iter().zip([0.7, 0.2, 0.1]) {
                assert!((part.len() as f64 - f * n as f64).abs() < 1.0 + 1e-9, "{n}: {}", part.len());
            }
        }
        assert_eq!(random(30, &[0.9, 0.1], 1).map(|p| p.len()), [27, 3]);
        assert_eq!(ordered(5, &[0.6, 0.4]), [vec![0, 1, 2], vec![3, 4]]);
    }

    #[test]
    fn the_seed_decides() {
        let a = random(100, &[0.5, 0.5], 1);
        assert_eq!(a, random(100, &[0.5, 0.5], 1));
        assert_ne!(a, random(100, &[0.5, 0.5], 2));
        assert_ne!(a[0], (0..50).collect::<Vec<_>>());
    }

    #[test]
    fn every_class_keeps_its_share() {
        // Classes of 600, 300, 90 and 10.
        let labels: Vec<i64> = (0..1000).map(|i| [0, 0, 0, 0, 0, 0, 1, 1, 1, 2][i % 10]).collect();
        let labels: Vec<i64> =
            labels.iter().enumerate().map(|(i, &l)| if i % 100 == 9 { 3 } else { l }).collect();
        let count = |part: &[usize], class| part.iter().filter(|&&i| labels[i] == class).count();
        let parts = stratified(&labels, &[0.8, 0.2], 3);
        covers(1000, &parts);
        assert_eq!([0, 1, 2, 3].map(|c| count(&parts[0], c)), [480, 240, 72, 8]);
        assert_eq!([0, 1, 2, 3].map(|c| count(&parts[1], c)), [120, 60, 18, 2]);
    }

    #[test]
    fn many_small_classes_do_not_starve_a_part() {
        // 40 classes of 4: a fifth of each is 0.8, and every class rounded alone would give 40 or 0.
        let labels: Vec<i64> = (0..160).map(|i| i % 40).collect();
        let parts = stratified(&labels, &[0.8, 0.2], 3);
        covers(160, &parts);
        assert_eq!(parts.map(|p| p.len()), [128, 32]);
    }

    #[test]
    fn fractions_must_add_up() {
        let e = mapsto_tensor::catch(|| random(10, &[0.8, 0.1], 1)).unwrap_err();
        assert!(e.message().starts_with("split: fractions [0.8, 0.1] add up to 0.9"), "{e}");
        let e = mapsto_tensor::catch(|| random(10, &[1.2, -0.2], 1)).unwrap_err();
        assert_eq!(e.message(), "split: a fraction must be at least 0, got -0.2 in [1.2, -0.2]");
    }
}
