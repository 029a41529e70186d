//! XOR (L3): a linear model cannot do it, a multilayer perceptron does it from any seed.

use elman::backend::Backend;
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::{Dense, Sequential};
use elman::loss::BinaryCrossEntropy;
use elman::metrics::Accuracy;
use elman::optim::Adam;
use elman::training::Fit;
use elman::{Activation, Spec};
use elman_candle::Candle;
use elman_reference::Reference;

/// The accuracy after 500 epochs for each of twenty seeds.
fn accuracies<B: Backend>(backend: &B, network: &Sequential<B>) -> Vec<f64> {
    let inputs = Inputs::rows(&[[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]).unwrap();
    let data = Dataset::new(inputs, Targets::classes(vec![0, 1, 1, 0]).unwrap()).unwrap();
    let accuracy = |seed| {
        let mut model = network.build(backend, Spec::dense(&[2]), seed).unwrap();
        model.compile(Adam::new(0.05), BinaryCrossEntropy::new()).metric(Accuracy::new());
        model.fit(&data, Fit::new().epochs(500).batch_size(4).quiet()).unwrap();
        model.evaluate(&data, 4).unwrap().get("accuracy").unwrap()
    };
    (0..20).map(accuracy).collect()
}

fn solves<B: Backend>(backend: &B) {
    let neuron = || Dense::new(1).activation(Activation::Sigmoid);
    let linear = accuracies(backend, &Sequential::new().add(neuron()));
    // Of the four corners of a square a line has at most three on their right sides.
    assert!(linear.iter().all(|&accuracy| accuracy <= 0.75), "{linear:?}");
    let mlp = Sequential::new().add(Dense::new(8).activation(Activation::Tanh)).add(neuron());
    assert_eq!(accuracies(backend, &mlp), [1.0; 20]);
}

#[test]
fn reference() {
    solves(&Reference::<f32>::new());
}

#[test]
fn candle() {
    solves(&Candle::cpu());
}
