//! The parameters of an operation, such as the slope of a leaky relu: inputs of its program that are the same for all elements.

/// The most parameters an operation has.
pub const MOST: usize = 4;

/// The parameters of an operation, and the number that tells programs of different shape apart.
///
/// ```
/// use mapsto_kernels::program::Params;
/// let bounds = Params::from([-1.0, 1.0]);
/// assert_eq!(bounds.values(), [-1.0, 1.0]);
/// assert_eq!(Params::from([]).shaped_by(7).shape(), Some(7));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Params {
    values: [f64; MOST],
    count: usize,
    shape: Option<u64>,
}

impl Params {
    /// No parameters.
    pub const NONE: Params = Params { values: [0.0; MOST], count: 0, shape: None };

    /// The values in order.
    #[inline]
    pub fn values(&self) -> &[f64] {
        &self.values[..self.count]
    }

    /// The same with a number on which the steps themselves depend, such as a whole exponent.
    pub fn shaped_by(mut self, shape: u64) -> Params {
        self.shape = Some(shape);
        self
    }

    /// The number on which the steps depend.
    #[inline]
    pub fn shape(&self) -> Option<u64> {
        self.shape
    }

    /// Whether an operation of so many bytes can hold nothing beside these.
    #[inline]
    pub fn cover(&self, bytes: usize) -> bool {
        bytes <= 8 * (self.count + self.shape.is_some() as usize)
    }
}

impl<const N: usize> From<[f64; N]> for Params {
    #[inline]
    fn from(from: [f64; N]) -> Params {
        const { assert!(N <= MOST, "an operation has at most four parameters") };
        let mut values = [0.0; MOST];
        values[..N].copy_from_slice(&from);
        Params { values, count: N, shape: None }
    }
}
