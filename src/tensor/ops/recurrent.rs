//! The recurrent networks over whole sequences, as one operation on the tape.

use super::super::Tensor;
use crate::backend::recurrent::{Sequence, Upstream};
use crate::backend::{Backend, Cell};
use crate::error::Result;
use std::sync::{Arc, Mutex, PoisonError};

/// What a recurrent network goes over besides its pre-activations; see
/// [`Sequence`] for the shapes.
#[derive(Clone, Debug)]
pub struct Recurrence<'a, B: Backend> {
    /// The recurrent weights `U [units, gates units]`.
    pub u: &'a Tensor<B>,
    /// The recurrent bias, which only the GRU has.
    pub bias: Option<&'a Tensor<B>>,
    /// The first output; 0 without.
    pub h: Option<&'a Tensor<B>>,
    /// The first cell state of an LSTM; 0 without.
    pub c: Option<&'a Tensor<B>>,
    /// Steps that take place.
    pub mask: Option<&'a B::Array>,
    /// Variational dropout of the state.
    pub dropout: Option<&'a B::Array>,
    /// From the last step to the first.
    pub reverse: bool,
    /// Whether the outputs of all steps are asked for.
    pub outputs: bool,
}

/// What a recurrent network gives.
#[derive(Clone, Debug)]
pub struct States<B: Backend> {
    /// The outputs of all steps `[batch, time, units]`, if they were asked for.
    pub outputs: Option<Tensor<B>>,
    /// The last output `[batch, units]`.
    pub h: Tensor<B>,
    /// The last cell state `[batch, units]` of an LSTM.
    pub c: Option<Tensor<B>>,
}

/// Gradients that have come in for the operation's other values before its pullback is called.
type Parked<B> = Arc<Mutex<Option<<B as Backend>::Array>>>;

impl<B: Backend> Tensor<B> {
    /// A recurrent network over sequences, from the inputs' part of its pre-activations `z = x W + b`, this tensor
    /// `[batch, time, gates units]`. See [`crate::backend::recurrent`] for the cells' formulas.
    pub fn recurrent(&self, cell: Cell, with: &Recurrence<'_, B>) -> Result<States<B>> {
        let b = self.backend().clone();
        let optional = [with.bias, with.h, with.c];
        // Inputs of the operation, and which of the five gradients each gets.
        let (mut inputs, mut places) = (vec![self, with.u], vec![0, 1]);
        for (tensor, place) in optional.iter().zip(2..).filter_map(|(tensor, place)| Some(((*tensor)?, place))) {
            inputs.push(tensor);
            places.push(place);
        }
        let kept = Kept {
            z: self.value().clone(),
            u: with.u.value().clone(),
            optional: optional.map(|tensor| tensor.map(|tensor| tensor.value().clone())),
            mask: with.mask.cloned(),
            dropout: with.dropout.cloned(),
            reverse: with.reverse,
            outputs: with.outputs,
        };
        let y = b.recurrent(cell, &kept.sequence())?;
        // The last output stands for the operation on the tape. The other values hang on it: their pullbacks, which are
        // called before that of the operation, park what they were given.
        let (of_outputs, of_c) = (Parked::<B>::default(), Parked::<B>::default());
        let (outputs, c, last) = (y.outputs.clone(), y.c.clone(), y.h.clone());
        let parked = [of_outputs.clone(), of_c.clone()];
        let h = Tensor::record("recurrent", self.backend(), last, &inputs, move |dh, wanted| {
            let [of_outputs, of_c] = parked.map(|parked| parked.lock().unwrap_or_else(PoisonError::into_inner).take());
            let mut all = [false; 5];
            places.iter().zip(wanted).for_each(|(&place, &wanted)| all[place] = wanted);
            let upstream = Upstream { outputs: of_outputs.as_ref(), h: Some(dh), c: of_c.as_ref() };
            let mut gradients = b.recurrent_grad(cell, &kept.sequence(), &y, &upstream, all)?;
            Ok(places.iter().map(|&place| gradients[place].take()).collect())
        });
        let hang = |value: Option<B::Array>, parked: Parked<B>| {
            value.map(|value| {
                let (b, shape) = (self.backend().clone(), h.shape());
                Tensor::record("recurrent", self.backend(), value, &[&h], move |d, _| {
                    *parked.lock().unwrap_or_else(PoisonError::into_inner) = Some(d.clone());
                    Ok(vec![Some(b.fill(shape, 0.0)?)])
                })
            })
        };
        Ok(States { outputs: hang(outputs, of_outputs), c: hang(c, of_c), h })
    }
}

/// What the pullback needs.
struct Kept<B: Backend> {
    z: B::Array,
    u: B::Array,
    /// The bias and the first states.
    optional: [Option<B::Array>; 3],
    mask: Option<B::Array>,
    dropout: Option<B::Array>,
    reverse: bool,
    outputs: bool,
}

impl<B: Backend> Kept<B> {
    fn sequence(&self) -> Sequence<'_, B> {
        let [bias, h, c] = &self.optional;
        Sequence {
            z: &self.z,
            u: &self.u,
            bias: bias.as_ref(),
            h: h.as_ref(),
            c: c.as_ref(),
            mask: self.mask.as_ref(),
            dropout: self.dropout.as_ref(),
            reverse: self.reverse,
            outputs: self.outputs,
        }
    }
}
