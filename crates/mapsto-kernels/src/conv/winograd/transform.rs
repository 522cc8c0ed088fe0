//! The transforms of Winograd's F(4 × 4, 3 × 3) and their adjoints, a register of channels at a time.
//!
//! In one direction, with the points 0, ±a, ±b and ∞ where a = √½ and b = √2, four outputs of three taps are
//! `y = Aᵀ ((G g) ⊙ (Bᵀ d))`: six products where the definition has twelve. In two directions, 36 instead of 144.

use crate::gemm::lanes::Lanes;
use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};

const A: f32 = FRAC_1_SQRT_2;
const B: f32 = SQRT_2;

/// Points of a transformed tile.
pub const POINTS: usize = 36;

#[inline(always)]
unsafe fn times<L: Lanes<Elem = f32>>(x: L, by: f32) -> L {
    // SAFETY: the callers run in the register's family.
    unsafe { L::splat(0.0).fma(x, L::splat(by)) }
}

/// `x + by · y`.
#[inline(always)]
unsafe fn plus<L: Lanes<Elem = f32>>(x: L, by: f32, y: L) -> L {
    // SAFETY: as above.
    unsafe { x.fma(y, L::splat(by)) }
}

/// `Bᵀ d`: six inputs to six points.
#[inline(always)]
unsafe fn input<L: Lanes<Elem = f32>>(d: [L; 6]) -> [L; 6] {
    // SAFETY: as above.
    unsafe {
        let (even_a, odd_a) = (plus(d[4], -2.0, d[2]), plus(d[3], -2.0, d[1]));
        let (even_b, odd_b) = (plus(d[4], -0.5, d[2]), plus(d[3], -0.5, d[1]));
        [
            plus(d[0].add(d[4]), -2.5, d[2]),
            plus(even_a, A, odd_a),
            plus(even_a, -A, odd_a),
            plus(even_b, B, odd_b),
            plus(even_b, -B, odd_b),
            plus(d[1].add(d[5]), -2.5, d[3]),
        ]
    }
}

/// `G g`: three taps to six points.
#[inline(always)]
unsafe fn taps<L: Lanes<Elem = f32>>(g: [L; 3]) -> [L; 6] {
    // SAFETY: as above.
    unsafe {
        let (even_a, odd_a) = (times(plus(g[0], 0.5, g[2]), -2.0 / 3.0), times(g[1], A * -2.0 / 3.0));
        let (even_b, odd_b) = (times(plus(g[0], 2.0, g[2]), 1.0 / 6.0), times(g[1], B / 6.0));
        [
            g[0],
            even_a.add(odd_a),
            plus(even_a, -1.0, odd_a),
            even_b.add(odd_b),
            plus(even_b, -1.0, odd_b),
            g[2],
        ]
    }
}

/// `Gᵀ u`: the gradient of six points to that of three taps.
#[inline(always)]
unsafe fn taps_adjoint<L: Lanes<Elem = f32>>(u: [L; 6]) -> [L; 3] {
    // SAFETY: as above.
    unsafe {
        let (even_a, odd_a) = (times(u[1].add(u[2]), -2.0 / 3.0), plus(u[1], -1.0, u[2]));
        let (even_b, odd_b) = (times(u[3].add(u[4]), 1.0 / 6.0), plus(u[3], -1.0, u[4]));
        [
            u[0].add(even_a).add(even_b),
            plus(times(odd_a, A * -2.0 / 3.0), B / 6.0, odd_b),
            plus(plus(u[5], 0.5, even_a), 2.0, even_b),
        ]
    }
}

/// `Aᵀ m`: six points to four outputs.
#[inline(always)]
unsafe fn output<L: Lanes<Elem = f32>>(m: [L; 6]) -> [L; 4] {
    // SAFETY: as above.
    unsafe {
        let (even_a, odd_a) = (m[1].add(m[2]), plus(m[1], -1.0, m[2]));
        let (even_b, odd_b) = (m[3].add(m[4]), plus(m[3], -1.0, m[4]));
        [
            m[0].add(even_a).add(even_b),
            plus(times(odd_a, A), B, odd_b),
            plus(times(even_a, 0.5), 2.0, even_b),
            plus(plus(m[5], A * 0.5, odd_a), B * 2.0, odd_b),
        ]
    }
}

/// `A y`: the gradient of four outputs to that of six points.
#[inline(always)]
unsafe fn output_adjoint<L: Lanes<Elem = f32>>(y: [L; 4]) -> [L; 6] {
    // SAFETY: as above.
    unsafe {
        let (even_a, odd_a) = (plus(y[0], 0.5, y[2]), times(plus(y[1], 0.5, y[3]), A));
        let (even_b, odd_b) = (plus(y[0], 2.0, y[2]), times(plus(y[1], 2.0, y[3]), B));
        [
            y[0],
            even_a.add(odd_a),
            plus(even_a, -1.0, odd_a),
            even_b.add(odd_b),
            plus(even_b, -1.0, odd_b),
            y[3],
        ]
    }
}

/// A transform in both directions, of a square of `I` × `I` registers to one of `O` × `O`.
macro_rules! square {
    ($(#[$doc:meta])* $name:ident, $line:ident, $i:literal, $o:literal) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// As for [`Lanes`]; closures must be `#[inline(always)]`, and the pointers that `from` and `to` give are valid for a register.
        #[inline(always)]
        pub unsafe fn $name<L: Lanes<Elem = f32>>(
            from: impl Fn(usize, usize) -> L,
            mut to: impl FnMut(usize, usize, L),
        ) {
            // SAFETY: the caller's promise.
            unsafe {
                let mut half = [[L::splat(0.0); $i]; $o];
                for j in 0..$i {
                    let mut column = [L::splat(0.0); $i];
                    for i in 0..$i {
                        column[i] = from(i, j);
                    }
                    let column = $line(column);
                    for i in 0..$o {
                        half[i][j] = column[i];
                    }
                }
                for i in 0..$o {
                    let row = $line(half[i]);
                    for j in 0..$o {
                        to(i, j, row[j]);
                    }
                }
            }
        }
    };
}
square!(
    /// `Bᵀ d B`: a tile of 6 × 6 inputs to its points.
    input_square, input, 6, 6
);
square!(
    /// `G g Gᵀ`: 3 × 3 taps to their points.
    taps_square, taps, 3, 6
);
square!(
    /// `Gᵀ u G`: the gradient of the points to that of 3 × 3 taps.
    taps_square_adjoint, taps_adjoint, 6, 3
);
square!(
    /// `Aᵀ m A`: the products' sums to 4 × 4 outputs.
    output_square, output, 6, 4
);
square!(
    /// `A y Aᵀ`: the gradient of 4 × 4 outputs to that of the points.
    output_square_adjoint, output_adjoint, 4, 6
);
