//! Images: a folder of them trains, and one of them is asked about.

use crate::check_cli::{Folder, check_cli};

/// An 8 × 8 gray PNG with a bright bar: upright at column `at`, or lying at row `at`.
pub fn bar(upright: bool, at: usize, faint: u8) -> Vec<u8> {
    gray(8, |y, x| if (if upright { x } else { y }) == at { 255 } else { faint })
}

/// A gray PNG of `n` × `n` pixels.
pub fn gray(n: u8, pixel: impl Fn(usize, usize) -> u8 + Copy) -> Vec<u8> {
    let side = usize::from(n);
    // Each row of pixels begins with its filter type: 0, none.
    let rows: Vec<u8> =
        (0..side).flat_map(|y| std::iter::once(0).chain((0..side).map(move |x| pixel(y, x)))).collect();
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    chunk(&mut png, b"IHDR", &[0, 0, 0, n, 0, 0, 0, n, 8, 0, 0, 0, 0]);
    chunk(&mut png, b"IDAT", &stored(&rows));
    chunk(&mut png, b"IEND", &[]);
    png
}

/// A chunk of a PNG file: length, name, content, and the CRC-32 of the last two.
fn chunk(png: &mut Vec<u8>, name: &[u8; 4], content: &[u8]) {
    png.extend((content.len() as u32).to_be_bytes());
    let begin = png.len();
    png.extend(name);
    png.extend(content);
    let crc = !png[begin..].iter().fold(!0_u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |c, _| if c & 1 == 1 { (c >> 1) ^ 0xedb8_8320 } else { c >> 1 })
    });
    png.extend(crc.to_be_bytes());
}

/// A zlib stream of one block that is stored, not compressed.
fn stored(data: &[u8]) -> Vec<u8> {
    let n = data.len() as u16;
    let (a, b) = data.iter().fold((1_u32, 0_u32), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % 65521;
        (a, (a + b) % 65521)
    });
    let header: &[u8] = &[0x78, 0x01, 1];
    [header, &n.to_le_bytes(), &(!n).to_le_bytes(), data, &(b << 16 | a).to_be_bytes()].concat()
}

const NET: &str = "[data]\nset = \"images\"\npath = \"bars\"\ncolor = \"gray\"\nbatch = 8\nvalidation = 0\n\n\
    [model]\nlayers = [{ conv2d = 8, kernel = 3 }, \"relu\", { max_pool2d = 2 }, \"flatten\", { linear = 2 }]\n\n\
    [train]\nloss = \"cross_entropy\"\nmetrics = [\"accuracy\"]\noptimizer = { adam = 1e-2 }\nepochs = 20\nseed = 1\n";

/// Pixels are between 0 and 1 already: what brings bytes there leaves nothing of them.
#[test]
fn preprocessing_that_is_meant_for_bytes_is_refused() {
    let folder = bars();
    for (steps, refused) in [
        ("{ scale = 0.00392 }", true),
        ("{ normalize = 128, std = 64 }", true),
        ("{ scale = 255 }, { normalize = 128, std = 64 }", false),
        ("{ normalize = 0.5, std = 0.25 }", false),
    ] {
        let net = NET.replace("batch = 8\n", &format!("batch = 8\npreprocess = [{steps}]\n"));
        folder.write("net.toml", net.replace("epochs = 20", "epochs = 1"));
        let outcome = folder.run("train net.toml -q");
        assert_eq!(outcome.code, if refused { 2 } else { 0 }, "{steps}: {}", outcome.err);
        for part in ["net.toml:6:", "of inputs from 0 to 1", "between 0 and 1 already"] {
            assert!(!refused || outcome.err.contains(part), "{steps}: {}", outcome.err);
        }
    }
}

/// Transforms change the images of training only: a model must take the others too.
#[test]
fn a_transform_that_changes_the_size_is_refused_where_the_model_minds() {
    let folder = bars();
    let net = NET.replace("validation = 0\n", "validation = 0.2\n").replace("epochs = 20", "epochs = 1");
    let any_size = "\"relu\", { adaptive_avg_pool2d = 1 }, \"flatten\"";
    for (augment, preprocess, layers, refused) in [
        ("{ crop = 6 }", "", "\"flatten\"", true),
        ("{ shift = 1 }, { crop = [6, 8] }", "", "\"flatten\"", true),
        ("{ crop = 6 }", "", any_size, false),
        ("{ crop = 8, padding = 2 }", "", "\"flatten\"", false),
        ("{ crop = 6 }", "{ resize = [6, 6] }", "\"flatten\"", false),
    ] {
        let net = net.replace("\"flatten\"", layers);
        let keys = format!("batch = 8\naugment = [{augment}]\npreprocess = [{preprocess}]\n");
        folder.write("net.toml", net.replace("batch = 8\n", &keys));
        let outcome = folder.run("train net.toml -q");
        assert_eq!(outcome.code, if refused { 4 } else { 0 }, "{augment}: {}", outcome.err);
        for part in ["net.toml:6:", "validation, test and prediction", "help: keep the size"] {
            assert!(!refused || outcome.err.contains(part), "{augment}: {}", outcome.err);
        }
    }
}

/// A folder of bars, upright and lying, and a network that tells them apart.
pub fn bars() -> Folder {
    let folder = Folder::new();
    folder.write("net.toml", NET);
    for at in 0..8 {
        for faint in [0, 20, 40, 60] {
            folder.write(&format!("bars/lying/{at}-{faint}.png"), bar(false, at, faint));
            folder.write(&format!("bars/upright/{at}-{faint}.png"), bar(true, at, faint));
        }
    }
    folder
}

#[test]
fn bars_are_told_apart_and_named() {
    let folder = bars();
    folder.run("train net.toml").ok();
    for plot in ["filters", "confusion", "accuracy"] {
        assert!(folder.path().join(format!("runs/net-1/plots/{plot}.svg")).is_file(), "{plot}");
    }
    folder.write("one.png", bar(true, 3, 10)).write("two.png", bar(false, 5, 30));
    let answers = folder.run("predict runs/net-1 one.png two.png --top 1").ok();
    let names: Vec<&str> = answers.lines().map(|line| line.split_whitespace().nth(1).unwrap()).collect();
    assert_eq!(names, ["upright", "lying"], "{answers}");
    folder.write("one.csv", "a,b\n1,2\n");
    let outcome = folder.run("predict runs/net-1 one.csv");
    assert_eq!(outcome.code, 2, "{}", outcome.err);
    let said = "one.csv: this is a table, and the run was trained on pictures";
    assert!(outcome.err.contains(said) && outcome.err.contains("PNG or JPEG images"), "{}", outcome.err);
}

#[test]
fn pictures_of_several_sizes_are_brought_to_one_by_the_key_that_the_help_names() {
    let folder = bars();
    for i in 0..16 {
        folder.write(&format!("bars/upright/small-{i}.png"), gray(6, |_, x| if x == 3 { 255 } else { i }));
    }
    let outcome = folder.run("train net.toml --epochs 1");
    assert_eq!(outcome.code, 3, "{}", outcome.err);
    assert!(outcome.err.contains("`size = [16, 16]`"), "{}", outcome.err);
    folder.run("train net.toml --epochs 1 --data.size [16,16]").ok();
}

#[test]
fn a_damaged_image_is_named() {
    let folder = bars();
    let whole = bar(true, 1, 0);
    folder.write("bars/upright/1-0.png", &whole[..whole.len() / 2]);
    let outcome = folder.run("train net.toml --train.epochs 1");
    assert_eq!(outcome.code, 3, "{}", outcome.err);
    assert!(outcome.err.contains("1-0.png"), "{}", outcome.err);
    assert_eq!(folder.names(), ["bars", "net.toml"]);
    check_cli(
        &folder,
        "train net.toml --data.path nowhere",
        3,
        "error: nowhere: No such file or directory (os error 2)\nhelp: a path in a file is relative to that file, one in a \
         flag to the current folder",
    );
}

#[test]
fn augmentation_mixes_targets_where_the_loss_takes_probabilities() {
    let folder = bars();
    let augment =
        "augment = [\"trivial_augment\", { random_erasing = 0.5 }, { mixup = 0.2 }, { cutmix = 1.0 }]\n";
    let net =
        NET.replace("epochs = 20", "epochs = 2").replace("batch = 8\n", &format!("batch = 8\n{augment}"));
    folder.write("net.toml", &net);
    folder.run("train net.toml -q --out one").ok();
    folder.run("train net.toml -q --out two --data.workers 2").ok();
    assert_eq!(folder.read("one/metrics.csv").lines().count(), 3);
    let scores = |run: &str| folder.read(&format!("{run}/predictions.csv"));
    assert_eq!(scores("one"), scores("two"), "workers change nothing");
    folder.write("net.toml", net.replace("\"cross_entropy\"", "\"multi_margin\""));
    let outcome = folder.run("train net.toml -q");
    assert_eq!(outcome.code, 2, "{}", outcome.err);
    for part in
        ["`mixup` makes probabilities of class ids, which the loss `multi_margin` does not take", "net.toml:"]
    {
        assert!(outcome.err.contains(part), "{}", outcome.err);
    }
}

#[test]
fn folders_of_parts_are_trained_watched_and_tested_with() {
    let folder = bars();
    for (at, part) in ["train", "train", "train", "valid", "test"].into_iter().enumerate() {
        for faint in [0, 20, 40] {
            folder.write(&format!("parts/{part}/lying/{at}-{faint}.png"), bar(false, at, faint));
            folder.write(&format!("parts/{part}/upright/{at}-{faint}.png"), bar(true, at, faint));
        }
    }
    let net = NET.replace("path = \"bars\"", "path = \"parts\"").replace("validation = 0\n", "");
    assert!(net != NET && net.contains("\"parts\""), "{net}");
    folder.write("net.toml", net.replace("epochs = 20", "epochs = 1"));
    let out = folder.run("train net.toml -q --out run").ok();
    assert!(out.contains("18 training samples, 6 validation, 6 test"), "{out}");
    folder.run("train --resume run --epochs 2").ok();
    folder.run("eval run").ok();
    let outcome = folder.run("train net.toml --data.validation 0.3");
    assert_eq!(outcome.code, 2);
    assert!(outcome.err.contains("set `images` brings samples for it"), "{}", outcome.err);
    std::fs::remove_dir_all(folder.path().join("parts/test")).unwrap();
    let out = folder.run("train net.toml -q --out other").ok();
    assert!(out.contains("18 training samples, 6 validation") && !out.contains("test loss"), "{out}");
}

#[test]
fn the_data_of_a_file_is_shown_and_drawn() {
    let folder = bars();
    let augment = "augment = [{ crop = 8, padding = 2 }, \"rand_augment\", { mixup = 0.2 }]\n";
    folder.write("net.toml", NET.replace("batch = 8\n", &format!("batch = 8\n{augment}")));
    // An equal file in both classes, which are shares of all.
    folder.write("bars/lying/again.png", bar(true, 3, 20));
    let out = folder.run("data net.toml").ok();
    for part in
        ["data   images", "class", "lying", "upright", "█", "inputs, of", "drawn  runs/net-data/batch.png"]
    {
        assert!(out.contains(part), "{part}: {out}");
    }
    for name in ["batch", "classes"] {
        let png = std::fs::read(folder.path().join(format!("runs/net-data/{name}.png"))).unwrap();
        assert!(png.starts_with(b"\x89PNG\r\n\x1a\n") && png.len() > 500, "{name}");
    }
    let json = folder.run("data net.toml --format json --pictures looks").ok();
    let json = mapsto::spec::Json::parse(&json).unwrap();
    let parts = json.get("parts").and_then(|parts| parts.list()).unwrap();
    let samples: i64 = parts.iter().map(|part| part.get("samples").and_then(|n| n.int()).unwrap()).sum();
    assert_eq!(samples, 65);
    let count = |part: &mapsto::spec::Json| -> i64 {
        part.get("counts").and_then(|counts| counts.list()).unwrap().iter().filter_map(|n| n.int()).sum()
    };
    assert_eq!(parts.iter().map(count).sum::<i64>(), 65);
    // The bars before light and dark backgrounds look alike.
    assert!(json.get("near").and_then(|n| n.int()).unwrap() > 0);
    assert!(folder.path().join("looks/classes.png").is_file());
    assert_eq!(folder.run("data none.toml").code, 3);
}

#[test]
fn an_option_of_another_set_is_said_to_be_one() {
    let folder = bars();
    folder.write("net.toml", NET.replace("batch = 8\n", "batch = 8\nnames = [\"a\", \"b\"]\n"));
    let out = folder.run("data net.toml");
    assert_eq!(out.code, 2, "{}", out.err);
    for part in ["unknown key `names` in [data] with set `images`", "`names` is an option of the set `idx`"] {
        assert!(out.err.contains(part), "{part}: {}", out.err);
    }
}

#[test]
fn the_data_of_a_table_is_shown_with_dates_as_days() {
    let folder = Folder::new();
    let rows: String = (0..40)
        .map(|i| format!("2024-{:02}-{:02},{}.5,{}\n", i % 12 + 1, i % 28 + 1, i, 10 * i + i % 3))
        .collect();
    folder.write("sales.csv", format!("day,size,price\n{rows}"));
    folder.write("sales.toml", "[data]\nset = \"csv\"\npath = \"sales.csv\"\ntarget = \"price\"\n");
    let out = folder.run("data sales.toml").ok();
    let line = |start: &str| out.lines().find(|line| line.starts_with(start)).unwrap_or_default().to_string();
    assert!(line("day").contains("2024-01-") && line("day").contains("days"), "{out}");
    assert!(line("targets, training").ends_with("std"), "{out}");
    assert!(!out.contains("drawn"), "{out}");
}
