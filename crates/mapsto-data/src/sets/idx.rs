//! `Idx`: arrays in the IDX format of the MNIST files, plain or gzipped, read without trusting a byte of them.

use crate::InMemory;
use flate2::bufread::MultiGzDecoder;
use mapsto_tensor::{DType, Error, ErrorKind, MAX_RANK, Result, Tensor, catch};
use std::io::{ErrorKind as Io, Read};
use std::path::Path;

/// An array read from an IDX file: two zero bytes, the element type, the rank, one big-endian `u32` per axis, then the
/// elements, big-endian, in row-major order.
///
/// Source: Y. LeCun, C. Cortes and C. J. C. Burges, "The MNIST database of handwritten digits", 1998.
///
/// ```
/// use mapsto_data::Idx;
/// let file = [0, 0, 0x0B, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0x01, 0x00, 0xFF, 0xFF]; // i16, [1, 2]
/// let array = Idx::parse(&file)?;
/// assert_eq!(array.shape(), [1, 2]);
/// assert_eq!(array.tensor().to_vec::<i32>(), [256, -1]);
/// # Ok::<(), mapsto_tensor::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Idx {
    element: Element,
    shape: Vec<usize>,
    data: Vec<u8>,
}

/// The element types of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    U8,
    I8,
    I16,
    I32,
    F32,
    F64,
}

/// Deflate's best case: 258 bytes from two bits. A longer array than this times the file cannot be in the file.
const MOST_EXPANSION: usize = 1032;

/// What data compresses to, and then some: images of digits to a fifth. Beyond [`SMALL`] bytes, a longer array than this
/// times the file is refused: a file made to fill the memory.
const USUAL_EXPANSION: usize = 100;

/// Each class has a name in memory, whatever the file says of them.
const MOST_CLASSES: usize = 1 << 20;

/// So many bytes may come of any file that can hold them.
const SMALL: usize = 256 << 20;

impl Idx {
    /// Reads a file, plain or gzipped (told apart by its first bytes, not by its name).
    ///
    /// # Errors
    /// When the file cannot be read, and as [`parse`](Idx::parse).
    pub fn open(path: impl AsRef<Path>) -> Result<Idx> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        Idx::parse(&bytes).map_err(|e| e.context(path.display()))
    }

    /// Reads the bytes of a file, plain or gzipped.
    ///
    /// Nothing is allocated for what a header merely claims: an array longer than the file can hold is refused first.
    ///
    /// # Errors
    /// When the bytes are not IDX, are damaged, end too early or go on too long; when they have more axes than a tensor;
    /// when more than 256 MiB would come of a hundredth of it.
    pub fn parse(bytes: &[u8]) -> Result<Idx> {
        let size = bytes.len();
        let limit = size.saturating_mul(MOST_EXPANSION).min(SMALL.max(size.saturating_mul(USUAL_EXPANSION)));
        match bytes {
            // The decoder is other people's code: what it panics about is a damaged file.
            [0x1f, 0x8b, ..] => catch(|| read(MultiGzDecoder::new(bytes), limit, size))
                .unwrap_or_else(|e| Err(damaged(format!("the decoder gave up: {}", e.message())))),
            _ => read(bytes, size, size),
        }
    }

    /// The size of each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The array as a tensor: `u8`, `i8`, `i32`, `f32`, `f64` as they are, 16-bit integers as `i32`.
    pub fn tensor(self) -> Tensor {
        let Idx { element, shape, data } = self;
        match element {
            Element::U8 => Tensor::from_vec(data, shape),
            Element::I8 => Tensor::from_vec(data.into_iter().map(|b| b as i8).collect::<Vec<i8>>(), shape),
            Element::I16 => Tensor::from_vec(words(&data, |b| i32::from(i16::from_be_bytes(b))), shape),
            Element::I32 => Tensor::from_vec(words(&data, i32::from_be_bytes), shape),
            Element::F32 => Tensor::from_vec(words(&data, f32::from_be_bytes), shape),
            Element::F64 => Tensor::from_vec(words(&data, f64::from_be_bytes), shape),
        }
    }

    /// Checks that samples of this array are read as those of another one are: a test set of other elements or of another shape
    /// would be judged by numbers that mean something else.
    pub(super) fn check_alike(&self, train: &Idx) -> Result<()> {
        let said = |idx: &Idx| format!("{:?} {:?}", idx.element, &idx.shape[1..]);
        let (found, wanted) = (said(self), said(train));
        if found == wanted {
            return Ok(());
        }
        let message = format!("the test samples are {found}, those to train on are {wanted}");
        Err(Error::new(ErrorKind::Data, message)
            .help("write both files with elements of one type and one shape"))
    }

    /// A set of samples from an array of inputs and an array of class ids in `0..classes`.
    ///
    /// Inputs of bytes are pixels: `[n, h, w]` becomes `[n, 1, h, w]`, delivered as `f32` in 0 ..= 1. Other inputs keep
    /// their shape and become `f32`.
    ///
    /// # Errors
    /// When the numbers of samples differ, a label is not a whole number in `0..classes`, or there are more than 1,048,576 classes.
    pub fn labelled(self, labels: Idx, classes: usize) -> Result<InMemory> {
        let data = |message| Error::new(ErrorKind::Data, message);
        if classes > MOST_CLASSES {
            let message = format!("{classes} classes are more than the {MOST_CLASSES} that a set can have");
            return Err(data(message).help("`classes` is the number of different labels"));
        }
        if labels.shape.len() != 1 || matches!(labels.element, Element::F32 | Element::F64) {
            return Err(data(format!(
                "labels are {:?} {:?}, not one whole number each",
                labels.element, labels.shape
            ))
            .help("are the images and the labels exchanged?"));
        }
        if self.shape[0] != labels.shape[0] {
            return Err(data(format!("{} images, but {} labels", self.shape[0], labels.shape[0])));
        }
        let y = labels.tensor().to(DType::I64);
        let ids = y.to_vec::<i64>();
        if let Some(i) = ids.iter().position(|&id| id < 0 || id as u64 >= classes as u64) {
            return Err(data(format!("label {} of sample {i} is out of range 0..{classes}", ids[i]))
                .help("class ids count from 0; is the number of classes right?"));
        }
        let (shape, element) = (self.shape.clone(), self.element);
        let x = match (shape.as_slice(), element) {
            (&[n, h, w], Element::U8) => self.tensor().reshape([n, 1, h, w]),
            (_, Element::U8) => self.tensor(),
            _ => self.tensor().to(DType::F32),
        };
        let names = (0..classes).map(|id| id.to_string());
        Ok(match element {
            Element::U8 => InMemory::from_pixels(x, y),
            _ => InMemory::new(x, y),
        }
        .classes(names))
    }
}

/// Reads an array of at most `limit` bytes from a source whose file has `size` bytes.
fn read(mut source: impl Read, limit: usize, size: usize) -> Result<Idx> {
    let mut head = [0; 4];
    fill(&mut source, &mut head, "the header")?;
    let element = match head {
        [0, 0, 0x08, _] => Element::U8,
        [0, 0, 0x09, _] => Element::I8,
        [0, 0, 0x0B, _] => Element::I16,
        [0, 0, 0x0C, _] => Element::I32,
        [0, 0, 0x0D, _] => Element::F32,
        [0, 0, 0x0E, _] => Element::F64,
        [0, 0, code, _] => return Err(damaged(format!("unknown IDX element type 0x{code:02x}"))),
        _ => {
            return Err(
                damaged(format!("not an IDX file: it starts with {head:02x?}")).help("IDX starts with 00 00")
            );
        }
    };
    if usize::from(head[3]) > MAX_RANK {
        return Err(damaged(format!("an IDX array of {} axes; a tensor has at most {MAX_RANK}", head[3])));
    }
    let mut shape = Vec::with_capacity(usize::from(head[3]));
    for axis in 0..head[3] {
        let mut size = [0; 4];
        fill(&mut source, &mut size, &format!("the size of axis {axis}"))?;
        shape.push(u32::from_be_bytes(size) as usize);
    }
    if shape.is_empty() {
        return Err(damaged("an IDX array of rank 0 has no samples".into()));
    }
    // An axis of 0 must not hide others that overflow: strides are products too.
    let claimed = shape
        .iter()
        .try_fold(element.size(), |bytes, &n| bytes.checked_mul(n.max(1)))
        .filter(|&bytes| bytes < 1 << 60);
    let bytes = claimed.map(|bytes| if shape.contains(&0) { 0 } else { bytes });
    let Some(bytes) = bytes.filter(|&bytes| bytes <= limit) else {
        let message = format!("the header claims {shape:?} elements, more than {size} bytes can hold");
        return Err(match bytes {
            Some(bytes) if bytes / MOST_EXPANSION <= size && limit > size => {
                let message = format!("{size} bytes of gzip would become {bytes}: {shape:?} elements");
                damaged(message).help("if that is meant, unpack the file first: gunzip FILE")
            }
            _ => damaged(message),
        });
    };
    // Reserve at once what ordinary files need; beyond that grow with the data that really comes.
    let mut data = Vec::with_capacity(bytes.min(size.saturating_mul(8)));
    source.take(bytes as u64 + 1).read_to_end(&mut data).map_err(broken)?;
    if data.len() < bytes {
        return Err(damaged(format!(
            "the file ends after {} of {bytes} bytes of {shape:?} elements",
            data.len()
        )));
    }
    if data.len() > bytes {
        return Err(damaged(format!("there are bytes after the {bytes} of {shape:?} elements")));
    }
    Ok(Idx { element, shape, data })
}

impl Element {
    fn size(self) -> usize {
        match self {
            Element::U8 | Element::I8 => 1,
            Element::I16 => 2,
            Element::I32 | Element::F32 => 4,
            Element::F64 => 8,
        }
    }
}

fn words<const N: usize, T>(data: &[u8], f: impl Fn([u8; N]) -> T) -> Vec<T> {
    data.as_chunks().0.iter().map(|&word| f(word)).collect()
}

fn fill(source: &mut impl Read, out: &mut [u8], what: &str) -> Result<()> {
    source.read_exact(out).map_err(|e| match e.kind() {
        Io::UnexpectedEof => damaged(format!("the file ends inside {what}")),
        _ => broken(e),
    })
}

fn broken(e: std::io::Error) -> Error {
    damaged(format!("corrupt gzip data: {e}")).help("copy the file again")
}

fn damaged(message: String) -> Error {
    Error::new(ErrorKind::Data, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dataset;
    use mapsto_tensor::random::Keyed;
    use std::io::Write;

    fn file(code: u8, shape: &[u32], data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, code, shape.len() as u8];
        shape.iter().for_each(|n| bytes.extend(n.to_be_bytes()));
        bytes.extend(data);
        bytes
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    fn message(bytes: &[u8]) -> String {
        Idx::parse(bytes).unwrap_err().message().to_string()
    }

    #[test]
    fn samples_of_another_type_or_shape_are_not_alike() {
        let kinds = [(0x08, 1), (0x09, 1), (0x0B, 2), (0x0C, 4), (0x0D, 4), (0x0E, 8)];
        let shapes = [[2, 4], [4, 2], [1, 8]];
        let all: Vec<Idx> = kinds
            .iter()
            .flat_map(|&(code, size)| shapes.map(|[h, w]| file(code, &[2, h, w], &vec![0; 16 * size])))
            .map(|bytes| Idx::parse(&bytes).unwrap())
            .collect();
        for (i, a) in all.iter().enumerate() {
            for (j, b) in all.iter().enumerate() {
                assert_eq!(a.check_alike(b).is_ok(), i == j);
            }
        }
        let e = all[1].check_alike(&all[12]).unwrap_err();
        assert_eq!(e.message(), "the test samples are U8 [4, 2], those to train on are F32 [2, 4]");
    }

    #[test]
    fn more_classes_than_memory_holds_names_for_are_refused() {
        let part = || Idx::parse(&file(0x08, &[2], &[0, 1])).unwrap();
        for classes in [MOST_CLASSES + 1, 1_000_000_000_000_000, i64::MAX as usize] {
            let e = part().labelled(part(), classes).err().unwrap();
            assert!(e.message().starts_with(&format!("{classes} classes are more than")), "{e}");
        }
        assert_eq!(part().labelled(part(), 3).unwrap().info().classes.len(), 3);
    }

    #[test]
    fn every_element_type_is_big_endian() {
        let floats: Vec<u8> = [1.5f32, -2.0].iter().flat_map(|v| v.to_be_bytes()).collect();
        let doubles: Vec<u8> = [1.5f64, -2.0].iter().flat_map(|v| v.to_be_bytes()).collect();
        let tensor = |code, data: &[u8]| Idx::parse(&gzip(&file(code, &[2], data))).unwrap().tensor();
        assert_eq!(tensor(0x08, &[1, 255]).to_vec::<u8>(), [1, 255]);
        assert_eq!(tensor(0x09, &[1, 255]).to_vec::<i8>(), [1, -1]);
        assert_eq!(tensor(0x0B, &[1, 2, 255, 255]).to_vec::<i32>(), [258, -1]);
        assert_eq!(tensor(0x0C, &[0, 0, 1, 0, 255, 255, 255, 254]).to_vec::<i32>(), [256, -2]);
        assert_eq!(tensor(0x0D, &floats).to_vec::<f32>(), [1.5, -2.0]);
        assert_eq!(tensor(0x0E, &doubles).to_vec::<f64>(), [1.5, -2.0]);
    }

    #[test]
    fn damage_is_said() {
        assert_eq!(message(&[]), "the file ends inside the header");
        assert_eq!(message(b"PNG!"), "not an IDX file: it starts with [50, 4e, 47, 21]");
        assert_eq!(message(&[0, 0, 7, 1]), "unknown IDX element type 0x07");
        assert_eq!(message(&[0, 0, 8, 0]), "an IDX array of rank 0 has no samples");
        assert_eq!(message(&[0, 0, 8, 2, 0, 0, 0, 1]), "the file ends inside the size of axis 1");
        assert_eq!(message(&file(8, &[3], &[1, 2])), "the file ends after 2 of 3 bytes of [3] elements");
        assert_eq!(message(&file(8, &[1], &[1, 2])), "there are bytes after the 1 of [1] elements");
        let mut key = Keyed::new(&[4]);
        let noise: Vec<u8> = (0..300).map(|_| key.below(256) as u8).collect();
        let mut gz = gzip(&file(8, &[300], &noise));
        let at = gz.len() - 6; // in the CRC
        gz[at] ^= 1;
        assert!(message(&gz).starts_with("corrupt gzip data: "), "{}", message(&gz));
        assert!(message(&gz[..200]).contains("corrupt gzip data"), "{}", message(&gz[..200]));
    }

    #[test]
    fn a_header_that_lies_allocates_nothing() {
        let huge = file(0x0E, &[u32::MAX, u32::MAX, u32::MAX], &[0; 8]);
        assert!(message(&huge).contains("more than 24 bytes can hold"), "{}", message(&huge));
        assert!(message(&gzip(&huge)).contains("can hold"));
        // Within what deflate could expand to, the vector grows with the data.
        let lie = gzip(&file(8, &[20_000], &[0; 10]));
        assert_eq!(message(&lie), "the file ends after 10 of 20000 bytes of [20000] elements");
    }

    #[test]
    fn an_array_of_more_axes_than_a_tensor_is_refused() {
        assert_eq!(Idx::parse(&file(8, &[1; 6], &[7])).unwrap().tensor().shape(), [1; 6]);
        for axes in [7, 8, 255] {
            let e = message(&file(8, &vec![1; axes], &[7]));
            assert_eq!(e, format!("an IDX array of {axes} axes; a tensor has at most 6"));
        }
        // No bytes are claimed, and yet the strides of such a shape overflow.
        let e = message(&file(0x0E, &[0, u32::MAX, u32::MAX], &[]));
        assert!(e.contains("more than 16 bytes can hold"), "{e}");
        let e = message(&file(0x0D, &[3_372_224_514, 561_842_894, 0], &[]));
        assert!(e.contains("more than 16 bytes can hold"), "{e}");
    }

    #[test]
    fn a_file_made_to_fill_the_memory_is_refused_by_its_header() {
        // 512 MiB of zeros in half a megabyte: deflate could do it, and no data does.
        let size = 512u32 << 20;
        let head = file(8, &[size], &[]);
        let bomb = [gzip(&[&head[..], &[0; 64]].concat()), vec![0; 540_000]].concat();
        let want = format!("{} bytes of gzip would become {size}: [{size}] elements", bomb.len());
        assert_eq!(message(&bomb), want);
    }

    #[test]
    fn damaged_bytes_never_panic() {
        let plain = file(0x0C, &[2, 3, 4], &[9; 96]);
        for whole in [gzip(&plain), plain] {
            let good = Idx::parse(&whole).unwrap();
            for end in 0..whole.len() {
                assert!(Idx::parse(&whole[..end]).is_err(), "truncated to {end}");
            }
            for round in 0..4000 {
                let key = Keyed::new(&[round]);
                let mut key = key;
                let mut bytes = whole.clone();
                for _ in 0..=key.below(4) {
                    let at = key.below(bytes.len());
                    bytes[at] = key.below(256) as u8;
                }
                if let Ok(array) = Idx::parse(&bytes) {
                    assert!(array.data.len() <= whole.len() * MOST_EXPANSION);
                    assert!(array == good || bytes != whole);
                }
            }
        }
    }

    #[test]
    fn labels_are_checked() {
        let images = Idx::parse(&file(8, &[3, 2, 2], &[255; 12])).unwrap();
        let labels = |ids: &[u8]| Idx::parse(&file(8, &[ids.len() as u32], ids)).unwrap();
        let set = images.clone().labelled(labels(&[0, 9, 4]), 10).unwrap();
        assert_eq!(set.batch(&[1]).unwrap().x.to_vec::<f32>(), [1.0; 4]);
        assert_eq!(
            (set.label(1).unwrap(), set.info().classes.len(), set.x().shape()),
            (9, 10, &[3, 1, 2, 2][..])
        );
        let e = |ids| images.clone().labelled(labels(ids), 10).err().unwrap().message().to_string();
        assert_eq!(e(&[0, 10, 4]), "label 10 of sample 1 is out of range 0..10");
        assert_eq!(e(&[0, 1]), "3 images, but 2 labels");
        let e = labels(&[1, 2, 3]).labelled(images.clone(), 10).err().unwrap();
        assert_eq!(e.message(), "labels are U8 [3, 2, 2], not one whole number each");
    }
}
