//! What `fit` warns of through the crate `log`.

use super::toy::R;
use crate::common::logged::warnings;
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::{Dense, Sequential};
use elman::loss::SparseCategoricalCrossEntropy;
use elman::optim::Sgd;
use elman::training::Fit;
use elman::{Activation, Spec};

/// What `fit` warns of when it trains on these labels.
fn warned(labels: &[u32], fit: Fit<'_, R>) -> Vec<String> {
    let inputs = Inputs::dense((0..labels.len()).map(|i| i as f32).collect(), &[1]).unwrap();
    let data = Dataset::new(inputs, Targets::classes(labels.to_vec()).unwrap()).unwrap();
    let network = Sequential::new().add(Dense::new(3).activation(Activation::Softmax));
    let mut model = network.build(&R::new(), Spec::dense(&[1]), 0).unwrap();
    model.compile(Sgd::new(0.1), SparseCategoricalCrossEntropy::new());
    warnings(|| model.fit(&data, fit.quiet()).unwrap()).1
}

#[test]
fn sorted_labels_and_a_validation_split_are_warned_of() {
    let cure = "(validation_split takes the last samples as they stand: are they sorted by class? `Dataset::split_stratified` takes some of each)";
    let found = warned(&[0, 0, 0, 1, 1, 1, 2, 2, 2, 2], Fit::new().validation_split(0.2));
    assert_eq!(found, [format!("validation data: every sample is of class 2, training has others too {cure}")]);
    let found = warned(&[0, 0, 0, 1, 1, 1, 1, 1, 2, 2], Fit::new().validation_split(0.2));
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found[2], format!("validation data: class 2 without a sample in training {cure}"));
    assert_eq!(warned(&[0, 1, 2, 0, 1, 2, 0, 1, 2, 0], Fit::new().validation_split(0.2)), [""; 0]);
}

#[test]
fn a_class_without_a_sample_in_training_is_warned_of() {
    let found = warned(&[1, 2, 1, 2], Fit::new());
    let expected = "training data: no sample of class 0 of the model's 3: is a class too many counted, or from 1?";
    assert_eq!(found, [expected]);
    let found = warned(&[1, 1, 1, 1], Fit::new());
    assert_eq!(found, ["training data: every sample is of class 1, so that there is nothing to tell apart"]);
    assert_eq!(warned(&[1, 2, 0, 2], Fit::new()), [""; 0]);
}
