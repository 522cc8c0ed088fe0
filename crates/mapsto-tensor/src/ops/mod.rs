//! The operations, one file each: declaration, documentation, maths, derivative and test stand together there.
//!
//! To add one, write its file and name it in this list; `cargo xtask new op NAME` writes the file with blanks.

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
    };
}

ops! {
    abs
    add
    argmax
    argmin
    cast
    cat
    ceil
    chunk
    clamp
    compare
    contiguous
    cos
    div
    dropout
    elu
    embedding
    erf
    exp
    expand
    expm1
    floor
    gather
    gelu
    gelu_tanh
    index_select
    leaky_relu
    linear
    log
    log1p
    masked_fill
    matmul
    max
    mean
    min
    mul
    neg
    pad
    permute
    recip
    relu
    reshape
    round
    rsqrt
    scatter_add
    sigmoid
    sign
    silu
    sin
    slice
    softmax
    softplus
    split
    sqrt
    square
    stack
    sub
    sum
    tanh
    where_
}
