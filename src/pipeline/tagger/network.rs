//! The network, as the settings have it.

use super::vocabulary::column_name;
use super::{TaggerBuilder, TaggerTask, TaggerVocabulary};
use crate::backend::Backend;
use crate::data::Labels;
use crate::error::Result;
use crate::layers::{
    Biaffine, Bidirectional, Concatenate, Crf, Dense, Distinct, Dropout, Embedding, Graph, Gru, Sequential,
};
use crate::text::UnknownRows;

/// Numbers of the vector of what stands in a further column.
const COLUMN: usize = 32;

/// Words and their letters become vectors, recurrent layers read these in both directions, a score for each tag ends it, a
/// field over these, or a score for each head with each label, or tags and trees.
pub(super) fn network<B: Backend>(settings: &TaggerBuilder, vocabulary: &TaggerVocabulary) -> Result<Graph<B>> {
    let words = Embedding::new(vocabulary.words().width(), settings.dim).word_dropout(settings.word_dropout);
    let letters = Sequential::new()
        .add(Embedding::new(vocabulary.letters().width(), settings.letter_dim))
        .add(Dropout::new(settings.dropout))
        .add(Bidirectional::new(Gru::new(settings.letter_units)));
    let mut parts = vec!["word".to_string(), "spelling".to_string()];
    let mut graph = Graph::new().node("word", words, "words").node("spelling", Distinct::new(letters), "letters");
    if let (Some(vectors), Some(known)) = (&settings.vectors, vocabulary.vectors()) {
        let table = Embedding::from_vectors(vectors.matrix(known, UnknownRows::Zeros)?, vectors.dim())?;
        let table = if settings.train_vectors { table } else { table.frozen() };
        graph = graph.node("known", table, "vectors");
        parts.push("known".into());
    }
    for (column, cells) in vocabulary.columns().iter().enumerate() {
        let name = format!("read_{}", column_name(column));
        graph = graph.node(name.clone(), Embedding::new(cells.width(), COLUMN), column_name(column));
        parts.push(name);
    }
    let mut body = Sequential::new().add(Dropout::new(settings.dropout));
    for _ in 0..settings.layers {
        body = settings.cell.add_both_directions(body, settings.units, settings.recurrent_dropout);
        body = body.add(Dropout::new(settings.dropout));
    }
    let graph = graph.node("all", Concatenate::new(), parts).node("read", body, "all");

    let [tags, labels] = [vocabulary.tags(), vocabulary.labels()].map(|names| names.map_or(0, Labels::len));
    let parser = Biaffine::new(labels).units(settings.arc_units, settings.label_units).dropout(settings.dropout);
    Ok(match (settings.task, settings.crf) {
        (TaggerTask::Trees, _) => graph.node("trees", parser, "read").outputs(["trees"]),
        (TaggerTask::All, _) => {
            graph.node("tags", Dense::new(tags), "read").node("trees", parser, "read").outputs(["tags", "trees"])
        }
        (_, true) => {
            graph.node("scores", Dense::new(tags), "read").node("tags", field(vocabulary)?, "scores").output("tags")
        }
        (_, false) => graph.node("tags", Dense::new(tags), "read").output("tags"),
    })
}

/// A field in which tags cannot follow each other that never do so in the scheme of all spans.
fn field(vocabulary: &TaggerVocabulary) -> Result<Crf> {
    match (vocabulary.scheme(), vocabulary.tags()) {
        (Some(scheme), Some(tags)) => Crf::new().scheme(scheme, tags.names()),
        _ => Ok(Crf::new()),
    }
}
