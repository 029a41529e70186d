//! What graphs compute, and their gradients.

use super::{Double, check_gradients, network, record, spec, texts};
use crate::common::near::{assert_near, numbers, scattered, tensor, tolerance};
use elman::layers::*;
use elman::model::{Batch, Objective};
use elman::optim::Sgd;
use elman::{Activation, Backend, Key, Record, Spec, loss};
use elman_candle::Candle;
use elman_reference::Reference;

/// A chain of nodes is `Sequential`, to the bit: names, draws, numbers.
#[test]
fn a_chain_is_sequential() {
    let b = Double::new();
    let sequence = Sequential::new()
        .add_named("a", Dense::new(4).activation(Activation::Tanh))
        .add_named("b", Dropout::new(0.5))
        .add_named("c", Dense::new(2).activation(Activation::Softmax));
    let graph = Graph::new()
        .node("a", Dense::new(4).activation(Activation::Tanh), "input")
        .node("b", Dropout::new(0.5), "a")
        .node("c", Dense::new(2).activation(Activation::Softmax), "b")
        .output("c");
    let models = [sequence.build(&b, Spec::dense(&[3]), 7).unwrap(), graph.build(&b, Spec::dense(&[3]), 7).unwrap()];
    let x = tensor(&b, &scattered(6, 1), &[2, 3]);
    for mode in [Mode::Evaluation, Mode::Training(Key::new(3))] {
        let [one, other] = models.each_ref().map(|model| numbers(&model.forward(x.clone(), mode).unwrap()));
        assert_eq!(one, other);
    }
    let names = models.each_ref().map(|model| model.params().iter().map(|p| p.name().to_string()).collect::<Vec<_>>());
    assert_eq!(names[0], names[1]);
    assert_eq!(models[0].summary().to_string(), models[1].summary().to_string());
}

/// Merging layers by their formulas, and their gradients by finite differences.
#[test]
fn merging_layers_are_their_formulas() {
    fn check<B: Backend>(b: &B, layer: impl Layer<B> + 'static, formula: impl Fn(f64, f64) -> f64) {
        let name = layer.kind();
        let model = Graph::new().node("merged", layer, ["x", "y"]).output("merged");
        let input = Spec::record([("x", Spec::dense(&[3])), ("y", Spec::dense(&[3]))]).unwrap();
        let model = model.build(b, input, 0).unwrap();
        let (x, y) = (scattered(6, 1), scattered(6, 2));
        let input = record([("x", tensor(b, &x, &[2, 3]).into()), ("y", tensor(b, &y, &[2, 3]).into())]);
        let found = model.forward(input, Mode::Evaluation).unwrap();
        let expected: Vec<f64> = x.iter().zip(&y).map(|(&x, &y)| formula(x, y)).collect();
        assert_near(name, &numbers(&found), &expected, tolerance::<B>());
    }
    fn all<B: Backend>(b: &B) {
        check(b, Add::new(), |x, y| x + y);
        check(b, Subtract::new(), |x, y| x - y);
        check(b, Multiply::new(), |x, y| x * y);
        check(b, Average::new(), |x, y| (x + y) / 2.0);
        check(b, Maximum::new(), f64::max);
    }
    all(&Double::new());
    all(&Reference::<f32>::new());
    all(&Candle::cpu());
}

/// Features side by side, in the order of the edges, and only the steps that count in both.
#[test]
fn what_is_concatenated_keeps_its_order_and_the_masks_of_both() {
    let b = Double::new();
    let part = |features| Spec::Dense(vec![None, Some(features)]);
    let input = Spec::record([("x", part(1)), ("y", part(2))]).unwrap();
    let model = Graph::new().node("both", Concatenate::new(), ["y", "x"]).output("both").build(&b, input, 0).unwrap();
    let mask = |flags: [bool; 2]| Mask::new(&b, &flags, 2).unwrap();
    let input = record([
        ("x", Value::from(tensor(&b, &[1.0, 2.0], &[1, 2, 1])).with_mask(mask([true, true]))),
        ("y", Value::from(tensor(&b, &[3.0, 4.0, 5.0, 6.0], &[1, 2, 2])).with_mask(mask([true, false]))),
    ]);
    let (value, found) = model.run(input, &mut model.pass(Mode::Evaluation)).unwrap().split();
    let value = numbers(value.as_tensor().unwrap());
    assert_eq!(value[..3], [3.0, 4.0, 1.0]);
    assert_eq!(numbers(&found.unwrap().tensor(&b)), [1.0, 0.0]);
}

/// Every path through a graph, forks and parts of records included, against finite differences.
#[test]
fn gradients_are_those_of_finite_differences() {
    let b = Double::new();
    let graph = Graph::new()
        .node("read", Lstm::new(3).return_sequences().record(), "x")
        .node("again", Gru::new(3), [("input", "read.output"), ("h", "read.h")])
        .node("sum", Add::new(), ["again", "read.c"])
        .node("product", Multiply::new(), ["sum", "again"])
        .node("beside", Concatenate::new(), ["product", "y", "sum"])
        .node("out", Dense::new(2), "beside")
        .outputs(["out", "sum"]);
    let input = Spec::record([("x", Spec::Dense(vec![None, Some(2)])), ("y", Spec::dense(&[2]))]).unwrap();
    let model = graph.build(&b, input, 1).unwrap();
    let inputs = [(scattered(12, 1), vec![2, 3, 2]), (scattered(4, 2), vec![2, 2])];
    check_gradients(&model, &inputs, |model, inputs, pass| {
        let input = record([("x", inputs[0].clone().into()), ("y", inputs[1].clone().into())]);
        let [out, sum] = model.run(input, pass)?.parts(["out", "sum"])?;
        out.tensor(pass)?.square()?.sum()?.add(&sum.tensor(pass)?.tanh()?.sum()?)
    });
}

/// A logit of 200 has a finite loss, though another node reads the probabilities.
#[test]
fn the_stable_form_is_used_where_others_read_the_output() {
    let b = Double::new();
    let kernel = || Weight::new(elman::Init::Constant(100.0));
    let graph = Graph::new()
        .node("p", Dense::new(1).kernel(kernel()).activation(Activation::Sigmoid), "input")
        .node("q", Dense::new(1).activation(Activation::Sigmoid), "p")
        .outputs(["p", "q"]);
    let mut model = graph.build(&b, Spec::dense(&[2]), 0).unwrap();
    let objectives = ["p", "q"].map(|output| Objective::new(output, loss::BinaryCrossEntropy::new()));
    model.compile_outputs(Sgd::new(0.1), objectives);
    let target = loss::Target::Values(tensor(&b, &[0.0], &[1, 1]));
    let target = loss::Target::Record(Record::new([("p", target.clone()), ("q", target)]).unwrap());
    let batch = Batch { input: tensor(&b, &[1.0, 1.0], &[1, 2]).into(), target, weights: None, len: 1 };
    let found = model.loss(&batch, Mode::Training(Key::new(0))).unwrap();
    // -ln(1 - σ(200)) is 200; that of q is of the probability 1.
    let w = model.params()[2].tensor().to_scalar().unwrap();
    let of_q = (1.0 + w.exp()).ln();
    assert_near("loss", &[found.loss.to_scalar().unwrap()], &[200.0 + of_q], 1e-12);
    let [p, _] = found.predictions.parts(["p", "q"]).unwrap();
    assert_eq!(numbers(p.as_tensor().unwrap()), [1.0]);
}

/// A node's value is dropped when nobody needs it any more, and what comes out is what all backends agree on.
#[test]
fn backends_agree_on_two_inputs_and_two_outputs() {
    fn predicted<B: Backend>(b: &B) -> Vec<f64> {
        let model = network::<B>().build(b, spec(), 3).unwrap();
        let outputs = model.predict_outputs(texts(10).inputs(), 4).unwrap();
        let all = outputs.iter().flat_map(|(_, part)| part.data().to_vec());
        all.map(f64::from).collect()
    }
    let expected = predicted(&Double::new());
    assert_eq!(expected.len(), 10 * 3 + 10);
    assert_near("f32", &predicted(&Reference::<f32>::new()), &expected, 1e-6);
    assert_near("candle", &predicted(&Candle::cpu()), &expected, 1e-6);
}
