//! The operations, one file each: declaration, documentation, maths, derivative and test stand together there.
//!
//! To add one, write its file and name it in this list; `cargo xtask new op NAME` writes the file with blanks.

use crate::kind::{OpKind, joined};

/// Declares the modules of all operations and lists their names.
macro_rules! ops {
    ($($name:ident)*) => {
        $(
            mod $name;
            #[allow(unused_imports)] // most files add only methods of Tensor
            pub use $name::*;
        )*
        /// The files of this folder, for the test of the architecture.
        pub const FILES: &[&str] = &[$(stringify!($name)),*];
        /// The kinds of each file, in the order of `FILES`.
        #[cfg(all(test, mutants))]
        pub(crate) fn kinds_by_file() -> &'static [&'static [OpKind]] {
            &[$($name::KINDS),*]
        }
        const LISTS: &[&[OpKind]] = &[crate::graph::KINDS, $($name::KINDS),*];
    };
}

const COUNT: usize = {
    let (mut list, mut n) = (0, 0);
    while list < LISTS.len() {
        n += LISTS[list].len();
        list += 1;
    }
    n
};

/// Every kind of operation: the public ones, and those that only derivatives are made of.
pub static OPS: &[OpKind] = &joined::<COUNT>(LISTS);

/// The kind with this name.
pub fn kind(name: &str) -> Option<&'static OpKind> {
    OPS.iter().find(|kind| kind.name == name)
}

ops! {
    abs
    adaptive_avg_pool2d
    adaptive_max_pool2d
    add
    all
    any
    argmax
    argmin
    argsort
    asinh
    atan
    attention
    avg_pool2d
    batch_norm
    bce
    bce_with_logits
    cast
    cat
    ceil
    choose
    chunk
    clamp
    compare
    contiguous
    conv2d
    cos
    cross_entropy
    cumsum
    div
    dropout
    elu
    embedding
    erf
    erfc
    erfinv
    exp
    expand
    expm1
    floor
    gather
    gelu
    gelu_tanh
    gru
    hardtanh
    index
    index_select
    is_inf
    is_nan
    layer_norm
    leaky_relu
    lgamma
    linear
    log
    log1p
    log2
    log_sigmoid
    log_softmax
    logical
    logit
    logsumexp
    lstm
    masked_fill
    matmul
    max
    max_pool2d
    maximum
    mean
    min
    minimum
    mish
    mse
    mul
    nan_to_num
    neg
    one_hot
    pad
    permute
    pow
    powt
    prod
    recip
    relu
    reshape
    round
    rsqrt
    scatter_add
    selu
    shrink
    sigmoid
    sign
    silu
    sin
    sinc
    sinh
    slice
    softmax
    softplus
    softsign
    sort
    split
    sqrt
    square
    stack
    std
    sub
    sum
    tan
    tanh
    to_device
    topk
    trunc
    var
    window
}
