//! [`Record`]: named parts in order, what networks of several inputs or outputs take and give.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Parts under names that differ, in an order: several inputs, outputs or targets of a network. Whoever takes them asks for them
/// by name; the order is that of summaries and reports.
///
/// ```
/// use elman::Record;
/// let record = Record::new([("source", 3), ("target", 4)])?;
/// assert_eq!(record.get("target"), Some(&4));
/// let [target, source] = record.parts(["target", "source"])?;
/// assert_eq!((target, source), (4, 3));
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(String, T)>")]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub struct Record<T>(Vec<(String, T)>);

impl<T> TryFrom<Vec<(String, T)>> for Record<T> {
    type Error = Error;

    fn try_from(parts: Vec<(String, T)>) -> Result<Self> {
        Record::new(parts)
    }
}

impl<T> Record<T> {
    /// Parts with their names. Errors: no part; a name that is empty, holds a dot (which parts the names of a path) or comes twice.
    pub fn new<N: Into<String>>(parts: impl IntoIterator<Item = (N, T)>) -> Result<Self> {
        let parts: Vec<(String, T)> = parts.into_iter().map(|(name, part)| (name.into(), part)).collect();
        if parts.is_empty() {
            return Err(Error::invalid("record", "at least one part", "none"));
        }
        for (number, (name, _)) in parts.iter().enumerate() {
            if name.is_empty() || name.contains('.') {
                let expected = "names of parts that are not empty and hold no dot";
                return Err(Error::invalid("record", expected, format!("`{name}`")));
            }
            if parts[..number].iter().any(|(before, _)| before == name) {
                return Err(Error::invalid("record", "names of parts that differ", format!("`{name}` twice")));
            }
        }
        Ok(Record(parts))
    }

    /// Number of parts.
    // There is no record of none.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// A part by name.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.0.iter().find(|(of, _)| of == name).map(|(_, part)| part)
    }

    /// A part by name. Errors, with the names that there are, when there is none.
    pub fn part(&self, name: &str) -> Result<&T> {
        self.get(name).ok_or_else(|| self.no_part(name))
    }

    /// All names with their parts, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &T)> + Clone {
        self.0.iter().map(|(name, part)| (name.as_str(), part))
    }

    /// All names, in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.iter().map(|(name, _)| name)
    }

    /// The parts of these names. Errors unless they are all that there are, in whatever order.
    pub fn parts<const N: usize>(self, names: [&str; N]) -> Result<[T; N]> {
        if let Some(missing) = names.iter().find(|&&name| self.get(name).is_none()) {
            return Err(self.no_part(missing));
        }
        let mut parts: Vec<Option<T>> = names.iter().map(|_| None).collect();
        for (name, part) in self.0 {
            match names.iter().position(|&of| of == name) {
                Some(place) => parts[place] = Some(part),
                None => {
                    let expected = format!("the parts {} and no others", names.join(", "));
                    return Err(Error::invalid("record", expected, format!("`{name}` too")));
                }
            }
        }
        let parts: Vec<T> = parts.into_iter().flatten().collect();
        parts.try_into().map_err(|_| Error::invalid("record", "names of parts that differ", names.join(", ")))
    }

    /// What `f` makes of each part, under the same names. Errors of a part name it.
    pub fn try_map<U>(self, mut f: impl FnMut(&str, T) -> Result<U>) -> Result<Record<U>> {
        let each = self.0.into_iter().map(|(name, part)| match f(&name, part) {
            Ok(part) => Ok((name, part)),
            Err(error) => Err(error.at(format!("part `{name}`"))),
        });
        each.collect::<Result<_>>().map(Record)
    }

    /// What `f` makes of each part, under the same names.
    pub fn map<U>(self, mut f: impl FnMut(&str, T) -> U) -> Record<U> {
        let each = self.0.into_iter().map(|(name, part)| {
            let part = f(&name, part);
            (name, part)
        });
        Record(each.collect())
    }

    /// The next of the items of each part; an error where a part has none left.
    pub(crate) fn next_of_each<U>(&mut self) -> Result<Record<U>>
    where
        T: Iterator<Item = U>,
    {
        let next = |(name, part): &mut (String, T)| match part.next() {
            Some(item) => Ok((name.clone(), item)),
            None => Err(Error::invalid("record", "parts of as many items each", format!("fewer in `{name}`"))),
        };
        self.0.iter_mut().map(next).collect::<Result<_>>().map(Record)
    }

    /// The parts by reference.
    pub fn as_ref(&self) -> Record<&T> {
        Record(self.0.iter().map(|(name, part)| (name.clone(), part)).collect())
    }

    /// The error for a part that there is not.
    fn no_part(&self, name: &str) -> Error {
        let names: Vec<&str> = self.names().collect();
        Error::invalid("record", format!("a part `{name}`"), format!("parts {}", names.join(", ")))
    }
}

impl<T> IntoIterator for Record<T> {
    type Item = (String, T);
    type IntoIter = std::vec::IntoIter<(String, T)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_found_by_name_and_all_of_them_are_taken() {
        let record = || Record::new([("a", 1), ("b", 2)]).unwrap();
        assert_eq!(record().parts(["b", "a"]).unwrap(), [2, 1]);
        let message = |names: &[&str]| match *names {
            [one] => record().parts([one]).unwrap_err().to_string(),
            [one, two] => record().parts([one, two]).unwrap_err().to_string(),
            _ => unreachable!(),
        };
        assert_eq!(message(&["a"]), "record: expected the parts a and no others, found `b` too");
        assert_eq!(message(&["a", "c"]), "record: expected a part `c`, found parts a, b");
        assert!(record().parts(["a", "b", "a"]).is_err());
        assert_eq!(record().map(|_, x| x + 1), Record::new([("a", 2), ("b", 3)]).unwrap());
    }

    #[test]
    fn names_are_names() {
        let message = |names: &[&str]| Record::new(names.iter().map(|&name| (name, ()))).unwrap_err().to_string();
        assert_eq!(message(&[]), "record: expected at least one part, found none");
        assert!(message(&["a", ""]).ends_with("found ``") && message(&["a.b"]).ends_with("found `a.b`"));
        assert!(message(&["a", "b", "a"]).ends_with("found `a` twice"));
        assert!(serde_json::from_str::<Record<u8>>(r#"[["a", 1], ["a", 2]]"#).is_err());
        let record = Record::new([("z", 1), ("a", 2)]).unwrap();
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record<i32>>(&json).unwrap(), record, "in its order");
    }
}
