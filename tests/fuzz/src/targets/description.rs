//! Descriptions of networks, in files whose arrays are sound.

use super::Target;
use crate::mutate::{Shape, tensors};
use crate::place::Place;
use elman::data::Inputs;
use elman::layers::{
    AdditiveAttention, BatchNorm, Bidirectional, Dense, Dropout, Embedding, Gru, LayerNorm, Lstm, Merge,
    MultiHeadAttention, PRelu, Sequential, TimeDistributed, Weight,
};
use elman::loss::{MeanSquaredError, WeightedMean};
use elman::optim::{Nadam, Optimizer, Schedule};
use elman::{Activation, Constraint, Init, Model, Spec};
use elman_reference::Reference;
use std::sync::OnceLock;

type R = Reference<f64>;

pub(crate) const DESCRIPTION: Target = Target {
    name: "description",
    shape: Shape::Json,
    words: &[
        "input",
        "dense",
        "indices",
        "bags",
        "seed",
        "network",
        "frozen",
        "compiled",
        "optimizer",
        "loss",
        "kind",
        "layers",
        "layer",
        "name",
        "sequential",
        "bidirectional",
        "time_distributed",
        "lstm",
        "gru",
        "elman",
        "cell",
        "units",
        "kernel",
        "recurrent_kernel",
        "bias",
        "init",
        "regularizer",
        "constraint",
        "trainable",
        "l1",
        "l2",
        "max_norm",
        "orthogonal",
        "gain",
        "uniform",
        "low",
        "high",
        "activation",
        "leaky_relu",
        "softmax",
        "relu",
        "embedding",
        "rows",
        "dim",
        "table",
        "padding",
        "word_dropout",
        "reshape",
        "sizes",
        "flatten",
        "glu",
        "masking",
        "value",
        "last_step",
        "multi_head_attention",
        "heads",
        "key_dim",
        "value_dim",
        "outputs",
        "causal",
        "epsilon",
        "return_sequences",
        "return_state",
        "reverse",
        "shared_axes",
        "merge",
        "sum",
        "rule",
        "nadam",
        "learning_rate",
        "schedule",
        "cosine",
        "warm_up",
        "clips",
        "accumulate",
        "weighted_mean",
        "huber",
        "delta",
        "null",
        "true",
        "18446744073709551615",
        "4294967296",
        "1e308",
        "-1",
        "0",
    ],
    seeds: || files().iter().map(|file| text(file).into_bytes()).collect(),
    run: |place, bytes| {
        let Ok(described) = std::str::from_utf8(bytes) else { return };
        files().iter().for_each(|file| load(place, file, described));
    },
};

/// Files of two networks that hold much of what there is.
fn files() -> &'static [Vec<u8>] {
    static FILES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    FILES.get_or_init(|| {
        let place = Place::new("description-seed");
        let save = |network: Sequential<R>, input: Spec| {
            let mut model = network.build(&R::new(), input, 1).expect("a sound network");
            let optimizer = Optimizer::new(Nadam::new(0.1)).schedule(Schedule::cosine(9, 0.1).warm_up(2, 0.5));
            model.compile(optimizer.clip_norm(1.0), WeightedMean(MeanSquaredError));
            model.save(place.path("model.st")).expect("room for a model");
            std::fs::read(place.path("model.st")).expect("what was written")
        };
        let kernel = Weight::new(Init::Orthogonal { gain: 0.5 }).l2(0.1).constraint(Constraint::MaxNorm(1.0));
        let rows = Sequential::new()
            .add_named("first", Dense::new(3).activation(Activation::LeakyRelu(0.2)).kernel(kernel))
            .add(Dropout::new(0.3))
            .add(PRelu::new())
            .add(BatchNorm::new())
            .add(Dense::new(2).activation(Activation::Softmax));
        let steps = Sequential::new()
            .add(Embedding::new(6, 3).padding(0))
            .add(Bidirectional::new(Lstm::new(2).return_sequences()).merge(Merge::Sum))
            .add(Gru::new(2).return_sequences().learned_state())
            .add(MultiHeadAttention::new(1, 2).causal())
            .add(TimeDistributed::new(Sequential::new().add(LayerNorm::new()).add(Activation::Relu)))
            .add(AdditiveAttention::new(2));
        vec![save(rows, Spec::dense(&[2])), save(steps, Spec::Indices(None))]
    })
}

fn text(file: &[u8]) -> String {
    let (header, _) = tensors::unpack(file).expect("a model");
    header["__metadata__"]["elman.network"].as_str().expect("a description").to_string()
}

/// What can be loaded predicts or says why not, and comes back from a file of its own.
fn load(place: &Place, file: &[u8], described: &str) {
    let old = tensors::without_checksums(file).expect("a model");
    let (mut header, arrays) = tensors::unpack(&old).expect("a model");
    header["__metadata__"]["elman.network"] = described.into();
    let bytes = tensors::pack(&header, arrays);
    let Ok(model) = place.read("file.st", &bytes, |path| Model::load(&R::new(), path)) else { return };
    for inputs in [Inputs::rows(&[[0.5f32, -1.0]]), Inputs::indices(&[[1u32, 2, 0]])] {
        let _ = model.predict(&inputs.expect("sound inputs"), 1);
    }
    let path = place.path("again.st");
    model.save(&path).unwrap_or_else(|error| panic!("what was loaded cannot be saved: {error}"));
    let again =
        Model::load(&R::new(), &path).unwrap_or_else(|error| panic!("what was saved cannot be loaded: {error}"));
    assert_eq!(again.describe().ok(), model.describe().ok(), "another network comes back");
}
