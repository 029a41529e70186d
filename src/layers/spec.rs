//! [`Spec`]: of what kind and shape it is that flows between layers.

use super::Value;
use crate::backend::Backend;
use crate::data::Inputs;
use crate::error::{Error, Result};
use crate::record::Record;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Kind and shape of what a layer takes or gives, without the batch axis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Spec {
    /// Numbers `[batch, sizes..]`; `None` is a size that differs from batch to batch, such as time.
    Dense(Vec<Option<usize>>),
    /// Indices `[batch, steps]`, such as the words of a text; `None` steps differ from batch to batch.
    Indices(Option<usize>),
    /// Sparse bags of words `[batch, width]`.
    Bags(usize),
    /// Several of them under names, of one batch: the inputs or outputs of a network that has more than one.
    Record(Record<Spec>),
}

/// The parts of [`Spec::distinct`].
pub(super) const PLACES: &str = "places";
pub(super) const ENTRIES: &str = "entries";

impl Spec {
    /// Numbers of this shape a sample.
    pub fn dense(sizes: &[usize]) -> Self {
        Spec::Dense(sizes.iter().copied().map(Some).collect())
    }

    /// This many indices a sample.
    pub fn indices(steps: usize) -> Self {
        Spec::Indices(Some(steps))
    }

    /// Sparse bags of words over a vocabulary of `width`.
    pub fn bags(width: usize) -> Self {
        Spec::Bags(width)
    }

    /// Several inputs or outputs under names. Errors: as those of [`Record::new`].
    ///
    /// ```
    /// use elman::Spec;
    /// let input = Spec::record([("source", Spec::Indices(None)), ("target", Spec::Indices(None))])?;
    /// assert_eq!(input.to_string(), "{source: indices [batch, any], target: indices [batch, any]}");
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn record<N: Into<String>>(parts: impl IntoIterator<Item = (N, Spec)>) -> Result<Self> {
        Record::new(parts).map(Spec::Record)
    }

    /// What [`Inputs::distinct`](crate::data::Inputs::distinct) is: a record of `places`, sequences of numbers of entries, and of
    /// `entries`, the indices of each. The batch is that of the places.
    pub fn distinct() -> Self {
        let parts = [PLACES, ENTRIES].map(|part| (part.to_string(), Spec::Indices(None)));
        // Names of parts that are none are none.
        Record::try_from(Vec::from(parts)).map_or(Spec::Indices(None), Spec::Record)
    }

    /// The parts. Errors for what is no record.
    pub fn parts(&self) -> Result<&Record<Spec>> {
        match self {
            Spec::Record(parts) => Ok(parts),
            other => Err(Error::invalid("input", "a record of named parts", other)),
        }
    }

    /// A part by name, or the whole where none is named; `None` where there is no such part.
    pub(crate) fn part(&self, name: Option<&str>) -> Option<&Spec> {
        match (self, name) {
            (Spec::Record(parts), Some(name)) => parts.get(name),
            (whole, None) => Some(whole),
            (_, Some(_)) => None,
        }
    }

    /// The size of the last axis. Errors for indices, for a single number a sample and where it is not known.
    pub fn features(&self) -> Result<usize> {
        match self {
            Spec::Dense(sizes) => sizes.last().copied().flatten(),
            Spec::Indices(_) => None,
            Spec::Bags(width) => Some(*width),
            Spec::Record(_) => None,
        }
        .filter(|&n| n > 0)
        .ok_or_else(|| Error::invalid("input", "numbers with a last axis of known size above 0", self))
    }

    /// All sizes of a sample, where they are known. Errors for indices and for unknown sizes.
    pub fn sizes(&self) -> Result<Vec<usize>> {
        let known = match self {
            Spec::Dense(sizes) => sizes.iter().copied().collect(),
            Spec::Indices(_) | Spec::Record(_) => None,
            Spec::Bags(width) => Some(vec![*width]),
        };
        known.ok_or_else(|| Error::invalid("input", "numbers of known sizes", self))
    }

    /// Time, where it is known, and features of sequences `[batch, time, features]`. Errors for anything else, and where the
    /// number of features is not known.
    pub fn sequence(&self) -> Result<(Option<usize>, usize)> {
        match self {
            Spec::Dense(sizes) => match sizes[..] {
                [time, Some(features)] if time != Some(0) && features > 0 => Some((time, features)),
                _ => None,
            },
            _ => None,
        }
        .ok_or_else(|| {
            let expected = "sequences [batch, time, features] of at least one step and a known number of features";
            Error::invalid("input", expected, self)
        })
    }

    /// The spec as numbers, which bags can be read as. Errors for indices.
    pub fn numbers(&self) -> Result<Spec> {
        match self {
            Spec::Dense(_) => Ok(self.clone()),
            Spec::Bags(width) => Ok(Spec::dense(&[*width])),
            Spec::Indices(_) | Spec::Record(_) => Err(Error::invalid("input", "numbers", self)),
        }
    }

    /// The same kind with another last axis: what a layer gives that works on features.
    #[must_use]
    pub fn with_features(&self, features: usize) -> Spec {
        match self {
            Spec::Dense(sizes) if !sizes.is_empty() => {
                let mut sizes = sizes.clone();
                sizes.truncate(sizes.len() - 1);
                sizes.push(Some(features));
                Spec::Dense(sizes)
            }
            _ => Spec::dense(&[features]),
        }
    }

    /// Checks that data on the host is of this kind and shape.
    pub fn check_inputs(&self, place: &str, inputs: &Inputs) -> Result<()> {
        let found = match inputs {
            Inputs::Dense { shape, .. } => Spec::dense(shape),
            Inputs::Indices { steps, .. } => Spec::indices(*steps),
            Inputs::RaggedIndices(_) => Spec::Indices(None),
            Inputs::RaggedDense(rows) => Spec::Dense(vec![None, Some(rows.width())]),
            Inputs::Distinct { .. } => Spec::distinct(),
            Inputs::Bags(bags) => Spec::bags(bags.width()),
            Inputs::Masked { inputs, .. } => return self.check_inputs(place, inputs),
            Inputs::Record(parts) => {
                let check = |spec: &Spec, place: &str, part: &Inputs| spec.check_inputs(place, part);
                return self.check_parts(place, parts, true, check);
            }
        };
        self.check(place, &found)
    }

    /// Checks each part by its name. Errors for parts that there are not; where the record is to be `whole` for those that lack.
    fn check_parts<T>(
        &self,
        place: &str,
        parts: &Record<T>,
        whole: bool,
        check: impl Fn(&Spec, &str, &T) -> Result<()>,
    ) -> Result<()> {
        let Spec::Record(wanted) = self else {
            let names: Vec<&str> = parts.names().collect();
            return Err(Error::invalid(place, self, format!("a record of the parts {}", names.join(", "))));
        };
        let lacks = wanted.names().find(|name| parts.get(name).is_none());
        if let Some(name) = lacks.filter(|_| whole) {
            return Err(Error::invalid(place, format!("a part `{name}` of {self}"), "none"));
        }
        for (name, part) in parts.iter() {
            let place = format!("{place}, part `{name}`");
            match wanted.get(name) {
                Some(spec) => check(spec, &place, part)?,
                None => return Err(Error::invalid(place, format!("a part of {self}"), "another")),
            }
        }
        Ok(())
    }

    /// Checks that a value is of this kind and shape.
    pub fn check_value<B: Backend>(&self, place: &str, value: &Value<B>, backend: &B) -> Result<()> {
        self.check_value_of(place, value, backend, true)
    }

    /// The same; where it is not to be `whole`, parts of a record may lack.
    pub(crate) fn check_value_of<B: Backend>(
        &self,
        place: &str,
        value: &Value<B>,
        backend: &B,
        whole: bool,
    ) -> Result<()> {
        let found = match value {
            Value::Tensor(tensor) if tensor.shape().rank() > 0 => Spec::dense(&tensor.shape()[1..]),
            Value::Tensor(_) => return Err(Error::invalid(place, self, "a single number without a batch axis")),
            Value::Indices(indices) => match backend.indices_shape(indices)[..] {
                [_, steps] => Spec::indices(steps),
                ref other => return Err(Error::invalid(place, self, format!("indices of shape {other:?}"))),
            },
            Value::Bags(bags) => Spec::bags(bags.width()),
            Value::Chain(_) => return Err(Error::invalid(place, self, "the scores of paths")),
            Value::Record(parts) => {
                let check =
                    |spec: &Spec, place: &str, part: &Value<B>| spec.check_value_of(place, part, backend, whole);
                return self.check_parts(place, parts, whole, check);
            }
            Value::Masked(value, mask) => {
                let shape = match &**value {
                    Value::Tensor(tensor) => tensor.shape(),
                    Value::Indices(indices) => backend.indices_shape(indices),
                    _ => return Err(Error::invalid(place, self, "a mask on what is no sequence")),
                };
                mask.check(backend, shape).map_err(|e| e.at(place))?;
                return self.check_value_of(place, value, backend, whole);
            }
        };
        self.check(place, &found)
    }

    /// Whether what is found is of this kind and shape.
    pub(crate) fn takes(&self, found: &Spec) -> bool {
        match (self, found) {
            (Spec::Dense(want), Spec::Dense(have)) => {
                want.len() == have.len() && want.iter().zip(have).all(|(w, h)| w.is_none() || w == h)
            }
            (Spec::Indices(want), Spec::Indices(have)) => want.is_none() || want == have,
            (Spec::Bags(want), Spec::Bags(have)) => want == have,
            (Spec::Record(want), Spec::Record(have)) => {
                let part = |(name, want): (&str, &Spec)| have.get(name).is_some_and(|have| want.takes(have));
                want.len() == have.len() && want.iter().all(part)
            }
            _ => false,
        }
    }

    fn check(&self, place: &str, found: &Spec) -> Result<()> {
        if self.takes(found) { Ok(()) } else { Err(Error::invalid(place, self, found)) }
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = |size: &Option<usize>| size.map_or("any".to_string(), |n| n.to_string());
        match self {
            Spec::Dense(sizes) => {
                f.write_str("[batch")?;
                sizes.iter().try_for_each(|s| write!(f, ", {}", size(s)))?;
                f.write_str("]")
            }
            Spec::Indices(steps) => write!(f, "indices [batch, {}]", size(steps)),
            Spec::Bags(width) => write!(f, "bags [batch, {width}]"),
            Spec::Record(parts) => {
                let parts: Vec<String> = parts.iter().map(|(name, part)| format!("{name}: {part}")).collect();
                write!(f, "{{{}}}", parts.join(", "))
            }
        }
    }
}
