//! Whole models of text, from indices to the gradients of the loss.

use super::options::{self, Options};
use super::{TRAINING, compare_gradients, compare_seen, set_weights};
use crate::common::golden::Reading;
use elman::layers::rnn::{CellKind, Rnn};
use elman::layers::{Dense, Embedding, Sequential, Value};
use elman::loss::{BinaryCrossEntropy, SparseCategoricalCrossEntropy, Target};
use elman::model::{Batch, BatchLoss};
use elman::optim::Sgd;
use elman::{Activation, Backend, Shape, Spec};

pub(crate) fn check<B: Backend>(b: &B, case: &Reading<'_>) {
    let options = Options::of(case);
    match case.text("cell") {
        "elman" => whole(b, case, &options, &options::elman(case, &options)),
        "lstm" => whole(b, case, &options, &options::lstm(case, &options)),
        "gru" => whole(b, case, &options, &options::gru(case, &options)),
        other => panic!("{}: cell {other}", case.name()),
    }
}

fn whole<B: Backend, C: CellKind>(b: &B, case: &Reading<'_>, options: &Options, layer: &Rnn<C>) {
    let name = case.name();
    let tagger = match case.kind() {
        "classifier" => false,
        "tagger" => true,
        other => panic!("{name}: kind {other}"),
    };
    let (loss, reduction, side) = match tagger {
        true => ("sparse_categorical_crossentropy", "mean_valid", "right"),
        false => ("binary_crossentropy", "mean", "left"),
    };
    let known = (loss, reduction, side, tagger, tagger, false);
    let found = (case.text("loss"), case.text("reduction"), case.text("mask"), case.is("from_logits"));
    assert_eq!((found.0, found.1, found.2, found.3, options.sequences, options.states), known, "{name}");

    let (indices, shape) = case.labels("indices");
    let padding: Vec<bool> = indices.iter().map(|&index| index == 0).collect();
    assert!(padding.chunks(shape[1]).all(|row| if tagger { row.is_sorted() } else { row.iter().rev().is_sorted() }));
    let words = case.number("words") as usize;
    let network = Sequential::new().add(Embedding::new(words, options.features).padding(0));
    let output = match tagger {
        true => Dense::new(case.number("labels") as usize),
        false => Dense::new(1).activation(Activation::Sigmoid),
    };
    let network = options.add(network, layer).add_named("output", output);
    let mut model = network.build(b, Spec::indices(shape[1]), 0).unwrap();
    set_weights(b, case, &mut model);
    match tagger {
        true => model.compile(Sgd::new(0.1), SparseCategoricalCrossEntropy::from_logits()),
        false => {
            assert_eq!(case.number("clip_epsilon"), 1e-7, "the library's only one");
            model.compile(Sgd::new(0.1), BinaryCrossEntropy::new())
        }
    };

    let (labels, of_labels) = case.labels("targets");
    let batch = Batch {
        input: Value::Indices(b.upload_indices(indices, Shape::new(&shape).unwrap()).unwrap()),
        target: Target::Classes { labels: labels.into(), shape: Shape::new(&of_labels).unwrap() },
        weights: None,
        len: shape[0],
    };
    let BatchLoss { loss, predictions, .. } = model.loss(&batch, TRAINING()).unwrap();
    let predictions = predictions.as_tensor().unwrap();
    compare_seen(case, "loss", &loss, None);
    assert_eq!(predictions.shape()[..], case.tensor("predictions").1[..], "{name}");
    let seen = padding.iter().map(|&padding| f64::from(u8::from(!padding)));
    compare_seen(case, "predictions", predictions, tagger.then(|| seen.collect()));
    compare_gradients(case, &loss.backward().unwrap(), &model);
}
