//! Random numbers as a pure function of (seed, stream, draw, element): Philox 4x32-10, and what is drawn from it.
//!
//! Salmon, Moraes, Dror & Shaw (2011), "Parallel random numbers: as easy as 1, 2, 3", SC'11. There is no state to
//! carry along: element `i` of a draw is the same whoever computes it, in whatever order, on however many threads, so
//! a dropout mask need not be kept and a shuffle can be resumed in its middle.
//!
//! Element `i` uses word `i mod 4` of block `⌊i/4⌋`. Normal numbers come in pairs from the same block: elements 0 and
//! 1 of a block from its words 0 and 1, elements 2 and 3 from its words 2 and 3.

use crate::real::Float;
use crate::simd::{array, vectorize_light};
use crate::threads::for_chunks;

/// Names one draw: the same name gives the same numbers, always.
///
/// ```
/// use mapsto_kernels::philox::{Draw, uniform};
/// let mut x = [0f32; 4];
/// uniform(Draw { seed: 1, stream: 0, draw: 0 }, 0.0, 1.0, &mut x);
/// assert_eq!(x.map(|x| (x * 1000.0) as u32), [890, 894, 585, 711]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Draw {
    /// The run's seed: Philox's key.
    pub seed: u64,
    /// What the numbers are for; streams with the same seed are independent.
    pub stream: u32,
    /// The number of the draw within its stream, below 2⁵⁶.
    pub draw: u64,
}

impl Draw {
    /// The four random words of elements `4i .. 4i + 4`, for `i` below 2⁴⁰.
    ///
    /// Philox's 128-bit counter is, from the low end: 32 bits of `i`, the stream, 56 bits of the draw, 8 more of `i`.
    #[inline(always)]
    pub fn block(&self, i: u64) -> [u32; 4] {
        debug_assert!(i < 1 << 40 && self.draw < 1 << 56);
        let counter =
            [i as u32, self.stream, self.draw as u32, (self.draw >> 32) as u32 | ((i >> 32) as u32) << 24];
        philox([self.seed as u32, (self.seed >> 32) as u32], counter)
    }
}

/// Philox 4x32-10: ten rounds of two 32×32→64-bit products each, under a key that steps by Weyl sequences.
///
/// ```
/// let words = mapsto_kernels::philox::philox([0, 0], [0, 0, 0, 0]);
/// assert_eq!(words, [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]); // Random123's known answer
/// ```
#[inline(always)]
pub fn philox(mut key: [u32; 2], mut x: [u32; 4]) -> [u32; 4] {
    for _ in 0..10 {
        let (a, b) = (0xd251_1f53u64 * x[0] as u64, 0xcd9e_8d57u64 * x[2] as u64);
        x = [(b >> 32) as u32 ^ x[1] ^ key[0], b as u32, (a >> 32) as u32 ^ x[3] ^ key[1], a as u32];
        key = [key[0].wrapping_add(0x9e37_79b9), key[1].wrapping_add(0xbb67_ae85)];
    }
    x
}

/// Fills `out` with random words.
pub fn bits(draw: Draw, out: &mut [u32]) {
    bits_at(draw, 0, out);
}

/// Fills `out` with elements `offset ..` of [`bits`].
pub fn bits_at(draw: Draw, offset: u64, out: &mut [u32]) {
    fill(draw, offset, out, interleave);
}

/// Fills `out` with numbers uniform on `[lo, hi)`: 24 random bits each in f32, 32 in f64.
///
/// ```
/// use mapsto_kernels::philox::{Draw, uniform};
/// let mut x = vec![0f64; 10_000];
/// uniform(Draw { seed: 7, stream: 0, draw: 0 }, -1.0, 3.0, &mut x);
/// assert!((x.iter().sum::<f64>() / 1e4 - 1.0).abs() < 0.05);
/// ```
pub fn uniform<T: Float>(draw: Draw, lo: T, hi: T, out: &mut [T]) {
    uniform_at(draw, 0, lo, hi, out);
}

/// Fills `out` with elements `offset ..` of [`uniform`].
pub fn uniform_at<T: Float>(draw: Draw, offset: u64, lo: T, hi: T, out: &mut [T]) {
    // An f32 holds 24 bits: more would round some of them up to 1.
    let drop = if size_of::<T>() == 4 { 8 } else { 0 };
    let scale = T::from_f64(1.0 / (1u64 << (32 - drop)) as f64);
    fill(
        draw,
        offset,
        out,
        #[inline(always)]
        |words, out| {
            let mut x = [[T::ZERO; LANES]; 4];
            for k in 0..4 {
                for l in 0..LANES {
                    let v = lo + (hi - lo) * (T::from_u32(words[k][l] >> drop) * scale);
                    // The product may round up to `hi`, which the interval leaves out.
                    x[k][l] = if v < hi { v } else { lo };
                }
            }
            interleave(&x, out);
        },
    );
}

/// Fills `out` with normal numbers of the given mean and standard deviation, by Box & Muller (1958): with two uniform
/// words `u`, `v` of a block, `√(−2 ln u) · (cos 2πv, sin 2πv)` are two elements. No value is farther from the mean
/// than 6.8 standard deviations.
///
/// ```
/// use mapsto_kernels::philox::{Draw, normal};
/// let mut x = vec![0f32; 10_000];
/// normal(Draw { seed: 7, stream: 0, draw: 0 }, 5.0, 2.0, &mut x);
/// let within = x.iter().filter(|x| (3.0..7.0).contains(*x)).count();
/// assert!((within as f64 / 1e4 - 0.6827).abs() < 0.02);
/// ```
pub fn normal<T: Float>(draw: Draw, mean: T, std: T, out: &mut [T]) {
    normal_at(draw, 0, mean, std, out);
}

/// Fills `out` with elements `offset ..` of [`normal`].
pub fn normal_at<T: Float>(draw: Draw, offset: u64, mean: T, std: T, out: &mut [T]) {
    let (scale, shift) = (T::from_f64(0.5f64.powi(32)), T::from_f64(0.5f64.powi(33)));
    let angle = T::from_f64(std::f64::consts::FRAC_PI_4 * 0.5f64.powi(31));
    fill(
        draw,
        offset,
        out,
        #[inline(always)]
        |words, out| {
            let mut x = [[T::ZERO; LANES]; 4];
            for pair in [0, 2] {
                for l in 0..LANES {
                    let (u, v) = (words[pair][l], words[pair + 1][l]);
                    let r = std * (-T::TWO * (T::from_u32(u) * scale + shift).ln()).sqrt();
                    // The top two bits of `v` choose a quadrant, the others an angle in [−π/4, π/4) about its middle.
                    let a = T::from_u32((v << 2) ^ 0x8000_0000) - T::from_f64(2_147_483_648.0);
                    let (s, c) = (a * angle).sin_cos_small();
                    let (s, c) = if v & 0x4000_0000 != 0 { (c, -s) } else { (s, c) };
                    let (s, c) = if v & 0x8000_0000 != 0 { (-s, -c) } else { (s, c) };
                    x[pair][l] = mean + r * c;
                    x[pair + 1][l] = mean + r * s;
                }
            }
            interleave(&x, out);
        },
    );
}

/// Fills `out` with ones, each with probability `p`, and zeros.
///
/// ```
/// use mapsto_kernels::philox::{Draw, bernoulli};
/// let mut x = vec![0; 10_000];
/// bernoulli(Draw { seed: 7, stream: 0, draw: 0 }, 0.25, &mut x);
/// assert!((x.iter().map(|&x| x as f64).sum::<f64>() / 1e4 - 0.25).abs() < 0.02);
/// ```
///
/// # Panics
/// If `p` is not within [0, 1].
pub fn bernoulli(draw: Draw, p: f64, out: &mut [u8]) {
    bernoulli_at(draw, 0, p, out);
}

/// Fills `out` with elements `offset ..` of [`bernoulli`].
///
/// # Panics
/// If `p` is not within [0, 1].
pub fn bernoulli_at(draw: Draw, offset: u64, p: f64, out: &mut [u8]) {
    let below = threshold(p);
    fill(
        draw,
        offset,
        out,
        #[inline(always)]
        |words, out| {
            let mut x = [[0u8; LANES]; 4];
            for k in 0..4 {
                for l in 0..LANES {
                    x[k][l] = ((words[k][l] as u64) < below) as u8;
                }
            }
            interleave(&x, out);
        },
    );
}

/// Drops each element with probability `p`: `yᵢ = 0` or `xᵢ / (1 − p)`. The backward pass is the same call on the
/// gradient: the same draw drops the same elements. (Srivastava et al. 2014, in the inverted form.)
///
/// ```
/// use mapsto_kernels::philox::{Draw, dropout};
/// let mut y = [0f32; 1000];
/// dropout(Draw { seed: 7, stream: 1, draw: 0 }, 0.5, &[3.0; 1000], &mut y);
/// assert!(y.iter().all(|&y| y == 0.0 || y == 6.0));
/// ```
///
/// # Panics
/// If the lengths differ or `p` is not within [0, 1].
pub fn dropout<T: Float>(draw: Draw, p: f64, x: &[T], y: &mut [T]) {
    dropout_at(draw, 0, p, x, y);
}

/// [`dropout`] of the part of a tensor that begins at element `offset`.
///
/// # Panics
/// If the lengths differ or `p` is not within [0, 1].
pub fn dropout_at<T: Float>(draw: Draw, offset: u64, p: f64, x: &[T], y: &mut [T]) {
    assert_eq!(x.len(), y.len(), "dropout: lengths differ");
    let below = threshold(p);
    let scale = T::from_f64(1.0 / (1.0 - p));
    let blocks = offset / 4;
    let skip = (offset % 4) as usize;
    for_chunks(y, CHUNK, 8 * x.len(), |i, y| {
        // A piece begins where a block of words does only if the offset does: `skip` words are left out.
        let x = &x[i * CHUNK..][..y.len()];
        let mut words = [[0u32; LANES]; 4];
        let mut random = [0u32; 4 * LANES + 4];
        let mut at = blocks + (i * CHUNK / 4) as u64;
        for (x, y) in x.chunks(4 * LANES).zip(y.chunks_mut(4 * LANES)) {
            vectorize_light(
                #[inline(always)]
                || {
                    generate(draw, at, &mut words);
                    interleave(
                        &words,
                        random.first_chunk_mut().expect("four words a lane, and a block more"),
                    );
                    random[4 * LANES..].copy_from_slice(&draw.block(at + LANES as u64));
                    for ((y, &x), &word) in y.iter_mut().zip(x).zip(&random[skip..]) {
                        *y = if (word as u64) < below { T::ZERO } else { x * scale };
                    }
                },
            );
            at += LANES as u64;
        }
    });
}

/// A random order of `0 .. n`: every one of the `n!` is equally likely (Fisher & Yates 1938; bounded numbers without
/// bias by Lemire 2019, arXiv:1805.10941).
///
/// ```
/// use mapsto_kernels::philox::{Draw, permutation};
/// let mut order = permutation(Draw { seed: 7, stream: 2, draw: 0 }, 5);
/// order.sort();
/// assert_eq!(order, [0, 1, 2, 3, 4]);
/// ```
pub fn permutation(draw: Draw, n: usize) -> Vec<i64> {
    let mut order: Vec<i64> = (0..n as i64).collect();
    shuffle(draw, &mut order);
    order
}

/// Brings a list into the order in which [`permutation`] has the numbers.
pub fn shuffle(draw: Draw, order: &mut [i64]) {
    let (mut words, mut used, mut at) = ([0u32; 256], 256, 0);
    let mut next = || {
        if used == words.len() {
            bits_at(draw, at, &mut words);
            (used, at) = (0, at + words.len() as u64);
        }
        used += 2;
        words[used - 2] as u64 | (words[used - 1] as u64) << 32
    };
    for i in (1..order.len()).rev() {
        let bound = i as u64 + 1;
        let mut product = next() as u128 * bound as u128;
        if (product as u64) < bound {
            let reject = bound.wrapping_neg() % bound;
            while (product as u64) < reject {
                product = next() as u128 * bound as u128;
            }
        }
        order.swap(i, (product >> 64) as usize);
    }
}

/// Blocks computed side by side.
const LANES: usize = 64;
/// Elements in a piece of work; a multiple of `4·LANES`.
const CHUNK: usize = 8192;

/// Words below it, of all 2³², are a share `p`.
fn threshold(p: f64) -> u64 {
    assert!((0.0..=1.0).contains(&p), "a probability is a number from 0 to 1, not {p}");
    (p * 4_294_967_296.0).round() as u64
}

/// Words of blocks `first ..`, word `k` of the `l`-th block at `[k][l]`.
#[inline(always)]
fn generate(draw: Draw, first: u64, words: &mut [[u32; LANES]; 4]) {
    let counters = |k: usize| -> [u32; LANES] {
        array(
            #[inline(always)]
            |l| {
                let i = first + l as u64;
                match k {
                    0 => i as u32,
                    1 => draw.stream,
                    2 => draw.draw as u32,
                    _ => (draw.draw >> 32) as u32 | ((i >> 32) as u32) << 24,
                }
            },
        )
    };
    *words = [counters(0), counters(1), counters(2), counters(3)];
    let key = [draw.seed as u32, (draw.seed >> 32) as u32];
    let [a, b, c, d] = words;
    for l in 0..LANES {
        [a[l], b[l], c[l], d[l]] = philox(key, [a[l], b[l], c[l], d[l]]);
    }
}

#[inline(always)]
fn interleave<T: Copy>(x: &[[T; LANES]; 4], out: &mut [T; 4 * LANES]) {
    let (out, _) = out.as_chunks_mut::<4>();
    for l in 0..LANES {
        out[l] = [x[0][l], x[1][l], x[2][l], x[3][l]];
    }
}

/// Fills `out` with elements `offset ..` of the draw, where `make` turns 64 blocks of words into their 256 elements.
#[inline(always)]
fn fill<T: Copy + Default + Send>(
    draw: Draw,
    offset: u64,
    out: &mut [T],
    make: impl Fn(&[[u32; LANES]; 4], &mut [T; 4 * LANES]) + Sync,
) {
    let len = out.len();
    for_chunks(out, CHUNK, 8 * len, |i, out| {
        let mut at = offset + (i * CHUNK) as u64;
        let mut words = [[0u32; LANES]; 4];
        let mut made = [T::default(); 4 * LANES];
        let mut rest = out;
        while !rest.is_empty() {
            let skip = (at % 4) as usize;
            let take = (4 * LANES - skip).min(rest.len());
            vectorize_light(
                #[inline(always)]
                || {
                    generate(draw, at / 4, &mut words);
                    make(&words, &mut made);
                },
            );
            let (now, later) = rest.split_at_mut(take);
            now.copy_from_slice(&made[skip..skip + take]);
            (rest, at) = (later, at + take as u64);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Isa, with_isa};
    use crate::threads::with_threads;

    const DRAW: Draw = Draw { seed: 0x1234_5678_9abc_def0, stream: 3, draw: 0x00ab_cdef_0123_4567 };

    #[test]
    fn known_answers() {
        // Random123's kat_vectors, philox4x32-10.
        assert_eq!(philox([0; 2], [0; 4]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
        assert_eq!(philox([!0; 2], [!0; 4]), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
        let pi = philox([0xa4093822, 0x299f31d0], [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344]);
        assert_eq!(pi, [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]);
    }

    #[test]
    fn the_words_are_the_blocks() {
        let mut x = [0; 1001];
        bits(DRAW, &mut x);
        for (i, x) in x.iter().enumerate() {
            assert_eq!(*x, DRAW.block(i as u64 / 4)[i % 4]);
        }
        let far = (1u64 << 34) - 70; // across the 32nd bit of the block's number
        bits_at(DRAW, far, &mut x);
        for (i, x) in x.iter().enumerate() {
            let i = i as u64 + far;
            assert_eq!(*x, DRAW.block(i / 4)[(i % 4) as usize]);
        }
        let names = [DRAW, Draw { seed: 1, ..DRAW }, Draw { stream: 1, ..DRAW }, Draw { draw: 1, ..DRAW }];
        let first: std::collections::HashSet<_> = names.iter().map(|d| d.block(0)).collect();
        assert_eq!(first.len(), 4);
    }

    /// `f(offset, out)` must fill any part as it fills the whole, on any number of threads and any processor.
    fn pure<T: Copy + Default + PartialEq + std::fmt::Debug>(f: impl Fn(u64, &mut [T])) {
        let mut whole = vec![T::default(); 40_011];
        with_threads(1, || f(0, &mut whole));
        for threads in [2, 8] {
            let mut x = vec![T::default(); whole.len()];
            with_threads(threads, || f(0, &mut x));
            assert!(x == whole);
        }
        for &isa in Isa::available() {
            for (from, to) in [(0, 0), (1, 2), (3, 300), (8190, 8200), (5, 20_001), (40_010, 40_011)] {
                let mut x = vec![T::default(); to - from];
                with_isa(isa, || f(from as u64, &mut x));
                assert!(x == whole[from..to], "{isa:?} {from}..{to}");
            }
        }
    }

    #[test]
    fn any_part_is_that_part_of_the_whole() {
        pure(|at, x| bits_at(DRAW, at, x));
        pure(|at, x: &mut [f32]| uniform_at(DRAW, at, -1.0, 2.0, x));
        pure(|at, x: &mut [f64]| uniform_at(DRAW, at, -1.0, 2.0, x));
        pure(|at, x: &mut [f32]| normal_at(DRAW, at, 1.0, 2.0, x));
        pure(|at, x: &mut [f64]| normal_at(DRAW, at, 1.0, 2.0, x));
        pure(|at, x| bernoulli_at(DRAW, at, 0.3, x));
        pure(|at, x: &mut [f32]| {
            let whole: Vec<f32> = (0..x.len()).map(|i| (i as u64 + at) as f32).collect();
            dropout_at(DRAW, at, 0.3, &whole, x)
        });
    }

    fn moments(x: impl Iterator<Item = f64>) -> [f64; 4] {
        let x: Vec<f64> = x.collect();
        let n = x.len() as f64;
        let m = x.iter().sum::<f64>() / n;
        let s = (x.iter().map(|x| (x - m).powi(2)).sum::<f64>() / n).sqrt();
        let z = |k: i32| x.iter().map(|x| ((x - m) / s).powi(k)).sum::<f64>() / n;
        [m, s, z(3), z(4)]
    }

    #[test]
    fn the_numbers_follow_their_laws() {
        // Bounds: five standard errors of each moment at n = 2¹⁹.
        let (mut a, mut b) = (vec![0f32; 1 << 19], vec![0f64; 1 << 19]);
        let near = |got: [f64; 4], want: [f64; 4]| {
            for (g, w) in got.iter().zip(want) {
                assert!((g - w).abs() < 0.035, "{got:?} {want:?}");
            }
        };
        normal(DRAW, 0.0, 1.0, &mut a);
        normal(DRAW, 0.0, 1.0, &mut b);
        assert!(a.iter().zip(&b).all(|(a, b)| (*a as f64 - b).abs() < 1e-3));
        near(moments(b.iter().copied()), [0.0, 1.0, 0.0, 3.0]);
        let normals = [0, 1, 2, 3].map(|k| moments(a.iter().skip(k).step_by(4).map(|&x| x as f64)));
        normals.into_iter().for_each(|m| near(m, [0.0, 1.0, 0.0, 3.0]));
        let correlation =
            |lag: usize| a.iter().zip(&a[lag..]).map(|(a, b)| (a * b) as f64).sum::<f64>() / a.len() as f64;
        assert!((1..9).all(|lag| correlation(lag).abs() < 0.007));
        let tail = a.iter().filter(|a| a.abs() > 3.0).count() as f64 / a.len() as f64;
        assert!((tail - 0.0027).abs() < 3.6e-4, "{tail}");
        uniform(DRAW, 0.0, 1.0, &mut a);
        uniform(DRAW, 0.0, 1.0, &mut b);
        let flat = [0.5, 1.0 / 12f64.sqrt(), 0.0, 1.8];
        near(moments(b.iter().copied()), flat);
        near(moments(a.iter().map(|&x| x as f64)), flat);
        assert!(a.iter().all(|a| (0.0..1.0).contains(a)));
        let mut y = vec![0.0; a.len()];
        dropout(DRAW, 0.2, &vec![1f32; a.len()], &mut y);
        let kept = y.iter().filter(|&&y| y == 1.25).count() as f64 / y.len() as f64;
        assert!((kept - 0.8).abs() < 0.003 && y.iter().all(|&y| y == 0.0 || y == 1.25), "{kept}");
    }

    #[test]
    fn the_ends_of_probability() {
        let (mut x, mut y) = ([9; 100], [0f32; 100]);
        bernoulli(DRAW, 0.0, &mut x);
        assert_eq!(x, [0; 100]);
        bernoulli(DRAW, 1.0, &mut x);
        assert_eq!(x, [1; 100]);
        dropout(DRAW, 0.0, &[2.0; 100], &mut y);
        assert_eq!(y, [2.0; 100]);
        dropout(DRAW, 1.0, &[2.0; 100], &mut y);
        assert_eq!(y, [0.0; 100]);
        uniform(DRAW, 3.0, 3.0, &mut y);
        assert_eq!(y, [3.0; 100]);
        assert!(std::panic::catch_unwind(|| bernoulli(DRAW, 1.5, &mut [0])).is_err());
    }

    #[test]
    fn permutations_are_fair() {
        assert!(permutation(DRAW, 0).is_empty());
        assert_eq!(permutation(DRAW, 1), [0]);
        let mut sorted = permutation(DRAW, 1000);
        assert_ne!(sorted, (0..1000).collect::<Vec<_>>());
        sorted.sort();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
        let mut counts = std::collections::HashMap::new();
        for draw in 0..24_000 {
            *counts.entry(permutation(Draw { draw, ..DRAW }, 4)).or_insert(0) += 1;
        }
        // χ² with 23 degrees of freedom: 49.7 is passed once in a thousand.
        let chi: f64 = counts.values().map(|&c| (c as f64 - 1000.0).powi(2) / 1000.0).sum();
        assert!(counts.len() == 24 && chi < 49.7, "{chi}");
    }
}
