//! The seal of a model file: a digest of all that is in it, by which a single changed bit is found.

use super::safetensors::value_bytes;
use crate::digest::Digest;
use mapsto_tensor::{Error, ErrorKind, Result, Tensor};

/// Under which name the digest stands among the texts of a file.
pub(crate) const SEAL: &str = "mapsto digest";

/// A digest of texts and tensors, in whatever order they stand: another program may write them in its own.
pub(crate) fn digest(texts: &[(String, String)], tensors: &[(String, Tensor)]) -> String {
    let mut digest = Digest::new();
    let mut texts: Vec<_> = texts.iter().filter(|(key, _)| key != SEAL).collect();
    texts.sort();
    for (key, text) in texts {
        digest.add_text(key);
        digest.add_text(text);
    }
    let mut tensors: Vec<_> = tensors.iter().collect();
    tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (name, t) in tensors {
        digest.add_text(name);
        digest.add_text(&t.dtype().to_string());
        digest.add(t.rank() as u64);
        t.shape().iter().for_each(|&d| digest.add(d as u64));
        digest.add_block(&value_bytes(t));
    }
    digest.to_string()
}

/// Refuses a file whose content is not that which its seal was made of; one without a seal, such as of an earlier version or of
/// another program, is taken as it is.
pub(super) fn check(texts: &[(String, String)], tensors: &[(String, Tensor)]) -> Result<()> {
    let Some((_, sealed)) = texts.iter().find(|(key, _)| key == SEAL) else { return Ok(()) };
    let found = digest(texts, tensors);
    if *sealed == found {
        return Ok(());
    }
    let message =
        format!("the file is damaged: its content has the digest {found}, and it was written with {sealed}");
    Err(Error::new(ErrorKind::Data, message).help(format!(
        "take another copy of it; a program that changes a model file leaves its text `{SEAL}` out"
    )))
}
