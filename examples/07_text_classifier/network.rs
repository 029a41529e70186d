//! The network, as the settings have it.

use super::settings::{Pooling, Settings};
use elman::layers::*;
use elman::{Activation, Backend};

/// Words become vectors, recurrent layers read them, a softmax over the classes ends it.
pub fn network<B: Backend>(settings: &Settings, words: Embedding, classes: usize) -> Sequential<B> {
    let words = words.padding(0).word_dropout(settings.word_dropout);
    let mut network = Sequential::new().add(words).add(Dropout::new(settings.dropout));
    for layer in 1..=settings.layers {
        let sequences = layer < settings.layers || settings.pooling != Pooling::Last;
        network = settings.recurrent().add_to(network, sequences);
    }
    let network = match settings.pooling {
        Pooling::Last => network,
        Pooling::Max => network.add(GlobalMaxPooling),
        Pooling::Average => network.add(GlobalAveragePooling),
        Pooling::Attention => network.add(AdditiveAttention::new(settings.units)),
    };
    network.add(Dropout::new(settings.dropout)).add(Dense::new(classes).activation(Activation::Softmax))
}
