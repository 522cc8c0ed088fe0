//! The parser `state` under libFuzzer: `cargo +nightly fuzz run state`.

#![no_main]

#[path = "../../tests/fuzz/parsers.rs"]
mod parsers;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let parser = parsers::PARSERS.iter().find(|parser| parser.name == "state").expect("it is in the list");
    (parser.takes)(bytes);
});
