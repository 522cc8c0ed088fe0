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
    adaptive_pool3d
    add
    affine_grid
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
    avg_pool3d
    batch_norm
    bce
    bce_with_logits
    bessel
    bincount
    bitwise
    block_diag
    cast
    cat
    ceil
    choose
    chunk
    clamp
    combinations
    compare
    contiguous
    conv1d
    conv2d
    conv2d_then
    conv3d
    conv_transpose1d
    conv_transpose2d
    conv_transpose3d
    copysign
    cos
    cosine_similarity
    cov
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
    entr
    erf
    erfc
    erfcx
    erfinv
    exp
    expand
    expm1
    floor
    fmax
    frexp
    gammainc
    gather
    gcd
    gelu
    gelu_tanh
    grid_sample
    gru
    hardtanh
    hstack
    implicit
    index
    index_copy
    index_fill
    index_select
    interpolate
    is_inf
    is_nan
    isclose
    isin
    kthvalue
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
    lp_pool
    lstm
    masked_fill
    masked_scatter
    masked_select
    matmul
    max
    max_pool2d
    max_pool3d
    max_unpool
    maximum
    mean
    min
    minimum
    mish
    mode
    movedim
    mse
    mul
    multigammaln
    nan_to_num
    nanquantile
    nansum
    ndtr
    neg
    nms
    nextafter
    norm
    one_hot
    outer
    pad
    pad_with
    permute
    pixel_shuffle
    pow
    powt
    prod
    quantile
    recip
    relu
    remainder
    repeat
    reshape
    roi_align
    rnn
    roll
    round
    sample
    rsqrt
    scaled_dot_product_attention
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
    slice_scatter
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
    tensor_split
    to_device
    topk
    trapezoid
    tril_indices
    trunc
    unfold
    unique
    var
    window
    xlog1py
    zeta
}
