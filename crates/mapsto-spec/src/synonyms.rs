//! What other frameworks call things: so that `dense` and `batch_size` are answered with the name they have here.

/// Names of others, lower case with underscores, each with the names that may be meant here, the likeliest first.
const SYNONYMS: &[(&[&str], &[&str])] = &[
    (&["dense", "fc", "fully_connected", "fullyconnected", "affine"], &["linear"]),
    (&["conv", "convolution", "convolution2d", "conv_2d"], &["conv2d"]),
    (&["maxpool", "max_pool", "maxpooling", "max_pooling", "max_pooling2d", "maxpooling2d"], &["max_pool2d"]),
    (&["avgpool", "avg_pool", "average_pooling2d", "averagepooling2d", "avgpooling2d"], &["avg_pool2d"]),
    (&["global_average_pooling2d", "globalaveragepooling2d", "global_avg_pool2d"], &["adaptive_avg_pool2d"]),
    (&["global_max_pooling2d", "globalmaxpooling2d", "global_max_pool2d"], &["adaptive_max_pool2d"]),
    (
        &["batchnorm", "batch_norm", "batch_normalization", "batchnormalization", "bn"],
        &["batch_norm2d", "batch_norm1d"],
    ),
    (&["layernorm", "layer_normalization", "layernormalization", "ln"], &["layer_norm"]),
    (&["attention", "multiheadattention", "mha", "self_attention"], &["multi_head_attention"]),
    (&["transformer", "transformer_encoder_layer", "transformerencoderlayer"], &["transformer_block"]),
    (&["reshape", "view"], &["flatten"]),
    (&["leaky", "lrelu"], &["leaky_relu"]),
    (&["swish"], &["silu"]),
    (&["logistic"], &["sigmoid"]),
    (
        &[
            "categorical_crossentropy",
            "sparse_categorical_crossentropy",
            "crossentropy",
            "crossentropyloss",
            "cross_entropy_loss",
            "softmax_cross_entropy",
            "log_loss",
        ],
        &["cross_entropy"],
    ),
    (&["binary_crossentropy", "binary_cross_entropy", "bceloss", "bce_loss"], &["bce"]),
    (
        &["bcewithlogitsloss", "bce_with_logits_loss", "binary_cross_entropy_with_logits"],
        &["bce_with_logits"],
    ),
    (&["mean_squared_error", "mseloss", "mse_loss", "l2_loss", "squared_error"], &["mse"]),
    (&["mean_absolute_error", "l1loss", "l1_loss", "absolute_error"], &["mae", "l1"]),
    (&["huberloss", "huber_loss"], &["huber"]),
    (&["smoothl1loss", "smooth_l1_loss"], &["smooth_l1"]),
    (&["multilabel_soft_margin", "multilabelsoftmarginloss"], &["bce_with_logits"]),
    (&["poissonnllloss", "poisson"], &["poisson_nll"]),
    (&["gaussiannllloss"], &["gaussian_nll"]),
    (&["pinball", "quantile_loss", "pinball_loss"], &["quantile"]),
    (&["logcosh"], &["log_cosh"]),
    (&["mean_absolute_percentage_error"], &["mape"]),
    (&["mean_squared_logarithmic_error"], &["msle"]),
    (&["binary_focal_crossentropy", "sigmoid_focal_loss", "focal_loss"], &["focal"]),
    (&["categorical_focal_crossentropy"], &["categorical_focal"]),
    (&["diceloss", "dice_loss"], &["dice"]),
    (&["simclr", "ntxent"], &["nt_xent"]),
    (&["infonce", "contrastive"], &["info_nce"]),
    (&["nllloss", "nll_loss"], &["nll"]),
    (&["kldivloss", "kl_divergence", "kld"], &["kl_div"]),
    (&["acc", "categorical_accuracy", "sparse_categorical_accuracy", "binary_accuracy"], &["accuracy"]),
    (&["root_mean_squared_error"], &["rmse"]),
    (&["top_k_accuracy", "top_k_categorical_accuracy"], &["top_k"]),
    (&["f1_score", "f1score"], &["f1"]),
    (&["adam_w"], &["adamw"]),
    (&["centered"], &["centred"]),
    (&["rms_prop"], &["rmsprop"]),
    (&["stochastic_gradient_descent"], &["sgd"]),
    (&["weight_decay", "l2_penalty"], &["decay"]),
    (&["beta_1", "betas"], &["beta1"]),
    (&["beta_2"], &["beta2"]),
    (&["epsilon"], &["eps"]),
    (&["cosine_annealing", "cosineannealinglr", "cosine_decay", "cosine_annealing_lr"], &["cosine"]),
    (&["steplr", "step_lr", "step"], &["step_decay"]),
    (&["exponentiallr", "exponential_lr", "exponential"], &["exponential_decay"]),
    (&["warmup", "linear_warm_up"], &["linear_warmup"]),
    (&["polynomiallr", "polynomial_decay", "linear_decay", "linearlr"], &["polynomial"]),
    (&["cosineannealingwarmrestarts", "cosine_decay_restarts"], &["cosine_restarts"]),
    (&["onecyclelr", "onecycle"], &["one_cycle"]),
    (&["cycliclr", "triangular"], &["cyclic"]),
    (&["inverse_time_decay"], &["inverse_time"]),
    (&["noam"], &["inverse_sqrt"]),
    (&["wsd"], &["warmup_stable_decay"]),
    (&["multisteplr", "piecewise_constant_decay"], &["multi_step"]),
    (&["early_stopping", "earlystopping"], &["early_stop"]),
    (&["model_checkpoint", "modelcheckpoint", "checkpoint", "save_best"], &["best"]),
    (&["kernel_size", "pool_size", "filter_size"], &["kernel"]),
    (&["strides"], &["stride"]),
    (&["pad", "pads"], &["padding"]),
    (&["use_bias"], &["bias"]),
    (&["num_heads", "n_heads", "nhead"], &["heads"]),
    (&["num_layers", "n_layers"], &["layers"]),
    (&["batch_size", "batchsize", "bs", "batches"], &["batch"]),
    (&["num_workers", "n_workers"], &["workers"]),
    (&["dataset", "data_set", "source"], &["set", "data"]),
    (&["file", "folder", "filename", "csv_path", "root", "data_path", "dir"], &["path"]),
    (&["sep", "separator", "delim"], &["delimiter"]),
    (&["label", "labels", "label_column", "class_column"], &["class", "target"]),
    (&["targets", "target_column", "y"], &["target", "class"]),
    (&["columns", "inputs", "feature_columns"], &["features"]),
    (&["validation_split", "val_split", "val", "valid", "val_size", "validation_size"], &["validation"]),
    (&["test_split", "test_size", "holdout"], &["test"]),
    (&["augmentation", "augmentations", "transform", "transforms"], &["augment"]),
    (&["preprocessing", "normalization"], &["preprocess"]),
    (&["normalize", "standardise", "standard_scaler", "standardscaler"], &["standardize"]),
    (&["num_epochs", "n_epochs", "max_epochs", "nb_epoch", "iterations"], &["epochs"]),
    (&["random_seed", "random_state", "rng_seed"], &["seed"]),
    (&["lr", "learning_rate", "learningrate", "optim", "optimiser", "solver"], &["optimizer"]),
    (&["scheduler", "lr_scheduler", "lr_schedule"], &["schedule"]),
    (&["criterion", "loss_fn", "loss_function", "objective"], &["loss"]),
    (
        &["max_grad_norm", "grad_clip", "gradient_clip", "gradient_clip_norm", "clipnorm", "clip"],
        &["clip_norm"],
    ),
    (&["gradient_accumulation_steps", "accumulate_grad_batches", "grad_accumulation"], &["accumulate"]),
    (&["output", "output_dir", "out_dir", "save_dir", "log_dir"], &["out"]),
    (&["num_threads", "n_threads", "n_jobs"], &["threads"]),
    (&["precision", "matmul"], &["matmul_precision"]),
    (&["callback"], &["callbacks"]),
    (&["metric"], &["metrics"]),
    (&["input_shape", "input_size"], &["input"]),
    (&["network", "net", "architecture"], &["model"]),
    (&["training", "fit", "trainer"], &["train"]),
];

/// The names that may be meant by one that other frameworks use.
pub(crate) fn of(name: &str) -> &'static [&'static str] {
    SYNONYMS.iter().find(|(words, _)| words.contains(&name)).map_or(&[], |(_, meant)| meant)
}

/// Whether others give, under this name, what stands here as the value of the entry itself: `{ linear = 10 }`.
pub(crate) fn is_the_value(name: &str) -> bool {
    const WORDS: [&str; 14] = [
        "lr",
        "learning_rate",
        "units",
        "out_features",
        "out_channels",
        "filters",
        "channels",
        "size",
        "hidden_size",
        "p",
        "rate",
        "probability",
        "factor",
        "features",
    ];
    WORDS.contains(&name)
}

#[test]
fn every_word_stands_once_and_means_another() {
    let mut words: Vec<&str> = SYNONYMS.iter().flat_map(|(words, _)| words.iter().copied()).collect();
    let count = words.len();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), count);
    for (words, meant) in SYNONYMS {
        assert!(!meant.is_empty() && meant.iter().all(|name| !words.contains(name)), "{words:?}");
    }
}
