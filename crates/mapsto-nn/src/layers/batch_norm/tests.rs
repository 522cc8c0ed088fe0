//! Tests of `batch_norm`.

use crate::check_layer::check_layer;
use crate::prelude::*;
use mapsto_spec::{Entry, check_entry};

#[test]
fn batch_norm() {
    check_layer(|| BatchNorm1d::new(3)).gives([4, 3], [4, 3]);
    check_layer(|| BatchNorm1d::new(3)).gives([2, 3, 5], [2, 3, 5]);
    check_layer(|| BatchNorm3d::new(2)).gives([2, 2, 1, 2, 2], [2, 2, 1, 2, 2]);
    check_layer(|| BatchNorm2d::new(2).eps(1e-3)).gives([2, 2, 3, 4], [2, 2, 3, 4]);
    check_layer(|| BatchNorm1d::new(3).no_affine()).gives([4, 3], [4, 3]);
    check_layer(|| BatchNorm1d::new(3).no_bias()).gives([4, 3], [4, 3]);
    check_layer(|| BatchNorm2d::new(2).no_running_stats()).gives([2, 2, 3, 4], [2, 2, 3, 4]);
    check_layer(|| BatchNorm3d::new(2).cumulative()).gives([2, 2, 1, 2, 2], [2, 2, 1, 2, 2]);
}

#[test]
fn features_of_a_linear_layer_are_normalised() {
    seed(5);
    let net = seq![Linear::new(3, 4), BatchNorm1d::new(4), Tensor::relu, Linear::new(4, 2)];
    let x = Tensor::randn([6, 3]);
    let grads = train(|| net.forward(&x).square().sum(..)).backward();
    assert!(net.parameters().iter().all(|(_, p)| grads.get(p).is_some_and(Tensor::is_finite)));
    let whole = net.forward(&x);
    let one_by_one: Vec<Tensor> = (0..6).map(|i| net.forward(&x.slice(0, i..i + 1))).collect();
    assert_close!(whole, Tensor::cat(&one_by_one, 0));
}

#[test]
fn without_running_statistics_the_batch_is_normalised_by_its_own() {
    let norm = BatchNorm1d::new(2).no_running_stats().no_affine();
    let x = Tensor::randn([5, 2]) * 3.0 + 1.0;
    assert_close!(norm.forward(&x), train(|| norm.forward(&x)));
    assert!(norm.state_dict().is_empty());
    let e = catch(|| norm.forward(&Tensor::ones([1, 2]))).unwrap_err();
    assert_eq!(e.message(), "batch_norm1d: one value a channel has no variance: [1, 2]");
    assert!(e.to_string().contains("inference needs a batch of at least 2"), "{e}");
    let e = catch(|| BatchNorm1d::new(2).no_running_stats().cumulative()).unwrap_err();
    assert!(e.message().contains("there are none"), "{e}");
}

#[test]
fn an_average_over_batches_goes_on_after_loading() {
    let batches: Vec<Tensor> = (0..4).map(|i| Tensor::randn([5, 2]) * (i + 1) as f64 + i as f64).collect();
    let norm = BatchNorm1d::new(2).cumulative();
    batches[..2].iter().for_each(|x| drop(train(|| norm.forward(x))));
    let mut other = BatchNorm1d::new(2).cumulative();
    other.load_state_dict(norm.state_dict(), &Exceptions::none()).unwrap();
    batches[2..].iter().for_each(|x| drop(train(|| other.forward(x))));
    let mean = |of: &dyn Fn(&Tensor) -> Tensor| {
        Tensor::stack(&batches.iter().map(of).collect::<Vec<_>>(), 0).mean(0)
    };
    assert_close!(other.running_mean.unwrap().get(), mean(&|x| x.mean(0)));
    assert_close!(other.running_var.unwrap().get(), mean(&|x| x.var_with(0, 1)));
    assert_eq!(other.num_batches_tracked.unwrap().get().to_vec::<i64>(), [4]);
}

#[test]
fn settings_that_mean_nothing_are_refused() {
    let norm = || Entry::new("batch_norm1d");
    let said = |entry: Entry| ModelSpec::new([3], [entry]).build().err().unwrap().to_string();
    let e = said(norm().with_option("track_running_stats", false).with_option("momentum", 0.2));
    assert!(e.contains("`momentum` means nothing with `track_running_stats = false`"), "{e}");
    let e = said(norm().with_option("cumulative", true).with_option("momentum", 0.2));
    assert!(e.contains("`momentum` means nothing with `cumulative` statistics"), "{e}");
    let e = said(norm().with_option("cumulative", true).with_option("track_running_stats", false));
    assert!(e.contains("leave one of them out"), "{e}");
    for option in ["affine", "bias", "track_running_stats"] {
        check_entry::<dyn Layer>(&norm().with_option(option, false).with_option("eps", 0.25), &[3]);
    }
    check_entry::<dyn Layer>(&norm().with_option("cumulative", true), &[3]);
}

#[test]
fn statistics_that_do_not_fit_are_refused_after_a_convolution_too() {
    let x = Tensor::ones([1, 3, 4, 4]);
    for value in [Tensor::ones([1]), Tensor::ones([5]), Tensor::ones([4, 1])] {
        for is_mean in [true, false] {
            let norm = BatchNorm2d::new(4);
            let state = if is_mean { &norm.running_mean } else { &norm.running_var };
            state.as_ref().unwrap().set(value.clone());
            let alone = catch(|| norm.forward(&Tensor::ones([1, 4, 2, 2]))).unwrap_err();
            let net = seq![Conv2d::new(3, 4, 3), norm];
            let error = catch(|| net.forward(&x)).unwrap_err();
            assert_eq!(error.message(), alone.message());
            assert!(error.to_string().contains("layer 1: BatchNorm2d(4)"), "{error}");
        }
    }
    let norm = BatchNorm2d::new(4);
    norm.running_var.as_ref().unwrap().set(Tensor::ones([4]).to(DType::F64));
    let alone = norm.forward(&Conv2d::new(3, 4, 3).forward(&x)).shape().to_vec();
    assert_eq!(seq![Conv2d::new(3, 4, 3), norm].forward(&x).shape(), alone);
}

#[test]
fn running_statistics_follow_the_batches_in_training_only() {
    let norm = BatchNorm2d::new(2).momentum(0.5);
    let x = Tensor::randn([8, 2, 3, 3]) * 3.0 + 1.0;
    let _ = norm.forward(&x);
    assert_eq!(norm.running_mean.as_ref().unwrap().get().to_vec::<f32>(), [0.0, 0.0]);
    let _ = train(|| norm.forward(&x));
    let rows = x.permute([1, 0, 2, 3]).reshape([2, 72]);
    assert_close!(norm.running_mean.as_ref().unwrap().get(), rows.mean(1) * 0.5);
    assert_close!(norm.running_var.as_ref().unwrap().get(), rows.var_with(1, 1) * 0.5 + 0.5);
    // After many batches, inference and training agree up to the unbiased variance.
    (0..60).for_each(|_| drop(train(|| norm.forward(&x))));
    let (y, z) = (norm.forward(&x), train(|| norm.forward(&x)));
    assert!((y - z).abs().max(..).item() < 0.05);
}

#[test]
fn running_statistics_of_half_precision_reach_the_batchs() {
    for (dtype, momentum, steps) in
        [(DType::BF16, 0.1, 200), (DType::F16, 0.1, 200), (DType::BF16, 0.01, 2000)]
    {
        let mut norm = BatchNorm1d::new(1).momentum(momentum);
        norm.convert(dtype);
        let x = tensor![[9.0], [11.0]].to(dtype);
        (0..steps).for_each(|_| drop(train(|| norm.forward(&x))));
        assert_close!(norm.running_mean.as_ref().unwrap().get(), [10.0]);
        assert!(norm.forward(&tensor![[10.0]].to(dtype)).item().abs() < 1e-4);
    }
    let mut norm = BatchNorm1d::new(1).momentum(1.0);
    norm.convert(DType::F16);
    let _ = train(|| norm.forward(&tensor![[-300.0], [300.0]].to(DType::F16)));
    let y = norm.forward(&tensor![[300.0]].to(DType::F16)).item();
    assert!((y - 0.5f64.sqrt()).abs() < 1e-3, "{y}");
}

#[test]
fn wrong_inputs_are_named() {
    let message =
        |x: Tensor| catch(|| train(|| BatchNorm2d::new(3).forward(&x))).unwrap_err().message().to_string();
    assert_eq!(
        message(Tensor::ones([2, 3])),
        "batch_norm2d: [n, channels, height, width] was expected, found [2, 3]"
    );
    assert_eq!(
        message(Tensor::ones([2, 4, 1, 1])),
        "batch_norm2d: 3 channels were expected, [2, 4, 1, 1] has 4"
    );
    assert_eq!(
        message(Tensor::ones([1, 3, 1, 1])),
        "batch_norm2d: one value a channel has no variance: [1, 3, 1, 1]"
    );
}
