//! The benchmarks in candle, and W7 in the crates gemm and faer: `mapsto-peers candle W1|W2|W3`, `mapsto-peers gemm|faer W7`.
//!
//! By the protocol of `crates/mapsto-bench/src/timing.rs`, from the weights of `benches/peers/formula.py`.

mod candle;
mod formula;
mod product;
mod timing;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let threads = std::env::var("THREADS").ok().and_then(|n| n.parse().ok()).unwrap_or(2);
    match words[..] {
        // candle asks for RAYON_NUM_THREADS, which whoever starts this program sets.
        ["candle", workload] => candle::run(workload).expect("candle computes"),
        [library @ ("gemm" | "faer"), "W7"] => product::run(library, threads),
        _ => {
            eprintln!("usage: mapsto-peers candle W1|W2|W3, or gemm|faer W7");
            std::process::exit(2);
        }
    }
}
