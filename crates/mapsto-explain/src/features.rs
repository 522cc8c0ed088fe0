//! Which numbers of a sample belong together: what is hidden, drawn and counted as one.

use mapsto_tensor::{Error, ErrorKind, Result};

/// A feature for each number of a sample, in the order of memory: `0, 0, 1` are two features of which the first has two numbers.
///
/// ```
/// use mapsto_explain::Features;
/// let cells = Features::patches(&[1, 4, 4], [2, 2])?;
/// assert_eq!((cells.len(), cells.of()[0], cells.of()[15]), (4, 0, 3));
/// assert_eq!(cells.joined(&[1.0; 16]), [4.0; 4]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    of: Vec<usize>,
    len: usize,
}

impl Features {
    /// Each of so many numbers for itself.
    pub fn each(numbers: usize) -> Features {
        Features { of: (0..numbers).collect(), len: numbers }
    }

    /// The feature of each number; features count from 0, and none is left out.
    ///
    /// # Errors
    /// A feature has no number.
    pub fn new(of: Vec<usize>) -> Result<Features> {
        let len = of.iter().max().map_or(0, |most| most + 1);
        let mut seen = vec![false; len.min(of.len() + 1)];
        let known = seen.len();
        of.iter().filter(|f| **f < known).for_each(|f| seen[*f] = true);
        if let Some(gap) = seen.iter().position(|seen| !seen) {
            let message = format!("feature {gap} of {len} has no number");
            return Err(Error::new(ErrorKind::Usage, message).help("number features from 0 without gaps"));
        }
        Ok(Features { of, len })
    }

    /// The cells of a picture `[channels, h, w]`, `size` numbers high and wide over all channels; those at the right and at the bottom
    /// may be smaller.
    ///
    /// # Errors
    /// The shape is that of no picture, or a cell has no size.
    pub fn patches(shape: &[usize], size: [usize; 2]) -> Result<Features> {
        let (&[c, h, w], [high, wide]) = (shape, size) else {
            let message = format!("cells divide a picture [channels, h, w], found {shape:?}");
            return Err(Error::new(ErrorKind::Usage, message).help("give each number for itself"));
        };
        if high == 0 || wide == 0 {
            let message = format!("a cell of {high} x {wide} holds nothing");
            return Err(Error::new(ErrorKind::Usage, message).help("give it at least one number"));
        }
        let across = w.div_ceil(wide);
        let cell = |i: usize| (i / w % h.max(1)) / high * across + i % w / wide;
        Features::new((0..c * h * w).map(cell).collect())
    }

    /// The feature of each number.
    pub fn of(&self) -> &[usize] {
        &self.of
    }

    /// How many features there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The numbers of each feature added up.
    pub fn joined(&self, numbers: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; self.len];
        self.of.iter().zip(numbers).for_each(|(feature, number)| sums[*feature] += number);
        sums
    }

    /// The share of its feature for each number, so that they add up to the features' values.
    pub fn spread(&self, values: &[f64]) -> Vec<f64> {
        let mut sizes = vec![0usize; self.len];
        self.of.iter().for_each(|feature| sizes[*feature] += 1);
        self.of.iter().map(|feature| values[*feature] / sizes[*feature] as f64).collect()
    }
}

#[test]
fn spreading_and_joining_undo_each_other() {
    let features = Features::new(vec![0, 1, 1, 2]).unwrap();
    let values = [1.0, -4.0, 3.0];
    assert_eq!(features.spread(&values), [1.0, -2.0, -2.0, 3.0]);
    assert_eq!(features.joined(&features.spread(&values)), values);
    assert_eq!(Features::new(vec![0, 2]).unwrap_err().message(), "feature 1 of 3 has no number");
    assert!(Features::patches(&[4], [1, 1]).is_err() && Features::patches(&[1, 4, 4], [0, 1]).is_err());
    assert_eq!(Features::patches(&[2, 3, 3], [2, 2]).unwrap().of()[..9], [0, 0, 1, 0, 0, 1, 2, 2, 3]);
}
