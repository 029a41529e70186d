//! A batch whose gradients are not finite: `fit` names parameter, epoch and batch, or leaves the batch out and counts it; the model is
//! the one from before, on the host and where a device tells later.

use super::toy::numbers;
use elman::backend::Backend;
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::{BatchNorm, Built, Dense, Dropout, Layer, Module, Pass, Scope, Sequential, Value};
use elman::loss::MeanSquaredError;
use elman::metrics::MeanAbsoluteError;
use elman::model::Model;
use elman::optim::{Adam, Optimizer, Sgd};
use elman::training::callbacks::StopOnNan;
use elman::training::{Fit, History};
use elman::{Element, Result, Spec, Tensor};
use elman_candle::{Candle, candle_core::Device};
use elman_reference::Reference;

/// Divides by what is 0 for the input 1000, so that a batch with it goes astray.
#[derive(Clone, Debug)]
struct Trap;

impl<B: Backend> Layer<B> for Trap {
    fn kind(&self) -> &'static str {
        "trap"
    }

    fn build(&self, input: &Spec, _: &mut Scope<'_, B>) -> Result<Built<B>> {
        Ok(Built::new(self.clone(), input.numbers()?))
    }
}

impl<B: Backend> Module<B> for Trap {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let x = input.tensor(pass)?;
        let off = x.affine(1.0, -1000.0)?;
        Ok(x.mul(&off)?.div(&off)?.into())
    }
}

/// Numbers of which those at some places are the trap's.
fn data(n: usize, traps: &[usize]) -> Dataset {
    let number = |i: usize| if traps.contains(&i) { 1000.0 } else { (i as f32 * 0.7).sin() };
    let inputs = Inputs::dense((0..n).map(number).collect(), &[1]).unwrap();
    Dataset::new(inputs, Targets::values((0..n).map(|i| (i as f32).cos()).collect(), &[1]).unwrap()).unwrap()
}

fn model<B: Backend>(b: &B, optimizer: Optimizer<B>) -> Model<B> {
    let layers =
        Sequential::new().add(Trap).add(Dense::new(3)).add(BatchNorm::new()).add(Dropout::new(0.2)).add(Dense::new(1));
    let mut model = layers.build(b, Spec::dense(&[1]), 5).unwrap();
    model.compile(optimizer, MeanSquaredError).metric(MeanAbsoluteError::new());
    model
}

fn options<'a, B: Backend>() -> Fit<'a, B> {
    Fit::new().epochs(2).batch_size(2).shuffle(false).quiet()
}

/// Weights, running statistics, and the optimiser's state.
fn everything<B: Backend>(model: &Model<B>) -> Vec<String> {
    let state = model.optimizer().unwrap().state();
    let mut all: Vec<String> = numbers(model).iter().map(|weights| format!("{weights:?}")).collect();
    all.push(format!("{} {}", state.calls, state.iteration));
    for param in &state.params {
        all.push(format!("{} {}", param.name, param.updates));
        all.extend(param.arrays.iter().map(|(_, a)| format!("{:?}", model.backend().download(a).unwrap())));
    }
    all
}

fn fit_names_the_batch_and_leaves_the_model<B: Backend>(b: &B) {
    let adam = || Optimizer::new(Adam::new(0.05));
    // Rows 8 and 9 are batch 5; the three batches before it are all that is trained.
    let (mut astray, mut straight) = (model(b, adam()), model(b, adam()));
    let error = astray.fit(&data(14, &[9]), options()).unwrap_err().to_string();
    let words = "epoch 1, batch 5: step 5: the gradients of dense.kernel, dense.bias, batch_norm.gamma, batch_norm.beta and 2 \
                 other parameters are not finite (infinite or not a number): nothing was changed; ";
    assert!(error.starts_with(words), "{error}");
    straight.fit(&data(8, &[]), options().epochs(1)).unwrap();
    assert_eq!(everything(&astray), everything(&straight));
    // The streams of dropout are where they were, too.
    let losses = |model: &mut Model<B>| {
        let mut steps = super::toy::Steps::default();
        for batch in 0..3 {
            let rows = data(14, &[]).slice(2 * batch..2 * batch + 2).unwrap();
            let batch = elman::model::Batch::new(b, rows).unwrap();
            steps.0.push(model.train_step(&batch).unwrap().0.to_scalar().unwrap().to_f64());
        }
        steps.0
    };
    assert_eq!(losses(&mut astray), losses(&mut straight));
    // In a later epoch, and not from the first call on.
    let mut astray = model(b, adam());
    astray.fit(&data(14, &[]), options()).unwrap();
    let error = astray.fit(&data(14, &[0]), options()).unwrap_err().to_string();
    assert!(error.starts_with("epoch 3, batch 1: step 15: the gradients of "), "{error}");
}

fn fit_skips_and_counts<B: Backend>(b: &B) {
    let sgd = || Optimizer::new(Sgd::new(0.05).momentum(0.9));
    let mut skipping = model(b, sgd().skip_not_finite());
    // Batches 2 and 7, of one row less.
    let history = skipping.fit(&data(13, &[3, 12]), options()).unwrap();
    let counts: Vec<_> = history.epochs.iter().map(|log| (log.skipped, log.samples)).collect();
    assert_eq!(counts, [(2, 10), (2, 10)]);
    assert_eq!(skipping.optimizer().unwrap().skipped(), 4);
    for name in ["loss", "mean_absolute_error"] {
        assert!(history.series(name).iter().all(|value| value.is_finite()), "{history}");
    }
    assert!(numbers(&skipping).iter().flatten().all(|w| w.is_finite()), "running statistics too");
    let table = history.to_string();
    assert!(
        table.lines().next().unwrap().ends_with("  skipped") && table.lines().all(|line| line.len() < 100),
        "{table}"
    );

    // Nothing but such batches: no loss, no metric, and no change.
    let mut still = model(b, sgd().skip_not_finite());
    let before = numbers(&still);
    let history = still.fit(&data(2, &[0]), options().epochs(1)).unwrap();
    assert_eq!((history.epochs[0].skipped, history.epochs[0].samples), (1, 0));
    assert!(history.epochs[0].values.iter().all(|(_, value)| value.is_nan()));
    assert_eq!(numbers(&still), before);

    // A callback stops it, with the weights from before.
    let run = |fit: Fit<'_, B>, traps: &[usize]| -> (History, Vec<Vec<B::Elem>>) {
        let mut model = model(b, sgd().skip_not_finite());
        (model.fit(&data(8, traps), fit).unwrap(), numbers(&model))
    };
    let (history, weights) = run(options().epochs(1).callback(StopOnNan::every(1)), &[6]);
    assert_eq!(history.stopped.as_deref(), Some("the loss is NaN after batch 4 of epoch 1"));
    assert_eq!(weights, {
        let mut straight = model(b, sgd());
        straight.fit(&data(6, &[]), options().epochs(1)).unwrap();
        numbers(&straight)
    });
}

#[test]
fn fit_names_the_batch_and_leaves_the_model_on_the_host() {
    fit_names_the_batch_and_leaves_the_model(&Reference::<f64>::new());
    fit_names_the_batch_and_leaves_the_model(&Candle::cpu());
}

#[test]
fn fit_names_the_batch_and_leaves_the_model_where_a_device_tells_later() {
    fit_names_the_batch_and_leaves_the_model(&Candle::portable(Device::Cpu));
}

#[test]
fn fit_skips_and_counts_on_the_host() {
    fit_skips_and_counts(&Reference::<f64>::new());
    fit_skips_and_counts(&Candle::cpu());
}

#[test]
fn fit_skips_and_counts_where_a_device_tells_later() {
    fit_skips_and_counts(&Candle::portable(Device::Cpu));
}

/// What a checkpoint within an epoch has counted is not counted twice, nor lost.
#[test]
fn skipped_updates_are_counted_on_from_a_checkpoint() {
    use elman::checkpoint::Checkpoint;
    let folder = tempfile::tempdir().unwrap();
    let (b, path) = (Reference::<f64>::new(), folder.path().join("run.st"));
    let build = || model(&b, Optimizer::new(Adam::new(0.05)).skip_not_finite());
    let data = data(12, &[1, 11]);
    let mut whole = build();
    let every = Checkpoint::new(&path).every_steps(1).keep(99);
    let history = whole.fit(&data, options().checkpoint(every)).unwrap();
    assert_eq!(history.epochs.iter().map(|log| log.skipped).collect::<Vec<_>>(), [2, 2]);
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 12);
    for file in files {
        let mut resumed = build();
        let again = resumed.fit(&data, options().resume_from(&file)).unwrap();
        let counts =
            |history: &History| history.epochs.iter().map(|log| (log.skipped, log.samples)).collect::<Vec<_>>();
        assert_eq!(
            (counts(&again), everything(&resumed)),
            (counts(&history), everything(&whole)),
            "{}",
            file.display()
        );
    }
}

/// Whether and when what a device has seen is read makes no other training: with checkpoints or without, gone on with or not; where
/// skipped updates are amid accumulations too.
fn skipping_goes_on_from_every_step<B: Backend>(b: &B, every: usize) {
    use elman::checkpoint::Checkpoint;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.st");
    let build = || model(b, Optimizer::new(Adam::new(0.05)).skip_not_finite().accumulate(every).clip_global_norm(0.5));
    let data = data(14, &[0, 5, 11]);
    let mut whole = build();
    let history = whole.fit(&data, options()).unwrap();
    let counts = |history: &History| {
        history.epochs.iter().map(|log| format!("{} {} {:?}", log.skipped, log.samples, log.values)).collect::<Vec<_>>()
    };
    let mut watched = build();
    let again = watched.fit(&data, options().checkpoint(Checkpoint::new(&path).every_steps(1).keep(99))).unwrap();
    assert_eq!((counts(&again), everything(&watched)), (counts(&history), everything(&whole)), "with checkpoints");
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 14);
    for file in files {
        let mut resumed = build();
        let again = resumed.fit(&data, options().resume_from(&file)).unwrap();
        let found = (counts(&again), everything(&resumed));
        assert_eq!(found, (counts(&history), everything(&whole)), "{} from {}", b.name(), file.display());
    }
}

#[test]
fn skipping_goes_on_from_every_step_on_the_host() {
    [1, 3].into_iter().for_each(|every| skipping_goes_on_from_every_step(&Reference::<f64>::new(), every));
    [1, 3].into_iter().for_each(|every| skipping_goes_on_from_every_step(&Candle::cpu(), every));
}

#[test]
fn skipping_goes_on_from_every_step_where_a_device_tells_later() {
    [1, 3].into_iter().for_each(|every| skipping_goes_on_from_every_step(&Candle::portable(Device::Cpu), every));
}

/// Only here so that the trap is what it says.
#[test]
fn the_trap_is_one() {
    let b = Reference::<f64>::new();
    let y = model(&b, Sgd::new(0.1).into())
        .forward(Tensor::new(&b, vec![1000.0], &[1, 1]).unwrap(), elman::layers::Mode::Evaluation);
    assert!(y.unwrap().to_vec().unwrap()[0].is_nan());
}

/// Of the log of losses by update, a step that is left out has none where the host knows at once; where a device tells later it has
/// an entry in which nothing counts.
#[test]
fn a_skipped_step_has_no_loss() {
    fn losses<B: Backend>(b: &B) -> (Vec<bool>, u64) {
        let mut model = model(b, Optimizer::new(Sgd::new(0.1)).skip_not_finite());
        let history = model.fit(&data(8, &[3]), options().epochs(1).log_steps(1)).unwrap();
        (history.steps().map(|log| log.loss.is_finite()).collect(), history.epochs[0].skipped)
    }
    assert_eq!(losses(&Reference::<f64>::new()), (vec![true; 3], 1));
    assert_eq!(losses(&Candle::cpu()), (vec![true; 3], 1));
    assert_eq!(losses(&Candle::portable(Device::Cpu)), (vec![true, false, true, true], 1));
}
