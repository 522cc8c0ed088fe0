//! Values that a metric needs all of, such as the scores behind a ROC curve: a bag of rows, which has no order.

/// Rows of numbers, kept one by one: bags of parts of a set merge to the bag of the set, whatever the order.
///
/// A row takes 8 bytes for each of its numbers, for as long as an epoch or an evaluation takes.
///
/// ```
/// use mapsto_train::metrics::Kept;
/// let (mut a, mut b) = (Kept::default(), Kept::default());
/// a.push(&[0.5, 1.0]);
/// b.push(&[0.25, 0.0]);
/// a.merge(&b);
/// assert_eq!(a.sorted(), [&[0.25, 0.0][..], &[0.5, 1.0]]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Kept {
    width: usize,
    values: Vec<f64>,
}

impl Kept {
    /// Adds a row. Zero is kept without a sign.
    ///
    /// # Panics
    /// When it is empty, or of another width than the rows before.
    #[track_caller]
    pub fn push(&mut self, row: &[f64]) {
        if row.is_empty() || (self.width != 0 && self.width != row.len()) {
            mapsto_tensor::fail!(
                "kept values",
                "a row of {} numbers beside rows of {}",
                row.len(),
                self.width
            );
        }
        self.width = row.len();
        self.values.extend(row.iter().map(|v| v + 0.0));
    }

    /// Adds the rows of another part.
    ///
    /// # Panics
    /// When they are of another width.
    #[track_caller]
    pub fn merge(&mut self, other: &Kept) {
        if self.width != 0 && other.width != 0 && self.width != other.width {
            mapsto_tensor::fail!(
                "kept values",
                "rows of {} and of {} numbers do not merge",
                self.width,
                other.width
            );
        }
        self.width = self.width.max(other.width);
        self.values.extend_from_slice(&other.values);
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len() / self.width.max(1)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// How many numbers a row has, 0 where there is no row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// The rows in ascending order, so that nothing depends on how they came.
    #[must_use]
    pub fn sorted(&self) -> Vec<&[f64]> {
        let mut rows: Vec<&[f64]> = self.values.chunks_exact(self.width.max(1)).collect();
        let order = |a: &&[f64], b: &&[f64]| {
            let pairs = a.iter().zip(b.iter());
            pairs.map(|(x, y)| x.total_cmp(y)).find(|o| o.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
        };
        rows.sort_unstable_by(order);
        rows
    }

    /// The width and every value's bits, as text.
    pub(super) fn to_text(&self) -> String {
        let bits: Vec<String> = self.values.iter().map(|v| format!("{:x}", v.to_bits())).collect();
        format!("{}:{}", self.width, bits.join(","))
    }

    pub(super) fn from_text(text: &str) -> Option<Kept> {
        let (width, bits) = text.split_once(':')?;
        let width: usize = width.parse().ok()?;
        let value = |word: &str| u64::from_str_radix(word, 16).ok().map(f64::from_bits);
        let values: Vec<f64> = bits.split(',').filter(|w| !w.is_empty()).map(value).collect::<Option<_>>()?;
        (width > 0 && values.len().is_multiple_of(width)).then_some(Kept { width, values })
    }
}

impl PartialEq for Kept {
    /// Equal rows, in whatever order they came.
    fn eq(&self, other: &Kept) -> bool {
        self.width == other.width && self.len() == other.len() && self.sorted() == other.sorted()
    }
}

#[test]
fn order_is_forgotten_and_text_round_trips() {
    let bag = |rows: &[[f64; 2]]| {
        let mut kept = Kept::default();
        rows.iter().for_each(|row| kept.push(row));
        kept
    };
    let kept = bag(&[[0.1, -0.0], [1e-300, 1.0], [-3.0, 0.0]]);
    assert_eq!(kept, bag(&[[-3.0, -0.0], [0.1, 0.0], [1e-300, 1.0]]));
    assert_eq!(Kept::from_text(&kept.to_text()).unwrap(), kept);
    for broken in ["", "2", "0:1", "2:1", "2:x,1", "x:1"] {
        assert!(Kept::from_text(broken).is_none(), "{broken}");
    }
}
