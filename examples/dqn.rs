//! A pole balanced on a cart by trial and error: Q-learning with a memory and a target network (Mnih et al. 2015).
//! `cargo run --release --example dqn`, or with `-- --full` for three times as many steps.

use mapsto::data::{Collate, Source};
use mapsto::infer;
use mapsto::nn::{Exceptions, Sequential, huber};
use mapsto::prelude::*;
use mapsto::random::Keyed;
use mapsto::training::{Cx, Step, Task};

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
    /// 1 for every move after which the pole still stands; after a fall nothing more is to be had.
    reward: Tensor,
    next: Tensor,
}

/// The cart: its place and speed, the pole's angle and turning speed (Barto, Sutton, Anderson 1983).
type State = [f64; 4];

fn push([x, dx, angle, turn]: State, action: usize) -> (State, bool) {
    let force = if action == 1 { 10.0 } else { -10.0 };
    let (sin, cos) = angle.sin_cos();
    let pull = (force + 0.05 * turn * turn * sin) / 1.1;
    let dturn = (9.8 * sin - cos * pull) / (0.5 * (4.0 / 3.0 - 0.1 * cos * cos / 1.1));
    let ddx = pull - 0.05 * dturn * cos / 1.1;
    let next = [x + 0.02 * dx, dx + 0.02 * ddx, angle + 0.02 * turn, turn + 0.02 * dturn];
    (next, next[0].abs() < 2.4 && next[2].abs() < 12f64.to_radians())
}

fn row(state: State) -> Tensor {
    Tensor::from_vec(state.map(|v| v as f32).to_vec(), 4)
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
    memory: Vec<Moved>,
}

impl Source<Agent, Moved> for Cart {
    fn next(&mut self, agent: &Agent) -> Option<Result<Moved>> {
        // At first it tries anything, later one move in twenty.
        let curious = (1.0 - self.memory.len() as f64 / 4000.0).max(0.05);
        let tries = self.random.bernoulli(curious);
        let action = if tries { self.random.below(2) } else { agent.best(self.state) };
        let (next, stands) = push(self.state, action);
        let (reward, action) = (tensor![f64::from(u8::from(stands))], tensor![action as i64]);
        self.memory.push(Moved { state: row(self.state), action, reward, next: row(next) });
        self.state = if stands { next } else { begin(&mut self.random) };
        let any = (0..64).map(|_| self.memory[self.random.below(self.memory.len())].clone());
        Some(Moved::collate(any.collect()))
    }
}

struct Dqn;

impl Task<Agent, Moved> for Dqn {
    fn loss(&self, agent: &Agent, b: &Moved) -> Step {
        let said = b.state.apply(&agent.q).gather(-1, &b.action); // [n, 1]
        let next = infer(|| b.next.apply(&agent.target).max(keep(-1)));
        huber(&said, &(&b.reward * (next * 0.98 + 1.0))).into()
    }

    fn step(&self, agent: &mut Agent, b: &Moved, cx: &mut Cx<'_>) -> Result<Step> {
        if cx.steps().is_multiple_of(200) {
            agent.target.load_state_dict(agent.q.state_dict(), &Exceptions::none())?;
        }
        cx.descend(agent, |agent| self.loss(agent, b))
    }
}

pub fn main() -> Result<()> {
    seed(1);
    let net =
        || seq![Linear::new(4, 64), Tensor::relu, Linear::new(64, 64), Tensor::relu, Linear::new(64, 2)];
    let mut agent = Agent { q: net(), target: net() };
    let mut random = Keyed::new(&[1]);
    let cart = Cart { state: begin(&mut random), random, memory: Vec::new() };
    let epochs = if std::env::args().any(|arg| arg == "--full") { 45 } else { 15 };
    let mut trainer =
        Trainer::task(Adam::new(5e-4), Dqn).batches_per_epoch(1000).clip_norm(10.0).epochs(epochs);
    trainer.fit(&mut agent, cart, None)?;
    let mut random = Keyed::new(&[2]);
    let mut length = || {
        let mut state = begin(&mut random);
        let mut stands = |_: &usize| {
            let (next, stands) = push(state, agent.best(state));
            state = next;
            stands
        };
        (0..500).take_while(&mut stands).count()
    };
    let mean = (0..20).map(|_| length()).sum::<usize>() as f64 / 20.0;
    println!("the pole stands for {mean:.0} of 500 moves; pushed at random it falls after 22");
    assert!(mean > 150.0);
    Ok(())
}
