//! A file knows which network its weights are of.

use elman::checkpoint::Extras;
use elman::layers::{Dense, Embedding, Lstm, Sequential};
use elman::loss::SparseCategoricalCrossEntropy;
use elman::model::Model;
use elman::optim::Adam;
use elman::training::History;
use elman::{Activation, Spec};
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
