//! The product of sizes, which every check of a length goes through: a product that wraps lets a kernel write out of bounds.

/// The product of `sizes`; `usize::MAX`, which is the length of no slice of numbers, where the product is that or more.
///
/// So `x.len() == elements([n, c, h, w])` is false, and the usual message follows, where the sizes multiply to more than a
/// word holds; and a cost (see [`crate::threads::parallel`]) made by it is at least as large as it should be.
///
/// ```
/// use mapsto_kernels::elements::elements;
/// assert_eq!(elements([2, 3, 4]), 24);
/// assert_eq!(elements([1 << 40, 1 << 40]), usize::MAX);
/// assert_eq!(elements([1 << 40, 1 << 40, 0]), 0);
/// ```
#[inline(always)]
pub fn elements<const N: usize>(sizes: [usize; N]) -> usize {
    // Saturation meets a later 0 as it should: usize::MAX · 0 is 0.
    sizes.into_iter().fold(1, usize::saturating_mul)
}

/// Whether the elements `offset + Σ iₖ·strideₖ`, `0 ≤ iₖ < nₖ`, all lie in a slice of `len`; an axis of 0 has no elements.
///
/// ```
/// use mapsto_kernels::elements::inside;
/// assert!(inside(6, 5, [(2, -3), (3, 1)]) == false && inside(6, 3, [(2, -3), (3, 1)]));
/// ```
#[inline]
pub fn inside<const N: usize>(len: usize, offset: usize, axes: [(usize, isize); N]) -> bool {
    if axes.iter().any(|axis| axis.0 == 0) {
        return true;
    }
    // Numbers below 2³¹ forwards, which almost all are, multiply and add up below 2⁶⁴ for two axes.
    let all = axes.iter().fold(offset, |all, axis| all | axis.0 | axis.1 as usize);
    if N <= 2 && all < 1 << 31 {
        return axes.iter().fold(offset, |last, axis| last + (axis.0 - 1) * axis.1 as usize) < len;
    }
    // What a word cannot hold is outside either way, since `first` only falls and `last` only rises.
    let ends = || {
        let (mut first, mut last) = (isize::try_from(offset).ok()?, isize::try_from(offset).ok()?);
        for (n, stride) in axes.into_iter().filter(|axis| axis.1 != 0) {
            let span = isize::try_from(n - 1).ok()?.checked_mul(stride)?;
            first = first.checked_add(span.min(0))?;
            last = last.checked_add(span.max(0))?;
        }
        Some((first, last as usize))
    };
    ends().is_some_and(|(first, last)| first >= 0 && last < len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_exact_or_the_largest_number() {
        let sizes = [0, 1, 2, 3, 1000, 1 << 31, 1 << 32, 0x5555_5555_5555_5556, usize::MAX - 1, usize::MAX];
        for a in sizes {
            for b in sizes {
                for c in sizes {
                    let exact = (a as u128 * b as u128).saturating_mul(c as u128);
                    assert_eq!(elements([a, b, c]) as u128, exact.min(usize::MAX as u128), "{a} {b} {c}");
                }
            }
        }
    }

    #[test]
    fn what_reaches_outside_is_found_at_any_size() {
        assert!(inside(1, 0, [(usize::MAX, 0), (usize::MAX, 0)]));
        assert!(!inside(1, 0, [(usize::MAX, isize::MAX), (usize::MAX, isize::MAX), (9, -1)]));
        assert!(!inside(9, 8, [(usize::MAX, isize::MIN), (usize::MAX, isize::MIN)]));
        assert!(!inside(9, usize::MAX, [(2, -1)]) && !inside(0, 0, [(1, 1)]));
        assert!(inside(0, 7, [(0, 1), (3, 1)]));
    }
}
