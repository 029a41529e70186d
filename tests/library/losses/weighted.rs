//! The mean that is divided by the sum of the weights.

use crate::common::near::{assert_near, is_double, numbers, tensor, variable};
use elman::data::{ClassWeights, Dataset, Inputs, Targets};
use elman::layers::{Dense, Mask, Sequential, Weight};
use elman::loss::*;
use elman::optim::Sgd;
use elman::training::Fit;
use elman::{Activation, Backend, Spec};
use elman_candle::Candle;
use elman_reference::Reference;

fn divided_by_weights<B: Backend>(b: &B) {
    let near = |what: &str, found: f64, expected: f64| {
        assert_near(what, &[found], &[expected], if is_double::<B>() { 1e-15 } else { 1e-6 });
    };
    let y = variable(b, &[1.0, -2.0, 3.0], &[3, 1]);
    let target = Target::Values(tensor(b, &[0.0; 3], &[3, 1]));
    let loss = WeightedMean(MeanAbsoluteError);
    let value = |weights: Option<&[f32]>| mean(&loss, &y, &target, weights).unwrap();
    let scalar = |value: elman::Tensor<B>| numbers(&value)[0];
    near("weighted", scalar(value(Some(&[1.0, 0.5, 2.5]))), (1.0 + 1.0 + 7.5) / 4.0);
    // However large they are: how they compare is what counts. Without any it is the mean.
    near("larger", scalar(value(Some(&[100.0, 50.0, 250.0]))), 9.5 / 4.0);
    near("none", scalar(value(None)), 2.0);
    let none = value(Some(&[0.0; 3]));
    let gradient = none.backward().unwrap().of(&y).unwrap();
    assert_eq!((numbers(&none), numbers(&gradient)), (vec![0.0], vec![0.0; 3]));

    // Steps that are left out and rows that are ignored weigh nothing.
    let y = variable(b, &[1.0, 2.0, f64::NAN, 3.0], &[2, 2, 1]);
    let target = Target::Values(tensor(b, &[0.0; 4], &[2, 2, 1]));
    let mask = Mask::new(b, &[true, true, false, true], 2).unwrap();
    let masked = |weights: &[f32]| masked_mean(&loss, &y, &target, Some(weights), Some(&mask)).unwrap();
    near("masked, by sample", scalar(masked(&[1.0, 0.25])), (3.0 + 0.75) / 2.25);
    near("masked, by step", scalar(masked(&[1.0, 0.5, 7.0, 2.0])), (1.0 + 1.0 + 6.0) / 3.5);
    assert_eq!(scalar(masked(&[0.0, 0.0])), 0.0);
    let y = tensor(b, &[-1.0, -2.0, -4.0, -8.0, -3.0, -5.0], &[3, 2]);
    let nll = WeightedMean(NegativeLogLikelihood::new().ignore_class(7));
    let found = mean(&nll, &y, &Target::classes(vec![0, 7, 1]), Some(&[1.0, 9.0, 0.5])).unwrap();
    near("ignored", scalar(found), (1.0 + 2.5) / 1.5);
    let found = mean(&nll, &y, &Target::classes(vec![7, 7, 7]), Some(&[1.0, 9.0, 0.5])).unwrap();
    assert_eq!(scalar(found), 0.0);
}

#[test]
fn a_weighted_mean_is_divided_by_its_weights() {
    divided_by_weights(&Reference::<f64>::new());
    divided_by_weights(&Reference::<f32>::new());
    divided_by_weights(&Candle::cpu());
}

/// All that the loss says of itself, it says of the weighted mean of it, and of the stable form, too.
#[test]
fn a_weighted_mean_is_the_loss_otherwise() {
    type B = Reference<f64>;
    let loss = WeightedMean(SparseCategoricalCrossEntropy::new().ignore_class(3));
    let stable = Loss::<B>::before(&loss, Activation::Softmax).unwrap();
    assert!(Loss::<B>::before(&loss, Activation::Linear).is_none());
    for loss in [&loss as &dyn Loss<B>, &*stable] {
        assert_eq!((loss.name(), loss.ignored()), ("sparse_categorical_crossentropy", Some(3)));
        assert_eq!(loss.reduction(), Reduction::Weights);
    }
    assert_eq!(Loss::<B>::outputs(&loss), Outputs::Class(Scale::Probabilities));
    assert_eq!(stable.outputs(), Outputs::Class(Scale::Logits));
    assert!(Loss::<B>::check_row(&WeightedMean(Hinge), &[2.0]).is_err());
}

/// PyTorch's `CrossEntropyLoss(weight=..)`, by `fit` with class weights: the logits are 0, so that a row's loss is ln 2, and
/// the rare class is right to move the weights by its share of all weights.
#[test]
fn fit_divides_by_the_class_weights() {
    let b = Reference::<f64>::new();
    let fitted = |loss: bool| {
        let zeros = Weight::zeros();
        let network = Sequential::new().add(Dense::new(2).kernel(zeros).activation(Activation::Softmax));
        let mut model = network.build(&b, Spec::dense(&[1]), 0).unwrap();
        let sparse = SparseCategoricalCrossEntropy::new();
        match loss {
            true => model.compile(Sgd::new(1.0), WeightedMean(sparse)),
            false => model.compile(Sgd::new(1.0), sparse),
        };
        let data =
            Dataset::new(Inputs::rows(&[[0.0]; 4]).unwrap(), Targets::classes(vec![0, 0, 0, 1]).unwrap()).unwrap();
        let weights = ClassWeights::new([(0, 1.0), (1, 5.0)]).unwrap();
        let history = model.fit(&data, Fit::new().epochs(1).batch_size(4).class_weights(weights).quiet()).unwrap();
        (history.series("loss")[0], numbers(model.params()[1].tensor()))
    };
    let near = |found: (f64, Vec<f64>), loss: f64, moved: f64| {
        assert_near("loss", &[found.0], &[loss], 1e-7);
        assert_near("bias", &found.1, &[-moved, moved], 1e-7);
    };
    // By weight 3/8 of class 0 and 5/8 of class 1; by rows the weights sum to 8 of 4.
    near(fitted(true), std::f64::consts::LN_2, 0.5 * (5.0 - 3.0) / 8.0);
    near(fitted(false), 2.0 * std::f64::consts::LN_2, 0.5 * (5.0 - 3.0) / 4.0);
}
