//! Language models with weights that look drawn.

use crate::common::near::{scattered, tensor};
use crate::recurrent::carry::{self, FEATURES};
use elman::layers::{Dense, Embedding, Gru, Lstm, Sequential};
use elman::{Backend, Model, Spec};

pub(super) const TOKENS: usize = 7;

/// A network between an embedding and scores; no parameter is 0, and the scores are far enough apart to differ.
pub(super) fn build<B: Backend>(b: &B, between: impl elman::layers::Layer<B> + 'static, last: Dense) -> Model<B> {
    let layers = Sequential::new().add(Embedding::new(TOKENS, FEATURES)).add(between).add(last);
    let mut model = layers.build(b, Spec::Indices(None), 7).unwrap();
    for (i, param) in model.params_mut().iter_mut().enumerate() {
        let numbers: Vec<f64> = scattered(param.shape().elements(), 40 + i as u64).iter().map(|x| 1.3 * x).collect();
        param.set_value(tensor(b, &numbers, &param.shape()).value().clone()).unwrap();
    }
    model
}

/// Language models of all recurrent layers with all of their options.
pub(super) fn all<B: Backend>(b: &B) -> Vec<(String, Model<B>)> {
    let networks = carry::all::<B>(false).into_iter();
    networks.map(|network| (network.name, build(b, network.layers, Dense::new(TOKENS)))).collect()
}

/// Two layers of different kinds.
pub(super) fn language_model<B: Backend>(b: &B) -> Model<B> {
    let layers = Sequential::new().add(Lstm::new(4).return_sequences()).add(Gru::new(5).return_sequences());
    build(b, layers, Dense::new(TOKENS))
}

/// A text of so many tokens that looks drawn.
pub(super) fn text(tokens: usize, seed: u64) -> Vec<u32> {
    (0..tokens as u64).map(|i| elman::Key::new(seed).below(i, TOKENS) as u32).collect()
}
