//! The types that programs run in.

use super::loops::{self, Loop, OPS};
use super::print::c_float;
use crate::simd::Isa;

/// How many types there are.
pub(super) const COUNT: usize = 6;

mod sealed {
    pub trait Sealed {}
}

/// A type that a program runs in: `f32`, `f64`, `i64`, `i32`, `u8`, `i8`. Integers wrap around.
pub trait Lane: Copy + Default + PartialEq + Send + Sync + sealed::Sealed + 'static {
    /// The place of what is compiled for this type.
    #[doc(hidden)]
    const INDEX: usize;
    /// Its name in Rust.
    #[doc(hidden)]
    const NAME: &'static str;
    /// Its name in C.
    #[doc(hidden)]
    const C: &'static str;
    /// A number as C code.
    #[doc(hidden)]
    fn c_literal(x: f64) -> String;
    /// The nearest value to a constant or parameter.
    #[doc(hidden)]
    fn constant(x: f64) -> Self;
    /// The loops for a family of instructions.
    #[doc(hidden)]
    fn loops(isa: Isa) -> &'static [Option<Loop>; OPS];
}

macro_rules! lanes {
    ($($t:ident $index:literal $c:literal $literal:expr; $portable:ident $avx2:ident $avx512:ident;)*) => {$(
        impl sealed::Sealed for $t {}
        impl Lane for $t {
            const INDEX: usize = $index;
            const NAME: &'static str = stringify!($t);
            const C: &'static str = $c;
            fn c_literal(x: f64) -> String {
                let literal: fn(f64) -> String = $literal;
                literal(x)
            }
            fn constant(x: f64) -> $t {
                x as $t
            }
            fn loops(isa: Isa) -> &'static [Option<Loop>; OPS] {
                match isa {
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx512 => &loops::$avx512::TABLE,
                    #[cfg(target_arch = "x86_64")]
                    Isa::Avx2 => &loops::$avx2::TABLE,
                    _ => &loops::$portable::TABLE,
                }
            }
        }
    )*};
}
// AVX-512 pays for polynomials only, which floats have.
lanes! {
    f32 0 "float" |x| c_float(x, format!("{:e}", x as f32), "f"); f32_portable f32_avx2 f32_avx512;
    f64 1 "double" |x| c_float(x, format!("{x:e}"), ""); f64_portable f64_avx2 f64_avx512;
    i64 2 "int64_t" |x| format!("INT64_C({})", x as i64); i64_portable i64_avx2 i64_avx2;
    i32 3 "int32_t" |x| (x as i32).to_string(); i32_portable i32_avx2 i32_avx2;
    u8 4 "uint8_t" |x| (x as u8).to_string(); u8_portable u8_avx2 u8_avx2;
    i8 5 "int8_t" |x| (x as i8).to_string(); i8_portable i8_avx2 i8_avx2;
}
