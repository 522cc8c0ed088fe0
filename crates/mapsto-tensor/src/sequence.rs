//! What the operations over sequences share: which steps they read, the shapes they ask for, and a result that holds the last
//! states too.

use crate::elementwise::same_dtype;
use crate::graph::{At, Attr, Attrs, Say};
use crate::shape::Shape;
use crate::{Result, Tensor, fail};

/// Runs a recurrence with `N` states: from a walk, sequences and first states to all states of the one that is seen, and the last states.
type Run<'a, const N: usize> = &'a dyn Fn(Walk, &Tensor, [&Tensor; N]) -> (Tensor, [Tensor; N]);

/// Which steps of a batch of sequences a recurrence reads, and in which order.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// let (x, h0, w) = (tensor![[[1.0], [2.0], [4.0]]], Tensor::zeros([1, 1]), tensor![[1.0]]);
/// // The third step is padding, and the second is read first.
/// let walk = Walk::new().lengths(&[2]).reversed();
/// let (y, h) = x.rnn_relu_along(&h0, &w, &w, None, &walk);
/// assert_close!(y, [[[3.0], [2.0], [0.0]]]);
/// assert_close!(h, [[3.0]]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    lengths: Option<Vec<usize>>,
    is_reversed: bool,
}

impl Walk {
    /// All steps, from the first to the last.
    pub fn new() -> Walk {
        Walk::default()
    }

    /// The same of sequences of these lengths: what stands after the last step of one is not read, its states are 0 there, and its last
    /// state is that after its own last step.
    #[must_use]
    pub fn lengths(self, lengths: &[usize]) -> Walk {
        Walk { lengths: Some(lengths.to_vec()), ..self }
    }

    /// The same from each sequence's last step to its first.
    #[must_use]
    pub fn reversed(self) -> Walk {
        Walk { is_reversed: true, ..self }
    }

    /// The same of the sequences from the longest to the shortest, with the positions that order them so and those that put them
    /// back; `None` where they stand so already.
    ///
    /// Kernels want this order, and bring it about for themselves. Who runs several of them over the same sequences does it once.
    /// ```
    /// use mapsto_tensor::prelude::*;
    /// let (sorted, order, back) = Walk::new().lengths(&[1, 3, 2]).sorted().unwrap();
    /// assert_eq!((order.to_vec::<i64>(), back.to_vec::<i64>()), (vec![1, 2, 0], vec![2, 0, 1]));
    /// assert!(sorted.sorted().is_none());
    /// ```
    pub fn sorted(&self) -> Option<(Walk, Tensor, Tensor)> {
        let lengths = self.lengths.as_ref().filter(|lengths| !lengths.is_sorted_by(|a, b| a >= b))?;
        let mut order: Vec<usize> = (0..lengths.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(lengths[i]));
        let mut back = vec![0; order.len()];
        order.iter().enumerate().for_each(|(to, &from)| back[from] = to as i64);
        let walk = Walk { lengths: Some(order.iter().map(|&i| lengths[i]).collect()), ..self.clone() };
        let n = order.len();
        let order = order.into_iter().map(|i| i as i64).collect::<Vec<_>>();
        Some((walk, Tensor::from_vec(order, n), Tensor::from_vec(back, n)))
    }

    /// The number of steps of each sequence, where they differ.
    pub fn each(&self) -> Option<&[usize]> {
        self.lengths.as_deref()
    }

    /// Whether sequences are read from their ends.
    pub fn is_reversed(&self) -> bool {
        self.is_reversed
    }

    /// Requires a length for each sequence, of at most its steps.
    #[track_caller]
    pub(crate) fn check(&self, op: &str, batch: usize, steps: usize) {
        let Some(lengths) = &self.lengths else { return };
        if lengths.len() != batch {
            fail!(op, "{} lengths for {batch} sequences", lengths.len(); help = "there is one for each sequence of the batch");
        }
        if let Some(i) = lengths.iter().position(|&n| n > steps) {
            fail!(op, "sequence {i} is said to have {} steps, and there are {steps}", lengths[i];
                  help = "the sequences are padded to the longest: [batch, steps, features]");
        }
    }

    /// Says both settings, as [`Op::attrs`](crate::graph::Op::attrs).
    pub(crate) fn say(&self, say: Say<'_>) {
        if let Some(lengths) = &self.lengths {
            say("lengths", Attr::from(&lengths[..]));
        }
        say("reversed", self.is_reversed.into());
    }

    pub(crate) fn of_attrs(a: &mut Attrs) -> Result<Walk> {
        let lengths = a.may("lengths")?;
        if lengths.as_ref().is_some_and(|lengths: &Vec<usize>| !lengths.is_sorted_by(|a, b| a >= b)) {
            return Err(crate::Error::new(
                crate::ErrorKind::Model,
                "`lengths` must fall from the longest to the shortest",
            ));
        }
        Ok(Walk { lengths, is_reversed: a.need("reversed")? })
    }

    /// The sequences with zeros where they have no step.
    fn only(&self, x: &Tensor) -> Tensor {
        let Some(lengths) = &self.lengths else { return x.clone() };
        let t = x.shape()[1];
        let is_step: Vec<bool> = lengths.iter().flat_map(|&n| (0..t).map(move |j| j < n)).collect();
        let is_step = Tensor::from_vec(is_step, [lengths.len(), t, 1]).to_device(x.device());
        is_step.choose(x, 0.0)
    }

    /// The definition of a recurrence: the states of all steps, of which the first part is seen, and the last state. `step` makes a state
    /// of the inputs of a step and of the state before it.
    #[track_caller]
    pub(crate) fn along(
        &self,
        x: &Tensor,
        first: &[&Tensor],
        lines: &dyn Fn(&Tensor) -> Tensor,
        step: &dyn Fn(&Tensor, &[Tensor]) -> Vec<Tensor>,
    ) -> Tensor {
        self.check("recurrence", x.shape()[0], x.shape()[1]);
        let a = lines(&self.only(x)); // [b, t, gates·hidden]
        let steps = x.shape()[1];
        let mut state: Vec<Tensor> = first.iter().map(|&s| s.clone()).collect();
        let mut seen = vec![None; steps];
        for i in 0..steps {
            let t = if self.is_reversed { steps - 1 - i } else { i };
            let new = step(&a.select(1, t as isize), &state);
            (seen[t], state) = match &self.lengths {
                None => (Some(new[0].clone()), new),
                Some(lengths) => {
                    let here: Vec<bool> = lengths.iter().map(|&n| t < n).collect();
                    let here = Tensor::from_vec(here, [lengths.len(), 1]).to_device(x.device());
                    let kept = new.iter().zip(&state).map(|(new, old)| here.choose(new, old)).collect();
                    (Some(here.choose(&new[0], 0.0)), kept)
                }
            };
        }
        let seen: Vec<Tensor> = seen.into_iter().flatten().collect();
        pack(&seen, &state.iter().collect::<Vec<_>>())
    }

    /// Runs a recurrence on the sequences from the longest to the shortest: `run` gets what is beside them in the order that they
    /// have then, and what it gives is put back.
    #[track_caller]
    pub(crate) fn in_order<const N: usize>(
        &self,
        op: &'static str,
        x: &Tensor,
        states: [&Tensor; N],
        run: Run<'_, N>,
    ) -> (Tensor, [Tensor; N]) {
        let [batch, steps, _] = x.dims();
        self.check(op, batch, steps);
        let Some((walk, order, back)) = self.sorted() else { return run(self.clone(), x, states) };
        let (order, back) = (order.to_device(x.device()), back.to_device(x.device()));
        let sorted = states.map(|s| s.index_select(0, &order));
        let (y, last) = run(walk, &x.index_select(0, &order), sorted.each_ref());
        (y.index_select(0, &back), last.map(|s| s.index_select(0, &back)))
    }
}

/// Checks `x [b, t, in]`, states `[b, hidden]` and weights `[gates·hidden, in]`, `[gates·hidden, hidden]`.
#[track_caller]
pub(crate) fn check_sequence(op: &str, gates: usize, x: &Tensor, states: &[&Tensor], w: [&Tensor; 2]) {
    if !x.dtype().is_float() {
        fail!(op, "floats are needed, these are {}", x.dtype(); help = "convert them with `.to(DType::F32)`");
    }
    for other in states.iter().chain(&w) {
        same_dtype(op, x, other);
    }
    if x.rank() != 3 {
        let help = if x.rank() == 2 {
            "one sequence is a batch of one: `x.unsqueeze(0)`"
        } else {
            "the batch comes first"
        };
        fail!(op, "x must be [batch, steps, features], it is {:?}", x.shape(); help = "{help}");
    }
    let [w_ih, w_hh] = w;
    let inputs = x.shape()[2];
    let hidden = w_hh.shape().last().copied().unwrap_or_default();
    if w_hh.shape() != [gates * hidden, hidden] {
        fail!(op, "the weight of the state must be [{gates}·hidden, hidden], it is {:?}", w_hh.shape());
    }
    if w_ih.shape() != [gates * hidden, inputs] {
        fail!(
            op,
            "the weight of the inputs is {:?}, x {:?} and a hidden size of {hidden} ask for [{}, {inputs}]",
            w_ih.shape(),
            x.shape(),
            gates * hidden
        );
    }
    let [batch, steps, _] = x.dims();
    // The gates of all steps, and all states with the last ones after them.
    Shape::new(&[batch, steps, gates, hidden]).fit(op);
    Shape::new(&[batch, steps.saturating_add(2), hidden]).fit(op);
    for state in states {
        if state.shape() != [batch, hidden] {
            fail!(
                op,
                "a first state is {:?}, x {:?} and a hidden size of {hidden} ask for [{batch}, {hidden}]",
                state.shape(),
                x.shape()
            );
        }
    }
}

/// Checks a bias, which must be `[gates·hidden]`.
#[track_caller]
pub(crate) fn check_bias(op: &str, w_hh: &Tensor, b: &Tensor) {
    same_dtype(op, w_hh, b);
    let n = w_hh.shape()[0];
    if b.shape() != [n] {
        fail!(op, "a bias is {:?}, the weight {:?} asks for [{n}]", b.shape(), w_hh.shape());
    }
}

/// The states of all steps and `N` last states, one after the other in one tensor, which is what an operation of one result
/// gives. Each part is a view of it, dense as if it stood alone. The last state is repeated though it stands among the
/// others: its gradient is then a small part of one tensor, not a tensor of zeros around it.
pub(crate) fn unpack<const N: usize>(packed: &Tensor, shape: [usize; 3]) -> (Tensor, [Tensor; N]) {
    let [batch, steps, hidden] = shape;
    let (all, one) = ((batch * steps * hidden) as isize, (batch * hidden) as isize);
    let part = |i: isize| packed.slice(0, all + i * one..all + (i + 1) * one).reshape([batch, hidden]);
    (packed.slice(0, ..all).reshape(shape), std::array::from_fn(|i| part(i as isize)))
}

/// The gradient of a packed result with the sequences along its first axis.
pub(crate) fn by_sequence(at: &At<'_>, g: &Tensor) -> Tensor {
    let ([batch, steps], hidden) = ([at.shape(0)[0], at.shape(0)[1]], at.shape(1)[1]);
    let (all, one) = (batch * steps * hidden, batch * hidden);
    let part = |from: usize, to: usize| g.slice(0, from as isize..to as isize).reshape([batch as i64, -1]);
    let mut parts = vec![part(0, all)];
    parts.extend((all..g.len()).step_by(one.max(1)).map(|from| part(from, from + one)));
    Tensor::cat(&parts, 1)
}

/// What the weights of a recurrent network get from each sequence: the slopes of all gates, of one pass back for all of them, times
/// the inputs, and times the states before each step.
pub(crate) struct Each {
    /// The slopes of what inputs add to gates, `[b, t, gates·h]`.
    slopes: Tensor,
    x: Tensor,
    /// The state before each step, `[b, t, h]`.
    pub before: Tensor,
    /// What inputs add to gates but for a bias.
    pub lines: Tensor,
}

impl Each {
    /// Of an operation of `x, h0, ..` whose input `w` are the weights of inputs; none where the state before a step is not that beside it.
    pub(crate) fn of(at: &At<'_>, g: &Tensor, walk: &Walk, w: usize, n: usize) -> Option<Each> {
        let ([batch, steps], hidden) = ([at.shape(0)[0], at.shape(0)[1]], at.shape(1)[1]);
        let cut = walk.lengths.is_some() && walk.is_reversed;
        if batch != n || steps == 0 || hidden == 0 || cut {
            return None;
        }
        let (x, weight) = (at.input(0).detach(), at.input(w).detach());
        let lines = x.linear(&weight, None);
        let one = x.device().scope(|| Tensor::eye(weight.shape()[0])).to(weight.dtype());
        let slopes = at.vjp_with(&[(0, lines.clone()), (w, one)], 0, g)?;
        let h0 = at.input(1).detach().unsqueeze(1);
        let (y, []) = unpack(&at.y().detach(), [batch, steps, hidden]);
        let before = match walk.is_reversed {
            true => Tensor::cat(&[y.slice(1, 1..), h0], 1),
            false => Tensor::cat(&[h0, y.slice(1, ..-1)], 1),
        };
        Some(Each { slopes, x, before, lines })
    }

    /// Of the weights of inputs.
    pub(crate) fn w_ih(&self) -> Tensor {
        self.slopes.t().matmul(&self.x)
    }

    /// Of the weights of states, where slopes are those of inputs.
    pub(crate) fn w_hh(&self) -> Tensor {
        self.slopes.t().matmul(&self.before)
    }

    /// Of a bias.
    pub(crate) fn b(&self) -> Tensor {
        self.slopes.sum(1)
    }

    /// The same with the last of three gates times a factor.
    pub(crate) fn last_times(self, factor: &Tensor) -> Each {
        let [r, z, n] = self.slopes.chunk(-1);
        Each { slopes: Tensor::cat(&[r, z, n * factor], 2), ..self }
    }
}

/// The opposite of [`unpack`]: the states of all steps, each `[b, hidden]`, and the last ones.
pub(crate) fn pack(states: &[Tensor], last: &[&Tensor]) -> Tensor {
    let flat = |x: &Tensor| x.reshape([x.len()]);
    let mut parts: Vec<Tensor> = last.iter().map(|x| flat(x)).collect();
    if !states.is_empty() {
        parts.insert(0, flat(&Tensor::stack(states, 1)));
    }
    Tensor::cat(&parts, 0)
}

/// Every way to read `batch` sequences of `steps`, for tests of kernels: whole or ragged, forwards or from the end.
#[cfg(test)]
pub(crate) fn walks(batch: usize, steps: usize) -> [Walk; 4] {
    let lengths: Vec<usize> =
        (0..batch).map(|i| (steps * (batch - i)).div_ceil(batch) - usize::from(i + 1 == batch)).collect();
    let ragged = Walk::new().lengths(&lengths);
    [Walk::new(), Walk::new().reversed(), ragged.clone(), ragged.reversed()]
}
