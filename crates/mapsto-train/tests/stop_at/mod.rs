//! A callback that tests of resuming share: it stops a training where the test says so.

use mapsto_tensor::Result;
use mapsto_train::callbacks::{Callback, Moment, Run};
use mapsto_train::prelude::*;

/// Asks to stop after a step, as Ctrl-C would.
pub struct StopAt(pub u64, pub Interrupt);

impl Callback for StopAt {
    fn name(&self) -> String {
        "ask to stop".into()
    }
    fn moments(&self) -> &'static [Moment] {
        &[Moment::Step]
    }
    fn at(&mut self, _: Moment, run: &mut Run<'_>) -> Result<()> {
        if run.pace.step == self.0 {
            self.1.request();
        }
        Ok(())
    }
}
