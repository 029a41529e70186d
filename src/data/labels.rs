//! [`Labels`]: the names of classes and their numbers.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

const PLACE: &str = "labels";

/// The names of classes, numbered from 0. Serialisable as the list of names, to be saved with a model; what is read is
/// checked.
///
/// ```
/// use elman::data::Labels;
/// let labels = Labels::new(["negative", "neutral", "positive"])?;
/// assert_eq!((labels.number("neutral"), labels.name(2)), (Some(1), Some("positive")));
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Labels {
    names: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl From<Labels> for Vec<String> {
    fn from(labels: Labels) -> Self {
        labels.names
    }
}

impl TryFrom<Vec<String>> for Labels {
    type Error = Error;

    fn try_from(names: Vec<String>) -> Result<Self> {
        Labels::new(names)
    }
}

impl Labels {
    /// Classes with these names, in this order. Errors: no name; a name that comes twice.
    pub fn new<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Result<Self> {
        let mut labels = Labels::default();
        for name in names {
            let (name, before) = (name.into(), labels.len());
            labels.add(&name)?;
            if labels.len() == before {
                return Err(Error::invalid(PLACE, "every name once", format!("{name:?} a second time")));
            }
        }
        if labels.is_empty() {
            return Err(Error::invalid(PLACE, "at least one name", "none"));
        }
        Ok(labels)
    }

    /// Number of classes.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there is no class.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The number of a class; `None` for a name that is not there.
    pub fn number(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// The name of a class; `None` beyond the last.
    pub fn name(&self, number: u32) -> Option<&str> {
        self.names.get(number as usize).map(String::as_str)
    }

    /// The names in the order of their numbers.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The number of a class, which is added where it is not there. Errors: more classes than there are numbers.
    pub(super) fn add(&mut self, name: &str) -> Result<u32> {
        if let Some(number) = self.number(name) {
            return Ok(number);
        }
        let number = u32::try_from(self.len()).map_err(|_| Error::invalid(PLACE, "classes numbered by u32", "more"))?;
        self.numbers.insert(name.to_string(), number);
        self.names.push(name.to_string());
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_saved_as_a_list_and_checked_when_read() {
        let labels = Labels::new(["b", "a"]).unwrap();
        let json = serde_json::to_string(&labels).unwrap();
        assert_eq!(json, r#"["b","a"]"#);
        assert_eq!(serde_json::from_str::<Labels>(&json).unwrap(), labels);
        let error = |json: &str| serde_json::from_str::<Labels>(json).unwrap_err().to_string();
        assert!(error(r#"["a","a"]"#).contains("every name once, found \"a\" a second time"));
        assert!(error("[]").contains("at least one name, found none"));
    }
}
