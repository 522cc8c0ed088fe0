//! Where in a model an item is: the field names and positions on the way to it.

use std::fmt;

/// The way from a model to one of its items, shown as `blocks.3.attn.qkv.weight`.
///
/// ```
/// use mapsto_nn::Path;
/// let mut path = Path::new();
/// path.enter("blocks", |path| path.enter(3, |path| assert_eq!(path.to_string(), "blocks.3")));
/// assert_eq!(path.to_string(), "");
/// ```
#[derive(Clone, Debug, Default)]
pub struct Path {
    segments: Vec<Segment>,
    /// The places in memory of what has several owners and was met on this visit.
    met: Vec<usize>,
    /// Whether what has several owners is shown at each of them.
    every_owner: bool,
}

/// By the steps alone.
impl PartialEq for Path {
    fn eq(&self, other: &Path) -> bool {
        self.segments == other.segments
    }
}

impl Eq for Path {}

/// One step of a [`Path`]: a field's name, or a position in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// The name of a field.
    Name(&'static str),
    /// The position in a vector, array or tuple.
    Index(usize),
    /// A name with a number in it, as other frameworks have: `weight_ih_l0_reverse`.
    Numbered(&'static str, usize, &'static str),
}

impl Path {
    /// The path of the model itself.
    pub fn new() -> Path {
        Path::default()
    }

    /// The path of the model itself, for a visit that shows what has several owners at each of them.
    pub(super) fn of_every_owner() -> Path {
        Path { every_owner: true, ..Path::default() }
    }

    /// Runs `visit` one step further in.
    pub fn enter<R>(&mut self, segment: impl Into<Segment>, visit: impl FnOnce(&mut Path) -> R) -> R {
        self.segments.push(segment.into());
        let result = visit(self);
        self.segments.pop();
        result
    }

    /// Whether this visit shows what lies at `place` here: where it meets it for the first time, or at each owner.
    pub(super) fn meets(&mut self, place: usize) -> bool {
        if self.every_owner {
            return true;
        }
        let is_new = !self.met.contains(&place);
        if is_new {
            self.met.push(place);
        }
        is_new
    }

    /// The steps.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }
}

impl From<&'static str> for Segment {
    fn from(name: &'static str) -> Segment {
        Segment::Name(name)
    }
}

impl From<usize> for Segment {
    fn from(index: usize) -> Segment {
        Segment::Index(index)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.segments.iter().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            match segment {
                Segment::Name(name) => f.write_str(name)?,
                Segment::Index(index) => write!(f, "{index}")?,
                Segment::Numbered(before, n, after) => write!(f, "{before}{n}{after}")?,
            }
        }
        Ok(())
    }
}
