//! The training loop in words, with everything that was asked for in its place.

use super::Trainer;
use crate::callbacks::{Callback, Moment};
use mapsto_tensor::DType;

impl<T> Trainer<T> {
    /// The loop this trainer runs, and which callback runs where.
    ///
    /// ```
    /// use mapsto_nn::prelude::*;
    /// use mapsto_train::Trainer;
    /// use mapsto_train::callbacks::EarlyStop;
    /// let trainer = Trainer::new(Sgd::new(0.1), mse).clip_norm(1.0).epochs(3).on(EarlyStop::watching("loss")).quiet();
    /// let text = trainer.explain();
    /// assert!(text.contains("for each of 3 epochs"));
    /// assert!(text.contains("scale the gradients down to a global norm of 1"));
    /// ```
    #[must_use]
    pub fn explain(&self) -> String {
        let plan = &self.plan;
        let mut text = Text::default();
        if let Some(path) = &self.resume {
            text.line(0, &format!("continue from {}", path.display()));
        }
        if let Some(seed) = self.seed {
            text.line(0, &format!("seed dropout and the like with {seed}"));
        }
        text.moment(0, "start", Moment::Start, self);
        text.line(0, &format!("for each of {} epochs", plan.epochs));
        text.moment(1, "epoch start", Moment::EpochStart, self);
        let penalty = match plan.penalties.len() {
            0 => String::new(),
            1 => " + a penalty on the weights".into(),
            n => format!(" + {n} penalties on the weights"),
        };
        if plan.reports_terms {
            text.line(1, "for each batch of the training source");
            let many = self.optimizers.len() > 1;
            let each = if many { ", in each step that the task takes" } else { "" };
            text.line(2, &format!("loss = {}(model, batch){penalty}, in training mode{each}", plan.task));
        } else {
            text.line(1, "for each batch (x, target) of the training loader");
            text.line(2, "y = model(x), in training mode");
            text.line(2, &format!("loss = {}(y, target){penalty}", plan.task));
        }
        if plan.precision != DType::F32 {
            text.line(2, &format!("products in {}, what would lose digits there in f32", plan.precision));
        }
        text.line(2, "stop with the name of the layer if the loss is not finite");
        text.line(2, "gradients = derivative of the loss, by backward");
        let mut inner = 2;
        if plan.accumulate > 1 {
            text.line(
                2,
                &format!("add them up, each as its loss weighs it; after every {} batches", plan.accumulate),
            );
            inner = 3;
        }
        if plan.precision == DType::F16 {
            text.line(inner, &format!("leave the step out and lower the scale of the loss, {} at first, if a gradient is not finite", plan.scaler.get_scale()));
            text.line(inner, "stop with the name of the parameter if one is not at a scale of 1");
        } else {
            text.line(inner, "stop with the name of the parameter if a gradient is not finite");
        }
        if let Some(most) = plan.clip_value {
            text.line(inner, &format!("clamp each gradient to -{most}..={most}"));
        }
        if let Some(most) = plan.clip_norm {
            text.line(inner, &format!("scale the gradients down to a global norm of {most}"));
        }
        if plan.schedule.is_some() {
            let at = if plan.by_epoch { "epoch" } else { "step" };
            text.line(inner, &format!("learning rate = schedule({at})"));
        }
        text.moment(inner, "gradients", Moment::Gradients, self);
        for (name, optimizer) in &self.optimizers {
            let called = if self.optimizers.len() > 1 { format!(" `{name}`") } else { String::new() };
            text.line(
                inner,
                &format!("step of {}{called}, learning rate {}", optimizer.name(), optimizer.lr()),
            );
        }
        text.moment(inner, "step", Moment::Step, self);
        if plan.interrupt.is_some() {
            text.line(inner, "leave the loop if the user asked to stop");
        }
        let names: Vec<String> =
            ["loss".to_string()].into_iter().chain(plan.metrics.iter().map(|m| m.name())).collect();
        if let Some(how) = plan.averaging.as_ref().map(|how| how.entry()) {
            text.line(
                1,
                &format!(
                    "from epoch {} on, an average of the weights in their place: {how}",
                    plan.averaging.as_ref().map_or(1, crate::Averaging::first)
                ),
            );
        }
        text.line(1, &format!("validation, in inference mode: {}", names.join(", ")));
        text.moment(1, "epoch end", Moment::EpochEnd, self);
        text.moment(0, "interrupted", Moment::Interrupted, self);
        text.moment(0, "end", Moment::End, self);
        text.0
    }

    fn every_callback(&self) -> impl Iterator<Item = &dyn Callback> {
        let progress = self.progress.iter().map(|p| p as &dyn Callback);
        progress.chain(self.callbacks.iter().map(|c| &**c))
    }
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, depth: usize, line: &str) {
        self.0 += &format!("{}{line}\n", "    ".repeat(depth));
    }

    fn moment<T>(&mut self, depth: usize, name: &str, moment: Moment, trainer: &Trainer<T>) {
        for callback in trainer.every_callback().filter(|c| c.moments().contains(&moment)) {
            self.line(depth, &format!("{name}: {}", callback.name()));
        }
    }
}
