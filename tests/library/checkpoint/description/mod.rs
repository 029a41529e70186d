//! A model from its file alone.

mod loaded;
mod refused;
mod versions;

use elman::data::{Dataset, Inputs, Targets};
use elman::layers::*;
use elman::loss::SparseCategoricalCrossEntropy;
use elman::metrics::Accuracy;
use elman::optim::{Adam, Optimizer, Schedule};
use elman::{Activation, Backend, Constraint, Fit, Init, Model, Spec};
use elman_reference::Reference;
use std::path::PathBuf;

type R = Reference<f32>;

/// Texts in, a class out, with much that a network can hold.
fn model<B: Backend>(b: &B) -> Model<B> {
    let vectors = (0..40).map(|i| f32::from(i as u8) / 16.0 - 1.0).collect();
    let words = Embedding::from_vectors(vectors, 4).unwrap().frozen().padding(0).word_dropout(0.1);
    let each = Sequential::new().add(Dense::new(3).activation(Activation::Gelu)).add(LayerNorm::new().epsilon(0.1));
    let network = Sequential::new()
        .add_named("words", words)
        .add(Bidirectional::new(Lstm::new(3).return_sequences().dropout(0.2).keras1()).merge(Merge::Average))
        .add(BatchNorm::new().momentum(0.5))
        .add(Gru::new(4).return_sequences().learned_state())
        .add(MultiHeadAttention::new(2, 2).causal())
        .add(TimeDistributed::new(each))
        .add(AdditiveAttention::new(3))
        .add(Dense::new(2).kernel(Weight::new(Init::HeNormal).l2(0.01).constraint(Constraint::MaxNorm(2.0))));
    let mut model = network.build(b, Spec::Indices(None), 3).unwrap();
    let optimizer = Optimizer::new(Adam::new(0.05)).schedule(Schedule::cosine(100, 0.1)).clip_global_norm(1.0);
    model.compile(optimizer, SparseCategoricalCrossEntropy::from_logits()).metric(Accuracy::new());
    model
}

fn texts() -> Inputs {
    Inputs::indices(&[[1, 2, 3, 0, 0], [9, 8, 7, 6, 5], [4, 4, 0, 0, 0], [2, 9, 2, 9, 0]]).unwrap()
}

fn data() -> Dataset {
    Dataset::new(texts(), Targets::classes(vec![0, 1, 1, 0]).unwrap()).unwrap()
}

/// The model after some training: batch normalisation has statistics, weights are not what they were drawn as.
fn trained<B: Backend>(b: &B) -> Model<B> {
    let mut model = model(b);
    model.fit(&data(), Fit::new().epochs(3).batch_size(2).quiet()).unwrap();
    model
}

fn bits<B: Backend>(model: &Model<B>) -> Vec<u32> {
    model.predict(&texts(), 3).unwrap().data().iter().map(|x| x.to_bits()).collect()
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    (folder, path)
}
