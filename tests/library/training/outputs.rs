//! The compiled loss tells metrics, `classes` and `labels` what a model's numbers are: where yes begins, and whether a row has
//! one class or several labels.

use super::toy::R;
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::{Dense, Sequential};
use elman::loss::*;
use elman::metrics::*;
use elman::optim::Sgd;
use elman::{Activation, Backend, Model, Spec};
use elman_candle::Candle;

/// A model that gives what it is given.
fn identity<B: Backend>(b: &B, outputs: usize, loss: impl Loss<B> + 'static) -> Model<B> {
    let mut model = Sequential::new().add(Activation::Linear).build(b, Spec::dense(&[outputs]), 0).unwrap();
    model.compile(Sgd::new(0.1), loss);
    model
}

fn evaluate<B: Backend>(
    mut model: Model<B>,
    loss: impl Loss<B> + 'static,
    metrics: Vec<Box<dyn Metric>>,
    data: &Dataset,
) -> Vec<f64> {
    let compiled = model.compile(Sgd::new(0.1), loss);
    let names: Vec<String> = metrics.iter().map(|metric| metric.name().to_string()).collect();
    for metric in metrics {
        compiled.metric(Given(metric));
    }
    let found = model.evaluate(data, 2).unwrap();
    names.iter().map(|name| found.get(name).unwrap()).collect()
}

/// A metric in a box.
#[derive(Clone, Debug)]
struct Given(Box<dyn Metric>);

impl Metric for Given {
    fn name(&self) -> &str {
        self.0.name()
    }
    fn reset(&mut self) {
        self.0.reset();
    }
    fn update(&mut self, batch: &Scores<'_>) -> elman::Result<()> {
        self.0.update(batch)
    }
    fn value(&self) -> f64 {
        self.0.value()
    }
    fn boxed_clone(&self) -> Box<dyn Metric> {
        Box::new(self.clone())
    }
}

fn near(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
    }
}

/// Logits 0.3, 0.2, -0.3, 0.4 for 1, 1, 0, 1: all right, though none is above 1/2.
fn logits() -> Inputs {
    Inputs::rows(&[[0.3], [0.2], [-0.3], [0.4]]).unwrap()
}

#[test]
fn a_single_logit_or_margin_is_cut_at_0() {
    single(&R::new());
    single(&Candle::cpu());
}

fn single<B: Backend>(b: &B) {
    let right = || Targets::classes(vec![1, 1, 0, 1]).unwrap();
    let signs = || Targets::values(vec![1.0, 1.0, -1.0, 1.0], &[1]).unwrap();
    let metrics = || -> Vec<Box<dyn Metric>> {
        vec![
            Box::new(Accuracy::new()),
            Box::new(Precision::new(Average::Binary)),
            Box::new(Recall::new(Average::Binary)),
            Box::new(F1::new(Average::Macro)),
        ]
    };
    let all_right = |loss: Box<dyn Loss<B>>, targets: Targets| {
        let data = Dataset::new(logits(), targets).unwrap();
        let found = match loss.name() {
            "binary_crossentropy" => {
                evaluate(identity(b, 1, MeanSquaredError), BinaryCrossEntropy::from_logits(), metrics(), &data)
            }
            "hinge" => evaluate(identity(b, 1, MeanSquaredError), Hinge, metrics(), &data),
            _ => evaluate(identity(b, 1, MeanSquaredError), SquaredHinge, metrics(), &data),
        };
        near(&found, &[1.0; 4]);
    };
    all_right(Box::new(BinaryCrossEntropy::from_logits()), right());
    for targets in [right(), signs()] {
        all_right(Box::new(Hinge), targets.clone());
        all_right(Box::new(SquaredHinge), targets);
    }
    for model in
        [identity(b, 1, BinaryCrossEntropy::from_logits()), identity(b, 1, Hinge), identity(b, 1, SquaredHinge)]
    {
        assert_eq!(model.predict(&logits(), 3).unwrap().classes().unwrap(), [1, 1, 0, 1]);
    }
    // Probabilities, and what is not known, are cut at 1/2 as before.
    for model in [identity(b, 1, BinaryCrossEntropy::new()), identity(b, 1, MeanSquaredError)] {
        assert_eq!(model.predict(&logits(), 3).unwrap().classes().unwrap(), [0; 4]);
    }
}

#[test]
fn a_threshold_of_the_users_wins() {
    let b = R::new();
    let data = Dataset::new(logits(), Targets::classes(vec![1, 1, 0, 1]).unwrap()).unwrap();
    let metrics: Vec<Box<dyn Metric>> =
        vec![Box::new(Accuracy::new().threshold(0.25)), Box::new(Recall::new(Average::Binary).threshold(0.35))];
    let model = identity(&b, 1, MeanSquaredError);
    near(&evaluate(model, BinaryCrossEntropy::from_logits(), metrics, &data), &[0.75, 1.0 / 3.0]);
    let predictions = identity(&b, 1, Hinge).predict(&logits(), 4).unwrap();
    assert_eq!(predictions.threshold(0.25).classes().unwrap(), [1, 0, 0, 1]);
}

/// Targets 110, 100, 000 and outputs ++-, ++-, ---: of nine labels eight are right, of three rows two; two of the three
/// labels predicted are right... of three true ones all but none are found.
fn several(scale: &dyn Fn(f32) -> f32) -> Dataset {
    let outputs = [1.0, 1.0, -1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0].map(scale);
    let targets = Targets::values(vec![1., 1., 0., 1., 0., 0., 0., 0., 0.], &[3]).unwrap();
    Dataset::new(Inputs::dense(outputs.to_vec(), &[3]).unwrap(), targets).unwrap()
}

#[test]
fn several_labels_a_row_are_each_looked_at() {
    labels(&R::new());
    labels(&Candle::cpu());
}

fn labels<B: Backend>(b: &B) {
    let metrics = || -> Vec<Box<dyn Metric>> {
        let average = |average| -> [Box<dyn Metric>; 3] {
            [Box::new(Precision::new(average)), Box::new(Recall::new(average)), Box::new(F1::new(average))]
        };
        let mut metrics: Vec<Box<dyn Metric>> = vec![Box::new(Accuracy::new()), Box::new(Accuracy::exact_match())];
        for each in [Average::Micro, Average::Macro, Average::Weighted, Average::Samples] {
            metrics.extend(average(each));
        }
        metrics.push(Box::new(F1::new(Average::Class(1))));
        metrics
    };
    // Label 0: true 2, predicted 2, right 2; label 1: 1, 2, 1; label 2: 0, 0, 0.
    let expected = [
        8.0 / 9.0,
        2.0 / 3.0,
        // Micro: right 3, predicted 4, true 3.
        3.0 / 4.0,
        1.0,
        6.0 / 7.0,
        // Macro: over all three labels, also the one that never occurs.
        (1.0 + 0.5 + 0.0) / 3.0,
        (1.0 + 1.0 + 0.0) / 3.0,
        (1.0 + 2.0 / 3.0 + 0.0) / 3.0,
        // By how often a label is true: 2, 1, 0.
        (2.0 * 1.0 + 0.5) / 3.0,
        1.0,
        (2.0 * 1.0 + 2.0 / 3.0) / 3.0,
        // Rows: right 2, predicted 2, true 2; 1, 2, 1; nothing at all, which counts as 0 in scikit-learn.
        (1.0 + 0.5 + 0.0) / 3.0,
        (1.0 + 1.0 + 0.0) / 3.0,
        (1.0 + 2.0 / 3.0 + 0.0) / 3.0,
        2.0 / 3.0,
    ];
    let logits = several(&|sign| 0.4 * sign);
    near(&evaluate(identity(b, 3, MeanSquaredError), BinaryCrossEntropy::from_logits(), metrics(), &logits), &expected);
    near(&evaluate(identity(b, 3, MeanSquaredError), Hinge, metrics(), &logits), &expected);
    let probabilities = several(&|sign| 0.5 + 0.3 * sign);
    near(&evaluate(identity(b, 3, MeanSquaredError), BinaryCrossEntropy::new(), metrics(), &probabilities), &expected);

    let predictions = identity(b, 3, BinaryCrossEntropy::from_logits()).predict(logits.inputs(), 2).unwrap();
    assert_eq!(predictions.labels().unwrap(), [vec![0, 1], vec![0, 1], vec![]]);
    let says = "classes: expected one class a row (each output is a label of its own: `labels` gives the set of each row), found 3 labels a row";
    assert_eq!(predictions.classes().unwrap_err().to_string(), says);
    assert_eq!(predictions.threshold(0.4001).labels().unwrap(), vec![Vec::<usize>::new(); 3]);
    let classes = identity(b, 3, SparseCategoricalCrossEntropy::from_logits()).predict(logits.inputs(), 2).unwrap();
    assert_eq!(classes.classes().unwrap(), [0; 3]);
    let says = "labels: expected several labels a row, found one class a row: see `classes`";
    assert_eq!(classes.labels().unwrap_err().to_string(), says);
}

#[test]
fn what_has_no_meaning_for_several_labels_is_an_error() {
    let data = several(&|sign| sign);
    let message = |metric: Box<dyn Metric>| {
        let mut model = identity(&R::new(), 3, BinaryCrossEntropy::from_logits());
        model.compile(Sgd::new(0.1), BinaryCrossEntropy::from_logits()).metric(Given(metric));
        model.evaluate(&data, 2).unwrap_err().to_string()
    };
    let top = message(Box::new(TopK::new(2).unwrap()));
    assert_eq!(top, "top_k_categorical_accuracy: expected one class a row, found several labels a row");
    let binary = message(Box::new(F1::new(Average::Binary)));
    assert!(binary.starts_with("f1_score: expected one or two outputs for Average::Binary"), "{binary}");
    let pairs = message(Box::new(Auc::new().one_vs_one()));
    assert_eq!(pairs, "auc: expected one class a row for pairs of classes, found several labels a row");
    let Targets::Values { data: targets, .. } = data.targets() else { unreachable!() };
    let Inputs::Dense { data: outputs, .. } = data.inputs() else { unreachable!() };
    let scores =
        Scores { read_as: Outputs::Labels(Scale::Logits), ..Scores::new(outputs, 3, TargetsRef::Values(targets)) };
    let matrix = ConfusionMatrix::new(3).unwrap().update(&scores).unwrap_err().to_string();
    let expected = "one class a row (accuracy, precision, recall, F1 and AUC take several labels too)";
    assert_eq!(matrix, format!("confusion matrix: expected {expected}, found several labels a row"));
    // Where nobody said that they are labels, an argmax would see the first alone.
    let unsaid = Accuracy::new().update(&Scores::new(outputs, 3, TargetsRef::Values(targets))).unwrap_err().to_string();
    let expected = "one class a row (for several labels set Scores::read_as to Outputs::Labels)";
    assert_eq!(unsaid, format!("accuracy, row 0: expected {expected}, found several labels"));
    // And a row of one class has no samples' average.
    let samples =
        F1::new(Average::Samples).update(&Scores::new(outputs, 3, TargetsRef::Classes(&[0, 0, 0]))).unwrap_err();
    assert_eq!(
        samples.to_string(),
        "samples_f1_score: expected several labels a row for Average::Samples, found one class a row"
    );
}

/// Binary cross-entropy with class labels, or behind a softmax, is of one class a row.
#[test]
fn one_class_a_row_stays_so_with_binary_cross_entropy() {
    let b = R::new();
    let outputs = Inputs::rows(&[[0.9, 0.8, 0.1], [0.2, 0.9, 0.1]]).unwrap();
    let data = Dataset::new(outputs.clone(), Targets::classes(vec![0, 1]).unwrap()).unwrap();
    let metrics: Vec<Box<dyn Metric>> = vec![Box::new(Accuracy::new())];
    near(&evaluate(identity(&b, 3, MeanSquaredError), BinaryCrossEntropy::new(), metrics, &data), &[1.0]);
    let softmax = Sequential::new().add(Dense::new(3).activation(Activation::Softmax));
    let mut model = softmax.build(&b, Spec::dense(&[3]), 0).unwrap();
    model.compile(Sgd::new(0.1), BinaryCrossEntropy::new()).metric(Accuracy::new());
    let one_hot = Dataset::new(outputs.clone(), Targets::one_hot(&[0, 1], 3).unwrap()).unwrap();
    let classes = model.predict(&outputs, 2).unwrap().classes().unwrap();
    let right = classes.iter().zip([0, 1]).filter(|(found, class)| **found == *class).count();
    assert_eq!(model.evaluate(&one_hot, 2).unwrap().get("accuracy"), Some(right as f64 / 2.0));
}

/// A model that was read from a file knows no loss.
#[test]
fn without_a_loss_the_last_activation_tells_or_the_user() {
    let b = R::new();
    let predict =
        |network: Sequential<R>| network.build(&b, Spec::dense(&[1]), 0).unwrap().predict(&logits(), 4).unwrap();
    let linear = predict(Sequential::new().add(Activation::Linear));
    let expected =
        "a compiled model, whose loss says where yes begins, or a threshold (0 for logits, 0.5 for probabilities)";
    let says = format!("predictions: expected {expected}, found neither");
    assert_eq!(linear.classes().unwrap_err().to_string(), says);
    assert_eq!(linear.labels().unwrap_err().to_string(), says);
    assert_eq!(linear.threshold(0.0).classes().unwrap(), [1, 1, 0, 1]);
    let sigmoid = predict(Sequential::new().add(Activation::Sigmoid));
    assert_eq!(sigmoid.classes().unwrap(), [1, 1, 0, 1]);
    assert!(predict(Sequential::new().add(Dense::new(2))).classes().is_ok(), "the greatest output needs no threshold");
    let labels = predict(Sequential::new().add(Dense::new(2).activation(Activation::Sigmoid)));
    assert!(labels.classes().is_err() && labels.labels().is_ok());
}
