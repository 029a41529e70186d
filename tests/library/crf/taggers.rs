//! Taggers that end in a field: trained, measured, saved.

use super::Double;
use crate::common::near::assert_near;
use elman::data::{Dataset, Inputs, Targets};
use elman::decode::{Decoder, Trellis};
use elman::layers::*;
use elman::loss::{BinaryCrossEntropy, CrfLoss, SparseCategoricalCrossEntropy};
use elman::metrics::Accuracy;
use elman::model::Objective;
use elman::optim::{Adam, Sgd};
use elman::{Activation, Backend, Fit, Model, Spec};
use elman_candle::Candle;

/// Words that say nothing but for the first, and tags that go on from it: 0 1 2 0 1 2 .. or 0 2 1 0 2 1 .., by the word.
fn texts() -> Dataset {
    let text = |number: usize| {
        let (length, by) = (2 + number % 5, 1 + number % 2);
        let words: Vec<u32> = (0..length).map(|i| if i == 0 { by as u32 } else { 3 }).collect();
        let tags: Vec<u32> = (0..length).map(|i| (i * by % 3) as u32 + if by == 2 { 3 } else { 0 }).collect();
        (words, tags)
    };
    let (words, tags): (Vec<_>, Vec<_>) = (0..24).map(text).unzip();
    Dataset::new(Inputs::indices(&words).unwrap(), Targets::classes_per_step(&tags).unwrap()).unwrap()
}

fn network<B: Backend>(crf: bool) -> Sequential<B> {
    let scores = Sequential::new().add(Embedding::new(4, 6).padding(0)).add(Dense::new(6));
    if crf { scores.add(Crf::new().forbid(0, 5)) } else { scores }
}

/// Each word alone cannot tell; the tags before and behind it do.
#[test]
fn transitions_are_learnt() {
    fn check<B: Backend>(b: &B) {
        let trained = |crf: bool| {
            let mut model = network(crf).build(b, Spec::Indices(None), 1).unwrap();
            match crf {
                true => model.compile(Adam::new(0.1), CrfLoss::new()).metric(Accuracy::new()),
                false => {
                    let loss = SparseCategoricalCrossEntropy::from_logits();
                    model.compile(Adam::new(0.1), loss).metric(Accuracy::new())
                }
            };
            let data = texts();
            let fit = Fit::new().epochs(60).batch_size(8).validation_data(&data).quiet();
            let history = model.fit(&data, fit).unwrap();
            let last = history.epochs.last().unwrap();
            let found = model.evaluate(&texts(), 5).unwrap();
            assert_near("validation", &[last.get("val_accuracy").unwrap()], &[found.get("accuracy").unwrap()], 1e-12);
            (model, found)
        };
        let (model, found) = trained(true);
        assert_eq!(found.get("accuracy"), Some(1.0), "{found}");
        assert!(found.loss() < 0.1, "{found}");
        let (_, alone) = trained(false);
        assert!(alone.get("accuracy").unwrap() < 0.8, "{alone}");
        // What is predicted is what is measured, and the best of the trellises.
        let predicted = model.predict(texts().inputs(), 7).unwrap();
        assert_eq!(predicted.shape(), [24, 6, 6]);
        let classes = predicted.classes().unwrap();
        for (row, trellis) in Trellis::of(&model, texts().inputs(), 7).unwrap().iter().enumerate() {
            assert_eq!(trellis.best().unwrap().tags, classes[row * 6..][..trellis.steps()]);
        }
        // Through a file.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tagger.safetensors");
        model.save(&path).unwrap();
        let back = Model::load(b, &path).unwrap();
        assert_eq!(back.predict(texts().inputs(), 7).unwrap().data(), predicted.data());
    }
    check(&Double::new());
    check(&Candle::cpu());
}

/// Of a field and another output, in `fit` and in `evaluate`.
#[test]
fn figures_do_not_depend_on_the_batch_size() {
    fn check<B: Backend>(b: &B, tolerance: f64) {
        let verdicts = Targets::classes((0..24).map(|i| (i % 2) as u32).collect()).unwrap();
        let (inputs, tags, _) = texts().into_parts();
        let data = Dataset::new(inputs, Targets::record([("tags", tags), ("verdict", verdicts)]).unwrap()).unwrap();
        let all = |size: usize| {
            let network = Graph::new()
                .node("words", Embedding::new(4, 6).padding(0), "input")
                .node("scores", Dense::new(6), "words")
                .node("tags", Crf::new(), "scores")
                .node("pooled", GlobalAveragePooling, "words")
                .node("verdict", Dense::new(1).activation(Activation::Sigmoid), "pooled")
                .outputs(["tags", "verdict"]);
            let mut model = network.build(b, Spec::Indices(None), 5).unwrap();
            model.compile_outputs(
                Sgd::new(0.0),
                [
                    Objective::new("tags", CrfLoss::new()).metric(Accuracy::new()),
                    Objective::new("verdict", BinaryCrossEntropy::new()).weight(2.0),
                ],
            );
            let evaluated: Vec<f64> = model.evaluate(&data, size).unwrap().iter().map(|(_, value)| value).collect();
            let history = model.fit(&data, Fit::new().batch_size(size).quiet()).unwrap();
            let fitted: Vec<f64> = history.epochs[0].values.iter().map(|(_, value)| *value).collect();
            [evaluated, fitted]
        };
        let expected = all(24)[0].clone();
        for size in [1, 5, 24] {
            for found in all(size) {
                assert_near(&format!("batches of {size}"), &found, &expected, tolerance);
            }
        }
    }
    check(&Double::new(), 1e-12);
    check(&Candle::cpu(), 1e-6);
}

/// A field whose value another node takes gives it the path; as an output too it is trained.
#[test]
fn others_take_the_path() {
    let b = Double::new();
    let network = Graph::new()
        .node("words", Embedding::new(4, 6).padding(0), "input")
        .node("scores", Dense::new(6), "words")
        .node("tags", Crf::new(), "scores")
        .node("share", GlobalAveragePooling, "tags")
        .outputs(["tags", "share"]);
    let mut model = network.build(&b, Spec::Indices(None), 5).unwrap();
    model.compile_outputs(Adam::new(0.05), [Objective::new("tags", CrfLoss::new()).metric(Accuracy::new())]);
    let (inputs, tags, _) = texts().into_parts();
    let data = Dataset::new(inputs, Targets::record([("tags", tags)]).unwrap()).unwrap();
    let before = model.evaluate(&data, 8).unwrap().loss();
    model.fit(&data, Fit::new().epochs(5).quiet()).unwrap();
    assert!(model.evaluate(&data, 8).unwrap().loss() < before);
    let predicted = model.predict_outputs(data.inputs(), 24).unwrap();
    let [tags, share] = ["tags", "share"].map(|name| predicted.get(name).unwrap());
    for (tags, share) in tags.rows().zip(share.rows()) {
        let steps: f32 = tags.iter().sum();
        for (tag, share) in share.iter().enumerate() {
            let own: f32 = tags.chunks(6).map(|step| step[tag]).sum();
            assert!((own / steps - share).abs() < 1e-6);
        }
    }
}

/// A path is of a whole sequence.
#[test]
fn it_cannot_be_stepped() {
    let b = Double::new();
    let model = network(true).build(&b, Spec::Indices(None), 1).unwrap();
    let mut decoder = Decoder::new(&model).unwrap();
    let said = elman::decode::Stepper::step(&mut decoder, &[1]).unwrap_err().to_string();
    assert!(said.contains("whole sequences"), "{said}");
}
