//! Why did it say that? A network learns which of eight numbers matter, and four methods are asked which they are.
//!
//!     cargo run --release --example explain

use mapsto::explain::{Ask, METHODS, Model, Needs, Sanity, method};
use mapsto::prelude::*;

pub fn main() -> Result<()> {
    seed(7);
    // The class follows from the numbers 1 and 4 alone: whether their product is positive.
    let x = Tensor::randn([1024, 8]);
    let product = x.slice(1, 1..2) * x.slice(1, 4..5);
    let y = product.squeeze(1).gt(0.0).to(DType::I64);
    let mut net =
        seq![Linear::new(8, 32), Tensor::tanh, Linear::new(32, 32), Tensor::tanh, Linear::new(32, 2)];
    let mut opt = Adam::new(0.01);
    for _ in 0..200 {
        let loss = train(|| cross_entropy(&net.forward(&x), &y));
        opt.step(&mut net, loss.backward());
    }

    println!(
        "{} methods, of which {} only ask the model",
        METHODS.len(),
        METHODS.iter().filter(|m| m.needs() == Needs::Answers).count()
    );
    let model = Model::of(&net);
    let some = x.slice(0, 0..64);
    // Numbers are compared with those of other samples.
    let ask = Ask::new().baseline(x.slice(0, 100..110));
    for name in ["saliency", "integrated-gradients", "gradient-shap", "deep-lift"] {
        let method = method(name)?;
        let found = method.explain(&model, &some, &ask)?;
        let sizes = found.attributions()?.abs().mean(0).to_vec::<f32>();
        let sanity = Sanity::of(method, &model, &some, &ask, &found, 3)?;
        let likeness = sanity.map_or(0.0, |sanity| sanity.likeness);
        let shown: Vec<String> = sizes.iter().map(|size| format!("{size:.2}")).collect();
        println!("{name:<22} {}   with weights of chance {likeness:.2}", shown.join("  "));

        let mut order: Vec<usize> = (0..8).collect();
        order.sort_by(|a, b| sizes[*b].total_cmp(&sizes[*a]));
        let mut first = [order[0], order[1]];
        first.sort_unstable();
        assert_eq!(first, [1, 4], "{name}");
        assert!(likeness < Sanity::SUSPICIOUS, "{name}");
    }
    Ok(())
}
