//! A pole balanced on a cart by trial and error: Q-learning with a memory and a target network (Mnih et al. 2015).
//! `cargo run --release --example dqn`, or with `-- --full` for three times as many moves.

use mapsto::data::{Collate, Source};
use mapsto::infer;
use mapsto::nn::{Cosine, Exceptions, Sequential, huber};
use mapsto::prelude::*;
use mapsto::random::Keyed;
use mapsto::training::{Cx, Step, Task};
use std::iter::successors;

#[derive(Module)]
struct Agent {
    q: Sequential,
    /// What `q` was a while ago; part of the model, and so saved with it.
    target: Sequential,
}

#[derive(Clone, Collate)]
struct Moved {
    state: Tensor,
    action: Tensor,
    /// Whether the pole stands after the move; if not, nothing comes next.
    stands: Tensor,
    next: Tensor,
}

/// How many moves a pole is balanced at most.
const MOST: usize = 500;

/// The cart: its place and speed, the pole's angle and turning speed (Barto, Sutton, Anderson 1983).
type State = [f64; 4];

/// The state a fiftieth of a second after a push to the left or right, if the pole still stands.
fn push([x, dx, angle, turn]: State, action: usize) -> Option<State> {
    let force = if action == 1 { 10.0 } else { -10.0 };
    let (sin, cos) = angle.sin_cos();
    let pull = (force + 0.05 * turn * turn * sin) / 1.1;
    let dturn = (9.8 * sin - cos * pull) / (0.5 * (4.0 / 3.0 - 0.1 * cos * cos / 1.1));
    let ddx = pull - 0.05 * dturn * cos / 1.1;
    let next = [x + 0.02 * dx, dx + 0.02 * ddx, angle + 0.02 * turn, turn + 0.02 * dturn];
    (next[0].abs() < 2.4 && next[2].abs() < 12f64.to_radians()).then_some(next)
}

/// The state in numbers that are about 1.
fn row([x, dx, angle, turn]: State) -> Tensor {
    Tensor::from_vec([x / 1.2, dx, angle / 0.1, turn].map(|v| v as f32).to_vec(), 4)
}

impl Agent {
    fn best(&self, state: State) -> usize {
        row(state).unsqueeze(0).apply(&self.q).argmax(-1).item() as usize
    }
}

fn begin(random: &mut Keyed) -> State {
    [0; 4].map(|_| random.uniform(-0.05, 0.05))
}

/// Experience without end: the agent acts with what it has learned so far, and remembers.
struct Cart {
    random: Keyed,
    state: State,
    /// How many moves the pole has stood.
    age: usize,
    memory: Vec<Moved>,
}

impl Source<Agent, Moved> for Cart {
    fn next(&mut self, agent: &Agent) -> Option<Result<Moved>> {
        // At first it tries anything, later one move in twenty.
        let curious = (1.0 - self.memory.len() as f64 / 4000.0).max(0.05);
        let tries = self.random.bernoulli(curious);
        let action = if tries { self.random.below(2) } else { agent.best(self.state) };
        let next = push(self.state, action);
        self.memory.push(Moved {
            state: row(self.state),
            action: tensor![action as i64],
            stands: tensor![next.is_some()],
            next: row(next.unwrap_or(self.state)),
        });
        // A pole that stands for long teaches nothing new.
        (self.state, self.age) = match next {
            Some(next) if self.age < MOST => (next, self.age + 1),
            _ => (begin(&mut self.random), 0),
        };
        let any = (0..64).map(|_| self.memory[self.random.below(self.memory.len())].clone());
        Some(Moved::collate(any.collect()))
    }
}

struct Dqn;

impl Task<Agent, Moved> for Dqn {
    fn loss(&self, agent: &Agent, b: &Moved) -> Step {
        let said = b.state.apply(&agent.q).gather(-1, &b.action); // [n, 1]
        // `q` says what it would do next and `target` what that is worth: one network for both overrates what it chooses (van
        // Hasselt et al. 2016, arXiv:1509.06461).
        let next = infer(|| {
            let action = b.next.apply(&agent.q).argmax(-1).unsqueeze(-1);
            b.next.apply(&agent.target).gather(-1, &action)
        });
        // A fall is worth -1, and each move before it 0.99 of the move that follows.
        huber(&said, &(b.stands.to(DType::F32) * (next * 0.99 + 1.0) - 1.0)).into()
    }

    fn step(&self, agent: &mut Agent, b: &Moved, cx: &mut Cx<'_>) -> Result<Step> {
        if cx.steps().is_multiple_of(50) {
            agent.target.load_state_dict(agent.q.state_dict(), &Exceptions::none())?;
        }
        cx.descend(agent, |agent| self.loss(agent, b))
    }
}

pub fn main() -> Result<()> {
    seed(1);
    let q = seq![Linear::new(4, 64), Tensor::relu, Linear::new(64, 64), Tensor::relu, Linear::new(64, 2)];
    let mut agent = Agent { target: q.clone(), q };
    let mut random = Keyed::new(&[1]);
    let cart = Cart { state: begin(&mut random), random, age: 0, memory: Vec::new() };
    let epochs = if std::env::args().any(|arg| arg == "--full") { 60 } else { 20 };
    Trainer::task(Adam::new(1e-3), Dqn)
        .schedule_by_epoch(Cosine::new(epochs as u64))
        .batches_per_epoch(1000)
        .epochs(epochs)
        .fit(&mut agent, cart, None)?;
    let mut random = Keyed::new(&[2]);
    let length = |state| successors(Some(state), |&state| push(state, agent.best(state))).take(MOST).count();
    let mean = (0..20).map(|_| length(begin(&mut random))).sum::<usize>() as f64 / 20.0;
    println!("the pole stands for {mean:.0} of {MOST} moves; pushed at random it falls after 22");
    assert!(mean > 250.0);
    Ok(())
}
