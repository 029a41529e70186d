//! Descriptions: what a layer, a loss or an optimiser's rule is, as JSON, so that a file can rebuild it.
//!
//! A description is an object of a `kind` and the options, under the names of the methods that set them:
//! `{"kind": "dense", "units": 64, "activation": "relu"}`. Options that are left out have their defaults. A
//! [`Registry`](crate::Registry) builds what is described; a type of one's own derives serde's traits and says
//!
//! ```
//! use elman::Result;
//! use elman::description::{Description, describe};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, Serialize, Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Scale {
//!     by: f64,
//! }
//!
//! impl Scale {
//!     // In `impl Layer`, `impl Loss` or `impl Rule`, whose own methods of this name give an error.
//!     fn describe(&self) -> Result<Description> {
//!         describe("scale", self)
//!     }
//! }
//!
//! assert_eq!(Scale { by: 0.5 }.describe()?.to_string(), r#"{"by":0.5,"kind":"scale"}"#);
//! assert!(Scale { by: f64::NAN }.describe().is_err(), "JSON has no such number");
//! # Ok::<(), elman::Error>(())
//! ```

use crate::error::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::fmt::Debug;

/// A JSON object with a `kind`.
pub type Description = Value;

/// The description of something of this kind: the fields that serde writes.
///
/// Errors for what JSON does not give back: numbers that are not finite, a closure. It is read again and must print
/// ([`Debug`]) as what was given.
pub fn describe<T: Serialize + DeserializeOwned + Debug>(kind: &str, of: &T) -> Result<Description> {
    let lost = |why: String| Error::invalid(kind, "options that JSON can hold (finite numbers, no closures)", why);
    let value = serde_json::to_value(of).map_err(|e| lost(e.to_string()))?;
    let back: T = serde_json::from_value(value.clone()).map_err(|e| lost(e.to_string()))?;
    if format!("{back:?}") != format!("{of:?}") {
        return Err(lost(format!("{of:?}, which comes back as {back:?}")));
    }
    with_kind(kind, value)
}

/// Puts the kind beside the options.
fn with_kind(kind: &str, options: Value) -> Result<Description> {
    let mut object = match options {
        Value::Object(object) => object,
        // A type without fields.
        Value::Null => Map::new(),
        other => return Err(Error::invalid(kind, "an object of options", other)),
    };
    if object.insert(KIND.into(), kind.into()).is_some() {
        return Err(Error::invalid(kind, "options of other names than `kind`", "one of that name"));
    }
    Ok(object.into())
}

const KIND: &str = "kind";

/// The kind that a description names. Errors where there is none.
pub fn kind_of(description: &Description) -> Result<&str> {
    let kind = description.get(KIND).and_then(Value::as_str);
    kind.ok_or_else(|| Error::invalid("description", "an object with a `kind`", description))
}

/// What a description says, but for its kind, as a type. Errors for options that the type does not have, and for values
/// that are none of the option's.
pub fn read<T: DeserializeOwned>(description: &Description) -> Result<T> {
    let kind = kind_of(description)?;
    let mut options = description.as_object().cloned().unwrap_or_default();
    options.remove(KIND);
    let none = options.is_empty();
    let wrong = |e: serde_json::Error| Error::invalid(kind, "options of its kind, by a library not newer than this", e);
    serde_json::from_value(options.into())
        // A type without fields comes from nothing.
        .or_else(|e| if none { serde_json::from_value(Value::Null).map_err(|_| e) } else { Err(e) })
        .map_err(wrong)
}

/// The error for something of a kind that does not describe itself.
pub(crate) fn undescribed(kind: &str) -> Error {
    Error::invalid("description", "a kind that describes itself (its method `describe`)", format!("`{kind}`"))
}
