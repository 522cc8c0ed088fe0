//! The nearest known name to a misspelt one: what stands behind every "did you mean".

use crate::synonyms;

/// The candidate nearest to `name`, when it is near enough to be meant.
///
/// Near enough is a [`distance`] of at most a third of the length of the longer name (at least 1); case and the
/// difference between `-` and `_` do not count. Of equally near names the first wins. A word of another framework, such as
/// `dense`, means the candidate that is called so here.
/// ```
/// # use mapsto_spec::nearest;
/// assert_eq!(nearest("linaer", ["conv2d", "linear"]), Some("linear"));
/// assert_eq!(nearest("LeakyRelu", ["relu", "leaky_relu"]), Some("leaky_relu"));
/// assert_eq!(nearest("Dense", ["conv2d", "linear"]), Some("linear"));
/// assert_eq!(nearest("banana", ["conv2d", "linear"]), None);
/// ```
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |s: &str| s.to_lowercase().replace('-', "_");
    let name = plain(name);
    let candidates: Vec<&str> = candidates.into_iter().collect();
    if let Some(meant) = synonyms::of(&name).iter().find_map(|m| candidates.iter().find(|c| *c == m)) {
        return Some(meant);
    }
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let d = distance(&name, &plain(candidate));
        let near = d <= (name.chars().count().max(candidate.chars().count()) / 3).max(1);
        if near && best.is_none_or(|(b, _)| d < b) {
            best = Some((d, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// How many letters must be inserted, deleted, replaced or swapped with their neighbour to turn `a` into `b`.
///
/// The restricted distance of Damerau (1964) and Levenshtein (1966): no substring is edited twice.
/// ```
/// # use mapsto_spec::distance;
/// assert_eq!(distance("linaer", "linear"), 1);
/// assert_eq!(distance("adma", "adamw"), 2);
/// ```
pub fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    // Three rows of the table are enough: a swap looks two back.
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replace = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replace.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        for (a, b, d) in
            [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("ca", "abc", 3), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(a, b), d, "{a} {b}");
            assert_eq!(distance(b, a), d, "{b} {a}");
        }
    }

    #[test]
    fn nearest_prefers_the_closest_and_keeps_quiet_far_away() {
        assert_eq!(nearest("adamm", ["adagrad", "adamw", "adam"]), Some("adamw"), "first of equals");
        assert_eq!(nearest("max-pool2d", ["avg_pool2d", "max_pool2d"]), Some("max_pool2d"));
        assert_eq!(nearest("x", ["relu"]), None);
    }
}
