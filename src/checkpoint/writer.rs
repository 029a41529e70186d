//! Arrays into a safetensors file, one at a time: a model need not fit into memory a second time to be saved.
//!
//! The library's own `serialize_to_file` takes arrays that cannot fail to be read back from a device, and puts the
//! metadata in an order that differs from run to run.

use super::checksum;
use super::layout::MOST_HEADER;
use crate::backend::Backend;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::file::write_whole;
use safetensors::tensor::{Dtype, TensorInfo};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// What is to be written under a name.
pub(super) struct Written<'a, B: Backend> {
    name: String,
    data: Data<'a, B>,
}

enum Data<'a, B: Backend> {
    Array(&'a B::Array),
    /// Numbers of the host, always in `f64`.
    Numbers(&'a [f64]),
}

impl<'a, B: Backend> Written<'a, B> {
    /// An array, in the backend's own precision.
    pub(super) fn array(name: impl Into<String>, array: &'a B::Array) -> Self {
        Written { name: name.into(), data: Data::Array(array) }
    }

    /// Numbers, in `f64`.
    pub(super) fn numbers(name: impl Into<String>, numbers: &'a [f64]) -> Self {
        Written { name: name.into(), data: Data::Numbers(numbers) }
    }

    fn dtype(&self) -> Dtype {
        match self.data {
            Data::Array(_) if B::Elem::NAME != "f64" => Dtype::F32,
            _ => Dtype::F64,
        }
    }

    fn shape(&self, b: &B) -> Vec<usize> {
        match self.data {
            Data::Array(array) => b.shape(array).to_vec(),
            Data::Numbers(numbers) => vec![numbers.len()],
        }
    }

    fn bytes(&self, b: &B) -> Result<Vec<u8>> {
        let array = match self.data {
            Data::Numbers(numbers) => return Ok(numbers.iter().flat_map(|x| x.to_le_bytes()).collect()),
            Data::Array(array) => b.download(array)?,
        };
        let mut bytes = Vec::with_capacity(array.len() * size_of::<B::Elem>());
        match self.dtype() {
            Dtype::F64 => array.iter().for_each(|x| bytes.extend_from_slice(&x.to_f64().to_le_bytes())),
            _ => array.iter().for_each(|x| bytes.extend_from_slice(&(x.to_f64() as f32).to_le_bytes())),
        }
        Ok(bytes)
    }
}

/// Writes a safetensors file, whole or not at all. The same arrays and metadata give the same bytes.
pub(super) fn write<B: Backend>(
    path: &Path,
    b: &B,
    metadata: &BTreeMap<String, String>,
    mut entries: Vec<Written<'_, B>>,
) -> Result<()> {
    // The wide types first, so that each array lies at a multiple of its elements' size; then by name, as the format's
    // library has it.
    entries.sort_by(|x, y| y.dtype().cmp(&x.dtype()).then_with(|| x.name.cmp(&y.name)));
    if let Some(twice) = entries.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(Error::invalid("checkpoint", "arrays of different names", format!("`{}` twice", twice[0].name)));
    }
    let mut header = header(path, b, metadata, &entries)?;
    // The header comes first and has the checksums: each array is fetched twice, one at a time. Going back in the file
    // instead would not do for a pipe, and what is here takes less time than the disk does.
    let checksum = |entry: &Written<'_, B>| Ok((entry.name.clone(), crc32fast::hash(&entry.bytes(b)?)));
    checksum::seal(&mut header, &entries.iter().map(checksum).collect::<Result<_>>()?);
    write_whole(path, |writer| {
        let mut put = |bytes: &[u8]| writer.write_all(bytes).map_err(|e| Error::io(path, e));
        put(&(header.len() as u64).to_le_bytes())?;
        put(header.as_bytes())?;
        entries.iter().try_for_each(|entry| put(&entry.bytes(b)?))
    })
}

/// The header's JSON, padded so that the arrays begin at a multiple of 8.
fn header<B: Backend>(
    path: &Path,
    b: &B,
    metadata: &BTreeMap<String, String>,
    entries: &[Written<'_, B>],
) -> Result<String> {
    let failed = |why: String| Error::Parse { path: path.into(), line: None, why };
    let json = |e: serde_json::Error| failed(e.to_string());
    let mut header = checksum::beginning(entries.len());
    let metadata = serde_json::to_string(metadata).map_err(json)?;
    // After its opening brace; there is at least the version of the layout.
    header += &format!(",{}", &metadata[1..]);
    let mut offset = 0;
    for entry in entries {
        let (dtype, shape) = (entry.dtype(), entry.shape(b));
        let end = offset + shape.iter().product::<usize>() * dtype.bitsize() / 8;
        let info = TensorInfo { dtype, shape, data_offsets: (offset, end) };
        let name = serde_json::to_string(&entry.name).map_err(json)?;
        header += &format!(",{name}:{}", serde_json::to_string(&info).map_err(json)?);
        offset = end;
    }
    header.push('}');
    header += &" ".repeat(header.len().next_multiple_of(8) - header.len());
    if header.len() > MOST_HEADER {
        let why = format!("names and extras of {} bytes, a safetensors file takes {MOST_HEADER}", header.len());
        return Err(failed(why));
    }
    Ok(header)
}
