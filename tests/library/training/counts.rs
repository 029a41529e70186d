//! Figures that must not depend on how samples are cut into batches, and what is left of a group of accumulated ones.

use super::toy::{R, classifier, numbers, points};
use elman::data::{ClassWeights, Dataset, Inputs, Targets};
use elman::init::Init;
use elman::layers::{Dense, Embedding, Sequential, Weight};
use elman::loss::{MeanSquaredError, SparseCategoricalCrossEntropy};
use elman::metrics::Accuracy;
use elman::model::Model;
use elman::optim::{Optimizer, Sgd};
use elman::training::Fit;
use elman::{Spec, Tensor};

/// A table of words as logits, `[[0, 0], [4, 0]]`, whose first is padding.
fn logits() -> Model<R> {
    let network = Sequential::new().add(Embedding::new(2, 2).padding(0));
    let mut model = network.build(&R::new(), Spec::Indices(None), 0).unwrap();
    let table = Tensor::new(&R::new(), vec![0.0, 0.0, 4.0, 0.0], &[2, 2]).unwrap();
    model.params_mut()[0].set_value(table.value().clone()).unwrap();
    model.compile(Sgd::new(0.0), SparseCategoricalCrossEntropy::from_logits()).metric(Accuracy::new());
    model
}

/// One text of 100 words, each labelled 1, and nine of one word, labelled 0.
///
/// A step labelled 1 costs `ln(1 + e⁴)` = 4.01815, one labelled 0 `ln(1 + e⁻⁴)` = 0.01815; over the 109 steps
/// (100 · 4.01815 + 9 · 0.01815) / 109 = 3.68787, of which 9 are right.
fn texts() -> Dataset {
    let rows: Vec<Vec<u32>> = (0..10).map(|row| (0..100).map(|i| u32::from(row == 0 || i == 0)).collect()).collect();
    let labels: Vec<Vec<u32>> = (0..10).map(|row| vec![u32::from(row == 0); 100]).collect();
    Dataset::new(Inputs::indices(&rows).unwrap(), Targets::classes_per_step(&labels).unwrap()).unwrap()
}

fn right() -> f64 {
    let [wrong, fine] = [4.0f64, -4.0].map(|z| z.exp().ln_1p());
    (100.0 * wrong + 9.0 * fine) / 109.0
}

#[test]
fn a_loss_is_a_mean_over_steps_whatever_the_batches() {
    for batch_size in [10, 5, 2, 1] {
        let scores = logits().evaluate(&texts(), batch_size).unwrap();
        assert!((scores.loss() - right()).abs() < 1e-12, "{} in batches of {batch_size}", scores.loss());
        assert!((scores.get("accuracy").unwrap() - 9.0 / 109.0).abs() < 1e-12);
        // In training too, and where it is read for early stopping.
        let fit = Fit::new().batch_size(batch_size).validation_data(&*DATA).quiet();
        let history = logits().fit(&texts(), fit).unwrap();
        for name in ["loss", "val_loss"] {
            let value = history.series(name)[0];
            assert!((value - right()).abs() < 1e-12, "{name} {value} in batches of {batch_size}");
        }
    }
}

static DATA: std::sync::LazyLock<Dataset> = std::sync::LazyLock::new(texts);

/// A class that the loss leaves out is no step either: the same numbers, with no mask.
#[test]
fn ignored_steps_are_none_whatever_the_batches() {
    let network = Sequential::new().add(Embedding::new(2, 2));
    let rows = vec![vec![1u32; 100]; 10];
    // 9 marks a step that is left out.
    let label = |row: usize, step: usize| if row == 0 { 1 } else { [0, 9][usize::from(step > 0)] };
    let labels: Vec<Vec<u32>> = (0..10).map(|row| (0..100).map(|step| label(row, step)).collect()).collect();
    let data = Dataset::new(Inputs::indices(&rows).unwrap(), Targets::classes_per_step(&labels).unwrap()).unwrap();
    for batch_size in [10, 5, 2, 1] {
        let mut model = network_of(&network);
        model.compile(Sgd::new(0.0), SparseCategoricalCrossEntropy::from_logits().ignore_class(9));
        let loss = model.evaluate(&data, batch_size).unwrap().loss();
        assert!((loss - right()).abs() < 1e-12, "{loss} in batches of {batch_size}");
    }
}

fn network_of(network: &Sequential<R>) -> Model<R> {
    let mut model = network.build(&R::new(), Spec::Indices(None), 0).unwrap();
    let table = Tensor::new(&R::new(), vec![0.0, 0.0, 4.0, 0.0], &[2, 2]).unwrap();
    model.params_mut()[0].set_value(table.value().clone()).unwrap();
    model
}

/// A bias for two classes at every step; a row of 4 steps (class 0), one of 1 step (class 1).
///
/// At a bias of 0 both probabilities are 1/2, so a step of class 0 has the gradient (-1/2, 1/2), one of class 1 the opposite. Over the
/// 5 steps that is (-4/2 + 1/2) / 5 = -0.3, and a step by the rate 1 leads to (0.3, -0.3).
#[test]
fn accumulated_batches_are_one_batch() {
    let still = Weight::new(Init::Zeros).frozen();
    let train = |batch_size, accumulate| {
        let network = Sequential::new().add(Dense::new(2).kernel(still.clone()));
        let mut model = network.build(&R::new(), Spec::Dense(vec![None, Some(1)]), 0).unwrap();
        let optimizer = Optimizer::new(Sgd::new(1.0)).accumulate(accumulate);
        model.compile(optimizer, SparseCategoricalCrossEntropy::from_logits());
        let mask = [[true; 4], [true, false, false, false]];
        let inputs = Inputs::dense(vec![1.0; 8], &[4, 1]).unwrap().with_mask(&mask).unwrap();
        let data = Dataset::new(inputs, Targets::classes_per_step(&[[0; 4], [1; 4]]).unwrap()).unwrap();
        model.fit(&data, Fit::new().batch_size(batch_size).shuffle(false).quiet()).unwrap();
        numbers(&model).pop().unwrap()
    };
    for (batch_size, accumulate) in [(2, 1), (1, 2)] {
        let bias = train(batch_size, accumulate);
        assert!((bias[0] - 0.3).abs() < 1e-12 && (bias[1] + 0.3).abs() < 1e-12, "{bias:?}");
    }
}

/// A bias alone on targets of 1, by squares: from `b` a step by the rate 1/4 leads to `b + (1 - b) / 2`.
#[test]
fn what_is_left_of_a_group_is_an_update_of_its_own() {
    let train = |accumulate, fits| {
        let network = Sequential::new().add(Dense::new(1).kernel(Weight::new(Init::Zeros).frozen()));
        let mut model = network.build(&R::new(), Spec::dense(&[1]), 0).unwrap();
        model.compile(Optimizer::new(Sgd::new(0.25)).accumulate(accumulate), MeanSquaredError);
        let data =
            Dataset::new(Inputs::dense(vec![1.0; 3], &[1]).unwrap(), Targets::values(vec![1.0; 3], &[1]).unwrap());
        let data = data.unwrap();
        for _ in 0..fits {
            model.fit(&data, Fit::new().batch_size(1).quiet()).unwrap();
        }
        let state = model.optimizer().unwrap().state();
        (numbers(&model)[1][0], state.iteration, state.accumulated)
    };
    // Two batches and the one left over: 0, 1/2, 3/4; another epoch begins with nothing summed: 7/8, 15/16.
    assert_eq!(train(2, 1), (0.75, 2, 0));
    assert_eq!(train(2, 2), (0.9375, 4, 0));
    // Fewer batches than are accumulated are an update, too.
    assert_eq!(train(8, 1), (0.5, 1, 0));
    assert_eq!(train(8, 3), (0.875, 3, 0));
}

/// At a rate of 0 on the same data both losses are one number. (`fit.rs` says otherwise of today's rule, in
/// `weighted_losses_are_divided_by_the_number_of_samples`.)
#[test]
fn class_weights_count_in_validation_as_in_training() {
    let data = points(16);
    let mut model = classifier(&R::new(), 1);
    model.compile(Sgd::new(0.0), SparseCategoricalCrossEntropy::new());
    let weights = ClassWeights::new([(0, 3.0), (1, 0.5)]).unwrap();
    let fit = Fit::new().batch_size(16).class_weights(weights).validation_data(&data).quiet();
    let history = model.fit(&data, fit).unwrap();
    assert!((history.series("loss")[0] - history.series("val_loss")[0]).abs() < 1e-12, "{history}");
}
