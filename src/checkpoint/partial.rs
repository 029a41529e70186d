//! [`PartialLoad`]: some of a file's weights into some of a model's parameters.

use super::manifest::check_version;
use super::reader::TensorFile;
use super::weights::{fitting, mismatch, upload, weight_shapes};
use crate::backend::Backend;
use crate::error::Result;
use crate::model::Model;
use std::collections::BTreeMap;
use std::path::Path;

/// Which of a file's weights go where in a model. By default all of them under their own names, and all that the model
/// has below the paths named must be there: what may be missing or left over has to be said.
///
/// ```no_run
/// # fn run(model: &mut elman::Model<elman_reference::Reference<f32>>) -> elman::Result<()> {
/// use elman::checkpoint::PartialLoad;
/// // A language model's encoder in a classifier.
/// let report = model.load_weights_partial("lm.safetensors", &PartialLoad::new().prefix("lm.encoder", "encoder"))?;
/// println!("{} loaded, {} kept", report.loaded.len(), report.kept.len());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct PartialLoad {
    prefixes: Vec<(String, String)>,
    missing_ok: bool,
    superfluous_ok: bool,
}

impl PartialLoad {
    /// Everything under its own name.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only what is at or below the path `file`, to the path `model`; an empty path is the whole. Of several prefixes
    /// the first that fits a name counts.
    pub fn prefix(mut self, file: impl Into<String>, model: impl Into<String>) -> Self {
        self.prefixes.push((file.into(), model.into()));
        self
    }

    /// Parameters that the file lacks keep their values.
    pub fn missing_ok(self) -> Self {
        PartialLoad { missing_ok: true, ..self }
    }

    /// Weights below the prefixes that the model does not have are left out.
    pub fn superfluous_ok(self) -> Self {
        PartialLoad { superfluous_ok: true, ..self }
    }

    /// Where a name of the file goes.
    fn target(&self, name: &str) -> Option<String> {
        if self.prefixes.is_empty() {
            return Some(name.to_string());
        }
        self.prefixes.iter().find_map(|(file, model)| {
            let rest = below(name, file)?;
            let parts = [model.as_str(), rest];
            Some(parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("."))
        })
    }

    /// Whether a parameter of the model is one that the file ought to have.
    fn is_wanted(&self, param: &str) -> bool {
        self.prefixes.is_empty() || self.prefixes.iter().any(|(_, model)| below(param, model).is_some())
    }
}

/// What follows a path in a name that is at or below it.
pub(super) fn below<'a>(name: &'a str, path: &str) -> Option<&'a str> {
    if path.is_empty() {
        return Some(name);
    }
    let rest = name.strip_prefix(path)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('.') }
}

/// What became of a file's weights and a model's parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Parameters of the model that have new values.
    pub loaded: Vec<String>,
    /// Parameters of the model that keep theirs.
    pub kept: Vec<String>,
    /// Names in the file that were not used.
    pub unused: Vec<String>,
}

impl<B: Backend> Model<B> {
    /// Reads some of a file's weights (of weights alone or a checkpoint). Errors, listing every name, when below the
    /// prefixes the file lacks a parameter or holds one that the model does not have, unless that was allowed; when a
    /// shape differs, or two weights go to one place. Nothing is changed then. `f32` and `f64` are converted.
    pub fn load_weights_partial(&mut self, path: impl AsRef<Path>, what: &PartialLoad) -> Result<LoadReport> {
        let mut file = TensorFile::open(path.as_ref())?;
        check_version(&file)?;
        let (mut sources, mut report) = (BTreeMap::new(), LoadReport::default());
        let (mut missing, mut superfluous, mut mismatched) = (Vec::new(), Vec::new(), Vec::new());
        for (name, shape) in weight_shapes(&file) {
            let Some(target) = what.target(&name) else {
                report.unused.push(name);
                continue;
            };
            match self.params().iter().find(|param| param.name() == target) {
                None if what.superfluous_ok => report.unused.push(name),
                None => superfluous.push(name),
                Some(param) => {
                    mismatched.extend(mismatch(param, &shape));
                    if let Some(other) = sources.insert(target.clone(), name.clone()) {
                        superfluous.push(format!("{name} ({target} is already {other})"));
                    }
                }
            }
        }
        for name in self.params().iter().map(|param| param.name().to_string()) {
            match sources.contains_key(&name) {
                true => report.loaded.push(name),
                false if what.is_wanted(&name) && !what.missing_ok => missing.push(name),
                false => report.kept.push(name),
            }
        }
        fitting(missing, superfluous, mismatched)?;
        let b = self.backend();
        let arrays: BTreeMap<String, B::Array> = sources
            .into_iter()
            .map(|(target, name)| Ok((target, upload(b, &mut file, &name)?)))
            .collect::<Result<_>>()?;
        self.put_weights(arrays)?;
        Ok(report)
    }

    /// Puts arrays of the right shapes in the places of some parameters.
    pub(super) fn put_weights(&mut self, mut arrays: BTreeMap<String, B::Array>) -> Result<()> {
        for param in self.params_mut() {
            if let Some(array) = arrays.remove(param.name()) {
                param.set_value(array)?;
            }
        }
        Ok(())
    }
}
