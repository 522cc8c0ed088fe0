//! Inputs of operations: the one generator for checks, benchmarks, mutations and generated tests.

use crate::check::Domain;
use crate::{DType, Tensor};

/// Inputs of an operation, and the call.
#[derive(Clone)]
pub struct Sample {
    /// The inputs, in the order of the operation.
    pub inputs: Vec<Tensor>,
    /// Calls the public method, with attributes of its own, on inputs of these shapes and dtypes. Of several results it
    /// gives one.
    pub call: fn(&[Tensor]) -> Tensor,
}

impl Sample {
    /// The operation's result on these inputs.
    #[track_caller]
    pub fn run(&self) -> Tensor {
        (self.call)(&self.inputs)
    }
}

impl std::fmt::Debug for Sample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.inputs.iter().map(|x| (x.shape(), x.dtype()))).finish()
    }
}

/// Shapes that an elementwise operation must take: without axes, of size 1, odd, with more axes, empty.
const SHAPES: [&[usize]; 6] = [&[], &[1], &[7], &[3, 5], &[0], &[2, 0, 3]];

/// Pairs that must broadcast.
const PAIRS: [[&[usize]; 2]; 7] = [
    [&[], &[3]],
    [&[3, 1], &[4]],
    [&[2, 3], &[2, 3]],
    [&[1], &[2, 2]],
    [&[2, 1, 3], &[4, 1]],
    [&[0], &[1]],
    [&[], &[]],
];

/// The samples of a kind while they are being written down.
pub struct Samples {
    dtype: DType,
    seed: u64,
    pub(super) made: Vec<Sample>,
}

impl Samples {
    pub(super) fn new(dtype: DType, seed: u64) -> Samples {
        Samples { dtype, seed, made: Vec::new() }
    }

    /// The call on one input of every shape that an elementwise operation must take.
    pub fn each(&mut self, x: Domain, call: fn(&[Tensor]) -> Tensor) {
        for shape in SHAPES {
            self.of(&[(shape, &x)], call);
        }
    }

    /// The call on pairs of inputs that broadcast.
    pub fn pairs(&mut self, a: Domain, b: Domain, call: fn(&[Tensor]) -> Tensor) {
        for [shape, other] in PAIRS {
            self.of(&[(shape, &a), (other, &b)], call);
        }
    }

    /// The call on inputs of these shapes.
    pub fn of(&mut self, inputs: &[(&[usize], &Domain)], call: fn(&[Tensor]) -> Tensor) {
        let inputs = inputs.iter().map(|(shape, domain)| self.draw(shape, domain)).collect::<Vec<_>>();
        self.given(inputs, call);
    }

    /// The call on these inputs, such as indices that must be written down.
    pub fn given(&mut self, inputs: Vec<Tensor>, call: fn(&[Tensor]) -> Tensor) {
        self.seed += inputs.len() as u64;
        self.made.push(Sample { inputs, call });
    }

    /// Numbers of a domain: indices as i64, others in the dtype that is asked for.
    pub fn draw(&mut self, shape: &[usize], domain: &Domain) -> Tensor {
        self.seed += 1;
        let x = domain.draw(shape, self.seed);
        match self.dtype {
            _ if !x.dtype().is_float() => x,
            DType::U8 => x.abs().to(DType::U8),
            DType::Bool => x.gt(0.0),
            dtype => x.to(dtype),
        }
    }
}
