//! A small network that knows a hundred labels learns from a larger one what that says of images without any (Hinton et al.
//! 2015, arXiv:1503.02531). `cargo run --release --example distillation`, or with `-- --full` for five times as many epochs.

use mapsto::data::Sample;
use mapsto::infer;
use mapsto::nn::{Sequential, kl_div};
use mapsto::prelude::*;
use mapsto::training::{Step, Task};

/// The teacher is neither trained nor saved: a task may hold a model that only answers.
struct Distill<T> {
    teacher: T,
    heat: f64,
    labelled: Sample,
}

impl<T: Layer, M: Layer> Task<M, Tensor> for Distill<T> {
    /// How far the student is from the teacher on images without labels, and how wrong on those with them.
    fn loss(&self, student: &M, x: &Tensor) -> Step {
        // Heat brings out which wrong digits the teacher finds likelier than others. It answers as outside of training, and
        // so does not drop out.
        let said = infer(|| (x.apply(&self.teacher) / self.heat).softmax(-1));
        let y = (x.apply(student) / self.heat).log_softmax(-1);
        let taught = kl_div(&y, &said) * self.heat.powi(2);
        let known = cross_entropy(&self.labelled.x.apply(student), &self.labelled.y);
        Step::new(&taught + &known).term("taught", &taught).term("known", &known)
    }
}

/// The same weights at each call.
fn student() -> Sequential {
    seed(2);
    seq![Flatten::new(), Linear::new(784, 32), Tensor::relu, Linear::new(32, 10)]
}

pub fn main() -> Result<()> {
    seed(1);
    let (train_set, test_set) = mnist("data/mnist")?;
    // The teacher reads 50,000 images with their labels, the student 9,900 others without and 100 with them.
    let [schooling, rest] = train_set.split([5.0 / 6.0, 1.0 / 6.0], 1);
    let [few, unlabelled] = rest.stratified_split([0.01, 0.99], 1)?;
    let labelled = few.batch(&Vec::from_iter(0..few.len()))?;
    let epochs = if std::env::args().any(|arg| arg == "--full") { 10 } else { 2 };

    let mut teacher =
        seq![Flatten::new(), Linear::new(784, 256), Tensor::relu, Dropout::new(0.3), Linear::new(256, 10)];
    Trainer::new(Adam::new(1e-3), cross_entropy).epochs(epochs).fit(
        &mut teacher,
        schooling.batches(64).shuffle(),
        None,
    )?;
    let right = |model: &Sequential| -> Result<f64> {
        let found = evaluate(model, &test_set.batches(500), &cross_entropy, &[&Accuracy::new()])?;
        Ok(100.0 * found.value("accuracy").unwrap())
    };
    let taught_by = right(&teacher)?;

    let mut alone = student();
    Trainer::new(Adam::new(2e-3), cross_entropy).epochs(100 * epochs).quiet().fit(
        &mut alone,
        few.batches(50).shuffle(),
        None,
    )?;
    let mut taught = student();
    Trainer::task(Adam::new(2e-3), Distill { teacher, heat: 3.0, labelled }).epochs(5 * epochs).fit(
        &mut taught,
        unlabelled.batches(64).shuffle().map(|batch, _| batch.x),
        None,
    )?;
    let (alone, taught) = (right(&alone)?, right(&taught)?);
    println!(
        "the teacher reads {taught_by:.1} % of the test images, its student {taught:.1} %, one that is left alone {alone:.1} %"
    );
    assert!(taught > 91.0 && taught > alone + 10.0);
    Ok(())
}
