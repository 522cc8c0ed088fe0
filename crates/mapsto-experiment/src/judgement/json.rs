//! What was found about a model, as JSON for other programs.

use mapsto::spec::Json;
use mapsto::training::{Evaluation, Interval};

use super::{Judged, Judgement, Worst};

impl Judgement {
    /// All of it for other programs, beside loss, metrics and confusion matrix.
    pub fn to_json(&self, found: &Evaluation, classes: &[String], look: Option<usize>) -> Json {
        let object = |pairs: Vec<(&str, Json)>| {
            Json::Object(pairs.into_iter().map(|(key, value)| (key.to_string(), value)).collect())
        };
        let text = |s: &str| Json::Str(s.to_string());
        let bounds = |i: Interval| Json::List(vec![Json::Float(i.low), Json::Float(i.high)]);
        let number = |n: &Judged| {
            object(vec![
                ("name", text(&n.name)),
                ("value", Json::Float(n.value)),
                ("interval", n.interval.map_or(Json::Null, bounds)),
            ])
        };
        let row = |r: &mapsto::training::ClassRow| {
            object(vec![
                ("class", text(&r.name)),
                ("precision", Json::Float(r.precision)),
                ("recall", Json::Float(r.recall)),
                ("f1", Json::Float(r.f1)),
                ("support", Json::Int(r.support as i64)),
            ])
        };
        let mut all = vec![
            ("look", look.map_or(Json::Null, |n| Json::Int(n as i64))),
            ("samples", Json::Int(found.samples as i64)),
            ("loss", Json::Float(found.loss)),
            ("metrics", Json::List(self.numbers.iter().map(number).collect())),
            ("resamples", Json::Int(self.resamples as i64)),
            ("stratified", Json::Bool(self.stratified)),
        ];
        if let Some(report) = &self.report {
            let rows = report.rows.iter().chain(&report.averages);
            all.push(("report", Json::List(rows.map(row).collect())));
        }
        if let Some(report) = &self.labels {
            let rows = report.rows.iter().chain(&report.averages);
            all.push(("report", Json::List(rows.map(row).collect())));
        }
        let confused = |c: &super::Confused| {
            object(vec![
                ("truth", text(&c.truth)),
                ("prediction", text(&c.predicted)),
                ("count", Json::Int(c.count as i64)),
            ])
        };
        if self.report.is_some() {
            all.push(("confused", Json::List(self.confused.iter().map(confused).collect())));
        }
        if let Some(matrix) = &found.confusion {
            let k = matrix.classes();
            let cells = |a| Json::List((0..k).map(|p| Json::Int(matrix.get(a, p) as i64)).collect());
            all.push(("classes", Json::List(classes.iter().map(|name| text(name)).collect())));
            all.push(("confusion", Json::List((0..k).map(cells).collect())));
        }
        if let Some(c) = &self.calibration {
            let [before, after] = c.log_loss;
            let pairs = [
                ("temperature", c.temperature),
                ("ece", c.before),
                ("ece_scaled", c.after),
                ("log_loss", before),
                ("log_loss_scaled", after),
            ];
            let mut pairs: Vec<(&str, Json)> = pairs.map(|(key, v)| (key, Json::Float(v))).into();
            pairs.push(("kept", Json::Bool(c.is_kept)));
            all.push(("calibration", object(pairs)));
        }
        let worst = |w: &Worst| {
            object(vec![
                ("sample", text(&w.name)),
                ("truth", text(&w.truth)),
                ("prediction", text(&w.prediction)),
                ("loss", Json::Float(w.loss)),
            ])
        };
        all.extend(self.curves.to_json());
        all.push(("worst", Json::List(self.worst.iter().map(worst).collect())));
        object(all)
    }
}
