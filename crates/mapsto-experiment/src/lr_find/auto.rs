//! `lr = "auto"`: a rate that a file leaves to be found, in the optimizer's entry or in that of the optimizer inside of it.

use mapsto::spec::{Entry, Value};
use mapsto::{Error, ErrorKind, Result};

/// The word in place of a rate.
const AUTO: &str = "auto";
/// What stands for the rate until it is found.
const UNKNOWN: f64 = 1e-3;

/// Whether an optimizer leaves its rate to be found.
pub(crate) fn is_auto(optimizer: &Entry) -> bool {
    let word = Value::from(AUTO);
    match &optimizer.value {
        Some(Value::Entry(inner)) => is_auto(inner),
        value => value.as_ref() == Some(&word) || optimizer.option("lr") == Some(&word),
    }
}

/// The optimizer with a rate in place of the word.
pub(crate) fn with_rate(optimizer: &Entry, rate: f64) -> Entry {
    placed(optimizer, &rate.into())
}

/// The optimizer with a rate for the time being, to be built and checked by; the one that has a rate as it is.
pub(crate) fn for_now(optimizer: &Entry) -> Entry {
    if is_auto(optimizer) { with_rate(optimizer, UNKNOWN) } else { optimizer.clone() }
}

/// An optimizer that was built with a rate for the time being, written with the word again.
pub(crate) fn unsettled(filled: &Entry) -> Entry {
    match &filled.value {
        Some(Value::Entry(inner)) => {
            let inner = Value::Entry(Box::new(unsettled(inner)));
            Entry { value: Some(inner), ..filled.clone() }
        }
        _ => Entry { value: Some(AUTO.into()), ..filled.clone() },
    }
}

/// Refuses what makes no sense beside the word: two rates, and groups with rates, which are in proportion to one that is known.
pub(crate) fn check(optimizer: &Entry) -> Result<()> {
    let refused = |message: String, help: &str| {
        let error = Error::new(ErrorKind::Usage, message).help(help);
        Err(optimizer.span.into_iter().fold(error, |e, span| e.with_span(span.into())))
    };
    if let Some(Value::Entry(inner)) = &optimizer.value {
        return check(inner);
    }
    if optimizer.option("lr").is_some()
        && !matches!(&optimizer.value, None | Some(Value::Bool(true)))
        && optimizer.value != Some(AUTO.into())
    {
        let said = optimizer.value.as_ref().map_or(String::new(), Value::to_string);
        let message =
            format!("`{}` has the learning rate {said}, and `lr = \"auto\"` beside it", optimizer.name);
        return refused(message, "leave one of the two out");
    }
    let groups = match optimizer.option("groups") {
        Some(Value::List(groups)) => groups.as_slice(),
        _ => &[],
    };
    let has_rate = |group: &Value| matches!(group, Value::Entry(group) if group.option("lr").is_some());
    if groups.iter().any(has_rate) {
        return refused(
            "a group has a learning rate of its own, and the one that it is in proportion to is to be found"
                .into(),
            "give a number in place of \"auto\": `mapsto lr-find FILE.toml` suggests one",
        );
    }
    Ok(())
}

/// The entry with a value in place of the word, wherever it was written.
fn placed(optimizer: &Entry, rate: &Value) -> Entry {
    if let Some(Value::Entry(inner)) = &optimizer.value {
        let inner = Value::Entry(Box::new(placed(inner, rate)));
        return Entry { value: Some(inner), ..optimizer.clone() };
    }
    let mut found = optimizer.clone();
    if let Some(at) = found.options.iter().position(|(name, _)| name == "lr") {
        found.options.remove(at);
        if at < found.option_spans.len() {
            found.option_spans.remove(at);
        }
    }
    Entry { value: Some(rate.clone()), ..found }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_found_and_replaced_wherever_it_stands() {
        let adam = || Entry::new("adam").with_option("beta1", 0.8);
        for (entry, found) in [
            (adam().with_value("auto"), adam().with_value(0.5)),
            (adam().with_value(true).with_option("lr", "auto"), adam().with_value(0.5)),
            (adam().with_option("lr", "auto"), adam().with_value(0.5)),
            (
                Entry::new("sam").with_value(Value::Entry(Box::new(adam().with_value("auto")))),
                Entry::new("sam").with_value(Value::Entry(Box::new(adam().with_value(0.5)))),
            ),
        ] {
            assert!(is_auto(&entry) && check(&entry).is_ok(), "{entry}");
            assert_eq!(with_rate(&entry, 0.5), found);
            assert!(!is_auto(&found) && is_auto(&unsettled(&found)));
            assert_eq!(for_now(&found), found);
        }
        assert!(!is_auto(&adam()) && !is_auto(&adam().with_value(0.1)));
    }

    #[test]
    fn two_rates_are_refused() {
        let group = Entry::new("0.*").with_value(true).with_option("lr", 0.1);
        for entry in [
            Entry::new("adam").with_value(0.1).with_option("lr", "auto"),
            Entry::new("adam").with_value("auto").with_option("groups", vec![group]),
        ] {
            assert_eq!(check(&entry).unwrap_err().kind(), ErrorKind::Usage);
        }
    }
}
