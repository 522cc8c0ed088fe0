//! Inputs the way a model takes them: through the steps of preprocessing, and in the type that it computes in.

use mapsto::data::Preprocess;
use mapsto::{DType, Result, Tensor, catch};

/// A batch of inputs after the fixed steps; the cells of tables are floats then, and ids and pixels stay what they are.
///
/// # Errors
/// The inputs are not of the shape or type that a step takes.
pub fn prepared(steps: &Preprocess, x: Tensor) -> Result<Tensor> {
    let x = catch(|| steps.apply(x))?;
    Ok(if x.dtype() == DType::F64 { x.to(DType::F32) } else { x })
}

#[test]
fn cells_become_floats_and_ids_stay() {
    let steps = Preprocess::new();
    assert_eq!(prepared(&steps, Tensor::zeros([2, 3]).to(DType::F64)).unwrap().dtype(), DType::F32);
    assert_eq!(prepared(&steps, Tensor::zeros([2, 3]).to(DType::I64)).unwrap().dtype(), DType::I64);
}
