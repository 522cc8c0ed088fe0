//! The safetensors format: eight bytes of header size, a JSON header, and the tensors' bytes one after another.
//!
//! Format: <https://huggingface.co/docs/safetensors>, little-endian, row-major.

use super::header::{self, Entry, dtype_name, error};
use half::{bf16, f16};
use mapsto_spec::Json;
use mapsto_tensor::{DType, Result, Tensor};
use std::io::{self, Write};

/// Texts by key.
type Texts = Vec<(String, String)>;
/// Tensors by name.
type Tensors = Vec<(String, Tensor)>;

/// Reads the metadata and the tensors of a safetensors file, in the order of its header.
///
/// ```
/// use mapsto_tensor::prelude::*;
/// use mapsto_train::{read_tensors, write_tensors};
/// let mut file = Vec::new();
/// write_tensors(&mut file, &[], &[("x".to_string(), tensor![1.0, 2.5])]).unwrap();
/// let (_, tensors) = read_tensors(&file).unwrap();
/// assert_eq!((tensors[0].0.as_str(), tensors[0].1.to_vec::<f32>()), ("x", vec![1.0, 2.5]));
/// ```
///
/// # Errors
/// When anything in the file contradicts anything else: a size beyond the file, bytes shared or left over, a shape that
/// does not fill its bytes, a name twice, an unknown dtype. Memory stays in proportion to the file.
pub fn read_tensors(file: &[u8]) -> Result<(Texts, Tensors)> {
    let header = header::read(file)?;
    let mut tensors = Vec::with_capacity(header.entries.len());
    for entry in header.entries {
        let tensor = tensor(&entry, &header.data[entry.bytes.clone()])?;
        tensors.push((entry.name, tensor));
    }
    Ok((header.metadata, tensors))
}

/// Writes tensors and texts as a safetensors file.
///
/// Wide elements come first, so that every tensor is aligned for readers that map the file into memory.
///
/// # Errors
/// Whatever the writer says; two tensors of one name.
pub fn write_tensors(
    writer: &mut dyn Write,
    metadata: &[(String, String)],
    tensors: &[(String, Tensor)],
) -> io::Result<()> {
    let mut order: Vec<&(String, Tensor)> = tensors.iter().collect();
    order.sort_by_key(|(_, t)| std::cmp::Reverse(t.dtype().size()));
    let mut pairs = Vec::new();
    if !metadata.is_empty() {
        let texts = metadata.iter().map(|(k, v)| (k.clone(), Json::Str(v.clone())));
        pairs.push(("__metadata__".to_string(), Json::Object(texts.collect())));
    }
    let mut end = 0;
    for (name, tensor) in &order {
        let start = end;
        end += tensor.len() * tensor.dtype().size();
        let entry = vec![
            ("dtype".to_string(), Json::from(dtype_name(tensor.dtype()))),
            ("shape".to_string(), Json::from(tensor.shape().to_vec())),
            ("data_offsets".to_string(), Json::from(vec![start, end])),
        ];
        pairs.push((name.clone(), Json::Object(entry)));
    }
    let mut names: Vec<&String> = pairs.iter().map(|(name, _)| name).collect();
    names.sort();
    if let Some(twice) = names.windows(2).find(|w| w[0] == w[1]) {
        return Err(io::Error::other(format!("two tensors are named `{}`", twice[0])));
    }
    let mut text = Json::Object(pairs).to_string();
    let padding = text.len().next_multiple_of(8) - text.len();
    text.extend(std::iter::repeat_n(' ', padding));
    writer.write_all(&(text.len() as u64).to_le_bytes())?;
    writer.write_all(text.as_bytes())?;
    order.iter().try_for_each(|(_, tensor)| writer.write_all(&value_bytes(tensor)))
}

/// The values of a tensor as they stand in a file.
pub(super) fn value_bytes(t: &Tensor) -> Vec<u8> {
    macro_rules! values {
        ($($dtype:ident: $type:ty),*) => {
            match t.dtype() {
                $(DType::$dtype => {
                    let mut bytes = Vec::with_capacity(t.len() * size_of::<$type>());
                    t.to_vec::<$type>().iter().for_each(|v| bytes.extend_from_slice(&v.to_le_bytes()));
                    bytes
                })*
                DType::Bool => t.to_vec::<bool>().into_iter().map(u8::from).collect(),
            }
        };
    }
    values!(F32: f32, F64: f64, F16: f16, BF16: bf16, I64: i64, I32: i32, U8: u8, I8: i8)
}

fn tensor(entry: &Entry, bytes: &[u8]) -> Result<Tensor> {
    let shape = &entry.shape[..];
    macro_rules! values {
        ($($dtype:ident: $type:ty),*) => {
            match entry.dtype {
                $(DType::$dtype => {
                    // The header's check of the size leaves no remainder.
                    let values = bytes.as_chunks::<{ size_of::<$type>() }>().0;
                    let values: Vec<$type> = values.iter().map(|b| <$type>::from_le_bytes(*b)).collect();
                    Ok(Tensor::from_vec(values, shape))
                })*
                DType::Bool => {
                    let values: Option<Vec<bool>> =
                        bytes.iter().map(|b| match b { 0 => Some(false), 1 => Some(true), _ => None }).collect();
                    let values = values.ok_or_else(|| error(format!("`{}`: a bool that is neither 0 nor 1", entry.name)))?;
                    Ok(Tensor::from_vec(values, shape))
                }
            }
        };
    }
    values!(F32: f32, F64: f64, F16: f16, BF16: bf16, I64: i64, I32: i32, U8: u8, I8: i8)
}
