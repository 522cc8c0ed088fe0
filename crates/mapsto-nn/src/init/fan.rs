//! How many numbers enter and leave one unit of a weight.

/// Which of the two counts an initialiser keeps the variance for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fan {
    /// The forward pass.
    In,
    /// The backward pass.
    Out,
}

/// `(fan in, fan out)` of a weight `[out, in, kernel..]`: the product of the kernel's sizes times `in`, and times `out`.
///
/// ```
/// assert_eq!(mapsto_nn::init::fans(&[64, 32, 3, 3]), (288, 576));
/// assert_eq!(mapsto_nn::init::fans(&[10, 128]), (128, 10));
/// assert_eq!(mapsto_nn::init::fans(&[5]), (5, 5));
/// ```
pub fn fans(shape: &[usize]) -> (usize, usize) {
    match shape {
        [] => (1, 1),
        [n] => (*n, *n),
        [out, inner, kernel @ ..] => {
            // Of a weight too large to exist they are not exact; making it is refused elsewhere.
            let window = kernel.iter().fold(1usize, |n, &size| n.saturating_mul(size));
            (inner.saturating_mul(window), out.saturating_mul(window))
        }
    }
}
