//! Building a graph: edges are followed to inputs and nodes, each layer is built for what comes to it.

use super::module::{Edge, Ends, GraphModule, NodeModule, Origin};
use super::{Edges, Graph, Node, Of};
use crate::backend::Backend;
use crate::description::Description;
use crate::error::{Error, Result};
use crate::layers::{Built, Layer, Scope, Spec};
use crate::record::Record;
use std::sync::Arc;

/// The name of a single input.
const INPUT: &str = "input";

impl<B: Backend> Layer<B> for Graph<B> {
    fn kind(&self) -> &'static str {
        "graph"
    }

    fn describe(&self) -> Result<Description> {
        self.described()
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        let known = Known::new(input, self)?;
        let outer = scope.reads().map(String::from);
        let (mut specs, mut modules): (Vec<Spec>, Vec<NodeModule<B>>) = (Vec::new(), Vec::new());
        for node in &self.nodes {
            let place = || format!("graph, node `{}`", node.name);
            let edges = known.ends(&node.edges, specs.len()).map_err(|e| e.at(place()))?;
            let from = known.spec(&edges, &specs).map_err(|e| e.at(place()))?;
            // An index that goes straight from the model's input into a layer can be checked before training.
            let reads = match (&edges, input) {
                (Ends::One(Edge { from: Origin::Input(None), .. }), _) => outer.clone(),
                (Ends::One(Edge { from: Origin::Input(Some(part)), path }), Spec::Record(_)) if path.is_empty() => {
                    scope.path().is_empty().then(|| part.clone())
                }
                _ => None,
            };
            scope.reading(reads.as_deref());
            let built = match &node.layer {
                Of::Own(layer) => scope.layer(Some(&node.name), layer.as_ref(), &from)?,
                Of::Again(of) => scope.layer_again(&node.name, of, self.own(of, &node.name)?.as_ref(), &from)?,
            };
            let once = self.once.contains(&node.name).then(|| scope.slot());
            specs.push(built.output);
            modules.push(NodeModule { name: node.name.clone(), module: built.module, edges, once });
        }
        scope.reading(outer.as_deref());
        let Some(outputs) = &self.outputs else {
            return Err(Error::invalid("graph", "an output (`output` or `outputs`)", "none"));
        };
        let outputs = known.ends(outputs, specs.len()).map_err(|e| e.at("graph, output"))?;
        let output = known.spec(&outputs, &specs).map_err(|e| e.at("graph, output"))?;
        self.check_once()?;
        let module = GraphModule::new(modules, outputs);
        known.check_used(&module)?;
        Ok(Built::new(module, output))
    }
}

impl<B: Backend> Graph<B> {
    /// The layer of a node before another that uses it once more.
    fn own(&self, of: &str, by: &str) -> Result<&Arc<dyn Layer<B>>> {
        let before = self.nodes.iter().take_while(|node| node.name != by);
        let own = before.filter(|node| node.name == of).find_map(|node| match &node.layer {
            Of::Own(layer) => Some(layer),
            Of::Again(_) => None,
        });
        own.ok_or_else(|| {
            let expected = "a node before it that has a layer of its own";
            Error::invalid(format!("graph, node `{by}`, used again"), expected, format!("`{of}`"))
        })
    }

    fn check_once(&self) -> Result<()> {
        let is_node = |name: &&String| self.nodes.iter().any(|node| node.name == **name);
        match self.once.iter().find(|name| !is_node(name)) {
            None => Ok(()),
            Some(name) => Err(Error::invalid("graph, once", "the name of a node", format!("`{name}`"))),
        }
    }
}

/// The names that edges may begin with.
struct Known<'a> {
    input: &'a Spec,
    nodes: Vec<&'a str>,
}

impl<'a> Known<'a> {
    fn new<B: Backend>(input: &'a Spec, graph: &'a Graph<B>) -> Result<Self> {
        let known = Known { input, nodes: graph.nodes.iter().map(|node: &Node<B>| node.name.as_str()).collect() };
        match known.nodes.iter().find(|node| known.inputs().contains(node)) {
            None => Ok(known),
            Some(node) => Err(Error::invalid("graph", "nodes of other names than the inputs", format!("`{node}`"))),
        }
    }

    fn inputs(&self) -> Vec<&'a str> {
        match self.input {
            Spec::Record(parts) => parts.names().collect(),
            _ => vec![INPUT],
        }
    }

    /// Where edges begin, of a node that has `before` nodes before it.
    fn ends(&self, edges: &Edges, before: usize) -> Result<Ends> {
        match edges {
            Edges::One(edge) => self.end(edge, before).map(Ends::One),
            Edges::Several(edges) => {
                let end = |(name, edge): &(String, String)| Ok((name.clone(), self.end(edge, before)?));
                Record::new(edges.iter().map(end).collect::<Result<Vec<_>>>()?).map(Ends::Several)
            }
        }
    }

    fn end(&self, edge: &str, before: usize) -> Result<Edge> {
        let mut words = edge.split('.');
        let name = words.next().unwrap_or_default();
        let path = words.map(String::from).collect();
        let from = match (self.nodes[..before].iter().position(|node| *node == name), self.input) {
            (Some(number), _) => Origin::Node(number),
            (None, Spec::Record(parts)) if parts.get(name).is_some() => Origin::Input(Some(name.into())),
            (None, Spec::Record(_)) => return Err(self.unknown(edge, before)),
            (None, _) if name == INPUT => Origin::Input(None),
            (None, _) => return Err(self.unknown(edge, before)),
        };
        Ok(Edge { from, path })
    }

    fn unknown(&self, edge: &str, before: usize) -> Error {
        let names = [self.inputs(), self.nodes[..before].to_vec()].concat().join(", ");
        Error::invalid("edge", format!("the name of an input or of a node before ({names})"), format!("`{edge}`"))
    }

    /// What comes over edges.
    fn spec(&self, ends: &Ends, nodes: &[Spec]) -> Result<Spec> {
        match ends {
            Ends::One(edge) => self.spec_of(edge, nodes),
            Ends::Several(edges) => edges.as_ref().try_map(|_, edge| self.spec_of(edge, nodes)).map(Spec::Record),
        }
    }

    fn spec_of(&self, edge: &Edge, nodes: &[Spec]) -> Result<Spec> {
        let whole = match &edge.from {
            Origin::Input(None) => self.input,
            Origin::Input(Some(part)) => self.input.parts()?.part(part)?,
            Origin::Node(number) => &nodes[*number],
        };
        edge.path.iter().try_fold(whole, |spec, word| spec.parts()?.part(word)).cloned()
    }

    /// Errors for inputs and nodes that nothing uses: a slip, more often than not.
    fn check_used<B: Backend>(&self, module: &GraphModule<B>) -> Result<()> {
        let unused = |name: &str| {
            Error::invalid("graph", "inputs and nodes that are all used", format!("`{name}`, which is not"))
        };
        if let Some(number) = module.unused_nodes().next() {
            return Err(unused(self.nodes[number]));
        }
        let used = |part: &str| module.uses_input(matches!(self.input, Spec::Record(_)).then_some(part));
        self.inputs().into_iter().find(|part| !used(part)).map_or(Ok(()), |part| Err(unused(part)))
    }
}
