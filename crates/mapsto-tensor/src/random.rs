//! Randomness by counting: every random number is a pure function of (seed, stream, draw, index), by Philox 4×32-10.
//!
//! The state is a seed and one counter a stream, held per thread. The main thread starts with seed 0, every other one with a
//! seed of its own, so that two threads that never call [`seed`] do not draw the same weights. Nothing else is random in
//! mapsto, so a seed gives the same bits for any number of compute threads, and a saved state resumes exactly.
//! Source: Salmon, Moraes, Dror, Shaw (2011), Parallel random numbers: as easy as 1, 2, 3.

mod continuous;
mod counts;
mod gamma;
mod multinomial;
mod words;

use crate::storage::pool::room_for;
pub use continuous::{cauchy, exponential, gumbel, laplace, log_normal, student_t};
pub use counts::{bernoulli, binomial, geometric, poisson};
pub use gamma::{beta, chi2, dirichlet, gamma, standard_gamma};
use mapsto_kernels::philox;
pub use mapsto_kernels::philox::Draw;
pub use multinomial::{multinomial, multinomial_with_replacement};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Independent sources of randomness: drawing from one never shifts another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Initial weights.
    Init = 0,
    /// Dropout.
    Dropout = 1,
    /// Shuffling and augmentation.
    Data = 2,
    /// `Tensor::randn` and the like.
    User = 3,
}

/// The whole state of a thread's randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct RandomState {
    /// The seed.
    pub seed: u64,
    /// How many draws each stream has made.
    pub draws: [u64; 4],
}

thread_local! {
    static STATE: Cell<Option<RandomState>> = const { Cell::new(None) };
}

/// The state of a thread that was not seeded: from its name, and from how many of that name were here before. So threads
/// with names of their own draw the same in every run; those that share one, or have none, do so where they come in the
/// same order.
#[cold]
fn first() -> RandomState {
    static SEEN: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());
    let thread = std::thread::current();
    let name = thread.name().unwrap_or_default();
    let mut seen = SEEN.lock().unwrap_or_else(|e| e.into_inner());
    let before = seen.entry(name.to_string()).or_default();
    let words: Vec<u64> = name.bytes().map(u64::from).chain([*before]).collect();
    *before += 1;
    let is_main = name == "main" && *before == 1;
    RandomState { seed: if is_main { 0 } else { Keyed::new(&words).bits() }, draws: [0; 4] }
}

/// Sets this thread's seed and starts every stream anew. The main thread starts with seed 0, any other with one of its own.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// seed(7);
/// let a = Tensor::randn([3]);
/// seed(7);
/// assert_eq!(a.to_vec::<f32>(), Tensor::randn([3]).to_vec::<f32>());
/// ```
pub fn seed(seed: u64) {
    set_state(&RandomState { seed, draws: [0; 4] });
}

/// This thread's state, to be saved.
pub fn state() -> RandomState {
    STATE.with(|s| {
        let state = s.get().unwrap_or_else(first);
        s.set(Some(state));
        state
    })
}

/// Continues from a saved state.
pub fn set_state(state: &RandomState) {
    STATE.with(|s| s.set(Some(*state)));
}

/// The key of the next draw of a stream.
pub fn next(stream: Stream) -> Draw {
    STATE.with(|s| {
        let mut state = s.get().unwrap_or_else(first);
        let draw = state.draws[stream as usize];
        state.draws[stream as usize] += 1;
        s.set(Some(state));
        Draw { seed: state.seed, stream: stream as u32, draw }
    })
}

/// Random numbers in sequence that depend on nothing but a few key words, such as (seed, epoch, sample).
///
/// ```
/// use mapsto_tensor::random::Keyed;
/// let (mut a, mut b) = (Keyed::new(&[1, 2, 3]), Keyed::new(&[1, 2, 3]));
/// assert_eq!(a.uniform(0.0, 1.0), b.uniform(0.0, 1.0));
/// ```
#[derive(Clone, Debug)]
pub struct Keyed {
    draw: Draw,
    at: u64,
}

impl Keyed {
    /// The sequence of these key words.
    pub fn new(words: &[u64]) -> Keyed {
        // Each word is folded in through a block of Philox, so that no two lists of words share a sequence by accident.
        let draw = words.iter().fold(
            Draw { seed: words.len() as u64, stream: 0x6b65_7973, draw: 0 },
            |key, &word| {
                // A draw has 56 bits; the other eight of a word choose another stream.
                let (draw, high) = (word & ((1 << 56) - 1), (word >> 56) as u32);
                let b = Draw { draw, stream: key.stream ^ high, ..key }.block(0);
                Draw { seed: (b[0] as u64) << 32 | b[1] as u64, stream: b[2], draw: 0 }
            },
        );
        Keyed { draw, at: 0 }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let b = self.draw.block(self.at);
        self.at += 1;
        (b[0] as u64) << 32 | b[1] as u64
    }

    /// Uniform in `lo..hi`, with 53 random bits.
    pub fn uniform(&mut self, lo: f64, hi: f64) -> f64 {
        lo + (hi - lo) * ((self.bits() >> 11) as f64 / (1u64 << 53) as f64)
    }

    /// Standard normal, by the Box-Muller transform.
    pub fn normal(&mut self) -> f64 {
        let (u, v) = (self.uniform(0.0, 1.0), self.uniform(0.0, 1.0));
        (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    }

    /// Uniform among `0..n`, without bias (Lemire's method).
    ///
    /// # Panics
    /// When `n` is 0.
    #[track_caller]
    pub fn below(&mut self, n: usize) -> usize {
        assert!(n > 0, "below(0): there is no number below 0");
        let n = n as u128;
        let limit = (1u128 << 64) % n;
        loop {
            let product = self.bits() as u128 * n;
            if product % (1u128 << 64) >= limit {
                return (product >> 64) as usize;
            }
        }
    }

    /// True with probability `p`.
    pub fn bernoulli(&mut self, p: f64) -> bool {
        self.uniform(0.0, 1.0) < p
    }

    /// A random order of `0..n` (Fisher-Yates).
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, self.below(i + 1));
        }
        order
    }
}

/// How the elements of a random tensor are distributed.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Distribution {
    /// Uniform in `lo..hi`.
    Uniform(f64, f64),
    /// Normal with mean and standard deviation.
    Normal(f64, f64),
    /// 1 with probability p, else 0.
    Bernoulli(f64),
}

/// The order of `0..n` that a draw gives.
#[track_caller]
pub fn permutation(draw: Draw, n: usize) -> Vec<i64> {
    let mut order = room_for(n);
    order.extend(0..n as i64);
    philox::shuffle(draw, &mut order);
    order
}

#[test]
fn streams_do_not_disturb_each_other_and_a_state_resumes() {
    seed(5);
    next(Stream::Dropout);
    let saved = state();
    let a = next(Stream::Init);
    seed(5);
    assert_eq!(next(Stream::Init).block(0), a.block(0));
    set_state(&saved);
    assert_eq!(state().draws, [0, 1, 0, 0]);
}

#[test]
fn keyed_numbers_are_even() {
    let mut k = Keyed::new(&[9]);
    let mut counts = [0; 7];
    (0..7000).for_each(|_| counts[k.below(7)] += 1);
    assert!(counts.iter().all(|&c| (850..1150).contains(&c)), "{counts:?}");
    let mean = (0..4000).map(|_| k.normal()).sum::<f64>() / 4000.0;
    assert!(mean.abs() < 0.05, "{mean}");
    let mut p = k.permutation(100);
    p.sort();
    assert_eq!(p, (0..100).collect::<Vec<_>>());
}

#[test]
fn every_bit_of_a_key_word_counts() {
    let word = |word: u64| Keyed::new(&[3, word, 5]).bits();
    let all: std::collections::BTreeSet<u64> =
        (0..64).map(|bit| word(1 << bit)).chain([0, u64::MAX, u64::MAX >> 8].map(word)).collect();
    assert_eq!(all.len(), 67);
}

#[test]
fn threads_that_were_not_seeded_draw_numbers_of_their_own() {
    let draw = |name: Option<&str>, seeded: Option<u64>| {
        let builder = std::thread::Builder::new();
        let builder = match name {
            Some(name) => builder.name(name.to_string()),
            None => builder,
        };
        let numbers = builder.spawn(move || {
            seeded.into_iter().for_each(seed);
            let words = [next(Stream::Init), next(Stream::User), next(Stream::Dropout)];
            (state().seed, words.map(|d| d.block(0)))
        });
        numbers.expect("a thread starts").join().expect("no panic")
    };
    let names = [None, None, None, Some("one of its own"), Some("one of its own"), Some("another")];
    let mut all: Vec<_> = names.iter().map(|name| draw(*name, None)).collect();
    all.push(draw(None, Some(0)));
    for (i, a) in all.iter().enumerate() {
        for b in &all[..i] {
            assert!(a.0 != b.0 && (0..3).all(|k| a.1[k] != b.1[k]), "thread {i} draws what another drew");
        }
    }
    assert_eq!(draw(Some("seeded"), Some(0)), all[6]);
}
