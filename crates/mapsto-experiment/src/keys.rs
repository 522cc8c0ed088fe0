//! The keys of a training file and the section that each stands in, so that a key may be named without its section.

/// The keys that a flag may name without their section.
pub const KEYS: [(&str, &[&str]); 3] = [
    (
        "data",
        &[
            "set",
            "path",
            "class",
            "target",
            "labels",
            "names",
            "features",
            "drop",
            "categories",
            "missing",
            "delimiter",
            "batch",
            "shuffle",
            "sampler",
            "workers",
            "augment",
            "preprocess",
            "standardize",
            "validation",
            "test",
            "split",
        ],
    ),
    ("model", &["input", "init", "lsuv"]),
    (
        "train",
        &[
            "loss",
            "class_weight",
            "metrics",
            "optimizer",
            "schedule",
            "ema",
            "swa",
            "callbacks",
            "checkpoints",
            "tensorboard",
            "time_limit",
            "health",
            "dev_run",
            "overfit_batches",
            "epochs",
            "seed",
            "clip_norm",
            "accumulate",
            "threads",
            "matmul_precision",
            "precision",
            "out",
        ],
    ),
];

/// The section that a key stands in.
pub fn section_of(key: &str) -> Option<&'static str> {
    KEYS.iter().find(|(_, keys)| keys.contains(&key)).map(|(section, _)| *section)
}
