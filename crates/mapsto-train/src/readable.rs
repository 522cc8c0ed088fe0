//! Numbers for people: losses of 1e-9 and of 1e9 read as such, and not as `0.0000`.

/// A number with that many decimals, or, where these would show little of it or far too much, as a power of ten with as many.
///
/// ```
/// use mapsto_train::readable;
/// assert_eq!(readable(0.123456, 4), "0.1235");
/// assert_eq!(readable(1.5346328e-9, 4), "1.5346e-9");
/// assert_eq!(readable(0.0, 4), "0.0000");
/// ```
#[must_use]
pub fn readable(v: f64, decimals: usize) -> String {
    let shows = 10f64.powi(1 - decimals as i32)..1e9;
    match v == 0.0 || !v.is_finite() || shows.contains(&v.abs()) {
        true => format!("{v:.decimals$}"),
        false => format!("{v:.decimals$e}"),
    }
}

/// Whatever its size, a number reads back as what it was, but for a digit that was rounded away.
#[test]
fn every_size_keeps_its_digits() {
    for decimals in [4, 6] {
        for power in -40..=40 {
            for v in [1.2345678, -9.8765432, 5.0] {
                let v = v * 10f64.powi(power);
                let text = readable(v, decimals);
                let back: f64 = text.parse().unwrap();
                assert!((back - v).abs() <= 0.05 * v.abs(), "{text} for {v:e}");
                assert!(text.len() <= 18, "{text}");
            }
        }
        assert_eq!(readable(f64::NAN, decimals), "NaN");
    }
}
