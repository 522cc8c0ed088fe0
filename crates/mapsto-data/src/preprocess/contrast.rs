//! Whether preprocessing leaves a difference between the least and the largest input: steps that were meant for bytes
//! leave next to none between pixels, and a model then learns nothing, without a word.

use super::Preprocess;
use mapsto_tensor::{DType, Error, ErrorKind, Result, Tensor, catch};

/// Between the least and the largest input there is at least this; models are made for inputs of about 1.
const LEAST: f64 = 0.05;

/// How many times farther from 0 than from each other the two may come to lie.
const FARTHEST: f64 = 10.0;

impl Preprocess {
    /// Refuses steps that bring all numbers of `range` close together, or far from 0; `x: [n, ..]` are some inputs.
    pub(crate) fn check(&self, range: [f64; 2], x: &Tensor) -> Result<()> {
        let ends =
            |end: f64| catch(|| self.apply(Tensor::full(x.shape(), end)).to(DType::F64).to_vec::<f64>());
        // What does not fit the inputs is found, and said better, where it is applied to them.
        let (Ok(least), Ok(largest)) = (ends(range[0]), ends(range[1])) else { return Ok(()) };
        let is_lost = |(a, b): &(f64, f64)| {
            let apart = (a - b).abs();
            apart < LEAST || (a * b > 0.0 && a.abs().min(b.abs()) > FARTHEST * apart)
        };
        let Some((a, b)) = least.into_iter().zip(largest).find(is_lost) else { return Ok(()) };
        let [low, high] = range;
        let (a, b) = (a as f32, b as f32);
        Err(Error::new(
        ErrorKind::Usage,
        format!("the preprocessing makes {a} to {b} of inputs from {low} to {high}, which leaves next to no difference"),
    )
    .help(format!(
        "the inputs are between {low} and {high} already, as pixels are that were bytes from 0 to 255: leave the step out, or \
         give it numbers for that range, such as `{{ normalize = 0.5, std = 0.25 }}`"
    )))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Normalize, Resize, STEPS, Scale, Standardize, Step};
    use super::*;
    use crate::{Dataset, InMemory, Loader};
    use std::sync::Arc;

    /// Every kind of step on every kind of set: of pixels, what is meant for bytes is refused, and nothing else is.
    #[test]
    fn what_is_meant_for_bytes_is_refused_for_pixels() {
        let bytes: Vec<u8> = (0..96).map(|i| (i * 5 % 256) as u8).collect();
        let x = Tensor::from_vec(bytes, [2, 3, 4, 4]);
        let pixels = InMemory::from_pixels(x.clone(), Tensor::arange(0..2));
        let numbers = InMemory::new(x.to(DType::F32), Tensor::arange(0..2));
        let sets: [(Arc<dyn Dataset>, bool); 4] = [
            (Arc::new(pixels.subset([1])), true),
            (Arc::new(Arc::new(pixels.clone())), true),
            (Arc::new(pixels), true),
            (Arc::new(numbers), false),
        ];
        let fit = |step: Vec<Arc<dyn Step>>, set: &Arc<dyn Dataset>| Preprocess { steps: step }.fit(&**set);
        let for_bytes: [Arc<dyn Step>; 5] = [
            Arc::new(Scale::new(1.0 / 255.0)),
            Arc::new(Scale::new(1.0 / 127.5).offset(-1.0)),
            Arc::new(Normalize::new([128.0], [64.0])),
            Arc::new(Normalize::new([123.7, 116.3, 103.5], [58.4, 57.1, 57.4])),
            Arc::new(Normalize::new([128.0], [1.0])),
        ];
        let for_pixels: [Arc<dyn Step>; 7] = [
            Arc::new(Scale::new(255.0)),
            Arc::new(Scale::new(-1.0).offset(1.0)),
            Arc::new(Scale::new(2.0).offset(-1.0)),
            Arc::new(Normalize::new([0.1307], [0.3081])),
            Arc::new(Normalize::new([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])),
            Arc::new(Standardize::new()),
            Arc::new(Resize::new([2, 2])),
        ];
        for (set, is_of_pixels) in &sets {
            for step in &for_bytes {
                let outcome = fit(vec![step.clone()], set);
                assert_eq!(outcome.is_err(), *is_of_pixels, "{}", step.entry());
                let loader = Loader::new(set.clone(), 1);
                let steps = Preprocess { steps: vec![step.clone()] };
                assert_eq!(catch(|| loader.preprocess(steps)).is_err(), *is_of_pixels, "{}", step.entry());
                if let Err(e) = outcome {
                    assert!(e.message().contains("of inputs from 0 to 1") && e.help_text().is_some(), "{e}");
                }
                // What counts is what comes out in the end.
                assert!(
                    fit(vec![Arc::new(Scale::new(255.0)), step.clone()], set).is_ok(),
                    "{}",
                    step.entry()
                );
            }
            for step in &for_pixels {
                assert!(fit(vec![step.clone()], set).is_ok(), "{}", step.entry());
            }
        }
        let tried: Vec<&str> = for_bytes.iter().chain(&for_pixels).map(|step| step.name()).collect();
        assert!(
            STEPS.iter().all(|kind| kind.name == "columns" || tried.contains(&kind.name)),
            "each kind of step is tried here"
        );
    }
}
