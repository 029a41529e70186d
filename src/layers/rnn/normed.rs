//! The layer-normalised LSTM (Ba, Kiros, Hinton: "Layer Normalization", 2016, equations 20 to 22).
//!
//! ```text
//! (i, f, c̃, o) = LN(x W; γ₁) + LN(h₋ U; γ₂) + b     c = σ(f) ⊙ c₋ + σ(i) ⊙ tanh(c̃)     h = σ(o) ⊙ tanh(LN(c; γ₃, β₃))
//! ```
//!
//! Where a norm meets a row without variance it multiplies differences by `1 / √ε`. In a step there are two of them one after the
//! other, of `h₋ U` and of `c`, and a state of zeros (as steps of zeros before a text leave it) has no variance in either: with
//! Keras' ε of 1e-3 for both, a gradient grows a hundredfold and more a step, and so does what the forward pass makes of the least
//! difference. So the norms of the state have an ε of their own, 1 by default: they shrink what is large and never enlarge,
//! and at zeros the network is the plain LSTM. The norm of the inputs is in no loop and keeps Keras' ε.
//!
//! A norm in each step leaves nothing to fuse, so that the steps are operations of their own on the tape; it costs several
//! times what the plain LSTM costs.

use crate::activation::Activation;
use crate::backend::Backend;
use crate::error::Result;
use crate::layers::layer_norm::check_epsilon;
use crate::layers::{Pass, Scope, Weight};
use crate::param::ParamId;
use crate::tensor::{Recurrence, States, Tensor};

/// What is added to the variances of the inputs' norm: Keras' default for layer normalisation.
const EPSILON: f64 = 1e-3;

/// The parameters of the three norms, and what is added to the variances of those of the state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Norms {
    epsilon: f64,
    kernel_gamma: ParamId,
    recurrent_gamma: ParamId,
    state_gamma: ParamId,
    state_beta: ParamId,
}

impl Norms {
    pub(super) fn build<B: Backend>(units: usize, epsilon: f64, scope: &mut Scope<'_, B>) -> Result<Self> {
        check_epsilon(epsilon)?;
        let mut param = |name, size: usize, weight: Weight| scope.param(name, [size].into(), &weight);
        Ok(Norms {
            epsilon,
            kernel_gamma: param("kernel_gamma", 4 * units, Weight::ones())?,
            recurrent_gamma: param("recurrent_gamma", 4 * units, Weight::ones())?,
            state_gamma: param("state_gamma", units, Weight::ones())?,
            state_beta: param("state_beta", units, Weight::zeros())?,
        })
    }

    /// `LN(x W; γ₁) + b` for all steps, from `x W`.
    pub(super) fn inputs<B: Backend>(
        &self,
        xw: &Tensor<B>,
        bias: Option<&Tensor<B>>,
        pass: &Pass<'_, B>,
    ) -> Result<Tensor<B>> {
        let gamma = pass.param(self.kernel_gamma);
        match bias {
            Some(bias) => xw.layer_norm(&gamma, bias, EPSILON),
            None => xw.layer_norm(&gamma, &Tensor::full(pass.backend(), &gamma.shape(), 0.0)?, EPSILON),
        }
    }

    /// The recurrence over `z [batch, time, 4 units]`, step by step.
    pub(super) fn recurrent<B: Backend>(
        &self,
        z: &Tensor<B>,
        (gates, activation): (Activation, Activation),
        with: &Recurrence<'_, B>,
        pass: &Pass<'_, B>,
    ) -> Result<States<B>> {
        let b = pass.backend();
        let (n, units) = (z.shape()[0], with.u.shape()[0]);
        let state =
            |given: Option<&Tensor<B>>| given.map_or_else(|| Tensor::full(b, &[n, units], 0.0), |s| Ok(s.clone()));
        let (mut h, mut c) = (state(with.h)?, state(with.c)?);
        let (recurrent_gamma, state_gamma) = (pass.param(self.recurrent_gamma), pass.param(self.state_gamma));
        let (state_beta, zeros) = (pass.param(self.state_beta), Tensor::full(b, &[4 * units], 0.0)?);
        let dropout = with.dropout.map(|dropout| Tensor::constant(b, dropout.clone()));

        let mut steps: Vec<_> = z.unstack(1)?.into_iter().enumerate().collect();
        if with.reverse {
            steps.reverse();
        }
        let mut outputs = Vec::with_capacity(steps.len());
        for (t, z) in steps {
            let r = dropout.as_ref().map_or(Ok(h.clone()), |dropout| h.mul(dropout))?;
            let a = z.add(&r.matmul(with.u)?.layer_norm(&recurrent_gamma, &zeros, self.epsilon)?)?;
            let [i, f, candidate, o] = &a.reshape(&[n, 4, units])?.unstack(1)?[..] else { unreachable!("four gates") };
            let kept = f.activate(gates)?.mul(&c)?;
            let new_c = kept.add(&i.activate(gates)?.mul(&candidate.activate(activation)?)?)?;
            let squashed = new_c.layer_norm(&state_gamma, &state_beta, self.epsilon)?.activate(activation)?;
            let new_h = o.activate(gates)?.mul(&squashed)?;
            (h, c) = match with.mask {
                Some(mask) => {
                    let there = Tensor::constant(b, b.slice(mask, 1, t, 1)?);
                    (new_h.select(&there, &h)?, new_c.select(&there, &c)?)
                }
                None => (new_h, new_c),
            };
            outputs.push(h.clone());
        }
        if with.reverse {
            outputs.reverse();
        }
        let outputs = with.outputs.then(|| Tensor::stack(&outputs, 1)).transpose()?;
        Ok(States { outputs, h, c: Some(c) })
    }
}
