//! `mapsto explain`: images, rows of tables and whole models, by every method, as lines, JSON and drawings.

use crate::check_cli::Folder;
use crate::images::{bar, bars};
use mapsto::data::{Color, read_image};
use mapsto::explain::METHODS;
use mapsto::spec::Json;

const TABLE: &str = "[data]\nset = \"csv\"\npath = \"people.csv\"\nclass = \"rich\"\nbatch = 16\nvalidation = 0.2\n\n\
    [model]\nlayers = [{ linear = 12 }, \"tanh\", { linear = 2 }]\n\n\
    [train]\nloss = \"cross_entropy\"\nmetrics = [\"accuracy\"]\noptimizer = { adam = 2e-2 }\nepochs = 30\nseed = 1\n";

/// People whose class follows from age and job, beside a column of chance.
fn people() -> Folder {
    let folder = Folder::new();
    let mut csv = "age,job,noise,member,rich\n".to_string();
    for i in 0..160 {
        let (age, job) = (20 + i * 7 % 50, ["smith", "baker", "judge"][i % 3]);
        let rich = if (age > 45) ^ (job == "judge") { "yes" } else { "no" };
        csv += &format!(
            "{age},{job},{},{},{rich}\n",
            (i * 31 % 17) as f64 / 4.0,
            if i % 2 == 0 { "true" } else { "false" }
        );
    }
    folder.write("people.csv", csv).write("people.toml", TABLE);
    folder.run("train people.toml").ok();
    folder
}

#[test]
fn an_image_is_explained_where_the_bar_is() {
    let folder = bars();
    folder.run("train net.toml").ok();
    folder.write("one.png", bar(true, 3, 0));
    let said = folder.run("explain runs/net-1 one.png -o why.png").ok();
    assert!(said.starts_with("grad-cam — one.png: upright, logit ") && said.ends_with("why.png\n"), "{said}");
    assert!(said.contains("with weights of chance: rank correlation "), "{said}");
    // The picture, 28 times as large, and beside it the same under the heat.
    let drawn = read_image(folder.path().join("why.png"), Color::Rgb).unwrap();
    assert_eq!(drawn.shape(), [3, 224, 456]);

    let json =
        folder.run("explain runs/net-1 one.png --how integrated-gradients --samples 200 --format json").ok();
    let json = Json::parse(&json).unwrap();
    let numbers =
        |json: &Json| -> Vec<f64> { json.list().unwrap().iter().map(|v| v.number().unwrap()).collect() };
    let found = numbers(json.get("attributions").unwrap().get("values").unwrap());
    let wanted = numbers(json.get("scores").unwrap())[0] - numbers(json.get("baseline").unwrap())[0];
    assert!(
        (found.iter().sum::<f64>() - wanted).abs() < 0.02 * wanted.abs(),
        "{} {wanted}",
        found.iter().sum::<f64>()
    );
    // Against black, only what is bright adds.
    assert!(found.iter().enumerate().all(|(i, v)| i % 8 == 3 || *v == 0.0), "{found:?}");
    let other = folder.run("explain runs/net-1 one.png --how saliency --class lying --format json").ok();
    assert!(other.contains("\"classes\":[\"lying\"]"), "{other}");
}

#[test]
fn a_row_is_explained_by_its_columns_with_their_cells() {
    let folder = people();
    let said =
        folder.run("explain runs/people-1 people.csv --row 2 --how integrated-gradients -o why.svg").ok();
    for part in ["age = 27", "job = baker", "noise = 3.5", "member = no", "with weights of chance"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let svg = folder.read("why.svg");
    assert!(svg.contains("job = baker") && svg.contains("</svg>"));
    // The columns that a word was spread over are one, and all add up.
    let json = Json::parse(
        &folder.run("explain runs/people-1 people.csv --row 2 --how deep-lift --format json").ok(),
    )
    .unwrap();
    let number = |key: &str| json.get(key).unwrap().list().unwrap()[0].number().unwrap();
    let features = json.get("features").unwrap().list().unwrap();
    assert_eq!(features.len(), 4);
    let sum: f64 = features.iter().map(|f| f.get("adds").unwrap().number().unwrap()).sum();
    assert!((sum - (number("scores") - number("baseline"))).abs() < 1e-4, "{sum}");
}

#[test]
fn every_method_of_the_list_answers_or_says_why_not() {
    let (pictures, table) = (bars(), people());
    pictures.run("train net.toml").ok();
    pictures.write("one.png", bar(false, 5, 10));
    let listed = table.run("explain --how list").ok();
    let (mut answered, mut refused) = (0, 0);
    for method in METHODS {
        let name = method.name();
        assert!(listed.contains(name) && listed.contains(method.says()), "{name}");
        // Those that speak of the whole take the samples of the run, whose classes are known.
        let [file, picture] = if method.is_global() { ["", ""] } else { ["people.csv", "one.png"] };
        for (folder, args) in
            [(&table, format!("runs/people-1 {file}")), (&pictures, format!("runs/net-1 {picture}"))]
        {
            let outcome = folder.run(&format!("explain {args} --how {name} --samples 40"));
            assert!([0, 2, 4].contains(&outcome.code), "{name}: {}", outcome.err);
            match outcome.code {
                0 => answered += 1,
                _ => {
                    // What helps in code alone is not said here.
                    assert!(outcome.err.contains("error: "), "{name}: {}", outcome.err);
                    refused += 1;
                }
            }
            assert!(!outcome.err.contains("panicked"), "{name}: {}", outcome.err);
        }
    }
    println!("{answered} answered, {refused} refused");
    assert!(answered >= METHODS.len() * 3 / 2, "{answered} answered, {refused} refused");
}

#[test]
fn what_does_not_fit_is_refused_with_what_would() {
    let folder = people();
    for (args, code, said) in [
        ("explain", 2, "no run was given"),
        ("explain runs/people-1 people.csv --how magic", 2, "no method of explaining is called `magic`"),
        ("explain runs/people-1 people.csv --class maybe", 2, "the model knows no class `maybe`"),
        (
            "explain runs/people-1 people.csv --class 7",
            2,
            "class 7 was asked for, and the model gives 2 scores",
        ),
        ("explain runs/people-1 people.csv --row 900", 2, "row 900 was asked for, and there are 160"),
        ("explain runs/people-1 people.csv --invert", 2, "this is a table"),
        ("explain runs/people-1 people.csv --how grad-cam", 2, "grad-cam looks at pictures"),
        ("explain runs/people-1 people.csv --how saliency -o why.png", 2, "why.png: this is drawn as SVG"),
        ("explain runs/people-2 people.csv", 3, "runs/people-2"),
    ] {
        let outcome = folder.run(args);
        assert!(outcome.err.contains(said) && outcome.err.contains("help: "), "{args}: {}", outcome.err);
        assert_eq!(outcome.code, code, "{args}: {}", outcome.err);
    }
    assert!(!folder.path().join("why.png").exists());
}
