//! What becomes of the columns of a table, and that a model file says all of it.

use super::*;
use crate::Table;

const CSV: &str = "n,job,day,left,y\n1,smith,2024-01-01,yes,1\n3,smith,2024-07-01,no,2\n,smith,,,3\n\
                   8,baker,2024-07-01,no,4\n8,,2024-01-01,no,5\n";

fn set() -> crate::InMemory {
    let names = ["n", "job", "day", "left"];
    Table::parse(CSV, "t.csv").unwrap().features(names).unwrap().understood().unwrap().target("y").unwrap()
}

fn rows(steps: &Preprocess, set: &crate::InMemory) -> Vec<Vec<f32>> {
    let all: Vec<usize> = (0..set.len()).collect();
    let x = steps.apply(set.exact_batch(&all).unwrap().unwrap().x);
    x.to_vec::<f32>().chunks(x.shape()[1]).map(<[f32]>::to_vec).collect()
}

/// Mean 5 and deviation √(38/4 ..) by hand: values 1, 3, 8, 8 have mean 5, squares 16, 4, 9, 9, median 5.5.
#[test]
fn columns_become_what_is_said() {
    let set = set();
    let steps = Preprocess::new().then(Columns::new()).fit(&set).unwrap();
    let found = rows(&steps, &set);
    let std = (38.0_f64 / 4.0).sqrt();
    let near = |a: f32, b: f64| assert!((f64::from(a) - b).abs() < 1e-6, "{a} {b}");
    // n, missing | other, smith, missing | year, sin, cos of month, sin, cos of weekday, missing | left, missing
    assert_eq!(found[0].len(), 2 + 3 + 6 + 2);
    near(found[0][0], -4.0 / std);
    near(found[2][0], 0.5 / std);
    assert_eq!([found[0][1], found[2][1]], [0.0, 1.0]);
    assert_eq!(found[0][2..5], [0.0, 1.0, 0.0]);
    assert_eq!(found[3][2..5], [1.0, 0.0, 0.0]); // a baker came once
    assert_eq!(found[4][2..5], [0.0, 0.0, 1.0]);
    near(found[1][6], (0.5 * std::f64::consts::TAU).sin()); // July is half a turn
    near(found[1][7], -1.0);
    assert_eq!(found[0][8..11], [0.0, 1.0, 0.0]); // a Monday
    assert_eq!([found[0][11], found[1][11], found[2][11]], [1.0, 0.0, 0.0]);
    assert_eq!([found[0][12], found[2][12]], [0.0, 1.0]);
    // By the mean, unchanged numbers.
    let steps = Preprocess::new().then(Columns::new().fill_by_mean().not_standardized()).fit(&set).unwrap();
    assert_eq!(rows(&steps, &set)[2][0], 5.0);
}

#[test]
fn a_model_file_says_all_that_was_learnt() {
    let set = set();
    for columns in [Columns::new(), Columns::new().one_hot(0), Columns::new().fill_by_mean()] {
        let steps = Preprocess::new().then(columns).fit(&set).unwrap();
        let json = steps.entries()[0].to_json().to_string();
        let entry = Entry::from_json(&mapsto_spec::Json::parse(&json).unwrap()).unwrap();
        let again = Preprocess::from_entries(&[entry]).unwrap();
        assert_eq!(again, steps);
        assert_eq!(rows(&again, &set), rows(&steps, &set));
        assert_eq!(again.table().unwrap().0.len(), 4);
    }
}

#[test]
fn words_that_are_new_share_a_place_and_are_told() {
    let set = set();
    for (one_hot, other, smith) in [(16, vec![1.0, 0.0, 0.0], vec![0.0, 1.0, 0.0]), (0, vec![0.0], vec![1.0])]
    {
        let steps = Preprocess::new().then(Columns::new().one_hot(one_hot)).fit(&set).unwrap();
        let (columns, how) = steps.table().unwrap();
        let text = "left,job,n,day\nno,tailor,1,2024-01-01\nno,smith,2,2024-01-01\nno,baker,2,\n";
        let table = Table::parse_as(text, "new.csv", &how).unwrap();
        let names: Vec<String> = columns.iter().map(|c| c.name.clone()).collect();
        let x = table.features(&names).unwrap().understood_as(&columns).exact_inputs().unwrap();
        assert_eq!(steps.unseen(&x), [(1, 1)]);
        let y = steps.apply(x);
        let width = y.shape()[1];
        let at = if one_hot == 0 { width - 1 } else { 2 };
        let of = |row: usize| y.to_vec::<f32>()[row * width + at..][..other.len()].to_vec();
        assert_eq!((of(0), of(1), of(2)), (other.clone(), smith, other));
        assert_eq!(steps.ids(), if one_hot == 0 { vec![3] } else { vec![] });
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let read = |text: &str| {
        let entry = Entry::from_json(&mapsto_spec::Json::parse(text).unwrap()).unwrap();
        Preprocess::from_entries(&[entry]).err().map(|e| e.message().to_string()).unwrap_or_default()
    };
    for (json, said) in [
        (r#"{"columns":[{"number":"a","mean":0,"std":0,"fill":0}]}"#, "`std` of column `a` must be above 0"),
        (r#"{"columns":[{"number":"a","mean":0,"std":1}]}"#, "`number` needs `fill`"),
        (r#"{"columns":[{"word":"a"}]}"#, "`word` is not one of"),
        (r#"{"columns":[{"category":"a","words":["x","x"]}]}"#, "a word is there twice"),
        (r#"{"columns":[{"date":"a","order":"x"}]}"#, "`order` of column `a`"),
        (r#"{"columns":[{"number":3}]}"#, "needs the name of a column"),
        (r#"{"columns":true,"missing":"x"}"#, "is not one of median, mean"),
    ] {
        assert!(read(json).contains(said), "{json}: {}", read(json));
    }
    let e = mapsto_tensor::catch(|| Columns::new().apply(Tensor::zeros([1, 1]))).err().unwrap();
    assert_eq!(e.message(), "columns: the columns are not known yet");
    let steps = Preprocess::new().then(crate::Scale::new(2.0)).then(Columns::new());
    assert!(steps.fit(&set()).unwrap_err().message().contains("come first"));
}

/// Changing a cell changes no number but those that say they are made of its column, and at least one of those.
#[test]
fn each_number_says_the_column_that_it_is_made_of() {
    let csv = "size,tree,day,y\n1,oak,2024-01-01,1\n3,oak,2024-02-03,2\n,oak,2024-05-05,3\n2,elm,2024-07-09,4\n2,elm,2024-07-10,5\n2,elm,2024-07-11,6\n";
    let set = crate::Table::parse(csv, "t.csv")
        .unwrap()
        .features(["size", "tree", "day"])
        .unwrap()
        .understood()
        .unwrap();
    let set = set.target("y").unwrap();
    let steps = Preprocess::new().then(Columns::new()).fit(&set).unwrap();
    let of = steps.sources();
    let x = set.exact_batch(&[0, 3]).unwrap().unwrap().x;
    let rows = x.to_vec::<f64>();
    let made = |row: Vec<f64>| steps.apply(Tensor::from_vec(row, [1, 3])).to_vec::<f32>();
    let before = made(rows[..3].to_vec());
    assert_eq!(before.len(), of.len());
    for column in 0..3 {
        let mut row = rows[..3].to_vec();
        row[column] = rows[3 + column];
        let after = made(row);
        let changed: Vec<usize> = (0..of.len()).filter(|i| before[*i] != after[*i]).collect();
        assert!(
            !changed.is_empty() && changed.iter().all(|i| of[*i] == column),
            "{column}: {changed:?} {of:?}"
        );
    }
}
