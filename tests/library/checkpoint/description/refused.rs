//! What cannot be described, what no registry knows, files that say what cannot be.

use super::{R, folder};
use elman::data::Inputs;
use elman::layers::*;
use elman::loss::BinaryCrossEntropy;
use elman::optim::{Optimizer, Schedule, Sgd};
use elman::{Activation, Backend, Model, Registry, Result, Spec};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;

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
