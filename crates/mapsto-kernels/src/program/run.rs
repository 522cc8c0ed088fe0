//! Running a program over slices, tile by tile: the temporaries of a tile stay in the first cache.

use super::compile::{Block, Compiled, compile};
use super::loops::{BLOCK, Loop, OPS, Operand};
use super::{Lane, Params, Program};
use crate::simd::isa;
use std::mem::MaybeUninit;

/// The most inputs of a program.
pub const INPUTS: usize = 4;
/// Bytes of a tile of one operand: 512 numbers of f32. Between 256 and 1024 nothing changes, 4096 is slower.
const TILE: usize = 2048;
/// Operands and temporaries that fit on the stack.
const OPERANDS: usize = 160;
const TEMPS: usize = 4;
/// Above so many bytes an operand comes from memory, and the next tile is fetched while one is worked on.
const FAR: usize = 2 << 20;

impl Block {
    pub(super) fn filled<T: Lane>(x: T) -> Block {
        let mut block = Block([0; BLOCK]);
        fill(&mut block, x);
        block
    }
}

fn fill<T: Lane>(block: *mut Block, x: T) {
    for i in 0..BLOCK / size_of::<T>() {
        // SAFETY: the block holds so many elements and is aligned for all of them; every caller owns it.
        unsafe { (block as *mut T).add(i).write(x) }
    }
}

impl Program {
    /// Runs it: `yᵢ` of the i-th element of each input. An input of one element is repeated.
    ///
    /// # Panics
    /// When the number of inputs, of parameters or the lengths do not fit, or the type lacks a primitive of the program
    /// (integers know arithmetic and comparisons only).
    pub fn run<T: Lane>(&self, params: &Params, xs: &[&[T]], y: &mut [T]) {
        let n = y.len();
        assert_eq!(xs.len(), self.inputs, "program: inputs");
        assert!(self.params <= params.values().len(), "program: {} parameters, got {params:?}", self.params);
        assert!(xs.iter().all(|x| x.len() == n || x.len() == 1), "program: lengths differ");
        if n == 0 {
            return;
        }
        let compiled = self.compiled::<T>();
        let mut blocks = [const { MaybeUninit::<Block>::uninit() }; INPUTS + super::params::MOST];
        let mut operands = [Operand { at: std::ptr::null_mut(), step: 0 }; INPUTS + super::params::MOST];
        let count = self.inputs + self.params;
        for (i, (operand, block)) in operands.iter_mut().zip(&mut blocks).take(count).enumerate() {
            let (x, repeated) = match xs.get(i) {
                Some(x) => (x[0], x.len() == 1),
                None => (T::constant(params.values()[i - self.inputs]), true),
            };
            *operand = if repeated {
                fill(block.as_mut_ptr(), x);
                Operand { at: block.as_mut_ptr() as *mut u8, step: 0 }
            } else {
                Operand { at: xs[i].as_ptr() as *mut u8, step: 1 }
            };
        }
        // SAFETY: each operand is a slice of n elements or a filled block; `y` overlaps none of them; `isa` gives only
        // instructions that the processor has.
        unsafe {
            run(compiled, T::loops(isa()), size_of::<T>(), y.as_mut_ptr() as *mut u8, &operands[..count], n)
        }
    }

    /// Whether it can run in a type.
    pub fn runs_in<T: Lane>(&self) -> bool {
        self.compiled[T::INDEX].get().is_some() || compile::<T>(self).is_some()
    }

    fn compiled<T: Lane>(&self) -> &Compiled {
        self.compiled[T::INDEX].get_or_init(|| {
            assert!(self.inputs <= INPUTS, "program: {} inputs, the most is {INPUTS}", self.inputs);
            assert!(self.params <= super::params::MOST, "program: {} parameters", self.params);
            compile::<T>(self)
                .unwrap_or_else(|| panic!("{self} cannot run in {}", std::any::type_name::<T>()))
        })
    }
}

/// # Safety
/// `y` must have room for `n` elements of `size` bytes and overlap no operand. Each operand must have as many (step 1)
/// or be a block of them (step 0). The processor must have the loops' instructions.
unsafe fn run(
    program: &Compiled,
    loops: &[Option<Loop>; OPS],
    size: usize,
    y: *mut u8,
    xs: &[Operand],
    n: usize,
) {
    let bytes = n * size;
    let whole = bytes / BLOCK * BLOCK;
    let fixed = 1 + xs.len() + program.constants.len();
    let mut stack = [const { MaybeUninit::<Operand>::uninit() }; OPERANDS];
    let mut heap = Vec::new();
    let table = if fixed + program.temps <= OPERANDS {
        stack.as_mut_ptr() as *mut Operand
    } else {
        heap.reserve(fixed + program.temps);
        heap.as_mut_ptr()
    };
    let tile = if program.temps == 0 { whole } else { TILE.min(whole.max(BLOCK)) };
    let mut near = [const { MaybeUninit::<Block>::uninit() }; TEMPS * TILE / BLOCK];
    let mut more = Vec::<Block>::new();
    let temps = if program.temps <= TEMPS {
        near.as_mut_ptr() as *mut u8
    } else {
        more.reserve(program.temps * tile / BLOCK);
        more.as_mut_ptr() as *mut u8
    };
    // SAFETY: the table has room for all operands. Constants and temporaries are whole blocks, the latter as long as a
    // tile. Every loop gets as many blocks as its operands have left; the incomplete last block goes through buffers of
    // its own. Temporaries are written before they are read, as a step takes only earlier ones.
    unsafe {
        for (i, c) in program.constants.iter().enumerate() {
            *table.add(1 + xs.len() + i) = Operand { at: c.0.as_ptr() as *mut u8, step: 0 };
        }
        for i in 0..program.temps {
            *table.add(fixed + i) = Operand { at: temps.add(i * tile), step: 1 };
        }
        let read = table as *const Operand;
        let steps = |blocks: usize| {
            for instr in &program.instrs {
                if let Some(run) = loops[instr.op as usize] {
                    run(read, &instr.r, blocks);
                }
            }
        };
        let mut at = 0;
        while at < whole {
            let here = tile.min(whole - at);
            *table = Operand { at: y.add(at), step: 1 };
            for (i, x) in xs.iter().enumerate() {
                *table.add(1 + i) = Operand { at: x.at.add(at * x.step), step: x.step };
            }
            if bytes > FAR && program.instrs.len() > 1 {
                let next = here.min(whole - at - here);
                for x in xs.iter().filter(|x| x.step == 1) {
                    (0..next).step_by(64).for_each(|line| prefetch(x.at.add(at + here + line)));
                }
            }
            steps(here / BLOCK);
            at += here;
        }
        if whole < bytes {
            let mut pads = [const { MaybeUninit::<Block>::uninit() }; INPUTS + super::params::MOST];
            let mut last = MaybeUninit::<Block>::uninit();
            *table = Operand { at: last.as_mut_ptr() as *mut u8, step: 1 };
            for (i, (x, pad)) in xs.iter().zip(&mut pads).enumerate() {
                *table.add(1 + i) = if x.step == 0 {
                    *x
                } else {
                    let pad = pad.as_mut_ptr() as *mut u8;
                    pad.write_bytes(0, BLOCK);
                    pad.copy_from_nonoverlapping(x.at.add(whole), bytes - whole);
                    Operand { at: pad, step: 1 }
                };
            }
            steps(1);
            y.add(whole).copy_from_nonoverlapping(last.as_ptr() as *const u8, bytes - whole);
        }
    }
}

#[inline(always)]
fn prefetch(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing and cannot fault.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(at as *const i8)
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}
