//! Keys of `[train]` that are short for callbacks (`time_limit`, `tensorboard`, `checkpoints`), and runs of a few batches
//! (`dev_run`, `overfit_batches`).

use mapsto::spec::Entry;
use mapsto::{Error, ErrorKind, Result};

use crate::document::{Node, Tree};
use crate::section::Section;

/// The callback that every run has.
pub const HEALTH: &str = "health";

/// Callbacks that watch a training and change none of its bits: a resumed run may have others of them.
const BYSTANDERS: [&str; 4] = [HEALTH, "keep_every", "time_limit", "tensorboard"];

/// Whether a callback watches only.
pub fn is_bystander(callback: &Entry) -> bool {
    BYSTANDERS.contains(&callback.name.as_str())
}

/// Puts the callbacks that keys of the section stand for into the list, each in place of one that is there already; `false` takes it out.
///
/// # Errors
/// A value that is none of those that the key takes, or an unknown option.
pub fn read_callbacks(section: &mut Section, callbacks: &mut Vec<Entry>) -> Result<()> {
    if let Some(node) = section.node("time_limit") {
        let entry = match &node.value {
            Tree::Str(text) => Some(Entry::new("time_limit").with_value(text.as_str()).at(node.span.clone())),
            Tree::Bool(false) => None,
            _ => return Err(wrong(&node, "time_limit", "a length of time in quotes, such as \"30m\"")),
        };
        replace(callbacks, "time_limit", entry);
    }
    if let Some(is_wanted) = section.optional::<bool>("tensorboard")? {
        replace(callbacks, "tensorboard", is_wanted.then(|| Entry::new("tensorboard")));
    }
    if let Some(node) = section.node("checkpoints") {
        read_checkpoints(&node, callbacks)?;
    }
    Ok(())
}

fn read_checkpoints(node: &Node, callbacks: &mut Vec<Entry>) -> Result<()> {
    const MEANT: &str = "a table such as { keep = 3, every = 5 }";
    let members: &[_] = match &node.value {
        Tree::Table(members) => members,
        Tree::Bool(false) => &[],
        _ => return Err(wrong(node, "checkpoints", MEANT)),
    };
    let (mut best, mut every, mut watch) = (None, None, None);
    for (key, value) in members {
        let entry = |name: &str| -> Result<Option<Entry>> {
            Ok(Some(Entry::new(name).with_value(value.to_value()?).at(value.span.clone())))
        };
        match key.name.as_str() {
            "keep" => best = entry("keep_best")?,
            "every" => every = entry("keep_every")?,
            "watch" => watch = Some((value.to_value()?, value.span.clone())),
            name => {
                let known = ["keep", "every", "watch"];
                let near = mapsto::spec::nearest(name, known).map(str::to_string);
                // Lightning's words.
                let near = near.or(match name {
                    "save_top_k" => Some("keep".into()),
                    "every_n_epochs" => Some("every".into()),
                    "monitor" => Some("watch".into()),
                    _ => None,
                });
                let help = near.map_or(format!("known are {}", known.join(", ")), |near| {
                    format!("did you mean `{near}`?")
                });
                let error = Error::new(ErrorKind::Usage, format!("unknown key `{name}` in `checkpoints`"));
                return Err(error.help(help).with_span(key.span.clone()));
            }
        }
    }
    if let Some((column, span)) = watch {
        let Some(entry) = best.take() else {
            let error = Error::new(
                ErrorKind::Usage,
                "`watch` says by which column the best are known, and none are kept",
            );
            return Err(error.help("add `keep = 3`, or leave `watch` out").with_span(span));
        };
        best = Some(entry.with_option_at("watch", column, span.into()));
    }
    replace(callbacks, "keep_best", best);
    replace(callbacks, "keep_every", every);
    Ok(())
}

fn replace(callbacks: &mut Vec<Entry>, name: &str, by: Option<Entry>) {
    let place = callbacks.iter().position(|callback| callback.name == name);
    callbacks.retain(|callback| callback.name != name);
    if let Some(entry) = by {
        callbacks.insert(place.unwrap_or(callbacks.len()), entry);
    }
}

/// A number of batches: `true` is the usual one, `false` none.
///
/// # Errors
/// Another value, or 0.
pub fn read_batches(section: &mut Section, key: &'static str, usual: Option<usize>) -> Result<Option<usize>> {
    let Some(node) = section.node(key) else { return Ok(None) };
    match (&node.value, usual) {
        (Tree::Bool(false), _) => Ok(None),
        (Tree::Bool(true), Some(usual)) => Ok(Some(usual)),
        (Tree::Int(n), _) if *n >= 1 => Ok(Some(*n as usize)),
        (_, Some(_)) => Err(wrong(&node, key, "`true`, or a whole number of at least 1")),
        (_, None) => Err(wrong(&node, key, "a whole number of at least 1")),
    }
}

fn wrong(node: &Node, key: &str, expected: &str) -> Error {
    let found = node.to_value().map_or_else(|_| node.kind().to_string(), |value| value.to_string());
    Error::new(ErrorKind::Usage, format!("`{key}` should be {expected}, found {found}"))
        .with_span(node.span.clone())
}

#[cfg(test)]
mod tests {
    use crate::Config;

    fn callbacks(lines: &str) -> mapsto::Result<String> {
        let file =
            format!("[data]\nset = 'mnist'\n[model]\nlayers = ['flatten']\n[train]\nloss = 'mse'\n{lines}");
        let config = Config::parse(&file, &[])?;
        // What is written down reads back the same.
        let again = Config::parse(&config.render(), &[])?;
        assert_eq!(again.render(), config.render());
        let list: Vec<String> = config.train.callbacks.iter().map(ToString::to_string).collect();
        Ok(list.join(" "))
    }

    #[test]
    fn keys_stand_for_callbacks() {
        for (lines, said) in [
            ("time_limit = '30m'", r#"{ time_limit = "30m" }"#),
            (
                "time_limit = '30m'\ncallbacks = [{ time_limit = '1h' }, 'last']",
                r#"{ time_limit = "30m" } "last""#,
            ),
            ("time_limit = false\ncallbacks = [{ time_limit = '1h' }]", ""),
            ("tensorboard = true", r#""tensorboard""#),
            ("tensorboard = true\ncallbacks = ['tensorboard']", r#""tensorboard""#),
            ("checkpoints = { keep = 3, every = 5 }", "{ keep_best = 3 } { keep_every = 5 }"),
            ("checkpoints = { keep = 2, watch = 'loss' }", r#"{ keep_best = 2, watch = "loss" }"#),
            ("checkpoints = false\ncallbacks = [{ keep_every = 1 }]", ""),
        ] {
            assert_eq!(callbacks(lines).unwrap(), said, "{lines}");
        }
    }

    #[test]
    fn what_they_cannot_mean_is_refused_at_its_place() {
        for (line, said) in [
            (
                "time_limit = 30",
                "`time_limit` should be a length of time in quotes, such as \"30m\", found 30",
            ),
            ("tensorboard = 1", "`tensorboard` should be"),
            ("checkpoints = 3", "`checkpoints` should be a table such as { keep = 3, every = 5 }, found 3"),
            ("checkpoints = { save_top_k = 3 }", "unknown key `save_top_k` in `checkpoints`"),
            ("checkpoints = { every = 3, watch = 'loss' }", "`watch` says by which column"),
            ("dev_run = 0", "`dev_run` should be `true`, or a whole number of at least 1, found 0"),
            (
                "overfit_batches = true",
                "`overfit_batches` should be a whole number of at least 1, found true",
            ),
        ] {
            let e = callbacks(line).unwrap_err();
            assert!(e.to_string().contains(said), "{line}: {e}");
        }
    }
}
