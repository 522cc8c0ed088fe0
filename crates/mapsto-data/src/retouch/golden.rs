//! The numbers of torchvision: what each change makes of pictures in colour and gray.

use super::*;

/// Applies what a line of the golden file names.
fn changed(name: &str, by: &[f64], picture: &mut Picture) {
    match name {
        "brightness" => brightness(picture, by[0]),
        "contrast" => contrast(picture, by[0]),
        "saturation" => saturation(picture, by[0]),
        "hue" => hue(picture, by[0]),
        "grayscale" => grayscale(picture),
        "autocontrast" => autocontrast(picture),
        "equalize" => equalize(picture),
        "posterize" => posterize(picture, by[0] as u32),
        "solarize" => solarize(picture, by[0]),
        "sharpness" => sharpness(picture, by[0]),
        "blur" => blur(picture, by[0] as usize, by[1]),
        "shear_x" => shear_x(picture, by[0]),
        "shear_y" => shear_y(picture, by[0]),
        "translate" => translate(picture, [by[0] as i64, by[1] as i64]),
        "rotate" => rotate(picture, by[0]),
        other => panic!("{other} is no change"),
    }
}

#[test]
fn changes_are_torchvisions() {
    let numbers =
        |text: &str| text.split_whitespace().map(|v| v.parse::<f64>().unwrap()).collect::<Vec<f64>>();
    let mut pictures = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for line in include_str!("../../golden/retouch.txt").lines() {
        let [head, given, rest] = line.split('|').collect::<Vec<_>>()[..] else { panic!("{line}") };
        if head == "picture" {
            pictures.push((numbers(given).iter().map(|&v| v as usize).collect::<Vec<_>>(), numbers(rest)));
            continue;
        }
        let (name, by) = head.split_once(' ').unwrap_or((head, ""));
        let (shape, pixels) = &pictures[given.parse::<usize>().unwrap()];
        let mut pixels: Vec<f32> = pixels.iter().map(|&v| v as f32).collect();
        let picture = &mut Picture { pixels: &mut pixels, channels: shape[0], size: [shape[1], shape[2]] };
        changed(name, &numbers(by), picture);
        let want = numbers(rest);
        assert_eq!(pixels.len(), want.len());
        let furthest = pixels.iter().zip(&want).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
        assert!(furthest < 3e-6, "{head} of picture {given}: {furthest}");
        seen.insert(name);
    }
    assert_eq!(seen.len(), 15, "{seen:?}");
}
