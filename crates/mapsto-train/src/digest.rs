//! `Digest`: sixteen letters by which data is known again.

use mapsto_tensor::{DType, Tensor};
use std::fmt;
use std::io::{self, Read};

/// A running sum that numbers in another order, or of another value, change; no protection against malice.
///
/// ```
/// use mapsto_train::Digest;
/// let of = |numbers: &[u64]| {
///     let mut digest = Digest::new();
///     numbers.iter().for_each(|&n| digest.add(n));
///     digest.to_string()
/// };
/// assert_eq!(of(&[1, 2]), of(&[1, 2]));
/// assert_ne!(of(&[1, 2]), of(&[2, 1]));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest(u64);

impl Digest {
    /// The digest of nothing.
    #[must_use]
    pub fn new() -> Digest {
        Digest(0x9e37_79b9_7f4a_7c15)
    }

    /// Takes in a number.
    pub fn add(&mut self, word: u64) {
        // The finaliser of splitmix64 (Steele, Lea and Flood, 2014).
        let mut z = (self.0 ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.0 = z ^ (z >> 31);
    }

    /// Takes in a text.
    pub fn add_text(&mut self, text: &str) {
        self.add_block(text.as_bytes());
        self.add(text.len() as u64);
    }

    /// Takes in all bytes of a source.
    ///
    /// # Errors
    /// What the source says.
    pub fn add_bytes(&mut self, mut source: impl Read) -> io::Result<()> {
        let mut block = vec![0; 1 << 16];
        let mut length = 0;
        loop {
            // Whole blocks but for the last, so that the words do not depend on how the source cuts its bytes.
            let mut filled = 0;
            while filled < block.len() {
                match source.read(&mut block[filled..]) {
                    Ok(0) => break,
                    Ok(n) => filled += n,
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(e),
                }
            }
            self.add_block(&block[..filled]);
            length += filled as u64;
            if filled < block.len() {
                self.add(length);
                return Ok(());
            }
        }
    }

    /// Takes in shape and values of a tensor.
    pub fn add_tensor(&mut self, t: &Tensor) {
        t.shape().iter().for_each(|&d| self.add(d as u64));
        match t.dtype().is_float() {
            true => t.to(DType::F64).to_vec::<f64>().iter().for_each(|v| self.add(v.to_bits())),
            false => t.to(DType::I64).to_vec::<i64>().iter().for_each(|v| self.add(*v as u64)),
        }
    }

    pub(crate) fn add_block(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.add(u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.add(u64::from_le_bytes(last));
    }
}

impl Default for Digest {
    fn default() -> Digest {
        Digest::new()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

#[test]
fn a_byte_more_less_or_other_is_another_digest() {
    let of = |bytes: &[u8]| {
        let mut digest = Digest::new();
        digest.add_bytes(bytes).unwrap();
        digest.to_string()
    };
    let bytes: Vec<u8> = (0..70_000_u32).map(|i| i as u8).collect();
    let whole = of(&bytes);
    assert_eq!(of(&bytes), whole);
    for at in [0, 1, 7, 8, 65_535, 65_536, 69_999] {
        let mut other = bytes.clone();
        other[at] ^= 1;
        assert_ne!(of(&other), whole, "{at}");
        assert_ne!(of(&bytes[..at]), whole);
    }
    assert_ne!(of(&[0]), of(&[]));
    assert_ne!(of(&[0; 8]), of(&[0; 9]));
}
