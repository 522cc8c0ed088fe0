//! Einstein's notation: products and sums of tensors whose axes have letters.

use crate::autocast::low_list;
use crate::check::floats;
use crate::error::named;
use crate::kind::{OpKind, Samples, Takes};
use crate::{Tensor, fail};
use std::borrow::Borrow;

impl Tensor {
    /// The sum of products that an equation names: each tensor has a letter for each axis, equal letters go together, and what
    /// does not stand behind the arrow is summed over. `...` stands for axes without letters, which broadcast. Without an arrow
    /// the result has the letters that stand there once, in their order.
    ///
    /// Two tensors at a time are joined by a matrix product, from the first to the last.
    ///
    /// * Shape: `"bij,bjk->bik"`: `[b, i, j], [b, j, k] → [b, i, k]`, floats only.   * Gradient: that of the products.
    /// * ONNX: `Einsum`.
    /// ```
    /// # use mapsto_tensor::prelude::*;
    /// let (a, b) = (tensor![[1.0, 2.0], [3.0, 4.0]], tensor![[1.0, 0.0], [2.0, 1.0]]);
    /// assert_close!(Tensor::einsum("ij,jk->ik", &[&a, &b]), [[5.0, 2.0], [11.0, 4.0]]);
    /// assert_close!(Tensor::einsum("ij->ji", &[&a]), [[1.0, 3.0], [2.0, 4.0]]);
    /// assert_eq!(Tensor::einsum("ii", &[&a]).item(), 5.0);
    /// ```
    /// # Panics
    /// When the equation cannot be read, or does not fit the tensors.
    #[track_caller]
    pub fn einsum<T: Borrow<Tensor>>(equation: &str, parts: &[T]) -> Tensor {
        let parts: Vec<&Tensor> = parts.iter().map(Borrow::borrow).collect();
        if let Some(low) = low_list(&parts) {
            return Tensor::einsum(equation, &low);
        }
        let Equation { terms, result } = Equation::read(equation, &parts);
        named("einsum", || {
            let whole = |letter: char| size(letter, &terms, &parts);
            let mut factors: Vec<Factor> =
                parts.iter().zip(&terms).map(|(x, letters)| Factor::of(x, letters, &whole)).collect();
            let needed: Vec<char> = (0..factors.len())
                .flat_map(|i| factors[i].letters.clone())
                .filter(|l| result.contains(l) || factors.iter().filter(|f| f.letters.contains(l)).count() > 1)
                .collect();
            factors.iter_mut().for_each(|factor| factor.sum_over(|l| !needed.contains(&l)));
            let mut rest = factors.into_iter();
            let first = rest.next().expect("an equation has a term");
            let rest: Vec<Factor> = rest.collect();
            let mut y = first;
            for (i, factor) in rest.iter().enumerate() {
                let later = |l: char| result.contains(&l) || rest[i + 1..].iter().any(|f| f.letters.contains(&l));
                y = y.join(factor, later);
            }
            y.sum_over(|l| !result.contains(&l));
            y.x.permute(places(&y.letters, &result))
        })
    }
}

/// The letters of the axes of each tensor and of the result. The axes of `...` are digits, counted from the last one.
struct Equation {
    terms: Vec<Vec<char>>,
    result: Vec<char>,
}

impl Equation {
    #[track_caller]
    fn read(equation: &str, parts: &[&Tensor]) -> Equation {
        let plain: String = equation.chars().filter(|c| *c != ' ').collect();
        let (left, right) = match plain.split_once("->") {
            Some((left, right)) => (left, Some(right)),
            None => (&plain[..], None),
        };
        let wrong = plain.replace("->", "").replace("...", "").chars().find(|c| !c.is_ascii_alphabetic() && *c != ',');
        if let Some(wrong) = wrong {
            fail!("einsum", "`{wrong}` in {equation:?}"; help = "letters, commas, `...` and one `->`");
        }
        let written: Vec<&str> = left.split(',').collect();
        if written.len() != parts.len() {
            fail!("einsum", "{equation:?} has {} terms for {} tensors", written.len(), parts.len());
        }
        let mut terms = Vec::new();
        for (term, x) in written.iter().zip(parts) {
            if !x.dtype().is_float() || x.dtype() != parts[0].dtype() {
                fail!("einsum", "floats of one dtype are needed, these are {} and {}", parts[0].dtype(), x.dtype();
                      help = "convert them with `.to(DType::F32)`");
            }
            let open = (x.rank() + 3).checked_sub(term.len()).filter(|_| term.contains("..."));
            if open.is_none() && term.len() != x.rank() || term.matches("...").count() > 1 {
                fail!("einsum", "`{term}` does not name the axes of {:?}", x.shape(); help = "a letter for each axis; `...` stands for several");
            }
            terms.push(expanded(term, open.unwrap_or(0)));
        }
        let all: Vec<char> = terms.iter().flatten().copied().collect();
        let most = all.iter().filter(|l| l.is_ascii_digit()).map(|l| *l as usize - '0' as usize + 1).max().unwrap_or(0);
        let result = match right {
            Some(right) => expanded(right, most),
            None => {
                let mut once: Vec<char> =
                    all.iter().copied().filter(|l| l.is_ascii_alphabetic() && all.iter().filter(|o| *o == l).count() == 1).collect();
                once.sort_unstable();
                expanded("...", most).into_iter().chain(once).collect()
            }
        };
        for (i, letter) in result.iter().enumerate() {
            if !all.contains(letter) || result[..i].contains(letter) {
                fail!("einsum", "`{letter}` of the result of {equation:?} must stand there once, and in a term");
            }
        }
        for (term, x) in terms.iter().zip(parts) {
            for (letter, n) in term.iter().zip(x.shape()) {
                let whole = size(*letter, &terms, parts);
                if *n != whole && !(letter.is_ascii_digit() && *n == 1) {
                    fail!("einsum", "`{letter}` of {equation:?} is {n} and {whole}");
                }
            }
        }
        Equation { terms, result }
    }
}

/// A term whose `...` stands for so many axes.
fn expanded(term: &str, open: usize) -> Vec<char> {
    let digits: String = (0..open).rev().map(|i| char::from(b'0' + i as u8)).collect();
    term.replace("...", &digits).chars().collect()
}

/// The size of a letter: of several, which broadcast, the one that is not 1.
fn size(letter: char, terms: &[Vec<char>], parts: &[&Tensor]) -> usize {
    let all = terms.iter().zip(parts).flat_map(|(term, x)| term.iter().zip(x.shape()));
    let sizes = all.filter(|(l, _)| **l == letter).map(|(_, n)| *n);
    sizes.reduce(|a, b| if a == 1 { b } else { a }).unwrap_or(1)
}

/// Where each of these letters stands.
fn places(letters: &[char], wanted: &[char]) -> Vec<usize> {
    wanted.iter().map(|l| letters.iter().position(|k| k == l).expect("a letter of the term")).collect()
}

/// A tensor with a letter of its own for each axis.
struct Factor {
    x: Tensor,
    letters: Vec<char>,
}

impl Factor {
    /// Axes of one letter become their diagonal, and those of `...` have their whole size.
    fn of(x: &Tensor, letters: &[char], whole: &dyn Fn(char) -> usize) -> Factor {
        let wide: Vec<usize> = letters.iter().map(|l| whole(*l)).collect();
        let mut factor = Factor { x: x.expand(wide), letters: letters.to_vec() };
        while let Some((i, j)) = twice(&factor.letters) {
            let letter = factor.letters.remove(j);
            factor.letters.remove(i);
            factor.letters.push(letter);
            factor.x = factor.x.diagonal(0, i, j);
        }
        factor
    }

    fn sum_over(&mut self, gone: impl Fn(char) -> bool) {
        let axes: Vec<usize> = (0..self.letters.len()).filter(|&i| gone(self.letters[i])).collect();
        if !axes.is_empty() {
            self.x = self.x.sum(&axes[..]);
            self.letters.retain(|l| !gone(*l));
        }
    }

    /// The product, summed over what both have and nobody needs later: `[batch, left, shared] × [batch, shared, right]`.
    fn join(&self, other: &Factor, later: impl Fn(char) -> bool) -> Factor {
        let (mine, theirs) = (&self.letters, &other.letters);
        let both = |keep: bool| mine.iter().copied().filter(|l| theirs.contains(l) && later(*l) == keep).collect::<Vec<_>>();
        let only = |a: &[char], b: &[char]| a.iter().copied().filter(|l| !b.contains(l)).collect::<Vec<_>>();
        let (batch, shared, left, right) = (both(true), both(false), only(mine, theirs), only(theirs, mine));
        let matrix = |factor: &Factor, groups: [&[char]; 3]| {
            let at = places(&factor.letters, &groups.concat());
            let sizes = groups.map(|g| g.iter().map(|l| factor.x.shape()[places(&factor.letters, &[*l])[0]]).product::<usize>());
            factor.x.permute(at).reshape(sizes)
        };
        let (a, b) = (matrix(self, [&batch, &left, &shared]), matrix(other, [&batch, &shared, &right]));
        let y = if shared.is_empty() { a * b } else { a.matmul(&b) };
        let of = |factor: &Factor, letters: &[char]| places(&factor.letters, letters).iter().map(|&i| factor.x.shape()[i]).collect::<Vec<_>>();
        let sizes = [of(self, &batch), of(self, &left), of(other, &right)].concat();
        Factor { x: y.reshape(sizes), letters: [batch, left, right].concat() }
    }
}

/// The first two places of one letter.
fn twice(letters: &[char]) -> Option<(usize, usize)> {
    (0..letters.len()).find_map(|j| letters[..j].iter().position(|l| *l == letters[j]).map(|i| (i, j)))
}

pub(super) const KINDS: &[OpKind] = &[
    OpKind::new("einsum", "The sum of products that an equation of letters names.", Takes::Floats, samples).made_of("permute, reshape, matmul and sum"),
];

fn samples(s: &mut Samples) {
    let d = floats(-2.0..2.0);
    s.of(&[(&[2, 3], &d), (&[3, 4], &d)], |x| Tensor::einsum("ij,jk->ik", x));
    s.of(&[(&[2, 3, 4], &d), (&[2, 4, 3], &d)], |x| Tensor::einsum("...ij,...ji->...", x));
    s.of(&[(&[3], &d), (&[2], &d), (&[3, 2], &d)], |x| Tensor::einsum("i,j,ij", x));
    s.of(&[(&[3, 3, 2], &d)], |x| Tensor::einsum("iij->j", x));
}

#[cfg(test)]
mod tests {
    use crate::check::*;
    use crate::prelude::*;

    #[test]
    fn einsum() {
        let d = || floats(-2.0..2.0);
        check2(|a, b| Tensor::einsum("bij,bjk->bki", &[a, b]))
            .shapes([&[2, 3, 4], &[2, 4, 5]])
            .formula(|[a, b]| Numbers::from_fn(&[2, 5, 3], |at| (0..4).map(|j| a.at(&[at[0], at[2], j]) * b.at(&[at[0], j, at[1]])).sum()))
            .on(d(), d());
        check2(|a, b| Tensor::einsum("...i,i...->...", &[a, b]))
            .shapes([&[2, 3], &[3, 1]])
            .formula(|[a, b]| Numbers::from_fn(&[2], |at| (0..3).map(|i| a.at(&[at[0], i]) * b.at(&[i, 0])).sum()))
            .on(d(), d());
        check(|a| Tensor::einsum("iji->j", &[a]))
            .shapes([&[3, 2, 3]])
            .formula(|[a]| Numbers::from_fn(&[2], |at| (0..3).map(|i| a.at(&[i, at[0], i])).sum()))
            .on(d());
        check3(|a, b, c| Tensor::einsum("ij,jk,kl", &[a, b, c])).shapes([&[2, 3], &[3, 4], &[4, 2]]).on(d(), d(), d());
        check2(|a, b| Tensor::einsum("i,j->ij", &[a, b])).shapes([&[2], &[3]]).on(d(), d());
        check2(|a, b| Tensor::einsum("ij,ij->", &[a, b])).shapes([&[2, 3], &[2, 3]]).on(d(), d());
    }

    #[test]
    fn sums_over_nothing_are_zeros() {
        let of = |shape: &[usize]| Tensor::zeros(shape);
        assert_close!(Tensor::einsum("ij,jk->ik", &[of(&[2, 0]), of(&[0, 3])]), Tensor::zeros([2, 3]));
        assert_close!(Tensor::einsum("ij,jk->k", &[of(&[0, 4]), of(&[4, 3])]), Tensor::zeros([3]));
        assert_close!(Tensor::einsum("bij,bjk->ik", &[of(&[0, 2, 4]), of(&[0, 4, 3])]), Tensor::zeros([2, 3]));
        assert_eq!(Tensor::einsum("i,j->ij", &[of(&[0]), of(&[3])]).shape(), [0, 3]);
        assert_eq!(Tensor::einsum("i,i->", &[of(&[0]), of(&[0])]).item(), 0.0);
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        let (a, b) = (Tensor::zeros([2, 3]), Tensor::zeros([4, 5]));
        let message = |equation: &str, parts: &[&Tensor]| catch(|| Tensor::einsum(equation, parts)).unwrap_err().message().to_string();
        assert_eq!(message("ij,jk", &[&a, &b]), "einsum: `j` of \"ij,jk\" is 4 and 3");
        assert_eq!(message("ijk", &[&a]), "einsum: `ijk` does not name the axes of [2, 3]");
        assert_eq!(message("ij", &[&a, &b]), "einsum: \"ij\" has 1 terms for 2 tensors");
        assert_eq!(message("ij->ik", &[&a]), "einsum: `k` of the result of \"ij->ik\" must stand there once, and in a term");
        assert_eq!(message("i1", &[&a]), "einsum: `1` in \"i1\"");
    }
}
