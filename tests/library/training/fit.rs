//! `fit` and `evaluate` on small cases whose numbers can be worked out by hand.

use super::toy::{R, Spy, Steps, classifier, network, numbered, numbers, points, watched};
use elman::data::{ClassWeights, Dataset, Inputs, Targets};
use elman::layers::{Dense, Dropout, Sequential, Weight};
use elman::loss::{MeanSquaredError, SparseCategoricalCrossEntropy};
use elman::metrics::Accuracy;
use elman::model::Model;
use elman::optim::{Adam, Optimizer, Sgd};
use elman::training::Fit;
use elman::{Activation, Init, Spec};

/// The mean of `-ln p_label` over samples, from the model's own predictions.
fn cross_entropy(model: &Model<R>, data: &Dataset) -> f64 {
    let predictions = model.predict(data.inputs(), 64).unwrap();
    let Targets::Classes { labels, .. } = data.targets() else { panic!("no classes") };
    let each = predictions.rows().zip(labels).map(|(row, &label)| -f64::from(row[label as usize]).ln());
    each.sum::<f64>() / labels.len() as f64
}

#[test]
fn the_validation_split_takes_the_last_fraction() {
    let (spy, data) = (Spy::default(), numbered(10));
    let mut model = watched(&R::new(), &spy);
    model.compile(Sgd::new(0.01), SparseCategoricalCrossEntropy::new()).metric(Accuracy::new());
    let fit = Fit::new().epochs(3).batch_size(3).validation_split(0.2).quiet();
    let history = model.fit(&data, fit).unwrap();

    let mut seen: Vec<f64> = spy.take().into_iter().take(3).flatten().collect();
    seen.sort_by(f64::total_cmp);
    assert_eq!(seen, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    let names: Vec<&str> = history.epochs[0].values.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["loss", "accuracy", "val_loss", "val_accuracy"]);
    let numbers: Vec<u64> = history.epochs.iter().map(|epoch| epoch.epoch).collect();
    assert_eq!((numbers, history.epochs[0].samples), (vec![1, 2, 3], 8));
    assert_eq!((history.series("val_loss").len(), &history.stopped), (3, &None));

    // What validation gave after the last epoch is what evaluation of the last two samples gives now.
    let scores = model.evaluate(&data.slice(8..10).unwrap(), 3).unwrap();
    assert_eq!(history.last().unwrap().get("val_loss"), Some(scores.loss()));
    assert_eq!(history.last().unwrap().get("val_accuracy"), scores.get("accuracy"));
}

#[test]
fn validation_data_take_precedence_over_a_split() {
    let (data, other) = (points(20), points(30));
    let mut model = classifier(&R::new(), 0);
    let fit = Fit::new().validation_split(0.5).validation_data(&other).quiet();
    let history = model.fit(&data, fit).unwrap();
    assert_eq!(history.epochs[0].samples, 20);
    assert_eq!(history.series("val_loss"), [model.evaluate(&other, 32).unwrap().loss()]);
}

#[test]
fn shuffling_takes_each_epoch_in_another_order() {
    let (spy, data) = (Spy::default(), numbered(10));
    let in_order: Vec<f64> = (0..10).map(f64::from).collect();
    let mut model = watched(&R::new(), &spy);
    model.fit(&data, Fit::new().batch_size(4).shuffle(false).quiet()).unwrap();
    let batches = spy.take();
    assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
    assert_eq!(batches.concat(), in_order);

    model.fit(&data, Fit::new().epochs(2).batch_size(4).quiet()).unwrap();
    let batches = spy.take();
    let (mut second, mut third) = (batches[..3].concat(), batches[3..].concat());
    assert!(second != in_order && second != third);
    second.sort_by(f64::total_cmp);
    third.sort_by(f64::total_cmp);
    assert!(second == in_order && third == in_order, "every sample once an epoch");
}

#[test]
fn the_last_batch_counts_by_its_size() {
    let data = points(5);
    let mut model = classifier(&R::new(), 3);
    model.compile(Sgd::new(0.0), SparseCategoricalCrossEntropy::new());
    let history = model.fit(&data, Fit::new().batch_size(4).quiet()).unwrap();
    // Predictions are rounded to f32.
    let by_hand = cross_entropy(&model, &data);
    assert!((history.epochs[0].get("loss").unwrap() - by_hand).abs() < 1e-6);
    for batch_size in [1, 2, 4, 5, 100] {
        assert!(
            (model.evaluate(&data, batch_size).unwrap().loss() - by_hand).abs() < 1e-6,
            "in batches of {batch_size}"
        );
    }
}

#[test]
fn class_weights_are_sample_weights_by_class() {
    let data = points(40);
    let Targets::Classes { labels, .. } = data.targets() else { panic!("no classes") };
    let each: Vec<f32> = labels.iter().map(|&label| if label == 1 { 5.0 } else { 1.0 }).collect();
    let given: Vec<f32> = (0..40).map(|i| 0.5 + (i % 3) as f32).collect();
    let both: Vec<f32> = each.iter().zip(&given).map(|(a, b)| a * b).collect();
    let run = |data: &Dataset, by_class: bool| {
        let (mut model, mut steps) = (classifier(&R::new(), 1), Steps::default());
        let mut fit = Fit::new().epochs(2).batch_size(16).validation_split(0.25).callback(&mut steps).quiet();
        if by_class {
            fit = fit.class_weights(ClassWeights::new([(1, 5.0)]).unwrap());
        }
        model.fit(data, fit).unwrap();
        (steps.0, numbers(&model))
    };
    let weighted = |weights: &[f32]| data.clone().with_weights(weights.to_vec()).unwrap();
    assert_eq!(run(&data, true), run(&weighted(&each), false));
    assert_eq!(run(&weighted(&given), true), run(&weighted(&both), false));
    assert_ne!(run(&data, true).0[0], run(&data, false).0[0]);
}

#[test]
fn weighted_losses_are_divided_by_the_number_of_samples() {
    let data = points(4);
    let mut model = classifier(&R::new(), 1);
    let loss = |row: usize| cross_entropy(&model, &data.select(&[row]).unwrap());
    let weights = [2.0, 0.0, 1.0, 0.5];
    let by_hand = (0..4).map(|row| f64::from(weights[row]) * loss(row)).sum::<f64>() / 4.0;
    let weighted = data.clone().with_weights(weights.to_vec()).unwrap();
    assert!((model.evaluate(&weighted, 4).unwrap().loss() - by_hand).abs() < 1e-6);
    // Class weights weigh validation as they weigh training, and no metric that is not asked to.
    let (plain, accuracy) = (model.evaluate(&data, 4).unwrap().loss(), model.evaluate(&weighted, 4).unwrap());
    assert_eq!(accuracy.get("accuracy"), model.evaluate(&data, 4).unwrap().get("accuracy"));
    model.compile(Sgd::new(0.0), SparseCategoricalCrossEntropy::new());
    let fit = Fit::new().class_weights(ClassWeights::new([(0, 3.0)]).unwrap()).validation_data(&data).quiet();
    let history = model.fit(&data, fit).unwrap();
    assert_eq!(history.series("val_loss"), history.series("loss"));
    assert!(history.series("loss")[0] > plain + 0.1);
}

/// Of the rows 0, 1, 2, 3 those that are right count for the sum of their weights, of all weights.
#[test]
fn weighted_metrics_count_rows_by_their_weights() {
    let data = points(4);
    let mut model = classifier(&R::new(), 1);
    let weights = [2.0, 0.0, 1.0, 0.5];
    let compiled = model.compile(Sgd::new(0.0), SparseCategoricalCrossEntropy::new());
    compiled.metric(Accuracy::new()).weighted_metric(Accuracy::new().named("weighted"));
    let right: Vec<f64> =
        (0..4).map(|row| model.evaluate(&data.select(&[row]).unwrap(), 1).unwrap().get("accuracy").unwrap()).collect();
    let by_hand = right.iter().zip(weights).map(|(right, weight)| right * f64::from(weight)).sum::<f64>() / 3.5;
    let plain = right.iter().sum::<f64>() / 4.0;
    assert!((by_hand - plain).abs() > 0.05, "weights that make no difference show nothing");
    let weighted = data.with_weights(weights.to_vec()).unwrap();
    for batch_size in [1, 3, 4] {
        let scores = model.evaluate(&weighted, batch_size).unwrap();
        assert!((scores.get("weighted").unwrap() - by_hand).abs() < 1e-12, "{scores}");
        assert_eq!(scores.get("accuracy"), Some(plain));
    }
}

#[test]
fn frozen_parameters_keep_their_bits_and_have_no_state() {
    let mut model = classifier(&R::new(), 2);
    model.freeze("dense").unwrap();
    let before = numbers(&model);
    model.fit(&points(20), Fit::new().epochs(2).quiet()).unwrap();
    let after = numbers(&model);
    // `dense_1` begins with the same letters and is another layer.
    assert!(before[..2] == after[..2] && before[2] != after[2] && before[3] != after[3]);
    let state = model.optimizer().unwrap().state();
    assert_eq!(state.params.iter().map(|p| &*p.name).collect::<Vec<_>>(), ["dense_1.kernel", "dense_1.bias"]);

    model.unfreeze("dense.bias").unwrap();
    model.fit(&points(20), Fit::new().quiet()).unwrap();
    assert!(numbers(&model)[0] == before[0] && numbers(&model)[1] != before[1]);
}

#[test]
fn penalties_of_trained_weights_are_part_of_the_loss() {
    let kernel = Weight::new(Init::GlorotUniform).l2(0.1);
    let network = Sequential::new().add(Dense::new(2).activation(Activation::Softmax).kernel(kernel));
    let (mut model, data) = (network.build(&R::new(), Spec::dense(&[2]), 0).unwrap(), points(10));
    model.compile(Sgd::new(0.0), SparseCategoricalCrossEntropy::new());
    let penalty = 0.1 * numbers(&model)[0].iter().map(|w| w * w).sum::<f64>();
    let by_hand = cross_entropy(&model, &data) + penalty;
    assert!(penalty > 0.01 && (model.evaluate(&data, 3).unwrap().loss() - by_hand).abs() < 1e-6);
    let history = model.fit(&data, Fit::new().batch_size(3).quiet()).unwrap();
    assert!((history.series("loss")[0] - by_hand).abs() < 1e-6);
    // As in Keras, what is frozen is not penalised.
    model.freeze("dense.kernel").unwrap();
    assert!((model.evaluate(&data, 3).unwrap().loss() - (by_hand - penalty)).abs() < 1e-6);
}

#[test]
fn fitting_twice_goes_on_where_the_first_ended() {
    let build = || {
        let network = Sequential::new().add(Dense::new(8)).add(Dropout::new(0.5)).add(Dense::new(2));
        let mut model = network.build(&R::new(), Spec::dense(&[2]), 9).unwrap();
        model.compile(Adam::new(0.01), SparseCategoricalCrossEntropy::from_logits());
        model
    };
    let (data, fit) = (points(30), |epochs| Fit::new().epochs(epochs).batch_size(8).quiet());
    let (mut once, mut twice) = (build(), build());
    let whole = once.fit(&data, fit(4)).unwrap();
    let mut parts = twice.fit(&data, fit(1)).unwrap();
    // Neither looking at the model nor training it for no time moves a random stream.
    twice.evaluate(&data, 7).unwrap();
    twice.predict(data.inputs(), 7).unwrap();
    assert_eq!(twice.fit(&data, fit(0)).unwrap().epochs, []);
    parts.epochs.extend(twice.fit(&data, fit(3)).unwrap().epochs);
    assert_eq!(whole.series("loss"), parts.series("loss"));
    assert_eq!(parts.epochs.iter().map(|epoch| epoch.epoch).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert_eq!(numbers(&once), numbers(&twice));
}

#[test]
fn evaluation_changes_nothing() {
    let (model, data) = (classifier(&R::new(), 4), points(33));
    let before = numbers(&model);
    let first = model.evaluate(&data, 8).unwrap();
    assert_eq!(first, model.evaluate(&data, 8).unwrap());
    assert!((first.loss() - cross_entropy(&model, &data)).abs() < 1e-6);
    assert_eq!(before, numbers(&model));
    assert!(model.optimizer().unwrap().state().params.is_empty());
    // The accuracy is that of the classes predicted.
    let Targets::Classes { labels, .. } = data.targets() else { panic!("no classes") };
    let classes = model.predict(data.inputs(), 5).unwrap().classes().unwrap();
    let right = classes.iter().zip(labels).filter(|(class, label)| **class == **label as usize).count();
    assert_eq!(first.get("accuracy"), Some(right as f64 / 33.0));
}

#[test]
fn a_regression_finds_its_line() {
    let xs: Vec<f32> = (0..40).map(|i| i as f32 / 20.0 - 1.0).collect();
    let ys = xs.iter().map(|x| 3.0 * x - 0.5).collect();
    let data = Dataset::new(Inputs::dense(xs, &[1]).unwrap(), Targets::values(ys, &[1]).unwrap()).unwrap();
    let mut model = Sequential::new().add(Dense::new(1)).build(&R::new(), Spec::dense(&[1]), 0).unwrap();
    model.compile(Sgd::new(0.3), MeanSquaredError);
    model.fit(&data, Fit::new().epochs(60).batch_size(10).quiet()).unwrap();
    // The data are exact but for f32's rounding, so gradient descent converges to them.
    let [kernel, bias] = &numbers(&model)[..] else { panic!("two parameters") };
    assert!((kernel[0] - 3.0).abs() < 1e-5 && (bias[0] + 0.5).abs() < 1e-5, "{kernel:?} {bias:?}");
}

#[test]
fn a_run_that_diverged_is_refused_or_reported() {
    let diverged = |optimizer: Optimizer<R>| {
        let mut model = classifier(&R::new(), 0);
        model.compile(optimizer, SparseCategoricalCrossEntropy::new()).metric(Accuracy::new());
        let nan = elman::Tensor::full(&R::new(), &[2, 4], f64::NAN).unwrap();
        model.params_mut()[0].set_value(nan.value().clone()).unwrap();
        model.fit(&points(20), Fit::new().epochs(2).validation_split(0.5).quiet())
    };
    let error = diverged(Adam::new(0.05).into()).unwrap_err().to_string();
    assert!(error.starts_with("epoch 1, batch 1: step 1: the gradients of dense.kernel, dense.bias, "), "{error}");
    let history = diverged(Optimizer::new(Adam::new(0.05)).skip_not_finite()).unwrap();
    for name in ["loss", "accuracy", "val_loss", "val_accuracy"] {
        assert!(history.series(name).iter().all(|value| value.is_nan()), "{name}: {history}");
    }
}

#[test]
fn models_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    let (model, data) = (network().build(&R::new(), Spec::dense(&[2]), 0).unwrap(), points(9));
    shared(&model);
    let here = model.predict(data.inputs(), 4).unwrap();
    let there = std::thread::scope(|scope| scope.spawn(|| model.predict(data.inputs(), 9).unwrap()).join().unwrap());
    assert_eq!(here, there);
}
