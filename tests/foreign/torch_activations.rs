//! PyTorch's activation modules.

use crate::compare::{compare_gradient, gradient, near, near_beside, numbers, param, set, tensor, variable};
use crate::suite::{Case, Numbers};
use anyhow::{Result, bail};
use elman::layers::{Glu, Mode, PRelu, Sequential};
use elman::random::Key;
use elman::{Activation, Backend, Spec, Tensor};

pub(crate) fn check<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let module = case.text("module")?.trim_start_matches("nn.");
    let input = case.tensor("in.input")?;
    if module == "PReLU" {
        return prelu(b, case, &input);
    }
    // The library's softmaxes and gates work along the last axis.
    let rank = input.shape.len() as i64;
    let axis = match module {
        "Softmax" | "LogSoftmax" | "Softmin" | "GLU" => {
            case.option("dim").as_i64().map_or(rank - 1, |axis| axis.rem_euclid(rank))
        }
        _ => rank - 1,
    } as usize;
    let x = variable(b, &input.with_last(axis))?;
    let y = match module {
        "Hardtanh" => x.clamp(case.number("min_val")?, case.number("max_val")?)?,
        "Softmin" => x.neg()?.softmax()?,
        "Tanhshrink" => x.sub(&x.tanh()?)?,
        "Softplus" => softplus(case, &x)?,
        "GLU" => {
            let x = if rank == 1 { x.reshape(&[1, x.shape()[0]])? } else { x.clone() };
            let model = Sequential::new().add(Glu).build(b, Spec::dense(&x.shape()[1..]), 0)?;
            let y = model.forward(x, Mode::Training(Key::new(1)))?;
            if rank == 1 { y.reshape(&[y.shape()[1]])? } else { y }
        }
        _ => {
            let f = activation(case, module)?;
            let layer = Sequential::new().add(f).build(b, Spec::dense(&x.shape()[1..]), 0);
            // As a layer too, where there is a batch for it.
            if let (Ok(model), true) = (layer, x.shape().rank() > 1) {
                let y = model.forward(x.clone(), Mode::Training(Key::new(1)))?;
                near::<B>("out of the layer", &numbers(&y)?, &case.tensor("out")?.with_last(axis))?;
            }
            x.activate(f)?
        }
    };
    near::<B>("out", &numbers(&y)?, &case.tensor("out")?.with_last(axis))?;
    let above = tensor(b, &case.tensor("above.out")?.with_last(axis))?;
    let gradients = y.backward_from(above.value().clone())?;
    if axis + 1 == rank as usize {
        return compare_gradient(case, "grad.in.input", &gradients, &x);
    }
    let found = gradient(&gradients, &x)?;
    near_beside::<B>("grad.in.input", &found, &case.tensor("grad.in.input")?.with_last(axis), 0.0)
}

fn activation(case: &Case<'_>, module: &str) -> Result<Activation> {
    Ok(match module {
        "CELU" => Activation::Celu(case.number("alpha")?),
        "ELU" => Activation::Elu(case.number("alpha")?),
        "GELU" if case.text("approximate")? == "tanh" => Activation::GeluTanh,
        "GELU" => Activation::Gelu,
        "Hardswish" => Activation::HardSwish,
        "LeakyReLU" => Activation::LeakyRelu(case.number("negative_slope")?),
        "LogSigmoid" => Activation::LogSigmoid,
        "LogSoftmax" => Activation::LogSoftmax,
        "Mish" => Activation::Mish,
        "ReLU" => Activation::Relu,
        "ReLU6" => Activation::Relu6,
        "SELU" => Activation::Selu,
        "SiLU" => Activation::Silu,
        "Sigmoid" => Activation::Sigmoid,
        "Softmax" => Activation::Softmax,
        "Softsign" => Activation::Softsign,
        "Tanh" => Activation::Tanh,
        other => bail!("no activation {other}"),
    })
}

/// One slope for all, or one for each of axis 1.
fn prelu<B: Backend>(b: &B, case: &Case<'_>, input: &Numbers) -> Result<()> {
    let slopes = case.tensor("param.weight")?;
    let several = slopes.data.len();
    let by_rows = |numbers: &Numbers| {
        let numbers = if several > 1 { numbers.with_last(1) } else { numbers.clone() };
        numbers.reshaped(&[numbers.data.len() / several, several])
    };
    let x = variable(b, &by_rows(input))?;
    let mut model = Sequential::new().add_named("prelu", PRelu::new()).build(b, Spec::dense(&[several]), 0)?;
    set(b, &mut model, "prelu.alpha", &slopes)?;
    let y = model.forward(x.clone(), Mode::Training(Key::new(1)))?;
    near::<B>("out", &numbers(&y)?, &by_rows(&case.tensor("out")?))?;
    let gradients = y.backward_from(tensor(b, &by_rows(&case.tensor("above.out")?))?.value().clone())?;
    near_beside::<B>("grad.in.input", &gradient(&gradients, &x)?, &by_rows(&case.tensor("grad.in.input")?), 0.0)?;
    compare_gradient(case, "grad.param.weight", &gradients, param(&model, "prelu.alpha")?)
}

/// PyTorch's is `softplus(β x) / β`, and `x` where `β x` is beyond a threshold, which is the same to eight digits.
fn softplus<B: Backend>(case: &Case<'_>, x: &Tensor<B>) -> Result<Tensor<B>> {
    let (beta, threshold) = (case.number("beta")?, case.number("threshold")?);
    if case.tensor("in.input")?.data.iter().any(|x| x * beta > threshold) {
        bail!("a threshold");
    }
    Ok(x.affine(beta, 0.0)?.activate(Activation::Softplus)?.affine(1.0 / beta, 0.0)?)
}
