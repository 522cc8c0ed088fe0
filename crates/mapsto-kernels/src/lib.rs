//! Loops over slices: SIMD, matrix products, convolution, attention, recurrence, reductions, random bits and the thread pool of mapsto.
//!
//! The crate knows no tensor, does no I/O and keeps three promises. Every public function is safe and checks the
//! lengths it is given. Work is cut into blocks that depend on the sizes alone and is combined in a fixed order, so
//! that the same input gives the same bits on any number of threads. AVX-512, AVX2 with FMA, or portable code is
//! chosen when the program runs, so one binary serves every processor.

pub mod adaptive_pool;
pub mod attention;
pub mod blocks;
pub mod cast;
pub mod conv;
pub mod copy;
pub mod ctc;
pub mod elements;
pub mod gemm;
pub mod grid;
pub mod index;
pub mod loss;
pub mod map;
pub mod norm;
pub mod optim;
pub mod philox;
pub mod pool;
pub mod product;
pub mod program;
pub mod real;
pub mod reduce;
pub mod resample;
pub mod rnn;
pub mod scan;
pub mod simd;
pub mod softmax;
pub mod sort;
pub mod threads;
mod tiles;
mod workspace;
