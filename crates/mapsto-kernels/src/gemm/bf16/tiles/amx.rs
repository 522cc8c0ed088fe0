//! The instructions of AMX: eight registers of 16 rows of 64 bytes, of which four hold sums of C and four operands.

use std::arch::asm;
use std::sync::OnceLock;

/// Lanes, and pairs of steps, of a tile.
pub const TILE: usize = 16;
/// Steps of a tile: a pair in each of its 32-bit elements.
pub const STEPS: usize = 2 * TILE;
/// 32-bit elements of a tile.
pub const AREA: usize = TILE * TILE;
/// Lanes of a panel, of A or of B: two tiles.
pub const PANEL: usize = 2 * TILE;

/// Whether the processor has tiles of bf16 and the system lets this process use them.
pub fn is_there() -> bool {
    static THERE: OnceLock<bool> = OnceLock::new();
    let found = || {
        let avx512 = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
        let more = is_x86_feature_detected!("avx512vl") && is_x86_feature_detected!("avx512bf16");
        avx512 && more && as_expected() && is_granted()
    };
    *THERE.get_or_init(found)
}

/// Tiles, their instruction for bf16, and palette 1 with eight tiles of 16 rows of 64 bytes, by CPUID (Intel's manual,
/// volume 2); and that the system has enabled their state.
fn as_expected() -> bool {
    use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
    #[target_feature(enable = "xsave")]
    fn enabled() -> u64 {
        // SAFETY: register 0 exists wherever the instruction does.
        unsafe { _xgetbv(0) }
    }
    const CONFIG_AND_DATA: u64 = 0b11 << 17;
    if __cpuid(0).eax < 0x1d || !is_x86_feature_detected!("xsave") {
        return false;
    }
    let (features, palette) = (__cpuid_count(7, 0).edx, __cpuid_count(0x1d, 1));
    let (bf16, tiles) = (features >> 22 & 1 == 1, features >> 24 & 1 == 1);
    let sizes = palette.ebx == 8 << 16 | 64 && palette.ecx & 0xffff == TILE as u32;
    // SAFETY: the processor has the instruction.
    bf16 && tiles && sizes && unsafe { enabled() } & CONFIG_AND_DATA == CONFIG_AND_DATA
}

/// Linux saves tiles, 8 KiB a thread, only for processes that ask; asking once is enough for all threads. (The kernel's
/// documentation, "Using XSTATE features in user space applications".)
#[cfg(target_os = "linux")]
fn is_granted() -> bool {
    const ARCH_PRCTL: isize = 158;
    const ARCH_REQ_XCOMP_PERM: usize = 0x1023;
    const TILE_DATA: usize = 18;
    let mut result = ARCH_PRCTL;
    // SAFETY: the call changes nothing but what the kernel saves of this process's registers, and is an error where it is
    // not known. System calls overwrite RCX and R11 besides their result.
    unsafe {
        asm!(
            "syscall",
            inout("rax") result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") TILE_DATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    result == 0
}

/// Other systems have other ways to ask, which have not been tried.
#[cfg(not(target_os = "linux"))]
fn is_granted() -> bool {
    false
}

/// Runs `f` with this thread's tiles set up for [`multiply`].
///
/// # Safety
/// [`is_there`].
pub unsafe fn with_tiles<R>(f: impl FnOnce() -> R) -> R {
    /// "Tile configuration format" of Intel's manual, volume 1, 18.2.
    #[repr(C, align(64))]
    struct Config {
        palette: u8,
        start_row: u8,
        reserved: [u8; 14],
        row_bytes: [u16; 16],
        rows: [u8; 16],
    }
    /// Releases the tiles, after which switching threads costs nothing more, and also where `f` panics.
    struct Release;
    impl Drop for Release {
        fn drop(&mut self) {
            // SAFETY: made only after a configuration was loaded.
            unsafe { asm!("tilerelease", options(nostack, preserves_flags)) }
        }
    }
    let mut config =
        Config { palette: 1, start_row: 0, reserved: [0; 14], row_bytes: [0; 16], rows: [0; 16] };
    config.row_bytes[..8].fill(4 * TILE as u16);
    config.rows[..8].fill(TILE as u8);
    // SAFETY: the caller's promise; the configuration is 64 bytes.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &config, options(nostack, readonly, preserves_flags)) };
    let _release = Release;
    f()
}

/// The four products of the operands in tiles 4 and 5 (rows of C) and 6 and 7 (columns).
macro_rules! products {
    () => {
        "tdpbf16ps tmm0, tmm4, tmm6
        tdpbf16ps tmm1, tmm4, tmm7
        tdpbf16ps tmm2, tmm5, tmm6
        tdpbf16ps tmm3, tmm5, tmm7
        "
    };
}

/// Loads two tiles, from these places in a panel.
macro_rules! load {
    ($first:literal, $second:literal, $panel:literal, $at:literal, $next:literal) => {
        concat!(
            concat!("tileloadd ", $first, ", [{", $panel, "} + {line} + ", $at, "]\n"),
            concat!("tileloadd ", $second, ", [{", $panel, "} + {line} + ", $next, "]\n")
        )
    };
}
/// The two tiles of a part of A.
macro_rules! left {
    ($at:literal, $next:literal) => {
        load!("tmm4", "tmm5", "a", $at, $next)
    };
}
/// The two tiles of a part of B.
macro_rules! right {
    ($at:literal, $next:literal) => {
        load!("tmm6", "tmm7", "b", $at, $next)
    };
}

/// C (32 × 32, its rows `stride` elements apart) = or += A·B from panels of `blocks` blocks of 32 steps. A block holds, part
/// by part, the two tiles of a panel's lanes. With two parts three products, the smaller ones first: a₁b₀, a₀b₀, a₀b₁.
///
/// # Safety
/// Inside [`with_tiles`]; the panels hold the blocks, of which there is at least one, and C the rows.
#[inline(always)]
pub unsafe fn multiply<const PARTS: usize>(
    blocks: usize,
    a: *const u32,
    b: *const u32,
    c: *mut f32,
    stride: usize,
    add: bool,
) {
    const { assert!(PARTS == 1 || PARTS == 2) };
    let stride = stride * size_of::<f32>();
    // C's four tiles start from zero or from what C holds; then the steps; then they are stored.
    macro_rules! product {
        ($size:literal, $($step:expr),*) => {
            asm!(
                "test {add}, {add}
                jne 2f
                tilezero tmm0
                tilezero tmm1
                tilezero tmm2
                tilezero tmm3
                jmp 3f
                2:
                tileloadd tmm0, [{c} + {stride}]
                tileloadd tmm1, [{c} + {stride} + 64]
                tileloadd tmm2, [{below} + {stride}]
                tileloadd tmm3, [{below} + {stride} + 64]
                3:",
                concat!($($step),*),
                concat!("add {a}, ", $size),
                concat!("add {b}, ", $size),
                "dec {blocks}
                jnz 3b
                tilestored [{c} + {stride}], tmm0
                tilestored [{c} + {stride} + 64], tmm1
                tilestored [{below} + {stride}], tmm2
                tilestored [{below} + {stride} + 64], tmm3",
                blocks = inout(reg) blocks => _,
                a = inout(reg) a => _,
                b = inout(reg) b => _,
                c = in(reg) c,
                below = in(reg) c.wrapping_byte_add(TILE * stride),
                stride = in(reg) stride,
                line = in(reg) 4 * TILE,
                add = in(reg) add as usize,
                options(nostack),
            )
        };
    }
    // SAFETY: the caller's promise; memory is touched within it, and the tiles are nobody else's.
    unsafe {
        match PARTS {
            1 => product!(2048, left!(0, 1024), right!(0, 1024), products!()),
            _ => product!(
                4096,
                left!(2048, 3072),
                right!(0, 1024),
                products!(),
                left!(0, 1024),
                products!(),
                right!(2048, 3072),
                products!()
            ),
        }
    }
}
