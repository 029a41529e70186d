//! Optimisers, schedules and clipping against ten steps of Keras and PyTorch.

use crate::common::golden::{Case, Golden};
use crate::common::near::{assert_near, is_double, numbers, tensor};
use elman::optim::{AdaDelta, AdaGrad, Adam, Adamax, Epsilon, Nadam, Optimizer, RAdam, RmsProp, Schedule, Sgd};
use elman::regularizer::Regularizer;
use elman::{Backend, Param, Shape, Tensor};
use elman_candle::Candle;
use elman_reference::Reference;
use serde_json::Value;

/// The base rate and the course that a schedule of Keras or PyTorch is.
fn schedule(args: &Value) -> (f64, Schedule) {
    let number = |key: &str| args[key].as_f64().unwrap();
    let steps = |key: &str| args[key].as_u64().unwrap();
    let kind = args["schedule"].as_str().unwrap();
    if kind == "piecewise_constant" {
        let values: Vec<f64> = args["values"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
        let boundaries = args["boundaries"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap());
        let factors: Vec<f64> = values.iter().map(|value| value / values[0]).collect();
        return (values[0], Schedule::piecewise(boundaries.collect::<Vec<_>>(), factors));
    }
    let first = number("initial_learning_rate");
    let staircase = args["staircase"].as_bool().unwrap_or(false);
    let course = match kind {
        "exponential_decay" => {
            Schedule::Exponential { steps: steps("decay_steps"), rate: number("decay_rate"), staircase }
        }
        "inverse_time_decay" => {
            Schedule::InverseTime { steps: steps("decay_steps"), rate: number("decay_rate"), staircase }
        }
        "polynomial_decay" => {
            Schedule::polynomial(steps("decay_steps"), number("end_learning_rate") / first, number("power"))
        }
        "cosine_decay" => {
            let cosine = Schedule::cosine(steps("decay_steps"), number("alpha"));
            match args["warmup_target"].as_f64() {
                Some(target) => return (target, cosine.warm_up(steps("warmup_steps"), first / target)),
                None => cosine,
            }
        }
        "cosine_annealing" => Schedule::cosine(steps("t_max"), number("eta_min") / first),
        "linear" => Schedule::Constant.warm_up(steps("total_iters"), number("start_factor")),
        "step" => Schedule::staircase(steps("step_size"), number("gamma")),
        "exponential" => Schedule::exponential(1, number("gamma")),
        other => panic!("schedule {other}"),
    };
    (first, course)
}

/// The optimiser of a case.
fn optimizer<B: Backend>(case: &Case) -> Optimizer<B> {
    let (lr, course) = match case.args["schedule"].is_null() {
        true => (case.number("learning_rate"), Schedule::Constant),
        false => schedule(&case.args["schedule"]),
    };
    let placement = case.args["epsilon_placement"].as_str();
    let epsilon = || match placement {
        Some("inside_sqrt" | "inside_maximum") => Epsilon::Inside(case.number("epsilon")),
        _ => Epsilon::Outside(case.number("epsilon")),
    };
    let betas = || (case.number("beta_1"), case.number("beta_2"));
    let decay = if case.args["weight_decay_mode"] == "decoupled" { case.number("weight_decay") } else { 0.0 };
    let optimizer: Optimizer<B> = match &*case.kind {
        "sgd" => {
            let sgd = Sgd::new(lr).momentum(case.number("momentum")).weight_decay(decay);
            let sgd = sgd.dampening(case.args["dampening"].as_f64().unwrap_or(0.0));
            if case.is("nesterov") { sgd.nesterov().into() } else { sgd.into() }
        }
        "adagrad" => AdaGrad::new(lr).initial_accumulator(case.number("initial_accumulator")).epsilon(epsilon()).into(),
        "adadelta" => AdaDelta::new(lr).rho(case.number("rho")).epsilon(case.number("epsilon")).into(),
        "rmsprop" => {
            let rmsprop = RmsProp::new(lr).rho(case.number("rho")).momentum(case.number("momentum")).epsilon(epsilon());
            if case.is("centered") { rmsprop.centered().into() } else { rmsprop.into() }
        }
        "adam" | "adamw" => {
            let adam = Adam::new(lr).betas(betas().0, betas().1);
            let adam = match placement {
                Some("outside_sqrt_uncorrected") => adam.epsilon_hat(case.number("epsilon")),
                _ => adam.epsilon(case.number("epsilon")),
            };
            let adam = adam.weight_decay(decay);
            if case.is("amsgrad") { adam.amsgrad().into() } else { adam.into() }
        }
        "nadam" => {
            let nadam = Nadam::new(lr).betas(betas().0, betas().1).epsilon(case.number("epsilon"));
            nadam.momentum_decay(case.number("momentum_decay")).weight_decay(decay).into()
        }
        "adamax" => Adamax::new(lr).betas(betas().0, betas().1).epsilon(epsilon()).weight_decay(decay).into(),
        "radam" => {
            let radam = RAdam::new(lr).betas(betas().0, betas().1).epsilon(case.number("epsilon"));
            radam.weight_decay(decay).into()
        }
        other => panic!("optimizer {other}"),
    };
    let optimizer = optimizer.schedule(course).accumulate(case.number("accumulation_steps") as usize);
    let clip = &case.args["clip"];
    match (clip["by"].as_str(), clip["limit"].as_f64()) {
        (Some("value"), Some(limit)) => optimizer.clip_value(limit),
        (Some("norm"), Some(limit)) => optimizer.clip_norm(limit),
        (Some("global_norm"), Some(limit)) => optimizer.clip_global_norm(limit),
        _ => optimizer,
    }
}

/// PyTorch's momentum does not contain the learning rate; ours does, as Keras'. With a rate that changes they differ.
fn differs_by_design(case: &Case) -> bool {
    case.args["rate_placement"] == "outside_velocity"
        && !case.args["schedule"].is_null()
        && case.number("momentum") > 0.0
}

#[test]
fn schedules_give_the_rates_of_keras_and_pytorch() {
    let golden = Golden::open("optimizers");
    let cases: Vec<&Case> = golden.cases.iter().filter(|case| case.kind == "schedule").collect();
    assert!(cases.len() >= 12);
    for case in cases {
        let (base, course) = schedule(&case.args);
        course.check().unwrap();
        let rates: Vec<f64> = (0..20).map(|step| base * course.at(step)).collect();
        // A few roundings of a product of powers.
        assert_near(&case.name, &rates, &golden.tensor(case, "learning_rates").unwrap().0, 1e-15);
    }
}

#[test]
fn reference_f64_takes_the_steps_of_keras_and_pytorch() {
    steps_agree(&Reference::<f64>::new());
}

#[test]
fn reference_f32_takes_the_steps_of_keras_and_pytorch() {
    steps_agree(&Reference::<f32>::new());
}

#[test]
fn candle_takes_the_steps_of_keras_and_pytorch() {
    steps_agree(&Candle::cpu());
}

/// Every case over ten steps. In `f64` the steps are the same to some roundings; in `f32`
/// the inputs are rounded, and each of ten steps rounds weight and state anew (some hundred roundings of 6e-8 in all).
fn steps_agree<B: Backend>(b: &B) {
    let golden = Golden::open("optimizers");
    let mut compared = 0;
    for case in golden.cases.iter().filter(|case| case.kind != "schedule" && !differs_by_design(case)) {
        let mut optimizer = optimizer::<B>(case);
        // Coupled decay adds `decay w` to the gradient: the penalty decay/2 Σw² does.
        let coupled = (case.args["weight_decay_mode"] == "coupled").then(|| case.number("weight_decay") / 2.0);
        let golden_tensor = |what: &str| golden.tensor(case, what).unwrap();
        let mut params = ["matrix", "vector"].map(|name| {
            let (data, shape) = golden_tensor(&format!("{name}_initial"));
            Param::new(name, tensor(b, &data, &shape), true)
        });
        let tolerance = match case.args["clip"]["epsilon"].as_f64() > Some(0.0) {
            _ if !is_double::<B>() => 1e-5,
            // The factor of PyTorch's global norm has an epsilon that ours lacks.
            true => 1e-6,
            false => 1e-12,
        };
        for step in 0..10 {
            let mut loss = Tensor::full(b, &[], 0.0).unwrap();
            for param in &params {
                let (all, shape) = golden_tensor(&format!("{}_gradients", param.name()));
                let size = Shape::new(&shape[1..]).unwrap().elements();
                let gradient = tensor(b, &all[step * size..][..size], &shape[1..]);
                loss = loss.add(&param.tensor().mul(&gradient).unwrap().sum().unwrap()).unwrap();
                if let Some(l2) = coupled {
                    loss = loss.add(&Regularizer::l2(l2).penalty(param.tensor()).unwrap()).unwrap();
                }
            }
            if let Some((rates, _)) = golden.tensor(case, "learning_rates") {
                let what = format!("{}: rate of step {step}", case.name);
                assert_near(&what, &[optimizer.learning_rate()], &rates[step..][..1], 1e-15);
            }
            optimizer.step(&mut params, loss.backward().unwrap()).unwrap();
            for param in &params {
                let (all, _) = golden_tensor(&format!("{}_steps", param.name()));
                let found = numbers(param.tensor());
                let what = format!("{}: {} after step {step}", case.name, param.name());
                assert_near(&what, &found, &all[step * found.len()..][..found.len()], tolerance);
            }
        }
        compared += 1;
    }
    assert!(compared >= 67, "only {compared} cases were compared");
}
