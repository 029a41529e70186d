//! What losses refuse, and what they say.

use super::cases::{Boxed, Double};
use crate::common::near::tensor;
use elman::layers::{Dense, Mode, Sequential};
use elman::loss::*;
use elman::model::Batch;
use elman::optim::Sgd;
use elman::{Activation, Backend, Result, Shape, Spec, Tensor};
use elman_candle::Candle;
use elman_reference::Reference;

#[test]
fn wrong_targets_weights_and_options_are_errors() {
    refuse(&Reference::<f64>::new());
    refuse(&Candle::cpu());
}

/// The message of what must be an error.
#[track_caller]
fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.unwrap_err().to_string()
}

fn refuse<B: Backend>(b: &B) {
    let y = tensor(b, &[0.2, 0.3, 0.5, 0.1, 0.8, 0.1], &[2, 3]);
    let single = tensor(b, &[0.2, 0.3], &[2, 1]);
    let refused = |loss: &dyn Loss<B>, y: &Tensor<B>, target: &Target<B>| message(mean(loss, y, target, None));
    let classes = |labels: &[u32]| Target::<B>::classes(labels.to_vec());

    // Labels out of range.
    let sparse = "sparse_categorical_crossentropy";
    for loss in [SparseCategoricalCrossEntropy::new(), SparseCategoricalCrossEntropy::from_logits().ignore_class(9)] {
        let expected = format!("{sparse}: expected labels below 3, found 3 in row 1");
        assert_eq!(refused(&loss, &y, &classes(&[0, 3])), expected);
    }
    let several: [&dyn Loss<B>; 3] = [&CategoricalCrossEntropy::new(), &CategoricalHinge, &BinaryCrossEntropy::new()];
    for loss in several {
        let expected = format!("{}: expected labels below 3, found 4 in row 0", loss.name());
        assert_eq!(refused(loss, &y, &classes(&[4, 3])), expected);
    }
    for loss in [&BinaryCrossEntropy::from_logits() as &dyn Loss<B>, &Hinge, &SquaredHinge] {
        let expected = format!("{}: expected labels 0 and 1 for a single output, found 2 in row 1", loss.name());
        assert_eq!(refused(loss, &single, &classes(&[1, 2])), expected);
    }

    // Shapes that do not go together: numbers, then labels, whose number may be right.
    let wide = Target::Values(tensor(b, &[0.0; 6], &[3, 2]));
    let of_numbers: [&dyn Loss<B>; 8] = [
        &BinaryCrossEntropy::new(),
        &CategoricalCrossEntropy::from_logits(),
        &Hinge,
        &SquaredHinge,
        &CategoricalHinge,
        &MeanSquaredError,
        &MeanAbsoluteError,
        &Huber::default(),
    ];
    for loss in of_numbers {
        let expected = format!("{}: expected targets of the predictions' shape [2, 3], found [3, 2]", loss.name());
        assert_eq!(refused(loss, &y, &wide), expected);
    }
    let of_labels: [&dyn Loss<B>; 3] =
        [&SparseCategoricalCrossEntropy::new(), &CategoricalCrossEntropy::new(), &CategoricalHinge];
    for loss in of_labels {
        let expected = format!(
            "{}: shapes [2, 3] and [3] do not go together (predictions are [.., classes] and labels [..])",
            loss.name()
        );
        assert_eq!(refused(loss, &y, &classes(&[0, 1, 2])), expected);
    }
    let steps = tensor(b, &[0.5; 6], &[2, 3, 1]);
    let turned = Target::Classes { labels: vec![0; 6].into(), shape: Shape::from([3, 2]) };
    for loss in [&BinaryCrossEntropy::new() as &dyn Loss<B>, &Hinge] {
        let expected = "shapes [2, 3, 1] and [3, 2] do not go together (predictions are [.., classes] and labels [..])";
        assert_eq!(refused(loss, &steps, &turned), format!("{}: {expected}", loss.name()));
    }

    // Targets of the wrong kind.
    let numbers = Target::Values(y.clone());
    let expected = format!("{sparse}: expected class labels as targets, found numbers");
    assert_eq!(refused(&SparseCategoricalCrossEntropy::new(), &y, &numbers), expected);
    for loss in [&MeanSquaredError as &dyn Loss<B>, &MeanAbsoluteError, &Huber::default()] {
        let expected = format!("{}: expected numbers as targets, found class labels", loss.name());
        assert_eq!(refused(loss, &single, &classes(&[0, 1])), expected);
    }

    // Where a label stands, if there are steps.
    let target = Target::Classes { labels: vec![0, 1, 1, 0, 1, 5].into(), shape: Shape::from([2, 3]) };
    let expected = "binary_crossentropy: expected labels 0 and 1 for a single output, found 5 in row 1, step 2";
    assert_eq!(refused(&BinaryCrossEntropy::new(), &steps, &target), expected);
    let expected = format!("{sparse}: expected labels below 2, found 5 in row 1, step 2");
    let pairs = tensor(b, &[0.5; 12], &[2, 3, 2]);
    assert_eq!(refused(&SparseCategoricalCrossEntropy::new(), &pairs, &target), expected);

    // As many weights as samples, or as steps.
    let values = Target::Values(steps.clone());
    let expected = "mean_absolute_error: expected 2 sample weights or 6, one a row, found 3";
    assert_eq!(message(mean(&MeanAbsoluteError, &steps, &values, Some(&[1.0; 3]))), expected);
    for weights in [&[][..], &[1.0], &[1.0; 6]] {
        let expected = format!("mean_squared_error: expected 2 sample weights, found {}", weights.len());
        assert_eq!(message(mean(&MeanSquaredError, &y, &numbers, Some(weights))), expected);
    }

    // Options.
    for part in [1.0, 1.5, -0.1, f64::NAN, f64::INFINITY] {
        let smoothing: [&dyn Loss<B>; 3] = [
            &BinaryCrossEntropy::new().label_smoothing(part),
            &CategoricalCrossEntropy::from_logits().label_smoothing(part),
            &SparseCategoricalCrossEntropy::new().label_smoothing(part),
        ];
        for loss in smoothing {
            let target = if loss.name() == sparse { classes(&[0, 1]) } else { numbers.clone() };
            let expected = format!("label smoothing: expected a number in [0, 1), found {part}");
            assert_eq!(refused(loss, &y, &target), expected);
        }
    }
    for delta in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let expected = format!("huber: expected a finite delta above 0, found {delta}");
        assert_eq!(refused(&Huber::new(delta), &y, &numbers), expected);
    }
}

/// A loss on logits after the activation that makes probabilities of them would take the softmax twice; a loss on probabilities
/// behind what gives none would clip nearly everything.
#[test]
fn a_last_activation_that_does_not_suit_the_loss_is_an_error() {
    use Activation::{Elu, HardSigmoid, Linear, LogSoftmax, Relu, Sigmoid, Softmax, Softplus, Tanh};
    let b = Reference::<f64>::new();
    let refused = |loss: &dyn Loss<Double>, last| message(loss.outputs().check_last(loss.name(), last));
    let takes = |loss: &dyn Loss<Double>, last| {
        assert!(loss.outputs().check_last(loss.name(), last).is_ok(), "{loss:?} {last}");
    };
    let logits: [Boxed<Double>; 2] =
        [Box::new(CategoricalCrossEntropy::from_logits()), Box::new(SparseCategoricalCrossEntropy::from_logits())];
    for loss in logits {
        for last in [Sigmoid, HardSigmoid, Softmax] {
            let expected = "logits, so a model that ends in a linear layer (or the loss on probabilities)";
            let expected = format!("{}: expected {expected}, found a model that ends in {last}", loss.name());
            assert_eq!(refused(&*loss, last), expected);
        }
        // Log-probabilities are logits of the same softmax.
        [Linear, Tanh, Relu, LogSoftmax].into_iter().for_each(|last| takes(&*loss, last));
    }
    let probabilities: [Boxed<Double>; 2] =
        [Box::new(CategoricalCrossEntropy::new()), Box::new(SparseCategoricalCrossEntropy::new())];
    for loss in probabilities {
        for last in [Linear, Tanh, Relu, Sigmoid, LogSoftmax, Elu(1.0)] {
            let expected = "probabilities of the classes, so a model that ends in softmax (or the loss `from_logits` behind a linear layer)";
            let expected = format!("{}: expected {expected}, found a model that ends in {last}", loss.name());
            assert_eq!(refused(&*loss, last), expected);
        }
        takes(&*loss, Softmax);
    }
    let binary = BinaryCrossEntropy::new();
    for last in [Linear, Tanh, Relu, LogSoftmax, Softplus] {
        let expected = "probabilities from 0 to 1, so a model that ends in sigmoid (or the loss `from_logits` behind a linear layer)";
        let expected = format!("binary_crossentropy: expected {expected}, found a model that ends in {last}");
        assert_eq!(refused(&binary, last), expected);
    }
    [Sigmoid, HardSigmoid, Softmax].into_iter().for_each(|last| takes(&binary, last));
    // What never lies on one side of 0 would say yes to all, or no.
    for loss in [&BinaryCrossEntropy::from_logits() as &dyn Loss<Double>, &Hinge, &SquaredHinge] {
        for last in [Sigmoid, HardSigmoid, Softmax, LogSoftmax, Relu, Softplus] {
            let expected =
                "logits or margins of both signs, so a model that ends in a linear layer (or a loss on probabilities)";
            let expected = format!("{}: expected {expected}, found a model that ends in {last}", loss.name());
            assert_eq!(refused(loss, last), expected);
        }
        [Linear, Tanh, Elu(1.0)].into_iter().for_each(|last| takes(loss, last));
    }
    // Whatever a model gives may be regressed.
    for last in [Linear, Tanh, Relu, Sigmoid, Softmax] {
        takes(&MeanSquaredError, last);
        takes(&Huber::default(), last);
    }
    // In a model, too: one whose last layer is the activation alone, and one whose last dense layer has it.
    let ends = [
        Sequential::new().add(Dense::new(3)).add(Activation::Softmax),
        Sequential::new().add(Dense::new(3).activation(Activation::Softmax)),
    ];
    for network in ends {
        let mut model = network.build(&b, Spec::dense(&[2]), 0).unwrap();
        model.compile(Sgd::new(0.1), SparseCategoricalCrossEntropy::from_logits());
        let input = tensor(&b, &[0.1, 0.2], &[1, 2]).into();
        let batch = Batch { input, target: Target::classes(vec![1]), weights: None, len: 1 };
        let message = message(model.loss(&batch, Mode::Evaluation));
        assert!(message.ends_with("found a model that ends in softmax"), "{message}");
    }
}
