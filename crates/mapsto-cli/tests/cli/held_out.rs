//! Data that is held out: whatever is wrong with it is said before the first step, and what happens to its files later changes nothing.

use std::fs;
use std::io::Write;

use crate::check_cli::{Folder, Outcome};
use crate::images::{bar, gray};

/// Trains, which must be refused with a text before anything is made.
#[track_caller]
fn refused(folder: &Folder, code: i32, said: &str) -> Outcome {
    let before = folder.names();
    let outcome = folder.run("train net.toml --out run");
    assert_eq!(outcome.code, code, "{}{}", outcome.out, outcome.err);
    assert!(outcome.err.contains(said) && outcome.err.contains("help: "), "{said}: {}", outcome.err);
    assert_eq!((outcome.out.as_str(), folder.names()), ("", before), "{said}: it began");
    outcome
}

const PICTURES: &str = "[data]\nset = \"images\"\npath = \"bars\"\ncolor = \"gray\"\nvalidation = 0.0\nsplit = \"ordered\"\n\n\
    [model]\nlayers = [\"flatten\", { linear = 2 }]\n\n[train]\nloss = \"cross_entropy\"\nepochs = 2\n";

#[test]
fn pictures_of_the_test_part() {
    for apart in [false, true] {
        let folder = Folder::new();
        let parts: &[&str] = if apart { &["train/", "test/"] } else { &[""] };
        for (part, at) in parts.iter().flat_map(|part| (0..8).map(move |at| (part, at))) {
            folder.write(&format!("bars/{part}lying/{at}.png"), bar(false, at, 0));
            folder.write(&format!("bars/{part}upright/{at}.png"), bar(true, at, 0));
        }
        folder.write(
            "net.toml",
            if apart { PICTURES.replace("split = \"ordered\"\n", "") } else { PICTURES.into() },
        );
        let last = format!("bars/{}upright/7.png", parts.last().unwrap());
        let whole = bar(true, 7, 0);
        let other = gray(9, |_, x| if x == 7 { 255 } else { 0 });
        for bytes in [whole[..whole.len() / 2].to_vec(), other] {
            folder.write(&last, bytes);
            refused(&folder, 3, "test samples");
        }
        folder.write(&last, whole);
        if apart {
            // Of as many pixels, and in the same number of files.
            for (class, at) in ["lying", "upright"].iter().flat_map(|class| (0..8).map(move |at| (class, at)))
            {
                folder.write(&format!("bars/test/{class}/{at}.png"), gray(4, |y, x| (16 * y + x) as u8));
            }
            refused(&folder, 3, "[1, 4, 4], those to train on are f32 [1, 8, 8]");
            for at in 0..8 {
                folder.write(&format!("bars/test/lying/{at}.png"), bar(false, at, 0));
                folder.write(&format!("bars/test/upright/{at}.png"), bar(true, at, 0));
            }
        }
        folder.run("train net.toml --out run -q").ok();
    }
}

fn idx(code: u8, shape: &[u32], data: &[u8]) -> Vec<u8> {
    let sizes = shape.iter().flat_map(|n| n.to_be_bytes());
    [0, 0, code, shape.len() as u8].into_iter().chain(sizes).chain(data.iter().copied()).collect()
}

#[test]
fn arrays_of_another_shape_or_type_or_with_nan() {
    let folder = Folder::new();
    folder.write(
        "net.toml",
        "[data]\nset = \"idx\"\npath = \"arrays\"\nclasses = 2\nvalidation = 0.0\n[model]\nlayers = [\"flatten\", { linear = 2 }]\n\
         [train]\nloss = \"cross_entropy\"\nepochs = 1\n",
    );
    let floats = |n: u32, value: f32| {
        [0.5_f32, value].repeat(2 * n as usize).iter().flat_map(|v| v.to_be_bytes()).collect::<Vec<u8>>()
    };
    let labels: Vec<u8> = (0..8).map(|i| i % 2).collect();
    folder.write("arrays/train-labels-idx1-ubyte", idx(8, &[8], &labels));
    folder.write("arrays/t10k-labels-idx1-ubyte", idx(8, &[2], &labels[..2]));
    folder.write("arrays/train-images-idx3-ubyte", idx(8, &[8, 2, 2], &[7; 32]));
    for (test, said) in [
        (idx(8, &[2, 1, 4], &[7; 8]), "the test samples are U8 [1, 4], those to train on are U8 [2, 2]"),
        (idx(0x0D, &[2, 2, 2], &floats(2, 200.0)), "the test samples are F32 [2, 2]"),
    ] {
        folder.write("arrays/t10k-images-idx3-ubyte", test);
        refused(&folder, 3, said);
    }
    folder.write("arrays/train-images-idx3-ubyte", idx(0x0D, &[8, 2, 2], &floats(8, 1.0)));
    for value in [f32::NAN, f32::INFINITY] {
        folder.write("arrays/t10k-images-idx3-ubyte", idx(0x0D, &[2, 2, 2], &floats(2, value)));
        refused(&folder, 3, "the test samples: sample 0: a value of its input is");
    }
    folder.write("arrays/t10k-images-idx3-ubyte", idx(0x0D, &[2, 2, 2], &floats(2, 3.0)));
    folder.run("train net.toml --out run -q").ok();
}

const TABLE: &str = "[data]\nset = \"csv\"\npath = \"points.csv\"\nclass = \"side\"\nbatch = 8\n\n[model]\nlayers = [{ linear = 2 }]\n\n\
    [train]\nloss = \"cross_entropy\"\nepochs = 400\n";

fn rows(n: usize) -> String {
    let row = |i: usize| format!("{}.5,{}\n", i % 7, if i % 7 > 3 { "right" } else { "left" });
    (0..n).map(row).collect()
}

#[test]
fn tables_beyond_reach() {
    let folder = Folder::new();
    folder.write("points.csv", format!("x,side\n{}", rows(40)));
    folder.write("net.toml", TABLE.replace("class =", "test = \"test.csv\"\nclass =").replace("400", "2"));
    folder.write("test.csv", format!("x,side\n{}1e39,left\n", rows(8)));
    refused(&folder, 3, "1e39");
    folder.write("test.csv", format!("x,side\n{}", rows(8)));
    folder.run("train net.toml --out run -q").ok();
}

/// A run is judged by the data that it read, whatever becomes of the file while it is under way.
#[cfg(unix)]
#[test]
fn a_table_that_grows_while_a_run_is_under_way() {
    let folder = Folder::new();
    folder.write("points.csv", format!("x,side\n{}", rows(40))).write("net.toml", TABLE);
    let run = folder.under_way("train net.toml --out run");
    let mut table = fs::OpenOptions::new().append(true).open(folder.path().join("points.csv")).unwrap();
    table.write_all(rows(5).as_bytes()).unwrap();
    let (code, said) = run.end();
    assert_eq!(code, Some(0), "{said}");
    assert!(folder.path().join("run/predictions.csv").is_file());
    let outcome = folder.run("train --resume run --epochs 401");
    assert!(outcome.code == 3 && outcome.err.contains("training samples"), "{}", outcome.err);
}
