//! Loops over slices: SIMD, matrix products, convolution, reductions, random bits and the thread pool of mapsto.
