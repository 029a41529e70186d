//! [`Edges`]: what goes into a node of a graph.

use serde::{Deserialize, Serialize};

/// What goes into a node of a [`Graph`](super::Graph), or comes out of it: one value, by the name of an input or a node, or a record of
/// several. A part of a record is named behind a dot: `encoder.h`.
///
/// In a record a part is named as its edge is, by the last word of it; pairs give other names:
/// `[("input", "words"), ("h", "encoder.h")]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Edges {
    /// One value.
    One(String),
    /// Several values, under the names of the pairs' first.
    Several(Vec<(String, String)>),
}

impl Edges {
    /// All of them as a record.
    pub(super) fn into_record(self) -> Self {
        match self {
            Edges::One(edge) => Edges::Several(vec![(last_word(&edge).to_string(), edge)]),
            several @ Edges::Several(_) => several,
        }
    }
}

fn last_word(edge: &str) -> &str {
    edge.rsplit('.').next().unwrap_or(edge)
}

impl From<&str> for Edges {
    fn from(edge: &str) -> Self {
        Edges::One(edge.into())
    }
}

impl From<String> for Edges {
    fn from(edge: String) -> Self {
        Edges::One(edge)
    }
}

impl From<Vec<String>> for Edges {
    fn from(edges: Vec<String>) -> Self {
        Edges::Several(edges.into_iter().map(|edge| (last_word(&edge).to_string(), edge)).collect())
    }
}

impl<const N: usize> From<[&str; N]> for Edges {
    fn from(edges: [&str; N]) -> Self {
        edges.map(String::from).to_vec().into()
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Edges {
    fn from(edges: [(&str, &str); N]) -> Self {
        Edges::Several(edges.map(|(name, edge)| (name.into(), edge.into())).to_vec())
    }
}

impl From<Vec<(String, String)>> for Edges {
    fn from(edges: Vec<(String, String)>) -> Self {
        Edges::Several(edges)
    }
}
