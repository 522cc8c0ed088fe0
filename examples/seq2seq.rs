//! Words read and written backwards: an encoder, a decoder with attention, and batches of sequences of different lengths.
//! `cargo run --release --example seq2seq`, or with `-- --full` for words of up to twelve letters instead of eight.

use mapsto::data::{ByLength, Ragged, Samples};
use mapsto::nn::{Cosine, MultiHeadAttention};
use mapsto::prelude::*;
use mapsto::random;
use mapsto::training::Step;

const LETTERS: usize = 26;
const BEGIN: i64 = 27;
const END: i64 = 28;
const SIZE: usize = 64;

#[derive(Module)]
struct Translator {
    embed: Embedding,
    encoder: Lstm,
    decoder: Lstm,
    attend: MultiHeadAttention,
    head: Linear,
}

impl Translator {
    fn new() -> Translator {
        Translator {
            embed: Embedding::new(LETTERS + 3, SIZE),
            encoder: Lstm::new(SIZE, SIZE),
            decoder: Lstm::new(SIZE, SIZE),
            attend: MultiHeadAttention::new(SIZE, 2),
            head: Linear::new(2 * SIZE, LETTERS + 3),
        }
    }

    /// Scores for the letter after each of those given: `[n, t, letters]`.
    fn write(&self, source: &Ragged, given: &Tensor) -> Tensor {
        let memory = source.padded().apply(&self.embed).apply(&self.encoder); // [n, s, size]
        // Whoever writes knows the word as it was at its end, and so where to begin.
        let word = source.last_of(&memory).unsqueeze(1); // [n, 1, size]
        let states = (given.apply(&self.embed) + word).apply(&self.decoder); // [n, t, size]
        let seen = source.mask().unsqueeze(1).unsqueeze(1); // [n, 1, 1, s]: no one looks at padding
        let found = self.attend.attend(&states, &memory, &seen);
        Tensor::cat(&[states, found], -1).apply(&self.head)
    }

    fn loss(&self, (source, target): &(Ragged, Ragged)) -> Step {
        let (given, wanted) = target.shifted();
        let (y, wanted) = (given.pack(&self.write(source, given.padded())), wanted.packed());
        Step::new(cross_entropy(&y, &wanted)).weight(given.total()).output(&y, &wanted)
    }

    /// Writes by itself, one letter after the other.
    fn say(&self, word: &[i64], most: usize) -> Vec<i64> {
        let source = Ragged::of(Tensor::from_slice(word, word.len()));
        let mut said = vec![BEGIN];
        while said.last() != Some(&END) && said.len() < most {
            let y = self.write(&source, &Tensor::from_slice(&said, [1, said.len()]));
            said.push(y.select(1, -1).argmax(-1).item() as i64);
        }
        said
    }
}

type Pair = (Vec<i64>, Vec<i64>);

fn words(n: usize, longest: usize, key: u64) -> Vec<Pair> {
    let mut random = random::Keyed::new(&[key]);
    let mut word = || -> Pair {
        let letters: Vec<i64> =
            (0..3 + random.below(longest - 2)).map(|_| 1 + random.below(LETTERS) as i64).collect();
        let turned = [BEGIN].into_iter().chain(letters.iter().rev().copied()).chain([END]).collect();
        (letters, turned)
    };
    (0..n).map(|_| word()).collect()
}

pub fn main() -> Result<()> {
    seed(1);
    let is_full = std::env::args().any(|arg| arg == "--full");
    let (longest, epochs) = if is_full { (12, 20) } else { (8, 8) };
    let (train_words, test_words) = (words(8000, longest, 1), words(200, longest, 2));
    let lengths: Vec<usize> = train_words.iter().map(|(word, _)| word.len()).collect();
    let mut model = Translator::new();
    Trainer::of(Adam::new(5e-3), Translator::loss)
        .schedule_by_epoch(Cosine::new(epochs as u64))
        .metric(Accuracy::new())
        .clip_norm(1.0)
        .epochs(epochs)
        .fit(
            &mut model,
            Samples::new(train_words).batches(64).sampler(ByLength::new(lengths, 20)),
            Samples::new(test_words.clone()).batches(100),
        )?;
    let right = test_words.iter().filter(|(word, turned)| model.say(word, longest + 3) == *turned).count();
    println!("{right} of {} new words are written backwards without a mistake", test_words.len());
    assert!(right >= 175);
    Ok(())
}
