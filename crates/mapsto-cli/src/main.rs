//! The mapsto command.
fn main() {}
