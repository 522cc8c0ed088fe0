//! Weights that begin by rules: patterns of names, each with an initialiser.

use super::Init;
use crate::module::{Item, ItemMut, Module, Path, matches, unknown};
use mapsto_tensor::{Error, ErrorKind, Result, catch};

/// Draws the parameters of a model anew whose names fit a pattern; others stay as they are.
///
/// Of several patterns that fit a name, the last counts, so that exceptions follow what is common. Parameters are drawn in the order in which the
/// model holds them, each once. Nothing is written unless every rule holds. In a training file: `init = { "*.weight" = "orthogonal" }` in `[model]`.
///
/// PyTorch: `model.apply(f)` with a function that looks at each layer; Keras: `kernel_initializer` and `bias_initializer` of each layer.
/// ```
/// use mapsto_nn::init::{self, Constant, Orthogonal};
/// use mapsto_nn::prelude::*;
/// let mut net = seq![Linear::new(4, 4), Tensor::tanh, Linear::new(4, 1)];
/// init::by_rule(&mut net, &[("*.weight", &Orthogonal::new()), ("*.bias", &Constant(0.1)), ("2.bias", &Constant(0.5))])?;
/// let w = &net.state_dict()[0].1;
/// assert_close!(w.matmul(&w.t()), Tensor::eye(4));
/// assert_close!(net.state_dict()[1].1, [0.1, 0.1, 0.1, 0.1]);
/// assert_close!(net.state_dict()[3].1, [0.5]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
/// # Errors
/// A pattern that fits no name, with the one that was meant; one whose parameters all go to later patterns; an initialiser that cannot give
/// a parameter its shape.
pub fn by_rule(model: &mut (impl Module + ?Sized), rules: &[(&str, &dyn Init)]) -> Result<()> {
    let (mut used, mut fits) = (vec![false; rules.len()], vec![false; rules.len()]);
    let mut drawn = Vec::new();
    let mut done = Ok(());
    model.visit(&mut Path::new(), &mut |path, item| {
        let Item::Param(p) = item else { return };
        let name = path.to_string();
        rules.iter().zip(&mut fits).for_each(|((pattern, _), fits)| *fits |= matches(pattern, &name));
        let Some(at) = rules.iter().rposition(|(pattern, _)| matches(pattern, &name)) else { return };
        used[at] = true;
        if done.is_ok() {
            let init = rules[at].1;
            match catch(|| init.tensor(p.shape()).to(p.dtype()).to_device(p.device())) {
                Ok(values) => drawn.push((name, values)),
                Err(e) => {
                    let pattern = rules[at].0;
                    done = Err(e.context(format!("init: `{pattern}` for `{name}` of shape {:?}", p.shape())));
                }
            }
        }
    });
    for (i, (pattern, _)) in rules.iter().enumerate() {
        if !fits[i] {
            return Err(unknown("init", pattern, model));
        }
        if !used[i] {
            let message = format!("init: every parameter that `{pattern}` fits goes to a later pattern");
            return Err(Error::new(ErrorKind::Model, message)
                .help("leave it out, or write it after those: the last that fits counts"));
        }
    }
    done?;
    let mut drawn = drawn.into_iter().peekable();
    let mut done = Ok(());
    model.visit_mut(&mut Path::new(), &mut |path, item| {
        if let ItemMut::Param(p) = item
            && let Some((_, values)) = drawn.next_if(|(name, _)| *name == path.to_string())
            && done.is_ok()
        {
            done = p.set(&values);
        }
    });
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::{Constant, Normal};
    use crate::prelude::*;

    /// Draws matrices alone.
    struct Matrices;

    impl Init for Matrices {
        fn tensor(&self, shape: &[usize]) -> Tensor {
            if shape.len() != 2 {
                mapsto_tensor::fail!("matrices", "{shape:?} is no matrix");
            }
            Tensor::zeros(shape)
        }
    }

    #[test]
    fn the_last_pattern_counts_and_others_stay() {
        let build = || seq![Linear::new(3, 3), Linear::new(3, 2)];
        let mut net = build();
        let before = net.state_dict()[3].1.to_vec::<f32>();
        by_rule(&mut net, &[("*.weight", &Constant(1.0)), ("0.*", &Constant(2.0))]).unwrap();
        let all = |i: usize| net.state_dict()[i].1.to_vec::<f32>();
        assert_eq!((all(0), all(1), all(2)), (vec![2.0; 9], vec![2.0; 3], vec![1.0; 6]));
        assert_eq!(all(3), before);
        // The same seed draws the same, in half precision too.
        let mut half = build();
        half.convert(DType::BF16);
        let draw = |net: &mut Sequential| {
            seed(4);
            by_rule(net, &[("*", &Normal::new(1.0))]).unwrap();
            net.state_dict()[0].1.to(DType::F32).to_vec::<f32>()
        };
        assert_eq!(draw(&mut build()), draw(&mut build()));
        assert_eq!(draw(&mut half).len(), 9);
    }

    #[test]
    fn a_rule_that_does_nothing_is_refused_and_nothing_is_written() {
        let mut net = seq![Linear::new(3, 3), Linear::new(3, 2)];
        let before = net.state_dict()[0].1.to_vec::<f32>();
        let one = Constant(1.0);
        for (rules, said, help) in [
            (
                vec![("*.weight", &one as &dyn Init), ("*.bais", &one)],
                "no parameter is called `*.bais`",
                "did you mean `*.bias`?",
            ),
            (
                vec![("0.weight", &one as &dyn Init), ("*.weight", &one)],
                "every parameter that `0.weight` fits goes to a later",
                "after",
            ),
            (
                vec![("*.weight", &one as &dyn Init), ("*.bias", &Matrices)],
                "init: `*.bias` for `0.bias` of shape [3]",
                "",
            ),
        ] {
            let e = by_rule(&mut net, &rules).unwrap_err();
            assert!(e.to_string().contains(said) && e.to_string().contains(help), "{e}");
        }
        assert_eq!(net.state_dict()[0].1.to_vec::<f32>(), before);
    }
}
