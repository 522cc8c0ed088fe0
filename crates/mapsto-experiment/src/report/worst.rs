//! The samples that the model does worst on, as pictures or as rows.

use mapsto::training::Predictions;
use mapsto::{DType, Result, Tensor};

use super::html::{counted, number, table, text};
use super::thumbnail::element;
use super::{Facts, Section};

/// So many samples are shown, and so many bytes of pictures.
const PICTURES: usize = 24;
const ROWS: usize = 10;
const BYTES: usize = 300_000;
/// So many columns of a table are shown.
const COLUMNS: usize = 24;

/// A sample with what is said of it.
struct Sample {
    /// Its place among the test samples.
    at: usize,
    first: String,
    second: String,
    /// What the model made of it, where that is a picture.
    made: Option<Tensor>,
}

/// The section.
pub fn section(facts: &Facts<'_>) -> Result<Option<Section>> {
    let (Some((_, predictions)), Some(test)) = (facts.test, &facts.experiment.test) else { return Ok(None) };
    let Some((list, intro)) = worst(facts, predictions) else { return Ok(None) };
    let (heading, names) = facts.experiment.test_names();
    let mut html = format!("<p>{}</p>\n", text(&intro));
    if facts.picture().is_some() {
        let mut shown = String::new();
        let range = test.dataset().range();
        for sample in &list {
            let x = test.dataset().batch(&[sample.at])?.x.squeeze(0);
            let Some(picture) = element(&x, range, &format!("{}; {}", sample.first, sample.second)) else {
                continue;
            };
            let picture = match &sample.made {
                Some(made) => match element(made, None, "what the model made of it") {
                    Some(made) => format!("<div class=\"pair\">{picture}{made}</div>"),
                    None => picture,
                },
                None => picture,
            };
            let name = names
                .get(sample.at)
                .map_or(String::new(), |name| format!("{heading} {}", crate::plain(name)));
            let item = format!(
                "<li>{picture}<span>{}</span><span class=\"quiet\">{}<br>{}</span></li>\n",
                text(&sample.first),
                text(&sample.second),
                text(&name)
            );
            if shown.len() + item.len() > BYTES {
                break;
            }
            shown += &item;
        }
        html += &format!("<ul class=\"pictures\">\n{shown}</ul>\n");
    } else {
        html += &rows(facts, &list[..list.len().min(ROWS)], heading, &names)?;
    }
    Ok(Some(Section { id: "worst", title: "Worst samples", html }))
}

/// The worst samples first, and what they are.
fn worst(facts: &Facts<'_>, predictions: &Predictions) -> Option<(Vec<Sample>, String)> {
    let outputs = facts.experiment.outputs();
    if predictions.classified(outputs).is_some() {
        let mistakes = predictions.mistakes(outputs);
        let sample = |m: &mapsto::training::Mistake| Sample {
            at: m.index,
            first: format!("{}, taken for {}", facts.class(m.actual), facts.class(m.predicted)),
            second: format!("{:.1} % sure", 100.0 * m.confidence),
            made: None,
        };
        let all = mistakes.len();
        let list: Vec<Sample> = mistakes.iter().take(PICTURES).map(sample).collect();
        let intro = match all {
            n if n > list.len() => {
                format!("The {} mistakes that the model was surest of, of {n}.", list.len())
            }
            1 => "The one mistake.".into(),
            n => format!("All {n} mistakes, the surest first."),
        };
        return (all > 0).then_some((list, intro));
    }
    let (y, target) = (&predictions.y, &predictions.target);
    let n = predictions.indices.len();
    if n == 0 || y.len() != target.len() || !target.dtype().is_float() {
        return None;
    }
    let width = y.len() / n;
    let [a, b] = [y, target].map(|x| x.to(DType::F64).to_vec::<f64>());
    let picture = facts.picture().filter(|[c, h, w]| c * h * w == width);
    let is_single = width == 1;
    let size = |i: usize| -> f64 {
        let off = (i * width..(i + 1) * width).map(|k| (a[k] - b[k]).powi(2)).sum::<f64>() / width as f64;
        if off.is_nan() { f64::INFINITY } else { off.sqrt() }
    };
    let mut order: Vec<(usize, f64)> = (0..n).map(|i| (i, size(i))).collect();
    order.sort_by(|x, y| y.1.total_cmp(&x.1).then(x.0.cmp(&y.0)));
    let sample = |&(i, off): &(usize, f64)| Sample {
        at: predictions.indices[i],
        first: if is_single {
            format!("true {}, predicted {}", number(b[i]), number(a[i]))
        } else {
            format!("off by {}", number(off))
        },
        second: if is_single {
            format!("off by {}", number(off))
        } else {
            "root of the mean squared error".into()
        },
        made: picture.map(|[c, h, w]| Tensor::from_slice(&a[i * width..(i + 1) * width], [c, h, w])),
    };
    let list: Vec<Sample> = order.iter().take(PICTURES).map(sample).collect();
    let intro = match picture {
        Some(_) => format!(
            "The {} that come out worst, beside what the model made of them.",
            counted(list.len(), "sample")
        ),
        None => "The samples whose predictions are farthest off.".into(),
    };
    Some((list, intro))
}

/// Samples as rows of the table they stand in.
fn rows(facts: &Facts<'_>, list: &[Sample], heading: &str, names: &[String]) -> Result<String> {
    let Some(test) = &facts.experiment.test else { return Ok(String::new()) };
    let info = &facts.experiment.info;
    let shown = info.features.len().min(COLUMNS);
    let mut head = vec![(heading, false), ("what was said", false), ("", false)];
    head.extend(info.features[..shown].iter().map(|name| (name.as_str(), false)));
    let mut rows = Vec::new();
    for sample in list {
        let set = test.dataset();
        let x = match set.exact_batch(&[sample.at])? {
            Some(batch) => batch.x,
            None => set.batch(&[sample.at])?.x,
        };
        let values = x.to(DType::F64).to_vec::<f64>();
        let name = names.get(sample.at).map_or(String::new(), |name| crate::plain(name));
        let mut row = vec![text(&name), text(&sample.first), text(&sample.second)];
        for (i, v) in values.iter().take(shown).enumerate() {
            let cell = match info.columns.get(i) {
                Some(column) => crate::plain(&column.cell(*v)),
                None if v.is_nan() => String::new(),
                None => (*v as f32).to_string(),
            };
            row.push(text(&cell));
        }
        rows.push(row);
    }
    let rest = match info.features.len() - shown {
        0 => String::new(),
        n => format!("<p class=\"note\">{} are not shown.</p>\n", counted(n, "more column")),
    };
    Ok(table("worst samples", &head, &rows) + &rest)
}
