//! Several objectives: what is reported, whatever the batches; training, weights, accumulation.

use super::{Double, network, record, spec, texts};
use crate::common::near::{assert_near, numbers, scattered, tensor};
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::*;
use elman::loss::{BinaryCrossEntropy, MeanSquaredError, SparseCategoricalCrossEntropy, Target};
use elman::metrics::Accuracy;
use elman::model::{Batch, Objective};
use elman::optim::{Adam, Optimizer, Sgd};
use elman::{Backend, Fit, Model, Record, Spec};
use elman_candle::Candle;

fn objectives<B: Backend>() -> [Objective<B>; 2] {
    [
        Objective::new("topic", SparseCategoricalCrossEntropy::new()).metric(Accuracy::new()),
        Objective::new("size", MeanSquaredError).weight(0.25),
    ]
}

fn compiled<B: Backend>(b: &B, rate: f64) -> Model<B> {
    let mut model = network().build(b, spec(), 3).unwrap();
    model.compile_outputs(Sgd::new(rate), objectives());
    model
}

/// A tagger of every step with a verdict on the whole: two losses that are means over different numbers.
fn tagger<B: Backend>(b: &B) -> (Model<B>, Dataset) {
    let network = Graph::new()
        .node("table", Embedding::new(9, 4).table(Weight::default().l2(0.01)), "input")
        .node("read", Gru::new(5).return_sequences(), "table")
        .node("tags", Dense::new(3), "read")
        .node("pooled", GlobalAveragePooling, "read")
        .node("verdict", Dense::new(1).activation(elman::Activation::Sigmoid), "pooled")
        .outputs(["tags", "verdict"]);
    let mut model = network.build(b, Spec::Indices(None), 5).unwrap();
    model.compile_outputs(
        Sgd::new(0.0),
        [
            Objective::new("tags", SparseCategoricalCrossEntropy::from_logits().ignore_class(2))
                .metric(Accuracy::new()),
            Objective::new("verdict", BinaryCrossEntropy::new()).weight(2.0).metric(Accuracy::new()),
        ],
    );
    let words: Vec<Vec<u32>> =
        (0..12).map(|i| (0..1 + (i * 7) % 9).map(|step| ((i + step) % 9) as u32).collect()).collect();
    let tags: Vec<Vec<u32>> = words.iter().map(|text| text.iter().map(|word| word % 3).collect()).collect();
    let tags = Targets::classes_per_step(&tags).unwrap();
    let verdicts = Targets::classes((0..12).map(|i| (i % 2) as u32).collect()).unwrap();
    let targets = Targets::record([("tags", tags), ("verdict", verdicts)]).unwrap();
    (model, Dataset::new(Inputs::indices(&words).unwrap(), targets).unwrap())
}

/// The sum by hand, of the losses of each.
#[test]
fn the_loss_is_the_sum_by_weight() {
    let b = Double::new();
    let (model, data) = (compiled(&b, 0.1), texts(9));
    let found = model.evaluate(&data, 4).unwrap();
    let names: Vec<&str> = found.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["loss", "topic_loss", "topic_accuracy", "size_loss"]);
    let value = |name| found.get(name).unwrap();
    assert_near("loss", &[value("loss")], &[value("topic_loss") + 0.25 * value("size_loss")], 1e-12);
    // Of a network that has this output alone.
    let predictions = model.predict_outputs(data.inputs(), 4).unwrap();
    let p = predictions.get("topic").unwrap();
    let topics: Vec<f64> = p.rows().enumerate().map(|(i, row)| -f64::from(row[i % 3]).ln()).collect();
    assert_near("topic_loss", &[value("topic_loss")], &[topics.iter().sum::<f64>() / 9.0], 1e-6);
    let right = p.classes().unwrap().iter().enumerate().filter(|&(i, &class)| class == i % 3).count();
    assert_near("topic_accuracy", &[value("topic_accuracy")], &[right as f64 / 9.0], 1e-12);
}

/// Whatever the batches: each loss is a mean over its own rows, in `fit` and in `evaluate`.
#[test]
fn figures_do_not_depend_on_the_batch_size() {
    fn check<B: Backend>(b: &B, tolerance: f64) {
        let all = |size: usize| {
            let (mut model, data) = tagger(b);
            let evaluated: Vec<f64> = model.evaluate(&data, size).unwrap().iter().map(|(_, value)| value).collect();
            let history = model.fit(&data, Fit::new().batch_size(size).quiet()).unwrap();
            let fitted: Vec<f64> = history.epochs[0].values.iter().map(|(_, value)| *value).collect();
            [evaluated, fitted]
        };
        let expected = all(12)[0].clone();
        for size in [1, 2, 5, 12] {
            for found in all(size) {
                assert_near(&format!("batches of {size}"), &found, &expected, tolerance);
            }
        }
    }
    check(&Double::new(), 1e-12);
    check(&Candle::cpu(), 1e-6);
}

/// A step's gradients are those of the sum, taken by hand of one objective after the other.
#[test]
fn a_step_is_one_on_the_sum() {
    let b = Double::new();
    let data = texts(6);
    let mut model = compiled(&b, 0.5);
    let before = model.clone();
    model.train_step(&Batch::new(&b, data.clone()).unwrap()).unwrap();
    let of = |name: &str| {
        let mut own = before.clone();
        let [topic, size] = objectives();
        let one = if name == "topic" { topic } else { size };
        own.compile_outputs(Sgd::new(0.5), [one]);
        let targets = data.targets();
        let Targets::Record(parts) = targets else { panic!("no record") };
        let targets = Targets::record([(name, parts.get(name).unwrap().clone())]).unwrap();
        let data = Dataset::new(data.inputs().clone(), targets).unwrap();
        let loss = own.loss(&Batch::new(&b, data).unwrap(), Mode::Training(elman::Key::new(0))).unwrap().loss;
        let gradients = loss.backward().unwrap();
        let all: Vec<Vec<f64>> = own
            .params()
            .iter()
            .map(|param| match gradients.of(param.tensor()) {
                Some(gradient) => numbers(&gradient),
                None => vec![0.0; param.shape().elements()],
            })
            .collect();
        all
    };
    let (topic, size) = (of("topic"), of("size"));
    for (i, (param, old)) in model.params().iter().zip(before.params()).enumerate() {
        let expected: Vec<f64> =
            numbers(old.tensor()).iter().enumerate().map(|(j, w)| w - 0.5 * (topic[i][j] + size[i][j])).collect();
        assert_near(param.name(), &numbers(param.tensor()), &expected, 1e-12);
    }
}

/// An output without an objective is predicted, and not trained.
#[test]
fn an_output_may_be_left_out() {
    let b = Double::new();
    let mut model = network().build(&b, spec(), 3).unwrap();
    model.compile_outputs(Adam::new(0.05), [Objective::new("topic", SparseCategoricalCrossEntropy::new())]);
    let data = texts(9);
    let (inputs, targets, _) = data.into_parts();
    let Targets::Record(parts) = targets else { panic!("no record") };
    let targets = Targets::record([("topic", parts.get("topic").unwrap().clone())]).unwrap();
    let data = Dataset::new(inputs, targets).unwrap();
    let size =
        |model: &Model<Double>| numbers(model.params().iter().find(|p| p.name() == "size.kernel").unwrap().tensor());
    let error = model.fit(&data, Fit::new().quiet()).unwrap_err().to_string();
    assert!(error.starts_with("no gradient reached size.kernel, size.bias"), "{error}");
    model.freeze("size").unwrap();
    let before = size(&model);
    let history = model.fit(&data, Fit::new().epochs(30).batch_size(3).quiet()).unwrap();
    assert_eq!(size(&model), before);
    let loss = |epoch: usize| history.epochs[epoch].values[0].1;
    assert!(loss(29) < 0.7 * loss(0), "{} {}", loss(0), loss(29));
    assert_eq!(model.predict_outputs(data.inputs(), 4).unwrap().names().collect::<Vec<_>>(), ["topic", "size"]);
}

/// Sample weights weigh all outputs.
#[test]
fn sample_weights_weigh_every_output() {
    let b = Double::new();
    let model = compiled(&b, 0.1);
    let data = texts(3);
    let value = |data: &Dataset| model.evaluate(data, 3).unwrap().loss();
    let alone = [0, 1, 2].map(|i| value(&data.slice(i..i + 1).unwrap()));
    let weighted = data.with_weights(vec![2.0, 0.0, 0.5]).unwrap();
    assert_near("loss", &[value(&weighted)], &[(2.0 * alone[0] + 0.5 * alone[2]) / 3.0], 1e-12);
}

/// Batches that make one update in a loop of one's own: exact where all outputs count the same rows, an error where they do not.
#[test]
fn accumulated_batches_are_one_where_outputs_count_alike() {
    let b = Double::new();
    let data = texts(6);
    let stepped = |parts: &[std::ops::Range<usize>], every: usize| {
        let mut model = network().build(&b, spec(), 3).unwrap();
        model.compile_outputs(Optimizer::new(Sgd::new(0.5)).accumulate(every), objectives());
        for part in parts {
            model.train_step(&Batch::new(&b, data.slice(part.clone()).unwrap()).unwrap()).unwrap();
        }
        model.params().iter().flat_map(|param| numbers(param.tensor())).collect::<Vec<_>>()
    };
    assert_near("4 + 2", &stepped(&[0..4, 4..6], 2), &stepped(std::slice::from_ref(&(0..6)), 1), 1e-12);
    let (mut model, data) = tagger(&b);
    model.optimizer_mut().map(|optimizer| *optimizer = Optimizer::new(Sgd::new(0.5)).accumulate(2)).unwrap();
    // `fit` counts them before: see `weights`.
    let batch = Batch::new(&b, data.slice(0..4).unwrap()).unwrap();
    let error = model.train_step(&batch).unwrap_err().to_string();
    assert!(error.contains("accumulate: expected outputs whose losses are means over as many rows each"), "{error}");
}

/// A loop of one's own, on targets that are made by hand.
#[test]
fn a_loop_of_one_s_own_takes_records() {
    let b = Double::new();
    let mut model = compiled(&b, 0.5);
    let input = record([
        ("words", Value::Indices(b.upload_indices(vec![1, 2, 3, 4], [2, 2].into()).unwrap())),
        ("numbers", tensor(&b, &scattered(6, 1), &[2, 3]).into()),
    ]);
    let target = Record::new([
        ("size", Target::Values(tensor(&b, &[0.1, 0.9], &[2, 1]))),
        ("topic", Target::classes(vec![2, 0])),
    ]);
    let batch = Batch { input, target: Target::Record(target.unwrap()), weights: None, len: 2 };
    let losses: Vec<f64> = (0..20).map(|_| model.train_step(&batch).unwrap().0.to_scalar().unwrap()).collect();
    assert!(losses[19] < 0.8 * losses[0], "{losses:?}");
}
