//! What is held out is looked at before the first step: a test sample that cannot be read, or that is not like those to train on, would
//! otherwise be found when the training is done.

use mapsto::data::Loader;
use mapsto::{DType, Error, ErrorKind, Result, Tensor};

use crate::experiment::Experiment;
use crate::inputs::prepared;

impl Experiment {
    /// Reads every sample for validation and test once, and compares it with those to train on. [`train`](Experiment::train) does
    /// so before it writes anything, where it was not done yet.
    ///
    /// # Errors
    /// A sample that is damaged, of another shape or type, or not finite, by its name.
    pub fn check_held_out(&self) -> Result<()> {
        if self.is_held_out_read.get() {
            return Ok(());
        }
        let first = self.samples(&[0])?;
        let x = prepared(self.train.preprocessing(), first.x)?;
        for (what, held_out) in [("validation", &self.validation), ("test", &self.test)] {
            let Some(loader) = held_out else { continue };
            for batch in loader.epoch(0) {
                let batch = batch.map_err(|e| e.context(format!("the {what} samples")))?;
                let named = Named { what, loader, indices: &batch.indices };
                named.alike("inputs", &batch.x, &x)?;
                named.alike("targets", &batch.y, &first.y)?;
                named.finite("input", &batch.x)?;
                named.finite("target", &batch.y)?;
            }
        }
        self.is_held_out_read.set(true);
        Ok(())
    }
}

/// A batch of samples that can be called by their names.
struct Named<'a> {
    what: &'a str,
    loader: &'a Loader,
    indices: &'a [usize],
}

impl Named<'_> {
    fn alike(&self, side: &str, found: &Tensor, wanted: &Tensor) -> Result<()> {
        let said = |t: &Tensor| format!("{} {:?}", t.dtype(), &t.shape()[1..]);
        let (found, wanted) = (said(found), said(wanted));
        if found == wanted {
            return Ok(());
        }
        let message =
            format!("the {side} of the {} samples are {found}, those to train on are {wanted}", self.what);
        Err(Error::new(ErrorKind::Data, message)
            .help("bring them all to one shape and type: the model was made for those to train on"))
    }

    fn finite(&self, side: &str, t: &Tensor) -> Result<()> {
        if !t.dtype().is_float() {
            return Ok(());
        }
        let values = t.to(DType::F32).to_vec::<f32>();
        let Some(at) = values.iter().position(|v| !v.is_finite()) else { return Ok(()) };
        let sample = self.indices[at * self.indices.len() / values.len()];
        let name = self.loader.dataset().name(sample);
        let message = format!(
            "the {} samples: {name}: a value of its {side} is {}, once it is prepared",
            self.what, values[at]
        );
        Err(Error::new(ErrorKind::Data, message).help("mend the sample, or leave it out"))
    }
}
