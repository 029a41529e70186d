//! [`Graph`]: a network whose layers have several inputs and outputs.

mod build;
mod edges;
mod module;

pub use edges::Edges;

use super::Layer;
use crate::backend::Backend;
use crate::description::Description;
use crate::error::Result;
use serde_json::json;
use std::sync::Arc;

/// Layers that take what the inputs and the layers before them give: Keras' functional API. It is a layer itself, so it can stand within
/// another, and a layer within it may be another graph.
///
/// Each node is a layer under a name, with the [edges](Edges) into it: the name of an input or of a node before it, or a part of such
/// (`encoder.h`). A node with several edges gets a record of them. The inputs are the parts of the record that goes into the graph,
/// by name; a single one is `input`. Nodes are built, and draw at random, in the order in which they are added.
///
/// Two inputs, and an output that helps another along:
///
/// ```
/// use elman::layers::{Concatenate, Dense, Embedding, Graph, Lstm};
/// use elman::loss::{BinaryCrossEntropy, SparseCategoricalCrossEntropy};
/// use elman::metrics::Accuracy;
/// use elman::model::Objective;
/// use elman::optim::Adam;
/// use elman::{Activation, Spec};
/// use elman_reference::Reference;
///
/// let network = Graph::new()
///     .node("words", Embedding::new(1000, 16).padding(0), "text")
///     .node("read", Lstm::new(8), "words")
///     .node("urgent", Dense::new(1).activation(Activation::Sigmoid), "read")
///     .node("both", Concatenate::new(), ["read", "tags"])
///     .node("department", Dense::new(4).activation(Activation::Softmax), "both")
///     .outputs(["department", "urgent"]);
/// let input = Spec::record([("text", Spec::Indices(None)), ("tags", Spec::dense(&[12]))])?;
/// let mut model = network.build(&Reference::<f32>::new(), input, 0)?;
/// model.compile_outputs(
///     Adam::new(1e-3),
///     [
///         Objective::new("department", SparseCategoricalCrossEntropy::new()).metric(Accuracy::new()),
///         Objective::new("urgent", BinaryCrossEntropy::new()).weight(0.2),
///     ],
/// );
/// assert_eq!(model.output().to_string(), "{department: [batch, 4], urgent: [batch, 1]}");
/// # Ok::<(), elman::Error>(())
/// ```
#[doc(alias = "functional")]
#[derive(Clone, Debug)]
#[must_use]
pub struct Graph<B: Backend> {
    nodes: Vec<Node<B>>,
    /// What comes out: one value, or a record.
    outputs: Option<Edges>,
    /// Nodes that are computed once a sequence.
    once: Vec<String>,
}

/// A layer in a graph.
#[derive(Clone, Debug)]
struct Node<B: Backend> {
    name: String,
    layer: Of<B>,
    edges: Edges,
}

/// The layer of a node: one of its own, or that of another node once more.
#[derive(Clone, Debug)]
enum Of<B: Backend> {
    Own(Arc<dyn Layer<B>>),
    Again(String),
}

impl<B: Backend> Default for Graph<B> {
    fn default() -> Self {
        Self::new()
    }
}

impl<B: Backend> Graph<B> {
    /// No nodes yet.
    pub fn new() -> Self {
        Graph { nodes: Vec::new(), outputs: None, once: Vec::new() }
    }

    /// Adds a layer under a name, fed by inputs and nodes before it.
    pub fn node(mut self, name: impl Into<String>, layer: impl Layer<B> + 'static, edges: impl Into<Edges>) -> Self {
        self.nodes.push(Node { name: name.into(), layer: Of::Own(Arc::new(layer)), edges: edges.into() });
        self
    }

    /// Adds the layer of the node `of` once more under a name of its own, with the same parameters, fed by something else: Keras' shared
    /// layer. State that it carries is its own.
    pub fn again(mut self, name: impl Into<String>, of: impl Into<String>, edges: impl Into<Edges>) -> Self {
        self.nodes.push(Node { name: name.into(), layer: Of::Again(of.into()), edges: edges.into() });
        self
    }

    /// Says that nodes are computed once a sequence where a [decoder](crate::layers::Carry::stepping) goes step by step: those that read
    /// the source. They see whole sequences and may look at all of them ([`Pass::once`](crate::layers::Pass::once)).
    pub fn once<N: Into<String>>(mut self, nodes: impl IntoIterator<Item = N>) -> Self {
        self.once.extend(nodes.into_iter().map(Into::into));
        self
    }

    /// What comes out: the value of a node, or a part of it.
    pub fn output(self, edge: impl Into<String>) -> Self {
        Graph { outputs: Some(Edges::One(edge.into())), ..self }
    }

    /// What comes out, a record: values by the names of their nodes (`["tags", "topic"]`), or by others
    /// (`[("tags", "dense_1"), ("h", "encoder.h")]`).
    pub fn outputs(self, edges: impl Into<Edges>) -> Self {
        Graph { outputs: Some(edges.into().into_record()), ..self }
    }

    pub(super) fn described(&self) -> Result<Description> {
        let node = |node: &Node<B>| {
            Ok(match &node.layer {
                Of::Own(layer) => {
                    let layer = layer.describe().map_err(|e| e.in_layer(&node.name))?;
                    json!({ "name": node.name, "layer": layer, "from": node.edges })
                }
                Of::Again(of) => json!({ "name": node.name, "again": of, "from": node.edges }),
            })
        };
        let nodes = self.nodes.iter().map(node).collect::<Result<Vec<_>>>()?;
        let mut description = json!({ "kind": "graph", "nodes": nodes, "outputs": self.outputs });
        if let (Some(object), false) = (description.as_object_mut(), self.once.is_empty()) {
            object.insert("once".into(), json!(self.once));
        }
        Ok(description)
    }
}
