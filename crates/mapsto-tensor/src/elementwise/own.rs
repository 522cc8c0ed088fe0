//! `Own`: whether an operation has a loop that the compiler makes of it, beside the program that all have.

/// Which loop of its own an operation has for f32 beside its program: for the few operations that are run so often that its
/// build time pays. Such a loop costs a tenth of a microsecond less for a few numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Own {
    /// None.
    Never,
    /// One for short slices: of many steps, which the program runs faster over long ones, as its loops have AVX-512.
    Short,
    /// One for all slices: a program of a few cheap steps takes longer.
    Always,
    /// One for all slices, with AVX-512, where parts that steps of the program share pay for it.
    Wide,
}

impl Own {
    pub(crate) const fn is_never(self) -> bool {
        matches!(self, Own::Never)
    }

    pub(super) const fn is_wide(self) -> bool {
        matches!(self, Own::Wide)
    }

    /// Whether the loop runs over a slice of this length.
    #[inline(always)]
    pub(crate) const fn runs(self, len: usize) -> bool {
        match self {
            Own::Never => false,
            Own::Short => len <= 512,
            Own::Always | Own::Wide => true,
        }
    }
}
