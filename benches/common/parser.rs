//! A training step of a whole tagger and parser, the network of examples/09_tagger with `--task all` and its defaults: words and their letters,
//! two bidirectional LSTM layers, tags, heads with labels, Adam.

use super::computed::timed;
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::{
    Biaffine, Bidirectional, Concatenate, Dense, Distinct, Dropout, Embedding, Graph, Gru, Lstm, Sequential,
};
use elman::loss::SparseCategoricalCrossEntropy;
use elman::model::{Batch, Objective};
use elman::optim::{Adam, Optimizer};
use elman::{Key, Spec};
use elman_candle::Candle;

/// What there is of each: words, letters, tags, labels of arcs; batches that take turns.
const WORDS: usize = 10_000;
const LETTERS: usize = 80;
const TAGS: usize = 17;
const LABELS: usize = 40;
const BATCHES: usize = 8;

/// Words as frequent as words are (the rank's logarithm is uniform), a word's letters always the same.
fn data(batch: usize, steps: usize, masked: bool) -> elman::Result<Dataset> {
    let key = Key::new(1);
    let sentence = |sentence: u64| {
        let key = key.fold(sentence);
        let shortest = if masked { steps / 2 } else { steps };
        let words = 0..(shortest + key.below(0, steps - shortest + 1)) as u64;
        words.map(|i| ((WORDS as f64).powf(key.uniform(i + 4)) as u32).min(WORDS as u32 - 1)).collect::<Vec<_>>()
    };
    let words: Vec<Vec<u32>> = (0..(BATCHES * batch) as u64).map(sentence).collect();
    let spelled = |&word: &u32| {
        let key = Key::new(2).fold(u64::from(word));
        (0..3 + key.below(0, 8) as u64).map(|i| key.below(i + 4, LETTERS) as u32).collect::<Vec<_>>()
    };
    let letters: Vec<Vec<_>> = words.iter().map(|words| words.iter().map(spelled).collect()).collect();
    let classes = |name: &str, most: &dyn Fn(usize) -> usize| {
        let class =
            |row: usize, i: usize| Key::new(3).named(name).fold(row as u64).below(i as u64, most(words[row].len()));
        let row = |row: usize| (0..words[row].len()).map(|i| class(row, i) as u32).collect::<Vec<_>>();
        Targets::classes_per_step(&(0..words.len()).map(row).collect::<Vec<_>>())
    };
    // The root is the head of all words, as no head is beyond a sentence then or the word itself.
    let inputs = Inputs::record([("words", Inputs::indices(&words)?), ("letters", Inputs::distinct(&letters)?)])?;
    let targets = Targets::record([("tags", classes("tags", &|_| TAGS)?), ("trees", classes("trees", &|_| LABELS)?)])?;
    Dataset::new(inputs, targets)
}

/// Times a step.
pub fn step(threads: usize, batch: usize, steps: usize, masked: bool) -> elman::Result<[f64; 4]> {
    let b = &Candle::cpu_with_threads(threads)?;
    let letters =
        Sequential::new().add(Embedding::new(LETTERS, 64)).add(Dropout::new(0.5)).add(Bidirectional::new(Gru::new(64)));
    let layer = || Bidirectional::new(Lstm::new(200).return_sequences());
    let body = [layer(), layer()]
        .into_iter()
        .fold(Sequential::new().add(Dropout::new(0.5)), |body, layer| body.add(layer).add(Dropout::new(0.5)));
    let spec = Spec::record([("words", Spec::Indices(None)), ("letters", Spec::distinct())])?;
    let mut model = Graph::new()
        .node("word", Embedding::new(WORDS, 128).word_dropout(0.2), "words")
        .node("spelling", Distinct::new(letters), "letters")
        .node("all", Concatenate::new(), ["word", "spelling"])
        .node("read", body, "all")
        .node("tags", Dense::new(TAGS), "read")
        .node("trees", Biaffine::new(LABELS).units(512, 128).dropout(0.5), "read")
        .outputs(["tags", "trees"])
        .build(b, spec, 0)?;
    let softmax = || SparseCategoricalCrossEntropy::from_logits().label_smoothing(0.03);
    let optimizer = Optimizer::new(Adam::new(0.002).betas(0.9, 0.99)).clip_norm(2.0);
    model.compile_outputs(optimizer, [Objective::new("tags", softmax()), Objective::new("trees", softmax())]);
    let (data, mut at) = (data(batch, steps, masked)?, 0);
    timed(|| {
        at = (at + 1) % BATCHES;
        let rows: Vec<usize> = (at * batch..(at + 1) * batch).collect();
        model.train_step(&Batch::new(b, data.select(&rows)?)?).map(drop)
    })
}
