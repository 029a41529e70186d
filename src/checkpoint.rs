//! Weights in files: safetensors, written whole or not at all, loaded strictly.

use crate::backend::Backend;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::file::write_whole;
use crate::model::Model;
use crate::param::Param;
use crate::shape::Shape;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Key and value in the file's metadata that say what it is and in which version of the layout.
const FORMAT: (&str, &str) = ("elman.format", "1");

impl<B: Backend> Model<B> {
    /// Writes all parameters to a safetensors file under their paths (`dense.kernel`), as `f32` or `f64`. The file is
    /// written beside its place, synced and renamed: whatever happens, `path` holds the old file or the whole new one.
    pub fn save_weights(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let dtype = if B::Elem::NAME == "f64" { Dtype::F64 } else { Dtype::F32 };
        let mut buffers = Vec::with_capacity(self.params().len());
        for param in self.params() {
            let numbers = param.tensor().to_vec()?;
            let mut bytes = Vec::with_capacity(numbers.len() * size_of::<B::Elem>());
            for x in numbers {
                match dtype {
                    Dtype::F64 => bytes.extend_from_slice(&x.to_f64().to_le_bytes()),
                    _ => bytes.extend_from_slice(&(x.to_f64() as f32).to_le_bytes()),
                }
            }
            buffers.push((param.name(), param.shape().to_vec(), bytes));
        }
        let views =
            buffers.iter().map(|(name, shape, bytes)| Ok((*name, TensorView::new(dtype, shape.clone(), bytes)?)));
        let views: Vec<_> = views.collect::<Result<_, _>>().map_err(|e| unreadable(path, e))?;
        let metadata = [(FORMAT.0.to_string(), FORMAT.1.to_string())].into();
        let bytes = safetensors::serialize(views, Some(metadata)).map_err(|e| unreadable(path, e))?;
        write_whole(path, |file| file.write_all(&bytes))
    }

    /// Reads all parameters from a safetensors file. Strict: errors, listing every name, when the file lacks a
    /// parameter, holds one that the model does not have, or one of another shape; nothing is changed then. `f32` and
    /// `f64` are converted.
    pub fn load_weights(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|e| Error::io(path, e))?;
        let invalid = |why: String| Error::Parse { path: path.into(), line: None, why };
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| unreadable(path, e))?;
        let version = header.metadata().as_ref().and_then(|metadata| metadata.get(FORMAT.0));
        if let Some(version) = version.filter(|version| *version != FORMAT.1) {
            return Err(invalid(format!("version {version} of the layout, this library reads {}", FORMAT.1)));
        }
        let file = SafeTensors::deserialize(&bytes).map_err(|e| unreadable(path, e))?;
        // Before anything of what may be another model's file goes to the device.
        let shapes = file.iter().map(|(name, view)| (name.to_string(), view.shape().to_vec()));
        self.check_weights(&shapes.collect())?;
        let mut weights = BTreeMap::new();
        for (name, view) in file.iter() {
            let numbers = match view.dtype() {
                Dtype::F32 => numbers::<B::Elem, 4>(view.data(), |b| f64::from(f32::from_le_bytes(b))),
                Dtype::F64 => numbers::<B::Elem, 8>(view.data(), f64::from_le_bytes),
                other => return Err(invalid(format!("`{name}` is of type {other}, not F32 or F64"))),
            };
            weights.insert(name.to_string(), self.backend().upload(numbers, Shape::new(view.shape())?)?);
        }
        self.set_weights(weights)
    }

    /// The parameters' names and arrays in build order.
    pub fn weights(&self) -> impl Iterator<Item = (&str, &B::Array)> {
        self.params().iter().map(|param| (param.name(), param.tensor().value()))
    }

    /// Puts arrays in the parameters' places by name, in whatever order: strict, as [`Model::load_weights`].
    pub fn set_weights(&mut self, weights: impl IntoIterator<Item = (String, B::Array)>) -> Result<()> {
        let b = self.backend();
        let mut weights: BTreeMap<String, B::Array> = weights.into_iter().collect();
        self.check_weights(&weights.iter().map(|(name, array)| (name.clone(), b.shape(array).to_vec())).collect())?;
        for param in self.params_mut() {
            if let Some(array) = weights.remove(param.name()) {
                param.set_value(array)?;
            }
        }
        Ok(())
    }

    /// Errors unless these are the names and shapes of all parameters.
    fn check_weights(&self, shapes: &BTreeMap<String, Vec<usize>>) -> Result<()> {
        let (mut missing, mut mismatched, mut superfluous) = (Vec::new(), Vec::new(), shapes.clone());
        for param in self.params() {
            match superfluous.remove(param.name()) {
                None => missing.push(param.name().to_string()),
                Some(shape) if shape[..] != param.shape()[..] => {
                    mismatched.push(format!("{} ({shape:?} for {})", param.name(), param.shape()));
                }
                Some(_) => {}
            }
        }
        let superfluous: Vec<String> = superfluous.into_keys().collect();
        if missing.is_empty() && superfluous.is_empty() && mismatched.is_empty() {
            return Ok(());
        }
        Err(Error::Weights { missing, superfluous, mismatched })
    }

    /// The parameters' arrays in build order, to be put back by [`Model::restore`]: cheap, memory is shared until
    /// training goes on.
    pub fn snapshot(&self) -> Vec<B::Array> {
        self.params().iter().map(|param| param.tensor().value().clone()).collect()
    }

    /// Puts a snapshot of this model back. Errors when it is not one of this model; nothing is changed then.
    pub fn restore(&mut self, snapshot: Vec<B::Array>) -> Result<()> {
        let shapes = |shapes: &mut dyn Iterator<Item = Shape>| {
            shapes.map(|shape| shape.to_string()).collect::<Vec<_>>().join(", ")
        };
        let expected = shapes(&mut self.params().iter().map(Param::shape));
        let found = shapes(&mut snapshot.iter().map(|array| self.backend().shape(array)));
        if found != expected {
            return Err(Error::invalid("restore", format!("a snapshot of shapes {expected}"), found));
        }
        let mut pairs = self.params_mut().iter_mut().zip(snapshot);
        pairs.try_for_each(|(param, array): (&mut Param<B>, _)| param.set_value(array))
    }
}

/// What the format's library finds wrong with a file.
fn unreadable(path: &Path, error: safetensors::SafeTensorError) -> Error {
    Error::Parse { path: path.into(), line: None, why: format!("not a whole safetensors file ({error})") }
}

fn numbers<E: Element, const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f64) -> Vec<E> {
    // The format's reader has checked that the bytes are a whole number of elements.
    let (elements, _) = bytes.as_chunks::<N>();
    elements.iter().map(|&element| E::from_f64(read(element))).collect()
}
