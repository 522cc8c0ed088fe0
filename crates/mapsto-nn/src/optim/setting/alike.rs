//! What optimizers of one kind say alike: those with a rule, those that are judged at what they remember, and those around another.

/// What every optimizer says that has its settings in `rule` and what it remembers in `memory`; one that says its own entry is
/// `applied`.
macro_rules! by_rule {
    ($name:literal) => {
        by_rule!(applied $name);
        fn entry(&self) -> Option<mapsto_spec::Entry> {
            let mut rule = self.rule;
            Some($crate::optim::setting::told($name, &self.memory, rule.settings()))
        }
        fn momentum(&self) -> Option<f64> {
            let mut rule = self.rule;
            let momentum = $crate::optim::setting::momentum(rule.settings()).map(|m| *m);
            momentum.filter(|_| !self.shows_other_weights())
        }
        fn set_momentum(&mut self, momentum: f64) {
            let name = $name;
            let shows = self.shows_other_weights();
            match $crate::optim::setting::momentum(self.rule.settings()).filter(|_| !shows) {
                Some(m) => *m = mapsto_spec::Bounds::SHARE.check(name, "momentum", momentum),
                None => $crate::optim::no_momentum(name),
            }
        }
    };
    (applied $name:literal) => {
        #[track_caller]
        fn step(&mut self, model: &mut dyn Module, grads: Grads) {
            self.memory.apply($name, &self.rule, model, grads);
        }
        fn slots(&self) -> &'static [&'static str] {
            $crate::optim::Rule::slots(&self.rule)
        }
        fn slot_shape(&self) -> $crate::optim::SlotShape {
            $crate::optim::Rule::slot_shape(&self.rule)
        }
        fn memory(&self) -> &Memory {
            &self.memory
        }
        fn memory_mut(&mut self) -> &mut Memory {
            &mut self.memory
        }
    };
}

/// What an optimizer says that is judged at what it remembers in a slot.
macro_rules! shows {
    ($slot:expr) => {
        fn eval(&mut self, model: &mut dyn Module) -> Result<()> {
            self.memory.show($slot, model)
        }
        fn train(&mut self, model: &mut dyn Module) -> Result<()> {
            self.memory.hide($slot, model)
        }
        fn shows_other_weights(&self) -> bool {
            true
        }
    };
}

/// What an optimizer says that changes the steps of the one `inner`.
macro_rules! by_inner {
    () => {
        fn eval(&mut self, model: &mut dyn Module) -> Result<()> {
            self.inner.eval(model)
        }
        fn train(&mut self, model: &mut dyn Module) -> Result<()> {
            self.inner.train(model)
        }
        fn shows_other_weights(&self) -> bool {
            self.inner.shows_other_weights()
        }
        fn takes_groups(&self) -> bool {
            false
        }
        fn check(&self, model: &dyn Module) -> Result<()> {
            self.inner.check(model)
        }
        fn momentum(&self) -> Option<f64> {
            self.inner.momentum()
        }
        fn set_momentum(&mut self, momentum: f64) {
            self.inner.set_momentum(momentum);
        }
        fn memory(&self) -> &Memory {
            self.inner.memory()
        }
        fn memory_mut(&mut self) -> &mut Memory {
            self.inner.memory_mut()
        }
    };
}
