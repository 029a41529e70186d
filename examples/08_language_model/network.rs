//! The network, as the settings have it.

use super::settings::Settings;
use elman::Backend;
use elman::layers::*;

/// Tokens become vectors, recurrent layers read them and go on from batch to batch, a score for each token ends it.
pub fn network<B: Backend>(settings: &Settings, width: usize) -> Sequential<B> {
    let vectors = Embedding::new(width, settings.dim).word_dropout(settings.word_dropout);
    let mut network = Sequential::new().add(vectors);
    if settings.input_dropout > 0.0 {
        network = network.add(Dropout::new(settings.input_dropout));
    }
    for _ in 0..settings.layers {
        network = settings.recurrent().add_to(network, true);
        if settings.dropout > 0.0 {
            network = network.add(Dropout::new(settings.dropout));
        }
    }
    network.add(Dense::new(width))
}
