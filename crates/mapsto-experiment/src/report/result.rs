//! How good the model is, beside what costs nothing to reach.

use mapsto::spec::Json;
use mapsto::{DType, Result};

use super::html::{counted, number, table, text, value};
use super::{Facts, Section};

/// The section.
pub fn section(facts: &Facts<'_>) -> Result<Option<Section>> {
    let mut html = String::new();
    match facts.test {
        Some((found, _)) => {
            let averaged =
                facts.averaged.as_deref().map_or(String::new(), |how| format!(" Its weights are a {how}."));
            html += &format!(
                "<p>The model of the best epoch was shown {} that it had never seen.{}</p>\n",
                counted(found.samples as usize, "test sample"),
                text(&averaged)
            );
            let numbers =
                std::iter::once(("loss".to_string(), found.loss)).chain(found.metrics.iter().cloned());
            let rows = numbers.map(|(name, v)| vec![text(&name), value(&name, v)]).collect::<Vec<_>>();
            html += &table("results of the test", &[("number", false), ("test", true)], &rows);
        }
        None => {
            let row = facts.best.and_then(|best| facts.history.rows.iter().find(|row| row.epoch == best));
            let Some(row) = row.or(facts.history.rows.last()) else { return Ok(None) };
            html += &format!(
                "<p>No samples were held out for a test, so these are the numbers of epoch {}. Those of the validation chose that \
                 epoch and flatter the model a little; <code>test = 0.2</code> in <code>[data]</code> holds out samples that choose \
                 nothing.</p>\n",
                row.epoch
            );
            let rows: Vec<_> = row.values.iter().map(|(name, v)| vec![text(name), value(name, *v)]).collect();
            html += &table("results of the best epoch", &[("number", false), ("value", true)], &rows);
        }
    }
    html += &baselines(facts);
    Ok(Some(Section { id: "result", title: "Result", html }))
}

/// The score of the model on the scale of the baselines.
fn own(facts: &Facts<'_>, score: &str, on: &str) -> Option<(f64, &'static str)> {
    // Where the baselines were judged on validation samples, so is the model, if its numbers were kept.
    let row = facts.history.rows.iter().find(|row| Some(row.epoch) == facts.best);
    let on_validation =
        row.and_then(|row| row.value(&format!("val {score}"))).map(|v| (v, "all validation samples"));
    if let Some(found) = on_validation.filter(|_| on.contains("validation") || facts.test.is_none()) {
        return Some(found);
    }
    if let Some((found, predictions)) = facts.test {
        let known = found.value(score);
        let computed = || match score {
            "accuracy" => found.confusion.as_ref().map(|matrix| matrix.accuracy()),
            _ => {
                let [y, t] = [&predictions.y, &predictions.target].map(|x| x.to(DType::F64).to_vec::<f64>());
                let is_same = predictions.target.dtype().is_float() && y.len() == t.len() && !y.is_empty();
                let sum: f64 = y.iter().zip(&t).map(|(y, t)| (y - t).powi(2)).sum();
                is_same.then(|| (sum / y.len() as f64).sqrt())
            }
        };
        return known.or_else(computed).map(|v| (v, "the test samples"));
    }
    None
}

/// Bars of the baselines with that of the model above them.
fn baselines(facts: &Facts<'_>) -> String {
    let Some(found) = &facts.preflight else { return String::new() };
    let read = |b: &Json| Some((b.get("name")?.str()?.to_string(), b.get("score")?.number()?));
    let list: Vec<(String, f64)> =
        found.get("baselines").and_then(Json::list).into_iter().flatten().filter_map(read).collect();
    let Some(score) = found.get("score").and_then(Json::str).filter(|_| !list.is_empty()) else {
        return String::new();
    };
    let is_share = score == "accuracy";
    let on = found.get("judged_on").and_then(Json::str).unwrap_or("samples");
    let own = own(facts, score, on);
    let most =
        list.iter().map(|(_, v)| *v).chain(own.map(|(v, _)| v)).filter(|v| v.is_finite()).fold(0.0, f64::max);
    let scale = if is_share { 1.0 } else { most.max(1e-300) };
    let said = |v: f64| if is_share { format!("{:.2} %", 100.0 * v) } else { number(v) };
    let bar = |name: &str, v: f64, class: &str| {
        let width = (100.0 * v / scale).clamp(0.0, 100.0);
        let width = if width.is_finite() { width } else { 0.0 };
        format!(
            "<dt class=\"{class}\">{}</dt><dd class=\"rail {class}\"><i style=\"width:{width:.1}%\"></i></dd><dd class=\"v {class}\">{}</dd>\n",
            text(name),
            said(v)
        )
    };
    let mut html = String::from("<h3>Beside what costs nothing</h3>\n<dl class=\"bars\">\n");
    if let Some((v, _)) = own {
        html += &bar("this model", v, "own");
    }
    html += &list.iter().map(|(name, v)| bar(name, *v, "")).collect::<String>();
    let judged = found.get("judged").and_then(Json::int).unwrap_or(0);
    let measure = if is_share {
        "Share of right answers"
    } else {
        "Root of the mean squared error, of which less is better"
    };
    html += &format!(
        "</dl>\n<p class=\"note\">{measure}. The baselines are judged on {judged} {}{}.</p>\n",
        text(on),
        own.map_or(String::new(), |(_, on)| format!(", the model on {on}"))
    );
    let best = list
        .iter()
        .filter(|(_, v)| v.is_finite())
        .max_by(|a, b| if is_share { a.1.total_cmp(&b.1) } else { b.1.total_cmp(&a.1) });
    if let (Some((v, _)), Some((name, baseline))) = (own, best)
        && !(if is_share { v > *baseline } else { v < *baseline })
    {
        html += &format!(
            "<p class=\"warn\">The {} does as well or better, with {}: the network has not yet learnt anything that was worth its training.</p>\n",
            text(name),
            said(*baseline)
        );
    }
    html
}
