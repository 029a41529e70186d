//! What every layer is held to.

use super::Network;
use crate::common::near::{assert_near, numbers, scattered, tensor, tolerance, variable};
use elman::data::Bags;
use elman::gradcheck::{Tolerance, gradcheck};
use elman::layers::{Mask, Mode, Value};
use elman::loss::{MeanSquaredError, Target};
use elman::model::Batch;
use elman::optim::Sgd;
use elman::{Backend, Element, Key, Model, Result, Spec, Tensor};
use elman_candle::Candle;
use elman_reference::Reference;

/// A network with inputs that it takes and what is known of it.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) network: Network,
    /// Inputs, each with what must come out.
    pub(crate) inputs: Vec<(Input, Spec)>,
    /// Names and shapes of the parameters in build order.
    pub(crate) params: Vec<(String, Vec<usize>)>,
}

/// A batch to come.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// Numbers of this shape for a network that is built for `spec`.
    Numbers { spec: Spec, shape: Vec<usize> },
    /// Sequences of four steps with a mask: all steps there, padding on the right, on the left, between, and nothing but
    /// padding.
    Masked { features: usize },
    /// Bags of words, one empty, one with counts.
    Bags { width: usize },
}

/// The steps of [`Input::Masked`] that count.
const STEPS: [[bool; 4]; 5] = {
    let (y, n) = (true, false);
    [[y, y, y, y], [y, y, n, n], [n, n, n, y], [y, n, y, n], [n, n, n, n]]
};

impl Input {
    fn spec(&self) -> Spec {
        match self {
            Input::Numbers { spec, .. } => spec.clone(),
            Input::Masked { features } => Spec::Dense(vec![None, Some(*features)]),
            Input::Bags { width } => Spec::bags(*width),
        }
    }

    fn samples(&self) -> usize {
        match self {
            Input::Numbers { shape, .. } => shape[0],
            Input::Masked { .. } => STEPS.len(),
            Input::Bags { .. } => 3,
        }
    }

    /// The numbers: from -4.5 to 4.5, where every activation bends.
    fn numbers(&self) -> Option<(Vec<f64>, Vec<usize>)> {
        let shape = match self {
            Input::Numbers { shape, .. } => shape.clone(),
            Input::Masked { features } => vec![STEPS.len(), 4, *features],
            Input::Bags { .. } => return None,
        };
        Some((scattered(shape.iter().product(), 1).iter().map(|x| 4.5 * x).collect(), shape))
    }

    /// Numbers with the mask that goes with them.
    fn with_mask<B: Backend>(&self, b: &B, x: Tensor<B>) -> Value<B> {
        let mask = match self {
            Input::Masked { .. } => Some(Mask::new(b, &STEPS[..x.shape()[0]].concat(), 4).unwrap()),
            _ => None,
        };
        Value::from(x).with_mask(mask)
    }

    /// The numbers as a variable, if they are numbers, and the value that a network takes.
    fn value<B: Backend>(&self, b: &B) -> (Option<Tensor<B>>, Value<B>) {
        if let Some((data, shape)) = self.numbers() {
            let x = variable(b, &data, &shape);
            return (Some(x.clone()), self.with_mask(b, x));
        }
        let rows = [vec![(0, 1.0), (3, -2.0)], vec![], vec![(1, 0.5), (2, 3.0), (3, 1.0)]];
        (None, Bags::with_values(rows, self.spec().features().unwrap()).unwrap().into())
    }
}

/// Numbers for the parameters, none of them zero, variances above it. Queries are small, so that scores are of order 1, where
/// softmax bends; the exponentials of large ones magnify the rounding of the inputs.
fn weights(case: &Case) -> Vec<(Vec<f64>, Vec<usize>)> {
    let of = |(seed, (name, shape)): (u64, &(String, Vec<usize>))| {
        let mut numbers = scattered(shape.iter().product(), seed);
        if name.ends_with("variance") {
            numbers.iter_mut().for_each(|x| *x = x.abs());
        }
        if name.contains(".query.") {
            numbers.iter_mut().for_each(|x| *x *= 0.2);
        }
        (numbers, shape.clone())
    };
    (10..).zip(&case.params).map(of).collect()
}

/// Whether it is a layer's own state rather than a parameter.
fn is_state(name: &str) -> bool {
    name.rsplit('.').next().is_some_and(|name| name.starts_with("moving_"))
}

fn build<B: Backend>(b: &B, case: &Case, input: &Input) -> Model<B> {
    let mut model = case.network.layers().build(b, input.spec(), 3).unwrap();
    let tensors = weights(case).into_iter().map(|(data, shape)| tensor(b, &data, &shape).value().clone());
    model.set_weights(case.params.iter().map(|(name, _)| name.clone()).zip(tensors)).unwrap();
    model
}

const KEY: fn() -> Key = || Key::new(5).named("step");

pub(crate) fn check(case: &Case) {
    for (input, output) in &case.inputs {
        let what = format!("{:?} on {input:?}", case.network);
        let double = Reference::<f64>::new();
        keeps_its_spec(&double, case, input, output, &what);
        keeps_its_spec(&Candle::cpu(), case, input, output, &what);
        has_its_gradients(&double, case, input, &what);
        let expected = outcome(&double, case, input);
        compare(&Reference::<f32>::new(), case, input, &expected, &what);
        compare(&Candle::cpu(), case, input, &expected, &what);
    }
}

/// The network's value in a mode; what it makes of running statistics is not kept.
pub(crate) fn value_of<B: Backend>(model: &Model<B>, input: impl Into<Value<B>>, mode: Mode) -> Result<Tensor<B>> {
    let mut pass = model.pass(mode);
    model.run(input, &mut pass)?.split().0.tensor(&pass)
}

/// Shapes and parameters are as said; evaluation records nothing and gives the same bits twice.
fn keeps_its_spec<B: Backend>(b: &B, case: &Case, input: &Input, output: &Spec, what: &str) {
    let mut model = build(b, case, input);
    assert_eq!(model.output(), output, "{what}");
    let params = model.params().iter().map(|param| (param.name().to_string(), param.shape().to_vec()));
    assert_eq!(params.collect::<Vec<_>>(), case.params, "{what}");
    assert!(model.params().iter().all(|param| param.is_trainable() != is_state(param.name())), "{what}");

    let evaluated = model.forward(input.value(b).1, Mode::Evaluation).unwrap();
    let again = model.forward(input.value(b).1, Mode::Evaluation).unwrap();
    assert_eq!(numbers(&evaluated), numbers(&again), "{what}");
    for y in [&evaluated, &value_of(&model, input.value(b).1, Mode::Training(KEY())).unwrap()] {
        output.check_value("output", &Value::Tensor(y.clone()), b).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(y.shape()[0], input.samples(), "{what}");
    }
    // Constants in, nothing recorded in evaluation; in training what depends on a parameter is.
    let constant = || match input.value(b) {
        (Some(x), _) => input.with_mask(b, x.detach()),
        (None, value) => value,
    };
    let run = |mode| value_of(&model, constant(), mode).unwrap();
    assert!(!run(Mode::Evaluation).is_tracked(), "{what}");
    assert_eq!(run(Mode::Training(KEY())).is_tracked(), !case.params.is_empty(), "{what}");

    if let Some((_, shape)) = input.numbers() {
        let none = tensor(b, &[], &[&[0], &shape[1..]].concat());
        let y = value_of(&model, input.with_mask(b, none), Mode::Training(KEY()))
            .unwrap_or_else(|error| panic!("{what}, no sample: {error}"));
        let expected = [&[0], &evaluated.shape()[1..]].concat();
        assert_eq!(y.shape()[..], expected[..], "{what}, no sample");
    }

    // The loss sees the value before the last activation and applies that itself: the predictions are the same.
    model.compile(Sgd::new(0.1), MeanSquaredError);
    let target = Target::Values(Tensor::full(b, &evaluated.shape(), 0.0).unwrap());
    let batch = Batch { input: input.value(b).1, target, weights: None, len: input.samples() };
    let predictions = model.loss(&batch, Mode::Evaluation).unwrap().predictions;
    assert_eq!(numbers(predictions.as_tensor().unwrap()), numbers(&evaluated), "{what}");
}

/// The whole network as one operation on its input (unless it takes bags) and its parameters, for `gradcheck`, which
/// hands in tensors of its own where the network has parameters of its own.
fn as_operation<B: Backend>(b: &B, case: &Case, input: &Input, given: &[Tensor<B>]) -> Result<Tensor<B>> {
    let mut model = build(b, case, input);
    let (x, mut value) = input.value(b);
    let x = x.map(|_| given[0].detach().into_variable());
    if let Some(x) = &x {
        value = input.with_mask(b, x.clone());
    }
    let params = &given[usize::from(x.is_some())..];
    let arrays = params.iter().map(|param| param.value().clone());
    model.set_weights(case.params.iter().map(|(name, _)| name.clone()).zip(arrays))?;
    let y = value_of(&model, value, Mode::Training(KEY()))?;
    let value = y.value().clone();
    let given: Vec<&Tensor<B>> = given.iter().collect();
    Ok(Tensor::record("network", b, value, &given, move |dy, _| {
        let gradients = y.backward_from(dy.clone())?;
        let variables = x.iter().chain(model.params().iter().map(|param| param.tensor()));
        Ok(variables.map(|variable| gradients.of(variable).map(|gradient| gradient.value().clone())).collect())
    }))
}

fn has_its_gradients<B: Backend>(b: &B, case: &Case, input: &Input, what: &str) {
    let given: Vec<_> = input.numbers().into_iter().chain(weights(case)).collect();
    if !given.is_empty() {
        let checked = gradcheck(b, &given, Tolerance::default(), |given| as_operation(b, case, input, given));
        checked.unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}

/// Everything that a network computes, by name: its value in evaluation and in training, and the gradients for its
/// input and its parameters.
fn outcome<B: Backend>(b: &B, case: &Case, input: &Input) -> Vec<(String, Vec<f64>)> {
    let model = build(b, case, input);
    let (x, value) = input.value(b);
    let mut found = vec![("evaluated".to_string(), numbers(&model.forward(value.clone(), Mode::Evaluation).unwrap()))];
    let y = value_of(&model, value, Mode::Training(KEY())).unwrap();
    found.push(("trained".into(), numbers(&y)));
    if y.is_tracked() {
        let gradients =
            y.backward_from(tensor(b, &scattered(y.shape().elements(), 9), &y.shape()).value().clone()).unwrap();
        let trained = model.params().iter().filter(|param| !is_state(param.name()));
        let params = trained.map(|param| (param.name(), param.tensor()));
        for (name, variable) in x.iter().map(|x| ("input", x)).chain(params) {
            let gradient =
                gradients.of(variable).unwrap_or_else(|| panic!("{:?}: no gradient of {name}", case.network));
            found.push((format!("gradient of {name}"), numbers(&gradient)));
        }
    }
    found
}

/// The same numbers on another backend.
fn compare<B: Backend>(b: &B, case: &Case, input: &Input, expected: &[(String, Vec<f64>)], what: &str) {
    let found = outcome(b, case, input);
    assert_eq!(found.len(), expected.len(), "{what} on {}", b.name());
    let greatest = |x: &[f64]| x.iter().fold(0.0, |greatest: f64, x| greatest.max(x.abs()));
    let of_all = expected.iter().map(|(_, x)| greatest(x)).fold(0.0, f64::max);
    for ((name, found), (same, expected)) in found.iter().zip(expected) {
        assert_eq!(name, same);
        if greatest(expected) < 1e-12 * of_all {
            // Nothing but rounding of a gradient that is 0: that of the keys' bias in attention, which moves all scores alike.
            assert!(greatest(found) <= tolerance::<B>() * of_all, "{what} on {}, {name}: {found:?}", b.name());
            continue;
        }
        assert_near(&format!("{what} on {} ({}), {name}", b.name(), B::Elem::NAME), found, expected, tolerance::<B>());
    }
}
