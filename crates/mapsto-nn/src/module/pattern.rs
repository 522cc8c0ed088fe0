//! Naming several parameters at once: `*.bias`, `encoder.*`.

use super::{Item, Module, Path};
use mapsto_spec::nearest;
use mapsto_tensor::{Error, ErrorKind};

/// Whether a name fits a pattern, in which `*` stands for any run of characters and `?` for one.
///
/// ```
/// use mapsto_nn::matches;
/// assert!(matches("*.bias", "fc1.bias"));
/// assert!(matches("encoder.*", "encoder.0.weight"));
/// assert!(!matches("*.bias", "bias_free.weight"));
/// ```
pub fn matches(pattern: &str, name: &str) -> bool {
    let (p, n) = (pattern.as_bytes(), name.as_bytes());
    let (mut i, mut j) = (0, 0);
    // Where the last star stood and how far it reached: on a mismatch it takes one byte more. Linear in practice, and
    // never exponential as recursion would be.
    let mut star = None;
    while j < n.len() {
        if i < p.len() && p[i] == b'*' {
            star = Some((i, j));
            i += 1;
        } else if i < p.len() && (p[i] == b'?' || p[i] == n[j]) {
            (i, j) = (i + 1, j + 1);
        } else if let Some((at, reach)) = star {
            star = Some((at, reach + 1));
            (i, j) = (at + 1, reach + 1);
        } else {
            return false;
        }
    }
    p[i..].iter().all(|&c| c == b'*')
}

/// The error that no parameter's name fits a pattern, with the one that was meant.
pub(crate) fn unknown(who: &str, pattern: &str, model: &(impl Module + ?Sized)) -> Error {
    let mut names = Vec::new();
    model.visit(&mut Path::new(), &mut |path, item| {
        if matches!(item, Item::Param(_)) {
            names.push(path.to_string());
        }
    });
    let error = Error::new(ErrorKind::Model, format!("{who}: no parameter is called `{pattern}`"));
    // A whole name is not meant by what stands for several.
    let whole = Some(pattern).filter(|p| !p.contains('*'));
    let whole = whole.and_then(|p| nearest(p, names.iter().map(String::as_str))).map(str::to_string);
    error.help(match (whole.or_else(|| mended(pattern, &names)), names.first()) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, Some(first)) => format!("names look like `{first}`; `*` stands for any part"),
        (None, None) => "the model has no parameters".to_string(),
    })
}

/// The pattern with the parts that no name has replaced by the nearest ones: `*.bais` as `*.bias`.
fn mended(pattern: &str, names: &[String]) -> Option<String> {
    let known = || names.iter().flat_map(|name| name.split('.'));
    let part = |part: &str| match part.contains('*') || known().any(|k| k == part) {
        true => part.to_string(),
        false => nearest(part, known()).unwrap_or(part).to_string(),
    };
    let parts: Vec<String> = pattern.split('.').map(part).collect();
    let candidates = [parts.join("."), format!("*.{}", parts.join("."))];
    candidates.into_iter().find(|candidate| names.iter().any(|name| matches(candidate, name)))
}

#[test]
fn a_pattern_that_fits_nothing_is_told_what_was_meant() {
    let net = crate::seq![crate::Linear::new(1, 1), crate::layers::LayerNorm::new(1)];
    for (pattern, help) in [
        ("*.bais", "did you mean `*.bias`?"),
        ("0.wieght", "did you mean `0.weight`?"),
        ("bias", "did you mean `0.bias`?"),
        ("0.wieght.*", "names look like `0.weight`; `*` stands for any part"),
        ("head.*", "names look like `0.weight`; `*` stands for any part"),
    ] {
        let error = unknown("sgd", pattern, &net);
        assert_eq!(error.message(), format!("sgd: no parameter is called `{pattern}`"));
        assert_eq!(error.help_text(), Some(help), "{pattern}");
    }
}

#[test]
fn stars_match_any_run() {
    for (pattern, name, fits) in [
        ("", "", true),
        ("", "a", false),
        ("*", "", true),
        ("*", "a.b", true),
        ("a*c", "abbbc", true),
        ("a*c", "abbbcd", false),
        ("*a*b*", "xxaxxbxx", true),
        ("*a*b", "xxbxxa", false),
        ("fc?.weight", "fc1.weight", true),
        ("fc?.weight", "fc.weight", false),
        ("*aab", "aaaab", true),
    ] {
        assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
    }
    assert!(!matches(&"*a".repeat(40), &"a".repeat(39)), "no exponential time");
}
