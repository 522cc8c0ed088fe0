//! The parser `flag` under libFuzzer: `cargo +nightly fuzz run flag`.

#![no_main]

#[path = "../../tests/fuzz/parsers.rs"]
mod parsers;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let parser = parsers::PARSERS.iter().find(|parser| parser.name == "flag").expect("it is in the list");
    (parser.takes)(bytes);
});
