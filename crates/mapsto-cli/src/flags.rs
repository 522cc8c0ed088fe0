//! Flags that stand for a key of the training file, such as `--train.epochs 3`, taken out of the command line.

use std::ffi::OsString;

use mapsto::spec::nearest;
use mapsto::{Error, ErrorKind, Result};
use mapsto_experiment::{KEYS, Override, section_of};

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
            arg.split_once('=').map_or((arg.as_str(), None), |(n, v)| (n, Some(v.to_string())));
        let name = 2..name.len();
        let next = if value.is_none() { args.next_if(|next| !next.starts_with("--")) } else { None };
        let written = next.as_ref().map_or(arg.clone(), |v| format!("{arg} {v}"));
        overrides.push(Override::flag(path, value.or(next), written, name));
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

#[cfg(test)]
mod tests {
    use super::*;
    use mapsto_experiment::Config;

    fn words(text: &str) -> Vec<OsString> {
        text.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn a_key_without_its_section_is_found_and_words_of_others_are_answered() {
        let own = ["resume".to_string(), "quiet".to_string()];
        let given = |text: &str| extract(words(&format!("mapsto train {text}")), Some(&own));
        let (rest, overrides) =
            given("net.toml --epochs 3 --clip-norm=1 --quiet --batch 8 --unheard").unwrap();
        assert_eq!(rest, words("mapsto train net.toml --quiet --unheard"));
        let paths: Vec<&str> = overrides.iter().map(|o| o.path()).collect();
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
        let flag = |path: &str, value: Option<&str>, written: &str| {
            Override::flag(path, value.map(str::to_string), written, 2..2 + path.len())
        };
        assert_eq!(
            overrides,
            [
                flag("train.epochs", Some("3"), "--train.epochs 3"),
                flag("data.batch", Some("64"), "--data.batch=64"),
                flag("train.last", None, "--train.last"),
            ]
        );
    }

    #[test]
    fn an_error_about_a_flag_points_into_it() {
        let file = "[data]\nset = 'csv'\n[model]\nlayers = ['relu']\n[train]\nloss = 'mse'\n";
        let own = ["quiet".to_string()];
        for (flag, wanted) in [
            ("--model.layers.5=relu", "command line:1:16: the list has 1 places"),
            ("--epochs three", "command line:1:10: `epochs` should be a whole number"),
            ("--epochs=three", "command line:1:10: `epochs` should be a whole number"),
            ("--data.batch 0", "command line:1:14: `batch` should be"),
            ("--epochs", "command line:1:1: --train.epochs needs a value"),
        ] {
            let (_, overrides) = extract(words(&format!("mapsto train {flag}")), Some(&own)).unwrap();
            let e = Config::parse(file, &overrides).unwrap_err();
            assert!(e.to_string().starts_with(wanted), "{flag}: {e}");
        }
    }
}
