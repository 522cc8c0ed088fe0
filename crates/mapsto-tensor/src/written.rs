//! Elementwise operations written down as programs: each once, and found again by the operation's type.

use mapsto_kernels::program::{Params, Program};
use std::any::TypeId;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::OnceLock;

/// A program that is kept for the next call, or one that only this call can use.
pub enum Written {
    /// One that is kept.
    Kept(&'static Program),
    /// One for this call: the operation holds more than its parameters say.
    Fresh(Box<Program>),
}

impl Deref for Written {
    type Target = Program;
    #[inline]
    fn deref(&self) -> &Program {
        match self {
            Written::Kept(program) => program,
            Written::Fresh(program) => program,
        }
    }
}

/// The program of an operation of type `Op` with these parameters. `write` writes it down where it is not known yet.
///
/// What distinguishes two operations of a type must be in its parameters. One that has other fields is written down in
/// every call, which is slow but right; and while tests run, a kept program is compared with a new one.
#[inline]
pub(crate) fn written<Op: 'static>(params: &Params, write: impl Fn() -> Program) -> Written {
    let op = Described { id: TypeId::of::<Op>(), size: size_of::<Op>(), name: std::any::type_name::<Op> };
    written_by(op, params, &write)
}

/// What is known of an operation's type.
struct Described {
    id: TypeId,
    size: usize,
    name: fn() -> &'static str,
}

/// The same, compiled once for all operations.
fn written_by(op: Described, params: &Params, write: &dyn Fn() -> Program) -> Written {
    if !params.cover(op.size) {
        return Written::Fresh(Box::new(write()));
    }
    let Some(program) = find((op.id, params.shape().unwrap_or(0)), write) else {
        return Written::Fresh(Box::new(write()));
    };
    debug_assert!(op.size == 0 || *program == write(), "{}: not all of it is in its `params`", (op.name)());
    Written::Kept(program)
}

type Key = (TypeId, u64);

/// So many programs are kept, and found without a lock.
const SLOTS: usize = 1024;
static KEPT: [OnceLock<(Key, Box<Program>)>; SLOTS] = [const { OnceLock::new() }; SLOTS];

#[inline]
fn find(key: Key, write: &dyn Fn() -> Program) -> Option<&'static Program> {
    let mut at = place(&key);
    // Places are taken one after the other and never given back, so a free place ends the search.
    for _ in 0..SLOTS {
        let (there, program) = KEPT[at].get_or_init(|| (key, Box::new(write())));
        if *there == key {
            return Some(program);
        }
        at = (at + 1) % SLOTS;
    }
    None
}

/// Type ids are hashes already.
#[inline]
fn place(key: &Key) -> usize {
    struct Low(u64);
    impl Hasher for Low {
        fn finish(&self) -> u64 {
            self.0
        }
        fn write(&mut self, bytes: &[u8]) {
            bytes.iter().for_each(|b| self.0 = self.0.rotate_left(8) ^ *b as u64);
        }
        #[inline]
        fn write_u64(&mut self, x: u64) {
            self.0 ^= x;
        }
    }
    let mut low = Low(key.1.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    key.0.hash(&mut low);
    low.0 as usize % SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use mapsto_kernels::real::Real;

    #[test]
    fn programs_are_kept_by_type_and_shape_and_those_with_more_fields_are_not() {
        struct Scale(f64);
        let of = |s: &Scale, declared: Params| {
            let s = s.0;
            written::<Scale>(&declared, move || {
                Program::with(declared, 1, |x| {
                    x[0] * if declared.values().is_empty() { Real::from_f64(s) } else { Real::param(0, s) }
                })
            })
        };
        let run = |p: &Program, params: Params| p.eval(&params, &[3.0]);
        for s in [2.0, 5.0] {
            let (declared, none) = (Params::from([s]), Params::NONE);
            let kept = of(&Scale(s), declared);
            assert!(matches!(kept, Written::Kept(_)) && run(&kept, declared) == 3.0 * s);
            let fresh = of(&Scale(s), none);
            assert!(matches!(fresh, Written::Fresh(_)) && run(&fresh, none) == 3.0 * s);
        }
        struct Power(i32);
        let of = |n: i32| {
            let op = Power(n);
            written::<Power>(&Params::NONE.shaped_by(n as u64), move || Program::of(1, |x| x[0].powi(op.0)))
        };
        assert_eq!(
            [run(&of(2), Params::NONE), run(&of(3), Params::NONE), run(&of(2), Params::NONE)],
            [9.0, 27.0, 9.0]
        );
    }
}
