//! A small task that tests of the trainer share: two noisy classes in the plane, and a network for them.

use mapsto_data::prelude::*;
use mapsto_nn::prelude::*;

/// Two noisy classes in the plane.
pub fn points(n: usize) -> InMemory {
    let mut key = random::Keyed::new(&[11, n as u64]);
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for i in 0..n {
        let class = (i % 2) as i64;
        let centre = if class == 0 { -1.0 } else { 1.0 };
        x.extend([centre + key.normal(), 0.5 * centre + key.normal()].map(|v| v as f32));
        y.push(class);
    }
    InMemory::new(Tensor::from_vec(x, [n, 2]), Tensor::from_vec(y, [n]))
}

pub fn net() -> Sequential {
    seed(3);
    seq![Linear::new(2, 16), Tensor::relu, Dropout::new(0.2), Linear::new(16, 2)]
}

/// The bits of all parameters and states.
pub fn bits(model: &dyn Module) -> Vec<u32> {
    model.state_dict().iter().flat_map(|(_, t)| t.to_vec::<f32>()).map(f32::to_bits).collect()
}
