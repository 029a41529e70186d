//! [`Last`]: the activation that a network's numbers come out of.

use crate::activation::Activation;
use crate::record::Record;

/// The activation that a module's numbers come out of, where it is known: a loss may take it over where that is the stable form,
/// and refuses numbers that it cannot take.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Last {
    /// Not known, as of a module that does not say.
    #[default]
    Unknown,
    /// This one.
    Known(Activation),
    /// The best path through a [`Chain`](super::Chain), of which a loss takes over the scores.
    Path,
    /// Of a record that of each part.
    Record(Record<Last>),
}

impl Last {
    /// The activation of a single value, where it is known.
    pub fn known(&self) -> Option<Activation> {
        match self {
            Last::Known(activation) => Some(*activation),
            Last::Unknown | Last::Path | Last::Record(_) => None,
        }
    }

    /// That of a part, or of the whole where there are none.
    pub fn part(&self, name: Option<&str>) -> &Last {
        match (self, name) {
            (Last::Record(parts), Some(name)) => parts.get(name).unwrap_or(&Last::Unknown),
            (whole, None) => whole,
            (_, Some(_)) => &Last::Unknown,
        }
    }

    /// This, if it is known and `keep` says so.
    pub(crate) fn filter(self, keep: impl FnOnce(Activation) -> bool) -> Last {
        self.known().filter(|&activation| keep(activation)).into()
    }
}

impl From<Activation> for Last {
    fn from(activation: Activation) -> Self {
        Last::Known(activation)
    }
}

impl From<Option<Activation>> for Last {
    fn from(activation: Option<Activation>) -> Self {
        activation.map_or(Last::Unknown, Last::Known)
    }
}
