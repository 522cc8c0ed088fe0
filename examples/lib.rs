//! Programs that use mapsto, each of which asserts its result: `cargo run --release --example xor`.
