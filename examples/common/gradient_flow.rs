//! How far back untrained recurrent networks feel (L20): networks, and the norm of their gradient against distance in time.

use elman::layers::{Elman, Gru, Lstm, Mode, Sequential, Weight};
use elman::optim::Optimizer;
use elman::{Activation, Backend, Element, Init, Key, Model, Shape, Tensor};

/// Units, features and sequences of the networks whose gradients are measured, and the bound of their inputs, which are as
/// small as new word vectors, so that tanh is near the identity.
pub const UNITS: usize = 64;
pub const FEATURES: usize = 8;
pub const SEQUENCES: usize = 32;
pub const BOUND: f64 = 0.05;

/// The gain with which ReLU, which lets through half of the gradient, makes it explode.
pub const TOO_MUCH: f64 = 1.8;

/// A network with its name, and the colour and style of its curve.
pub struct Candidate<B: Backend> {
    pub name: String,
    pub colour: usize,
    pub dashed: bool,
    pub network: Sequential<B>,
}

/// Networks by activation, recurrent kernel and cell.
pub fn candidates<B: Backend>() -> Vec<Candidate<B>> {
    let one = |name: &str, colour, dashed, layer: Box<dyn Fn() -> Sequential<B>>| Candidate {
        name: name.to_string(),
        colour,
        dashed,
        network: layer(),
    };
    let elman =
        |f, init| move || Sequential::new().add(Elman::new(UNITS).activation(f).recurrent_kernel(Weight::new(init)));
    let lstm = |bias: f64| move || Sequential::new().add(Lstm::new(UNITS).forget_bias(bias));
    let (glorot, orthogonal) = (Init::GlorotUniform, Init::Orthogonal { gain: 1.0 });
    let (sigmoid, tanh, relu) = (Activation::Sigmoid, Activation::Tanh, Activation::Relu);
    vec![
        one("σ, U Glorot", 0, true, Box::new(elman(sigmoid, glorot))),
        one("σ, U orthogonal", 0, false, Box::new(elman(sigmoid, orthogonal))),
        one("tanh, U Glorot", 1, true, Box::new(elman(tanh, glorot))),
        one("tanh, U orthogonal", 1, false, Box::new(elman(tanh, orthogonal))),
        one("ReLU, U Glorot", 2, true, Box::new(elman(relu, glorot))),
        one("ReLU, U orthogonal", 2, false, Box::new(elman(relu, orthogonal))),
        one("ReLU, U 1.8 × orthogonal", 6, false, Box::new(elman(relu, Init::Orthogonal { gain: TOO_MUCH }))),
        one("GRU", 5, false, Box::new(|| Sequential::new().add(Gru::new(UNITS)))),
        one("LSTM, forget bias 1", 3, false, Box::new(lstm(1.0))),
        one("LSTM, forget bias 5", 3, true, Box::new(lstm(5.0))),
    ]
}

/// Numbers uniform in ±[`BOUND`], `[SEQUENCES, steps, FEATURES]`.
pub fn small_inputs<B: Backend>(backend: &B, steps: usize, key: Key) -> elman::Result<Tensor<B>> {
    let shape = Shape::new(&[SEQUENCES, steps, FEATURES])?;
    let values = Init::Uniform { low: -BOUND, high: BOUND }.values(shape, key)?;
    Tensor::variable(backend, values.into_iter().map(Element::from_f64).collect(), &shape)
}

/// A random direction of length 1 for each row.
fn directions<B: Backend>(backend: &B, shape: Shape, key: Key) -> elman::Result<B::Array> {
    let mut values: Vec<f64> = (0..shape.elements() as u64).map(|i| key.normal(i)).collect();
    for row in values.chunks_mut(shape[1].max(1)) {
        let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
        row.iter_mut().for_each(|x| *x /= length);
    }
    backend.upload(values.into_iter().map(Element::from_f64).collect(), shape)
}

/// The norm of the gradient for the input at distances 0, 1, 2, .. from the last step, of the model's value `[batch, units]`
/// in a random direction: the mean over the sequences `x [batch, time, features]`, a variable.
pub fn gradient_norms<B: Backend>(model: &Model<B>, x: &Tensor<B>, key: Key) -> elman::Result<Vec<f64>> {
    let value = model.forward(x.clone(), Mode::Training(key))?;
    let gradients = value.backward_from(directions(model.backend(), value.shape(), key)?)?;
    let (shape, gradient) = (x.shape(), gradients.of(x).map_or(Ok(vec![]), |gradient| gradient.to_vec())?);
    let norm = |row: &[B::Elem]| row.iter().map(|&g| Element::to_f64(g).powi(2)).sum::<f64>().sqrt();
    let norms: Vec<f64> = gradient.chunks(shape[2].max(1)).map(norm).collect();
    let mean = |step: usize| norms.iter().skip(step).step_by(shape[1]).sum::<f64>() / shape[0] as f64;
    Ok((0..shape[1]).rev().map(mean).collect())
}

/// How far one step of gradient descent with rate 1 moves the weights.
pub fn step_length<B: Backend>(
    model: &mut Model<B>,
    x: &Tensor<B>,
    mut optimizer: Optimizer<B>,
    key: Key,
) -> elman::Result<f64> {
    let weights =
        |model: &Model<B>| model.params().iter().map(|param| param.tensor().to_vec()).collect::<Result<Vec<_>, _>>();
    let before = weights(model)?.concat();
    let value = model.forward(x.detach(), Mode::Training(key))?;
    let gradients = value.backward_from(directions(model.backend(), value.shape(), key)?)?;
    optimizer.step(model.params_mut(), gradients)?;
    let after = weights(model)?.concat();
    let square = |(&a, &b): (&B::Elem, &B::Elem)| (Element::to_f64(a) - Element::to_f64(b)).powi(2);
    Ok(before.iter().zip(&after).map(square).sum::<f64>().sqrt())
}
