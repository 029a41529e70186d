//! PyTorch's optimisers, ten steps each.

use crate::compare::{near, numbers, tensor};
use crate::suite::{Case, Numbers};
use anyhow::{Result, bail};
use elman::optim::{AdaDelta, AdaGrad, Adam, Adamax, Epsilon, Nadam, Optimizer, RAdam, RmsProp, Schedule, Sgd};
use elman::regularizer::Regularizer;
use elman::{Backend, Param, Tensor};

pub(crate) fn check<B: Backend>(b: &B, case: &Case<'_>) -> Result<()> {
    let mut optimizer = optimizer::<B>(case)?;
    let decay = case.number("weight_decay").unwrap_or(0.0);
    let decoupled = case.is("decoupled_weight_decay");
    // To maximise is to minimise the negative.
    let sign = if case.is("maximize") { -1.0 } else { 1.0 };
    let names = ["matrix", "vector"].map(|name| (name, case.find(&format!("{name}_initial"))));
    let names: Vec<(&str, Numbers)> = names.into_iter().filter_map(|(name, initial)| Some((name, initial?))).collect();
    let mut params = names
        .iter()
        .map(|(name, initial)| Ok(Param::new(*name, tensor(b, initial)?, true)))
        .collect::<Result<Vec<_>>>()?;
    for step in 0..10 {
        let mut loss = Tensor::full(b, &[], 0.0)?;
        for (param, (name, initial)) in params.iter().zip(&names) {
            let all = case.tensor(&format!("{name}_gradients"))?;
            let size = initial.data.len();
            let gradient = Numbers::new(all.data[step * size..][..size].to_vec(), &initial.shape).map(|g| sign * g);
            loss = loss.add(&param.tensor().mul(&tensor(b, &gradient)?)?.sum()?)?;
            if decay > 0.0 && !decoupled {
                // `decay w` in the gradient is the penalty decay / 2 Σ w².
                loss = loss.add(&Regularizer::l2(decay / 2.0).penalty(param.tensor())?)?;
            }
        }
        optimizer.step(&mut params, loss.backward()?)?;
        for (param, (name, initial)) in params.iter().zip(&names) {
            let all = case.tensor(&format!("{name}_steps"))?;
            let size = initial.data.len();
            let expected = Numbers::new(all.data[step * size..][..size].to_vec(), &initial.shape);
            near::<B>(&format!("{name} after step {step}"), &numbers(param.tensor())?, &expected)?;
        }
    }
    Ok(())
}

/// A pair among the options.
fn pair(case: &Case<'_>, key: &str) -> Result<(f64, f64)> {
    match case.option(key).as_array().map(|pair| pair.iter().map(crate::suite::number).collect::<Option<Vec<_>>>()) {
        Some(Some(pair)) if pair.len() == 2 => Ok((pair[0], pair[1])),
        _ => bail!("no pair {key}"),
    }
}

fn optimizer<B: Backend>(case: &Case<'_>) -> Result<Optimizer<B>> {
    let lr = case.number("lr")?;
    let decoupled = case.is("decoupled_weight_decay");
    Ok(match case.text("optimizer")? {
        "SGD" => {
            let sgd = Sgd::new(lr).momentum(case.number("momentum")?);
            let dampening = case.number("dampening")?;
            let sgd = if dampening > 0.0 { sgd.dampening(dampening) } else { sgd };
            if case.is("nesterov") { sgd.nesterov().into() } else { sgd.into() }
        }
        "Adagrad" => {
            let adagrad = AdaGrad::new(lr).initial_accumulator(case.number("initial_accumulator_value")?);
            let optimizer: Optimizer<B> = adagrad.epsilon(Epsilon::Outside(case.number("eps")?)).into();
            optimizer.schedule(Schedule::InverseTime { steps: 1, rate: case.number("lr_decay")?, staircase: false })
        }
        "Adadelta" => AdaDelta::new(lr).rho(case.number("rho")?).epsilon(case.number("eps")?).into(),
        "RMSprop" => {
            let rmsprop = RmsProp::new(lr).rho(case.number("alpha")?).momentum(case.number("momentum")?);
            let rmsprop = rmsprop.epsilon(Epsilon::Outside(case.number("eps")?));
            if case.is("centered") { rmsprop.centered().into() } else { rmsprop.into() }
        }
        "Adam" | "AdamW" => {
            let (beta1, beta2) = pair(case, "betas")?;
            let adam = Adam::new(lr).betas(beta1, beta2).epsilon(case.number("eps")?);
            let adam = if decoupled { adam.weight_decay(case.number("weight_decay")?) } else { adam };
            if case.is("amsgrad") { adam.amsgrad().into() } else { adam.into() }
        }
        "NAdam" => {
            let (beta1, beta2) = pair(case, "betas")?;
            let nadam = Nadam::new(lr).betas(beta1, beta2).epsilon(case.number("eps")?);
            let nadam = nadam.momentum_decay(case.number("momentum_decay")?);
            if decoupled { nadam.weight_decay(case.number("weight_decay")?).into() } else { nadam.into() }
        }
        "RAdam" => {
            let (beta1, beta2) = pair(case, "betas")?;
            let radam = RAdam::new(lr).betas(beta1, beta2).epsilon(case.number("eps")?);
            if decoupled { radam.weight_decay(case.number("weight_decay")?).into() } else { radam.into() }
        }
        "Adamax" => {
            let (beta1, beta2) = pair(case, "betas")?;
            Adamax::new(lr).betas(beta1, beta2).epsilon(Epsilon::Inside(case.number("eps")?)).into()
        }
        other => bail!("no optimiser {other}"),
    })
}
