//! Training in bf16 and f16: as far as in f32, resumed to the bit, and no step with gradients that are not finite.

mod plane;

use mapsto_data::prelude::*;
use mapsto_nn::GradScaler;
use mapsto_nn::prelude::*;
use mapsto_tensor::ErrorKind;
use mapsto_train::callbacks::{Callback, Moment, Run};
use mapsto_train::prelude::*;
use plane::{bits, net, points};
use std::path::PathBuf;

fn file(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("mapsto-precision-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    folder.join("last.safetensors")
}

/// Asks for a stop after so many steps.
struct StopAt(u64, Interrupt);
impl Callback for StopAt {
    fn name(&self) -> String {
        "stop".into()
    }
    fn moments(&self) -> &'static [Moment] {
        &[Moment::Step]
    }
    fn at(&mut self, _: Moment, run: &mut Run<'_>) -> Result<()> {
        if run.pace.batch as u64 == self.0 && run.pace.epoch == 2 {
            self.1.request();
        }
        Ok(())
    }
}

fn trainer(dtype: DType, path: &std::path::Path, interrupt: Interrupt, stop: u64) -> Trainer {
    Trainer::new(Adam::new(0.01), cross_entropy)
        .precision(dtype)
        // It grows at every second step, until gradients overflow and a step is left out.
        .grad_scaler(GradScaler::new().growth_interval(2))
        .metric(Accuracy::new())
        .on(Checkpoint::last().to(path))
        .on(StopAt(stop, interrupt.clone()))
        .interrupt(interrupt)
        .clip_norm(1.0)
        .seed(9)
        .epochs(4)
        .quiet()
}

#[test]
fn runs_get_as_far_as_in_f32_and_go_on_with_the_same_bits() {
    let (train_loader, val) = (|| points(100).batches(10).shuffle().seed(4), || points(40).batches(16));
    let mut losses = Vec::new();
    for dtype in [DType::F32, DType::BF16, DType::F16] {
        let path = file(&dtype.to_string());
        let mut whole = net();
        let expected =
            trainer(dtype, &path, Interrupt::new(), u64::MAX).fit(&mut whole, train_loader(), val()).unwrap();
        losses.push(expected.last("val loss").unwrap());
        // Steps that were left out do not count.
        let steps = expected.rows.last().unwrap().step;
        assert_eq!(steps < 40, dtype == DType::F16, "{dtype}: {steps} steps");
        for stop in [3, 4, 10] {
            let mut part = net();
            let history =
                trainer(dtype, &path, Interrupt::new(), stop).fit(&mut part, train_loader(), val()).unwrap();
            assert!(history.interrupted);
            seed(77);
            let mut resumed = net();
            let history = trainer(dtype, &path, Interrupt::new(), u64::MAX)
                .resume(&path)
                .fit(&mut resumed, train_loader(), val())
                .unwrap();
            assert_eq!(bits(&resumed), bits(&whole), "{dtype}, stopped after batch {stop}");
            for (a, b) in expected.rows.iter().zip(&history.rows) {
                assert_eq!((a.step, &a.values), (b.step, &b.values), "{dtype}, stopped after batch {stop}");
            }
        }
        // In another precision it would be another run.
        let other = if dtype == DType::BF16 { DType::F32 } else { DType::BF16 };
        let e = trainer(other, &path, Interrupt::new(), u64::MAX)
            .resume(&path)
            .fit(&mut net(), train_loader(), val())
            .unwrap_err();
        assert!(
            e.message().contains(&format!("precision: the saved run had {dtype}, this one has {other}")),
            "{e}"
        );
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }
    assert!((losses[1] - losses[0]).abs() < 0.02 && (losses[2] - losses[0]).abs() < 0.05, "{losses:?}");
    assert!(losses[0] != losses[1] && losses[0] != losses[2], "{losses:?}");
}

#[test]
fn gradients_that_overflow_at_every_scale_stop_the_run_by_name() {
    let set = InMemory::new(Tensor::ones([4, 1]), Tensor::zeros([4, 1]));
    // A loss whose slope is beyond f16, though its value is not.
    let loss = |net: &Linear, batch: &Sample| net.forward(&batch.x).to(DType::F32).sum(..) * 1e7;
    let mut model = Linear::new(1, 1);
    let e = Trainer::of(Sgd::new(0.1), loss)
        .precision(DType::F16)
        .epochs(40)
        .quiet()
        .fit(&mut model, set.batches(4), None)
        .unwrap_err();
    assert_eq!(e.kind(), ErrorKind::NonFinite);
    assert!(e.message().contains("the gradient is not finite") && e.message().contains("`weight`"), "{e}");
    let text = Trainer::new(Sgd::new(0.1), mse).precision(DType::F16).quiet().explain();
    assert!(
        text.contains("products in f16")
            && text.contains("leave the step out and lower the scale of the loss, 65536"),
        "{text}"
    );
    let e = catch(|| Trainer::new(Sgd::new(0.1), mse).precision(DType::F64)).err().unwrap();
    assert!(e.message().contains("a model cannot be trained in f64"), "{e}");
}

#[test]
fn accumulated_batches_in_f16_are_those_of_the_large_one() {
    let run = |batch: usize, accumulate: usize| {
        let mut model = seq![Linear::new(2, 8), Tensor::tanh, Linear::new(8, 2)];
        seed(5);
        model.visit_mut(&mut Path::new(), &mut |_, item| {
            if let ItemMut::Param(p) = item {
                p.set(&Tensor::randn(p.shape().to_vec())).unwrap();
            }
        });
        Trainer::new(Sgd::new(0.3), cross_entropy)
            .precision(DType::F16)
            .accumulate(accumulate)
            .epochs(5)
            .quiet()
            .fit(&mut model, points(40).batches(batch), None)
            .unwrap();
        model.state_dict()
    };
    for ((name, a), (_, b)) in run(40, 1).iter().zip(&run(10, 4)) {
        let worst = (a - b).abs().max(..).item();
        assert!(worst <= 5e-3, "{name} differs by {worst}");
    }
}

#[test]
fn a_derivative_that_is_not_finite_is_named_with_its_line() {
    let mut model = seq![Linear::new(2, 2), |x: &Tensor| (x - x).sqrt()];
    let e = Trainer::new(Sgd::new(0.1), cross_entropy)
        .quiet()
        .fit(&mut model, points(20).batches(10), None)
        .unwrap_err();
    let text = e.to_string();
    assert!(
        text.contains("the derivative of `sqrt` gave the first infinity")
            || text.contains("the derivative of `sqrt` gave the first NaN"),
        "{text}"
    );
    assert!(text.contains("precision.rs:"), "{text}");
}
