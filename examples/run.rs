//! Runs every example that is quick enough for a debug build; the long ones run in release in CI.

#[path = "custom_layer.rs"]
mod custom_layer;
#[path = "custom_op.rs"]
mod custom_op;
#[path = "experiment.rs"]
mod experiment;
#[path = "explain.rs"]
mod explain;
#[path = "from_scratch.rs"]
mod from_scratch;
#[path = "perceptron_limit.rs"]
mod perceptron_limit;
#[path = "second_order.rs"]
mod second_order;
#[path = "tabular.rs"]
mod tabular;
#[path = "xor.rs"]
mod xor;

use mapsto::prelude::Result;

/// Examples read `data/` from the root of the repository, where users run them.
fn from_the_root<R>(example: fn() -> R) -> R {
    std::env::set_current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).expect("the root exists");
    example()
}

#[test]
fn xor_is_learned() {
    from_the_root(xor::main)
}

#[test]
fn gradients_by_hand_are_right() {
    from_the_root(from_scratch::main)
}

#[test]
fn one_layer_is_not_enough() {
    from_the_root(perceptron_limit::main)
}

#[test]
fn a_layer_of_ones_own_learns() {
    from_the_root(custom_layer::main)
}

#[test]
fn an_operation_of_ones_own_is_checked() {
    from_the_root(custom_op::main)
}

#[test]
fn derivatives_of_derivatives() {
    from_the_root(second_order::main)
}

#[test]
fn tabular_reads_irises() -> Result<()> {
    from_the_root(tabular::main)
}

#[test]
fn a_training_file_is_run_from_a_program() -> Result<()> {
    from_the_root(experiment::main)
}

#[test]
fn four_methods_find_the_numbers_that_matter() -> Result<()> {
    from_the_root(explain::main)
}
