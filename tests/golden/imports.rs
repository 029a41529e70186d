//! Weights of a PyTorch and a Keras model, saved as their users save them, compute here what they compute there.

use crate::common::golden::{Golden, Reading};
use crate::common::near::{assert_near, is_double, numbers, tensor};
use elman::checkpoint::{Kind, LoadReport, Mapping};
use elman::layers::rnn::{CellKind, Rnn};
use elman::layers::{Bidirectional, Dense, Elman, Embedding, Gru, Layer, Lstm, Mode, Sequential, Value};
use elman::{Activation, Backend, Model, Result, Shape, Spec};
use elman_reference::Reference;
use safetensors::SafeTensors;
use std::cell::RefCell;
use std::path::PathBuf;

on_every_backend!();

/// Each layer by itself and both models as a whole.
fn check<B: Backend>(b: &B) {
    let golden = Golden::open("imports");
    let done = RefCell::new(Vec::new());
    golden.each(|case| {
        layer(b, case);
        done.borrow_mut().push(case.name().to_string());
    });
    let known = ["bidirectional", "dense", "embedding", "gru", "simple_rnn"].map(|layer| format!("keras_{layer}"));
    let known =
        known.into_iter().chain(["embedding", "gru", "linear", "lstm", "rnn"].map(|layer| format!("torch_{layer}")));
    assert_eq!(done.into_inner(), known.collect::<Vec<_>>());
    whole(b, &golden, "torch_state_dict", ["torch_embedding", "torch_linear"]);
    whole(b, &golden, "keras_weights", ["keras_embedding", "keras_dense"]);
}

/// The weights are numbers of `f32`, which every backend takes as they are, and inputs and outputs were computed from them
/// in double precision. So a backend of `f64` comes as near as with weights of its own, to some roundings, and for one of
/// `f32` only the inputs are rounded, and the sums of PyTorch's two biases.
fn tolerance<B: Backend>() -> f64 {
    if is_double::<B>() { 1e-12 } else { 1e-5 }
}

fn path(file: &str) -> PathBuf {
    crate::common::golden::file(file)
}

/// All names in one of the files, sorted.
fn names(file: &str) -> Vec<String> {
    let bytes = std::fs::read(path(file)).unwrap();
    let mut names: Vec<String> =
        SafeTensors::deserialize(&bytes).unwrap().names().into_iter().map(String::from).collect();
    names.sort();
    names
}

fn import<B: Backend>(model: &mut Model<B>, file: &str, mappings: &[Mapping]) -> Result<LoadReport> {
    match file {
        "torch_state_dict" => model.import_pytorch(path(file), mappings),
        "keras_weights" => model.import_keras(path(file), mappings),
        other => panic!("file {other}"),
    }
}

/// Numbers, or indices for an embedding.
fn input<B: Backend>(b: &B, numbers: &[f64], shape: &[usize]) -> Value<B> {
    match shape.len() {
        2 => {
            let indices = numbers.iter().map(|&index| index as u32).collect();
            Value::Indices(b.upload_indices(indices, Shape::new(shape).unwrap()).unwrap())
        }
        _ => Value::from(tensor(b, numbers, shape)),
    }
}

/// A layer with the weights that it had there. The library's defaults are the options of both models.
fn layer<B: Backend>(b: &B, case: &Reading<'_>) {
    let (file, prefix) = (case.text("file"), case.text("prefix"));
    let size = |which: &str| case.number(which) as usize;
    let (network, kind) = match case.kind() {
        "embedding" => {
            let layer = Embedding::new(size("words"), size("dimension"));
            let padding = case.option("padding_index").as_u64().map(|index| index as u32);
            let layer = padding.into_iter().fold(layer, Embedding::padding);
            (Sequential::new().add_named("own", layer), Kind::Embedding)
        }
        "linear" => {
            let layer = match case.text("activation") {
                "linear" => Dense::new(size("units")),
                "softmax" => Dense::new(size("units")).activation(Activation::Softmax),
                other => panic!("{}: activation {other}", case.name()),
            };
            (Sequential::new().add_named("own", layer), Kind::Linear)
        }
        "rnn" => (recurrent(case, "elman", Elman::new(size("units")).return_sequences()), Kind::Rnn),
        "lstm" => (recurrent(case, "lstm", Lstm::new(size("units")).return_sequences()), Kind::Lstm),
        "gru" => {
            assert!(case.is("reset_after"));
            (recurrent(case, "gru", Gru::new(size("units")).return_sequences()), Kind::Gru)
        }
        other => panic!("{}: kind {other}", case.name()),
    };
    let (data, shape) = case.tensor("input");
    let spec = if shape.len() == 2 { Spec::indices(shape[1]) } else { Spec::dense(&shape[1..]) };
    let mut model = network.build(b, spec, 0).unwrap();
    let layers = case.option("layers").as_u64().unwrap_or(1) as usize;
    let from = prefix.trim_end_matches(['.', '/']);
    let to = |layer| if layer == 0 { "own".to_string() } else { format!("own_{layer}") };
    let mappings: Vec<Mapping> = (0..layers).map(|layer| Mapping::new(from, to(layer), kind).layer(layer)).collect();
    let report = import(&mut model, file, &mappings).unwrap();
    let params: Vec<String> = model.params().iter().map(|param| param.name().to_string()).collect();
    assert_eq!((report.loaded, report.kept), (params, vec![]), "{}", case.name());
    let others = names(file).into_iter().filter(|name| !name.starts_with(prefix));
    assert_eq!(report.unused, others.collect::<Vec<_>>(), "{}", case.name());
    let y = model.forward(input(b, &data, &shape), Mode::Evaluation).unwrap();
    let (expected, shape) = case.tensor("output");
    assert_eq!(y.shape()[..], shape[..], "{}", case.name());
    assert_near(case.name(), &numbers(&y), &expected, tolerance::<B>());
}

/// As many layers as there are, called `own` and `own_1`, in one direction or both.
fn recurrent<B: Backend, C: CellKind>(case: &Reading<'_>, cell: &str, layer: Rnn<C>) -> Sequential<B> {
    assert_eq!((case.text("cell"), case.text("activation")), (cell, "tanh"), "{}", case.name());
    assert_eq!(case.option("recurrent_activation").as_str().unwrap_or("sigmoid"), "sigmoid", "{}", case.name());
    let options = (case.is("return_sequences"), case.is("return_state"), case.is("reverse"));
    assert_eq!(options, (true, false, false), "{}", case.name());
    let both = case.is("bidirectional");
    assert_eq!(case.option("merge").as_str(), both.then_some("concat"), "{}", case.name());
    (0..case.number("layers") as usize).fold(Sequential::new(), |network, number| {
        let name = if number == 0 { "own".to_string() } else { format!("own_{number}") };
        match both {
            true => network.add_named(name, Bidirectional::new(layer.clone())),
            false => network.add_named(name, layer.clone()),
        }
    })
}

/// All layers at once, from indices to the last output. Neither model masks its padding: PyTorch never does, and Keras only
/// where asked to.
fn whole<B: Backend>(b: &B, golden: &Golden, file: &str, [first, last]: [&str; 2]) {
    let stacked = if file == "torch_state_dict" { 2 } else { 1 };
    let mut network = Sequential::new().add(Embedding::new(11, 5));
    for _ in 0..stacked {
        network = network.add(Bidirectional::new(Lstm::new(4).return_sequences()));
    }
    let dense = if stacked == 2 { Dense::new(2) } else { Dense::new(2).activation(Activation::Softmax) };
    let network = network.add(Gru::new(3).return_sequences()).add(Elman::new(4).return_sequences()).add(dense);
    let case = |name: &str| golden.cases.iter().find(|case| case.name == name).unwrap();
    let (data, shape) = golden.tensor(case(first), "input").unwrap();
    let mut model = network.build(b, Spec::indices(shape[1]), 0).unwrap();
    let report = import(&mut model, file, &mappings(file)).unwrap();
    assert_eq!((report.kept.len(), report.unused.len()), (0, 0), "{file}: all is loaded");
    let y = model.forward(input(b, &data, &shape), Mode::Evaluation).unwrap();
    let (expected, shape) = golden.tensor(case(last), "output").unwrap();
    assert_eq!(y.shape()[..], shape[..], "{file}");
    assert_near(file, &numbers(&y), &expected, tolerance::<B>());
}

/// Where the layers of a whole model come from.
fn mappings(file: &str) -> Vec<Mapping> {
    match file {
        "torch_state_dict" => vec![
            Mapping::new("embedding", "embedding", Kind::Embedding),
            Mapping::new("lstm", "bidirectional", Kind::Lstm),
            Mapping::new("lstm", "bidirectional_1", Kind::Lstm).layer(1),
            Mapping::new("gru", "gru", Kind::Gru),
            Mapping::new("rnn", "elman", Kind::Rnn),
            Mapping::new("linear", "dense", Kind::Linear),
        ],
        _ => vec![
            Mapping::new("model/embedding", "embedding", Kind::Embedding),
            Mapping::new("model/bidirectional", "bidirectional", Kind::Lstm),
            Mapping::new("model/gru", "gru", Kind::Gru),
            Mapping::new("model/simple_rnn", "elman", Kind::Rnn),
            Mapping::new("model/dense", "dense", Kind::Linear),
        ],
    }
}

fn small<B: Backend, L: Layer<B> + 'static>(b: &B, layer: L, features: usize) -> Model<B> {
    Sequential::new().add_named("own", layer).build(b, Spec::Dense(vec![None, Some(features)]), 0).unwrap()
}

/// What an import that must fail says, without the path of the file; nothing may have changed.
#[track_caller]
fn refused<L>(layer: L, features: usize, file: &str, mapping: Mapping) -> String
where
    L: Layer<Reference<f64>> + 'static,
{
    let mut model = small(&Reference::<f64>::new(), layer, features);
    let weights = |model: &Model<_>| model.params().iter().map(|param| numbers(param.tensor())).collect::<Vec<_>>();
    let before = weights(&model);
    let message = import(&mut model, file, &[mapping]).unwrap_err().to_string();
    assert_eq!(before, weights(&model), "{message}");
    message.replace(&path(file).display().to_string(), "FILE")
}

const TORCH: &str = "torch_state_dict";
const KERAS: &str = "keras_weights";

#[test]
fn a_prefix_that_is_not_there_is_named() {
    let dense = |file, from| refused(Dense::new(2), 4, file, Mapping::new(from, "own", Kind::Linear));
    let message = dense(TORCH, "head");
    assert!(message.starts_with("FILE: import: expected a file with `head.weight`, found one with embedding.weight, "));
    let message = dense(KERAS, "model/head");
    let expected = "FILE: import: expected variables of a Linear layer below `model/head`, found model/bidirectional/";
    assert!(message.starts_with(expected), "{message}");
    let third = Mapping::new("lstm", "own", Kind::Lstm).layer(2);
    let message = refused(Bidirectional::new(Lstm::new(4)), 8, TORCH, third);
    assert!(
        message.starts_with("FILE: import: expected a file with `lstm.weight_ih_l2`, found one with "),
        "{message}"
    );
    let second = Mapping::new("model/gru", "own", Kind::Gru).layer(1);
    let message = refused(Gru::new(3), 8, KERAS, second);
    assert!(message.starts_with("FILE: import: expected a path for each layer: "), "{message}");
    // A layer's own place is named too, by what does not fit.
    let message = refused(Dense::new(2), 4, TORCH, Mapping::new("linear", "dense", Kind::Linear));
    assert_eq!(message, "weights do not fit the model: superfluous: dense.kernel, dense.bias");
}

#[test]
fn a_wrong_kind_is_refused() {
    let message = refused(Lstm::new(4), 4, TORCH, Mapping::new("linear", "own", Kind::Lstm));
    assert!(message.starts_with("FILE: import: expected a file with `linear.weight_ih_l0`, found "), "{message}");
    let message = refused(Dense::new(3), 8, TORCH, Mapping::new("gru", "own", Kind::Linear));
    assert!(message.starts_with("FILE: import: expected a file with `gru.weight`, found "), "{message}");
    let message = refused(Dense::new(3), 8, KERAS, Mapping::new("model/embedding", "own", Kind::Linear));
    assert!(message.starts_with("FILE: import: expected variables of a Linear layer below `model/embedding`, "));
    // The gates tell the recurrent kinds apart, whatever the layer here would take.
    for (file, from) in [(TORCH, "gru"), (KERAS, "model/gru")] {
        for (kind, shape) in [(Kind::Lstm, "[3, 12]"), (Kind::Rnn, "[3, 3]")] {
            let message = refused(Gru::new(3), 8, file, Mapping::new(from, "own", kind));
            let expected = format!("FILE: import: expected a recurrent kernel of shape {shape}, which {kind:?} has, ");
            assert_eq!(message, expected + "found one of shape [3, 9]");
        }
    }
}

#[test]
fn another_shape_is_refused_with_both() {
    let fit = "weights do not fit the model: of another shape: ";
    for (file, from) in [(TORCH, "linear"), (KERAS, "model/dense")] {
        let message = refused(Dense::new(3), 4, file, Mapping::new(from, "own", Kind::Linear));
        for expected in ["own.kernel ([4, 2] for [4, 3])", "own.bias ([2] for [3])"] {
            assert!(message.starts_with(fit) && message.contains(expected), "{message}");
        }
    }
    for (file, from) in [(TORCH, "gru"), (KERAS, "model/gru")] {
        let message = refused(Gru::new(4), 8, file, Mapping::new(from, "own", Kind::Gru));
        assert!(message.starts_with(fit) && message.contains("own.recurrent_kernel ([3, 9] for [4, 12])"), "{message}");
        let message = refused(Gru::new(3).reset_before(), 8, file, Mapping::new(from, "own", Kind::Gru));
        assert_eq!(message, "weights do not fit the model: superfluous: own.recurrent_bias");
        let message = refused(Gru::new(3).without_bias(), 8, file, Mapping::new(from, "own", Kind::Gru));
        assert_eq!(message, "weights do not fit the model: superfluous: own.bias, own.recurrent_bias");
    }
    // One direction of two, and two of one.
    for (file, from) in [(TORCH, "lstm"), (KERAS, "model/bidirectional")] {
        let message = refused(Lstm::new(4), 5, file, Mapping::new(from, "own", Kind::Lstm));
        let missing =
            "weights do not fit the model: missing: own.kernel, own.recurrent_kernel, own.bias; superfluous: own.";
        assert!(message.starts_with(missing), "{message}");
    }
    let message = refused(Bidirectional::new(Elman::new(4)), 3, TORCH, Mapping::new("rnn", "own", Kind::Rnn));
    assert!(message.starts_with("weights do not fit the model: missing: own.forward.kernel, "), "{message}");
}

#[test]
fn a_file_of_the_other_library_is_refused() {
    let mut model = small(&Reference::<f64>::new(), Dense::new(2), 4);
    let message = model.import_keras(path(TORCH), &[Mapping::new("linear", "own", Kind::Linear)]).unwrap_err();
    assert!(message.to_string().contains("import: expected variables of a Linear layer below `linear`"), "{message}");
    let message = model.import_pytorch(path(KERAS), &[Mapping::new("model/dense", "own", Kind::Linear)]).unwrap_err();
    assert!(message.to_string().contains("import: expected a file with `model/dense.weight`, found "), "{message}");
}
