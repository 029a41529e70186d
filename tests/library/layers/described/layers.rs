//! Layers, activations, initialisers and what else a layer is told.

use super::source::{implementors, merging, type_name, variants, written};
use super::{assert_each_option_varies, through_json};
use crate::common::near::{numbers, scattered, tensor};
use crate::layers::ACTIVATIONS;
use elman::init::{Fan, Law};
use elman::layers::*;
use elman::{Activation, Backend, Constraint, Init, Key, Model, Record, Registry, Regularizer, Spec};
use elman_candle::Candle;
use elman_reference::Reference;
use std::collections::BTreeSet;
use std::sync::Arc;

#[derive(Clone, Copy)]
enum Takes {
    Features,
    Steps,
    Indices,
    Distinct,
    /// A record of `query` and `memory`, sequences of one length.
    Pair,
    /// A record of `input` and `memory`.
    Decoded,
    /// A record of indices under this name.
    Written(&'static str),
}

struct Sample<B: Backend> {
    name: String,
    layer: Arc<dyn Layer<B>>,
    takes: Takes,
}

fn sample<B: Backend, L: Layer<B> + 'static>(takes: Takes, layer: L) -> Sample<B> {
    Sample { name: type_name::<L>(), layer: Arc::new(layer), takes }
}

/// Every initialiser that a matrix can have.
fn inits() -> Vec<Init> {
    vec![
        Init::Zeros,
        Init::Ones,
        Init::Constant(0.1),
        Init::Uniform { low: -0.3, high: 0.7 },
        Init::Normal { mean: 0.1, std: 0.2 },
        Init::TruncatedNormal { mean: 0.1, std: 1.0 / 3.0 },
        Init::VarianceScaling { scale: 0.7, fan: Fan::In, law: Law::Uniform },
        Init::VarianceScaling { scale: 0.7, fan: Fan::Out, law: Law::Normal },
        Init::VarianceScaling { scale: 0.7, fan: Fan::Average, law: Law::TruncatedNormal },
        Init::GlorotUniform,
        Init::GlorotNormal,
        Init::HeUniform,
        Init::HeNormal,
        Init::LecunUniform,
        Init::LecunNormal,
        Init::Orthogonal { gain: 1.1 },
        Init::Identity { gain: 0.9 },
    ]
}

const CONSTRAINTS: [Constraint; 3] = [Constraint::MaxNorm(0.3), Constraint::NonNegative, Constraint::UnitNorm];

fn weights() -> Vec<Weight> {
    let asked = CONSTRAINTS.map(|constraint| {
        let weight = Weight::new(Init::HeNormal).constraint(constraint);
        weight.regularizer(Regularizer::l1_l2(1e-3, 1.0 / 7.0)).frozen()
    });
    inits().into_iter().map(Weight::new).chain(asked).collect()
}

/// At least two samples of each layer that has options, which set all of them.
fn samples<B: Backend>() -> Vec<Sample<B>> {
    use Takes::{Decoded, Features, Indices, Pair, Steps};
    let normal = || Weight::new(Init::Normal { mean: 0.0, std: 0.4 }).l2(0.01);
    let mut samples = vec![
        sample(Features, Dense::new(3)),
        sample(Features, Dense::new(2).activation(Activation::Tanh).bias(normal())),
        sample(Features, Dense::new(2).without_bias()),
        sample(Features, Dropout::new(0.5)),
        sample(Features, Dropout::new(0.1)),
        sample(Steps, SpatialDropout::new(0.5)),
        sample(Steps, SpatialDropout::new(0.1)),
        sample(Indices, Embedding::new(5, 3)),
        sample(Indices, Embedding::new(6, 2).table(normal()).padding(1).word_dropout(0.5)),
        sample(Indices, Embedding::from_vectors(vec![0.25; 10], 2).unwrap().frozen()),
        sample(Features, Flatten),
        sample(Steps, Reshape::new(&[12])),
        sample(Steps, Reshape::new(&[4, 3])),
        sample(Steps, Masking::new(0.0)),
        sample(Steps, Masking::new(-1.5)),
        sample(Steps, GlobalAveragePooling),
        sample(Steps, GlobalMaxPooling),
        sample(Steps, LastStep),
        sample(Features, Glu),
        sample(Steps, LayerNorm::new()),
        sample(Steps, LayerNorm::new().epsilon(0.1).gamma(normal()).beta(normal())),
        sample(Steps, BatchNorm::new()),
        sample(Steps, BatchNorm::new().momentum(0.3).epsilon(0.1).gamma(normal()).beta(normal()).frozen_statistics()),
        sample(Steps, RmsNorm::new()),
        sample(Steps, RmsNorm::new().epsilon(0.1).gamma(normal())),
        sample(Features, PRelu::new()),
        sample(Steps, PRelu::new().shared_axes([1]).slope(normal())),
        sample(Steps, AdditiveAttention::new(3)),
        sample(Steps, AdditiveAttention::new(2).kernel(normal()).bias(normal()).score(normal())),
        sample(Steps, MultiHeadAttention::new(2, 3)),
        sample(
            Steps,
            MultiHeadAttention::new(1, 2).value_dim(3).outputs(5).dropout(0.3).causal().kernel(normal()).without_bias(),
        ),
        sample(Steps, Crf::new()),
        sample(Steps, Crf::new().forbid(0, 1).forbid_start(2).forbid_end(3).transitions(normal()).edges(normal())),
        sample(Steps, Elman::new(3)),
        sample(Steps, recurrent(Elman::new(2).activation(Activation::Relu))),
        sample(Steps, Elman::new(2).return_state().without_bias().stateful()),
        sample(Steps, Lstm::new(3)),
        sample(Steps, recurrent(Lstm::new(2).activation(Activation::Softsign).keras1().forget_bias(None))),
        sample(Steps, Lstm::new(2).layer_norm().return_state().without_bias().stateful()),
        sample(Steps, Gru::new(3)),
        sample(Steps, recurrent(Gru::new(2).activation(Activation::Softsign).keras1())),
        sample(Steps, Gru::new(2).return_state().without_bias().stateful()),
        sample(Steps, Biaffine::new(2)),
        sample(Steps, Biaffine::new(3).units(4, 2).activation(Activation::Tanh).dropout(0.2).kernel(normal())),
        sample(Steps, Bidirectional::new(Elman::new(2))),
        sample(Steps, Bidirectional::new(recurrent(Lstm::new(2))).merge(Merge::Sum)),
        sample(Steps, Bidirectional::new(recurrent(Gru::new(2))).merge(Merge::Mul)),
        sample(Steps, Bidirectional::new(Gru::new(2)).merge(Merge::Average)),
        sample(Steps, TimeDistributed::new(Dense::new(2))),
        sample(Steps, TimeDistributed::new(Sequential::new().add(Dense::new(2)).add(Activation::Relu))),
        sample(Takes::Distinct, Distinct::new(Sequential::new().add(Embedding::new(5, 3)).add(Gru::new(2)))),
        sample(Takes::Distinct, Distinct::new(Sequential::new().add(Embedding::new(5, 4)).add(GlobalMaxPooling))),
        sample(Takes::Written("target"), ScheduledSampling::new(written_words("target", 3), "target", 0.9)),
        sample(Takes::Written("text"), ScheduledSampling::new(written_words("text", 2), "text", 0.5)),
        sample(Steps, Elman::new(2).record()),
        sample(Steps, Lstm::new(2).record().return_sequences()),
        sample(Steps, Gru::new(2).record()),
        sample(Steps, Bidirectional::new(Lstm::new(2).record())),
        sample(Pair, Add::new()),
        sample(Pair, Average::new()),
        sample(Pair, Concatenate::new()),
        sample(Pair, Maximum::new()),
        sample(Pair, Multiply::new()),
        sample(Pair, Subtract::new()),
        sample(Pair, CrossAttention::new()),
        sample(Pair, CrossAttention::new().general().combined(3)),
        sample(Pair, CrossAttention::new().additive(3).combined(2).dropout(0.3)),
        sample(Pair, MultiHeadAttention::new(2, 3)),
        sample(Decoded, AttentionDecoder::new(Gru::new(4), CrossAttention::new())),
        sample(Decoded, AttentionDecoder::new(Lstm::new(2).dropout(0.3), CrossAttention::new().general().combined(3))),
        sample(
            Decoded,
            AttentionDecoder::new(Elman::new(2).record(), CrossAttention::new().additive(3)).attention_first(),
        ),
        sample(
            Pair,
            Graph::new()
                .node("read", Gru::new(4).record(), "memory")
                .node("begun", Gru::new(4).return_sequences(), [("input", "query"), ("h", "read.h")])
                .output("begun"),
        ),
        sample(
            Pair,
            Graph::new()
                .node("a", Dense::new(3), "query")
                .again("b", "a", "memory")
                .node("both", Concatenate::new(), ["a", "b"])
                .outputs([("x", "both"), ("y", "a")])
                .once(["b"]),
        ),
        sample(Pair, Graph::new().node("a", Add::new(), ["query", "memory"]).output("a").once(["a"])),
        sample(
            Indices,
            Sequential::new().add_named("table", Embedding::new(6, 4)).add(Dense::tied("table.embeddings")),
        ),
        sample(Features, Sequential::new().add(Dense::new(4)).add(Dense::new(4)).add(Dropout::new(0.25))),
        sample(
            Steps,
            Sequential::new()
                .add_named("layer", Sequential::new().add_named("kind", LayerNorm::new()).add(Glu))
                .add(Lstm::new(2)),
        ),
    ];
    samples.extend(ACTIVATIONS.map(|activation| sample(Features, activation)));
    samples.extend(weights().into_iter().map(|weight| sample(Features, Dense::new(4).kernel(weight))));
    samples
}

/// All options that cells share, but for those that exclude each other.
/// Scores of words after words.
fn written_words<B: Backend>(part: &str, dim: usize) -> Graph<B> {
    Graph::new().node("words", Embedding::new(5, dim), part).node("next", Dense::new(5), "words").output("next")
}

fn recurrent<C: rnn::CellKind>(layer: rnn::Rnn<C>) -> rnn::Rnn<C> {
    let normal = |std| Weight::new(Init::Normal { mean: 0.0, std });
    let layer = layer.return_sequences().reverse().learned_state().dropout(0.2).recurrent_dropout(0.3);
    layer.kernel(normal(0.3)).recurrent_kernel(normal(0.4)).bias(normal(0.5)).init_by_gate()
}

/// A layer's numbers in evaluation and in training, and all that is known of its parameters.
fn numbers_of<B: Backend>(
    b: &B,
    layer: &dyn Layer<B>,
    takes: Takes,
    weights: Option<&Model<B>>,
) -> (Model<B>, Vec<String>) {
    let (spec, input) = match takes {
        Takes::Features => (Spec::dense(&[4]), tensor(b, &scattered(8, 1), &[2, 4]).into()),
        Takes::Steps => (Spec::Dense(vec![Some(3), Some(4)]), tensor(b, &scattered(24, 1), &[2, 3, 4]).into()),
        Takes::Indices => {
            let indices = b.upload_indices(vec![1, 0, 4, 3, 1, 2], [2, 3].into()).unwrap();
            (Spec::Indices(None), Value::Indices(indices))
        }
        Takes::Distinct => {
            let words = elman::data::Inputs::distinct(&[vec![[1, 0], [4, 3]], vec![[1, 0], [2, 2]]]).unwrap();
            (Spec::distinct(), Value::new(b, words).unwrap())
        }
        Takes::Written(name) => {
            let indices = b.upload_indices(vec![1, 0, 4, 3, 1, 2], [2, 3].into()).unwrap();
            let value = Value::Record(Record::new([(name, Value::Indices(indices))]).unwrap());
            (Spec::record([(name, Spec::Indices(None))]).unwrap(), value)
        }
        Takes::Pair | Takes::Decoded => {
            let first = if let Takes::Pair = takes { "query" } else { "input" };
            let part = |seed| Value::Tensor(tensor(b, &scattered(24, seed), &[2, 3, 4]));
            let spec = || Spec::Dense(vec![Some(3), Some(4)]);
            let spec = Spec::record([(first, spec()), ("memory", spec())]).unwrap();
            (spec, Value::Record(Record::new([(first, part(1)), ("memory", part(2))]).unwrap()))
        }
    };
    let mut model = Model::new(b, layer, spec, 5).unwrap();
    if let Some(weights) = weights {
        model.restore(weights.snapshot()).unwrap();
    }
    let mut found = vec![format!("{:?} {:?}", model.output(), model.summary().to_string())];
    for mode in [Mode::Evaluation, Mode::Training(Key::new(3))] {
        let mut pass = model.pass(mode);
        let value = model.run(input.clone(), &mut pass).unwrap();
        let parts: Vec<Value<B>> = match value {
            Value::Record(parts) => parts.into_iter().map(|(_, part)| part).collect(),
            single => vec![single],
        };
        let each = parts.into_iter().map(|part| numbers(&part.split().0.tensor(&pass).unwrap()));
        found.push(format!("{:?}", each.collect::<Vec<_>>()));
    }
    for param in model.params() {
        let asked = (param.name(), param.is_trainable(), param.regularizer(), param.constraint());
        found.push(format!("{asked:?} {:?}", numbers(param.tensor())));
    }
    (model, found)
}

fn check<B: Backend>(b: &B) {
    let (registry, mut described) = (Registry::<B>::new(), Vec::new());
    for Sample { layer, takes, .. } in samples::<B>() {
        let description = layer.describe().unwrap();
        let back = registry.read_layer(&through_json(&description)).unwrap();
        assert_eq!(back.describe().unwrap(), description);
        let (model, expected) = numbers_of(b, &*layer, takes, None);
        assert_eq!(model.describe().unwrap(), description);
        // Vectors that a table starts with are weights, which stand in the file by themselves.
        let of_vectors = format!("{layer:?}").contains("vectors: Some");
        let (_, found) = numbers_of(b, &*back, takes, of_vectors.then_some(&model));
        assert_eq!(found, expected, "{description}");
        described.push(description);
    }
    assert_each_option_varies(&described);
}

#[test]
fn every_layer_gives_the_same_numbers_on_the_reference() {
    check(&Reference::<f64>::new());
    check(&Reference::<f32>::new());
}

#[test]
fn every_layer_gives_the_same_numbers_on_candle() {
    check(&Candle::cpu());
}

#[test]
fn no_layer_is_forgotten() {
    type B = Reference<f32>;
    let samples = samples::<B>();
    let mut there = implementors("Layer");
    assert!(there.remove("Arc"), "a layer behind a pointer, which describes itself as the layer does");
    assert!(there.remove("Lambda"), "a closure, which has no description");
    there.extend(merging());
    let names: BTreeSet<String> = samples.iter().map(|sample| sample.name.clone()).collect();
    assert_eq!(there, names, "layers of src/ and the samples above");
    let kinds: BTreeSet<String> = samples.iter().map(|sample| sample.layer.kind().to_string()).collect();
    assert_eq!(Registry::<B>::new().layers().map(str::to_string).collect::<BTreeSet<_>>(), kinds);
}

#[test]
fn no_variant_is_forgotten() {
    let json = |value: Result<serde_json::Value, serde_json::Error>| value.unwrap();
    let activations = ACTIVATIONS.map(|value| json(serde_json::to_value(value)));
    assert_eq!(written(&activations), variants("activation.rs", "Activation"));
    // Messages and files have one name, and what is printed is read.
    let name = |value: Activation| value.to_string().split('(').next().unwrap().to_string();
    assert_eq!(written(&activations), ACTIVATIONS.map(name).into());
    assert!(ACTIVATIONS.iter().all(|value| value.to_string().parse::<Activation>().unwrap() == *value));
    let inits: Vec<_> = inits().into_iter().map(|value| json(serde_json::to_value(value))).collect();
    assert_eq!(written(&inits), variants("init/mod.rs", "Init"));
    let constraints = CONSTRAINTS.map(|value| json(serde_json::to_value(value)));
    assert_eq!(written(&constraints), variants("constraint.rs", "Constraint"));
    let merges = [Merge::Concat, Merge::Sum, Merge::Mul, Merge::Average].map(|value| json(serde_json::to_value(value)));
    assert_eq!(written(&merges), variants("layers/rnn/bidirectional.rs", "Merge"));
}
