//! Recurrent layers in model files: their options, and how they are built of them.

use super::{Cell, Merge, Recurrent};
use crate::layers::LayerKind;
use crate::{Layer, budget};
use mapsto_spec::{Args, Bounds, Entry, count_option};
use mapsto_tensor::Result;

/// The line of the list of layers: `{ lstm = 256, layers = 2, bidirectional = true, dropout = 0.1, last = true }`.
pub(crate) const fn kind<C: Cell>(name: &'static str, doc: &'static str) -> LayerKind {
    LayerKind::new(name, doc, build::<C>)
        .options(if C::PROJECTS { OPTIONS } else { OPTIONS.split_at(OPTIONS.len() - 1).0 })
        .example(sample::<C>)
}

/// The options, of which the last is of cells whose state can be projected.
const OPTIONS: &[(&str, &str)] = &[
    ("", "the size of the state"),
    ("layers", "how many of them are stacked"),
    ("bidirectional", "whether a second one reads the steps backwards"),
    (
        "merge",
        "what becomes of both directions: `\"concat\"` puts them side by side, `\"sum\"` adds, `\"mul\"` multiplies them, \
         `\"ave\"` takes their mean",
    ),
    ("dropout", "the probability to forget between stacked layers, while training"),
    ("last", "whether only the last step is given on"),
    ("bias", "whether it has a bias"),
    ("proj_size", "the size to which the state is projected at each step, less than its own"),
];

fn sample<C: Cell>() -> Entry {
    Entry::new(C::FILE.unwrap_or(C::NAME)).with_value(2_usize)
}

fn build<C: Cell>(args: &mut Args, input: &[usize]) -> Result<Box<dyn Layer>> {
    let hidden: usize = args.main()?;
    let layers: usize = count_option(args, "layers", 1)?;
    let both = args.get_or("bidirectional", false)?;
    let word: String = args.get_or("merge", Merge::Concat.word().to_string())?;
    let Some((_, merge)) = Merge::WORDS.into_iter().find(|(known, _)| *known == word) else {
        let words = "\"concat\", \"sum\", \"mul\" or \"ave\"";
        return Err(args.error("merge", format!("`merge` must be {words}, got \"{word}\"")));
    };
    if merge != Merge::Concat && !both {
        let message = format!("`merge = \"{word}\"` merges two directions, and there is one");
        return Err(args.error("merge", message).help("add `bidirectional = true`, or leave `merge` out"));
    }
    let dropout = Bounds::SHARE.option(args, "dropout", 0.0)?;
    let last = args.get_or("last", false)?;
    let bias = args.get_or("bias", true)?;
    let projection = if C::PROJECTS { args.optional::<usize>("proj_size")? } else { None };
    let [steps, inputs] = crate::layers::steps(args, input)?;
    if hidden == 0 {
        return Err(args.error("", "the size of the state must be at least 1, got 0"));
    }
    if let Some(size) = projection.filter(|size| *size == 0 || *size >= hidden) {
        let message = match size {
            0 => "`proj_size` must be at least 1, got 0".to_string(),
            _ => format!("a projection to {size} features makes a state of {hidden} no smaller"),
        };
        return Err(args.error("proj_size", message).help("`proj_size` is less than the size of the state"));
    }
    let state = projection.unwrap_or(hidden);
    let directions = 1 + both as usize;
    // The entry itself has been counted as one.
    budget::layers(layers.saturating_mul(directions) - 1)?;
    let biases = if bias { 2 } else { 0 };
    for (layers, inputs) in [(1, inputs), (layers - 1, state.saturating_mul(merge.times(directions)))] {
        for columns in [inputs, state, biases] {
            if layers > 0 && columns > 0 {
                budget::weight(args, &[layers, directions, C::GATES, hidden, columns])?;
            }
        }
    }
    if let Some(size) = projection {
        budget::weight(args, &[layers, directions, size, hidden])?;
    }
    budget::output(args, &[steps, C::GATES, directions, hidden])?;
    let one = Recurrent::<C>::new(0, 0);
    let layer =
        Recurrent { inputs, hidden, projection, directions, merge, dropout, last, ..one }.drawn(layers, bias);
    Ok(Box::new(layer))
}
