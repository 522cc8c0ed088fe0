//! `Rounded`: a column of a table whose values grow together when they become `f32`, which models compute in.

use std::fmt;

/// A column in which values that differ in the file become equal.
///
/// ```
/// use mapsto_data::Rounded;
/// let seconds = [1_700_000_000.0, 1_700_000_001.0, 1_700_000_200.0];
/// let found = Rounded::of("time", &seconds).unwrap();
/// assert_eq!((found.different, found.left), (3, 2));
/// assert_eq!(Rounded::of("t", &[0.1, 0.2, 0.1]), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rounded {
    /// The name of the column.
    pub column: String,
    /// How many values there are in the file.
    pub different: usize,
    /// How many of them are left.
    pub left: usize,
    /// Whether it is what the model learns to say.
    pub is_target: bool,
}

impl Rounded {
    /// The column, if it is one of these.
    pub fn of(column: &str, values: &[f64]) -> Option<Rounded> {
        if values.iter().all(|&v| f64::from(v as f32) == v) {
            return None;
        }
        let mut values = values.to_vec();
        values.sort_unstable_by(f64::total_cmp);
        values.dedup();
        let different = values.len();
        values.dedup_by_key(|v| *v as f32);
        let left = values.len();
        (left < different).then(|| Rounded { column: column.to_string(), different, left, is_target: false })
    }
}

impl fmt::Display for Rounded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Rounded { column, different, left, .. } = self;
        write!(f, "column `{column}`: of {different} different values {left} are left in 32 bits")
    }
}
