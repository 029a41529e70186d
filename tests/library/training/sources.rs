//! Batches from elsewhere than a data set: streams of a long text, a source of one's own.

use super::toy::{R, numbers};
use elman::backend::Backend;
use elman::checkpoint::Checkpoint;
use elman::data::{ClassWeights, Dataset, Epoch, HostBatch, Inputs, Order, Source, Stream, Targets};
use elman::layers::{Carry, Dense, Dropout, Embedding, Lstm, Mode, Sequential, Value};
use elman::loss::{MeanSquaredError, SparseCategoricalCrossEntropy};
use elman::metrics::Accuracy;
use elman::model::Model;
use elman::optim::{Adam, Sgd};
use elman::training::Fit;
use elman::training::callbacks::Callback;
use elman::{Activation, Error, Key, Result, Spec, Tensor};
use elman_candle::Candle;
use elman_reference::Reference;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

const WORDS: usize = 5;

/// A text of so many indices below [`WORDS`].
fn text(n: usize) -> Vec<u32> {
    let key = Key::new(5).named("text");
    (0..n as u64).map(|i| ((i % 3) as usize + key.below(i, 3)) as u32).collect()
}

fn stream(n: usize, rows: usize, steps: usize) -> Stream {
    Stream::new(text(n), rows, steps).unwrap()
}

/// A small language model.
fn language<B: Backend>(backend: &B) -> Model<B> {
    let network = Sequential::new()
        .add(Embedding::new(WORDS, 3))
        .add(Lstm::new(4).return_sequences().stateful())
        .add(Dropout::new(0.2))
        .add(Dense::new(WORDS).activation(Activation::Softmax));
    let mut model = network.build(backend, Spec::Indices(None), 1).unwrap();
    model.compile(Adam::new(0.02), SparseCategoricalCrossEntropy::new()).metric(Accuracy::new());
    model
}

fn batches(source: &dyn Source, order: &Order) -> Vec<HostBatch> {
    let epoch = source.epoch(order).unwrap();
    (0..epoch.batches()).map(|number| epoch.batch(number).unwrap()).collect()
}

fn rows(targets: &Targets) -> Vec<Vec<u32>> {
    match targets {
        Targets::Classes { labels, per_sample, .. } => labels.chunks(*per_sample).map(<[u32]>::to_vec).collect(),
        Targets::RaggedClasses(rows) => rows.rows().map(<[u32]>::to_vec).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_index_but_the_first_is_a_target_once() {
    for (n, streams, steps) in [(2, 1, 1), (10, 2, 3), (13, 3, 2), (14, 3, 2), (15, 3, 2), (6, 5, 9), (100, 7, 4)] {
        // Each index is its own place.
        let stream = Stream::new((0..n).collect(), streams, steps).unwrap();
        let batches = batches(&stream, &Order::new(Key::new(0), 0));
        let mut seen = Vec::new();
        let mut ends: Vec<Option<u32>> = vec![None; streams];
        for (number, batch) in batches.iter().enumerate() {
            let inputs = match batch.data.inputs() {
                Inputs::Indices { data, steps, .. } => data.chunks(*steps).map(<[u32]>::to_vec).collect(),
                Inputs::RaggedIndices(rows) => rows.rows().map(<[u32]>::to_vec).collect::<Vec<_>>(),
                other => panic!("{other:?}"),
            };
            assert_eq!((inputs.len(), batch.continues), (streams, number > 0));
            let targets = rows(batch.data.targets());
            for ((input, target), end) in inputs.iter().zip(&targets).zip(&mut ends) {
                assert_eq!(input.iter().map(|i| i + 1).collect::<Vec<_>>(), *target, "the next index is the target");
                assert!(input.len() <= steps);
                if let (Some(end), Some(first)) = (*end, input.first()) {
                    assert_eq!(*first, end, "a row goes on where it ended");
                }
                *end = target.last().copied().or(*end);
            }
            seen.extend(targets.concat());
        }
        seen.sort_unstable();
        assert_eq!(seen, (1..n).collect::<Vec<_>>(), "{n} indices, {streams} rows of {steps} steps");
    }
}

#[test]
fn what_a_stream_cannot_is_told() {
    let message = |result: Result<Stream>| result.unwrap_err().to_string();
    assert_eq!(message(Stream::new(text(9), 0, 3)), "stream: expected at least one row and one step, found 0 and 3");
    assert_eq!(message(Stream::new(text(4), 4, 3)), "stream: expected more indices than its 4 rows, found 4");
    let mut model = language(&R::new());
    let before = numbers(&model);
    let mut refused = |fit: Fit<'_, R>| model.fit(&stream(40, 2, 5), fit.quiet()).unwrap_err().to_string();
    let error = refused(Fit::new().shuffle(true));
    assert!(error.contains("expected `shuffle(false)`") && error.contains("training data"), "{error}");
    let error = refused(Fit::new().batch_size(3));
    assert!(error.contains("batches of its own 2 rows, found 3"), "{error}");
    assert!(refused(Fit::new().by_length(0)).contains("found `by_length`"));
    let error = refused(Fit::new().validation_split(0.1));
    assert!(error.contains("validation split: expected a data set in memory"), "{error}");
    assert!(error.contains("found a stream of 40 indices in 2 rows, 5 steps a batch"), "{error}");
    let large = Stream::new(vec![1, 2, 3, 9, 1, 2, 3], 2, 2).unwrap();
    let error = model.fit(&large, Fit::new().quiet()).unwrap_err().to_string();
    assert!(error.contains("batch 0") && error.contains("below 5"), "{error}");
    assert_eq!(numbers(&model), before, "nothing was trained");
}

/// The streams of a text with what a single one of it gives: state goes on, and counts are exact.
fn is_the_whole<B: Backend>(backend: &B) {
    let model = language(backend);
    let whole = model.evaluate(&stream(31, 1, 30), None).unwrap();
    for steps in [1, 4, 7, 30] {
        let cut = model.evaluate(&stream(31, 1, steps), None).unwrap();
        assert!((cut.loss() - whole.loss()).abs() < 1e-6, "{steps} steps: {cut} for {whole}");
        assert!((cut.get("accuracy").unwrap() - whole.get("accuracy").unwrap()).abs() < 1e-9);
    }
    assert_eq!(model.evaluate(&stream(31, 3, 4), 3).unwrap(), model.evaluate(&stream(31, 3, 4), None).unwrap());
}

#[test]
fn a_stream_in_pieces_has_the_loss_of_the_whole() {
    is_the_whole(&Reference::<f64>::new());
    is_the_whole(&Candle::cpu());
}

/// The batches of a stream, of which none goes on where another ended.
struct Apart(Stream);

struct ApartBatches<'a>(Box<dyn Epoch + 'a>);

impl Source for Apart {
    fn epoch(&self, order: &Order) -> Result<Box<dyn Epoch + '_>> {
        Ok(Box::new(ApartBatches(self.0.epoch(order)?)))
    }
    fn describe(&self) -> String {
        "pieces".into()
    }
}

impl Epoch for ApartBatches<'_> {
    fn batches(&self) -> usize {
        self.0.batches()
    }
    fn batch(&self, number: usize) -> Result<HostBatch> {
        Ok(HostBatch::new(self.0.batch(number)?.data))
    }
}

/// Where batches do not go on, a stateful layer begins anew, as one that is not stateful.
#[test]
fn state_goes_on_only_where_the_batch_does() {
    let build = |stateful: bool| {
        let lstm = Lstm::new(4).return_sequences();
        let network = Sequential::new()
            .add(Embedding::new(WORDS, 3))
            .add(if stateful { lstm.stateful() } else { lstm })
            .add(Dense::new(WORDS).activation(Activation::Softmax));
        let mut model = network.build(&R::new(), Spec::Indices(None), 1).unwrap();
        model.compile(Adam::new(0.02), SparseCategoricalCrossEntropy::new());
        model
    };
    let run = |stateful: bool, source: &dyn Source| {
        let mut model = build(stateful);
        let before = model.evaluate(source, None).unwrap().loss();
        let history = model.fit(source, Fit::new().epochs(2).quiet()).unwrap();
        (before, history.series("loss"), numbers(&model))
    };
    assert_eq!(run(true, &Apart(stream(60, 3, 4))), run(false, &stream(60, 3, 4)));
    assert_ne!(run(true, &stream(60, 3, 4)), run(false, &stream(60, 3, 4)));
}

/// A killed process: an error after so many steps.
struct Killed(u64);

impl<B: Backend> Callback<B> for Killed {
    fn on_batch_end(&mut self, _: u64, _: usize, _: &Tensor<B>, model: &mut Model<B>) -> Result<ControlFlow<String>> {
        match model.optimizer().unwrap().state().calls == self.0 {
            true => Err(Error::invalid("test", "a long life", "an end")),
            false => Ok(ControlFlow::Continue(())),
        }
    }
}

/// What is in a checkpoint, but for the times, and the checksums that depend on them: its header and its arrays' bytes.
fn content(path: &Path) -> (serde_json::Value, Vec<u8>) {
    fn blank(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Object(fields) => {
                if let Some(time) = fields.get_mut("training_time") {
                    *time = 0.into();
                }
                fields.values_mut().for_each(blank);
            }
            serde_json::Value::Array(values) => values.iter_mut().for_each(blank),
            _ => {}
        }
    }
    let bytes = std::fs::read(path).unwrap();
    let (length, rest) = bytes.split_at(8);
    let (header, arrays) = rest.split_at(u64::from_le_bytes(length.try_into().unwrap()) as usize);
    let mut header: serde_json::Value = serde_json::from_slice(header).unwrap();
    let metadata = header["__metadata__"].as_object_mut().unwrap();
    metadata.remove("elman.checksum").unwrap();
    let mut training = serde_json::from_str(metadata["elman.training"].as_str().unwrap()).unwrap();
    blank(&mut training);
    metadata.insert("elman.training".into(), training);
    (header, arrays.to_vec())
}

/// Killed at each step of a training and taken up from its last checkpoint, it leaves the file of the one that was not.
fn goes_on<B: Backend>(backend: &B) {
    let (folder, data, valid) = (tempfile::tempdir().unwrap(), stream(60, 3, 4), stream(33, 2, 5));
    let fit = |name: &str, every: u64| {
        let checkpoint = Checkpoint::new(folder.path().join(name)).every_steps(every);
        Fit::new().epochs(2).checkpoint(checkpoint).validation_data(&valid).quiet()
    };
    let (whole, killed) = (folder.path().join("whole.st"), folder.path().join("killed.st"));
    let history = language(backend).fit(&data, fit("whole.st", 2)).unwrap();
    assert_eq!(history.epochs[0].samples, 15, "five batches of three streams");
    for at in [3, 4, 7, 8, 9] {
        assert!(language(backend).fit(&data, fit("killed.st", 2).callback(Killed(at))).is_err());
        let again = language(backend).fit(&data, fit("killed.st", 2).resume_from(&killed)).unwrap();
        assert_eq!(again.series("val_loss"), history.series("val_loss"));
        assert!(content(&killed) == content(&whole), "killed at step {at} on {}", backend.name());
    }
}

#[test]
fn a_killed_training_over_a_stream_leaves_the_same_file() {
    goes_on(&Reference::<f64>::new());
    goes_on(&Candle::cpu());
}

#[test]
fn validation_in_between_changes_nothing() {
    let run = |valid: Option<&Stream>| {
        let mut model = language(&R::new());
        let fit = Fit::new().epochs(2).quiet();
        let history = match valid {
            Some(valid) => model.fit(&stream(60, 3, 4), fit.validation_data(valid)),
            None => model.fit(&stream(60, 3, 4), fit),
        };
        (history.unwrap().series("loss"), numbers(&model))
    };
    assert_eq!(run(None), run(Some(&stream(33, 2, 5))));
}

#[test]
fn a_checkpoint_goes_on_over_its_own_stream_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.st");
    let fit = |every| Fit::new().checkpoint(Checkpoint::new(&path).every_steps(every)).quiet();
    assert!(language(&R::new()).fit(&stream(60, 3, 4), fit(2).callback(Killed(3))).is_err());
    let other = |data: &dyn Source| {
        let result = language(&R::new()).fit(data, Fit::new().quiet().resume_from(&path));
        result.unwrap_err().to_string()
    };
    let error = other(&stream(60, 3, 5));
    assert!(error.contains("a stream of 60 indices in 3 rows, 4 steps a batch"), "{error}");
    assert!(error.contains("found \"a stream of 60 indices in 3 rows, 5 steps a batch"), "{error}");
}

/// Trained in three streams, a model goes on with one.
#[test]
fn a_model_of_streams_answers_one_at_a_time() {
    let mut model = language(&R::new());
    model.fit(&stream(60, 3, 4), Fit::new().quiet()).unwrap();
    let words = |words: &[u32]| {
        let backend = model.backend();
        Value::Indices(backend.upload_indices(words.to_vec(), [1, words.len()].into()).unwrap())
    };
    let whole = model.forward(words(&[1, 2, 3]), Mode::Evaluation).unwrap().to_vec().unwrap();
    let mut carry = Carry::new();
    model.forward_carried(words(&[1, 2]), &mut carry).unwrap();
    let last = model.forward_carried(words(&[3]), &mut carry).unwrap().to_vec().unwrap();
    assert_eq!(last, whole[2 * WORDS..]);
    let inputs = Inputs::indices(&[[1, 2, 3]]).unwrap();
    assert_eq!(model.predict(&inputs, 1).unwrap(), model.predict(&inputs, 1).unwrap());
}

/// The points of a data set in batches of four, made as they are asked for; what the third does is the test's.
struct Made {
    data: Dataset,
    third: fn() -> Result<()>,
}

/// Its batches, shuffled as `fit` shuffles a data set.
struct Batches<'a>(&'a Made, Box<dyn Epoch + 'a>);

impl Source for Made {
    fn epoch(&self, order: &Order) -> Result<Box<dyn Epoch + '_>> {
        Ok(Box::new(Batches(self, self.data.epoch(order)?)))
    }
    fn describe(&self) -> String {
        "points that are made".into()
    }
}

impl Epoch for Batches<'_> {
    fn batches(&self) -> usize {
        self.1.batches()
    }
    fn batch(&self, number: usize) -> Result<HostBatch> {
        if number == 2 {
            (self.0.third)()?;
        }
        self.1.batch(number)
    }
}

fn made(third: fn() -> Result<()>) -> Made {
    Made { data: super::toy::points(18), third }
}

/// A thread makes its batches, and does not change a bit of what the same data set gives; nor of a training that goes on.
#[test]
fn a_source_of_ones_own_is_trained_on_as_a_data_set() {
    let fit = || Fit::new().epochs(3).batch_size(4).class_weights(ClassWeights::new([(1, 2.0)]).unwrap()).quiet();
    let model = || super::toy::classifier(&R::new(), 3);
    let (mut of_data, mut of_source) = (model(), model());
    let history = of_data.fit(&super::toy::points(18), fit()).unwrap();
    let again = of_source.fit(&made(|| Ok(())), fit()).unwrap();
    let expected = (history.series("loss"), numbers(&of_data));
    assert_eq!((again.series("loss"), numbers(&of_source)), expected);
    assert_eq!(again.epochs[0].samples, 18);
    assert_eq!(
        of_data.evaluate(&super::toy::points(18), 18).unwrap().get("accuracy"),
        of_source.evaluate(&made(|| Ok(())), 4).unwrap().get("accuracy")
    );

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.st");
    let killed = fit().checkpoint(Checkpoint::new(&path).every_steps(1)).callback(Killed(8));
    assert!(model().fit(&made(|| Ok(())), killed).is_err());
    let mut resumed = model();
    let again = resumed.fit(&made(|| Ok(())), fit().resume_from(&path)).unwrap();
    assert_eq!((again.series("loss"), numbers(&resumed)), expected);
}

#[test]
fn errors_and_panics_of_a_source_come_up() {
    let fit = || Fit::new().batch_size(4).quiet();
    let mut model = super::toy::classifier(&R::new(), 3);
    let failing = made(|| Err(Error::invalid("points.tsv, line 9", "a point", "a line")));
    let error = model.fit(&failing, fit()).unwrap_err().to_string();
    assert_eq!(error, "points.tsv, line 9: expected a point, found a line");
    assert_eq!(model.optimizer().unwrap().state().calls, 2, "the batches before it were trained on");
    let error = model.evaluate(&failing, 4).unwrap_err().to_string();
    assert_eq!(error, "points.tsv, line 9: expected a point, found a line");
    let panicking = made(|| panic!("no third batch"));
    let panic = catch_unwind(AssertUnwindSafe(|| model.fit(&panicking, fit()))).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"no third batch"));
}

/// What cannot be looked at before training is looked at batch by batch.
#[test]
fn a_batch_that_does_not_fit_is_told_by_number() {
    let labels = (0..12).map(|i| if i == 9 { 7 } else { 0 }).collect();
    let (inputs, _, _) = super::toy::points(12).into_parts();
    let data = Dataset::new(inputs, Targets::classes(labels).unwrap()).unwrap();
    let made = Made { data, third: || Ok(()) };
    let mut model = super::toy::classifier(&R::new(), 3);
    let error = model.fit(&made, Fit::new().batch_size(4).shuffle(false).quiet()).unwrap_err().to_string();
    let expected = "points that are made, batch 2: targets, sample 1: expected a label below 2, found 7";
    assert_eq!(error, expected);
}

#[test]
fn numbers_as_targets_have_no_class_weights() {
    let inputs = Inputs::rows(&[[1.0], [2.0]]).unwrap();
    let data = Dataset::new(inputs, Targets::values(vec![1.0, 2.0], &[1]).unwrap()).unwrap();
    let mut model = Sequential::new().add(Dense::new(1)).build(&R::new(), Spec::dense(&[1]), 0).unwrap();
    model.compile(Sgd::new(0.1), MeanSquaredError);
    let fit = Fit::new().class_weights(ClassWeights::new([(0, 2.0)]).unwrap()).quiet();
    let error = model.fit(&Made { data, third: || Ok(()) }, fit).unwrap_err().to_string();
    assert!(error.contains("class weights: expected targets that are classes"), "{error}");
}

/// Texts of 1 to 9 words.
fn texts(n: u64) -> Dataset {
    let key = Key::new(9);
    let texts: Vec<Vec<u32>> = (0..n).map(|i| text(1 + key.below(i, 9))).collect();
    let labels = texts.iter().map(|text| (text.len() % 2) as u32).collect();
    Dataset::new(Inputs::indices(&texts).unwrap(), Targets::classes(labels).unwrap()).unwrap()
}

fn reader() -> Model<R> {
    let network = Sequential::new()
        .add(Embedding::new(WORDS, 2))
        .add(Lstm::new(2))
        .add(Dense::new(2).activation(Activation::Softmax));
    let mut model = network.build(&R::new(), Spec::Indices(None), 1).unwrap();
    model.compile(Adam::new(0.02), SparseCategoricalCrossEntropy::new());
    model
}

#[test]
fn batches_by_tokens_are_of_many_short_or_few_long_texts() {
    let data = texts(40);
    for by_length in [None, Some(0)] {
        let mut order = Order::new(Key::new(1), 0);
        (order.batch_tokens, order.by_length) = (Some(20), by_length);
        let batches = batches(&data, &order);
        assert_eq!(batches.iter().map(|batch| batch.data.len()).sum::<usize>(), 40);
        let padded = |batch: &HostBatch| batch.data.inputs().sample_shape()[0] * batch.data.len();
        assert!(batches.iter().all(|batch| padded(batch) <= 20));
        let most = batches.iter().map(|batch| batch.data.len()).max().unwrap();
        assert!(most > if by_length.is_some() { 4 } else { 2 }, "{most} texts, and of nine words two have room");
    }
    let folder = tempfile::tempdir().unwrap();
    let fit = |tokens| Fit::new().epochs(2).batch_tokens(tokens).by_length(0).quiet();
    let checkpoint = Checkpoint::new(folder.path().join("run.st")).every_steps(3).keep(9);
    let mut whole = reader();
    let history = whole.fit(&data, fit(20).checkpoint(checkpoint)).unwrap();
    let mut within = 0;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let mut resumed = reader();
        let again = resumed.fit(&data, fit(20).resume_from(&path)).unwrap();
        assert_eq!((again.series("loss"), numbers(&resumed)), (history.series("loss"), numbers(&whole)));
        if let Err(error) = reader().fit(&data, fit(21).resume_from(&path)) {
            assert!(error.to_string().contains("tokens a batch"), "{error}");
            within += 1;
        }
    }
    assert!(within > 1, "places in the middle of an epoch know what cut its batches");
    let tagged = Targets::classes_per_step(&[vec![1, 2], vec![3]]).unwrap();
    let tagged = Dataset::new(Inputs::indices(&[vec![1, 2], vec![3]]).unwrap(), tagged).unwrap();
    let error = language(&R::new()).fit(&tagged, fit(20)).unwrap_err().to_string();
    assert!(error.contains("batch_tokens") && error.contains("stateful"), "{error}");
}
