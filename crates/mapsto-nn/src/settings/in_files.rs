//! The settings of every entry of a registry, and what each number may be.

use super::May::{self, *};

/// Where this stands.
pub(super) const FILE: &str = file!();

/// The registry, the entry, and each of its settings.
pub(super) type Settings = (&'static str, &'static str, Vec<(&'static str, May)>);

/// Of each registry's entries, the settings; `""` is the main value.
pub(super) fn in_files() -> Vec<Settings> {
    let decay = ("decay", AtLeast0);
    let (lr, eps) = (("", AtLeast0), ("eps", Above0));
    let betas = [("beta1", Share), ("beta2", Share)];
    let max_pool = vec![("", Count), ("stride", Count), ("padding", Whole), ("dilation", Count)];
    let avg_pool = vec![("", Count), ("stride", Count), ("padding", Whole), ("divisor_override", Count)];
    let lp_pool = vec![("", Count), ("stride", Count), ("p", Above0)];
    let ones = ["", "kernel", "stride", "dilation"];
    let conv_lstm: Vec<(&str, May)> =
        ones.into_iter().map(|name| (name, Count)).chain([("padding", Whole)]).collect();
    let recurrent = vec![("", Count), ("layers", Count), ("dropout", Share)];
    let attention = vec![("kv_heads", Count), ("rotary", UpTo1), ("rotary_base", Above0), ("window", Count)];
    vec![
        ("optimizer", "sgd", vec![lr, ("momentum", Share), ("dampening", UpTo1), decay]),
        ("optimizer", "rmsprop", vec![lr, ("alpha", Share), eps, ("momentum", Share), decay]),
        ("optimizer", "adagrad", vec![lr, eps, ("lr_decay", AtLeast0), ("initial", AtLeast0), decay]),
        ("optimizer", "adam", [vec![lr, eps, decay], betas.to_vec()].concat()),
        ("optimizer", "adamw", [vec![lr, eps, decay], betas.to_vec()].concat()),
        ("optimizer", "adadelta", vec![lr, ("rho", Share), ("eps", Above0), ("decay", AtLeast0)]),
        (
            "optimizer",
            "adamax",
            vec![lr, ("beta1", Share), ("beta2", Share), ("eps", Above0), ("decay", AtLeast0)],
        ),
        (
            "optimizer",
            "nadam",
            vec![
                lr,
                ("beta1", Share),
                ("beta2", Share),
                ("eps", Above0),
                ("momentum_decay", AtLeast0),
                ("decay", AtLeast0),
            ],
        ),
        (
            "optimizer",
            "radam",
            vec![lr, ("beta1", Share), ("beta2", Share), ("eps", Above0), ("decay", AtLeast0)],
        ),
        ("optimizer", "lion", vec![lr, ("beta1", Share), ("beta2", Share), ("decay", AtLeast0)]),
        (
            "optimizer",
            "lamb",
            vec![lr, ("beta1", Share), ("beta2", Share), ("eps", Above0), ("decay", AtLeast0)],
        ),
        ("optimizer", "lars", vec![lr, ("momentum", Share), ("trust", Above0), ("decay", AtLeast0)]),
        (
            "optimizer",
            "rprop",
            vec![lr, ("shrink", Share), ("grow", Above0), ("least", Above0), ("most", Above0)],
        ),
        (
            "optimizer",
            "adafactor",
            vec![lr, ("decay_rate", Above0), ("eps", Above0), ("clip", Above0), ("decay", AtLeast0)],
        ),
        ("optimizer", "muon", vec![lr, ("momentum", Share), ("decay", AtLeast0)]),
        ("optimizer", "asgd", vec![lr, ("lambd", AtLeast0), ("alpha", AtLeast0), ("t0", AtLeast0), decay]),
        (
            "optimizer",
            "lbfgs",
            vec![
                lr,
                ("max_iter", Count),
                ("history_size", Count),
                ("tolerance_grad", AtLeast0),
                ("tolerance_change", AtLeast0),
            ],
        ),
        (
            "optimizer",
            "schedule_free_adamw",
            [vec![lr, eps, decay, ("r", AtLeast0), ("weight_lr_power", AtLeast0)], betas.to_vec()].concat(),
        ),
        (
            "optimizer",
            "schedule_free_sgd",
            vec![lr, ("momentum", Share), decay, ("r", AtLeast0), ("weight_lr_power", AtLeast0)],
        ),
        ("optimizer", "sam", vec![("rho", AtLeast0)]),
        ("optimizer", "ema", vec![("beta", Share)]),
        ("optimizer", "lookahead", vec![("k", Count), ("alpha", UpTo1)]),
        ("schedule", "constant", vec![]),
        ("schedule", "step_decay", vec![("", Above0), ("every", Above0)]),
        ("schedule", "exponential_decay", vec![("", Above0)]),
        ("schedule", "cosine", vec![("floor", UpTo1)]),
        ("schedule", "linear_warmup", vec![("", Above0)]),
        ("schedule", "polynomial", vec![("", Above0), ("floor", UpTo1)]),
        ("schedule", "cosine_restarts", vec![("", Above0), ("mult", Count), ("floor", UpTo1)]),
        (
            "schedule",
            "one_cycle",
            vec![
                ("rise", UpTo1),
                ("div_factor", AtLeast1),
                ("final_div_factor", Above0),
                ("base_momentum", Share),
                ("max_momentum", Share),
            ],
        ),
        (
            "schedule",
            "cyclic",
            vec![
                ("", Above0),
                ("floor", UpTo1),
                ("decay", UpTo1),
                ("base_momentum", Share),
                ("max_momentum", Share),
            ],
        ),
        ("schedule", "inverse_time", vec![("", Above0)]),
        ("schedule", "inverse_sqrt", vec![("", Above0)]),
        ("schedule", "warmup_stable_decay", vec![("", Above0), ("decay", Above0), ("floor", UpTo1)]),
        ("schedule", "multi_step", vec![("factor", Above0)]),
        ("loss", "mse", vec![]),
        ("loss", "mae", vec![]),
        ("loss", "huber", vec![("", Above0)]),
        ("loss", "bce", vec![]),
        ("loss", "bce_with_logits", vec![]),
        ("loss", "cross_entropy", vec![("label_smoothing", UpTo1)]),
        ("loss", "nll", vec![]),
        ("loss", "kl_div", vec![]),
        ("loss", "smooth_l1", vec![("", Above0)]),
        ("loss", "quantile", vec![("", UpTo1)]),
        ("loss", "log_cosh", vec![]),
        ("loss", "mape", vec![]),
        ("loss", "msle", vec![]),
        ("loss", "poisson_nll", vec![("eps", Above0)]),
        ("loss", "gaussian_nll", vec![("eps", Above0)]),
        ("loss", "negative_binomial", vec![("", Above0)]),
        ("loss", "hinge", vec![]),
        ("loss", "squared_hinge", vec![]),
        ("loss", "soft_margin", vec![]),
        ("loss", "hinge_embedding", vec![("", AtLeast0)]),
        ("loss", "multi_margin", vec![("", AtLeast0)]),
        ("loss", "multilabel_margin", vec![]),
        ("loss", "focal", vec![("", AtLeast0), ("alpha", UpTo1)]),
        ("loss", "categorical_focal", vec![("", AtLeast0)]),
        ("loss", "tversky", vec![("alpha", AtLeast0), ("beta", AtLeast0)]),
        ("loss", "dice", vec![]),
        ("loss", "cosine_similarity", vec![]),
        ("loss", "info_nce", vec![("", Above0)]),
        ("loss", "nt_xent", vec![("", Above0)]),
        ("loss", "circle", vec![("", Above0), ("scale", Above0)]),
        ("loss", "triplet", vec![("", Above0)]),
        ("loss", "arcface", vec![("", AtLeast0), ("scale", Above0)]),
        ("loss", "categorical_hinge", vec![]),
        ("loss", "generalized_cross_entropy", vec![("", Above0)]),
        ("loss", "ctc", vec![]),
        ("layer", "linear", vec![("", Count)]),
        ("layer", "conv2d", {
            let ones = ["", "kernel", "stride", "dilation", "groups"];
            ones.into_iter().map(|name| (name, Count)).chain([("padding", Whole)]).collect()
        }),
        ("layer", "max_pool1d", max_pool.clone()),
        ("layer", "max_pool2d", max_pool.clone()),
        ("layer", "max_pool3d", max_pool),
        ("layer", "avg_pool1d", avg_pool.clone()),
        ("layer", "avg_pool2d", avg_pool.clone()),
        ("layer", "avg_pool3d", avg_pool),
        ("layer", "lp_pool1d", lp_pool.clone()),
        ("layer", "lp_pool2d", lp_pool.clone()),
        ("layer", "lp_pool3d", lp_pool),
        ("layer", "adaptive_max_pool1d", vec![("", Count)]),
        ("layer", "adaptive_max_pool3d", vec![("", Count)]),
        ("layer", "adaptive_avg_pool1d", vec![("", Count)]),
        ("layer", "adaptive_avg_pool3d", vec![("", Count)]),
        ("layer", "pixel_unshuffle", vec![("", Count)]),
        ("layer", "channel_shuffle", vec![("", Count)]),
        ("layer", "unfold", vec![("", Count), ("stride", Count), ("padding", Whole), ("dilation", Count)]),
        (
            "layer",
            "fold",
            vec![("", Count), ("kernel", Count), ("stride", Count), ("padding", Whole), ("dilation", Count)],
        ),
        ("layer", "pad1d", vec![("value", Finite)]),
        ("layer", "pad3d", vec![("value", Finite)]),
        ("layer", "adaptive_max_pool2d", vec![("", Count)]),
        ("layer", "adaptive_avg_pool2d", vec![("", Count)]),
        ("layer", "batch_norm1d", vec![("momentum", UpTo1), eps]),
        ("layer", "batch_norm2d", vec![("momentum", UpTo1), eps]),
        ("layer", "layer_norm", vec![("axes", Count), eps]),
        ("layer", "dropout", vec![("", Share)]),
        ("layer", "flatten", vec![]),
        (
            "layer",
            "embedding",
            vec![("", Count), ("size", Count), ("max_norm", Above0), ("norm_type", Above0)],
        ),
        ("layer", "lstm", [recurrent.clone(), vec![("proj_size", Count)]].concat()),
        ("layer", "gru", recurrent.clone()),
        ("layer", "positional_embedding", vec![]),
        ("layer", "attention", [vec![("", Count), ("dropout", Share)], attention.clone()].concat()),
        ("layer", "transformer_block", vec![("", Count), ("hidden", Count), ("dropout", Share)]),
        (
            "layer",
            "transformer_encoder_layer",
            [vec![("", Count), ("hidden", Count), ("dropout", Share)], attention.clone()].concat(),
        ),
        (
            "layer",
            "transformer_encoder",
            [vec![("", Count), ("heads", Count), ("hidden", Count), ("dropout", Share)], attention].concat(),
        ),
        ("layer", "feed_forward", vec![("", Count), ("dropout", Share)]),
        ("layer", "rotary_embedding", vec![("base", Above0), ("fraction", UpTo1)]),
        ("layer", "sinusoidal_embedding", vec![("base", Above0)]),
        (
            "layer",
            "mixture_of_experts",
            vec![("", Count), ("hidden", Count), ("top", Count), ("dropout", Share)],
        ),
        ("layer", "identity", vec![]),
        ("layer", "reshape", vec![]),
        ("layer", "unflatten", vec![("axis", Count)]),
        ("layer", "permute", vec![]),
        ("layer", "repeat_vector", vec![("", Count)]),
        ("layer", "cropping", vec![]),
        ("layer", "residual", vec![]),
        ("layer", "checkpointed", vec![]),
        ("layer", "parallel", vec![]),
        ("layer", "repeat", vec![("", Count)]),
        ("layer", "sequential", vec![]),
        ("layer", "conv1d", {
            let ones = ["", "kernel", "stride", "dilation", "groups"];
            ones.into_iter().map(|name| (name, Count)).chain([("padding", Whole)]).collect()
        }),
        ("layer", "conv_transpose2d", {
            let ones = ["", "kernel", "stride", "dilation", "groups"];
            let more = [("padding", Whole), ("output_padding", Whole)];
            ones.into_iter().map(|name| (name, Count)).chain(more).collect()
        }),
        ("layer", "conv3d", {
            let ones = ["", "kernel", "stride", "dilation", "groups"];
            ones.into_iter().map(|name| (name, Count)).chain([("padding", Whole)]).collect()
        }),
        ("layer", "conv_transpose1d", {
            let ones = ["", "kernel", "stride", "dilation", "groups"];
            let more = [("padding", Whole), ("output_padding", Whole)];
            ones.into_iter().map(|name| (name, Count)).chain(more).collect()
        }),
        ("layer", "conv_transpose3d", {
            let ones = ["", "kernel", "stride", "dilation", "groups"];
            let more = [("padding", Whole), ("output_padding", Whole)];
            ones.into_iter().map(|name| (name, Count)).chain(more).collect()
        }),
        ("layer", "depthwise_conv1d", {
            let ones = ["kernel", "stride", "dilation", "depth_multiplier"];
            ones.into_iter().map(|name| (name, Count)).chain([("padding", Whole)]).collect()
        }),
        ("layer", "depthwise_conv2d", {
            let ones = ["kernel", "stride", "dilation", "depth_multiplier"];
            ones.into_iter().map(|name| (name, Count)).chain([("padding", Whole)]).collect()
        }),
        ("layer", "separable_conv1d", {
            let ones = ["", "kernel", "stride", "dilation", "depth_multiplier"];
            ones.into_iter().map(|name| (name, Count)).chain([("padding", Whole)]).collect()
        }),
        ("layer", "separable_conv2d", {
            let ones = ["", "kernel", "stride", "dilation", "depth_multiplier"];
            ones.into_iter().map(|name| (name, Count)).chain([("padding", Whole)]).collect()
        }),
        ("layer", "batch_norm3d", vec![("momentum", UpTo1), eps]),
        ("layer", "weight_norm", vec![("dim", Whole)]),
        ("layer", "spectral_norm", vec![("steps", Count), eps, ("dim", Whole)]),
        ("layer", "group_norm", vec![("", Count), eps]),
        ("layer", "instance_norm", vec![("momentum", UpTo1), eps]),
        ("layer", "rms_norm", vec![("axes", Count), eps]),
        ("layer", "local_response_norm", {
            vec![("", Count), ("alpha", AtLeast0), ("beta", AtLeast0), ("k", Above0)]
        }),
        ("layer", "channel_dropout", vec![("", Share)]),
        ("layer", "drop_path", vec![("", Share)]),
        ("layer", "alpha_dropout", vec![("", Share)]),
        ("layer", "gaussian_noise", vec![("", AtLeast0)]),
        ("layer", "gaussian_dropout", vec![("", Share)]),
        ("layer", "unit_normalization", vec![]),
        ("layer", "upsample", vec![("", Above0)]),
        ("layer", "pixel_shuffle", vec![("", Count)]),
        ("layer", "pad2d", vec![("value", Finite)]),
        ("layer", "global_avg_pool", vec![]),
        ("layer", "global_max_pool", vec![]),
        ("layer", "squeeze_excite", vec![("", Count)]),
        ("layer", "time_distributed", vec![]),
        ("layer", "rnn", recurrent.clone()),
        ("layer", "rnn_relu", recurrent.clone()),
        (
            "layer",
            "embedding_bag",
            vec![("", Count), ("size", Count), ("max_norm", Above0), ("norm_type", Above0)],
        ),
        ("layer", "category_embedding", vec![("size", Count)]),
        ("layer", "rescaling", vec![("", Not0), ("offset", Finite)]),
        ("layer", "prelu", vec![("", Finite)]),
        ("layer", "masking", vec![("padding", Finite)]),
        ("layer", "feature_alpha_dropout", vec![("", Share)]),
        ("layer", "einsum_dense", vec![("sizes", Count)]),
        ("layer", "additive_attention", vec![]),
        ("layer", "luong_attention", vec![]),
        ("layer", "conv_lstm1d", conv_lstm.clone()),
        ("layer", "conv_lstm2d", conv_lstm.clone()),
        ("layer", "conv_lstm3d", conv_lstm),
        ("layer", "fractional_max_pool2d", vec![("", Count), ("windows", Count)]),
        ("layer", "fractional_max_pool3d", vec![("", Count), ("windows", Count)]),
        ("layer", "normalization", vec![]),
        ("layer", "discretization", vec![]),
        ("layer", "category_encoding", vec![("", Count)]),
        ("layer", "hashing", vec![("", Count)]),
        ("layer", "integer_lookup", vec![]),
        ("layer", "glu", vec![]),
        ("layer", "relu6", vec![]),
        ("layer", "hardtanh", vec![("min", Finite), ("max", Finite)]),
        ("layer", "hardsigmoid", vec![]),
        ("layer", "hardswish", vec![]),
        ("layer", "mish", vec![]),
        ("layer", "softsign", vec![]),
        ("layer", "tanhshrink", vec![]),
        ("layer", "log_sigmoid", vec![]),
        ("layer", "selu", vec![]),
        ("layer", "softmin", vec![]),
        ("layer", "softshrink", vec![("", AtLeast0)]),
        ("layer", "hardshrink", vec![("", AtLeast0)]),
        ("layer", "celu", vec![("", Above0)]),
        ("layer", "threshold", vec![("", Finite), ("value", Finite)]),
        ("layer", "rrelu", vec![("lower", UpTo1), ("upper", UpTo1)]),
        ("layer", "relu", vec![]),
        ("layer", "leaky_relu", vec![("", Finite)]),
        ("layer", "elu", vec![("", AtLeast0)]),
        ("layer", "gelu", vec![]),
        ("layer", "gelu_tanh", vec![]),
        ("layer", "silu", vec![]),
        ("layer", "sigmoid", vec![]),
        ("layer", "tanh", vec![]),
        ("layer", "softplus", vec![("", Above0)]),
        ("layer", "softmax", vec![]),
        ("layer", "softmax2d", vec![]),
        ("layer", "log_softmax", vec![]),
        ("initialiser", "zeros", vec![]),
        ("initialiser", "ones", vec![]),
        ("initialiser", "constant", vec![("", Finite)]),
        ("initialiser", "normal", vec![("", AtLeast0), ("mean", Finite)]),
        ("initialiser", "uniform", vec![("", AtLeast0)]),
        ("initialiser", "truncated_normal", vec![("", AtLeast0), ("cut", Above0)]),
        ("initialiser", "xavier_uniform", vec![("gain", AtLeast0)]),
        ("initialiser", "xavier_normal", vec![("gain", AtLeast0)]),
        ("initialiser", "kaiming_uniform", vec![("slope", Finite)]),
        ("initialiser", "kaiming_normal", vec![("slope", Finite)]),
        ("initialiser", "orthogonal", vec![("gain", AtLeast0)]),
        ("initialiser", "identity", vec![("gain", AtLeast0)]),
        ("initialiser", "sparse", vec![("", Share), ("std", AtLeast0)]),
        ("initialiser", "variance_scaling", vec![("", Above0)]),
    ]
}
