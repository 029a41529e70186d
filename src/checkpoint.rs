//! Weights in files: safetensors, written whole or not at all, loaded strictly.

use crate::backend::Backend;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::param::Param;
use crate::shape::Shape;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

/// Key and value in the file's metadata that say what it is and in which version of the layout.
const FORMAT: (&str, &str) = ("elman.format", "1");

impl<B: Backend> Model<B> {
    /// Writes all parameters to a safetensors file under their paths (`dense.kernel`), as `f32` or `f64`. The file is written
    /// beside its place, synced and renamed: whatever happens, `path` holds the old file or the whole new one.
    pub fn save_weights(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let dtype = if B::Elem::NAME == "f64" { Dtype::F64 } else { Dtype::F32 };
        let mut buffers = Vec::with_capacity(self.params().len());
        for param in self.params() {
            let numbers = param.tensor().to_vec()?;
            let bytes: Vec<u8> = match dtype {
                Dtype::F64 => numbers.iter().flat_map(|x| x.to_f64().to_le_bytes()).collect(),
                _ => numbers.iter().flat_map(|x| (x.to_f64() as f32).to_le_bytes()).collect(),
            };
            buffers.push((param.name(), param.shape().to_vec(), bytes));
        }
        let invalid =
            |e: safetensors::SafeTensorError| Error::Parse { path: path.into(), line: None, why: e.to_string() };
        let views =
            buffers.iter().map(|(name, shape, bytes)| Ok((*name, TensorView::new(dtype, shape.clone(), bytes)?)));
        let views: Vec<_> = views.collect::<Result<_, _>>().map_err(invalid)?;
        let metadata = [(FORMAT.0.to_string(), FORMAT.1.to_string())].into();
        write_whole(path, &safetensors::serialize(views, Some(metadata)).map_err(invalid)?)
    }

    /// Reads all parameters from a safetensors file. Strict: errors, listing every name, when the file lacks a parameter, holds
    /// one that the model does not have, or one of another shape; nothing is changed then. `f32` and `f64` are converted.
    pub fn load_weights(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|e| Error::io(path, e))?;
        let invalid = |why: String| Error::Parse { path: path.into(), line: None, why };
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| invalid(e.to_string()))?;
        let version = header.metadata().as_ref().and_then(|metadata| metadata.get(FORMAT.0));
        if let Some(version) = version.filter(|version| *version != FORMAT.1) {
            return Err(invalid(format!("version {version} of the layout, this library reads {}", FORMAT.1)));
        }
        let file = SafeTensors::deserialize(&bytes).map_err(|e| invalid(e.to_string()))?;
        let mut weights = BTreeMap::new();
        for (name, view) in file.iter() {
            let numbers = match view.dtype() {
                Dtype::F32 => numbers::<B::Elem, 4>(view.data(), |b| f64::from(f32::from_le_bytes(b))),
                Dtype::F64 => numbers::<B::Elem, 8>(view.data(), f64::from_le_bytes),
                other => return Err(invalid(format!("`{name}` is of type {other:?}, not F32 or F64"))),
            };
            let shape = Shape::new(view.shape())?;
            weights.insert(name.to_string(), self.backend().upload(numbers, shape)?);
        }
        self.set_weights(weights)
    }

    /// The parameters' names and arrays in build order.
    pub fn weights(&self) -> impl Iterator<Item = (&str, &B::Array)> {
        self.params().iter().map(|param| (param.name(), param.tensor().value()))
    }

    /// Puts arrays in the parameters' places by name: strict, as [`Model::load_weights`].
    pub fn set_weights(&mut self, mut weights: BTreeMap<String, B::Array>) -> Result<()> {
        let backend = self.backend().clone();
        let (mut missing, mut mismatched) = (Vec::new(), Vec::new());
        for param in self.params() {
            match weights.get(param.name()).map(|array| backend.shape(array)) {
                None => missing.push(param.name().to_string()),
                Some(shape) if shape != param.shape() => {
                    mismatched.push(format!("{} ({shape} for {})", param.name(), param.shape()));
                }
                Some(_) => {}
            }
        }
        let known = |name: &String| self.params().iter().any(|param| param.name() == name);
        let superfluous: Vec<String> = weights.keys().filter(|name| !known(name)).cloned().collect();
        if !(missing.is_empty() && superfluous.is_empty() && mismatched.is_empty()) {
            return Err(Error::Weights { missing, superfluous, mismatched });
        }
        for param in self.params_mut() {
            if let Some(array) = weights.remove(param.name()) {
                param.set_value(array)?;
            }
        }
        Ok(())
    }

    /// The parameters' arrays in build order, to be put back by [`Model::restore`]: cheap, memory is shared until training goes
    /// on.
    pub fn snapshot(&self) -> Vec<B::Array> {
        self.params().iter().map(|param| param.tensor().value().clone()).collect()
    }

    /// Puts a snapshot of this model back. Errors when it is not one of this model.
    pub fn restore(&mut self, snapshot: Vec<B::Array>) -> Result<()> {
        if snapshot.len() != self.params().len() {
            let expected = format!("a snapshot of {} parameters", self.params().len());
            return Err(Error::invalid("restore", expected, snapshot.len()));
        }
        let mut pairs = self.params_mut().iter_mut().zip(snapshot);
        pairs.try_for_each(|(param, array): (&mut Param<B>, _)| param.set_value(array))
    }
}

fn numbers<E: Element, const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f64) -> Vec<E> {
    // The format's reader has checked that the bytes are a whole number of elements.
    let (elements, _) = bytes.as_chunks::<N>();
    elements.iter().map(|&element| E::from_f64(read(element))).collect()
}

/// Writes a file beside its place, syncs it and renames it, so that `path` never holds half a file.
fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    let beside = path.with_file_name(name);
    let write = || {
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        // The rename itself lies in the folder; not every system lets one sync that.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).ok();
        Ok(())
    };
    write().map_err(|e| {
        fs::remove_file(&beside).ok();
        Error::io(path, e)
    })
}
