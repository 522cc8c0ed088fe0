//! The fuzz loop on stable: damages inputs that each parser reads, the same way on every machine, until the time is up, and
//! prints for each parser how many inputs were tried, how many were taken, and how many made it panic.
//!
//! `cargo xtask fuzz --seconds 60` runs it; `fuzz/` tries the same parsers with libFuzzer.

mod parsers;

use mapsto_tensor::catch;
use mapsto_tensor::random::Keyed;
use parsers::{PARSERS, Parser};
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Bytes that mean something to one format or another.
const WORDS: &[&[u8]] = &[
    b"\0",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xff\xff\xff\xff",
    b"\"",
    b",",
    b";",
    b"\n",
    b"[",
    b"{",
    b"}",
    b"]",
    b":",
    b"-",
    b"1e999",
    b"nan",
    b"9223372036854775807",
    b"18446744073709551616",
    b"\\u0000",
    b"\xff\xd8",
    b"\xff\xe1",
    b"IHDR",
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let seconds = match args.as_slice() {
        [] => Some(60),
        [flag, seconds] if flag == "--seconds" => seconds.parse().ok(),
        _ => None,
    };
    let Some(seconds) = seconds else {
        eprintln!("usage: fuzz [--seconds N]");
        return ExitCode::from(2);
    };
    let share = Duration::from_secs(seconds) / PARSERS.len() as u32;
    let panics: u64 = PARSERS.iter().map(|parser| fuzz(parser, share)).sum();
    if panics == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Tries one parser for a while, prints the counts and returns that of the panics.
fn fuzz(parser: &Parser, share: Duration) -> u64 {
    let mut inputs = (parser.seeds)();
    let seeds = inputs.len();
    let (start, mut tried, mut taken, mut panics) = (Instant::now(), 0u64, 0u64, 0u64);
    while start.elapsed() < share {
        let mut key = Keyed::new(&[tried, 0x66_75_7a_7a]);
        let mut input = inputs[key.below(inputs.len())].clone();
        // The seeds themselves come first.
        if tried < seeds as u64 {
            input = inputs[tried as usize].clone();
        } else {
            (0..=key.below(4)).for_each(|_| damage(&mut input, &mut key));
        }
        tried += 1;
        match catch(|| (parser.takes)(&input)) {
            // What is still read leads further than what is refused at once.
            Ok(true) => {
                taken += 1;
                if inputs.len() < 1000 && input.len() < 1 << 16 {
                    inputs.push(input);
                }
            }
            Ok(false) => {}
            Err(e) => {
                panics += 1;
                if panics <= 3 {
                    eprintln!("{}: {e}\n  input: {:?}", parser.name, String::from_utf8_lossy(&input));
                }
            }
        }
    }
    println!("{:12} {tried:9} inputs  {taken:9} taken  {panics:4} panics", parser.name);
    panics
}

/// One change: of a byte, a bit or a word, a stretch taken out, or written twice, or the end cut off.
fn damage(bytes: &mut Vec<u8>, key: &mut Keyed) {
    if bytes.is_empty() {
        bytes.push(key.below(256) as u8);
        return;
    }
    let at = key.below(bytes.len());
    let end = (at + 1 + key.below(16)).min(bytes.len());
    match key.below(7) {
        0 => bytes[at] = key.below(256) as u8,
        1 => bytes[at] ^= 1 << key.below(8),
        2 => {
            let word = WORDS[key.below(WORDS.len())];
            let end = (at + word.len()).min(bytes.len());
            bytes.splice(at..end, word.iter().copied());
        }
        3 => {
            bytes.splice(at..at, WORDS[key.below(WORDS.len())].iter().copied());
        }
        4 => drop(bytes.drain(at..end)),
        5 => {
            let twice = bytes[at..end].to_vec();
            bytes.splice(at..at, twice);
        }
        _ => bytes.truncate(at.max(1)),
    }
}
