//! A graph as a list of steps that can be read: printed, drawn, counted, exported.

use super::jvp::nodes;
use super::{Attrs, Cost, Input, Node, Op, Origin, Outline, Seen};
use crate::storage::Shared;
use crate::{DType, Layout, LeafId, Tensor, trace};
use std::collections::HashMap;
use std::fmt;

/// Operations in an order in which they can run, with the values between them.
///
/// [`trace`](super::trace) gives all that ran, [`Graph::of`] what a recorded value was computed by.
///
/// ```
/// use mapsto_tensor::graph::Graph;
/// use mapsto_tensor::prelude::*;
/// let x = tensor![[1.0, 2.0]].leaf();
/// let y = (&x * 3.0).sum(-1);
/// assert_eq!(Graph::of(&y).to_string(), "\
/// v0 = leaf                                    f32 [1, 2]
/// v1 = 3.0                                     f32 []
/// v2 = mul(v0, v1)                             f32 [1, 2]
/// v3 = sum(v2; axes = [1], keep = false)       f32 [1]
/// → v3
/// ");
/// ```
pub struct Graph {
    values: Vec<Value>,
    steps: Vec<Step>,
    result: Option<usize>,
}

/// A value of a graph.
pub struct Value {
    /// Its shape and dtype.
    pub outline: Outline,
    /// Where it comes from.
    pub source: Source,
}

/// Where a value comes from.
#[derive(Clone)]
pub enum Source {
    /// A leaf: a parameter, or an input that was made one.
    Leaf(LeafId),
    /// A tensor that no step made; its values, unless the graph has not kept them.
    Constant(Option<Tensor>),
    /// The step with this number.
    Step(usize),
}

/// An operation of a graph.
pub struct Step {
    node: Shared<Node>,
    /// The numbers of the values that it takes.
    pub inputs: Vec<usize>,
    /// The number of the value that it makes.
    pub output: usize,
    /// Whether `backward` has used it up, so that its inputs are not known any more.
    pub is_used_up: bool,
}

impl Step {
    /// The operation.
    pub fn op(&self) -> &dyn Op {
        &*self.node.op
    }

    /// Its attributes.
    pub fn attrs(&self) -> Attrs {
        Attrs::of(self.op())
    }
}

impl Graph {
    /// What a recorded value was computed by; constants are shown as far as derivatives have kept them.
    pub fn of(y: &Tensor) -> Graph {
        let (mut graph, mut made) = (Graph::empty(), HashMap::new());
        let (mut leaves, mut constants) = (HashMap::new(), HashMap::new());
        for node in nodes(y) {
            let kept = node.kept().clone();
            let inputs = kept.iter().flat_map(|kept| &kept.inputs).map(|input| {
                let outline = Outline { shape: *input.shape(&node), dtype: input.dtype() };
                match input.origin() {
                    Origin::Made(of) if made.contains_key(&address(of)) => made[&address(of)],
                    Origin::Leaf(id, _) => {
                        *leaves.entry(*id).or_insert_with(|| graph.value(outline, Source::Leaf(*id)))
                    }
                    _ => match input.constant() {
                        Some(x) => *constants
                            .entry(Place::of(&x))
                            .or_insert_with(|| graph.value(outline, Source::Constant(Some(x.clone())))),
                        None => graph.value(outline, Source::Constant(None)),
                    },
                }
            });
            let inputs: Vec<usize> = inputs.collect();
            let outline = Outline { shape: node.shape, dtype: node.dtype };
            let at = address(&node);
            made.insert(at, graph.step(node, inputs, outline, kept.is_none()));
        }
        graph.result = match &y.0.origin {
            Origin::Made(node) => made.get(&address(node)).copied(),
            Origin::Leaf(id, _) => Some(graph.value(Outline::from(y), Source::Leaf(*id))),
            Origin::Constant | Origin::Unrecorded(_) => {
                Some(graph.value(Outline::from(y), Source::Constant(Some(y.clone()))))
            }
        };
        graph
    }

    /// The steps of a tape. A value is known by its place in memory, so that a detached tensor is the same value; what was
    /// written last at a place is meant.
    pub(super) fn of_tape(tape: Vec<trace::Taped>) -> Graph {
        let (mut graph, mut known) = (Graph::empty(), HashMap::new());
        for trace::Taped { node, inputs, output } in &tape {
            let inputs = inputs.iter().map(|x| {
                *known.entry(Place::of(x)).or_insert_with(|| {
                    let source = x.leaf_id().map_or_else(|| Source::Constant(Some(x.detach())), Source::Leaf);
                    graph.value(Outline::from(x), source)
                })
            });
            let inputs = inputs.collect();
            let made = graph.step(node.clone(), inputs, Outline::from(output), false);
            known.insert(Place::of(output), made);
        }
        graph.result = graph.steps.last().map(|step| step.output);
        graph
    }

    fn empty() -> Graph {
        Graph { values: Vec::new(), steps: Vec::new(), result: None }
    }

    fn value(&mut self, outline: Outline, source: Source) -> usize {
        self.values.push(Value { outline, source });
        self.values.len() - 1
    }

    fn step(&mut self, node: Shared<Node>, inputs: Vec<usize>, outline: Outline, is_used_up: bool) -> usize {
        let output = self.value(outline, Source::Step(self.steps.len()));
        self.steps.push(Step { node, inputs, output, is_used_up });
        output
    }

    /// The values, each before the steps that take it.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// The steps, in an order in which they can run.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The number of the value that was asked about, or that the last step made.
    pub fn result(&self) -> Option<usize> {
        self.result
    }

    /// What a step costs.
    pub fn cost_of(&self, step: &Step) -> Cost {
        let xs: Vec<Outline> = step.inputs.iter().map(|&i| self.values[i].outline).collect();
        if step.is_used_up { Cost::NONE } else { step.op().cost(&xs, &self.values[step.output].outline) }
    }

    /// What all steps cost.
    pub fn cost(&self) -> Cost {
        self.steps.iter().map(|step| self.cost_of(step)).sum()
    }

    /// The graph in the language of Graphviz: `dot -Tsvg`.
    ///
    /// ```
    /// use mapsto_tensor::graph::Graph;
    /// use mapsto_tensor::prelude::*;
    /// let text = Graph::of(&tensor![1.0].leaf().tanh()).dot();
    /// assert!(text.starts_with("digraph {") && text.contains("v0 -> v1;"));
    /// ```
    pub fn dot(&self) -> String {
        let mut text = String::from("digraph {\n    node [fontname = \"monospace\"];\n");
        for (i, value) in self.values.iter().enumerate() {
            let (label, shape) = match &value.source {
                Source::Step(step) => (self.call(&self.steps[*step], false), "box"),
                _ => (self.named(value), "ellipse"),
            };
            let label =
                format!("{label}\n{}", shown(&value.outline)).replace('\\', "\\\\").replace('"', "\\\"");
            text += &format!("    v{i} [shape = {shape}, label = \"{}\"];\n", label.replace('\n', "\\n"));
        }
        for step in &self.steps {
            for input in &step.inputs {
                text += &format!("    v{input} -> v{};\n", step.output);
            }
        }
        text + "}\n"
    }

    /// A value that no step made.
    fn named(&self, value: &Value) -> String {
        match &value.source {
            Source::Leaf(_) => "leaf".to_string(),
            Source::Constant(Some(x)) if x.len() == 1 && x.dtype().is_float() => format!("{:?}", x.item()),
            Source::Constant(Some(x)) if x.len() == 1 => format!("{}", x.item()),
            _ => "constant".to_string(),
        }
    }

    fn call(&self, step: &Step, with_inputs: bool) -> String {
        let attrs: Vec<String> =
            step.attrs().iter().map(|(name, value)| format!("{name} = {value}")).collect();
        let inputs: Vec<String> = step.inputs.iter().map(|i| format!("v{i}")).collect();
        let inputs = match (with_inputs, step.is_used_up) {
            (false, _) => String::new(),
            (true, true) => "used up by `backward`".to_string(),
            (true, false) => inputs.join(", "),
        };
        let parts = [inputs, attrs.join(", ")];
        let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        format!("{}({})", step.op().name(), parts.join("; "))
    }
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, value) in self.values.iter().enumerate() {
            let text = match &value.source {
                Source::Step(step) => self.call(&self.steps[*step], true),
                _ => self.named(value),
            };
            writeln!(f, "{:<44} {}", format!("v{i} = {text}"), shown(&value.outline))?;
        }
        match self.result {
            Some(result) => writeln!(f, "→ v{result}"),
            None => Ok(()),
        }
    }
}

fn shown(outline: &Outline) -> String {
    format!("{} {:?}", outline.dtype, &outline.shape[..])
}

fn address(node: &Shared<Node>) -> *const Node {
    std::ptr::from_ref::<Node>(node)
}

/// Where a value lies: two tensors at one place are one value, as long as both are alive.
#[derive(PartialEq, Eq, Hash)]
struct Place {
    block: *const u8,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<isize>,
    dtype: DType,
}

impl Place {
    fn of(x: &Tensor) -> Place {
        let layout: &Layout = x.layout();
        Place {
            block: x.storage().address(),
            offset: layout.offset(),
            shape: layout.shape().to_vec(),
            strides: layout.strides().to_vec(),
            dtype: x.dtype(),
        }
    }
}

impl Input {
    fn constant(&self) -> Option<Tensor> {
        match &self.seen {
            Seen::Whole(x) => Some(x.detach()),
            Seen::Outline { .. } => None,
        }
    }
}

/// The operations that a recorded value was computed by, as text: [`Graph::of`] in one word.
///
/// ```
/// use mapsto_tensor::graph;
/// use mapsto_tensor::prelude::*;
/// let text = graph::print(&tensor![2.0].leaf().exp());
/// assert!(text.contains("v1 = exp(v0)"));
/// ```
pub fn print(y: &Tensor) -> String {
    Graph::of(y).to_string()
}

#[cfg(test)]
mod tests {
    use crate::graph::{Graph, Source, apply, trace};
    use crate::ops;
    use crate::prelude::*;

    fn bits(t: &Tensor) -> Vec<u64> {
        crate::backend::carry::read_f64(t).into_iter().map(f64::to_bits).collect()
    }

    /// Every step of every sample, forward and in the derivatives of both orders, is of a kind that is listed; it is built
    /// again from its attributes, and then it has the same attributes and gives the same bits.
    #[test]
    fn every_operation_is_built_again_from_its_attributes() {
        let (mut steps, mut rebuilt) = (0, std::collections::BTreeSet::new());
        for kind in ops::OPS {
            for dtype in [DType::F64, DType::F32, DType::I64, DType::Bool] {
                for sample in kind.samples(dtype, 3) {
                    let run = || {
                        let leaves: Vec<Tensor> = sample
                            .inputs
                            .iter()
                            .map(|x| if x.dtype().is_float() { x.leaf() } else { x.clone() })
                            .collect();
                        let y = record(|| (sample.call)(&leaves));
                        if !y.is_recorded() {
                            return;
                        }
                        let floats: Vec<&Tensor> = leaves.iter().filter(|x| x.dtype().is_float()).collect();
                        let first = crate::graph::grads_or_zeros(&y.square().sum(..), &floats);
                        let sum =
                            first.iter().map(|g| g.square().sum(..)).reduce(|a, b| a + b).expect("an input");
                        drop(crate::graph::grads_or_zeros(&sum, &floats));
                    };
                    let ((), tape) = crate::trace::tape(run);
                    for step in tape {
                        let (op, name) = (&step.node.op, step.node.op.name());
                        let kind = ops::kind(name).unwrap_or_else(|| panic!("`{name}` is in no list"));
                        steps += 1;
                        if kind.obstacle().is_some() {
                            continue;
                        }
                        let attrs = crate::graph::Attrs::of(&**op);
                        let again = kind.build(attrs.clone()).unwrap_or_else(|e| panic!("{e}"));
                        assert_eq!((again.name(), crate::graph::Attrs::of(&*again)), (name, attrs));
                        let xs: Vec<&Tensor> = step.inputs.iter().collect();
                        let y = no_grad(|| apply(again, &xs));
                        assert_eq!(
                            (y.shape(), y.dtype(), bits(&y)),
                            (step.output.shape(), step.output.dtype(), bits(&step.output)),
                            "{name}"
                        );
                        rebuilt.insert(name);
                    }
                }
            }
        }
        for kind in ops::OPS {
            let ok = rebuilt.contains(kind.name) == kind.obstacle().is_none();
            assert!(ok, "{}: {}", kind.name, kind.obstacle().unwrap_or("no sample runs it".into()));
        }
        println!("{} of {} kinds built again, {steps} steps", rebuilt.len(), ops::OPS.len());
    }

    #[test]
    fn attributes_that_do_not_fit_are_refused() {
        let error =
            |name: &str, attrs| ops::kind(name).unwrap().build(attrs).err().unwrap().message().to_string();
        let none = crate::graph::Attrs::new;
        assert_eq!(error("elu", none()), "elu: the attribute `alpha` is missing");
        assert_eq!(
            error("elu", none().with("alpha", true)),
            "elu: the attribute `alpha` cannot be true, a number is needed"
        );
        assert_eq!(error("tanh", none().with("axis", 1usize)), "tanh: there is no attribute `axis`");
        assert_eq!(
            error("softmax", none().with("axis", -1i64)),
            "softmax: the attribute `axis` cannot be -1, a whole number that is not negative is needed"
        );
        assert_eq!(
            error("permute", none().with("axes", [0, 0])),
            "permute: [0, 0] does not name every axis once"
        );
        assert!(
            error("sum", none().with("axes", [9]).with("keep", true)).starts_with("sum: axis 9 is beyond")
        );
        assert_eq!(error("dropout", none()), "dropout: it cannot be built again: its draw is of one moment");
        assert!(error("sort", none()).starts_with("sort: it is made of others: "));
    }

    #[test]
    fn a_trace_holds_what_no_gradient_asks_for() {
        let x = tensor![[3.0, 1.0], [0.0, 5.0]];
        let (y, graph) = trace(|| no_grad(|| x.gt(1.0).choose(x.detach().exp(), 0.0).argmax(-1)));
        assert_eq!(y.to_vec::<i64>(), [0, 1]);
        let names: Vec<&str> = graph.steps().iter().map(|s| s.op().name()).collect();
        assert_eq!(names, ["gt", "exp", "choose", "argmax"]);
        // `x` and its detached twin are one value.
        assert_eq!(graph.steps()[0].inputs[0], graph.steps()[1].inputs[0]);
        let constants =
            graph.values().iter().filter(|v| matches!(v.source, Source::Constant(Some(_)))).count();
        assert_eq!(constants, 3);
        assert!(!y.is_recorded());
    }

    #[test]
    fn inner_operations_are_not_shown_and_traces_nest() {
        let x = tensor![[1.0, 2.0]].leaf();
        let ((inner, y), graph) = trace(|| {
            let (y, inner) = trace(|| x.mean(..));
            (inner.steps().len(), y * 2.0)
        });
        assert_eq!((inner, graph.steps().len()), (1, 2));
        assert_close!(y.backward().of(&x), [[1.0, 1.0]]);
        assert!(crate::graph::print(&y).contains("used up by `backward`"));
        assert_eq!(
            Graph::of(&tensor![1.0]).to_string().lines().next().map(str::trim),
            Some("v0 = 1.0                                     f32 [1]")
        );
    }

    #[test]
    fn costs_come_from_shapes() {
        let macs = |f: &dyn Fn() -> Tensor| trace(f).1.cost().macs;
        let (a, b) = (Tensor::ones([5, 3, 4]), Tensor::ones([4, 7]));
        assert_eq!(macs(&|| a.matmul(&b).tanh()), 5 * 3 * 4 * 7);
        assert_eq!(macs(&|| a.linear(&Tensor::ones([6, 4]), None)), 15 * 6 * 4);
        let image = Tensor::ones([2, 4, 5, 5]);
        let options = Conv2dOptions::new().groups(2);
        assert_eq!(macs(&|| image.conv2d(&Tensor::ones([6, 2, 3, 3]), None, options)), 2 * 6 * 9 * (2 * 9));
        assert_eq!(trace(|| a.reshape([15, 4]).t().slice(0, 1..2)).1.cost(), crate::graph::Cost::NONE);
        assert_eq!(trace(|| a.sum(..)).1.cost().flops, 60);
    }
}
