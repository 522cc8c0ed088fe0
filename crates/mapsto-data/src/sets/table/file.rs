//! The set `csv`: a table as a training file names it, with columns of any kind.

use crate::delimited::shortened;
use crate::look::{Found, look};
use crate::selection::Selection;
use crate::sets::{SetKind, Sets};
use crate::{Column, ColumnKind, Dataset, InMemory, Reading, Rounded, Table};
use mapsto_spec::{Args, Entry, FromValue, Value};
use mapsto_tensor::{Error, ErrorKind, Result};
use std::sync::Arc;

/// One name, or a list of names.
struct OneOrMore(Vec<String>);

impl FromValue for OneOrMore {
    const EXPECTED: &'static str = "the name of a column, or a list of names";
    fn from_value(value: &Value) -> Option<OneOrMore> {
        String::from_value(value).map(|one| vec![one]).or_else(|| Vec::from_value(value)).map(OneOrMore)
    }
}

/// What the model learns to say.
enum Goal {
    Values(Vec<String>),
    Class(String),
    Labels(Vec<String>),
}

impl Goal {
    fn of(
        args: &Args,
        target: Option<OneOrMore>,
        class: Option<String>,
        labels: Option<Vec<String>>,
    ) -> Result<Goal> {
        match (target, class, labels) {
            (Some(OneOrMore(columns)), None, None) if !columns.is_empty() => Ok(Goal::Values(columns)),
            (None, Some(column), None) => Ok(Goal::Class(column)),
            (None, None, Some(columns)) if !columns.is_empty() => Ok(Goal::Labels(columns)),
            _ => Err(args.error(
                "",
                "give either `target` or `class`: values to fit, or labels to tell apart; or `labels`: several answers of yes or no",
            )),
        }
    }

    fn columns(&self) -> Vec<String> {
        match self {
            Goal::Values(columns) | Goal::Labels(columns) => columns.clone(),
            Goal::Class(column) => vec![column.clone()],
        }
    }

    fn set(&self, chosen: &Selection, classes: Option<&[String]>) -> Result<InMemory> {
        match (self, classes) {
            (Goal::Values(columns), _) => chosen.targets(columns),
            (Goal::Labels(columns), _) => chosen.labels(columns),
            (Goal::Class(column), None) => chosen.class(column),
            (Goal::Class(column), Some(classes)) => chosen.class_of(column, classes),
        }
    }
}

/// What becomes of cells that are missing.
const MISSING: [&str; 4] = ["median", "mean", "drop", "error"];

const FILL: &str = "`missing = \"median\"` in [data] fills such cells (or \"mean\", or \"drop\" to leave out the rows); \
                    otherwise fill or remove such rows first: nothing is guessed";

const NO_TARGET: &str = "a row without its target teaches nothing: remove it first, or write `missing = \"drop\"` in [data], which leaves \
                         out every row in which a cell is missing";

fn missing(args: &mut Args) -> Result<Option<String>> {
    let word = args.optional::<String>("missing")?;
    match &word {
        Some(word) if !MISSING.contains(&word.as_str()) => {
            Err(args.error("missing", format!("missing {word:?} is not one of {}", MISSING.join(", "))))
        }
        _ => Ok(word),
    }
}

/// The columns of a table that are learnt from, and what was understood of them where they are not all numbers.
struct Chosen {
    columns: Vec<String>,
    understood: Option<Vec<Column>>,
    left_out: Vec<String>,
}

/// Looks at the columns: those that the user named, or all of `candidates`.
fn choose(
    table: &Table,
    candidates: &Selection,
    is_named: bool,
    texts: &[usize],
    fills: bool,
) -> Result<Chosen> {
    let (mut kept, mut left_out, mut wrong) = (Vec::new(), Vec::new(), None);
    for found in look(table, &candidates.features, texts) {
        match found {
            Found::Column(column) => kept.push(column),
            Found::Nothing(what) if is_named => {
                let message = format!("{}: nothing is to be learnt from {what}", table.name);
                return Err(Error::new(ErrorKind::Data, message)
                    .help("leave the column out of `features`, or name it in `categories`"));
            }
            Found::Nothing(what) => left_out.push(format!("{}: left out: {what}", table.name)),
            Found::Unclear(e) => return Err(e),
            Found::Wrong(e) => wrong = wrong.or(Some(e)),
        }
    }
    let are_mixed = fills || kept.iter().any(|column| column.kind != ColumnKind::Number);
    match wrong {
        Some(e) if are_mixed => return Err(e),
        // The first cell that is wrong is found again, row by row.
        Some(_) => {
            let columns = candidates.features.iter().map(|&c| table.columns()[c].clone()).collect();
            return Ok(Chosen { columns, understood: None, left_out });
        }
        None => {}
    }
    if kept.is_empty() {
        let message = format!("{}: no column is left to learn from", table.name);
        return Err(Error::new(ErrorKind::Data, message).help("name columns in `features`"));
    }
    let columns = kept.iter().map(|column| column.name.clone()).collect();
    Ok(Chosen { columns, understood: are_mixed.then_some(kept), left_out })
}

fn build(args: &mut Args) -> Result<Box<Sets>> {
    let path: String = args.required("path")?;
    let test: Option<String> = args.optional("test")?;
    let target = args.optional::<OneOrMore>("target")?;
    let class = args.optional::<String>("class")?;
    let labels = args.optional::<Vec<String>>("labels")?;
    let features = args.optional::<Vec<String>>("features")?;
    let dropped = args.optional::<Vec<String>>("drop")?.unwrap_or_default();
    let texts = args.optional::<Vec<String>>("categories")?.unwrap_or_default();
    let missing = missing(args)?;
    let how = Reading::of(args)?;
    let goal = Goal::of(args, target, class, labels)?;

    let table = Table::of_file(&path, &how)?;
    args.record("delimiter", char::from(table.text.delimiter).to_string());
    let mut left_out = if features.is_none() { table.left_out().to_vec() } else { Vec::new() };
    let is_named = features.is_some();
    let candidates = match &features {
        Some(features) => table.features(features)?,
        None => table.features_except(goal.columns().iter().chain(&dropped))?,
    };
    let texts = texts.iter().map(|name| table.column(name)).collect::<Result<Vec<usize>>>()?;
    let fills = missing.as_ref().is_some_and(|word| word != "error");
    let chosen = choose(&table, &candidates, is_named, &texts, fills)?;
    drop(candidates);
    left_out.extend(chosen.left_out);
    let drops = missing.as_deref() == Some("drop");
    let names: Vec<&String> = chosen.columns.iter().collect();
    let goals = goal.columns();
    let refuses = missing.as_deref() == Some("error");
    let select = |mut table: Table| -> Result<(Selection, Option<Vec<usize>>)> {
        if refuses {
            for name in &names {
                let column = table.column(name)?;
                (0..table.len()).try_for_each(|row| table.cell(row, column).map(drop))?;
            }
        }
        if drops {
            let all = names.iter().copied().chain(&goals).map(|name| table.column(name));
            let all = all.collect::<Result<Vec<usize>>>()?;
            let rows = table.len();
            table = table.without_missing(&all);
            if table.is_empty() {
                let message = format!("{}: a cell is missing in each of the {rows} rows", table.name);
                return Err(Error::new(ErrorKind::Data, message)
                    .help("leave columns out, or fill cells with `missing = \"median\"`"));
            }
        }
        let kept = table.text.kept.clone();
        let chosen = match &chosen.understood {
            Some(columns) => table.features(&names)?.understood_as(columns),
            None => table.features(&names)?,
        };
        Ok((chosen, kept))
    };
    let advised = |e: Error| match e.message().contains("the value is missing") {
        true if goals.iter().any(|name| e.message().contains(&format!("column `{name}`"))) => {
            e.help(NO_TARGET)
        }
        true => e.help(FILL),
        false => e,
    };
    let seems_headless = table.text.seems_headless();
    let rows = table.len();
    let (selection, kept) = select(table).map_err(advised)?;
    if let Some(kept) = kept.as_ref().filter(|kept| kept.len() < rows) {
        left_out.push(format!(
            "{path}: left out: {} rows of {rows}, in which a cell is missing",
            rows - kept.len()
        ));
    }
    let train = goal.set(&selection, None).map_err(advised)?;
    let x = train.exact();
    let mut rounded = selection.rounded(&selection.features, &x);
    if let Goal::Values(columns) = &goal {
        let columns = columns.iter().map(|name| selection.table.column(name)).collect::<Result<Vec<_>>>()?;
        let targets = selection.rounded(&columns, &selection.numbers(&columns)?);
        rounded.extend(targets.into_iter().map(|found| Rounded { is_target: true, ..found }));
    }
    let mut too_large = selection.too_large(&x);
    let info = train.info();
    args.record("features", info.features.clone());
    if info.reading.is_some() {
        args.record("missing", missing.as_deref().unwrap_or("median"));
    }
    let (mut kept_test, mut tested) = (None, None);
    if let Some(path) = test {
        let (selection, kept) = select(Table::of_file(&path, &how)?).map_err(advised)?;
        let test = goal.set(&selection, Some(&info.classes)).map_err(advised)?;
        too_large = too_large.or_else(|| selection.too_large(&test.exact()));
        (kept_test, tested) = (kept, Some(Arc::new(test) as Arc<dyn Dataset>));
    }
    if seems_headless {
        left_out.push(format!(
            "{}: left out: the first line, which names the columns, and reads as a row of numbers: say `header = false` in [data] if it is one",
            shortened(&path)
        ));
    }
    Ok(Box::new(Sets {
        train: Arc::new(train),
        test: tested,
        validation: None,
        left_out,
        rounded,
        too_large,
        kept,
        kept_test,
    }))
}

pub(in crate::sets) const KIND: SetKind = SetKind::new(
    "csv",
    "A table with named columns of numbers, text, dates or yes and no: `features`, and either `target` (values), `class` or `labels`; `test` is a second file.",
    |args, ()| build(args),
)
.example(|| Entry::new("csv").with_option("path", "data/csv").with_option("class", "species"))
.options(&[
    ("path", "the file, which may be packed with gzip"),
    ("test", "a second file, for the test"),
    ("target", "the column of numbers to fit, or a list of such columns"),
    ("class", "the column of labels to tell apart"),
    ("labels", "columns that each answer yes or no, for a model that says several at once"),
    ("features", "the columns to learn from; all others where nothing is said"),
    ("drop", "columns not to learn from, where `features` does not say it"),
    ("categories", "columns of numbers that name kinds, as postal codes do, and columns of text with very many words"),
    ("missing", "what becomes of cells that are missing: \"median\" or \"mean\" fills them, \"drop\" leaves out their rows, \"error\" refuses them"),
    ("delimiter", "what separates cells; found by looking where nothing is said"),
    ("header", "whether the first line names the columns"),
    ("na_values", "further words for a cell that is missing"),
    ("decimal", "the point of decimals: \".\" or \",\""),
    ("encoding", "\"utf-8\", \"latin1\" or \"windows-1252\""),
    ("dates", "how dates such as 01/02/2024 are read: \"dmy\" or \"mdy\""),
]);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DateOrder;
    use std::fmt::Write as _;

    /// What a file says, opened with these options.
    fn opened(text: &[u8], options: &[(&str, Value)]) -> Result<(Sets, Entry)> {
        use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let name = format!("mapsto-table-{}-{}.csv", std::process::id(), NUMBER.fetch_add(1, Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        let entry = Entry::new("csv").with_option("path", path.display().to_string());
        let entry =
            options.iter().fold(entry, |entry, (name, value)| entry.with_option(*name, value.clone()));
        let found = crate::sets::from_entry(&entry);
        std::fs::remove_file(&path).unwrap();
        found
    }

    fn kinds(sets: &Sets) -> Vec<String> {
        sets.train
            .info()
            .columns
            .iter()
            .map(|c| format!("{} {} {} {}", c.name, c.kind, c.distinct, c.missing))
            .collect()
    }

    const MIXED: &str = "age,job,day,left,note,empty,y\n\
        31,smith,2024-02-29,yes,,,1\n?,baker,2024-03-01,no,a,NA,0\n44,smith,2024-03-02,no,,,0\n44,12,NA,No,,,1\n";

    #[test]
    fn columns_are_understood_by_their_cells() {
        let (sets, entry) = opened(MIXED.as_bytes(), &[("class", "y".into())]).unwrap();
        let wanted = ["age number 2 1", "job text 3 0", "day date 3 1", "left boolean 3 0", "note text 1 3"];
        assert_eq!(kinds(&sets), wanted);
        assert!(sets.left_out[0].contains("left out: column `empty`, in which every cell is missing"));
        assert_eq!(entry.option("missing"), Some(&"median".into()));
        assert_eq!(entry.option("delimiter"), Some(&",".into()));
        let columns = sets.train.info().columns;
        assert_eq!(columns[1].words, ["12", "baker", "smith"]);
        assert_eq!(columns[2].kind, ColumnKind::Date(DateOrder::Ymd));
        let x = sets.train.exact_batch(&[0, 1, 3]).unwrap().unwrap().x.to_vec::<f64>();
        let word = crate::column::code;
        assert_eq!(x[..2], [31.0, word("smith")]);
        assert_eq!(x[2..4], [1_709_164_800.0, 1.0]);
        assert!(x[4].is_nan() && x[5].is_nan() && x[6] == word("baker") && x[12].is_nan());
        let drops: [(&str, Value); 3] =
            [("class", "y".into()), ("missing", "drop".into()), ("drop", vec!["note"].into())];
        let (sets, _) = opened(MIXED.as_bytes(), &drops).unwrap();
        assert_eq!((sets.train.len(), sets.kept), (2, Some(vec![0, 2])));
    }

    #[test]
    fn missing_cells_are_refused_where_that_is_asked_for() {
        for (text, place) in [(MIXED, "row 2, column `age`"), ("a,t,y\n1,u,0\n,v,1\n", "row 2, column `a`")] {
            let options: [(&str, Value); 3] = [
                ("class", "y".into()),
                ("missing", "error".into()),
                ("drop", vec!["empty"; usize::from(text == MIXED)].into()),
            ];
            let e = opened(text.as_bytes(), &options).err().expect(place);
            assert!(e.message().contains(place) && e.help_text().unwrap().contains("median"), "{e}");
        }
        let e = opened(b"a,t,y\n1,u,0\n2,v,\n", &[("class", "y".into())]).err().unwrap();
        assert!(e.help_text().unwrap().contains("without its target"), "{e}");
    }

    #[test]
    fn tables_of_numbers_are_read_as_they_were() {
        let (sets, entry) = opened(b"a,b,y\n1,2,5\n3,4,6\n", &[("target", "y".into())]).unwrap();
        assert!(sets.train.info().columns.is_empty() && entry.option("missing").is_none());
        let e = opened(b"a,b,y\n1,2,5\n3,,6\n", &[("target", "y".into())]).err().unwrap();
        assert!(e.message().contains("row 2, column `b`: the value is missing"), "{e}");
        assert!(e.help_text().unwrap().contains("missing = \"median\""), "{e}");
        let e = opened(b"a,b,y\n1,2,5\n3,x,6\n4,5,6\n", &[("target", "y".into())]).err().unwrap();
        assert!(e.message().contains("row 2, column `b`: `x` is not a number"), "{e}");
        let (sets, _) = opened(
            b"a,b,y\n1,2,5\n3,x,6\n4,5,6\n",
            &[("target", "y".into()), ("categories", vec!["b"].into())],
        )
        .unwrap();
        assert_eq!(kinds(&sets), ["a number 3 0", "b text 3 0"]);
    }

    #[test]
    fn other_ways_of_writing_a_table_are_read() {
        let read = |text: &[u8], options: &[(&str, Value)]| {
            let options: Vec<(&str, Value)> =
                [("target", Value::from("y"))].iter().chain(options).cloned().collect();
            let (sets, _) = opened(text, &options)?;
            let all: Vec<usize> = (0..sets.train.len()).collect();
            let batch = sets.train.batch(&all)?;
            Ok::<_, Error>((batch.x.to_vec::<f32>(), batch.y.to_vec::<f32>()))
        };
        let wanted = (vec![1.5, 2.0], vec![3.0, 4.0]);
        assert_eq!(read(b"a;y\n1,5;3\n2;4\n", &[("decimal", ",".into())]).unwrap(), wanted);
        assert_eq!(read(b"a\ty\n1.5\t3\n2\t4\n", &[]).unwrap(), wanted);
        let headless: [(&str, Value); 2] = [("header", false.into()), ("features", vec!["column_1"].into())];
        let (sets, _) =
            opened(b"1.5|3\n2|4\n", &[&headless[..], &[("target", "column_2".into())]].concat()).unwrap();
        assert_eq!(sets.train.len(), 2);
        let e = read(b"a;y\n1,5;3\n2,5;4\n", &[]).unwrap_err();
        assert!(e.help_text().unwrap().contains("`decimal = \",\"`"), "{e}");
        let e = read(b"a,y\n1,\xe9\n", &[]).unwrap_err();
        assert!(e.help_text().unwrap().contains("encoding = "), "{e}");
        let (sets, _) =
            opened(b"a,k\n1,caf\xe9\n2,x\n", &[("class", "k".into()), ("encoding", "latin1".into())])
                .unwrap();
        assert_eq!(sets.train.info().classes, ["café", "x"]);
        let (sets, _) = opened(b"a,u,v\n1,yes,0\n2,no,1\n", &[("labels", vec!["u", "v"].into())]).unwrap();
        assert_eq!(sets.train.batch(&[0, 1]).unwrap().y.to_vec::<f32>(), [1.0, 0.0, 0.0, 1.0]);
        let (sets, _) = opened(b"a,u,v\n1,5,0\n2,6,1\n", &[("target", vec!["v", "u"].into())]).unwrap();
        assert_eq!(sets.train.batch(&[1]).unwrap().y.to_vec::<f32>(), [1.0, 6.0]);
        let dates = b"d,y\n01/02/2024,1\n03/02/2024,2\n";
        let e = opened(dates, &[("target", "y".into())]).err().unwrap();
        assert!(e.message().contains("can be read in two ways"), "{e}");
        let (sets, _) = opened(dates, &[("target", "y".into()), ("dates", "dmy".into())]).unwrap();
        assert_eq!(sets.train.exact_batch(&[0]).unwrap().unwrap().x.to_vec::<f64>(), [1_706_745_600.0]);
        for (name, value) in
            [("missing", "x"), ("decimal", ";"), ("encoding", "x"), ("dates", "x"), ("drop", "x")]
        {
            assert!(
                opened(
                    b"a,y\n1,2\n",
                    &[
                        ("target", "y".into()),
                        (name, if name == "drop" { vec![value].into() } else { value.into() })
                    ]
                )
                .is_err(),
                "{name}"
            );
        }
    }

    #[test]
    fn names_of_rows_are_left_out_or_refused() {
        let mut text = "a,name,y\n".to_string();
        (0..60).for_each(|i| _ = writeln!(text, "{i},person {i},{}", i % 2));
        let (sets, _) = opened(text.as_bytes(), &[("class", "y".into())]).unwrap();
        assert!(
            sets.left_out[0].contains("column `name`: text with 60 different values in 60 cells"),
            "{:?}",
            sets.left_out
        );
        let named: [(&str, Value); 2] = [("class", "y".into()), ("features", vec!["a", "name"].into())];
        let e = opened(text.as_bytes(), &named).err().unwrap();
        assert!(e.help_text().unwrap().contains("`categories`"), "{e}");
        let (sets, _) =
            opened(text.as_bytes(), &[&named[..], &[("categories", vec!["name"].into())]].concat()).unwrap();
        assert_eq!(sets.train.info().columns[1].words.len(), 60);
    }

    /// Any number of threads reads the same table, over several blocks of rows.
    #[test]
    fn threads_change_nothing() {
        let mut text = "n,k,d,y\n".to_string();
        for i in 0..30_000_u64 {
            let n = if i % 97 == 0 { "NA".to_string() } else { format!("{}", i as f64 * 0.37) };
            _ = writeln!(text, "{n},\"w{}\",2024-01-{:02},{}", i * i % 311, 1 + i % 28, i % 3);
        }
        let read = |threads| {
            mapsto_kernels::threads::with_threads(threads, || {
                let (sets, _) = opened(text.as_bytes(), &[("class", "y".into())]).unwrap();
                let all: Vec<usize> = (0..sets.train.len()).collect();
                let bits = sets.train.exact_batch(&all).unwrap().unwrap().x.to_vec::<f64>();
                (kinds(&sets), bits.into_iter().map(f64::to_bits).collect::<Vec<u64>>())
            })
        };
        let one = read(1);
        assert_eq!(one.0[0], "n number 10000 310");
        assert!([2, 3, 5].into_iter().all(|threads| read(threads) == one));
    }
}
