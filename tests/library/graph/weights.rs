//! What counts in several outputs: weights of samples, steps and classes of single ones, and updates of several batches.

use super::Double;
use crate::common::near::{assert_near, numbers};
use elman::checkpoint::Checkpoint;
use elman::data::{ClassWeights, Dataset, Inputs, Targets};
use elman::layers::*;
use elman::loss::{BinaryCrossEntropy, SparseCategoricalCrossEntropy, WeightedMean};
use elman::metrics::Accuracy;
use elman::model::{Batch, Objective};
use elman::optim::{Adam, Optimizer, Sgd};
use elman::{Activation, Backend, Fit, Model, Spec};
use elman_candle::{Candle, candle_core::Device};

/// Tags at every step and a verdict on the whole, with a penalty: means over different numbers of rows.
fn tagger<B: Backend>(b: &B, optimizer: impl Into<Optimizer<B>>, by_weight: bool) -> Model<B> {
    let network = Graph::new()
        .node("table", Embedding::new(9, 4).table(Weight::default().l2(0.01)).padding(0), "input")
        .node("read", Gru::new(5).return_sequences(), "table")
        .node("tags", Dense::new(3), "read")
        .node("pooled", GlobalAveragePooling, "read")
        .node("verdict", Dense::new(1).activation(Activation::Sigmoid), "pooled")
        .outputs(["tags", "verdict"]);
    let mut model = network.build(b, Spec::Indices(None), 5).unwrap();
    let tags = SparseCategoricalCrossEntropy::from_logits().ignore_class(2);
    let tags = if by_weight { Objective::new("tags", WeightedMean(tags)) } else { Objective::new("tags", tags) };
    let verdict = Objective::new("verdict", BinaryCrossEntropy::new()).weight(2.0);
    model.compile_outputs(optimizer, [tags.weighted_metric(Accuracy::new()), verdict.metric(Accuracy::new())]);
    model
}

const SAMPLES: usize = 12;

fn words() -> Vec<Vec<u32>> {
    (0..SAMPLES).map(|i| (0..1 + (i * 7) % 9).map(|step| 1 + ((i + step) % 8) as u32).collect()).collect()
}

fn tags() -> Vec<Vec<u32>> {
    words().iter().map(|text| text.iter().map(|word| word % 3).collect()).collect()
}

fn data() -> Dataset {
    let verdicts = Targets::classes((0..SAMPLES as u32).map(|i| i / 2 % 2).collect()).unwrap();
    let tags = Targets::classes_per_step(&tags()).unwrap();
    let targets = Targets::record([("tags", tags), ("verdict", verdicts)]).unwrap();
    Dataset::new(Inputs::indices(&words()).unwrap(), targets).unwrap()
}

/// The weight of each step, end to end; that of the first step of some samples is 0.
fn by_step() -> Vec<f32> {
    (0..words().concat().len()).map(|i| (i % 5) as f32 / 2.0).collect()
}

fn all<B: Backend>(model: &Model<B>) -> Vec<f64> {
    model.params().iter().flat_map(|param| numbers(param.tensor())).collect()
}

/// Updates of several batches are those of one batch of all their rows, however differently the outputs count: also the one that is left
/// over at the end of an epoch.
#[test]
fn accumulated_batches_are_one_batch() {
    fn check<B: Backend>(b: &B, tolerance: f64) {
        let weighted = data().with_weights_of("tags", by_step()).unwrap();
        for (data, by_weight) in [(data(), false), (weighted.clone(), false), (weighted, true)] {
            for (size, every) in [(4, 3), (5, 2), (1, 12), (3, 3)] {
                let mut found = tagger(b, Optimizer::new(Sgd::new(0.5)).accumulate(every), by_weight);
                found.fit(&data, Fit::new().epochs(2).batch_size(size).shuffle(false).quiet()).unwrap();
                let mut expected = tagger(b, Sgd::new(0.5), by_weight);
                expected.fit(&data, Fit::new().epochs(2).batch_size(size * every).shuffle(false).quiet()).unwrap();
                let what = format!("{every} batches of {size}, by weight: {by_weight}");
                assert_near(&what, &all(&found), &all(&expected), tolerance);
            }
        }
    }
    check(&Double::new(), 1e-12);
    // Sums of some dozen numbers in other orders.
    check(&Candle::cpu(), 2e-6);
    check(&Candle::portable(Device::Cpu), 2e-6);
}

/// What is reported does not depend on how many batches make an update, of a rate of 0.
#[test]
fn accumulated_batches_are_reported_as_others_are() {
    let b = Double::new();
    let fitted = |every: usize| {
        let mut model = tagger(&b, Optimizer::new(Sgd::new(0.0)).accumulate(every), false);
        let history = model.fit(&data(), Fit::new().batch_size(5).quiet()).unwrap();
        history.epochs[0].values.iter().map(|(_, value)| *value).collect::<Vec<_>>()
    };
    assert_near("three and one", &fitted(3), &fitted(1), 1e-12);
}

/// A training that is interrupted in the midst of an update counts what of it had run already.
#[test]
fn an_update_that_was_interrupted_goes_on() {
    fn check<B: Backend>(b: &B) {
        let model = || tagger(b, Optimizer::new(Adam::new(0.05)).accumulate(3), false);
        let fit = || Fit::new().epochs(2).batch_size(3).quiet();
        let folder = tempfile::tempdir().unwrap();
        let mut whole = model();
        let every = Checkpoint::new(folder.path().join("run.st")).every_steps(1).keep(100);
        whole.fit(&data(), fit().checkpoint(every)).unwrap();
        let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert_eq!(files.len(), 8);
        for file in files {
            let mut resumed = model();
            resumed.fit(&data(), fit().resume_from(&file)).unwrap();
            assert_eq!(all(&resumed), all(&whole), "{}", file.display());
        }
    }
    check(&Double::new());
    check(&Candle::cpu());
}

/// `Σ w loss / rows` of each output, of its own weights and those of all.
#[test]
fn weights_of_an_output_weigh_that_one() {
    let b = Double::new();
    let model = tagger(&b, Sgd::new(0.1), false);
    let of_samples: Vec<f32> = (0..SAMPLES).map(|i| i as f32 / 4.0).collect();
    let all: Vec<f32> = (0..SAMPLES).map(|i| 1.0 + (i % 2) as f32).collect();
    let given = data().with_weights_of("tags", by_step()).unwrap();
    let given = given.with_weights_of("verdict", of_samples.clone()).unwrap().with_weights(all.clone()).unwrap();

    let predicted = model.predict_outputs(data().inputs(), 5).unwrap();
    let (mut tags_loss, mut rows, mut steps, mut right, mut over) = (0.0, 0.0, 0, 0.0, 0.0);
    let longest = words().iter().map(Vec::len).max().unwrap();
    for (i, row) in tags().iter().enumerate() {
        for (t, &tag) in row.iter().enumerate() {
            let logits: Vec<f64> = predicted.get("tags").unwrap().data()[(i * longest + t) * 3..][..3]
                .iter()
                .map(|&x| f64::from(x))
                .collect();
            let sum: f64 = logits.iter().map(|x| x.exp()).sum();
            let weight = f64::from(by_step()[steps] * all[i]);
            steps += 1;
            if tag == 2 {
                continue;
            }
            rows += 1.0;
            tags_loss += weight * (sum.ln() - logits[tag as usize]);
            over += weight;
            let best = (0..3).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
            right += if best == tag as usize { weight } else { 0.0 };
        }
    }
    let verdict_loss: f64 = (0..SAMPLES)
        .map(|i| {
            let p = f64::from(predicted.get("verdict").unwrap().data()[i]);
            let loss = if i / 2 % 2 == 1 { -p.ln() } else { -(1.0 - p).ln() };
            f64::from(of_samples[i] * all[i]) * loss
        })
        .sum();
    let expected = [tags_loss / rows, right / over, verdict_loss / SAMPLES as f64];
    for size in [1, 5, 12] {
        let found = model.evaluate(&given, size).unwrap();
        let found = ["tags_loss", "tags_accuracy", "verdict_loss"].map(|name| found.get(name).unwrap());
        assert_near(&format!("batches of {size}"), &found, &expected, 1e-6);
    }
    // Samples keep theirs when they are chosen.
    let rows = [7, 2, 4];
    let some = given.select(&rows).unwrap();
    let begin = |row: usize| words()[..row].concat().len();
    let steps: Vec<f32> = rows.iter().flat_map(|&row| by_step()[begin(row)..begin(row + 1)].to_vec()).collect();
    assert_eq!(some.weights_of("tags"), Some(&steps[..]));
    assert_eq!(some.weights_of("verdict"), Some(&rows.map(|row| of_samples[row])[..]));
}

/// Blocks of padded texts lose the padding that a batch shares, and with it targets and weights of their steps.
#[test]
fn blocks_by_length_keep_the_weights_of_their_steps() {
    let b = Double::new();
    let longest = words().iter().map(Vec::len).max().unwrap();
    fn padded<T: Copy>(rows: &[Vec<T>], longest: usize, with: T) -> Vec<Vec<T>> {
        rows.iter().map(|row| [&row[..], &vec![with; longest - row.len()]].concat()).collect()
    }
    let (mut weights, mut rest) = (Vec::new(), &by_step()[..]);
    for row in words() {
        let own;
        (own, rest) = rest.split_at(row.len());
        weights.push(own.to_vec());
    }
    let tags = Targets::classes_per_step(&padded(&tags(), longest, 0)).unwrap();
    let Targets::Record(parts) = data().targets().clone() else { panic!("no record") };
    let targets = Targets::record([("tags", tags), ("verdict", parts.get("verdict").unwrap().clone())]).unwrap();
    let block = Dataset::new(Inputs::indices(&padded(&words(), longest, 0)).unwrap(), targets).unwrap();
    let block = block.with_weights_of("tags", padded(&weights, longest, 7.0).concat()).unwrap();
    let fitted = |data: &Dataset, fit: Fit<'_, Double>| {
        let mut model = tagger(&b, Sgd::new(0.0), false);
        let history = model.fit(data, fit.batch_size(5).quiet()).unwrap();
        history.epochs[0].values.iter().map(|(_, value)| *value).collect::<Vec<_>>()
    };
    let expected = fitted(&data().with_weights_of("tags", by_step()).unwrap(), Fit::new());
    assert_near("blocks", &fitted(&block, Fit::new()), &expected, 1e-12);
    assert_near("by length", &fitted(&block, Fit::new().by_length(0)), &expected, 1e-12);
}

/// Class weights of one output are the weights of its steps by their classes, in training and in validation.
#[test]
fn class_weights_of_an_output_weigh_that_one() {
    let b = Double::new();
    let weights = || ClassWeights::new([(0, 3.0), (1, 0.5)]).unwrap();
    let by_class: Vec<f32> = tags().concat().iter().map(|tag| [3.0, 0.5, 1.0][*tag as usize]).collect();
    let own: Vec<f32> = by_step().iter().zip(&by_class).map(|(step, class)| step * class).collect();
    let fitted = |data: &Dataset, fit: Fit<'_, Double>| {
        let mut model = tagger(&b, Sgd::new(0.5), false);
        let history = model.fit(data, fit.epochs(2).batch_size(5).quiet()).unwrap();
        let values: Vec<f64> = history.epochs[1].values.iter().map(|(_, value)| *value).collect();
        (all(&model), values)
    };
    for (plain, weighed) in [
        (data(), data().with_weights_of("tags", by_class).unwrap()),
        (data().with_weights_of("tags", by_step()).unwrap(), data().with_weights_of("tags", own).unwrap()),
    ] {
        let found = fitted(&plain, Fit::new().class_weights_of("tags", weights()).validation_data(&plain));
        let expected = fitted(&weighed, Fit::new().validation_data(&weighed));
        assert_near("weights", &found.0, &expected.0, 1e-13);
        assert_near("values", &found.1, &expected.1, 1e-13);
        assert!(fitted(&plain, Fit::new().validation_data(&plain)).0 != found.0, "they change nothing");
    }
    // Of two outputs each has its own.
    let both = Fit::new().class_weights_of("tags", weights());
    let both = both.class_weights_of("verdict", ClassWeights::new([(1, 2.0)]).unwrap());
    let verdicts = (0..SAMPLES).map(|i| 1.0 + (i / 2 % 2) as f32).collect();
    let by_class = tags().concat().iter().map(|tag| [3.0, 0.5, 1.0][*tag as usize]).collect();
    let weighed = data().with_weights_of("tags", by_class).unwrap().with_weights_of("verdict", verdicts).unwrap();
    assert_near("both", &fitted(&data(), both).0, &fitted(&weighed, Fit::new()).0, 1e-13);
}

#[test]
fn weights_of_what_is_not_there_are_errors() {
    let b = Double::new();
    let error = |result: elman::Result<Dataset>| result.unwrap_err().to_string();
    assert_eq!(
        error(data().with_weights_of("topic", vec![1.0; SAMPLES])),
        "sample weights of `topic`: record: expected a part `topic`, found parts tags, verdict"
    );
    let steps = words().concat().len();
    assert_eq!(
        error(data().with_weights_of("tags", vec![1.0])),
        format!(
            "sample weights of `tags`: expected a weight for each of the {SAMPLES} samples, or of their {steps} steps, \
             found 1 weights"
        )
    );
    assert!(error(data().with_weights_of("verdict", vec![1.0; steps])).ends_with(&format!("found {steps} weights")));
    let mut bad = by_step();
    bad[3] = -1.0;
    assert!(
        error(data().with_weights_of("tags", bad)).starts_with("sample weights of `tags`, step 3: expected a finite")
    );
    let single = Dataset::new(Inputs::rows(&[[1.0]]).unwrap(), Targets::classes(vec![0]).unwrap()).unwrap();
    assert!(error(single.with_weights_of("tags", vec![1.0])).contains("targets of several outputs"));

    let mut model = tagger(&b, Sgd::new(0.1), false);
    let weights = |class: u32| ClassWeights::new([(class, 2.0)]).unwrap();
    let mut error = |data: &Dataset, fit: Fit<'_, Double>| model.fit(data, fit.quiet()).unwrap_err().to_string();
    let names = "the name of an output that is trained: tags, verdict (`class_weights_of`)";
    let found = |found: &str| format!("class weights: expected {names}, found {found}");
    assert_eq!(error(&data(), Fit::new().class_weights(weights(1))), found("none"));
    assert_eq!(error(&data(), Fit::new().class_weights_of("topic", weights(1))), found("`topic`"));
    let beyond = error(&data(), Fit::new().class_weights_of("tags", weights(3)));
    assert_eq!(beyond, "class weights, class 3: expected a class below 3, found 3");
    let nothing = data().with_weights_of("tags", vec![0.0; SAMPLES]).unwrap();
    assert!(error(&nothing, Fit::new()).contains("output `tags`: training data: expected a sample weight above 0"));

    // Weights of an output that the model is not compiled for.
    let mut model = tagger(&b, Sgd::new(0.1), false);
    model.compile_outputs(Sgd::new(0.1), [Objective::new("verdict", BinaryCrossEntropy::new())]);
    let error = model.evaluate(&data().with_weights_of("tags", by_step()).unwrap(), 4).unwrap_err().to_string();
    assert!(error.ends_with("found some of `tags`"), "{error}");
    // One at a time they take what the batch says.
    let batch = Batch::new(&b, data().with_weights_of("verdict", vec![0.0; SAMPLES]).unwrap()).unwrap();
    let loss = model.loss(&batch, Mode::Evaluation).unwrap().loss.to_scalar().unwrap();
    let table = numbers(model.params()[0].tensor());
    assert_near("loss", &[loss], &[0.01 * table.iter().map(|x| x * x).sum::<f64>()], 1e-12);
}
