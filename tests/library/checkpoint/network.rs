//! A file knows which network its weights are of.

use elman::checkpoint::{Extras, PartialLoad};
use elman::layers::*;
use elman::loss::SparseCategoricalCrossEntropy;
use elman::model::Model;
use elman::optim::Adam;
use elman::training::History;
use elman::{Activation, Constraint, Init, Spec};
use elman_reference::Reference;

/// A class a text, or a class a word: the same parameters, of the same shapes.
fn model(per_step: bool) -> Model<Reference<f32>> {
    let lstm = Lstm::new(4);
    let network = Sequential::new()
        .add(Embedding::new(10, 3).padding(0))
        .add(if per_step { lstm.return_sequences() } else { lstm })
        .add(Dense::new(2).activation(Activation::Softmax));
    let mut model = network.build(&Reference::new(), Spec::Indices(None), 0).unwrap();
    model.compile(Adam::new(0.1), SparseCategoricalCrossEntropy::new());
    model
}

#[test]
fn weights_of_a_classifier_are_refused_by_a_tagger() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("classifier.safetensors");
    for whole in [false, true] {
        match whole {
            true => model(false).save_checkpoint(&path, &History::default(), &Extras::new()).unwrap(),
            false => model(false).save_weights(&path).unwrap(),
        }
        let mut tagger = model(true);
        let before: Vec<_> = tagger.params().iter().map(|param| param.tensor().to_vec().unwrap()).collect();
        let error = if whole { tagger.load_checkpoint(&path).map(drop) } else { tagger.load_weights(&path) };
        let error = error.unwrap_err().to_string();
        assert!(error.contains("lstm"), "the layer that is another is not named: {error}");
        assert_eq!(tagger.params().iter().map(|param| param.tensor().to_vec().unwrap()).collect::<Vec<_>>(), before);
        // Its own network takes them.
        let mut classifier = model(false);
        if whole { classifier.load_checkpoint(&path).map(drop) } else { classifier.load_weights(&path) }.unwrap();
    }
}

/// Weights of a network with other options: refused where they would compute something else, by what differs.
#[test]
fn weights_of_another_network_are_refused_by_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let build = |network: Sequential<Reference<f32>>| {
        network.build(&Reference::new(), Spec::Dense(vec![None, Some(2)]), 0).unwrap()
    };
    let one = |lstm: Lstm| build(Sequential::new().add(lstm).add(Dense::new(2).activation(Activation::Tanh)));
    one(Lstm::new(2)).save_weights(&path).unwrap();
    let normal = Weight::new(Init::Normal { mean: 0.0, std: 1.0 }).l2(0.1).constraint(Constraint::UnitNorm).frozen();
    // How it is trained does not matter.
    one(Lstm::new(2).dropout(0.5).recurrent_dropout(0.5).kernel(normal).init_by_gate().forget_bias(None).stateful())
        .load_weights(&path)
        .unwrap();
    let dropped = Sequential::new().add(SpatialDropout::new(0.1)).add(Lstm::new(2)).add(Dropout::new(0.5));
    build(dropped.add(Dense::new(2).activation(Activation::Tanh))).load_weights(&path).unwrap();
    let gated = |activation| one(Lstm::new(2).gate_activation(activation));
    let in_file = "(\"sigmoid\" in the file)";
    for (mut model, expected) in [
        (one(Lstm::new(2).reverse()), "another network: `lstm`: reverse true (false in the file)".to_string()),
        (
            gated(Activation::HardSigmoid),
            format!("another network: `lstm`: gate_activation \"hard_sigmoid\" {in_file}"),
        ),
        (one(Lstm::new(2).return_sequences()), "`lstm`: return_sequences true (false in the file)".into()),
        (one(Lstm::new(3)), "`lstm`: units 3 (2 in the file)".into()),
        (build(Sequential::new().add_named("lstm", Gru::new(2))), "`lstm`: gru (lstm in the file)".into()),
        (build(Sequential::new().add(Lstm::new(2))), "`dense` (in the file alone)".into()),
        (
            build(Sequential::new().add(Lstm::new(2)).add(Dense::new(2).activation(Activation::Tanh)).add(Glu)),
            "`glu` (not in the file)".into(),
        ),
        (
            build(Sequential::new().add(Lstm::new(2)).add(Dense::new(2))),
            "`dense`: activation \"linear\" (\"tanh\" in the file)".into(),
        ),
    ] {
        let message = model.load_weights(&path).unwrap_err().to_string();
        assert!(message.contains(&expected), "{message}");
    }
    // Whoever means it says so.
    one(Lstm::new(2).reverse()).load_weights_partial(&path, &PartialLoad::new()).unwrap();
}
