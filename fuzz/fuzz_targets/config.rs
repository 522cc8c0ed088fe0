//! The parser `config` under libFuzzer: `cargo +nightly fuzz run config`.

#![no_main]

#[path = "../../tests/fuzz/parsers.rs"]
mod parsers;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let parser = parsers::PARSERS.iter().find(|parser| parser.name == "config").expect("it is in the list");
    (parser.takes)(bytes);
});
