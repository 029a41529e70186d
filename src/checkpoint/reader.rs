//! A safetensors file, read one array at a time. No memory is taken on the word of a header: nothing is longer than the
//! file.

use super::checksum;
use super::layout::{MOST_HEADER, VERSION, WRITTEN_BY};
use crate::element::Element;
use crate::error::{Error, Result};
use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, Metadata};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// What files of weights of other kinds begin with, and the cure. Taken for a length, each is beyond any header's.
const OTHERS: [(&[u8], &str); 4] = [
    (
        b"PK\x03\x04",
        "a zip archive, as PyTorch's `torch.save` and Keras' `.keras` are: write the weights as safetensors",
    ),
    (b"\x89HDF\r\n", "an HDF5 file, as Keras' `.h5` is: write the weights as safetensors"),
    (b"\x80\x02\x8a\x0al\xfc", "a Python pickle, as PyTorch wrote before 1.6: write the weights as safetensors"),
    (b"\x1f\x8b\x08", "a gzip-compressed file: decompress it"),
];

/// A file whose header has been read and checked against the file's length.
pub(super) struct TensorFile {
    path: PathBuf,
    file: File,
    /// Where the arrays begin.
    start: u64,
    header: Metadata,
    /// Of the arrays, where the file has them.
    checksums: BTreeMap<String, u32>,
}

impl TensorFile {
    /// Reads the header.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let io = |e| Error::io(path, e);
        let mut file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let mut size = [0; 8];
        file.read_exact(&mut size).map_err(|e| match e.kind() {
            ErrorKind::UnexpectedEof => unreadable(path, SafeTensorError::HeaderTooSmall),
            _ => Error::io(path, e),
        })?;
        if let Some((_, what)) = OTHERS.iter().find(|(magic, _)| size.starts_with(magic)) {
            let why = format!("expected a safetensors file, found {what}");
            return Err(Error::Parse { path: path.into(), line: None, why });
        }
        let size = u64::from_le_bytes(size);
        if size > MOST_HEADER as u64 {
            return Err(unreadable(path, SafeTensorError::HeaderTooLarge));
        }
        let start = size + 8;
        if start > length {
            return Err(unreadable(path, SafeTensorError::InvalidHeaderLength));
        }
        let mut header = vec![0; size as usize];
        file.read_exact(&mut header).map_err(io)?;
        let header = std::str::from_utf8(&header).map_err(|e| unreadable(path, SafeTensorError::InvalidHeader(e)))?;
        let text = header;
        let header: Metadata = serde_json::from_str(text)
            .map_err(|e| unreadable(path, SafeTensorError::InvalidHeaderDeserialization(e)))?;
        if start.checked_add(header.data_len() as u64) != Some(length) {
            return Err(unreadable(path, SafeTensorError::MetadataIncompleteBuffer));
        }
        let damaged = |why| Error::Parse { path: path.into(), line: None, why };
        let checksums = checksum::of_arrays(text, &header).map_err(damaged)?;
        Ok(TensorFile { path: path.into(), file, start, header, checksums })
    }

    /// A text of the metadata.
    pub(super) fn metadata(&self, key: &str) -> Option<&str> {
        self.header.metadata().as_ref()?.get(key).map(String::as_str)
    }

    /// The metadata's texts whose names begin with `prefix`, under what follows it.
    pub(super) fn metadata_below<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let all = self.header.metadata().iter().flatten();
        all.filter_map(move |(key, text)| Some((key.strip_prefix(prefix)?, text.as_str())))
    }

    /// Names and shapes of all arrays.
    pub(super) fn shapes(&self) -> BTreeMap<String, Vec<usize>> {
        self.header.tensors().into_iter().map(|(name, info)| (name, info.shape.clone())).collect()
    }

    /// Shape and numbers of an array, of which those of 16 and 32 bits are exact in an `f32` and in an `f64`. Errors when
    /// there is none of this name, its type is another than `F32`, `F64`, `F16` and `BF16`, or its bytes do not have their
    /// checksum.
    pub(super) fn read<E: Element>(&mut self, name: &str) -> Result<(Vec<usize>, Vec<E>)> {
        let info = self.header.info(name).ok_or_else(|| self.invalid(format!("there is no array `{name}`")))?;
        if !matches!(info.dtype, Dtype::F32 | Dtype::F64 | Dtype::F16 | Dtype::BF16) {
            return Err(self.invalid(format!("`{name}` is of type {}, not F32, F64, F16 or BF16", info.dtype)));
        }
        let (from, to) = info.data_offsets;
        // The header was checked to describe no more than the file holds.
        let mut bytes = vec![0; to - from];
        let io = |e| Error::io(&self.path, e);
        self.file.seek(SeekFrom::Start(self.start + from as u64)).map_err(io)?;
        self.file.read_exact(&mut bytes).map_err(io)?;
        if let Some(&written) = self.checksums.get(name) {
            checksum::check(name, &bytes, written).map_err(|why| self.invalid(why))?;
        }
        let numbers = match info.dtype {
            Dtype::F32 => numbers::<E, 4>(&bytes, |b| f64::from(f32::from_le_bytes(b))),
            Dtype::F16 => numbers::<E, 2>(&bytes, |b| half(u16::from_le_bytes(b))),
            // The upper half of an `f32`.
            Dtype::BF16 => numbers::<E, 2>(&bytes, |[low, high]| f64::from(f32::from_le_bytes([0, 0, low, high]))),
            _ => numbers::<E, 8>(&bytes, f64::from_le_bytes),
        };
        Ok((info.shape.clone(), numbers))
    }

    /// What is wrong where a part of the metadata cannot be read: a field that is unknown is one of a newer version.
    pub(super) fn not_as_written(&self, what: &str, error: serde_json::Error) -> Error {
        let by = match self.metadata(WRITTEN_BY) {
            Some(version) if version != VERSION => {
                format!(", written by version {version} of the library, this is {VERSION}")
            }
            _ => String::new(),
        };
        self.invalid(format!("not {what} ({error}{by})"))
    }

    /// What is wrong with this file.
    pub(super) fn invalid(&self, why: impl Into<String>) -> Error {
        Error::Parse { path: self.path.clone(), line: None, why: why.into() }
    }
}

/// What the format's library finds wrong with a file.
fn unreadable(path: &Path, error: SafeTensorError) -> Error {
    Error::Parse { path: path.into(), line: None, why: format!("not a whole safetensors file ({error})") }
}

fn numbers<E: Element, const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f64) -> Vec<E> {
    // The header was checked to give a whole number of elements.
    let (elements, _) = bytes.as_chunks::<N>();
    elements.iter().map(|&element| E::from_f64(read(element))).collect()
}

/// The number that these bits are in binary16 (IEEE 754): a sign, five bits of exponent, ten of the significand.
fn half(bits: u16) -> f64 {
    let significand = f64::from(bits & 0x3ff);
    let magnitude = match i32::from(bits >> 10 & 0x1f) {
        0 => significand * 2f64.powi(-24),
        31 if significand == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        exponent => (1024.0 + significand) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 0 { magnitude } else { -magnitude }
}
