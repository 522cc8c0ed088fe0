//! Which ways to products of rounded operands a processor has, and which of them is its fastest.

use crate::simd::{Isa, isa};
use std::sync::OnceLock;

/// How rounded operands are multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As f32 numbers, one step at a time: on every processor.
    Singles,
    /// As bf16 numbers, two steps at a time: on x86-64 with AVX512-BF16. A single row or column, and at most 2¹⁵
    /// multiplications, go the other way all the same: packing would cost more than it saves.
    Pairs,
    /// As bf16 numbers on the tiles of AMX, 32 steps at a time: on Linux on x86-64 with AMX-BF16 (Intel's Xeons since
    /// 2023). What has fewer than 16 rows, columns or steps, or fewer than 2¹⁸ multiplications, goes as in singles.
    Tiles,
}

impl Way {
    /// The ways this processor can go.
    ///
    /// ```
    /// use mapsto_kernels::gemm::bf16::Way;
    /// assert_eq!(Way::available()[0], Way::Singles);
    /// ```
    pub fn available() -> &'static [Way] {
        const ALL: [Way; 3] = [Way::Singles, Way::Pairs, Way::Tiles];
        // What has tiles has pairs.
        &ALL[..1 + has_pairs() as usize + has_tiles() as usize]
    }

    /// The fastest of them: tiles if there are any, pairs on AMD's processors, else singles; and singles where
    /// [`with_isa`](crate::simd::with_isa) rules AVX-512 out.
    pub fn fastest() -> Way {
        static AMD: OnceLock<bool> = OnceLock::new();
        match isa() {
            Isa::Avx512 if has_tiles() => Way::Tiles,
            Isa::Avx512 if has_pairs() && *AMD.get_or_init(is_amd) => Way::Pairs,
            _ => Way::Singles,
        }
    }
}

/// Whether rounding to bf16 makes products faster on this processor, rather than only coarser.
///
/// It does on the tiles of AMX, and where VDPBF16PS multiplies faster than the multiply-adds of f32. AMD's processors since
/// Zen 4 are said to do one a cycle, which is twice the rate of f32; no such processor has been at hand to measure. Intel's
/// are slower by it (Sapphire Rapids in registers: 90 GFLOP/s a core beside 180 of f32).
pub fn is_faster_than_f32() -> bool {
    Way::fastest() != Way::Singles
}

#[cfg(target_arch = "x86_64")]
fn has_pairs() -> bool {
    let avx512 = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
    avx512 && is_x86_feature_detected!("avx512bf16")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_pairs() -> bool {
    false
}

#[cfg(target_arch = "x86_64")]
fn has_tiles() -> bool {
    super::tiles::is_there()
}

#[cfg(not(target_arch = "x86_64"))]
fn has_tiles() -> bool {
    false
}

/// Whether the processor calls itself `AuthenticAMD`, which lies in three registers.
#[cfg(target_arch = "x86_64")]
fn is_amd() -> bool {
    let name = std::arch::x86_64::__cpuid(0);
    [name.ebx, name.edx, name.ecx].map(u32::to_le_bytes).as_flattened() == b"AuthenticAMD"
}

#[cfg(not(target_arch = "x86_64"))]
fn is_amd() -> bool {
    false
}
