//! Layers, activations, regularisers and constraints against PyTorch and Keras: values and all gradients.

use crate::common::golden::{Golden, Reading};
use crate::common::near::{assert_near, numbers, tensor, tolerance, variable};
use elman::data::Bags;
use elman::layers::{BatchNorm, Dense, Dropout, Glu, Layer, Mode, PRelu, RmsNorm, Sequential, Value};
use elman::loss::{SparseCategoricalCrossEntropy, Target};
use elman::model::{Batch, BatchLoss};
use elman::optim::Sgd;
use elman::random::Key;
use elman::tensor::Gradients;
use elman::{Activation, Backend, Constraint, Element, Model, Regularizer, Spec, Tensor};

on_every_backend!();

fn check<B: Backend>(b: &B) {
    Golden::open("layers").each(|case| match case.kind() {
        "activation" => activation(b, case),
        "dense" => dense(b, case),
        "dropout" => dropout(b, case),
        "regularizer" => regularizer(b, case),
        "constraint" => constraint(b, case),
        "mlp" => mlp(b, case),
        "prelu" => {
            let shared =
                case.option("shared_axes").as_array().unwrap().iter().map(|axis| axis.as_u64().unwrap() as usize);
            layer(b, case, "prelu", PRelu::new().shared_axes(shared.collect::<Vec<_>>()), &["alpha"]);
        }
        "glu" => layer(b, case, "glu", Glu, &[]),
        "rms_norm" => layer(b, case, "rms_norm", RmsNorm::new().epsilon(case.number("epsilon")), &["gamma"]),
        "frozen_batch_norm" => {
            let norm = BatchNorm::new().epsilon(case.number("epsilon")).frozen_statistics();
            layer(b, case, "batch_norm", norm, &["gamma", "beta", "moving_mean", "moving_variance"]);
        }
        other => panic!("{}: kind {other}", case.name()),
    });
}

const TRAINING: fn() -> Mode = || Mode::Training(Key::new(1));

/// Compares a tensor with one of the file.
#[track_caller]
fn compare<B: Backend>(case: &Reading<'_>, what: &str, found: &Tensor<B>) {
    let (mut expected, shape) = case.tensor(what);
    if case.kind() == "activation" && what == "grad_input" && case.text("activation") == "hard_sigmoid" {
        // PyTorch's gradient, which Keras used here, has its slope as `1.0f / 6.0f` even in double precision.
        expected.iter_mut().for_each(|slope| *slope *= (1.0 / 6.0) / f64::from(1.0f32 / 6.0));
    }
    // A single number has shape [1] in the file.
    assert!(found.shape()[..] == shape[..] || shape == [1], "{}: {what} of shape {}", case.name(), found.shape());
    assert_near(&format!("{}: {what}", case.name()), &numbers(found), &expected, tolerance::<B>());
}

/// Compares the gradient for a variable.
#[track_caller]
fn compare_gradient<B: Backend>(case: &Reading<'_>, what: &str, gradients: &Gradients<B>, of: &Tensor<B>) {
    compare(case, what, &gradients.of(of).unwrap_or_else(|| panic!("{}: no {what}", case.name())));
}

/// A tensor of the file as a constant.
#[track_caller]
fn constant<B: Backend>(b: &B, case: &Reading<'_>, what: &str) -> Tensor<B> {
    let (data, shape) = case.tensor(what);
    tensor(b, &data, &shape)
}

/// Compares a value with `output`, and with `grad_input` what comes back to `x` for `grad_output`.
fn compare_map<B: Backend>(b: &B, case: &Reading<'_>, x: &Tensor<B>, y: &Tensor<B>) -> Gradients<B> {
    compare(case, "output", y);
    let gradients = y.backward_from(constant(b, case, "grad_output").value().clone()).unwrap();
    compare_gradient(case, "grad_input", &gradients, x);
    gradients
}

/// An activation by its name in the file.
fn activation_of(case: &Reading<'_>, name: &str) -> Activation {
    match name {
        "linear" => Activation::Linear,
        "sigmoid" => Activation::Sigmoid,
        "hard_sigmoid" => Activation::HardSigmoid,
        "hard_sigmoid_keras1" => Activation::HardSigmoidKeras1,
        "tanh" => Activation::Tanh,
        "relu" => Activation::Relu,
        "leaky_relu" => Activation::LeakyRelu(case.number("negative_slope")),
        "elu" => Activation::Elu(case.number("alpha")),
        "gelu" if case.is("approximate") => Activation::GeluTanh,
        "gelu" => Activation::Gelu,
        "silu" => Activation::Silu,
        "softplus" => Activation::Softplus,
        "selu" => Activation::Selu,
        "celu" => Activation::Celu(case.number("alpha")),
        "mish" => Activation::Mish,
        "hard_swish" => Activation::HardSwish,
        "softsign" => Activation::Softsign,
        "relu6" => Activation::Relu6,
        "log_sigmoid" => Activation::LogSigmoid,
        "softmax" => Activation::Softmax,
        "log_softmax" => Activation::LogSoftmax,
        other => panic!("{}: activation {other}", case.name()),
    }
}

fn activation<B: Backend>(b: &B, case: &Reading<'_>) {
    let f = activation_of(case, case.text("activation"));
    if !f.is_elementwise() {
        assert_eq!(case.number("axis"), -1.0, "{}: the softmaxes work along the last axis", case.name());
    }
    let (data, shape) = case.tensor("input");
    let x = variable(b, &data, &shape);
    compare_map(b, case, &x, &x.activate(f).unwrap());
    let layer = Sequential::new().add(f).build(b, Spec::dense(&shape[1..]), 0).unwrap();
    compare_map(b, case, &x, &layer.forward(x.clone(), TRAINING()).unwrap());
}

fn dense<B: Backend>(b: &B, case: &Reading<'_>) {
    let layer = Dense::new(case.number("units") as usize).activation(activation_of(case, case.text("activation")));
    let layer = if case.is("use_bias") { layer } else { layer.without_bias() };
    let (data, shape) = case.tensor("input");
    assert_eq!(case.number("in_features"), shape[shape.len() - 1] as f64);
    let mut model = Sequential::new().add(layer).build(b, Spec::dense(&shape[1..]), 0).unwrap();
    let names: &[&str] = if case.is("use_bias") { &["kernel", "bias"] } else { &["kernel"] };
    set_weights(b, &mut model, names.iter().map(|&name| (format!("dense.{name}"), case.tensor(name))));
    let x = variable(b, &data, &shape);
    let gradients = compare_map(b, case, &x, &model.forward(x.clone(), TRAINING()).unwrap());
    assert_eq!(model.params().len(), names.len());
    for (param, name) in model.params().iter().zip(names) {
        compare_gradient(case, &format!("grad_{name}"), &gradients, param.tensor());
    }
}

/// A layer of this kind with weights of these names: its value and all gradients, those of its own state excepted.
fn layer<B: Backend>(b: &B, case: &Reading<'_>, kind: &str, layer: impl Layer<B> + 'static, names: &[&str]) {
    let (data, shape) = case.tensor("input");
    let mut model = Sequential::new().add(layer).build(b, Spec::dense(&shape[1..]), 0).unwrap();
    set_weights(b, &mut model, names.iter().map(|&name| (format!("{kind}.{name}"), case.tensor(name))));
    let x = variable(b, &data, &shape);
    let gradients = compare_map(b, case, &x, &model.forward(x.clone(), TRAINING()).unwrap());
    for (param, &name) in model.params().iter().zip(names) {
        match name.starts_with("moving") {
            true => compare(case, name, param.tensor()),
            false => compare_gradient(case, &format!("grad_{name}"), &gradients, param.tensor()),
        }
    }
}

fn set_weights<B: Backend>(
    b: &B,
    model: &mut Model<B>,
    weights: impl Iterator<Item = (String, (Vec<f64>, Vec<usize>))>,
) {
    let weights = weights.map(|(name, (data, shape))| (name, tensor(b, &data, &shape).value().clone()));
    model.set_weights(weights).unwrap();
}

/// A layer takes no mask from outside, as its key decides: the file's mask shows that the formula is PyTorch's, the
/// key's that the layer follows the formula.
fn dropout<B: Backend>(b: &B, case: &Reading<'_>) {
    let rate = case.number("rate");
    let (data, shape) = case.tensor("input");
    let x = variable(b, &data, &shape);
    let masked = x.mul(&constant(b, case, "mask")).unwrap().affine(1.0 / (1.0 - rate), 0.0).unwrap();
    compare_map(b, case, &x, &masked);

    let layer = Sequential::new().add(Dropout::new(rate)).build(b, Spec::dense(&shape[1..]), 0).unwrap();
    let y = layer.forward(x.clone(), Mode::Training(Key::new(7))).unwrap();
    // The stream of the first layer that asks for one.
    let draws = Key::new(7).fold(1);
    let scale = |i: u64| if draws.bits(i) < Key::drop_threshold(rate) { 0.0 } else { 1.0 / (1.0 - rate) };
    let scales: Vec<f64> = (0..data.len() as u64).map(scale).collect();
    assert!(scales.contains(&0.0) && scales.iter().any(|&scale| scale > 1.0));
    let scaled = |numbers: &[f64]| -> Vec<f64> {
        // Once rounded to the backend's numbers, the products are exact to the bit.
        let round = B::Elem::from_f64;
        numbers.iter().zip(&scales).map(|(&x, &scale)| (round(x) * round(scale)).to_f64()).collect()
    };
    assert_eq!(numbers(&y), scaled(&data), "{}", case.name());
    let dy = constant(b, case, "grad_output");
    let gradients = y.backward_from(dy.value().clone()).unwrap();
    assert_eq!(numbers(&gradients.of(&x).unwrap()), scaled(&case.numbers("grad_output")), "{}", case.name());
}

fn regularizer<B: Backend>(b: &B, case: &Reading<'_>) {
    let (data, shape) = case.tensor("weights");
    let w = variable(b, &data, &shape);
    let value = Regularizer::l1_l2(case.number("l1"), case.number("l2")).penalty(&w).unwrap();
    compare(case, "value", &value);
    compare_gradient(case, "grad", &value.backward().unwrap(), &w);
}

fn constraint<B: Backend>(b: &B, case: &Reading<'_>) {
    let constraint = match case.text("constraint") {
        "max_norm" => Constraint::MaxNorm(case.number("max_value")),
        "non_neg" => Constraint::NonNegative,
        "unit_norm" => Constraint::UnitNorm,
        other => panic!("{}: constraint {other}", case.name()),
    };
    if constraint != Constraint::NonNegative {
        // Keras' defaults: the library's only ones.
        assert_eq!((case.number("axis"), case.number("epsilon")), (0.0, 1e-7));
    }
    let projected = constraint.project(b, constant(b, case, "weights").value()).unwrap();
    compare(case, "output", &Tensor::constant(b, projected));
}

/// The whole way: a model, its loss, which takes over the softmax, and the gradients of all parameters; the inputs of 0
/// and 1 once as numbers and once as bags of words.
fn mlp<B: Backend>(b: &B, case: &Reading<'_>) {
    let sizes: Vec<usize> =
        case.option("sizes").as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
    let names = case.option("activations").as_array().unwrap();
    let f: Vec<Activation> = names.iter().map(|name| activation_of(case, name.as_str().unwrap())).collect();
    assert_eq!((sizes.len(), f.len()), (3, 2));
    let known = ("sparse_categorical_crossentropy", false, 1e-7, "mean");
    assert_eq!((case.text("loss"), case.is("from_logits"), case.number("clip_epsilon"), case.text("reduction")), known);

    let (data, shape) = case.tensor("input");
    let (labels, _) = case.labels("labels");
    let words =
        |row: &[f64]| -> Vec<u32> { (0..).zip(row).filter(|(_, x)| **x == 1.0).map(|(word, _)| word).collect() };
    let bags = Bags::binary(data.chunks(sizes[0]).map(words), sizes[0]).unwrap();
    let x = variable(b, &data, &shape);
    for (spec, input) in [(Spec::dense(&[sizes[0]]), Value::Tensor(x.clone())), (Spec::bags(sizes[0]), bags.into())] {
        let network = Sequential::new()
            .add_named("hidden", Dense::new(sizes[1]).activation(f[0]))
            .add_named("output", Dense::new(sizes[2]).activation(f[1]));
        let mut model = network.build(b, spec, 0).unwrap();
        let parts = ["hidden.kernel", "hidden.bias", "output.kernel", "output.bias"];
        set_weights(b, &mut model, parts.iter().map(|part| (part.to_string(), case.tensor(&part.replace('.', "_")))));
        model.compile(Sgd::new(0.1), SparseCategoricalCrossEntropy::new());
        let dense = matches!(input, Value::Tensor(_));
        let batch = Batch { input, target: Target::classes(labels.clone()), weights: None, len: labels.len() };
        let BatchLoss { loss, predictions, .. } = model.loss(&batch, TRAINING()).unwrap();
        compare(case, "loss", &loss);
        compare(case, "predictions", predictions.as_tensor().unwrap());
        let gradients = loss.backward().unwrap();
        for param in model.params() {
            compare_gradient(case, &format!("grad_{}", param.name().replace('.', "_")), &gradients, param.tensor());
        }
        if dense {
            compare_gradient(case, "grad_input", &gradients, &x);
        }
    }
}
