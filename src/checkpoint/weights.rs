//! Weights in files, strictly all of them; in maps and in snapshots.

use super::description::{metadata, other_network};
use super::manifest::{STATE, TRAINING, check_version};
use super::reader::TensorFile;
use super::writer::{Written, write};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::param::Param;
use crate::shape::Shape;
use std::collections::BTreeMap;
use std::path::Path;

impl<B: Backend> Model<B> {
    /// Writes all parameters to a safetensors file under their paths (`dense.kernel`), as `f32` or `f64`. The file is
    /// written beside its place, synced and renamed: whatever happens, `path` holds the old file or the whole new one.
    /// No more than one parameter at a time is in memory a second time.
    pub fn save_weights(&self, path: impl AsRef<Path>) -> Result<()> {
        let entries = self.weights().map(|(name, array)| Written::array(name, array)).collect();
        write(path.as_ref(), self.backend(), &metadata(self).collect(), entries)
    }

    /// Reads all parameters from a safetensors file, be it of weights alone or a checkpoint. Strict: errors, listing
    /// every name, when the file lacks a parameter, holds one that the model does not have, or one of another shape; and
    /// where the file says that its weights are of another network: all that differs but for what concerns training alone.
    /// Nothing is changed then. `f32`, `f64`, `f16` and `bf16` are converted. See [`Model::load_weights_partial`] for a part.
    pub fn load_weights(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let mut file = TensorFile::open(path.as_ref())?;
        check_version(&file)?;
        let weights = self.read_weights(&mut file)?;
        self.set_weights(weights)
    }

    /// All parameters from a file, checked before anything of what may be another model's file goes to the device.
    pub(super) fn read_weights(&self, file: &mut TensorFile) -> Result<BTreeMap<String, B::Array>> {
        let shapes = weight_shapes(file);
        let network = other_network(self, file);
        match self.check_weights(&shapes) {
            Err(Error::Weights { missing, superfluous, mismatched, .. }) => {
                return Err(Error::Weights { network, missing, superfluous, mismatched });
            }
            fits => fits?,
        }
        if !network.is_empty() {
            let (missing, superfluous, mismatched) = (Vec::new(), Vec::new(), Vec::new());
            return Err(Error::Weights { network, missing, superfluous, mismatched });
        }
        shapes.into_keys().map(|name| upload(self.backend(), file, &name).map(|array| (name, array))).collect()
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
                Some(shape) => mismatched.extend(mismatch(param, &shape)),
            }
        }
        fitting(missing, superfluous.into_keys().collect(), mismatched)
    }

    /// The parameters' arrays in build order, to be put back by [`Model::restore`]: cheap, memory is shared until
    /// training goes on.
    pub fn snapshot(&self) -> Vec<B::Array> {
        self.params().iter().map(|param| param.tensor().value().clone()).collect()
    }

    /// Puts a snapshot of this model back. Errors when it is not one of this model; nothing is changed then.
    pub fn restore(&mut self, snapshot: Vec<B::Array>) -> Result<()> {
        self.check_snapshot(&snapshot)?;
        let mut pairs = self.params_mut().iter_mut().zip(snapshot);
        pairs.try_for_each(|(param, array): (&mut Param<B>, _)| param.set_value(array))
    }

    /// Errors when a snapshot is not one of this model.
    pub(crate) fn check_snapshot(&self, snapshot: &[B::Array]) -> Result<()> {
        let shapes = |shapes: &mut dyn Iterator<Item = Shape>| {
            shapes.map(|shape| shape.to_string()).collect::<Vec<_>>().join(", ")
        };
        let expected = shapes(&mut self.params().iter().map(Param::shape));
        let found = shapes(&mut snapshot.iter().map(|array| self.backend().shape(array)));
        match found == expected {
            true => Ok(()),
            false => Err(Error::invalid("restore", format!("a snapshot of shapes {expected}"), found)),
        }
    }
}

/// Names and shapes of a file's arrays, without those of a checkpoint that are not weights.
pub(super) fn weight_shapes(file: &TensorFile) -> BTreeMap<String, Vec<usize>> {
    let mut shapes = file.shapes();
    if file.metadata(TRAINING).is_some() {
        shapes.retain(|name, _| !name.starts_with(STATE));
    }
    shapes
}

/// An array of a file on a backend.
pub(super) fn upload<B: Backend>(b: &B, file: &mut TensorFile, name: &str) -> Result<B::Array> {
    let (shape, numbers) = file.read(name)?;
    b.upload(numbers, Shape::new(&shape)?)
}

/// How a shape that is not a parameter's is reported.
pub(super) fn mismatch<B: Backend>(param: &Param<B>, shape: &[usize]) -> Option<String> {
    (shape != &param.shape()[..]).then(|| format!("{} ({shape:?} for {})", param.name(), param.shape()))
}

/// An error unless all lists are empty.
pub(super) fn fitting(missing: Vec<String>, superfluous: Vec<String>, mismatched: Vec<String>) -> Result<()> {
    if missing.is_empty() && superfluous.is_empty() && mismatched.is_empty() {
        return Ok(());
    }
    Err(Error::Weights { network: Vec::new(), missing, superfluous, mismatched })
}
