//! Networks of several inputs in files: models, weights, checkpoints in the middle of an epoch.

use super::{Double, network, spec, texts};
use elman::checkpoint::Checkpoint;
use elman::layers::*;
use elman::loss::{MeanSquaredError, SparseCategoricalCrossEntropy};
use elman::metrics::Accuracy;
use elman::model::Objective;
use elman::optim::Adam;
use elman::{Activation, Fit, Model, Spec};

fn compiled() -> Model<Double> {
    let mut model = network().build(&Double::new(), spec(), 3).unwrap();
    model.compile_outputs(
        Adam::new(0.01),
        [
            Objective::new("topic", SparseCategoricalCrossEntropy::new()).metric(Accuracy::new()),
            Objective::new("size", MeanSquaredError).weight(0.25),
        ],
    );
    model
}

/// A file knows inputs, nodes, edges and objectives; another program goes on with it.
#[test]
fn a_model_comes_back_from_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let (b, data, mut model) = (Double::new(), texts(9), compiled());
    model.fit(&data, Fit::new().epochs(2).batch_size(4).quiet()).unwrap();
    model.save(&path).unwrap();
    let loaded = Model::load(&b, &path).unwrap();
    assert_eq!(loaded.input(), model.input());
    assert_eq!(loaded.describe().unwrap(), model.describe().unwrap());
    let (one, other) = (model.evaluate(&data, 4).unwrap(), loaded.evaluate(&data, 4).unwrap());
    assert_eq!(one.iter().collect::<Vec<_>>(), other.iter().collect::<Vec<_>>());
    let outputs = |model: &Model<Double>| model.predict_outputs(data.inputs(), 4).unwrap();
    for (name, part) in outputs(&model).iter() {
        assert_eq!(outputs(&loaded).get(name).unwrap(), part);
    }
}

/// Every way to say where a node's input comes from, through JSON.
#[test]
fn edges_come_back_from_a_description() {
    let input = Spec::record([("source", Spec::Indices(None)), ("target", Spec::Indices(None))]).unwrap();
    let graph = Graph::<Double>::new()
        .node("words", Embedding::new(9, 4), "source")
        .node("encoder", Lstm::new(4).record(), "words")
        .again("target_words", "words", "target")
        .node(
            "decoder",
            Lstm::new(4).return_sequences(),
            [("input", "target_words"), ("h", "encoder.h"), ("c", "encoder.c")],
        )
        .node(
            "inner",
            Graph::new().node("a", Dense::new(4), "input").node("b", Add::new(), ["a", "input"]).output("b"),
            "decoder",
        )
        .node("out", Dense::tied("words.embeddings").activation(Activation::Softmax), "inner")
        .node("state", Average::new(), ["encoder.h", "encoder.c", "encoder.output"])
        .outputs([("next", "out"), ("state", "state")])
        .once(["encoder"]);
    let described = Layer::<Double>::describe(&graph).unwrap();
    let again = elman::Registry::<Double>::new().read_layer(&described).unwrap();
    assert_eq!(again.describe().unwrap(), described);
    let b = Double::new();
    let models = [Model::new(&b, &graph, input.clone(), 3).unwrap(), Model::new(&b, &*again, input, 3).unwrap()];
    let [one, other] = models.map(|model| (model.summary().to_string(), model.output().to_string()));
    assert_eq!(one, other);
    assert_eq!(one.1, "{next: [batch, any, 9], state: [batch, 4]}");
}

/// A training that is taken up within an epoch ends as one that was not interrupted.
#[test]
fn a_training_goes_on_in_the_middle_of_an_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.st");
    let data = texts(11);
    let fit = || Fit::new().epochs(3).batch_size(2).quiet();
    let mut whole = compiled();
    let expected = whole.fit(&data, fit().checkpoint(Checkpoint::new(&path).every_steps(4).keep(10))).unwrap();
    let files: Vec<_> =
        walk(folder.path()).into_iter().filter(|file| file.extension().is_some_and(|e| e == "st")).collect();
    assert!(files.len() > 2, "{files:?}");
    for file in files {
        let mut model = compiled();
        let history = model.fit(&data, fit().resume_from(&file)).unwrap();
        assert_eq!(history.epochs.len(), expected.epochs.len());
        for (one, other) in history.epochs.iter().zip(&expected.epochs) {
            assert_eq!(one.values, other.values, "{}", file.display());
        }
        for (one, other) in model.params().iter().zip(whole.params()) {
            assert_eq!(one.tensor().to_vec().unwrap(), other.tensor().to_vec().unwrap(), "{}", one.name());
        }
    }
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// A closure has no description: the error names it, and nothing is written.
#[test]
fn a_closure_cannot_be_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let twice = Lambda::<Double>::new(|input| Ok(input.clone()), |x, pass| x.map(pass, |x, _| x.affine(2.0, 0.0)));
    let graph = Graph::new().node("a", Dense::new(2), "input").node("twice", twice, "a").output("twice");
    let model = graph.build(&Double::new(), Spec::dense(&[2]), 0).unwrap();
    let error = model.save(&path).unwrap_err().to_string();
    assert!(error.contains("twice") && error.contains("lambda") && !path.exists(), "{error}");
}
