//! A cell of the table of operations: one case with a dtype, a size, a layout and a pass, and what its operands are.

use super::cases::Case;
use mapsto::prelude::*;

/// The sizes: about how many elements the first operand has.
pub const SIZES: [&str; 5] = ["1", "1e3", "1e5", "1e6", "1e7"];

/// The dtypes, with the names that both sides use.
pub const DTYPES: [(DType, &str); 8] = [
    (DType::F32, "f32"),
    (DType::F64, "f64"),
    (DType::F16, "f16"),
    (DType::BF16, "bf16"),
    (DType::I64, "i64"),
    (DType::I32, "i32"),
    (DType::U8, "u8"),
    (DType::Bool, "bool"),
];

/// How an operand lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layout {
    /// Row after row.
    Rows,
    /// The last two axes the other way round.
    Transposed,
    /// A part of longer rows.
    Sliced,
    /// One slice of the first axis for all of them; of several operands the last is such, the others lie in rows.
    Broadcast,
    /// Images whose channels lie next to each other.
    ChannelsLast,
}

impl Layout {
    pub const ALL: [Layout; 5] =
        [Layout::Rows, Layout::Transposed, Layout::Sliced, Layout::Broadcast, Layout::ChannelsLast];

    pub fn name(self) -> &'static str {
        match self {
            Layout::Rows => "rows",
            Layout::Transposed => "transposed",
            Layout::Sliced => "sliced",
            Layout::Broadcast => "broadcast",
            Layout::ChannelsLast => "channels-last",
        }
    }

    /// Whether a tensor of this shape can lie so, and then lies otherwise than in rows.
    fn suits(self, shape: &[usize]) -> bool {
        let rank = shape.len();
        match self {
            Layout::Rows => true,
            Layout::Transposed => rank >= 2,
            Layout::Sliced => rank >= 1,
            Layout::Broadcast => rank >= 2 && shape[0] > 1,
            Layout::ChannelsLast => rank == 4,
        }
    }

    /// A tensor of this shape that lies so, of elements that `make` makes in rows.
    fn lay(self, shape: &[usize], make: impl Fn(Vec<usize>) -> Tensor) -> Tensor {
        let mut stored = shape.to_vec();
        let last = shape.len().saturating_sub(1);
        match self {
            Layout::Rows => make(stored),
            Layout::Transposed => {
                stored.swap(last - 1, last);
                make(stored).swap(-1, -2)
            }
            Layout::Sliced => {
                stored[last] += 3;
                make(stored).slice(-1, 1..shape[last] + 1)
            }
            Layout::Broadcast => {
                stored[0] = 1;
                make(stored).expand(shape)
            }
            Layout::ChannelsLast => make(vec![shape[0], shape[2], shape[3], shape[1]]).permute([0, 3, 1, 2]),
        }
    }
}

/// What the elements of an operand are.
#[derive(Clone, Copy, Debug)]
pub enum Values {
    /// Normally distributed; whole numbers from 1 to 5.
    Normal,
    /// From ½ to 3/2; whole numbers from 1 to 5.
    Positive,
    /// Probabilities, from 0.05 to 0.95.
    Unit,
    /// Ids below a number, as i64.
    Ids(usize),
    /// True or false.
    Bits,
}

/// An operand.
#[derive(Clone, Debug)]
pub struct Input {
    pub shape: Vec<usize>,
    pub values: Values,
    /// Whether it has the cell's layout, rather than lying in rows as weights do.
    pub laid: bool,
}

impl Input {
    /// Whether it has the cell's dtype.
    pub fn is_free(&self) -> bool {
        !matches!(self.values, Values::Ids(_) | Values::Bits)
    }

    fn make(&self, dtype: DType, layout: Layout) -> Tensor {
        layout.lay(&self.shape, |shape| match self.values {
            Values::Ids(below) => Tensor::randint(shape, 0..below),
            Values::Bits => Tensor::randint(shape, 0..2).eq(1),
            _ if dtype == DType::Bool => Tensor::randint(shape, 0..2).eq(1),
            _ if !dtype.is_float() => Tensor::randint(shape, 1..6).to(dtype),
            Values::Normal => Tensor::randn(shape).to(dtype),
            Values::Positive => Tensor::uniform(shape, 0.5, 1.5).to(dtype),
            Values::Unit => Tensor::uniform(shape, 0.05, 0.95).to(dtype),
        })
    }
}

/// Whether the gradient is taken too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    Forward,
    Both,
}

impl Pass {
    pub fn name(self) -> &'static str {
        if self == Pass::Forward { "forward" } else { "forward and backward" }
    }
}

/// One measurement.
#[derive(Clone, Copy)]
pub struct Cell {
    pub case: &'static Case,
    pub dtype: usize,
    pub size: usize,
    pub layout: Layout,
    pub pass: Pass,
}

impl Cell {
    /// Its name in tables and files.
    pub fn name(&self) -> String {
        let dtype = DTYPES[self.dtype].1;
        let (size, layout, pass) = (SIZES[self.size], self.layout.name(), self.pass.name());
        format!("{} | {dtype} | {size} | {layout} | {pass}", self.case.name)
    }

    pub fn inputs(&self) -> Vec<Input> {
        (self.case.inputs)(self.size, self.layout)
    }

    /// Whether there is such a cell at all.
    pub fn exists(&self) -> bool {
        let (dtype, inputs) = (DTYPES[self.dtype].0, self.inputs());
        let laid: Vec<&Input> = inputs.iter().filter(|input| input.laid).collect();
        let suits = match self.layout {
            Layout::Broadcast => laid.last().is_some_and(|input| self.layout.suits(&input.shape)),
            layout => !laid.is_empty() && laid.iter().all(|input| layout.suits(&input.shape)),
        };
        self.case.kind().takes(dtype)
            && suits
            && (self.pass == Pass::Forward || (dtype.is_float() && self.case.smooth))
    }

    /// The layout of each operand.
    pub fn layouts(&self) -> Vec<Layout> {
        let inputs = self.inputs();
        let last = inputs.iter().rposition(|input| input.laid);
        let of = |(i, input): (usize, &Input)| match self.layout {
            Layout::Broadcast if Some(i) != last => Layout::Rows,
            layout if input.laid => layout,
            _ => Layout::Rows,
        };
        inputs.iter().enumerate().map(of).collect()
    }

    /// The operands, and the work on them.
    pub fn prepare(&self) -> Work {
        let dtype = DTYPES[self.dtype].0;
        let made = |(input, layout): (&Input, Layout)| {
            let x = input.make(dtype, layout);
            if self.pass == Pass::Both && input.is_free() { x.leaf() } else { x }
        };
        let xs: Vec<Tensor> = self.inputs().iter().zip(self.layouts()).map(made).collect();
        let y = (self.case.run)(&xs);
        // Ones that lie as the result does, which is what torch.ones_like makes.
        let g = (self.pass == Pass::Both).then(|| y.detach().is_nan().not().to(y.dtype()));
        Work { run: self.case.run, shape: y.shape().to_vec(), xs, g }
    }
}

/// A cell with its operands made.
pub struct Work {
    run: fn(&[Tensor]) -> Tensor,
    xs: Vec<Tensor>,
    g: Option<Tensor>,
    /// The shape of the result.
    pub shape: Vec<usize>,
}

impl Work {
    pub fn call(&self) {
        let y = (self.run)(std::hint::black_box(&self.xs));
        match &self.g {
            Some(g) => drop(std::hint::black_box(y.backward_with(g))), // uses the graph up, as torch.autograd.grad does
            None => drop(std::hint::black_box(y)),
        }
    }
}
