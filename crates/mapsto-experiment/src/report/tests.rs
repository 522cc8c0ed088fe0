//! Reports of small runs of each kind: what stands in them, and that nothing in them is taken for markup.

use std::path::PathBuf;

use mapsto::nn::Exceptions;
use mapsto::training::predict;

use crate::{Config, Override, Run};

/// A folder that goes when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("mapsto-report-{name}-{}", std::process::id()));
        _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Scratch(path)
    }

    /// Trains what a file says in the folder `run`, and gives the run with its report.
    fn train(&self, file: &str) -> (Run, String) {
        std::fs::write(self.0.join("net.toml"), file).unwrap();
        let out = self.0.join("run");
        let overrides = [Override::new("train.out", out.display())];
        let experiment = Config::open(self.0.join("net.toml"), &overrides).unwrap().prepare(|_| ()).unwrap();
        experiment.preflight().unwrap();
        drop(experiment.train(|trainer| trainer).unwrap());
        let run = Run::open(&out).unwrap();
        let path = run.write_report(|_| ()).unwrap();
        let page = std::fs::read_to_string(path).unwrap();
        check(&page);
        (run, page)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What holds of every page: it is small, asks for nothing, has each id once, and each link leads somewhere.
fn check(page: &str) {
    assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    assert!(page.len() < 1_000_000, "{}", page.len());
    for word in ["http://", "https://", "@import", "url(", "NaN\"", "<link rel=\"stylesheet"] {
        let found = page.replace("http://www.w3.org/2000/svg", "");
        assert!(!found.contains(word), "{word}");
    }
    assert_eq!(page.matches("<script").count(), 1);
    let mut ids: Vec<&str> =
        page.split(" id=\"").skip(1).map(|rest| &rest[..rest.find('"').unwrap()]).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
    for link in page.split("href=\"#").skip(1) {
        let to = &link[..link.find('"').unwrap()];
        assert!(ids.contains(&to), "{to}");
    }
    for tag in [
        "section", "table", "div", "ul", "ol", "dl", "figure", "svg", "details", "p", "li", "tr", "td", "th",
        "pre",
    ] {
        let opened = page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

/// The titles of a page's sections, in order.
fn titles(page: &str) -> Vec<&str> {
    let nav = &page[page.find("<nav").unwrap()..page.find("</nav>").unwrap()];
    nav.split("\">").skip(2).map(|rest| &rest[..rest.find('<').unwrap()]).collect()
}

/// Three classes in a plane, the first with a name that is markup.
fn classes() -> String {
    let mut csv = String::from("x,\"<b>y</b>\",kind\n");
    for i in 0..90 {
        let (kind, turn) = (i % 3, f64::from(i) * 0.7);
        let name = ["\"<script>alert('1')</script>\"", "b & b", "\"c\"\"c\""][kind as usize];
        csv += &format!(
            "{:.3},{:.3},{name}\n",
            f64::from(kind) + 0.4 * turn.sin(),
            0.6 * turn.cos() - f64::from(kind)
        );
    }
    csv
}

const OF_CLASSES: &str = "[data]\npath = 'data.csv'\nclass = 'kind'\nstandardize = true\ntest = 0.2\n\
                          [model]\nlayers = [{ linear = 8 }, 'tanh', { linear = 3 }]\n\
                          [train]\nloss = 'cross_entropy'\nmetrics = ['accuracy']\noptimizer = { adam = 0.05 }\nepochs = 4\n";

#[test]
fn the_report_of_classes_says_what_the_run_says_and_names_are_no_markup() {
    let scratch = Scratch::new("classes");
    std::fs::write(scratch.0.join("data.csv"), classes()).unwrap();
    let (run, page) = scratch.train(OF_CLASSES);
    let wanted = [
        "Result",
        "What to try next",
        "Curves",
        "Classes and mistakes",
        "How sure it is",
        "Worst samples",
        "The network",
        "The data",
        "How to get it again",
    ];
    let titles: Vec<&str> = titles(&page).into_iter().filter(|title| *title != "Worst samples").collect();
    assert_eq!(titles, wanted.into_iter().filter(|title| *title != "Worst samples").collect::<Vec<_>>());
    assert!(!page.contains("<script>alert") && !page.contains("<b>y</b>"));
    assert!(page.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;") && page.contains("b &amp; b"));
    // Every number of the history stands there with all its digits.
    let history = run.folder().history().unwrap();
    for (column, v) in history.rows.iter().flat_map(|row| &row.values) {
        assert!(page.contains(&format!("data-column=\"{column}\" data-value=\"{v:?}\"")), "{column} {v}");
    }
    let found = run.evaluate().unwrap();
    assert!(page.contains(&format!("{:.2} %", 100.0 * found.value("accuracy").unwrap())));
    assert!(page.contains("nearest neighbour") && page.contains("linear model"));
}

#[test]
fn a_report_has_the_same_bytes_whenever_it_is_written() {
    let scratch = Scratch::new("again");
    std::fs::write(scratch.0.join("data.csv"), classes()).unwrap();
    let (run, page) = scratch.train(OF_CLASSES);
    let again = || std::fs::read_to_string(run.write_report(|_| ()).unwrap()).unwrap();
    assert_eq!(again(), page);
    // As the end of a training writes it, from what it has at hand.
    let experiment = run.experiment(&run.folder().best(), &Exceptions::none(), |_| ()).unwrap();
    let test = experiment.test.as_ref().unwrap();
    let (found, predictions) =
        (experiment.evaluate(test).unwrap(), predict(&experiment.model, test).unwrap());
    let history = run.folder().history().unwrap();
    let path = experiment.write_report(run.folder(), &history, Some((&found, &predictions))).unwrap();
    assert_eq!(std::fs::read_to_string(path).unwrap(), page);
    // What earlier versions did not write is left out.
    std::fs::remove_file(run.folder().file("preflight.json")).unwrap();
    std::fs::write(run.folder().file("env.json"), "{ broken").unwrap();
    let less = again();
    check(&less);
    assert!(
        !less.contains("Found before the first step")
            && !less.contains("This was the command")
            && less.contains("Curves")
    );
}

#[test]
fn the_report_of_numbers_shows_them_beside_the_truth_and_rows_as_they_stand_in_the_file() {
    let scratch = Scratch::new("numbers");
    let mut csv = String::from("size,place,day,garden,rent\n");
    for i in 0..120 {
        let (size, place) = (20 + i * 7 % 80, ["<i>old</i>", "new", ""][i % 3]);
        csv += &format!(
            "{size},{place},2024-02-{:02},{},{}\n",
            1 + i % 28,
            ["yes", "no"][i % 2],
            size * 11 + i % 3 * 100
        );
    }
    std::fs::write(scratch.0.join("data.csv"), csv).unwrap();
    let (_, page) =
        scratch.train("[data]\npath = 'data.csv'\ntarget = 'rent'\ntest = 0.2\n[train]\nepochs = 5\n");
    let titles = titles(&page);
    assert!(titles.contains(&"Predicted and true") && titles.contains(&"Worst samples"), "{titles:?}");
    assert!(!titles.contains(&"Classes and mistakes") && !titles.contains(&"How sure it is"), "{titles:?}");
    assert!(page.contains("&lt;i&gt;old&lt;/i&gt;") && !page.contains("<i>old"));
    let worst = &page[page.find("id=\"worst\"").unwrap()..page.find("id=\"network\"").unwrap()];
    assert!(
        worst.contains("<td>2024-02-") && (worst.contains("<td>yes</td>") || worst.contains("<td>no</td>")),
        "{worst}"
    );
    assert!(page.contains("Columns as they were understood"));
}

#[test]
fn the_report_of_labels_judges_each_of_them() {
    let scratch = Scratch::new("labels");
    let mut csv = String::from("x,y,high,wide\n");
    for i in 0..80 {
        let (x, y) = (f64::from(i) * 0.9 % 2.0 - 1.0, f64::from(i) * 0.37 % 2.0 - 1.0);
        csv += &format!("{x:.3},{y:.3},{},{}\n", u8::from(x > 0.0), u8::from(y > 0.2));
    }
    std::fs::write(scratch.0.join("data.csv"), csv).unwrap();
    let (_, page) = scratch.train(
        "[data]\npath = 'data.csv'\nlabels = ['high', 'wide']\ntest = 0.2\n[model]\nlayers = [{ linear = 8 }, 'tanh', { linear = 2 }]\n\
         [train]\nloss = 'bce_with_logits'\nepochs = 3\n",
    );
    let titles = titles(&page);
    assert!(titles.contains(&"Labels") && !titles.contains(&"Predicted and true"), "{titles:?}");
    let labels = &page[page.find("id=\"labels\"").unwrap()..page.find("id=\"network\"").unwrap()];
    assert!(labels.contains(">high</th>") && labels.contains(">wide</th>"));
}

#[test]
fn pictures_are_shown_pixel_for_pixel_with_the_filters_that_look_at_them() {
    use mapsto::data::{Color, parse_image};
    use mapsto::training::{data_uri, png};
    use mapsto::{DType, Tensor};
    // Every byte that was put in comes back by another program's reader.
    for (width, height, channels) in [(1, 1, 1), (28, 28, 1), (5, 7, 3), (300, 2, 3)] {
        let pixels: Vec<u8> = (0..width * height * channels).map(|i| (i * 37 % 256) as u8).collect();
        let color = if channels == 3 { Color::Rgb } else { Color::Gray };
        let read: Tensor = parse_image(&png(width, height, &pixels), color).unwrap();
        assert_eq!(read.shape(), [channels, height, width]);
        let back = read.permute([1, 2, 0]).contiguous().to(DType::F64).to_vec::<f64>();
        assert_eq!(back.iter().map(|v| (v * 255.0).round() as u8).collect::<Vec<u8>>(), pixels);
    }
    let scratch = Scratch::new("pictures");
    let mut all = Vec::new();
    for (class, name) in ["dark <b>", "light"].iter().enumerate() {
        let folder = scratch.0.join("set").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        for i in 0..30 {
            // Classes that cannot be told apart, so that there are mistakes.
            let pixels: Vec<u8> = (0..36).map(|p| (p * 31 + i * 57 + class * 3) as u8).collect();
            let file = png(6, 6, &pixels);
            std::fs::write(folder.join(format!("{i}.png")), &file).unwrap();
            all.push(data_uri(&file));
        }
    }
    let (run, page) = scratch.train(
        "[data]\nset = 'images'\npath = 'set'\ncolor = 'gray'\ntest = 0.4\n[model]\nlayers = [{ conv2d = 4, kernel = 3 }, 'relu', 'flatten', { linear = 2 }]\n\
         [train]\nloss = 'cross_entropy'\nmetrics = ['accuracy']\nepochs = 2\n",
    );
    let titles = titles(&page);
    assert!(
        titles.contains(&"Worst samples") && titles.contains(&"What the first layer looks for"),
        "{titles:?}"
    );
    let worst = &page[page.find("id=\"worst\"").unwrap()..page.find("id=\"network\"").unwrap()];
    let shown: Vec<&str> =
        worst.split("src=\"").skip(1).map(|rest| &rest[..rest.find('"').unwrap()]).collect();
    assert!(!shown.is_empty() && shown.iter().all(|uri| all.iter().any(|known| known == uri)));
    assert!(page.contains("dark &lt;b&gt;") && !page.contains("dark <b>"));
    // Explanations are shown where there are some, and what is no picture is not.
    assert!(!titles.contains(&"Why it said that"));
    let folder = run.folder().file("explanations");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("sample-7 <grad-cam>.png"), png(1, 1, &[7])).unwrap();
    std::fs::write(folder.join("other.png"), "<script>").unwrap();
    let page = std::fs::read_to_string(run.write_report(|_| ()).unwrap()).unwrap();
    check(&page);
    assert!(page.contains("Why it said that") && page.contains("sample 7 &lt;grad cam&gt;"));
}

#[test]
fn without_a_test_the_best_epoch_is_shown_and_a_run_without_epochs_is_refused() {
    let scratch = Scratch::new("untested");
    std::fs::write(scratch.0.join("data.csv"), classes()).unwrap();
    let (run, page) = scratch.train(&OF_CLASSES.replace("test = 0.2", "test = 0.0\nvalidation = 0.2"));
    assert!(page.contains("No samples were held out for a test") && page.contains("val accuracy"));
    std::fs::remove_file(run.folder().file("metrics.csv")).unwrap();
    let e = run.write_report(|_| ()).unwrap_err();
    assert!(e.to_string().contains("no epoch of the run is finished yet"), "{e}");
}
