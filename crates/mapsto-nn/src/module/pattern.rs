//! Naming several parameters at once: `*.bias`, `encoder.*`.

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
