//! TensorBoard's event files, written here: TFRecords of protobuf messages with their checksums.

use super::{Callback, CallbackKind, Moment, Run};
use crate::history::Row;
use crc32c::masked;
use mapsto_spec::Entry;
use mapsto_tensor::{Error, Result};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

mod crc32c;

/// Writes loss, metrics, learning rate and speed of every epoch for TensorBoard: `tensorboard --logdir runs` shows all runs.
///
/// The file `tensorboard/events.out.tfevents.0.mapsto` in the trainer's folder grows by the records of an epoch at a time, so that
/// TensorBoard shows a run that is under way. Its steps are optimizer steps; its tags are `loss/train`, `loss/val` and the like, which
/// TensorBoard draws side by side. A run that is resumed first takes back what a process wrote after its last state.
///
/// ```
/// use mapsto_data::prelude::*;
/// use mapsto_nn::prelude::*;
/// use mapsto_train::Trainer;
/// use mapsto_train::callbacks::TensorBoard;
/// let folder = std::env::temp_dir().join(format!("mapsto-tensorboard-{}", std::process::id()));
/// let set = InMemory::new(tensor![[1.0], [2.0]], tensor![[2.0], [4.0]]);
/// let mut trainer = Trainer::new(Sgd::new(0.01), mse).epochs(2).folder(&folder).on(TensorBoard::new()).quiet();
/// trainer.fit(&mut Linear::new(1, 1), set.batches(1), None)?;
/// let bytes = std::fs::read(folder.join(TensorBoard::FILE)).unwrap();
/// assert!(bytes.windows(10).any(|w| w == b"loss/train"));
/// # std::fs::remove_dir_all(folder).unwrap();
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct TensorBoard(());

impl TensorBoard {
    /// The file in the trainer's folder.
    pub const FILE: &'static str = "tensorboard/events.out.tfevents.0.mapsto";

    /// To the trainer's folder.
    #[must_use]
    pub fn new() -> TensorBoard {
        TensorBoard(())
    }
}

impl Callback for TensorBoard {
    fn name(&self) -> String {
        "write an event file for TensorBoard".into()
    }

    fn moments(&self) -> &'static [Moment] {
        &[Moment::EpochEnd]
    }

    fn at(&mut self, _: Moment, run: &mut Run<'_>) -> Result<()> {
        let path = run.place(TensorBoard::FILE);
        let Some((row, before)) = run.history.rows.split_last() else { return Ok(()) };
        let write = || -> std::io::Result<()> {
            // The folder of a run that is gone is not made again.
            if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
                match run.there {
                    Some(_) => fs::create_dir(folder)?,
                    None => fs::create_dir_all(folder)?,
                }
            }
            let now = seconds_now();
            // What is there belongs to the epochs before this one, up to the step that they ended with.
            let kept = match (before.last(), fs::read(&path)) {
                (Some(last), Ok(bytes)) => whole_up_to(&bytes, last.step),
                _ => 0,
            };
            let mut bytes = Vec::new();
            if kept == 0 {
                bytes.extend(record(&version(now)));
                // A file that was removed is written again.
                before.iter().for_each(|row| bytes.extend(record(&event(row, now))));
            }
            bytes.extend(record(&event(row, now)));
            append(&path, kept as u64, &bytes)
        };
        write().map_err(|e| Error::io(&path, e))
    }

    fn file(&self) -> Option<PathBuf> {
        Some(TensorBoard::FILE.into())
    }

    fn entry(&self) -> Option<Entry> {
        Some(Entry::new(KIND.name))
    }
}

pub(super) const KIND: CallbackKind = CallbackKind::new(
    "tensorboard",
    "Writes loss, metrics and learning rate of every epoch as an event file of TensorBoard.",
    |_, ()| Ok(Box::new(TensorBoard::new())),
);

fn seconds_now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

/// Writes `bytes` behind the first `kept` ones, in one piece.
fn append(path: &Path, kept: u64, bytes: &[u8]) -> std::io::Result<()> {
    let mut file: File = OpenOptions::new().create(true).append(true).open(path)?;
    if file.metadata()?.len() != kept {
        file.set_len(kept)?;
    }
    file.write_all(bytes)?;
    file.sync_data()
}

/// How many of the bytes are whole records of steps up to this one.
fn whole_up_to(bytes: &[u8], step: u64) -> usize {
    let mut at = 0;
    while let Some(event) = record_at(&bytes[at..]) {
        if step_of(event).is_some_and(|found| found > step) {
            break;
        }
        at += event.len() + 16;
    }
    at
}

/// A TFRecord: the length and its checksum, the bytes and theirs.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut bytes = length.to_vec();
    bytes.extend(masked(&length).to_le_bytes());
    bytes.extend(data);
    bytes.extend(masked(data).to_le_bytes());
    bytes
}

/// The content of the record at the beginning, if it is whole.
fn record_at(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let (sum, rest) = rest.split_first_chunk::<4>()?;
    let n = usize::try_from(u64::from_le_bytes(*length)).ok().filter(|n| *n <= rest.len())?;
    let (data, rest) = rest.split_at(n);
    let (sum_of_data, _) = rest.split_first_chunk::<4>()?;
    let is_whole = masked(length).to_le_bytes() == *sum && masked(data).to_le_bytes() == *sum_of_data;
    is_whole.then_some(data)
}

/// `Event { wall_time = 1, file_version = 3 }`, with which every file begins.
fn version(now: f64) -> Vec<u8> {
    let mut event = vec![0x09];
    event.extend(now.to_le_bytes());
    field(&mut event, 0x1a, b"brain.Event:2");
    event
}

/// `Event { wall_time = 1, step = 2, summary = 5 { value = 1 { tag = 1, simple_value = 2 } .. } }` of an epoch.
fn event(row: &Row, now: f64) -> Vec<u8> {
    let mut summary = Vec::new();
    let mut put = |tag: &str, number: f64| {
        let mut value = Vec::new();
        field(&mut value, 0x0a, tag.as_bytes());
        value.push(0x15);
        value.extend((number as f32).to_le_bytes());
        field(&mut summary, 0x0a, &value);
    };
    for (column, number) in &row.values {
        match column.strip_prefix("val ") {
            Some(name) => put(&format!("{name}/val"), *number),
            None => put(&format!("{column}/train"), *number),
        }
    }
    put("lr", row.lr);
    put("epoch", row.epoch as f64);
    put("samples per second", row.samples_per_second);
    let mut event = vec![0x09];
    event.extend(now.to_le_bytes());
    event.push(0x10);
    varint(&mut event, row.step);
    field(&mut event, 0x2a, &summary);
    event
}

/// A field of bytes with their length.
fn field(message: &mut Vec<u8>, key: u8, bytes: &[u8]) {
    message.push(key);
    varint(message, bytes.len() as u64);
    message.extend(bytes);
}

fn varint(bytes: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        bytes.push(n as u8 | 0x80);
        n >>= 7;
    }
    bytes.push(n as u8);
}

/// The step of an event that [`event`] made; none of one that has no step.
fn step_of(event: &[u8]) -> Option<u64> {
    let rest = event.get(9..)?.strip_prefix(&[0x10])?;
    let mut step = 0_u64;
    for (i, byte) in rest.iter().take(10).enumerate() {
        step |= u64::from(byte & 0x7f).checked_shl(7 * i as u32)?;
        if byte & 0x80 == 0 {
            return Some(step);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(epoch: usize, step: u64) -> Row {
        Row {
            epoch,
            step,
            lr: 0.125,
            values: vec![("loss".into(), 0.5), ("val loss".into(), 0.75), ("val top-2 accuracy".into(), 1.0)],
            seconds: 1.0,
            samples_per_second: 256.0,
            waiting: 0.0,
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn the_bytes_are_those_of_tensorboards_own_writer() {
        // crates/mapsto-train/tests/golden/make_tensorboard.py writes them with the classes of the package `tensorboard`.
        let golden = include_str!("../../tests/golden/tensorboard.txt");
        let written = [record(&version(1.5)), record(&event(&row(3, 300), 2.25))];
        for (line, bytes) in golden.lines().zip(&written) {
            assert_eq!(line, hex(bytes));
        }
        assert_eq!(golden.lines().count(), written.len());
    }

    #[test]
    fn what_a_killed_process_left_is_taken_back() {
        let mut bytes = record(&version(0.0));
        let mut ends = vec![bytes.len()];
        for i in 1..=3 {
            bytes.extend(record(&event(&row(i, 100 * i as u64), 0.0)));
            ends.push(bytes.len());
        }
        assert_eq!(whole_up_to(&bytes, 200), ends[2]);
        assert_eq!(whole_up_to(&bytes, 10_000), ends[3]);
        // Cut anywhere, or damaged anywhere: whole records before that stay, and nothing panics.
        for n in 0..bytes.len() {
            let whole = *ends.iter().rfind(|end| **end <= n).unwrap_or(&0);
            assert_eq!(whole_up_to(&bytes[..n], 10_000), whole);
            let mut damaged = bytes.clone();
            damaged[n] ^= 0x55;
            assert_eq!(whole_up_to(&damaged, 10_000), *ends.iter().rfind(|end| **end <= n).unwrap_or(&0));
        }
    }
}
