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
    atan2
    attention
    avg_pool2d
    batch_norm
    bce
    bce_with_logits
    bincount
    bitwise
    cast
    cat
    ceil
    choose
    chunk
    clamp
    compare
    contiguous
    conv2d
    copysign
    cos
    cosine_similarity
    cross_entropy
    ctc_loss
    cummax
    cumprod
    cumsum
    diagonal
    diff
    div
    dropout
    einsum
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
    index_fill
    index_select
    is_inf
    is_nan
    isclose
    layer_norm
    leaky_relu
    lerp
    lgamma
    linear
    log
    log1p
    log2
    log_sigmoid
    log_softmax
    logaddexp
    logical
    logit
    logsumexp
    lstm
    masked_fill
    masked_select
    matmul
    max
    max_pool2d
    maximum
    mean
    min
    minimum
    mish
    mode
    movedim
    mse
    mul
    nan_to_num
    nansum
    neg
    norm
    one_hot
    outer
    pad
    permute
    pow
    powt
    prod
    quantile
    recip
    relu
    remainder
    repeat
    reshape
    rnn
    roll
    round
    rsqrt
    scatter_add
    scatter_reduce
    searchsorted
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
    take_along_dim
    tan
    tanh
    to_device
    topk
    trunc
    unfold
    unique
    var
    window
}
