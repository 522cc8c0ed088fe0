//! What can be known of an operation without running it: its name, what it does, and inputs that it must take.
//!
//! Every file of `ops/` declares the kinds that it holds, and [`ops::OPS`](crate::ops::OPS) is the list of all of them.
//! Code that goes over all operations (the checks, the benchmarks, mutations, exporters) reads that list.

mod built;
mod samples;

pub use samples::{Sample, Samples};

use crate::graph::{Attrs, Op};
use crate::{DType, Error, ErrorKind, Result};

/// One kind of operation.
///
/// ```
/// use mapsto_tensor::{DType, ops};
/// let tanh = ops::kind("tanh").unwrap();
/// assert!(tanh.doc.starts_with("Hyperbolic tangent"));
/// for sample in tanh.samples(DType::F64, 0) {
///     assert_eq!(sample.run().shape(), sample.inputs[0].shape());
/// }
/// assert!(tanh.samples(DType::I64, 0).is_empty());
/// ```
#[derive(Clone, Copy)]
pub struct OpKind {
    /// The name, as the graph and a trace show it.
    pub name: &'static str,
    /// One sentence.
    pub doc: &'static str,
    takes: Takes,
    samples: fn(&mut Samples),
    make: Make,
}

/// How an operation is built from its attributes.
#[derive(Clone, Copy)]
enum Make {
    By(fn(&mut Attrs) -> Result<Box<dyn Op>>),
    Of(&'static str),
    Never(&'static str),
}

/// The dtypes that an operation takes for those of its inputs whose dtype is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Floats.
    Floats,
    /// Integers.
    Ints,
    /// Floats and integers.
    Numbers,
    /// Only bool.
    Bools,
    /// Every dtype.
    All,
}

impl OpKind {
    /// A kind; `samples` writes down its inputs. Crates of operations of their own list their kinds so too.
    pub const fn new(
        name: &'static str,
        doc: &'static str,
        takes: Takes,
        samples: fn(&mut Samples),
    ) -> OpKind {
        OpKind { name, doc, takes, samples, make: Make::Never("nothing says how") }
    }

    /// With the way to make one of its attributes.
    pub const fn built(self, make: fn(&mut Attrs) -> Result<Box<dyn Op>>) -> OpKind {
        OpKind { make: Make::By(make), ..self }
    }

    /// Not an operation of the graph: the method calls these others.
    pub const fn made_of(self, others: &'static str) -> OpKind {
        OpKind { make: Make::Of(others), ..self }
    }

    /// Cannot be made again, for a reason.
    pub const fn unique(self, reason: &'static str) -> OpKind {
        OpKind { make: Make::Never(reason), ..self }
    }

    /// The operation with these attributes, for [`apply`](crate::graph::apply). Give it inputs that its public method would
    /// take: what a method checks or converts before (ids, shapes, defaults) is not done again.
    ///
    /// ```
    /// use mapsto_tensor::graph::{Attrs, apply};
    /// use mapsto_tensor::{ops, prelude::*};
    /// let sum = ops::kind("sum").unwrap().build(Attrs::new().with("axes", [1]).with("keep", false))?;
    /// assert_close!(apply(sum, &[&tensor![[1.0, 2.0], [3.0, 4.0]]]), [3.0, 7.0]);
    /// # Ok::<(), Error>(())
    /// ```
    /// # Errors
    /// When an attribute is missing, unknown, of another kind or out of its range; when the operation cannot be built, see
    /// [`OpKind::obstacle`]. What only the inputs can tell, such as an axis that they lack, `apply` raises as an error that
    /// names the operation.
    pub fn build(&self, mut attrs: Attrs) -> Result<Box<dyn Op>> {
        let op = match (self.make, self.obstacle()) {
            (Make::By(make), _) => {
                built::checked(&mut attrs, make).and_then(|op| attrs.finish().map(|()| op))
            }
            (_, obstacle) => Err(Error::new(ErrorKind::Model, obstacle.unwrap_or_default())),
        };
        op.map(built::guarded).map_err(|e| e.context(self.name))
    }

    /// Why an operation of this kind cannot be built from attributes, if so.
    pub fn obstacle(&self) -> Option<String> {
        match self.make {
            Make::By(_) => None,
            Make::Of(others) => Some(format!("it is made of others: {others}")),
            Make::Never(reason) => Some(format!("it cannot be built again: {reason}")),
        }
    }

    /// Whether the operation takes inputs of a dtype.
    pub fn takes(&self, dtype: DType) -> bool {
        match self.takes {
            Takes::All => true,
            Takes::Floats => dtype.is_float(),
            Takes::Bools => dtype == DType::Bool,
            Takes::Ints => !dtype.is_float() && dtype != DType::Bool,
            Takes::Numbers => dtype != DType::Bool,
        }
    }

    /// Valid inputs of a dtype with calls of the public method on them: shapes without axes, of size 0, of size 1, odd ones
    /// and such as broadcast, wherever the operation takes them, and all its attributes. The same seed gives the same
    /// numbers; they keep away from kinks, so that a derivative may be compared with differences.
    ///
    /// The list is empty for a dtype that the operation does not take. Inputs whose dtype is fixed, such as indices, have
    /// that dtype.
    pub fn samples(&self, dtype: DType, seed: u64) -> Vec<Sample> {
        let mut samples = Samples::new(dtype, seed);
        if self.takes(dtype) {
            (self.samples)(&mut samples);
        }
        samples.made
    }
}

impl std::fmt::Debug for OpKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.name, self.doc)
    }
}

/// The lists of all files as one.
pub(crate) const fn joined<const N: usize>(lists: &[&[OpKind]]) -> [OpKind; N] {
    const fn nothing(_: &mut Samples) {}
    let mut all = [OpKind::new("", "", Takes::All, nothing); N];
    let (mut list, mut n) = (0, 0);
    while list < lists.len() {
        let mut i = 0;
        while i < lists[list].len() {
            all[n] = lists[list][i];
            n += 1;
            i += 1;
        }
        list += 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use crate::prelude::*;
    use crate::{kind::Takes, ops};

    const DTYPES: [DType; 9] = [
        DType::F64,
        DType::F32,
        DType::F16,
        DType::BF16,
        DType::I64,
        DType::I32,
        DType::I8,
        DType::U8,
        DType::Bool,
    ];

    #[test]
    fn every_operation_runs_on_its_samples_in_every_dtype_that_it_takes() {
        let mut runs = 0;
        for kind in ops::OPS {
            assert!(kind.doc.len() > 8 && !kind.doc.contains("  "), "{}: {:?}", kind.name, kind.doc);
            let mut some = false;
            for dtype in DTYPES {
                let samples = kind.samples(dtype, 1);
                assert_eq!(samples.is_empty(), !kind.takes(dtype), "{} of {dtype}", kind.name);
                for (i, sample) in samples.iter().enumerate() {
                    let y = catch(|| sample.run())
                        .unwrap_or_else(|e| panic!("{} {i} {dtype} {sample:?}: {e}", kind.name));
                    some |= !y.is_empty();
                    runs += 1;
                }
                let again = kind.samples(dtype, 1);
                for (a, b) in samples.iter().zip(&again) {
                    let bits = |t: &Tensor| {
                        t.to(DType::F64).to_vec::<f64>().iter().map(|v| v.to_bits()).collect::<Vec<_>>()
                    };
                    assert!(a.inputs.iter().zip(&b.inputs).all(|(a, b)| bits(a) == bits(b)), "{}", kind.name);
                }
            }
            assert!(some, "{}: every result is empty", kind.name);
        }
        println!("{} kinds, {runs} samples ran", ops::OPS.len());
    }

    #[test]
    fn names_are_unique_and_found() {
        for (i, kind) in ops::OPS.iter().enumerate() {
            assert!(ops::OPS[..i].iter().all(|k| k.name != kind.name), "{} is listed twice", kind.name);
            assert!(std::ptr::eq(ops::kind(kind.name).unwrap(), kind));
        }
        assert!(ops::kind("no such operation").is_none());
        assert!(ops::kind("and").is_some_and(|k| k.takes == Takes::Bools));
    }
}
