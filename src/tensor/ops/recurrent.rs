//! The recurrent networks over whole sequences, as one operation on the tape.

use super::super::Tensor;
use crate::backend::recurrent::{Projected, Sequence, Upstream};
use crate::backend::{Backend, Cell, ProjectedWanted, RecurrentWanted};
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
        self.recurrent_from(cell, None, with)
    }

    /// The same from the inputs themselves, this tensor `[batch, time, features]`, with their kernel `W [features, gates
    /// units]` and bias `b [gates units]`: faster than [`Tensor::linear`] and [`Tensor::recurrent`] where the backend does
    /// both at once, and without work for masked steps.
    pub fn projected_recurrent(
        &self,
        cell: Cell,
        (kernel, bias): (&Tensor<B>, Option<&Tensor<B>>),
        with: &Recurrence<'_, B>,
    ) -> Result<States<B>> {
        self.recurrent_from(cell, Some((kernel, bias)), with)
    }

    fn recurrent_from(
        &self,
        cell: Cell,
        projection: Option<(&Tensor<B>, Option<&Tensor<B>>)>,
        with: &Recurrence<'_, B>,
    ) -> Result<States<B>> {
        let b = self.backend().clone();
        let optional = [with.bias, with.h, with.c];
        // Inputs of the operation, and which of the seven gradients each gets: those of a projected network, whose first
        // is that of `z` without a projection.
        let kernel = projection.map(|(kernel, _)| kernel);
        let (mut inputs, mut places) = (vec![self], vec![0]);
        let others = [kernel, projection.and_then(|(_, bias)| bias), Some(with.u)].into_iter().chain(optional);
        for (tensor, place) in others.zip(1..).filter_map(|(tensor, place)| Some((tensor?, place))) {
            inputs.push(tensor);
            places.push(place);
        }
        let kept = Kept {
            projection: projection.map(|(kernel, bias)| (kernel.value().clone(), bias.map(|b| b.value().clone()))),
            x: self.value().clone(),
            u: with.u.value().clone(),
            optional: optional.map(|tensor| tensor.map(|tensor| tensor.value().clone())),
            mask: with.mask.cloned(),
            dropout: with.dropout.cloned(),
            reverse: with.reverse,
            outputs: with.outputs,
            gradient: inputs.iter().any(|input| input.is_tracked()),
        };
        let y = match kept.projected() {
            Some(x) => b.projected_recurrent(cell, &x)?,
            None => b.recurrent(cell, &kept.sequence())?,
        };
        // The last output stands for the operation on the tape. The other values hang on it: their pullbacks, which are
        // called before that of the operation, park what they were given.
        let (of_outputs, of_c) = (Parked::<B>::default(), Parked::<B>::default());
        let (outputs, c, last) = (y.outputs.clone(), y.c.clone(), y.h.clone());
        let parked = [of_outputs.clone(), of_c.clone()];
        let h = Tensor::record("recurrent", self.backend(), last, &inputs, move |dh, wanted| {
            let [of_outputs, of_c] = parked.map(|parked| parked.lock().unwrap_or_else(PoisonError::into_inner).take());
            let mut all = [false; 7];
            places.iter().zip(wanted).for_each(|(&place, &wanted)| all[place] = wanted);
            let upstream = Upstream { outputs: of_outputs.as_ref(), h: Some(dh), c: of_c.as_ref() };
            let mut gradients = match kept.projected() {
                Some(x) => b.projected_recurrent_grad(cell, &x, &y, &upstream, all.into())?,
                None => {
                    let ProjectedWanted { x: z, u, recurrent_bias: bias, h, c, .. } = all.into();
                    let wanted = RecurrentWanted { z, u, bias, h, c };
                    let [z, u, bias, h, c] = b.recurrent_grad(cell, &kept.sequence(), &y, &upstream, wanted)?;
                    [z, None, None, u, bias, h, c]
                }
            };
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
    /// The kernel and the bias of the inputs.
    projection: Option<(B::Array, Option<B::Array>)>,
    /// `z`, or the inputs to project.
    x: B::Array,
    u: B::Array,
    /// The bias and the first states.
    optional: [Option<B::Array>; 3],
    mask: Option<B::Array>,
    dropout: Option<B::Array>,
    reverse: bool,
    outputs: bool,
    gradient: bool,
}

impl<B: Backend> Kept<B> {
    fn projected(&self) -> Option<Projected<'_, B>> {
        let (kernel, bias) = self.projection.as_ref()?;
        Some(Projected { x: &self.x, kernel, bias: bias.as_ref(), rest: self.sequence() })
    }

    fn sequence(&self) -> Sequence<'_, B> {
        let [bias, h, c] = &self.optional;
        Sequence {
            z: &self.x,
            u: &self.u,
            bias: bias.as_ref(),
            h: h.as_ref(),
            c: c.as_ref(),
            mask: self.mask.as_ref(),
            dropout: self.dropout.as_ref(),
            reverse: self.reverse,
            outputs: self.outputs,
            gradient: self.gradient,
        }
    }
}
