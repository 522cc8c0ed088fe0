//! What `mapsto train` says and leaves behind when a file, a model or the data is wrong: the message, the code, and nothing
//! else: `check_cli` compares the folder before and after.

use crate::check_cli::{Folder, check_cli};

/// Twelve points of two classes on which every configuration below would train, were it right.
const POINTS: &str = "x,y,side\n1,0.5,a\n2,0.1,a\n3,0.7,a\n-1,0.2,b\n-2,0.9,b\n-3,0.4,b\n1.5,0,a\n2.5,1,a\n3.5,0.3,a\n-1.5,0.6,b\n-2.5,0.8,b\n-3.5,0,b\n";

const NET: &str = r#"[data]
set = "csv"
path = "points.csv"
class = "side"
batch = 4

[model]
layers = [
  { linear = 4 }, "tanh",
  { linear = 2 },
]

[train]
loss = "cross_entropy"
optimizer = { adam = 1e-2 }
epochs = 2
"#;

fn points() -> Folder {
    let folder = Folder::new();
    folder.write("points.csv", POINTS).write("net.toml", NET);
    folder
}

/// `NET` with one text replaced, in a folder with its data.
fn with(from: &str, to: &str) -> Folder {
    let folder = points();
    assert!(NET.contains(from));
    folder.write("net.toml", NET.replace(from, to));
    folder
}

#[test]
fn the_right_file_trains() {
    let folder = points();
    folder.run("train net.toml").ok();
    assert_eq!(folder.names(), ["net.toml", "points.csv", "runs"]);
}

#[test]
fn an_unknown_layer_is_shown_with_the_right_name() {
    check_cli(
        &with("{ linear = 4 }", "{ linaer = 4 }"),
        "train net.toml",
        2,
        "net.toml:9:5: unknown layer `linaer`\n  { linaer = 4 }, \"tanh\",\n    ^^^^^^  help: did you mean `linear`?",
    );
}

#[test]
fn an_unknown_option_key_section_or_word_is_shown_with_the_right_one() {
    check_cli(
        &with("{ linear = 4 }", "{ linear = 4, bais = false }"),
        "train net.toml",
        2,
        "net.toml:9:17: layer `linear` has no option `bais`\n  { linear = 4, bais = false }, \"tanh\",\n                \
         ^^^^^^^^^^^^  help: did you mean `bias`?",
    );
    check_cli(
        &with("epochs = 2", "epoch = 2"),
        "train net.toml",
        2,
        "net.toml:16:1: unknown key `epoch` in [train]\nepoch = 2\n^^^^^  help: did you mean `epochs`?",
    );
    check_cli(
        &with("epochs = 2", "matmul_precision = \"hihgest\""),
        "train net.toml",
        2,
        "net.toml:16:20: `matmul_precision` should be one of highest, high, medium, bf16\nmatmul_precision = \"hihgest\"\n                   ^^^^^^^^^  help: did you mean \"highest\"?",
    );
    check_cli(
        &with("[train]", "[trian]"),
        "train net.toml",
        2,
        "net.toml:13:2: unknown section `trian`\n[trian]\n ^^^^^  help: did you mean `train`?",
    );
    check_cli(
        &with("\"csv\"", "\"cvs\""),
        "train net.toml",
        2,
        "net.toml:2:7: unknown set `cvs`\nset = \"cvs\"\n      ^^^^^  help: did you mean `csv`?",
    );
}

#[test]
fn a_wrong_type_and_broken_toml_are_shown_at_their_place() {
    check_cli(
        &with("epochs = 2", "epochs = \"two\""),
        "train net.toml",
        2,
        "net.toml:16:10: `epochs` should be a whole number of at least 1, found \"two\"\nepochs = \"two\"\n         ^^^^^",
    );
    let outcome = with("epochs = 2", "epochs = ").run("train net.toml");
    assert_eq!(outcome.code, 2);
    assert!(outcome.err.starts_with("net.toml:16:"), "{}", outcome.err);
}

#[test]
fn a_wrong_flag_is_shown_as_it_was_typed() {
    check_cli(
        &points(),
        "train net.toml --train.epochs three",
        2,
        "command line:1:16: `epochs` should be a whole number of at least 1, found \"three\"\n\
         --train.epochs three\n               ^^^^^",
    );
    check_cli(
        &points(),
        "train net.toml --train.epcohs=3",
        2,
        "command line:1:9: unknown key `epcohs` in [train]\n--train.epcohs=3\n        ^^^^^^  help: did you mean `epochs`?",
    );
}

#[test]
fn a_wrong_shape_is_shown_at_its_layer() {
    let outcome = with("{ linear = 4 }", "{ conv2d = 4, kernel = 3 }").run("train net.toml");
    assert_eq!(outcome.code, 4, "{}", outcome.err);
    assert!(outcome.err.starts_with("net.toml:9:5: "), "{}", outcome.err);
    assert!(outcome.err.contains("    ^^^^^^"), "{}", outcome.err);
}

/// Every kind of mistake in a file with the code that the help names for it.
#[test]
fn exit_codes_are_those_of_the_table() {
    for (from, to, code) in [
        ("\"tanh\"", "\"tahn\"", 2),
        ("{ linear = 4 }", "{ linear = 4, bias = 3 }", 2),
        ("{ linear = 4 }", "{ linear = \"four\" }", 2),
        ("{ linear = 4 }", "{ dropout = 1.5 }", 2),
        ("{ linear = 4 }", "{ conv2d = 4 }", 2),
        ("\"cross_entropy\"", "\"cros_entropy\"", 2),
        ("\"cross_entropy\"", "{ cross_entropy = true, label_smoothing = 2.0 }", 2),
        ("adam = 1e-2", "adma = 1e-2", 2),
        ("adam = 1e-2", "adam = 1e-2, bta1 = 0.5", 2),
        ("adam = 1e-2", "adam = -1.0", 2),
        ("epochs = 2", "epochs = 2\nschedule = \"cosin\"", 2),
        ("epochs = 2", "epochs = 2\nmetrics = [\"acuracy\"]", 2),
        ("epochs = 2", "epochs = 2\ncallbacks = [\"early_stp\"]", 2),
        ("batch = 4", "batch = 4\naugment = [{ nose = 0.1 }]", 2),
        ("batch = 4", "batch = 4\npreprocess = [\"standardise_it\"]", 2),
        ("path = \"points.csv\"", "", 2),
        ("class = \"side\"", "", 2),
        ("\"points.csv\"", "\"nowhere.csv\"", 3),
        ("\"points.csv\"", "\"net.toml\"", 3),
        ("{ linear = 4 }", "{ conv2d = 4, kernel = 3 }", 4),
        ("{ linear = 2 }", "{ linear = 3 }", 4),
        ("batch = 4", "batch = 4\n[model]\ninput = [3]\n", 4),
        ("{ adam = 1e-2 }", "{ sgd = 1e38 }", 5),
    ] {
        let folder = match to.contains("[model]") {
            true => with("[model]\n", "[model]\ninput = [3]\n"),
            false => with(from, to),
        };
        let outcome = folder.run("train net.toml");
        assert_eq!(outcome.code, code, "{to}: {}", outcome.err);
        // The last one fails in its second epoch, and what the first one gave stays.
        assert_eq!(folder.names().contains(&"runs".to_string()), code == 5, "{to}");
    }
    for (args, code) in
        [("eval nowhere", 3), ("predict nowhere a.csv", 3), ("plot nowhere", 3), ("summary nowhere.toml", 3)]
    {
        assert_eq!(points().run(args).code, code, "{args}");
    }
}

#[test]
fn words_of_other_frameworks_are_answered_with_ours() {
    for (from, to, help) in [
        ("{ linear = 4 }", "{ dense = 4 }", "did you mean `linear`?"),
        ("{ linear = 4 }", "{ Dense = 4 }", "did you mean `linear`?"),
        ("{ linear = 4 }", "{ linear = 4, use_bias = true }", "did you mean `bias`?"),
        ("batch = 4", "batch_size = 4", "did you mean `batch`?"),
        ("batch = 4", "num_workers = 4", "did you mean `workers`?"),
        ("batch = 4", "validation_split = 0.2", "did you mean `validation`?"),
        ("epochs = 2", "num_epochs = 2", "did you mean `epochs`?"),
        ("epochs = 2", "lr = 0.1", "`optimizer = { adam = 1e-3 }`"),
        ("epochs = 2", "learning_rate = 0.1", "`optimizer = { adam = 1e-3 }`"),
        ("epochs = 2", "criterion = \"mse\"", "did you mean `loss`?"),
        ("adam = 1e-2", "adam = true, lr = 0.1", "it is the value of `adam` itself: { adam = 0.1 }"),
        ("adam = 1e-2", "adamw = 1e-2, weight_decay = 0.1", "did you mean `decay`?"),
        ("\"cross_entropy\"", "\"categorical_crossentropy\"", "did you mean `cross_entropy`?"),
        ("epochs = 2", "metrics = [\"acc\"]", "did you mean `accuracy`?"),
        ("epochs = 2", "callbacks = [\"early_stopping\"]", "did you mean `early_stop`?"),
    ] {
        let outcome = with(from, to).run("train net.toml");
        assert_eq!(outcome.code, 2, "{to}: {}", outcome.err);
        assert!(outcome.err.contains(help), "{to}: {}", outcome.err);
    }
}

#[test]
fn no_advice_speaks_rust_to_whoever_wrote_a_file() {
    for (from, to) in [
        ("{ adam = 1e-2 }", "{ sgd = 1e38 }"),
        ("class = \"side\"", "target = \"x\"\nfeatures = [\"y\"]"),
        ("epochs = 2", "callbacks = [\"early_stop\"]\n[data.none]"),
        ("{ linear = 4 }", "{ embedding = 4, size = 3 }"),
        ("\"tanh\"", "\"tanh\", \"batch_norm2d\""),
        ("batch = 4", "batch = 1\nvalidation = 0"),
    ] {
        let outcome = with(from, to).run("train net.toml");
        for rust in ["::", "`.", "DType", "|| ", "/rustc/", ".rs:"] {
            assert!(!outcome.err.contains(rust), "{to}: {}", outcome.err);
        }
    }
}

#[test]
fn a_model_with_fewer_outputs_than_there_are_classes_is_an_error() {
    check_cli(
        &with("{ linear = 2 }", "{ linear = 1 }"),
        "train net.toml",
        4,
        "error: the model gives 1 value, the data has 2 classes: a, b\nhelp: end the layers with { linear = 2 }",
    );
}

#[test]
fn a_missing_file_or_folder_is_named() {
    check_cli(
        &points(),
        "train no.toml",
        3,
        "error: no.toml: No such file or directory (os error 2)\nhelp: give a file that says what to train; \
         `mapsto new NAME` makes one",
    );
    let missing = with("\"csv\"\npath = \"points.csv\"\nclass = \"side\"", "\"mnist\"\npath = \"digits\"");
    check_cli(
        &missing,
        "train net.toml",
        3,
        "error: digits: no such folder\nhelp: the folder should hold train-images-idx3-ubyte.gz, \
         train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz",
    );
}

#[test]
fn a_corrupt_gz_is_named() {
    let folder = idx(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    // A sound gzip header, then rubbish instead of deflate's blocks.
    let mut gz = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    gz.extend([0xff; 40]);
    folder.write("digits/train-images-idx3-ubyte.gz", gz);
    std::fs::remove_file(folder.path().join("digits/train-images-idx3-ubyte")).unwrap();
    let outcome = folder.run("train net.toml");
    assert_eq!(outcome.code, 3);
    assert!(outcome.err.contains("digits/train-images-idx3-ubyte.gz: corrupt gzip data"), "{}", outcome.err);
    assert_eq!(folder.names(), ["digits", "net.toml"]);
}

#[test]
fn a_label_out_of_range_is_named() {
    let folder = idx(&[0, 1, 2, 3, 4, 12, 6, 7, 8, 9]);
    let outcome = folder.run("train net.toml");
    assert_eq!(outcome.code, 3);
    assert!(outcome.err.contains("label 12 of sample 5 is out of range 0..10"), "{}", outcome.err);
    assert_eq!(folder.names(), ["digits", "net.toml"]);
}

#[test]
fn a_nan_in_the_table_is_named_by_row_and_column() {
    let folder = points();
    folder.write("points.csv", POINTS.replace("-2,0.9", "-2,NaN"));
    check_cli(
        &folder,
        "train net.toml",
        3,
        "points.csv:6: row 5, column `y`: the value is missing: `NaN`\n\
         help: `missing = \"median\"` in [data] fills such cells (or \"mean\", or \"drop\" to leave out the rows); \
         otherwise fill or remove such rows first: nothing is guessed",
    );
}

#[test]
fn training_that_diverges_stops_with_5() {
    let outcome = with("{ adam = 1e-2 }", "{ sgd = 1e38 }").run("train net.toml");
    assert_eq!(outcome.code, 5, "{}\n{}", outcome.out, outcome.err);
}

#[test]
fn an_output_folder_that_holds_something_is_not_touched() {
    let folder = points();
    folder.write("mine/notes.txt", "mine");
    let outcome = folder.run("train net.toml --train.out mine");
    assert_eq!(outcome.code, 2, "{}", outcome.err);
    assert_eq!(folder.read("mine/notes.txt"), "mine");
    assert_eq!(folder.names(), ["mine", "net.toml", "points.csv"]);
}

/// A folder of 10 training and 10 test images in the format of MNIST, with these training labels, and a file that uses it.
fn idx(labels: &[u8; 10]) -> Folder {
    let folder = Folder::new();
    let header = |code: u8, shape: &[u32]| {
        let mut bytes = vec![0, 0, code, shape.len() as u8];
        shape.iter().for_each(|n| bytes.extend(n.to_be_bytes()));
        bytes
    };
    let images: Vec<u8> = header(8, &[10, 4, 4]).into_iter().chain((0..160).map(|i| i as u8)).collect();
    let ids = |ids: &[u8]| [header(8, &[10]), ids.to_vec()].concat();
    folder
        .write("digits/train-images-idx3-ubyte", &images)
        .write("digits/t10k-images-idx3-ubyte", &images)
        .write("digits/train-labels-idx1-ubyte", ids(labels))
        .write("digits/t10k-labels-idx1-ubyte", ids(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]))
        .write(
            "net.toml",
            "[data]\nset = \"idx\"\npath = \"digits\"\n[model]\nlayers = [\"flatten\", { linear = 10 }]\n\
             [train]\nloss = \"cross_entropy\"\nepochs = 1\n",
        );
    folder
}
