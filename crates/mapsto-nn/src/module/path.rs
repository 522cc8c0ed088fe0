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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    segments: Vec<Segment>,
}

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

    /// Runs `visit` one step further in.
    pub fn enter<R>(&mut self, segment: impl Into<Segment>, visit: impl FnOnce(&mut Path) -> R) -> R {
        self.segments.push(segment.into());
        let result = visit(self);
        self.segments.pop();
        result
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
