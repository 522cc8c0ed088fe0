//! `Suggesting`: which settings are tried next, a function of the seed and of what was tried alone, so that a tuning that was broken off
//! goes on as it would have.

use mapsto::random::Keyed;

use super::space::{Setting, Space};
use super::tpe;

/// How settings are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// At random, each trial on its own.
    Random,
    /// By a tree-structured Parzen estimator, after ten trials at random.
    Tpe,
    /// Every combination in turn.
    Grid,
}

impl Search {
    /// The words for them in a file.
    pub const WORDS: [(&'static str, Search); 3] =
        [("random", Search::Random), ("tpe", Search::Tpe), ("grid", Search::Grid)];

    /// The word for it in a file.
    pub fn word(self) -> &'static str {
        Search::WORDS.iter().find(|(_, search)| *search == self).map_or("", |(word, _)| word)
    }
}

/// A search under way.
///
/// ```
/// use mapsto_experiment::tuning::{Domain, Range, Search, Setting, Space, Suggesting};
/// let space = Space { ranges: vec![Range::new("train.optimizer.sgd", Domain::Log(1e-4, 1.0))] };
/// let mut search = Suggesting::new(&space, Search::Tpe, 7);
/// for _ in 0..40 {
///     let settings = search.next().unwrap();
///     let Setting::Number(lr) = settings[0] else { unreachable!() };
///     search.tell(settings, (lr - 0.01).abs()); // the less the better
/// }
/// let least = search.seen().iter().map(|(_, loss)| *loss).fold(f64::INFINITY, f64::min);
/// assert!(least < 1e-3);
/// ```
#[derive(Debug)]
pub struct Suggesting<'a> {
    space: &'a Space,
    search: Search,
    seed: u64,
    seen: Vec<(Vec<Setting>, f64)>,
}

impl<'a> Suggesting<'a> {
    /// The search of a space from a seed.
    pub fn new(space: &'a Space, search: Search, seed: u64) -> Suggesting<'a> {
        Suggesting { space, search, seed, seen: Vec::new() }
    }

    /// The settings to try next; none where every combination was tried. What was tried is not tried again.
    pub fn next(&self) -> Option<Vec<Setting>> {
        const AGAIN: u64 = 100;
        let count = self.space.count();
        if count.is_some_and(|count| self.seen.len() >= count) {
            return None;
        }
        if self.search == Search::Grid {
            return self.space.nth(self.seen.len());
        }
        let is_new = |settings: &Vec<Setting>| !self.seen.iter().any(|(seen, _)| seen == settings);
        let trial = self.seen.len() as u64;
        let drawn = (0..AGAIN).map(|again| self.draw(&mut Keyed::new(&[self.seed, trial, again])));
        let mut drawn = drawn.filter(|settings| is_new(settings));
        drawn
            .next()
            .or_else(|| (0..count?).filter_map(|i| self.space.nth(i)).find(|settings| is_new(settings)))
    }

    fn draw(&self, random: &mut Keyed) -> Vec<Setting> {
        if self.search == Search::Tpe && self.seen.len() >= tpe::BEGINNING {
            return tpe::suggest(self.space, &self.seen, random);
        }
        self.space.ranges.iter().map(|range| range.domain.draw(random)).collect()
    }

    /// Says what settings gave: the less the better, and infinity where the trial failed.
    pub fn tell(&mut self, settings: Vec<Setting>, loss: f64) {
        self.seen.push((settings, if loss.is_nan() { f64::INFINITY } else { loss }));
    }

    /// What was tried, with what it gave.
    pub fn seen(&self) -> &[(Vec<Setting>, f64)] {
        &self.seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuning::{Domain, Range};
    use mapsto::spec::Value;

    #[test]
    fn every_combination_of_a_small_space_comes_once() {
        let choice = Domain::Choice(vec![Value::from("a"), Value::from("b")]);
        let space = Space {
            ranges: vec![Range::new("train.loss", choice), Range::new("train.epochs", Domain::Int(1, 9, 4))],
        };
        assert_eq!(space.count(), Some(6));
        for search in [Search::Random, Search::Tpe, Search::Grid] {
            let mut suggesting = Suggesting::new(&space, search, 3);
            while let Some(settings) = suggesting.next() {
                suggesting.tell(settings, 1.0);
            }
            let seen = suggesting.seen();
            assert_eq!(seen.len(), 6, "{search:?}");
            assert!((1..6).all(|i| seen[..i].iter().all(|before| before.0 != seen[i].0)), "{seen:?}");
        }
        let grid = Suggesting::new(&space, Search::Grid, 0).next().unwrap();
        assert_eq!(grid, [Setting::Choice(0), Setting::Whole(1)]);
    }

    #[test]
    fn draws_stay_in_their_ranges_and_hang_on_the_seed() {
        let domains = [
            Domain::Uniform(-1.0, 2.0),
            Domain::Log(1e-3, 10.0),
            Domain::Int(-3, 8, 2),
            Domain::LogInt(1, 9),
        ];
        let space =
            Space { ranges: domains.into_iter().map(|domain| Range::new("train.x", domain)).collect() };
        let drawn = |seed: u64| {
            let mut suggesting = Suggesting::new(&space, Search::Random, seed);
            for _ in 0..300 {
                suggesting.tell(suggesting.next().unwrap(), 0.0);
            }
            suggesting.seen().to_vec()
        };
        let (all, again) = (drawn(1), drawn(1));
        assert_eq!(all, again);
        assert_ne!(all, drawn(2));
        let mut whole = std::collections::BTreeSet::new();
        let mut log_whole = std::collections::BTreeSet::new();
        for (settings, _) in &all {
            let [Setting::Number(a), Setting::Number(b), Setting::Whole(c), Setting::Whole(d)] = settings[..]
            else {
                panic!("{settings:?}")
            };
            assert!((-1.0..=2.0).contains(&a) && (1e-3..=10.0).contains(&b));
            whole.insert(c);
            log_whole.insert(d);
        }
        assert_eq!(whole.into_iter().collect::<Vec<_>>(), [-3, -1, 1, 3, 5, 7]);
        assert_eq!(log_whole.into_iter().collect::<Vec<_>>(), (1..=9).collect::<Vec<_>>());
        // Half of the logarithms lie on either side of the geometric middle, 0.1.
        let low = all.iter().filter(|(s, _)| matches!(s[1], Setting::Number(b) if b < 0.1)).count();
        assert!((110..190).contains(&low), "{low}");
    }
}
