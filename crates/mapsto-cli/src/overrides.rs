//! Overrides: flags such as `--train.epochs 3`, which say on the command line what the file would say in that place.

use std::ffi::OsString;
use std::ops::Range;

use mapsto::spec::nearest;
use mapsto::{Error, ErrorKind, Result};

use crate::document::{Key, Node, Tree, parse_value};
use crate::source::Sources;

/// One flag: the dotted path it names and the value it gives, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// `train.epochs`.
    pub path: String,
    /// The path as written: `train.epochs`, or `epochs` alone.
    pub name: String,
    /// The text of the value; `None` when the flag stood last and had none.
    pub value: Option<String>,
    /// The flag as it was written: `--train.epochs 3` or `--train.epochs=3`.
    pub written: String,
}

/// The keys that a flag may name without their section.
pub const KEYS: [(&str, &[&str]); 3] = [
    (
        "data",
        &[
            "set",
            "path",
            "class",
            "target",
            "features",
            "delimiter",
            "batch",
            "shuffle",
            "workers",
            "augment",
            "preprocess",
            "standardize",
            "validation",
            "test",
            "split",
        ],
    ),
    ("model", &["input"]),
    (
        "train",
        &[
            "loss",
            "metrics",
            "optimizer",
            "schedule",
            "callbacks",
            "epochs",
            "seed",
            "clip_norm",
            "accumulate",
            "threads",
            "matmul_precision",
            "out",
        ],
    ),
];

/// The section that a key stands in.
pub fn section_of(key: &str) -> Option<&'static str> {
    KEYS.iter().find(|(_, keys)| keys.contains(&key)).map(|(section, _)| *section)
}

/// Takes the overrides out of a command line: every `--a.b` (a dot before any `=`), with its value behind `=` or in the next
/// argument, and every `--epochs` that means `--train.epochs`, where the subcommand has the flags `own` and a configuration.
///
/// # Errors
/// An argument that is not UTF-8; a flag that is nearly a key.
pub fn extract(args: Vec<OsString>, own: Option<&[String]>) -> Result<(Vec<OsString>, Vec<Override>)> {
    let (mut rest, mut overrides) = (Vec::new(), Vec::new());
    let mut args = args.into_iter();
    // The command's own name may be anything.
    rest.extend(args.next());
    let texts = args.map(|arg| {
        arg.into_string().map_err(|arg| {
            let message = format!("the argument `{}` is not UTF-8", arg.to_string_lossy());
            Error::new(ErrorKind::Usage, message).help("rename the file, or name its folder")
        })
    });
    let mut args = texts.collect::<Result<Vec<String>>>()?.into_iter().peekable();
    while let Some(arg) = args.next() {
        if arg == "--" {
            rest.push(arg.into());
            rest.extend(args.map(OsString::from));
            break;
        }
        let Some(path) = meant(&arg, own)? else {
            rest.push(arg.into());
            continue;
        };
        let (name, value) =
            arg[2..].split_once('=').map_or((&arg[2..], None), |(n, v)| (n, Some(v.to_string())));
        let (name, value) = (name.to_string(), value);
        let next = if value.is_none() { args.next_if(|next| !next.starts_with("--")) } else { None };
        let written = next.as_ref().map_or(arg.clone(), |v| format!("{arg} {v}"));
        overrides.push(Override { path, name, value: value.or(next), written });
    }
    Ok((rest, overrides))
}

/// The path that a flag names, if it names one.
fn meant(arg: &str, own: Option<&[String]>) -> Result<Option<String>> {
    let Some(name) = arg.strip_prefix("--").and_then(|flag| flag.split('=').next()) else { return Ok(None) };
    if name.contains('.') {
        return Ok(Some(name.to_string()));
    }
    let Some(own) = own.filter(|own| !own.iter().any(|flag| flag == name)) else { return Ok(None) };
    let plain = name.replace('-', "_");
    let path = |key: &str| Some(format!("{}.{key}", section_of(key)?));
    if let Some(path) = path(&plain) {
        return Ok(Some(path));
    }
    let error =
        |help: String| Err(Error::new(ErrorKind::Usage, format!("there is no flag `--{name}`")).help(help));
    if ["lr", "learning_rate"].contains(&plain.as_str()) {
        return error(
            "the learning rate is the optimizer's value: `--train.optimizer.adam 1e-3` where that is `adam`"
                .into(),
        );
    }
    let known = KEYS.iter().flat_map(|(_, keys)| keys.iter().copied()).chain(own.iter().map(String::as_str));
    match nearest(&plain, known).and_then(path) {
        Some(path) => error(format!("did you mean `--{path}`?")),
        None => Ok(None),
    }
}

/// Lays the overrides over a document, in order; their spans point into the flags, which are added to `sources`.
///
/// # Errors
/// A flag without a value, a value that is no TOML, or a path that leads through something that is not a table or list.
pub fn apply(document: &mut Node, overrides: &[Override], sources: &mut Sources) -> Result<()> {
    for given in overrides {
        let start = sources.add_flag(&given.written);
        let name = start..start + 2 + given.name.len();
        let Some(value) = &given.value else {
            let error = Error::new(ErrorKind::Usage, format!("--{} needs a value", given.path));
            return Err(error.help(format!("write `--{} VALUE`", given.path)).with_span(name));
        };
        let value = parse_value(value, name.end + 1)?;
        // Where the section was left out, its place is before the flag, and the key's is where it stands.
        let offset = (start + 2 + given.name.len()).saturating_sub(given.path.len());
        set(document, &given.path, offset, value)?;
    }
    Ok(())
}

/// Sets the node at a dotted path whose text begins at `offset`.
fn set(node: &mut Node, path: &str, offset: usize, value: Node) -> Result<()> {
    let (head, rest) = path.split_once('.').map_or((path, None), |(head, rest)| (head, Some(rest)));
    let span: Range<usize> = offset..offset + head.len();
    let error = |message: String| Error::new(ErrorKind::Usage, message).with_span(span.clone());
    let kind = node.kind();
    let member = match &mut node.value {
        Tree::Table(members) => {
            let key = Key { name: head.to_string(), span: span.clone() };
            let at = members.iter().position(|(k, _)| k.name == head).unwrap_or_else(|| {
                members.push((key.clone(), Node { value: Tree::Table(Vec::new()), span: span.clone() }));
                members.len() - 1
            });
            if rest.is_none() {
                // From here on the flag is what the member was read from, key and all.
                members[at].0 = key;
            }
            &mut members[at].1
        }
        Tree::List(items) => {
            let count = items.len();
            let index = head.parse::<usize>().ok().filter(|&i| i < count);
            let index = index.ok_or_else(|| {
                error(format!(
                    "the list has {count} places, 0 to {}, and `{head}` is not one of them",
                    count.max(1) - 1
                ))
            })?;
            &mut items[index]
        }
        _ => {
            return Err(
                error(format!("cannot set `{head}` inside {kind}")).help("give the whole value instead")
            );
        }
    };
    match rest {
        None => {
            *member = value;
            Ok(())
        }
        Some(rest) => set(member, rest, offset + head.len() + 1, value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::parse;

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(OsString::from).collect()
    }

    fn flags(text: &str) -> Vec<Override> {
        extract(words(&format!("mapsto {text}")), None).unwrap().1
    }

    #[test]
    fn a_key_without_its_section_is_found_and_words_of_others_are_answered() {
        let own = ["resume".to_string(), "quiet".to_string()];
        let given = |text: &str| extract(words(&format!("mapsto train {text}")), Some(&own));
        let (rest, overrides) =
            given("net.toml --epochs 3 --clip-norm=1 --quiet --batch 8 --unheard").unwrap();
        assert_eq!(rest, words("mapsto train net.toml --quiet --unheard"));
        let paths: Vec<&str> = overrides.iter().map(|o| o.path.as_str()).collect();
        assert_eq!(paths, ["train.epochs", "train.clip_norm", "data.batch"]);
        for (flag, help) in [
            ("--batch_size", "did you mean `--data.batch`?"),
            ("--batch-size=9", "did you mean `--data.batch`?"),
            ("--epohcs", "did you mean `--train.epochs`?"),
            ("--num_workers", "did you mean `--data.workers`?"),
            ("--validation-split", "did you mean `--data.validation`?"),
            ("--lr", "--train.optimizer.adam 1e-3"),
            ("--learning-rate", "--train.optimizer.adam 1e-3"),
        ] {
            let e = given(flag).unwrap_err();
            assert!(e.help_text().unwrap().contains(help), "{flag}: {e}");
        }
        // The subcommand's own flags are its own, misspelt or not.
        assert!(given("--resum x").unwrap().1.is_empty());
    }

    #[test]
    fn flags_with_a_dot_are_overrides_and_the_rest_is_left_alone() {
        let (rest, overrides) = extract(
            words("mapsto train net.toml --train.epochs 3 --data.batch=64 --out runs/a.b --train.last"),
            None,
        )
        .unwrap();
        assert_eq!(rest, words("mapsto train net.toml --out runs/a.b"));
        let paths: Vec<_> = overrides.iter().map(|o| (o.path.as_str(), o.value.as_deref())).collect();
        assert_eq!(paths, [("train.epochs", Some("3")), ("data.batch", Some("64")), ("train.last", None)]);
        assert_eq!(overrides[0].written, "--train.epochs 3");
    }

    #[test]
    fn an_override_replaces_adds_and_reaches_into_lists() {
        let text = "[model]\nlayers = [{ linear = 8 }, 'relu']\n[train]\nepochs = 9\n";
        let mut document = parse(text).unwrap();
        let mut sources = Sources::new("net.toml", text);
        let overrides = flags(
            "--train.epochs 3 --train.seed=7 --model.layers.0.linear 16 --data.path some/where --train.lr=-1e-3",
        );
        apply(&mut document, &overrides, &mut sources).unwrap();
        assert_eq!(
            document.to_value().unwrap().to_string(),
            "{ model = { layers = [{ linear = 16 }, \"relu\"] }, train = { epochs = 3, seed = 7, lr = -0.001 }, \
             data = { path = \"some/where\" } }"
        );
    }

    #[test]
    fn a_path_through_a_plain_value_or_past_a_list_is_an_error_at_the_flag() {
        for (flag, wanted) in [
            ("--train.epochs.more=3", "cannot set `more` inside a whole number"),
            ("--model.layers.5=relu", "the list has 1 places, 0 to 0, and `5` is not one of them"),
            ("--train.epochs", "needs a value"),
        ] {
            let text = "[model]\nlayers = ['relu']\n[train]\nepochs = 9\n";
            let (mut document, mut sources) = (parse(text).unwrap(), Sources::new("net.toml", text));
            let overrides = flags(flag);
            let e = apply(&mut document, &overrides, &mut sources).unwrap_err();
            assert!(e.message().contains(wanted), "{e}");
            assert!(sources.locate(e).location().unwrap().starts_with("command line"), "{flag}");
        }
    }
}
