//! Plain numbers in row-major order, for formulas that say what an operation on whole tensors must give.

/// A shape and its elements, row-major: what a formula reads and gives.
///
/// ```
/// use mapsto_tensor::check::Numbers;
/// let x = Numbers::from_fn(&[2, 3], |at| (10 * at[0] + at[1]) as f64);
/// assert_eq!(x.at(&[1, 2]), 12.0);
/// assert_eq!(x.reduced(&[1], |row| row.iter().sum()).values, [3.0, 33.0]);
/// assert_eq!(x.along(0, |column| vec![column[1] - column[0]]).shape, [1, 3]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Numbers {
    /// The sizes of the axes.
    pub shape: Vec<usize>,
    /// The elements.
    pub values: Vec<f64>,
}

impl Numbers {
    /// The elements that a function gives for each position.
    pub fn from_fn(shape: &[usize], mut f: impl FnMut(&[usize]) -> f64) -> Numbers {
        let mut at = vec![0; shape.len()];
        let count: usize = shape.iter().product();
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            values.push(f(&at));
            for axis in (0..shape.len()).rev() {
                at[axis] += 1;
                if at[axis] < shape[axis] {
                    break;
                }
                at[axis] = 0;
            }
        }
        Numbers { shape: shape.to_vec(), values }
    }

    /// The element at a position.
    pub fn at(&self, at: &[usize]) -> f64 {
        self.values[at.iter().zip(&self.shape).fold(0, |place, (i, n)| place * n + i)]
    }

    /// The same elements in another shape.
    pub fn shaped(&self, shape: &[usize]) -> Numbers {
        assert_eq!(shape.iter().product::<usize>(), self.values.len());
        Numbers { shape: shape.to_vec(), values: self.values.clone() }
    }

    /// Each line along an axis, replaced by what a function makes of it.
    pub fn along(&self, axis: usize, f: impl Fn(&[f64]) -> Vec<f64>) -> Numbers {
        let mut first = self.shape.clone();
        first[axis] = 1;
        let mut lines = Vec::new();
        let starts = Numbers::from_fn(&first, |at| {
            let mut at = at.to_vec();
            let line: Vec<f64> = (0..self.shape[axis])
                .map(|i| {
                    at[axis] = i;
                    self.at(&at)
                })
                .collect();
            lines.push(f(&line));
            (lines.len() - 1) as f64
        });
        let mut shape = self.shape.clone();
        shape[axis] = lines.first().map_or_else(|| f(&vec![0.0; self.shape[axis]]).len(), Vec::len);
        Numbers::from_fn(&shape, |at| {
            let mut start = at.to_vec();
            start[axis] = 0;
            lines[starts.at(&start) as usize][at[axis]]
        })
    }

    /// One number for the elements of some axes, which vanish.
    pub fn reduced(&self, axes: &[usize], f: impl Fn(&[f64]) -> f64) -> Numbers {
        let kept: Vec<usize> = (0..self.shape.len()).filter(|a| !axes.contains(a)).collect();
        let shape: Vec<usize> = kept.iter().map(|&a| self.shape[a]).collect();
        let gone: Vec<usize> =
            (0..self.shape.len()).map(|a| if axes.contains(&a) { self.shape[a] } else { 1 }).collect();
        Numbers::from_fn(&shape, |at| {
            let own = Numbers::from_fn(&gone, |inner| {
                let mut place = inner.to_vec();
                kept.iter().zip(at).for_each(|(&a, &i)| place[a] = i);
                self.at(&place)
            });
            f(&own.values)
        })
    }
}
