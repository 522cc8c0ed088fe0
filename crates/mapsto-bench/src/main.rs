//! The benchmarks of mapsto: `cargo run --release -p mapsto-bench -- NAME`.

mod op;
mod timing;

fn main() {
    op::run();
}
