//! The one file of a pipeline: a model whose extras say what stands around it, of which kind and version that is.

use crate::backend::Backend;
use crate::checkpoint::Extras;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::model::Model;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Name of the extra that says what the file is.
const PIPELINE: &str = "pipeline";

/// What a file is: the kind is also the name of the extra that holds the rest.
#[derive(Serialize, Deserialize)]
struct Label {
    kind: String,
    version: u32,
}

/// A kind of pipeline, and the newest version of its layout that can be read: it rises when what is there changes its meaning or must
/// not be overlooked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    /// `tagger`.
    pub(crate) kind: &'static str,
    pub(crate) version: u32,
}

impl Format {
    /// The extras of a pipeline, of which `parts` is all that is needed besides the model.
    pub(crate) fn extras(self, parts: &impl Serialize) -> Result<Extras> {
        let label = Label { kind: self.kind.into(), version: self.version };
        Extras::new().with(PIPELINE, &label)?.with(self.kind, parts)
    }

    /// What a file of this kind holds besides the model. Errors: a file of no pipeline, of another one, of a newer version.
    pub(crate) fn parts<T: DeserializeOwned>(self, path: &Path) -> Result<T> {
        let extras = Extras::read(path)?;
        let Format { kind, version } = self;
        let other = |found: String| Error::invalid(path.display(), format!("the file of a {kind}"), found);
        if extras.text(PIPELINE).is_none() {
            return Err(other("a model without tokenizer and vocabularies: it was not saved by a pipeline".into()));
        }
        let label: Label = extras.get(PIPELINE).map_err(|error| error.at(path.display()))?;
        if label.kind != kind {
            return Err(other(format!("that of a {}", label.kind)));
        }
        if label.version > version {
            let expected = format!("a {kind} of version {version} of its layout or older");
            let found = format!("version {}, written by a newer version of elman", label.version);
            return Err(Error::invalid(path.display(), expected, found));
        }
        extras.get(kind).map_err(|error| error.at(path.display()))
    }

    /// The same with the model. Errors also: weights that are no numbers.
    pub(crate) fn load<B: Backend, T: DeserializeOwned>(self, backend: &B, path: &Path) -> Result<(T, Model<B>)> {
        let parts = self.parts(path)?;
        let model = Model::load(backend, path)?;
        check_finite(&model).map_err(|error| error.at(path.display()))?;
        Ok((parts, model))
    }
}

/// Errors where weights are NaN or infinite, as those of a training that diverged: its answers would say nothing.
pub(crate) fn check_finite<B: Backend>(model: &Model<B>) -> Result<()> {
    for (name, array) in model.weights() {
        if !model.backend().download(array)?.iter().all(|&weight| weight.to_f64().is_finite()) {
            let expected = format!("numbers in the weights `{name}`");
            return Err(Error::invalid("model", expected, "NaN or infinity: the training diverged"));
        }
    }
    Ok(())
}
