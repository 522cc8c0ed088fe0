//! Where the inputs of an operation come from, as far as parameters are concerned.

use crate::graph::{Input, LeafId, Node, Origin};

/// Whether one of these leaves comes into an input, through operations on leaves alone if not by itself.
pub(super) fn comes_from(input: &Input, node: &Node, ids: &[LeafId]) -> bool {
    input.wanted
        && match input.origin() {
            Origin::Leaf(id, _) => ids.contains(id),
            Origin::Made(_) => {
                is_of_params(input, node) && leaves(input.origin()).iter().any(|id| ids.contains(id))
            }
            _ => false,
        }
}

/// Whether a value is a leaf, or made of leaves and single numbers by a few operations.
pub(super) fn is_of_params(input: &Input, node: &Node) -> bool {
    fn is(input: &Input, node: &Node, left: &mut usize) -> bool {
        match input.origin() {
            Origin::Leaf(..) => true,
            Origin::Made(made) if *left > 0 => {
                *left -= 1;
                made.kept().as_ref().is_some_and(|kept| kept.inputs.iter().all(|input| is(input, made, left)))
            }
            Origin::Made(_) => false,
            Origin::Constant | Origin::Unrecorded(_) => input.shape(node).known_count() == 1,
        }
    }
    is(input, node, &mut 64)
}

/// The leaves that a value of parameters is made of.
pub(super) fn leaves(origin: &Origin) -> Vec<LeafId> {
    match origin {
        Origin::Leaf(id, _) => vec![*id],
        Origin::Made(node) => node
            .kept()
            .iter()
            .flat_map(|kept| &kept.inputs)
            .flat_map(|input| leaves(input.origin()))
            .collect(),
        _ => Vec::new(),
    }
}
