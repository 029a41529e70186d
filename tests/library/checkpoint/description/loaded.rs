//! What comes back from a file.

use super::{R, bits, data, folder, model, texts, trained};
use elman::checkpoint::{Checkpoint, Extras};
use elman::metrics::{Accuracy, Average, F1, Metric, Scores};
use elman::training::History;
use elman::training::callbacks::EarlyStopping;
use elman::{Backend, Fit, Model};
use elman_candle::Candle;
use elman_reference::Reference;
use std::path::Path;
use std::process::Command;

/// What the program says that has nothing but a file and a backend: the bits of its predictions, the classes by name.
fn answer<B: Backend>(b: &B, path: &Path) -> String {
    let model = Model::load(b, path).unwrap();
    let names: Vec<String> = Extras::read(path).unwrap().get("classes").unwrap();
    let classes = model.predict(&texts(), 3).unwrap().classes().unwrap();
    let classes: Vec<&str> = classes.into_iter().map(|class| names[class].as_str()).collect();
    format!("answer {:?} {classes:?}", bits(&model))
}

/// The other program is this one, started anew on this test, which then only answers.
#[test]
fn a_model_saved_by_one_program_answers_in_another() {
    if let (Some(path), Ok(backend)) = (std::env::var_os("SAVED_MODEL"), std::env::var("SAVED_MODEL_BACKEND")) {
        let path = Path::new(&path);
        println!("{}", if backend == "candle" { answer(&Candle::cpu(), path) } else { answer(&R::new(), path) });
        return;
    }
    fn check<B: Backend>(b: &B, backend: &str) {
        let (_folder, path) = folder();
        let model = trained(b);
        model.save_with(&path, &Extras::new().with("classes", &["grain", "trade"]).unwrap()).unwrap();
        let expected = model.predict(&texts(), 3).unwrap().classes().unwrap();
        let expected: Vec<_> = expected.into_iter().map(|class| ["grain", "trade"][class]).collect();
        let expected = format!("answer {:?} {expected:?}", bits(&model));
        // Without the test binary's own name.
        let (_, module) = module_path!().split_once("::").unwrap();
        let this = format!("{module}::a_model_saved_by_one_program_answers_in_another");
        let mut other = Command::new(std::env::current_exe().unwrap());
        other.args(["--exact", &this, "--nocapture"]).env("SAVED_MODEL", &path).env("SAVED_MODEL_BACKEND", backend);
        let said = String::from_utf8(other.output().unwrap().stdout).unwrap();
        assert!(said.contains(&expected), "{said}\n{expected}");
    }
    check(&R::new(), "reference");
    check(&Candle::cpu(), "candle");
}

#[test]
fn a_loaded_model_is_the_model() {
    let (_folder, path) = folder();
    let mut model = trained(&R::new());
    model.freeze("gru").unwrap();
    model.save(&path).unwrap();
    let loaded = Model::load(&R::new(), &path).unwrap();
    assert_eq!(loaded.describe().unwrap(), model.describe().unwrap());
    assert_eq!((loaded.input(), loaded.output(), loaded.seed()), (model.input(), model.output(), model.seed()));
    assert_eq!(loaded.summary(), model.summary());
    let asked = |model: &Model<R>| -> Vec<_> {
        let asked =
            |p: &elman::Param<R>| (p.is_trainable(), p.regularizer(), p.constraint(), p.tensor().to_vec().unwrap());
        model.params().iter().map(asked).collect()
    };
    assert_eq!(asked(&loaded), asked(&model));
    assert_eq!(loaded.optimizer().unwrap().describe().unwrap(), model.optimizer().unwrap().describe().unwrap());
    // The loss that takes the numbers for logits came along.
    assert_eq!(loaded.predict(&texts(), 2).unwrap().read_as(), model.predict(&texts(), 2).unwrap().read_as());
    assert_eq!(loaded.evaluate(&data(), 2).unwrap(), model.evaluate(&data(), 2).unwrap());
    // What is written of it is the file.
    let again = path.with_extension("again");
    loaded.save(&again).unwrap();
    assert_eq!(std::fs::read(again).unwrap(), std::fs::read(&path).unwrap());
}

/// A metric that does not say what it is.
#[derive(Clone, Debug)]
struct Own;

impl Metric for Own {
    fn name(&self) -> &str {
        "own"
    }

    fn reset(&mut self) {}

    fn update(&mut self, _: &Scores<'_>) -> elman::Result<()> {
        Ok(())
    }

    fn value(&self) -> f64 {
        1.0
    }

    fn boxed_clone(&self) -> Box<dyn Metric> {
        Box::new(self.clone())
    }
}

/// With their options, in their order, by weight or not; what is not described is left out.
#[test]
fn metrics_come_along() {
    let (_folder, path) = folder();
    let mut model = trained(&R::new());
    let compiled = model.compiled_mut().unwrap().weighted_metric(Accuracy::new().named("by_weight")).metric(Own);
    compiled.metric(F1::new(Average::Class(1)).threshold(0.3));
    let data = data().with_weights(vec![1.0, 5.0, 0.5, 2.0]).unwrap();
    let expected = model.evaluate(&data, 2).unwrap();
    model.save(&path).unwrap();
    let found = Model::load(&R::new(), &path).unwrap().evaluate(&data, 2).unwrap();
    let without: Vec<_> = expected.iter().filter(|(name, _)| *name != "own").collect();
    assert_eq!(found.iter().collect::<Vec<_>>(), without);
    assert_eq!(without.len(), 4);
    assert_ne!(found.get("by_weight"), found.get("accuracy"), "the weights tell them apart");
}

#[test]
fn a_checkpoint_is_a_model_too_and_its_training_goes_on() {
    let (_folder, path) = folder();
    let mut model = trained(&R::new());
    model.save_checkpoint(&path, &History::default(), &Extras::new()).unwrap();
    let mut loaded = Model::load(&R::new(), &path).unwrap();
    assert_eq!(bits(&loaded), bits(&model));
    loaded.load_checkpoint(&path).unwrap();
    for model in [&mut model, &mut loaded] {
        model.fit(&data(), Fit::new().epochs(2).batch_size(2).quiet()).unwrap();
    }
    assert_eq!(bits(&loaded), bits(&model));
}

#[test]
fn numbers_of_another_precision_are_converted() {
    let (_folder, path) = folder();
    trained(&R::new()).save(&path).unwrap();
    let loaded = Model::load(&Reference::<f64>::new(), &path).unwrap();
    let back = path.with_extension("f64");
    loaded.save(&back).unwrap();
    assert_eq!(bits(&Model::load(&R::new(), &back).unwrap()), bits(&trained(&R::new())));
}

#[test]
fn a_copy_goes_its_own_way() {
    let mut model = trained(&R::new());
    let mut copy = model.clone();
    let before = bits(&model);
    let fit = || Fit::new().epochs(2).batch_size(2).quiet();
    let history = copy.fit(&data(), fit()).unwrap();
    assert_eq!(bits(&model), before, "training the copy leaves the model as it was");
    assert_ne!(bits(&copy), before);
    // It went on as the model does: optimiser, counters and metrics are copied.
    let of_model = model.fit(&data(), fit()).unwrap();
    assert_eq!(bits(&model), bits(&copy));
    assert_eq!(of_model.epochs[1].values, history.epochs[1].values);
}

/// The best weights that `fit` puts back are what a file holds, saved or of the last checkpoint.
#[test]
fn the_best_weights_are_what_files_hold() {
    let (_folder, path) = folder();
    let mut best = model(&R::new());
    let stop = EarlyStopping::new("loss").patience(1).restore_best();
    // A rate that soon makes the loss greater.
    best.optimizer_mut().unwrap().set_learning_rate(0.6).unwrap();
    let checkpoint = path.with_extension("run");
    let fit = Fit::new().epochs(30).batch_size(2).callback(stop).checkpoint(Checkpoint::new(&checkpoint)).quiet();
    let history = best.fit(&data(), fit).unwrap();
    assert!(history.stopped.is_some(), "the loss never rose");
    best.save(&path).unwrap();
    for path in [&path, &checkpoint] {
        assert_eq!(bits(&Model::load(&R::new(), path).unwrap()), bits(&best));
    }
}
