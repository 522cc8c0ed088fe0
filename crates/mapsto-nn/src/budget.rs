//! How large a model that is only written down may become before it is built: files are not trusted.

use mapsto_spec::Args;
use mapsto_tensor::{Error, ErrorKind, Result};
use std::cell::Cell;

/// No single tensor of a model built from a file has more elements; 2²⁸ in f32 are 1 GiB.
const MOST: usize = 1 << 28;

/// All layers of a model from elsewhere together see no more numbers of one sample: seconds of work.
const MOST_SEEN: usize = 1 << 31;

/// Lists of layers nest no deeper: what nests deeper could be written to a model file and not be read back, since the
/// reader of JSON goes 64 levels down and each list takes three at most.
const MOST_DEEP: usize = 16;

/// A model has no more layers, those of repetitions counted each time.
pub(crate) const MOST_LAYERS: usize = 1 << 16;

thread_local! {
    /// How many lists of layers are being built, each within the one before.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// The layers that the outermost of them may still have.
    static LAYERS: Cell<usize> = const { Cell::new(MOST_LAYERS) };
    /// The elements that weights may still have.
    static LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
    /// The numbers of one sample that layers may still see.
    static UNSEEN: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Runs `build`, in which weights may have no more than `elements` elements in all.
pub(crate) fn within<R>(elements: usize, build: impl FnOnce() -> R) -> R {
    struct Back(usize, usize);
    impl Drop for Back {
        fn drop(&mut self) {
            LEFT.with(|left| left.set(self.0));
            UNSEEN.with(|unseen| unseen.set(self.1));
        }
    }
    let _back =
        Back(LEFT.with(|left| left.replace(elements)), UNSEEN.with(|unseen| unseen.replace(MOST_SEEN)));
    build()
}

/// Runs `build`, which builds a list of layers, one level deeper.
pub(crate) fn nested<R>(build: impl FnOnce() -> Result<R>) -> Result<R> {
    struct Back(usize);
    impl Drop for Back {
        fn drop(&mut self) {
            DEPTH.with(|depth| depth.set(self.0));
        }
    }
    let back = Back(DEPTH.with(Cell::get));
    if back.0 == 0 {
        LAYERS.with(|layers| layers.set(MOST_LAYERS));
    }
    // The model itself is a list, and no nesting.
    if back.0 > MOST_DEEP {
        return Err(Error::new(ErrorKind::Model, format!("lists of layers nest deeper than {MOST_DEEP}")));
    }
    DEPTH.with(|depth| depth.set(back.0 + 1));
    build()
}

/// Counts one more layer of the model.
pub(crate) fn layer() -> Result<()> {
    layers(1)
}

/// Counts so many more layers of the model: a few words may ask for a stack of any height.
pub(crate) fn layers(count: usize) -> Result<()> {
    let left = LAYERS.with(Cell::get).checked_sub(count).ok_or_else(|| {
        Error::new(ErrorKind::Model, format!("the model has more than {MOST_LAYERS} layers"))
    })?;
    LAYERS.with(|layers| layers.set(left));
    Ok(())
}

/// Takes the elements of a weight out of the budget, before they are allocated.
pub(crate) fn weight(args: &Args, shape: &[usize]) -> Result<()> {
    let count = count(shape).ok_or_else(|| too_large(args, "a weight", shape))?;
    let left = LEFT.with(Cell::get).checked_sub(count).ok_or_else(|| {
        args.misfit("", format!("a weight of {shape:?} is more than the model may hold"))
            .help("a model file holds every weight its layers need")
    })?;
    LEFT.with(|l| l.set(left));
    Ok(())
}

/// Takes what a layer sees of one sample out of the budget, before zeros of that shape are passed through it.
pub(crate) fn pass(layer: &str, shape: &[usize]) -> Result<()> {
    let seen = shape.iter().try_fold(1usize, |n, &size| n.checked_mul(size.max(1)));
    let left = seen.and_then(|seen| UNSEEN.with(Cell::get).checked_sub(seen)).ok_or_else(|| {
        let message = format!("layer `{layer}`: {shape:?} is more work than a model of a file may ask for");
        Error::new(ErrorKind::Model, message)
    })?;
    UNSEEN.with(|unseen| unseen.set(left));
    Ok(())
}

/// Refuses outputs for one sample that no machine could hold.
pub(crate) fn output(args: &Args, shape: &[usize]) -> Result<()> {
    count(shape).map(|_| ()).ok_or_else(|| too_large(args, "an output", shape))
}

/// The number of elements, if that is not too large.
pub(crate) fn count(shape: &[usize]) -> Option<usize> {
    // Sizes of 0 must not hide a product that overflows.
    let product = shape.iter().try_fold(1usize, |n, &size| n.checked_mul(size.max(1)));
    product.filter(|&n| n <= MOST)
}

fn too_large(args: &Args, what: &str, shape: &[usize]) -> Error {
    args.misfit("", format!("{what} of {shape:?} is too large"))
}

#[test]
fn budgets_are_spent_and_restored() {
    let args = Args::new("layer", &mapsto_spec::Entry::new("linear"));
    within(10, || {
        weight(&args, &[2, 3]).unwrap();
        assert!(weight(&args, &[5]).unwrap_err().message().contains("more than the model may hold"));
        weight(&args, &[4]).unwrap();
    });
    weight(&args, &[1000]).unwrap();
    assert!(weight(&args, &[0, usize::MAX, 2]).unwrap_err().message().contains("is too large"));
    assert!(output(&args, &[1 << 20, 1 << 20]).is_err());
}
