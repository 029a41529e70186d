//! [`Extras`]: what a program puts into its checkpoints beside the model.

use super::manifest;
use super::reader::TensorFile;
use crate::error::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::Path;

/// Values by name, kept as JSON in a checkpoint: vocabulary, class names, options; all that a program needs to predict
/// from raw text with nothing but the file.
///
/// ```
/// use elman::checkpoint::Extras;
/// let extras = Extras::new().with("topics", &["grain", "trade"])?.with("width", &1000)?;
/// assert_eq!(extras.get::<Vec<String>>("topics")?, ["grain", "trade"]);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    texts: BTreeMap<String, String>,
}

impl Extras {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// With a value under a name, in place of one that is there. Errors when it cannot be written as JSON (a map whose
    /// keys are no strings, say). JSON's numbers are rounded and have no NaN: see [`Exact`](super::Exact).
    pub fn with(mut self, name: impl Into<String>, value: &(impl Serialize + ?Sized)) -> Result<Self> {
        let name = name.into();
        let text = serde_json::to_string(value)
            .map_err(|e| Error::invalid(format!("extra `{name}`"), "a value that JSON can hold", e))?;
        self.texts.insert(name, text);
        Ok(self)
    }

    /// A value by name. Errors when there is none, or it is of another kind.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let text = self.text(name).ok_or_else(|| {
            let names: Vec<&str> = self.names().collect();
            Error::invalid("checkpoint", format!("an extra among [{}]", names.join(", ")), format!("`{name}`"))
        })?;
        let kind = std::any::type_name::<T>();
        serde_json::from_str(text).map_err(|e| Error::invalid(format!("extra `{name}`"), kind, e))
    }

    /// A value's JSON.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// All names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.texts.keys().map(String::as_str)
    }

    /// Those of a checkpoint, without its arrays: what is needed to build the model that the file is then loaded into.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let file = TensorFile::open(path.as_ref())?;
        manifest::check_version(&file)?;
        Ok(Self::of(&file))
    }

    pub(super) fn of(file: &TensorFile) -> Self {
        let texts = file.metadata_below(manifest::EXTRA);
        Extras { texts: texts.map(|(name, text)| (name.to_string(), text.to_string())).collect() }
    }

    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }
}
