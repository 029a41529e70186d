//! [`GraphModule`]: what a graph computes.

use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::layers::{Last, Module, Pass, Slot, Value};
use crate::record::Record;

/// Where a value comes from.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    pub(super) from: Origin,
    /// The parts of it that lead to the value, from the outermost on.
    pub(super) path: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// The input, or a part of it.
    Input(Option<String>),
    /// A node by number.
    Node(usize),
}

/// What goes into a node, or comes out of the graph.
#[derive(Clone, Debug)]
pub(super) enum Ends {
    One(Edge),
    Several(Record<Edge>),
}

impl Ends {
    fn iter(&self) -> impl Iterator<Item = &Edge> {
        let (one, several) = match self {
            Ends::One(edge) => (Some(edge), None),
            Ends::Several(edges) => (None, Some(edges)),
        };
        one.into_iter().chain(several.into_iter().flat_map(|edges| edges.iter().map(|(_, edge)| edge)))
    }

    fn nodes(&self) -> impl Iterator<Item = usize> {
        self.iter().filter_map(|edge| match edge.from {
            Origin::Node(number) => Some(number),
            Origin::Input(_) => None,
        })
    }
}

/// A node with its parameters.
#[derive(Debug)]
pub(super) struct NodeModule<B: Backend> {
    pub(super) name: String,
    pub(super) module: Box<dyn Module<B>>,
    pub(super) edges: Ends,
    /// Where its value is kept, if it is computed once a sequence.
    pub(super) once: Option<Slot>,
}

/// The nodes of a graph in the order of their computation.
#[derive(Debug)]
pub(super) struct GraphModule<B: Backend> {
    nodes: Vec<NodeModule<B>>,
    outputs: Ends,
    /// For each node the last that needs its value; the number of nodes where that is the output.
    last_use: Vec<Option<usize>>,
}

/// The value of a node: final, and where an output asks for it before its last activation too.
struct Computed<B: Backend> {
    value: Value<B>,
    linear: Option<(Value<B>, Last)>,
}

impl<B: Backend> GraphModule<B> {
    pub(super) fn new(nodes: Vec<NodeModule<B>>, outputs: Ends) -> Self {
        let mut last_use = vec![None; nodes.len()];
        for (by, edges) in nodes.iter().map(|node| &node.edges).chain([&outputs]).enumerate() {
            edges.nodes().for_each(|number| last_use[number] = Some(by));
        }
        GraphModule { nodes, outputs, last_use }
    }

    /// Nodes whose values nothing needs.
    pub(super) fn unused_nodes(&self) -> impl Iterator<Item = usize> {
        self.last_use.iter().enumerate().filter(|(_, used)| used.is_none()).map(|(number, _)| number)
    }

    /// Whether a part of the input, or the whole, is needed.
    pub(super) fn uses_input(&self, part: Option<&str>) -> bool {
        let edges = self.nodes.iter().map(|node| &node.edges).chain([&self.outputs]);
        edges.flat_map(Ends::iter).any(|edge| matches!(&edge.from, Origin::Input(of) if of.as_deref() == part))
    }

    /// The nodes that are to be computed: all, but those that are needed only by what was kept.
    fn needed(&self, pass: &Pass<'_, B>) -> Vec<bool> {
        let mut needed = vec![false; self.nodes.len()];
        self.outputs.nodes().for_each(|number| needed[number] = true);
        for (number, node) in self.nodes.iter().enumerate().rev() {
            if needed[number] && !node.once.is_some_and(|slot| pass.is_kept(slot)) {
                node.edges.nodes().for_each(|from| needed[from] = true);
            }
        }
        needed
    }

    fn run(&self, input: &Value<B>, linear: bool, pass: &mut Pass<'_, B>) -> Result<Vec<Option<Computed<B>>>> {
        let needed = self.needed(pass);
        let mut values: Vec<Option<Computed<B>>> = Vec::with_capacity(self.nodes.len());
        for (number, node) in self.nodes.iter().enumerate() {
            if !needed[number] {
                values.push(None);
                continue;
            }
            let is_output = linear && self.last_use[number] == Some(self.nodes.len());
            let computed = match node.once {
                Some(slot) => {
                    let given = || self.given(&node.edges, input, &values);
                    let value = pass.once(slot, |pass| node.module.forward(given()?, pass))?;
                    Computed { value, linear: None }
                }
                None if is_output => {
                    let (z, last) = node.module.forward_linear(self.given(&node.edges, input, &values)?, pass)?;
                    // Other nodes may need the value itself.
                    let inner = self.nodes.iter().any(|other| other.edges.nodes().any(|from| from == number));
                    let value = if inner { activated(z.clone(), &last, pass)? } else { z.clone() };
                    Computed { value, linear: Some((z, last)) }
                }
                None => {
                    let value = node.module.forward(self.given(&node.edges, input, &values)?, pass)?;
                    Computed { value, linear: None }
                }
            };
            values.push(Some(computed));
            // What nobody needs any more gives its memory back.
            node.edges.nodes().filter(|&from| self.last_use[from] == Some(number)).for_each(|from| values[from] = None);
        }
        Ok(values)
    }

    /// What goes into a node.
    fn given(&self, edges: &Ends, input: &Value<B>, values: &[Option<Computed<B>>]) -> Result<Value<B>> {
        let one = |edge: &Edge| {
            follow(edge, input, |number| {
                values[number].as_ref().map(|computed| &computed.value).ok_or_else(|| self.not_there(number))
            })
        };
        match edges {
            Ends::One(edge) => one(edge),
            Ends::Several(edges) => edges.as_ref().try_map(|_, edge| one(edge)).map(Value::Record),
        }
    }

    fn not_there(&self, number: usize) -> Error {
        Error::invalid(
            "graph",
            "nodes in the order of their computation",
            format!("`{}` before it", self.nodes[number].name),
        )
    }

    /// What comes over an edge into the output, before the last activation, and what is known of that.
    fn linear(&self, edge: &Edge, input: &Value<B>, values: &[Option<Computed<B>>]) -> Result<(Value<B>, Last)> {
        let Origin::Node(number) = edge.from else {
            return Ok((follow(edge, input, |n| Err(self.not_there(n)))?, Last::Unknown));
        };
        let computed = values[number].as_ref().ok_or_else(|| self.not_there(number))?;
        let (value, last) = match &computed.linear {
            Some((z, last)) => (z, last.clone()),
            None => (&computed.value, Last::Unknown),
        };
        let value = follow(edge, input, |_| Ok(value))?;
        Ok((value, edge.path.iter().fold(last, |last, word| last.part(Some(word)).clone())))
    }
}

/// The value at the end of an edge.
fn follow<'a, B: Backend>(
    edge: &Edge,
    input: &'a Value<B>,
    node: impl FnOnce(usize) -> Result<&'a Value<B>>,
) -> Result<Value<B>> {
    let part = |value: &'a Value<B>, name: &str| match value {
        Value::Record(parts) => parts.part(name),
        _ => Err(Error::invalid("edge", format!("a record with a part `{name}`"), "a single value")),
    };
    let whole = match &edge.from {
        Origin::Input(None) => input,
        Origin::Input(Some(name)) => part(input, name)?,
        Origin::Node(number) => node(*number)?,
    };
    edge.path.iter().try_fold(whole, |value, word| part(value, word)).cloned()
}

/// The value behind the activations that were left out.
fn activated<B: Backend>(z: Value<B>, last: &Last, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
    match (z, last) {
        (z, Last::Unknown) => Ok(z),
        (z, Last::Path) => z.decoded(),
        (Value::Record(parts), Last::Record(_)) => {
            parts.try_map(|name, part| activated(part, last.part(Some(name)), pass)).map(Value::Record)
        }
        (z, Last::Known(activation)) => z.map_clean(pass, |z, _| z.activate(*activation)),
        (z, Last::Record(_)) => Ok(z),
    }
}

impl<B: Backend> Module<B> for GraphModule<B> {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let values = self.run(&input, false, pass)?;
        self.given(&self.outputs, &input, &values)
    }

    fn forward_linear(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<(Value<B>, Last)> {
        let values = self.run(&input, true, pass)?;
        match &self.outputs {
            Ends::One(edge) => self.linear(edge, &input, &values),
            Ends::Several(edges) => {
                let both = edges.as_ref().try_map(|_, edge| self.linear(edge, &input, &values))?;
                let lasts = both.as_ref().map(|_, (_, last)| last.clone());
                Ok((Value::Record(both.map(|_, (value, _)| value)), Last::Record(lasts)))
            }
        }
    }

    fn last_activation(&self, input: Last) -> Last {
        let mut lasts: Vec<Last> = Vec::with_capacity(self.nodes.len());
        let of = |edges: &Ends, lasts: &[Last]| {
            let one = |edge: &Edge| {
                let whole = match &edge.from {
                    Origin::Input(part) => input.part(part.as_deref()),
                    Origin::Node(number) => &lasts[*number],
                };
                edge.path.iter().fold(whole, |last, word| last.part(Some(word))).clone()
            };
            match edges {
                Ends::One(edge) => one(edge),
                Ends::Several(edges) => Last::Record(edges.as_ref().map(|_, edge| one(edge))),
            }
        };
        for node in &self.nodes {
            let last = node.module.last_activation(of(&node.edges, &lasts));
            lasts.push(last);
        }
        of(&self.outputs, &lasts)
    }

    fn check_class(&self, output: Option<&str>, class: u32, step: usize, steps: usize) -> Result<(), String> {
        let edge = match (&self.outputs, output) {
            (Ends::One(edge), None) => Some(edge),
            (Ends::Several(edges), Some(output)) => edges.get(output),
            _ => None,
        };
        match edge {
            Some(Edge { from: Origin::Node(number), path }) if path.len() < 2 => {
                self.nodes[*number].module.check_class(path.first().map(String::as_str), class, step, steps)
            }
            _ => Ok(()),
        }
    }
}
