//! Why the model said what it said: the pictures that lie in the run's folder `explanations`, each under its name.

use mapsto::Result;
use mapsto::training::data_uri;

use super::html::text;
use super::{Facts, Section};

/// Where explanations are looked for.
const FOLDER: &str = "explanations";
/// So many pictures are taken, and so many bytes of them.
const MOST: usize = 12;
const BYTES: u64 = 220_000;

/// The section; none where there are no pictures. A file that cannot be read is left out, since nothing else depends on it.
pub fn section(facts: &Facts<'_>) -> Result<Option<Section>> {
    let Ok(entries) = std::fs::read_dir(facts.folder.file(FOLDER)) else { return Ok(None) };
    let mut files: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "png"))
        .collect();
    files.sort();
    let (mut shown, mut bytes) = (String::new(), 0);
    for path in files.iter().take(MOST) {
        let size = std::fs::metadata(path).map_or(u64::MAX, |found| found.len());
        if bytes + size.min(BYTES + 1) > BYTES {
            continue;
        }
        let Ok(picture) = std::fs::read(path) else { continue };
        if !picture.starts_with(b"\x89PNG\r\n\x1a\n") {
            continue;
        }
        bytes += size;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().replace(['-', '_'], " ");
        let name = text(&crate::plain(&name));
        shown +=
            &format!("<li><img alt=\"{name}\" src=\"{}\"><span>{name}</span></li>\n", data_uri(&picture));
    }
    let html = format!("<ul class=\"pictures\">\n{shown}</ul>\n");
    Ok((!shown.is_empty()).then_some(Section { id: "why", title: "Why it said that", html }))
}
