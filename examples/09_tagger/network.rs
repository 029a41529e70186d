//! The network, as the settings have it.

use super::encoder::{Encoder, feature};
use super::settings::Settings;
use super::task::Task;
use elman::Backend;
use elman::layers::*;

/// Numbers of the vector of what stands in another column.
const COLUMN: usize = 32;

/// Words and their letters become vectors, recurrent layers read these in both directions, a score for each tag ends it, a
/// `field` over these, or a score for each head with each of so many `labels`, or both.
pub fn network<B: Backend>(
    settings: &Settings,
    encoder: &Encoder,
    vectors: Option<Embedding>,
    [tags, labels]: [usize; 2],
    field: Option<Crf>,
) -> Graph<B> {
    let words = Embedding::new(encoder.words.width(), settings.dim).word_dropout(settings.word_dropout);
    let letters = Sequential::new()
        .add(Embedding::new(encoder.letters.width(), settings.letter_dim))
        .add(Dropout::new(settings.dropout))
        .add(Bidirectional::new(Gru::new(settings.letter_units)));
    let mut parts = vec!["word".to_string(), "spelling".to_string()];
    let mut graph = Graph::new().node("word", words, "words").node("spelling", Distinct::new(letters), "letters");
    if let Some(vectors) = vectors {
        graph = graph.node("known", vectors, "vectors");
        parts.push("known".into());
    }
    for (column, vocabulary) in encoder.features.iter().enumerate() {
        let name = format!("read_{}", feature(column));
        graph = graph.node(name.clone(), Embedding::new(vocabulary.width(), COLUMN), feature(column));
        parts.push(name);
    }
    let mut body = Sequential::new().add(Dropout::new(settings.dropout));
    for _ in 0..settings.layers {
        body = settings.recurrent().add_to(body, true).add(Dropout::new(settings.dropout));
    }
    let graph = graph.node("all", Concatenate::new(), parts).node("read", body, "all");
    let parser = Biaffine::new(labels).units(settings.arc_units, settings.label_units).dropout(settings.dropout);
    match (settings.task, field) {
        (Task::Trees, _) => graph.node("trees", parser, "read").outputs(["trees"]),
        (Task::All, _) => {
            graph.node("tags", Dense::new(tags), "read").node("trees", parser, "read").outputs(["tags", "trees"])
        }
        (_, Some(field)) => graph.node("scores", Dense::new(tags), "read").node("tags", field, "scores").output("tags"),
        (_, None) => graph.node("tags", Dense::new(tags), "read").output("tags"),
    }
}
