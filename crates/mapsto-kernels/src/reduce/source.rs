//! Where the elements of a reduction lie, and how they come to be slices of the type that is computed in.

use std::ops::Range;

/// The elements of every result: result `k` and its element `j` lie at `offset` and so many strides of the kept and of the
/// gone axes, each list row-major.
pub struct Source<'a, T> {
    /// All that is stored, where that is of the type computed in.
    pub plain: Option<&'a [T]>,
    /// Writes the numbers that lie at a place and at steps from it.
    pub bring: &'a (dyn Fn(isize, isize, &mut [T]) + Sync),
    /// Where the first element lies.
    pub offset: isize,
    /// Sizes and strides of the axes that are left.
    pub kept: &'a [(usize, isize)],
    /// Sizes and strides of the axes that go.
    pub gone: &'a [(usize, isize)],
}

/// Runs below this length are gathered before they are folded.
const RUN: usize = 64;
/// Results of so few elements, of many that lie at even steps, are folded side by side, however near their elements are.
const NARROW: usize = 8;

/// How far the element of a row-major index lies from the first.
pub(super) fn place(axes: &[(usize, isize)], mut index: usize) -> isize {
    let mut at = 0;
    for (k, &(n, stride)) in axes.iter().enumerate().rev() {
        if k == 0 {
            return at + index as isize * stride;
        }
        at += (index % n) as isize * stride;
        index /= n;
    }
    at
}

impl<T> Source<'_, T> {
    /// Whether neighbouring results are taken side by side: they are nearer to each other than neighbouring elements of one,
    /// or these are so few that reading each result's own takes longer than folding them.
    pub(super) fn is_across(&self) -> bool {
        match (self.kept.last(), self.gone) {
            (Some(kept), [.., gone]) if kept.1.unsigned_abs() < gone.1.unsigned_abs() => true,
            (Some(&(results, _)), &[(n, _)]) => n <= NARROW && results >= RUN && !self.is_dense(n),
            _ => false,
        }
    }

    /// Whether elements must be written elsewhere before they can be folded.
    pub(super) fn is_brought(&self) -> bool {
        let run = if self.is_across() { self.kept.last() } else { self.gone.last() };
        let long = self.is_across() || self.gone.len() == 1 || run.is_some_and(|run| run.0 >= RUN);
        self.plain.is_none() || !long || run.is_some_and(|run| run.1 != 1)
    }

    /// Whether rows of `n` elements lie one after the other.
    pub(super) fn is_dense(&self, n: usize) -> bool {
        matches!((self.kept, self.gone), ([(_, jump)], [(_, 1)]) if *jump == n as isize)
    }

    /// `len` numbers at steps from a place: where they lie, or in `room`.
    pub(super) fn run<'r>(&'r self, at: isize, step: isize, len: usize, room: &'r mut [T]) -> &'r [T] {
        match self.plain {
            Some(x) if step == 1 || len == 1 => &x[at as usize..][..len],
            _ => {
                let room = &mut room[..len];
                (self.bring)(at, step, room);
                room
            }
        }
    }

    /// Shows elements of a result in order, in pieces: where they lie, or in `room`.
    pub(crate) fn spans(
        &self,
        result: usize,
        range: Range<usize>,
        room: &mut [T],
        visit: &mut dyn FnMut(&[T]),
    ) {
        let base = self.offset + place(self.kept, result);
        let (&(inner, step), around) = self.gone.split_last().unwrap_or((&(1, 1), &[]));
        let plain = self.plain.filter(|_| room.is_empty());
        let (mut at, mut filled) = (range.start, 0);
        while at < range.end {
            let (row, j) = (at / inner, at % inner);
            let from = base + place(around, row) + j as isize * step;
            let mut len = (inner - j).min(range.end - at);
            match plain {
                Some(x) => visit(&x[from as usize..][..len]),
                None => {
                    len = len.min(room.len() - filled);
                    (self.bring)(from, step, &mut room[filled..filled + len]);
                    filled += len;
                    if filled == room.len() || at + len == range.end {
                        visit(&room[..filled]);
                        filled = 0;
                    }
                }
            }
            at += len;
        }
    }
}
