//! The library's layers by kind. Those that hold others read them by their descriptions.

use super::Registry;
use crate::activation::Activation;
use crate::backend::Backend;
use crate::description::{Description, kind_of, read};
use crate::error::{Error, Result};
use crate::layers::*;
use serde::Deserialize;
use std::sync::Arc;

pub(super) fn add<B: Backend>(registry: Registry<B>) -> Registry<B> {
    registry
        .with_layer_from("activation", |_, description| Ok(Arc::new(read::<OfActivation>(description)?.activation)))
        .with_layer::<Add>("add")
        .with_layer::<AdditiveAttention>("additive_attention")
        .with_layer_from("attention_decoder", |_, description| attention_decoder(description))
        .with_layer::<Average>("average")
        .with_layer::<BatchNorm>("batch_norm")
        .with_layer::<Biaffine>("biaffine")
        .with_layer_from("bidirectional", |_, description| bidirectional(description))
        .with_layer::<Concatenate>("concatenate")
        .with_layer::<Crf>("crf")
        .with_layer::<CrossAttention>("cross_attention")
        .with_layer::<Dense>("dense")
        .with_layer_from("distinct", distinct)
        .with_layer::<Dropout>("dropout")
        .with_layer::<Elman>("elman")
        .with_layer::<Embedding>("embedding")
        .with_layer::<Flatten>("flatten")
        .with_layer::<GlobalAveragePooling>("global_average_pooling")
        .with_layer::<GlobalMaxPooling>("global_max_pooling")
        .with_layer::<Glu>("glu")
        .with_layer_from("graph", graph)
        .with_layer::<Gru>("gru")
        .with_layer::<LastStep>("last_step")
        .with_layer::<LayerNorm>("layer_norm")
        .with_layer::<Lstm>("lstm")
        .with_layer::<Masking>("masking")
        .with_layer::<Maximum>("maximum")
        .with_layer::<MultiHeadAttention>("multi_head_attention")
        .with_layer::<Multiply>("multiply")
        .with_layer::<PRelu>("prelu")
        .with_layer::<Reshape>("reshape")
        .with_layer::<RmsNorm>("rms_norm")
        .with_layer_from("scheduled_sampling", scheduled_sampling)
        .with_layer_from("sequential", sequential)
        .with_layer::<SpatialDropout>("spatial_dropout")
        .with_layer::<Subtract>("subtract")
        .with_layer_from("time_distributed", time_distributed)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfActivation {
    activation: Activation,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfBidirectional {
    layer: Description,
    #[serde(default)]
    merge: Merge,
}

fn bidirectional<B: Backend>(description: &Description) -> Result<Arc<dyn Layer<B>>> {
    let OfBidirectional { layer, merge } = read(description)?;
    let kind = kind_of(&layer)?;
    let both: Result<Arc<dyn Layer<B>>> = match kind {
        "elman" => read(&layer).map(|layer: Elman| Arc::new(Bidirectional::new(layer).merge(merge)) as _),
        "gru" => read(&layer).map(|layer: Gru| Arc::new(Bidirectional::new(layer).merge(merge)) as _),
        "lstm" => read(&layer).map(|layer: Lstm| Arc::new(Bidirectional::new(layer).merge(merge)) as _),
        other => Err(Error::invalid("bidirectional", "elman, gru or lstm", format!("`{other}`"))),
    };
    both.map_err(|e| e.in_layer("bidirectional"))
}

/// A layer that has another and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfAttentionDecoder {
    layer: Description,
    attention: Description,
    #[serde(default)]
    attention_first: bool,
}

fn attention_decoder<B: Backend>(description: &Description) -> Result<Arc<dyn Layer<B>>> {
    fn of<B: Backend, C: rnn::CellKind>(
        layer: &Description,
        attention: CrossAttention,
        first: bool,
    ) -> Result<Arc<dyn Layer<B>>> {
        let decoder = AttentionDecoder::new(read::<rnn::Rnn<C>>(layer)?, attention);
        Ok(Arc::new(if first { decoder.attention_first() } else { decoder }))
    }
    let OfAttentionDecoder { layer, attention, attention_first: first } = read(description)?;
    let read = || match (kind_of(&layer)?, kind_of(&attention)?) {
        (_, other) if other != "cross_attention" => {
            Err(Error::invalid("attention", "cross_attention", format!("`{other}`")))
        }
        ("elman", _) => of::<B, rnn::ElmanCell>(&layer, read(&attention)?, first),
        ("gru", _) => of::<B, rnn::GruCell>(&layer, read(&attention)?, first),
        ("lstm", _) => of::<B, rnn::LstmCell>(&layer, read(&attention)?, first),
        (other, _) => Err(Error::invalid("layer", "elman, gru or lstm", format!("`{other}`"))),
    };
    read().map_err(|e| e.in_layer("attention_decoder"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfOne {
    layer: Description,
}

fn time_distributed<B: Backend>(registry: &Registry<B>, description: &Description) -> Result<Arc<dyn Layer<B>>> {
    let OfOne { layer } = read(description)?;
    let layer = registry.read_layer(&layer).map_err(|e| e.in_layer("time_distributed"))?;
    Ok(Arc::new(TimeDistributed::new(layer)))
}

fn distinct<B: Backend>(registry: &Registry<B>, description: &Description) -> Result<Arc<dyn Layer<B>>> {
    let OfOne { layer } = read(description)?;
    let layer = registry.read_layer(&layer).map_err(|e| e.in_layer("distinct"))?;
    Ok(Arc::new(Distinct::new(layer)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfScheduledSampling {
    layer: Description,
    part: String,
    rate: f64,
}

fn scheduled_sampling<B: Backend>(registry: &Registry<B>, description: &Description) -> Result<Arc<dyn Layer<B>>> {
    let OfScheduledSampling { layer, part, rate } = read(description)?;
    let layer = registry.read_layer(&layer).map_err(|e| e.in_layer("scheduled_sampling"))?;
    Ok(Arc::new(ScheduledSampling::new(layer, part, rate)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfSequential {
    layers: Vec<Listed>,
}

/// A layer, which has a kind, or one with a name.
#[derive(Deserialize)]
#[serde(untagged)]
enum Listed {
    Named(Named),
    Layer(Description),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
    layer: Description,
}

fn sequential<B: Backend>(registry: &Registry<B>, description: &Description) -> Result<Arc<dyn Layer<B>>> {
    let mut network = Sequential::new();
    for (number, entry) in read::<OfSequential>(description)?.layers.into_iter().enumerate() {
        network = match entry {
            Listed::Named(Named { name, layer }) => {
                let layer = registry.read_layer(&layer).map_err(|e| e.in_layer(&name))?;
                network.add_named(name, layer)
            }
            Listed::Layer(layer) => {
                network.add(registry.read_layer(&layer).map_err(|e| e.at(format!("sequential, number {number}")))?)
            }
        };
    }
    Ok(Arc::new(network))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfGraph {
    nodes: Vec<OfNode>,
    outputs: Option<Edges>,
    #[serde(default)]
    once: Vec<String>,
}

/// A node: a layer of its own, or that of another once more.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfNode {
    name: String,
    #[serde(default)]
    layer: Option<Description>,
    #[serde(default)]
    again: Option<String>,
    from: Edges,
}

fn graph<B: Backend>(registry: &Registry<B>, description: &Description) -> Result<Arc<dyn Layer<B>>> {
    let OfGraph { nodes, outputs, once } = read(description)?;
    let mut graph = Graph::new().once(once);
    for OfNode { name, layer, again, from } in nodes {
        graph = match (layer, again) {
            (Some(layer), None) => {
                let layer = registry.read_layer(&layer).map_err(|e| e.in_layer(&name))?;
                graph.node(name, layer, from)
            }
            (None, Some(of)) => graph.again(name, of, from),
            _ => {
                return Err(Error::invalid(
                    format!("graph, node `{name}`"),
                    "either a layer or `again`",
                    "both or none",
                ));
            }
        };
    }
    Ok(Arc::new(match outputs {
        Some(Edges::One(edge)) => graph.output(edge),
        Some(several) => graph.outputs(several),
        None => graph,
    }))
}
