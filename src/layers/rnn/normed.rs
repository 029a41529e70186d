//! The layer-normalised LSTM (Ba, Kiros, Hinton: "Layer Normalization", 2016, equations 20 to 22).
//!
//! ```text
//! (i, f, c̃, o) = LN(x W; γ₁) + LN(h₋ U; γ₂) + b     c = σ(f) ⊙ c₋ + σ(i) ⊙ tanh(c̃)     h = σ(o) ⊙ tanh(LN(c; γ₃, β₃))
//! ```
//!
//! A norm in each step leaves nothing to fuse, so that the steps are operations of their own on the tape; it costs several
//! times what the plain LSTM costs.

use crate::activation::Activation;
use crate::backend::Backend;
use crate::error::Result;
use crate::layers::{Pass, Scope, Weight};
use crate::param::ParamId;
use crate::tensor::{Recurrence, States, Tensor};

/// What is added to variances: Keras' default for layer normalisation.
const EPSILON: f64 = 1e-3;

/// The parameters of the three norms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Norms {
    kernel_gamma: ParamId,
    recurrent_gamma: ParamId,
    state_gamma: ParamId,
    state_beta: ParamId,
}

impl Norms {
    pub(super) fn build<B: Backend>(units: usize, scope: &mut Scope<'_, B>) -> Result<Self> {
        let mut param = |name, size: usize, weight: Weight| scope.param(name, [size].into(), &weight);
        Ok(Norms {
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
            let a = z.add(&r.matmul(with.u)?.layer_norm(&recurrent_gamma, &zeros, EPSILON)?)?;
            let [i, f, candidate, o] = &a.reshape(&[n, 4, units])?.unstack(1)?[..] else { unreachable!("four gates") };
            let kept = f.activate(gates)?.mul(&c)?;
            let new_c = kept.add(&i.activate(gates)?.mul(&candidate.activate(activation)?)?)?;
            let squashed = new_c.layer_norm(&state_gamma, &state_beta, EPSILON)?.activate(activation)?;
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
