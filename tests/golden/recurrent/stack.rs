//! Recurrent layers one upon another, with given first states, that give their last states too: what PyTorch's and Keras'
//! layers do and one value of [`Sequential`](elman::layers::Sequential) cannot, made of `RnnModule::states`.

use elman::layers::rnn::{CellKind, Rnn, RnnModule};
use elman::layers::{Built, Layer, Merge, Module, Pass, Scope, Spec, Value};
use elman::{Backend, Result, Tensor};

/// The layers, in one direction or two each. The value is a row for each sequence: the outputs of the last layer (`[time,
/// units]` with `sequences`, or else `[units]`) and then, with `states`, the last states of all layers and directions.
#[derive(Debug)]
pub(crate) struct Stack<B: Backend, C> {
    pub(crate) layers: Vec<Vec<Direction<B, C>>>,
    /// `None` of layers in one direction.
    pub(crate) merge: Option<Merge>,
    pub(crate) sequences: bool,
    pub(crate) states: bool,
}

/// One direction of a layer: `[batch, time + 1, units]` (an LSTM's `time + 2`), the outputs of all steps, if asked for, and
/// behind them the last states as further steps.
#[derive(Clone, Debug)]
pub(crate) struct Direction<B: Backend, C> {
    pub(crate) layer: Rnn<C>,
    pub(crate) units: usize,
    /// The first states; none for zeros.
    pub(crate) first: Vec<Tensor<B>>,
    pub(crate) outputs: bool,
}

impl<B: Backend, C: CellKind> Layer<B> for Stack<B, C> {
    fn kind(&self) -> &'static str {
        "stack"
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        let (mut input, mut modules) = (input.clone(), Vec::new());
        for (number, directions) in self.layers.iter().enumerate() {
            let (mut both, mut width) = (Vec::new(), 0);
            for (direction, name) in directions.iter().zip(["forward", "backward"]) {
                let built = scope.layer(Some(&format!("layer{number}_{name}")), direction, &input)?;
                let units = built.output.features()?;
                width = if self.merge == Some(Merge::Concat) { width + units } else { units };
                both.push(built.module);
            }
            modules.push(both);
            input = input.with_features(width);
        }
        let module = StackModule { modules, merge: self.merge, sequences: self.sequences, states: self.states };
        Ok(Built::new(module, Spec::Dense(vec![None])))
    }
}

#[derive(Debug)]
struct StackModule<B: Backend> {
    modules: Vec<Vec<Box<dyn Module<B>>>>,
    merge: Option<Merge>,
    sequences: bool,
    states: bool,
}

impl<B: Backend> Module<B> for StackModule<B> {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let (mut x, mask) = input.sequence(pass)?;
        let (time, mut states) = (x.shape()[1], Vec::new());
        for (number, directions) in self.modules.iter().enumerate() {
            let steps = if self.sequences || number + 1 < self.modules.len() { time } else { 0 };
            let mut outputs = Vec::new();
            for direction in directions {
                let y = direction.forward(Value::Tensor(x.clone()).with_mask(mask.clone()), pass)?.tensor(pass)?;
                // Without the outputs of all steps, the last one is the first of the states.
                outputs.push(y.slice(1, 0, steps.max(1))?);
                states.push(y.slice(1, steps, y.shape()[1] - steps)?);
            }
            x = match (self.merge, &outputs[..]) {
                (None, [y]) => y.clone(),
                (Some(Merge::Concat), [f, b]) => Tensor::concat(&[f, b], 2)?,
                (Some(Merge::Sum), [f, b]) => f.add(b)?,
                (Some(Merge::Mul), [f, b]) => f.mul(b)?,
                (Some(Merge::Average), [f, b]) => f.add(b)?.affine(0.5, 0.0)?,
                (merge, outputs) => panic!("{merge:?} of {} directions", outputs.len()),
            };
        }
        let mut parts = vec![x];
        if self.states {
            parts.extend(states);
        }
        let rows = parts.iter().map(|part| part.reshape(&[part.shape()[0], part.shape()[1..].iter().product()]));
        Ok(Tensor::concat(&rows.collect::<Result<Vec<_>>>()?.iter().collect::<Vec<_>>(), 1)?.into())
    }
}

impl<B: Backend, C: CellKind> Layer<B> for Direction<B, C> {
    fn kind(&self) -> &'static str {
        "direction"
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        let rnn = self.layer.module(input.features()?, scope)?;
        let module = DirectionModule { rnn, first: self.first.clone(), outputs: self.outputs };
        Ok(Built::new(module, Spec::Dense(vec![None, Some(self.units)])))
    }
}

#[derive(Debug)]
struct DirectionModule<B: Backend> {
    rnn: RnnModule,
    first: Vec<Tensor<B>>,
    outputs: bool,
}

impl<B: Backend> Module<B> for DirectionModule<B> {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let (x, mask) = input.sequence(pass)?;
        let last = self.rnn.states(&x, mask.as_ref(), &self.first, self.outputs, pass)?;
        let step = |state: &Tensor<B>| state.reshape(&[state.shape()[0], 1, state.shape()[1]]);
        let mut parts: Vec<Tensor<B>> = last.outputs.into_iter().collect();
        parts.push(step(&last.h)?);
        parts.extend(last.c.as_ref().map(step).transpose()?);
        Ok(Tensor::concat(&parts.iter().collect::<Vec<_>>(), 1)?.into())
    }
}
