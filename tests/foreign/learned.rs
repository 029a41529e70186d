//! What the library has learned of other libraries of late.

use crate::suite::{Case, Numbers};
use anyhow::{Result, bail};
use elman::optim::Optimizer;
use elman::{Backend, Tensor};

pub(crate) fn prelu<B: Backend>(_: &B, _: &Case<'_>, _: &Numbers) -> Result<()> {
    bail!("no PReLU")
}

pub(crate) fn glu<B: Backend>(_: &B, _: &Tensor<B>) -> Result<Tensor<B>> {
    bail!("no GLU")
}

pub(crate) fn torch_loss<B: Backend>(_: &B, _: &Case<'_>, name: &str) -> Result<()> {
    bail!("no loss {name}")
}

pub(crate) fn torch_layer<B: Backend>(_: &B, _: &Case<'_>, name: &str) -> Result<()> {
    bail!("no layer {name}")
}

pub(crate) fn torch_optimizer<B: Backend>(_: &Case<'_>, name: &str) -> Result<Optimizer<B>> {
    bail!("no optimiser {name}")
}

pub(crate) fn onnx_norm<B: Backend>(_: &B, _: &Case<'_>, name: &str) -> Result<()> {
    bail!("no {name}")
}

pub(crate) fn onnx_nll<B: Backend>(_: &B, _: &Case<'_>, _: &Tensor<B>, _: &crate::cross_entropy::CrossEntropy<'_>) -> Result<()> {
    bail!("no negative log-likelihood")
}

pub(crate) fn keras_loss<B: Backend>(_: &Case<'_>, name: &str) -> Result<Box<dyn elman::loss::Loss<B>>> {
    bail!("no loss {name}")
}
