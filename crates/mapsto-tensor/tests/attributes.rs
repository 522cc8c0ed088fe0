//! Operations built from wrong attributes, run on wrong inputs, or written with a wrong derivative: each is an error that
//! names the operation, and none a bare panic.

use mapsto_tensor::graph::{At, Attr, Attrs, Op, Ran, Source, Vjp, apply, trace};
use mapsto_tensor::ops::{self, OPS};
use mapsto_tensor::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Values that are wrong for most attributes of a kind.
fn wrong(attr: &Attr) -> Vec<Attr> {
    let ints = |v: &[i64]| Attr::Ints(v.to_vec());
    match attr {
        Attr::Int(_) => [-1, 7, 1 << 40, i64::MAX, i64::MIN].map(Attr::Int).to_vec(),
        Attr::Float(_) => [f64::NAN, -1.0, f64::INFINITY, f64::NEG_INFINITY, 1e300].map(Attr::Float).to_vec(),
        Attr::Ints(v) => {
            let (zeros, huge) = (vec![0; v.len()], vec![i64::MAX; v.len()]);
            let large = vec![1 << 40; v.len()];
            vec![
                ints(&[]),
                ints(&[-1]),
                ints(&[7]),
                ints(&[0, 0]),
                ints(&[1; 10]),
                ints(&zeros),
                ints(&huge),
                ints(&large),
            ]
        }
        Attr::Text(_) => vec![Attr::Text("nonsense")],
        Attr::Tensor(_) => vec![Attr::Tensor(Tensor::zeros([0])), Attr::Tensor(Tensor::ones([2, 9, 1]))],
        _ => vec![],
    }
}

/// Attributes and inputs of an operation, as a sample runs it.
fn real(kind: &mapsto_tensor::kind::OpKind) -> Vec<(Attrs, Vec<Tensor>)> {
    let dtype = [DType::F32, DType::I64, DType::Bool].into_iter().find(|d| kind.takes(*d)).expect("a dtype");
    let mut found = Vec::new();
    for sample in kind.samples(dtype, 1).iter().take(3) {
        let (_, graph) = trace(|| sample.run());
        for step in graph.steps().iter().filter(|s| s.op().name() == kind.name) {
            let input = |i: &usize| match &graph.values()[*i].source {
                Source::Constant(x) => x.clone(),
                _ => None,
            };
            if let Some(inputs) = step.inputs.iter().map(input).collect::<Option<Vec<_>>>() {
                found.push((step.attrs(), inputs));
            }
        }
    }
    found
}

/// What came of a call: an error names the operation.
fn named(name: &str, what: &str, body: impl FnOnce() -> Result<()>) -> bool {
    let outcome = catch_unwind(AssertUnwindSafe(|| catch(body)));
    let result = outcome.unwrap_or_else(|_| panic!("{name} {what}: a panic that `catch` let through"));
    match result.and_then(|r| r) {
        Ok(()) => false,
        Err(e) => {
            assert!(e.to_string().contains(name), "{name} {what}: {e}");
            assert!(!e.message().starts_with("index out of bounds"), "{name} {what}: {e}");
            true
        }
    }
}

#[test]
fn wrong_attributes_and_inputs_are_errors_that_name_the_operation() {
    let (mut built, mut refused, mut kinds) = (0, 0, 0);
    for kind in OPS.iter().filter(|k| k.obstacle().is_none()) {
        let cases = real(kind);
        kinds += usize::from(!cases.is_empty());
        for (attrs, inputs) in &cases {
            let refs: Vec<&Tensor> = inputs.iter().collect();
            let run = |attrs: Attrs, refs: &[&Tensor]| -> Result<()> {
                let op = kind.build(attrs)?;
                drop(apply(op, refs));
                Ok(())
            };
            for (name, value) in attrs.iter() {
                for bad in wrong(value) {
                    let changed = attrs.iter().fold(Attrs::new(), |all, (n, v)| {
                        all.with(n, if n == name { bad.clone() } else { v.clone() })
                    });
                    // Building never panics.
                    let outcome = catch_unwind(AssertUnwindSafe(|| kind.build(changed.clone()).is_ok()));
                    assert!(outcome.is_ok(), "{}: building with {name} = {bad} panics", kind.name);
                    refused += usize::from(named(kind.name, &format!("with {name} = {bad}"), || {
                        run(changed, &refs)
                    }));
                    built += 1;
                }
            }
            let none: [&Tensor; 0] = [];
            refused += usize::from(named(kind.name, "of nothing", || run(attrs.clone(), &none)));
            // One input more than there may be, where that is known.
            let op = kind.build(attrs.clone()).unwrap();
            let more = vec![refs[0]; op.takes().end().saturating_add(1).min(64)];
            let many = named(kind.name, "of too many inputs", || run(attrs.clone(), &more));
            assert!(many || *op.takes().end() > 64, "{} took {} inputs", kind.name, more.len());
            refused += usize::from(many);
            let odd = [
                Tensor::zeros([0, 3, 1, 2, 5, 1]),
                Tensor::full_of([2], 9.0, DType::I64),
                Tensor::scalar(1.0),
            ];
            for x in &odd {
                let all = vec![x; refs.len()];
                refused += usize::from(named(kind.name, "of other inputs", || run(attrs.clone(), &all)));
            }
            built += 4;
        }
    }
    println!("{kinds} kinds, {built} wrong attributes and inputs, {refused} refused");
    assert!(kinds > 100 && refused > 500);
}

/// Sizes and positions that an input does not have, where an operation by itself would take what it finds.
#[test]
fn what_the_inputs_do_not_have_is_an_error() {
    let ints = |v: &[i64]| Attr::Ints(v.to_vec());
    let of = |shape: &[usize]| Tensor::ones(shape);
    type Row = (&'static str, Vec<(&'static str, Attr)>, Vec<Tensor>);
    let rows: Vec<Row> = vec![
        ("expand", vec![("shape", ints(&[5000]))], vec![of(&[1000])]),
        ("reshape", vec![("shape", ints(&[5]))], vec![of(&[1000])]),
        ("sum", vec![("axes", ints(&[5])), ("keep", Attr::Bool(false))], vec![of(&[3])]),
        ("mean", vec![("axes", ints(&[1])), ("keep", Attr::Bool(false))], vec![of(&[3])]),
        ("layer_norm", vec![("eps", Attr::Float(1e-5))], vec![of(&[3, 100]), of(&[2])]),
        ("layer_norm", vec![("eps", Attr::Float(1e-5))], vec![of(&[3, 100]), of(&[150])]),
        ("layer_norm", vec![("eps", Attr::Float(1e-5))], vec![of(&[3, 100]), of(&[100]), of(&[50])]),
        ("add", vec![], vec![of(&[3]), of(&[3]), of(&[3])]),
        ("tanh", vec![], vec![of(&[3]), of(&[3])]),
        ("clamp", vec![("lo", Attr::Float(5.0)), ("hi", Attr::Float(1.0))], vec![of(&[3])]),
    ];
    for (name, attrs, inputs) in rows {
        let attrs = attrs.into_iter().fold(Attrs::new(), |all, (n, v)| all.with(n, v));
        let refs: Vec<&Tensor> = inputs.iter().collect();
        let refused = named(name, "of what it does not have", || {
            drop(apply(ops::kind(name).unwrap().build(attrs)?, &refs));
            Ok(())
        });
        assert!(refused, "{name} runs");
    }
    // Every slice that a sample takes, moved out of its input.
    for (attrs, inputs) in real(ops::kind("slice").unwrap()) {
        for (name, _) in attrs.iter().filter(|(name, _)| ["start", "end", "len", "offset"].contains(name)) {
            let far = attrs.iter().fold(Attrs::new(), |all, (n, v)| {
                all.with(n, if n == name { Attr::Int(2000) } else { v.clone() })
            });
            let refs: Vec<&Tensor> = inputs.iter().collect();
            assert!(named("slice", "far out", || {
                drop(apply(ops::kind("slice").unwrap().build(far)?, &refs));
                Ok(())
            }));
        }
    }
}

#[test]
fn what_an_attribute_alone_tells_is_refused_when_the_operation_is_built() {
    let rows: &[(&str, &[(&'static str, Attr)])] = &[
        ("layer_norm", &[("eps", Attr::Float(f64::NAN))]),
        ("batch_norm", &[("eps", Attr::Float(-1.0))]),
        ("permute", &[("axes", Attr::Ints(vec![0, 0]))]),
        ("sum", &[("axes", Attr::Ints(vec![1, 1])), ("keep", Attr::Bool(false))]),
        ("sum", &[("axes", Attr::Ints(vec![9])), ("keep", Attr::Bool(false))]),
        ("reshape", &[("shape", Attr::Ints(vec![1; 9]))]),
        ("cross_entropy", &[("label_smoothing", Attr::Float(1.5))]),
        ("pow", &[("p", Attr::Float(f64::NAN))]),
        ("lstm", &[("lengths", Attr::Ints(vec![1, 3])), ("reversed", Attr::Bool(false))]),
    ];
    for (name, attrs) in rows {
        let attrs = attrs.iter().fold(Attrs::new(), |all, (n, v)| all.with(n, v.clone()));
        let e = ops::kind(name)
            .unwrap()
            .build(attrs.clone())
            .err()
            .unwrap_or_else(|| panic!("{name} takes {attrs:?}"));
        assert!(e.to_string().contains(name), "{e}");
    }
}

#[test]
fn an_own_operation_with_a_wrong_derivative_is_named() {
    struct Short;
    impl Op for Short {
        fn name(&self) -> &'static str {
            "short"
        }
        fn run(&self, xs: &[&Tensor]) -> Ran {
            (xs[0] + xs[1]).into()
        }
        fn vjp(&self, _: &At<'_>, g: &Tensor) -> Vjp {
            g.clone().into()
        }
    }
    struct Misshapen;
    impl Op for Misshapen {
        fn name(&self) -> &'static str {
            "misshapen"
        }
        fn run(&self, xs: &[&Tensor]) -> Ran {
            xs[0].clone().into()
        }
        fn vjp(&self, _: &At<'_>, _: &Tensor) -> Vjp {
            Tensor::zeros([7]).into()
        }
    }
    let (x, y) = (tensor![1.0, 2.0].leaf(), tensor![3.0, 4.0].leaf());
    let e = catch(|| apply(Short, &[&x, &y]).sum(..).backward()).unwrap_err();
    assert_eq!(e.message(), "short: its derivative gave 1 gradients for 2 inputs");
    let e = catch(|| apply(Misshapen, &[&x]).sum(..).backward()).unwrap_err();
    assert_eq!(e.message(), "misshapen: its derivative gave an input of shape [2] a gradient of shape [7]");
}

#[test]
fn a_new_axis_is_refused_by_the_places_there_are() {
    for axis in [5, 3, -4, isize::MAX, isize::MIN] {
        let e = catch(|| Tensor::zeros([2, 3]).unsqueeze(axis)).unwrap_err();
        assert_eq!(e.message(), format!("unsqueeze: there is no place {axis} for a new axis in [2, 3]"));
    }
    assert_eq!(Tensor::zeros([2, 3]).unsqueeze(-3).shape(), [1, 2, 3]);
    assert_eq!(Tensor::zeros([2, 3]).unsqueeze(2).shape(), [2, 3, 1]);
}
