//! A small network learns from a larger one what it would say of images that nobody has labelled (Hinton et al. 2015,
//! arXiv:1503.02531). `cargo run --release --example distillation`, or with `-- --full` for more epochs.

use mapsto::data::Sample;
use mapsto::infer;
use mapsto::nn::kl_div;
use mapsto::prelude::*;
use mapsto::training::{Step, Task};

/// The teacher is neither trained nor saved: a task may hold a model that only answers.
struct Distill<T> {
    teacher: T,
    heat: f64,
}

impl<T: Layer, M: Layer> Task<M, Sample> for Distill<T> {
    fn loss(&self, student: &M, batch: &Sample) -> Step {
        let y = batch.x.apply(student);
        // Outside of training, so that the teacher does not drop out.
        let soft = infer(|| (batch.x.apply(&self.teacher) / self.heat).softmax(-1));
        Step::new(kl_div(&(&y / self.heat).log_softmax(-1), &soft) * self.heat.powi(2)).output(&y, &batch.y)
    }
}

pub fn main() -> Result<()> {
    seed(1);
    let (train_set, test_set) = mnist("data/mnist")?;
    // The teacher sees 50,000 images with labels, the student 10,000 others, whose labels it does not look at.
    let [labelled, unlabelled] = train_set.split([5.0 / 6.0, 1.0 / 6.0], 1);
    let mut teacher =
        seq![Flatten::new(), Linear::new(784, 256), Tensor::relu, Dropout::new(0.3), Linear::new(256, 10)];
    let epochs = if std::env::args().any(|arg| arg == "--full") { 10 } else { 3 };
    let test = || test_set.batches(500);
    let taught = Trainer::new(Adam::new(1e-3), cross_entropy).metric(Accuracy::new()).epochs(epochs).fit(
        &mut teacher,
        labelled.batches(64).shuffle(),
        test(),
    )?;
    let mut student = seq![Flatten::new(), Linear::new(784, 24), Tensor::relu, Linear::new(24, 10)];
    let history = Trainer::task(Adam::new(2e-3), Distill { teacher, heat: 3.0 })
        .metric(Accuracy::new())
        .epochs(4 * epochs)
        .fit(&mut student, unlabelled.batches(64).shuffle(), test())?;
    let [teacher, student] = [&taught, &history].map(|h| h.last("val accuracy").unwrap());
    println!(
        "the teacher reads {:.2} % of the test images, the student {:.2} %",
        100.0 * teacher,
        100.0 * student
    );
    assert!(student > 0.94 && student > teacher - 0.04);
    Ok(())
}
