//! The keys `ema` and `swa` of `[train]`: the average of the weights that is judged and saved in place of them.

use mapsto::nn::Optimizer;
use mapsto::spec::{Entry, filled};
use mapsto::training::{AVERAGINGS, Averaging};
use mapsto::{Error, ErrorKind, Result};

use crate::config::Train;
use crate::document::{Node, Tree};
use crate::section::Section;

/// The average that a file asks for, as an entry with its places.
///
/// # Errors
/// Both keys stand there; a value is neither a number nor a table.
pub fn read_averaging(section: &mut Section) -> Result<Option<Entry>> {
    let mut found: Option<Entry> = None;
    for kind in AVERAGINGS {
        let Some(node) = section.node(kind.name) else { continue };
        let span = node.span.clone();
        let Some(entry) = entry(kind.name, kind.options[0].0, node)? else { continue };
        if let Some(first) = &found {
            let message = format!(
                "`{}` and `{}`: one average is judged in place of the weights",
                first.name, entry.name
            );
            let error = Error::new(ErrorKind::Usage, message).help("leave one of the two out");
            return Err(error.with_span(span));
        }
        found = Some(entry);
    }
    Ok(found)
}

/// The entry of a key: `0.999` is short for `{ decay = 0.999 }`, and `false` for none.
fn entry(name: &'static str, first: &'static str, node: Node) -> Result<Option<Entry>> {
    let entry = Entry::new(name).at(node.span.clone());
    Ok(Some(match &node.value {
        Tree::Bool(false) => return Ok(None),
        Tree::Bool(true) => entry,
        Tree::Int(_) | Tree::Float(_) => entry.with_option_at(first, node.to_value()?, node.span.into()),
        Tree::Table(members) => members.iter().try_fold(entry, |entry, (key, node)| {
            Ok::<Entry, Error>(entry.with_option_at(
                key.name.as_str(),
                node.to_value()?,
                key.span.clone().into(),
            ))
        })?,
        _ => {
            let message = format!("`{name}` should be a number or a table, found {}", node.kind());
            let example = match name {
                "swa" => "`swa = 8`, or `swa = { from = 8, lr = 0.05 }`",
                _ => "`ema = 0.999`, or `ema = { decay = 0.999, from = 2 }`",
            };
            return Err(Error::new(ErrorKind::Usage, message)
                .help(format!("write {example}"))
                .with_span(node.span));
        }
    }))
}

/// Fills in the defaults of the average, and checks it with the rest of the training.
///
/// # Errors
/// A setting is unknown or out of range; the optimizer averages itself; the first epoch is after the last.
pub fn fill(train: &mut Train, optimizer: &dyn Optimizer) -> Result<()> {
    let Some(entry) = &mut train.averaging else { return Ok(()) };
    let (averaging, said) = filled::<Averaging>(entry, &())?;
    let key = entry.name.clone();
    let place = |e: Error| {
        // Said in the words of the file.
        let message = e.message().replacen("averaging:", &format!("`{key}`:"), 1);
        let error = Error::new(e.kind(), message).help(e.help_text().unwrap_or_default());
        entry.span.into_iter().fold(error, |e, span| e.with_span(span.into()))
    };
    averaging.check(optimizer, train.epochs).map_err(place)?;
    *entry = said;
    Ok(())
}

#[test]
fn a_key_is_a_number_or_a_table_and_there_is_one() {
    use crate::Config;
    use mapsto::spec::Value;
    let file = |line: &str| {
        let text = "[data]\nset = 'mnist'\n[model]\nlayers = ['flatten']\n[train]\nloss = 'mse'\n";
        Config::parse(&format!("{text}{line}\n"), &[])
    };
    let read = |line: &str| file(line).unwrap().train.averaging;
    assert_eq!(read("ema = 0.9").unwrap().option("decay"), Some(&Value::Float(0.9)));
    assert_eq!(read("swa = 8").unwrap().option("from"), Some(&Value::Int(8)));
    assert_eq!(read("ema = true").unwrap(), Entry::new("ema"));
    assert_eq!(read("swa = false"), None);
    let rendered = file("swa = { from = 8, lr = 0.1 }").unwrap().render();
    assert!(rendered.contains("\nswa = { from = 8, lr = 0.1 }\n"), "{rendered}");
    assert_eq!(Config::parse(&rendered, &[]).unwrap().render(), rendered);
    for (line, said) in [
        ("ema = 0.9\nswa = 3", "`ema` and `swa`: one average is judged"),
        ("swa = 'yes'", "`swa` should be a number or a table, found a text"),
    ] {
        let e = file(line).unwrap_err();
        assert!(e.to_string().contains(said) && e.to_string().contains("help: "), "{e}");
    }
}
