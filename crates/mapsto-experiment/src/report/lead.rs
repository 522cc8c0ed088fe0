//! The top of the page: what was trained, in a sentence, and how good it is.

use mapsto::data::Loader;
use mapsto::nn::ModuleExt;

use super::Facts;
use super::html::{counted, duration, grouped, short, text, value};

/// The head of the report.
pub fn html(facts: &Facts<'_>) -> String {
    let experiment = facts.experiment;
    let parameters = experiment.model.parameter_count();
    let samples = experiment.train.dataset().len();
    let layers = counted(experiment.config.model.layers.len(), "layer");
    let mut out = format!(
        "<section class=\"top\">\n<h1>{}</h1>\n<p class=\"lead\">A network of {layers} and {} learns {} from {}.</p>\n<dl class=\"facts\">\n",
        text(&crate::plain(&facts.name)),
        counted(parameters, "parameter"),
        task(facts),
        counted(samples, "training sample"),
    );
    let mut fact = |class: &str, name: &str, value: &str, below: &str| {
        let below = if below.is_empty() { String::new() } else { format!("<small>{}</small>", text(below)) };
        out += &format!(
            "<div{}><dt>{}</dt><dd>{}{below}</dd></div>\n",
            if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") },
            text(name),
            text(value)
        );
    };
    let size = |loader: &Option<Loader>| loader.as_ref().map_or(0, |l| l.dataset().len());
    if let Some((name, v, on)) = headline(facts) {
        fact("first", &name, &value(&name, v), &on);
    }
    if let Some((found, _)) = facts.test {
        let is_headline = found.metrics.is_empty();
        if !is_headline {
            fact("", "test loss", &value("loss", found.loss), "");
        }
    }
    let epochs = facts.history.rows.len();
    let of = facts.experiment.config.train.epochs;
    // Nothing is said of what a training that begins has done.
    let said = if epochs == of || epochs == 0 { of.to_string() } else { format!("{epochs} of {of}") };
    let best = facts.best.map_or(String::new(), |best| format!("best: {best}"));
    fact("", "epochs", &said, &best);
    fact("", "parameters", &short(parameters as u64), "");
    let seconds: f64 = facts.history.rows.iter().map(|row| row.seconds).sum();
    if epochs > 0 {
        fact("", "training time", &duration(seconds), "");
    }
    let held = [(size(&experiment.validation), "validation"), (size(&experiment.test), "test")];
    let held: Vec<String> = held
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{} {what}", grouped(*n as u64)))
        .collect();
    fact("", "training samples", &grouped(samples as u64), &held.join(", "));
    out + "</dl>\n</section>\n"
}

/// What the network learns, in a few words.
fn task(facts: &Facts<'_>) -> String {
    let info = &facts.experiment.info;
    let set = text(&crate::plain(&facts.experiment.config.data.set.name));
    let targets = info.targets.iter().map(|name| text(&crate::plain(name))).collect::<Vec<_>>();
    match (info.classes.len(), targets.as_slice()) {
        (0, []) => format!("the set “{set}”"),
        (0, [one]) => format!("to say “{one}”"),
        (0, several) if several.len() <= 3 => {
            format!("to say {}", several.iter().map(|t| format!("“{t}”")).collect::<Vec<_>>().join(", "))
        }
        (0, several) => format!("to say {} numbers", several.len()),
        (n, _) => format!("to tell {n} classes apart"),
    }
}

/// The number that the run is judged by first: of the test, or else of the validation at the best epoch, or of the training.
fn headline(facts: &Facts<'_>) -> Option<(String, f64, String)> {
    if let Some((found, _)) = facts.test {
        let (name, v) = found.metrics.first().cloned().unwrap_or(("loss".into(), found.loss));
        return Some((
            format!("test {name}"),
            v,
            format!("of {}", counted(found.samples as usize, "sample")),
        ));
    }
    let row = facts.best.and_then(|best| facts.history.rows.iter().find(|row| row.epoch == best));
    let row = row.or(facts.history.rows.last())?;
    let columns = facts.history.columns();
    let is_held = |c: &&String| c.starts_with("val ") && *c != "val loss";
    let column = columns.iter().find(is_held).or_else(|| columns.iter().find(|c| *c == "val loss"));
    let column = column.or_else(|| columns.iter().find(|c| *c != "loss")).or(columns.first())?;
    Some((column.clone(), row.value(column)?, format!("in epoch {}", row.epoch)))
}
