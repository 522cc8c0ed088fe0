//! Classes are called by their names in metrics and weights, and what is said of their numbers is said once.

use crate::check_cli::Folder;

/// Two hundred messages, of which one in twenty is spam.
fn messages() -> Folder {
    let folder = Folder::new();
    let mut table = "x,kind\n".to_string();
    for i in 0..200 {
        let x = f64::from(i * 37 % 200) / 100.0 - 1.0;
        table += &format!("{x},{}\n", if i % 20 == 0 { "spam" } else { "ham" });
    }
    folder.write("t.csv", table).write(
        "net.toml",
        "[data]\nset = 'csv'\npath = 't.csv'\nfeatures = ['x']\nclass = 'kind'\ntest = 0.2\nvalidation = 0.2\n[model]\nlayers = [{ linear = 2 }]\n\
         [train]\nloss = 'cross_entropy'\nmetrics = METRICS\nepochs = 2\n"
            .replace("METRICS", "['accuracy']"),
    );
    folder
}

#[test]
fn metrics_and_weights_name_classes() {
    let folder = messages();
    let net = folder.read("net.toml");
    let run = |metrics: &str, more: &str| {
        folder.write("net.toml", net.replace("['accuracy']", metrics) + more);
        _ = std::fs::remove_dir_all(folder.path().join("run"));
        folder.run("train net.toml --train.out run -q")
    };
    for metrics in ["[{ f1 = 'spam' }]", "[{ f1 = true, class = 'spam' }]", "[{ f1 = 'macro', class = 1 }]"] {
        run(metrics, "").ok();
        let head = folder.read("run/metrics.csv").lines().next().unwrap().to_string();
        assert!(head.contains("val f1 of class 1"), "{metrics}: {head}");
        let config = folder.read("run/config.toml");
        assert!(
            config.contains("{ f1 = 1 }") && config.contains("{ best = \"val f1 of class 1\""),
            "{config}"
        );
        folder.run("eval run").ok();
        folder.run("train --resume run --epochs 3 -q").ok();
    }
    run("['accuracy', { recall = 'spam' }, { roc_auc = 'ham' }]", "class_weight = { spam = 3.0 }\n").ok();
    let config = folder.read("run/config.toml");
    assert!(config.contains("weights = [1.0, 3.0]"), "{config}");
    for (metrics, more, said) in [
        ("[{ f1 = 'spma' }]", "", ["there is no class `spma`", "did you mean \"spam\"?"]),
        ("[{ f1 = 'spma' }]", "", ["net.toml:", "averages over all are \"macro\""]),
        (
            "[{ f1 = true, class = 0.5 }]",
            "",
            ["the class of `f1` is neither a name nor a number", "{ f1 = \"NAME\" }"],
        ),
        (
            "['accuracy']",
            "class_weight = { eggs = 2 }\n",
            ["there is no class `eggs`", "the classes are ham, spam"],
        ),
        (
            "['accuracy']",
            "class_weight = { spam = 'much' }\n",
            ["the weight of class `spam` should be a number", "net.toml:"],
        ),
        (
            "['accuracy']",
            "class_weight = { spam = -1 }\n",
            ["the weight of class `spam` should be a number", "net.toml:"],
        ),
        (
            "['accuracy']",
            "class_weight = 'even'\n",
            ["`class_weight` should be one of balanced", "net.toml:"],
        ),
    ] {
        let outcome = run(metrics, more);
        assert_eq!(outcome.code, 2, "{metrics} {more}: {}", outcome.err);
        assert!(said.iter().all(|said| outcome.err.contains(said)), "{metrics} {more}: {}", outcome.err);
    }
}

#[test]
fn classes_of_different_numbers_are_told_once() {
    let folder = messages();
    let trained = folder.run("train net.toml --train.out run");
    let said = trained.out.clone() + &trained.err;
    assert_eq!(said.matches("always to say ham is right").count(), 1, "{said}");
    assert!(said.contains("`class_weight = \"balanced\"` in [train] makes up for it"), "{said}");
    for command in ["eval run", "train --resume run --epochs 3", "predict run t.csv"] {
        let outcome = folder.run(command);
        let said = outcome.out.clone() + &outcome.err;
        assert!(!said.contains("always"), "{command}: {said}");
    }
    for way in ["--class_weight balanced", "--train.class_weight {spam=19}", "--data.sampler balanced"] {
        let outcome = folder.run(&format!("train net.toml {way}"));
        assert_eq!(outcome.code, 0, "{way}: {}", outcome.err);
        assert!(!outcome.out.contains("makes up for it"), "{way}: {}", outcome.out);
    }
}
