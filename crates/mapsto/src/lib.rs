//! mapsto: a neural-network framework, from one neuron to a trained model.
