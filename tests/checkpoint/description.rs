//! A model from its file alone.

use elman::checkpoint::{Checkpoint, Extras, PartialLoad};
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::*;
use elman::loss::{BinaryCrossEntropy, SparseCategoricalCrossEntropy};
use elman::metrics::Accuracy;
use elman::optim::{Adam, Optimizer, Schedule, Sgd};
use elman::training::History;
use elman::training::callbacks::EarlyStopping;
use elman::{Activation, Backend, Constraint, Fit, Init, Model, Registry, Result, Spec};
use elman_candle::Candle;
use elman_reference::Reference;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

type R = Reference<f32>;

/// Texts in, a class out, with much that a network can hold.
fn model<B: Backend>(b: &B) -> Model<B> {
    let vectors = (0..40).map(|i| f32::from(i as u8) / 16.0 - 1.0).collect();
    let words = Embedding::from_vectors(vectors, 4).unwrap().frozen().padding(0).word_dropout(0.1);
    let each = Sequential::new().add(Dense::new(3).activation(Activation::Gelu)).add(LayerNorm::new().epsilon(0.1));
    let network = Sequential::new()
        .add_named("words", words)
        .add(Bidirectional::new(Lstm::new(3).return_sequences().dropout(0.2).keras1()).merge(Merge::Average))
        .add(BatchNorm::new().momentum(0.5))
        .add(Gru::new(4).return_sequences().learned_state())
        .add(MultiHeadAttention::new(2, 2).causal())
        .add(TimeDistributed::new(each))
        .add(AdditiveAttention::new(3))
        .add(Dense::new(2).kernel(Weight::new(Init::HeNormal).l2(0.01).constraint(Constraint::MaxNorm(2.0))));
    let mut model = network.build(b, Spec::Indices(None), 3).unwrap();
    let optimizer = Optimizer::new(Adam::new(0.05)).schedule(Schedule::cosine(100, 0.1)).clip_global_norm(1.0);
    model.compile(optimizer, SparseCategoricalCrossEntropy::from_logits()).metric(Accuracy::new());
    model
}

fn texts() -> Inputs {
    Inputs::indices(&[[1, 2, 3, 0, 0], [9, 8, 7, 6, 5], [4, 4, 0, 0, 0], [2, 9, 2, 9, 0]]).unwrap()
}

fn data() -> Dataset {
    Dataset::new(texts(), Targets::classes(vec![0, 1, 1, 0]).unwrap()).unwrap()
}

/// The model after some training: batch normalisation has statistics, weights are not what they were drawn as.
fn trained<B: Backend>(b: &B) -> Model<B> {
    let mut model = model(b);
    model.fit(&data(), Fit::new().epochs(3).batch_size(2).quiet()).unwrap();
    model
}

fn bits<B: Backend>(model: &Model<B>) -> Vec<u32> {
    model.predict(&texts(), 3).unwrap().data().iter().map(|x| x.to_bits()).collect()
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    (folder, path)
}

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
        let this = "description::a_model_saved_by_one_program_answers_in_another";
        let mut other = Command::new(std::env::current_exe().unwrap());
        other.args(["--exact", this, "--nocapture"]).env("SAVED_MODEL", &path).env("SAVED_MODEL_BACKEND", backend);
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
    let mut loaded = Model::load(&R::new(), &path).unwrap();
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
    loaded.compiled_mut().unwrap().metric(Accuracy::new());
    assert_eq!(loaded.evaluate(&data(), 2).unwrap(), model.evaluate(&data(), 2).unwrap());
    // What is written of it is the file.
    let again = path.with_extension("again");
    loaded.save(&again).unwrap();
    assert_eq!(std::fs::read(again).unwrap(), std::fs::read(&path).unwrap());
}

#[test]
fn a_checkpoint_is_a_model_too_and_its_training_goes_on() {
    let (_folder, path) = folder();
    let mut model = trained(&R::new());
    model.save_checkpoint(&path, &History::default(), &Extras::new()).unwrap();
    let mut loaded = Model::load(&R::new(), &path).unwrap();
    loaded.compiled_mut().unwrap().metric(Accuracy::new());
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

/// A layer of a program's own, without a description and with one.
#[derive(Debug)]
struct Bare;

#[derive(Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Scale {
    by: f64,
}

macro_rules! layer {
    ($layer:ty, $kind:literal, $($describe:tt)*) => {
        impl<B: Backend> Layer<B> for $layer {
            fn kind(&self) -> &'static str {
                $kind
            }
            $($describe)*
            fn build(&self, input: &Spec, _: &mut Scope<'_, B>) -> Result<Built<B>> {
                Ok(Built::new(Activation::Relu, input.clone()))
            }
        }
    };
}
layer!(Bare, "bare",);
layer!(
    Scale,
    "scale",
    fn describe(&self) -> Result<Value> {
        elman::description::describe("scale", self)
    }
);

#[test]
fn what_cannot_be_described_is_refused_by_path() {
    let (_folder, path) = folder();
    let inner = Sequential::new().add(Bare).add_named("other", Bare);
    let network =
        Sequential::new().add(Dense::new(2)).add(Dense::new(2)).add_named("inner", TimeDistributed::new(inner));
    let model = network.build(&R::new(), Spec::dense(&[3, 2]), 0).unwrap();
    let message = model.save(&path).unwrap_err().to_string();
    let expected = "model: expected layers that all describe themselves, found layer `inner.sequential.bare`: description: \
        expected a kind that describes itself (its method `describe`), found `bare`";
    assert_eq!(message, expected);
    assert!(!path.exists());
    // Its weights are kept all the same.
    model.save_weights(&path).unwrap();
    network.build(&R::new(), Spec::dense(&[3, 2]), 1).unwrap().load_weights(&path).unwrap();
    let message = Model::load(&R::new(), &path).unwrap_err().to_string();
    assert!(message.contains("nothing about its network"), "{message}");
}

#[test]
fn a_program_s_own_kinds_are_read_once_it_says_so() {
    let (_folder, path) = folder();
    let network = Sequential::new().add_named("inner", Sequential::new().add(Dense::new(2)).add(Scale { by: 0.5 }));
    network.build(&R::new(), Spec::dense(&[2]), 0).unwrap().save(&path).unwrap();
    let message = Model::load(&R::new(), &path).unwrap_err().to_string();
    for part in [
        "layer `inner`: sequential, number 1: layer: expected a kind that the registry knows (activation, ",
        "found `scale`",
    ] {
        assert!(message.contains(part), "{message}");
    }
    let loaded = Registry::new().with_layer::<Scale>("scale").load(&R::new(), &path).unwrap();
    let scale = &loaded.describe().unwrap()["layers"][0]["layer"]["layers"][1];
    assert_eq!(scale.to_string(), r#"{"by":0.5,"kind":"scale"}"#);
}

/// A file of another program's, with this description of its network.
fn file(path: &Path, network: &Value, arrays: &[(&str, &[usize])]) {
    let zeros = vec![0; 4096];
    let view = |shape: &[usize]| {
        TensorView::new(Dtype::F32, shape.to_vec(), &zeros[..4 * shape.iter().product::<usize>()]).unwrap()
    };
    let arrays = arrays.iter().map(|(name, shape)| (*name, view(shape)));
    let metadata = HashMap::from([("elman.network".to_string(), network.to_string())]);
    safetensors::serialize_to_file(arrays, Some(metadata), path).unwrap();
}

const ARRAYS: [(&str, &[usize]); 2] = [("dense.bias", &[3]), ("dense.kernel", &[2, 3])];

fn dense(options: Value) -> Value {
    let mut layer = json!({ "kind": "dense", "units": 3 });
    layer.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    json!({ "input": { "dense": [2] }, "seed": 0, "network": { "kind": "sequential", "layers": [layer] } })
}

#[test]
fn nothing_is_drawn() {
    let (_folder, path) = folder();
    // A law that cannot be drawn from: the network cannot be built anew, and yet it can be loaded.
    let options = json!({ "kernel": { "init": { "uniform": { "low": 1.0, "high": 0.0 } } } });
    file(&path, &dense(options.clone()), &ARRAYS);
    let loaded = Model::load(&R::new(), &path).unwrap();
    assert_eq!(loaded.params()[0].tensor().to_vec().unwrap(), [0.0; 6]);
    let layer = Registry::<R>::new().read_layer(&dense(options)["network"]).unwrap();
    assert!(Model::new(&R::new(), &*layer, Spec::dense(&[2]), 0).is_err());
}

#[test]
fn wrong_files_are_told() {
    let (_folder, path) = folder();
    let mut units = dense(json!({}));
    units["network"]["layers"][0]["units"] = json!(1u64 << 40);
    let mut newer = dense(json!({}));
    newer["invented"] = json!(true);
    let two = [ARRAYS[0], ARRAYS[1], ("dense_1.bias", &[3][..])];
    for (network, arrays, expected) in [
        (
            dense(json!({ "unit": 3 })),
            &ARRAYS[..],
            "dense: expected options of its kind, by a library not newer than this, found unknown field `unit`",
        ),
        (dense(json!({ "units": "3" })), &ARRAYS, "dense: expected options of its kind"),
        (dense(json!({ "activation": "swiglu" })), &ARRAYS, "unknown variant `swiglu`"),
        (dense(json!({ "kind": 3 })), &ARRAYS, "description: expected an object with a `kind`, found {"),
        (dense(json!({ "units": 4 })), &ARRAYS, "of another shape: dense.kernel ([2, 3] for [2, 4])"),
        (dense(json!({ "units": 0 })), &ARRAYS, "layer `dense`: units: expected at least 1, found 0"),
        (units, &ARRAYS, "of another shape: dense.kernel"),
        (newer, &ARRAYS, "not the description of a network (unknown field `invented`"),
        (json!(7), &ARRAYS, "not the description of a network (invalid type"),
        (dense(json!({})), &ARRAYS[..1], "missing: dense.kernel"),
        (dense(json!({})), &two, "superfluous: dense_1.bias"),
        (
            json!({ "input": { "dense": [2] }, "seed": 0, "network": { "kind": "sequential", "layers": [] } }),
            &ARRAYS,
            "at least one layer",
        ),
    ] {
        file(&path, &network, arrays);
        let message = Model::load(&R::new(), &path).unwrap_err().to_string();
        assert!(message.contains(expected), "{network}: {message}");
        assert!(message.contains("model.safetensors: "), "{network}: {message}");
    }
}

/// A training that another program cannot go on with does not keep it from answering.
#[test]
fn an_unknown_loss_leaves_the_model_uncompiled() {
    let (_folder, path) = folder();
    let optimizer = Optimizer::<R>::new(Sgd::new(0.1)).describe().unwrap();
    for (optimizer, loss, known) in [
        (optimizer.clone(), json!({ "kind": "mine" }), false),
        (optimizer.clone(), json!({ "kind": "huber" }), false),
        (json!({ "kind": "optimizer", "rule": { "kind": "mine" } }), json!({ "kind": "hinge" }), false),
        (optimizer, json!({ "kind": "hinge" }), true),
    ] {
        let mut network = dense(json!({}));
        network["compiled"] = json!({ "optimizer": optimizer, "loss": loss });
        file(&path, &network, &ARRAYS);
        let model = Model::load(&R::new(), &path).unwrap();
        assert_eq!(model.optimizer().is_some(), known, "{network}");
        assert_eq!(model.predict(&Inputs::rows(&[[1.0, 2.0]]).unwrap(), 1).unwrap().data(), [0.0; 3]);
    }
}

/// A file's metadata changed, without checksums.
fn changed(path: &Path, change: impl FnOnce(&mut serde_json::Map<String, Value>)) {
    let bytes = std::fs::read(path).unwrap();
    let (header, arrays) = bytes[8..].split_at(u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize);
    let mut header: Value = serde_json::from_slice(header).unwrap();
    let metadata = header["__metadata__"].as_object_mut().unwrap();
    metadata.remove("elman.checksum");
    metadata.insert("elman.format".into(), "1".into());
    change(metadata);
    let mut header = header.to_string();
    header += &" ".repeat(header.len().next_multiple_of(8) - header.len());
    std::fs::write(path, [&(header.len() as u64).to_le_bytes(), header.as_bytes(), arrays].concat()).unwrap();
}

#[test]
fn files_from_before_load_where_the_program_has_the_code() {
    let (_folder, path) = folder();
    let trained = trained(&R::new());
    trained.save_checkpoint(&path, &History::default(), &Extras::new()).unwrap();
    changed(&path, |metadata| {
        metadata.remove("elman.network").unwrap();
        metadata.remove("elman.version").unwrap();
    });
    let mut again = model(&R::new());
    again.load_weights(&path).unwrap();
    assert_eq!(bits(&again), bits(&trained));
    let mut again = model(&R::new());
    again.load_checkpoint(&path).unwrap();
    assert_eq!(bits(&again), bits(&trained));
    let message = Model::load(&R::new(), &path).unwrap_err().to_string();
    assert!(message.contains("nothing about its network"), "{message}");
}

#[test]
fn of_newer_files_weights_are_read_and_what_is_unknown_is_told() {
    let (_folder, path) = folder();
    let trained = trained(&R::new());
    trained.save_checkpoint(&path, &History::default(), &Extras::new()).unwrap();
    changed(&path, |metadata| {
        metadata.insert("elman.version".into(), "999.0.0".into());
        metadata.insert("elman.invented".into(), "{}".into());
        for key in ["elman.network", "elman.training"] {
            let text = metadata[key].as_str().unwrap().replacen('{', "{\"invented\":1,", 1);
            metadata.insert(key.into(), text.into());
        }
    });
    let mut again = model(&R::new());
    again.load_weights(&path).unwrap();
    assert_eq!(bits(&again), bits(&trained));
    let by = format!("written by version 999.0.0 of the library, this is {}", env!("CARGO_PKG_VERSION"));
    for (error, what) in [
        (Model::load(&R::new(), &path).unwrap_err(), "not the description of a network (unknown field `invented`"),
        (again.load_checkpoint(&path).unwrap_err(), "not the state of a training (unknown field `invented`"),
    ] {
        let message = error.to_string();
        assert!(message.contains(what) && message.contains(&by), "{message}");
    }
    changed(&path, |metadata| drop(metadata.insert("elman.format".into(), "3".into())));
    for error in [Model::load(&R::new(), &path).unwrap_err(), again.load_weights(&path).unwrap_err()] {
        assert!(error.to_string().contains("version 3 of the layout, this library reads 1 and 2"), "{error}");
    }
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

/// Weights of a network with other options: refused where they would compute something else, by what differs.
#[test]
fn weights_of_another_network_are_refused_by_what_differs() {
    let (_folder, path) = folder();
    let build = |network: Sequential<R>| network.build(&R::new(), Spec::Dense(vec![None, Some(2)]), 0).unwrap();
    let one = |lstm: Lstm| build(Sequential::new().add(lstm).add(Dense::new(2).activation(Activation::Tanh)));
    one(Lstm::new(2)).save_weights(&path).unwrap();
    let normal = Weight::new(Init::Normal { mean: 0.0, std: 1.0 }).l2(0.1).constraint(Constraint::UnitNorm).frozen();
    // How it is trained does not matter.
    one(Lstm::new(2).dropout(0.5).recurrent_dropout(0.5).kernel(normal).init_by_gate().forget_bias(None).stateful())
        .load_weights(&path)
        .unwrap();
    let dropped = Sequential::new().add(SpatialDropout::new(0.1)).add(Lstm::new(2)).add(Dropout::new(0.5));
    build(dropped.add(Dense::new(2).activation(Activation::Tanh))).load_weights(&path).unwrap();
    let gated = |activation| one(Lstm::new(2).gate_activation(activation));
    let in_file = "(\"sigmoid\" in the file)";
    for (mut model, expected) in [
        (one(Lstm::new(2).reverse()), "another network: `lstm`: reverse true (false in the file)".to_string()),
        (
            gated(Activation::HardSigmoid),
            format!("another network: `lstm`: gate_activation \"hard_sigmoid\" {in_file}"),
        ),
        (one(Lstm::new(2).return_sequences()), "`lstm`: return_sequences true (false in the file)".into()),
        (one(Lstm::new(3)), "`lstm`: units 3 (2 in the file)".into()),
        (build(Sequential::new().add_named("lstm", Gru::new(2))), "`lstm`: gru (lstm in the file)".into()),
        (build(Sequential::new().add(Lstm::new(2))), "`dense` (in the file alone)".into()),
        (
            build(Sequential::new().add(Lstm::new(2)).add(Dense::new(2).activation(Activation::Tanh)).add(Glu)),
            "`glu` (not in the file)".into(),
        ),
        (
            build(Sequential::new().add(Lstm::new(2)).add(Dense::new(2))),
            "`dense`: activation \"linear\" (\"tanh\" in the file)".into(),
        ),
    ] {
        let message = model.load_weights(&path).unwrap_err().to_string();
        assert!(message.contains(&expected), "{message}");
    }
    // Whoever means it says so.
    one(Lstm::new(2).reverse()).load_weights_partial(&path, &PartialLoad::new()).unwrap();
}

#[test]
fn a_loss_of_a_program_s_own_leaves_the_model_uncompiled() {
    let (_folder, path) = folder();
    let mut model = Sequential::new().add(Dense::new(1)).build(&R::new(), Spec::dense(&[2]), 0).unwrap();
    model.compile(
        Optimizer::new(Sgd::new(0.1)).schedule(Schedule::by_function("own", |_| 1.0)),
        BinaryCrossEntropy::new(),
    );
    model.save(&path).unwrap();
    assert!(Model::load(&R::new(), &path).unwrap().optimizer().is_none());
}
