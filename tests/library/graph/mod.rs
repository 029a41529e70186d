//! Networks of several inputs and outputs: records, `Graph`, objectives, what is computed once or step by step.

mod attention;
mod attention_decoder;
mod decoding;
mod files;
mod objectives;
mod pairs;
mod refused;
mod shared;
mod steps;
mod values;
mod weights;

use crate::common::near::scattered;
use elman::data::{Dataset, Inputs, Targets};
use elman::gradcheck::{Tolerance, gradcheck};
use elman::layers::*;
use elman::{Activation, Backend, Key, Model, Record, Result, Spec, Tensor};
use elman_reference::Reference;

type Double = Reference<f64>;

/// Parts of an input.
fn record<B: Backend, const N: usize>(parts: [(&str, Value<B>); N]) -> Value<B> {
    Value::Record(Record::new(parts).unwrap())
}

/// The gradients of what `f` makes of a model's pass over inputs, for these and for all parameters, by finite differences.
fn check_gradients(
    model: &Model<Double>,
    inputs: &[(Vec<f64>, Vec<usize>)],
    f: impl Fn(&Model<Double>, &[Tensor<Double>], &mut Pass<'_, Double>) -> Result<Tensor<Double>>,
) {
    let b = Double::new();
    let of = |tensor: &Tensor<Double>| (tensor.to_vec().unwrap(), tensor.shape().to_vec());
    let params = model.params().iter().map(|param| of(param.tensor()));
    let all: Vec<_> = inputs.iter().cloned().chain(params).collect();
    let checked = gradcheck(&b, &all, Tolerance::default(), |given| {
        let mut model = model.clone();
        let (of_inputs, of_params) = given.split_at(inputs.len());
        let inputs: Vec<_> = of_inputs.iter().map(|input| input.detach().into_variable()).collect();
        let names: Vec<String> = model.params().iter().map(|param| param.name().to_string()).collect();
        model.set_weights(names.into_iter().zip(of_params.iter().map(|param| param.value().clone())))?;
        let y = f(&model, &inputs, &mut model.pass(Mode::Training(Key::new(7))))?;
        let variables: Vec<_> =
            inputs.into_iter().chain(model.params().iter().map(|param| param.tensor().clone())).collect();
        let given: Vec<&Tensor<Double>> = given.iter().collect();
        Ok(Tensor::record("network", &b, y.value().clone(), &given, move |dy, _| {
            let gradients = y.backward_from(dy.clone())?;
            Ok(variables
                .iter()
                .map(|variable| gradients.of(variable).map(|gradient| gradient.value().clone()))
                .collect())
        }))
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
}

/// Texts of their own lengths with a row of numbers each, a topic and a number as targets.
fn texts(samples: usize) -> Dataset {
    let words: Vec<Vec<u32>> =
        (0..samples).map(|i| (0..1 + i * 5 % 7).map(|step| 1 + ((i + step * 3) % 8) as u32).collect()).collect();
    let numbers: Vec<f32> = scattered(3 * samples, 5).into_iter().map(|x| x as f32).collect();
    let inputs = Inputs::record([
        ("words", Inputs::indices(&words).unwrap()),
        ("numbers", Inputs::dense(numbers, &[3]).unwrap()),
    ]);
    let topics = Targets::classes((0..samples).map(|i| (i % 3) as u32).collect()).unwrap();
    let sizes = Targets::values((0..samples).map(|i| (i % 4) as f32 / 4.0).collect(), &[1]).unwrap();
    Dataset::new(inputs.unwrap(), Targets::record([("topic", topics), ("size", sizes)]).unwrap()).unwrap()
}

fn spec() -> Spec {
    Spec::record([("words", Spec::Indices(None)), ("numbers", Spec::dense(&[3]))]).unwrap()
}

/// Two inputs, two outputs, one of which another node reads too.
fn network<B: Backend>() -> Graph<B> {
    Graph::new()
        .node("table", Embedding::new(9, 4).padding(0), "words")
        .node("read", Lstm::new(5), "table")
        .node("both", Concatenate::new(), ["read", "numbers"])
        .node("topic", Dense::new(3).activation(Activation::Softmax), "both")
        .node("size", Dense::new(1).activation(Activation::Sigmoid), "topic")
        .outputs(["topic", "size"])
}
