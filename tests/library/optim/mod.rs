//! The walk over parameters: convergence, clipping, accumulation, constraints, freezing, state, errors.

mod finite;
mod groups;

use elman::backend::Backend;
use elman::constraint::Constraint;
use elman::optim::{
    AdaDelta, AdaGrad, Adam, Adamax, Clip, Epsilon, Nadam, Optimizer, RAdam, RmsProp, Rule, Schedule, Sgd, global_norm,
};
use elman::{Error, Param, Result, Tensor};
use elman_reference::Reference;

type B = Reference<f64>;

fn param(name: &str, data: &[f64], trainable: bool) -> Param<B> {
    Param::new(name, Tensor::new(&B::new(), data.to_vec(), &[data.len()]).unwrap(), trainable)
}

fn values(param: &Param<B>) -> Vec<f64> {
    param.tensor().to_vec().unwrap()
}

/// One call with the gradients given, for the trainable parameters.
fn step(optimizer: &mut Optimizer<B>, params: &mut [Param<B>], gradients: &[&[f64]]) -> Result<bool> {
    let b = B::new();
    let mut loss = Tensor::full(&b, &[], 0.0)?;
    for (param, g) in params.iter().filter(|param| param.is_trainable()).zip(gradients) {
        loss = loss.add(&param.tensor().mul(&Tensor::new(&b, g.to_vec(), &[g.len()])?)?.sum()?)?;
    }
    optimizer.step(params, loss.backward()?)
}

/// `Σ scale (w - target)²`, a bowl that is ten times as steep in one direction as in the other.
fn bowl(params: &[Param<B>]) -> Result<Tensor<B>> {
    let b = B::new();
    let off = params[0].tensor().sub(&Tensor::new(&b, vec![1.0, -2.0], &[2])?)?;
    off.square()?.mul(&Tensor::new(&b, vec![5.0, 0.5], &[2])?)?.sum()
}

#[test]
fn every_rule_reaches_the_bottom_of_a_bowl() {
    let course = Schedule::exponential(100, 0.5);
    let rules: Vec<Optimizer<B>> = vec![
        Sgd::new(0.05).into(),
        Sgd::new(0.02).momentum(0.9).into(),
        Sgd::new(0.02).momentum(0.9).nesterov().into(),
        AdaGrad::new(1.0).into(),
        AdaDelta::new(1.0).epsilon(1e-3).into(),
        Optimizer::new(RmsProp::new(0.1)).schedule(course.clone()),
        Optimizer::new(RmsProp::new(0.02).momentum(0.9).centered()).schedule(course),
        Adam::new(0.1).into(),
        Adam::new(0.1).amsgrad().into(),
        Nadam::new(0.1).into(),
        Sgd::new(0.05).momentum(0.9).dampening(0.9).into(),
        Adamax::new(0.1).into(),
        RAdam::new(0.1).into(),
    ];
    for mut optimizer in rules {
        let mut params = [param("w", &[3.0, 3.0], true)];
        for _ in 0..1000 {
            let gradients = bowl(&params).unwrap().backward().unwrap();
            optimizer.step(&mut params, gradients).unwrap();
        }
        let loss = bowl(&params).unwrap().to_scalar().unwrap();
        assert!(loss < 1e-6, "{:?} ends at {loss}", optimizer.rule());
        assert_eq!(optimizer.iteration(), 1000);
    }
}

#[test]
fn clipping_shortens_what_is_too_long_and_leaves_the_rest_to_the_bit() {
    let clipped = |build: fn(Optimizer<B>) -> Optimizer<B>, gradients: [&[f64]; 2]| {
        let mut params = [param("a", &[0.0, 0.0], true), param("b", &[0.0], true)];
        step(&mut build(Sgd::new(1.0).into()), &mut params, &gradients).unwrap();
        params.each_ref().map(|p| values(p).iter().map(|x| -x).collect::<Vec<_>>())
    };
    let gradients: [&[f64]; 2] = [&[3.0, -4.0], &[12.0]];
    assert_eq!(clipped(|o| o.clip_value(3.5), gradients), [vec![3.0, -3.5], vec![3.5]]);
    assert_eq!(clipped(|o| o.clip_norm(10.0), gradients), [vec![3.0, -4.0], vec![10.0]]);
    // The common norm is 13.
    assert_eq!(clipped(|o| o.clip_global_norm(6.5), gradients), [vec![1.5, -2.0], vec![6.0]]);
    assert_eq!(clipped(|o| o.clip_global_norm(13.1), gradients), [vec![3.0, -4.0], vec![12.0]]);
    // In the order given: first to the norm, then to the value.
    assert_eq!(clipped(|o| o.clip_global_norm(6.5).clip_value(5.0), gradients), [vec![1.5, -2.0], vec![5.0]]);
    assert_eq!(clipped(|o| o.clip_global_norm(1.0), [&[0.0, 0.0], &[0.0]]), [vec![0.0, 0.0], vec![0.0]]);

    let b = B::new();
    let arrays = [b.upload(vec![3.0, -4.0], [2].into()).unwrap(), b.fill([1].into(), 12.0).unwrap()];
    assert_eq!(global_norm(&b, &arrays).unwrap().to_scalar().unwrap(), 13.0);
}

#[test]
fn accumulated_halves_are_one_step_of_the_mean() {
    let (mut whole, mut halves) = ([param("w", &[1.0, 1.0], true)], [param("w", &[1.0, 1.0], true)]);
    // The mean is shorter than the bound, the sum and the halves are not: it is the mean that is clipped.
    let mut once = Optimizer::new(Sgd::new(0.1).momentum(0.9)).clip_global_norm(2.5);
    let mut twice = Optimizer::new(Sgd::new(0.1).momentum(0.9)).clip_global_norm(2.5).accumulate(2);
    for _ in 0..3 {
        assert!(step(&mut once, &mut whole, &[&[2.0, -1.0]]).unwrap());
        let before = values(&halves[0]);
        assert!(!step(&mut twice, &mut halves, &[&[6.0, 0.0]]).unwrap());
        assert_eq!(values(&halves[0]), before);
        assert!(step(&mut twice, &mut halves, &[&[-2.0, -2.0]]).unwrap());
        assert_eq!(values(&halves[0]), values(&whole[0]));
    }
    assert_eq!((once.iteration(), twice.iteration()), (3, 3));
}

#[test]
fn missing_gradients_are_all_named_and_nothing_moves() {
    let mut params = ["seen", "a", "frozen", "b"].map(|name| param(name, &[1.0], name != "frozen"));
    let mut optimizer: Optimizer<B> = Sgd::new(0.1).into();
    let gradients = params[0].tensor().square().unwrap().sum().unwrap().backward().unwrap();
    match optimizer.step(&mut params, gradients) {
        Err(Error::MissingGradient { names }) => assert_eq!(names, ["a", "b"]),
        other => panic!("{other:?}"),
    }
    assert!(params.iter().all(|param| values(param) == [1.0]) && optimizer.iteration() == 0);
}

#[test]
fn frozen_parameters_stay_and_have_no_state_until_they_are_thawed() {
    let mut params = [param("w", &[1.0], true), param("frozen", &[1.0], false)];
    let mut optimizer: Optimizer<B> = Adam::new(0.1).into();
    for _ in 0..5 {
        step(&mut optimizer, &mut params, &[&[1.0]]).unwrap();
    }
    assert_eq!(values(&params[1]), [1.0]);
    let names = |o: &Optimizer<B>| o.state().params.into_iter().map(|p| (p.name, p.updates)).collect::<Vec<_>>();
    assert_eq!(names(&optimizer), [("w".to_string(), 5)]);
    params[1].set_trainable(true);
    step(&mut optimizer, &mut params, &[&[1.0], &[7.0]]).unwrap();
    assert_eq!(names(&optimizer), [("w".to_string(), 6), ("frozen".to_string(), 1)]);
    // Adam's first step is as long as the rate, whatever the gradient, if the corrections are those of a first step.
    assert!((values(&params[1])[0] - 0.9).abs() < 1e-6, "{:?}", values(&params[1]));
}

#[test]
fn constraints_hold_after_every_update() {
    let mut params = [param("w", &[0.5, 0.5], true).with_constraint(Constraint::NonNegative)];
    step(&mut Sgd::new(1.0).into(), &mut params, &[&[1.0, -1.0]]).unwrap();
    assert_eq!(values(&params[0]), [0.0, 1.5]);
}

#[test]
fn updates_are_in_place() {
    let b = B::new();
    let mut params = [Param::new("w", Tensor::full(&b, &[4], 1.0).unwrap(), true)];
    let mut optimizer = Optimizer::new(Adam::new(0.1)).clip_global_norm(1.0);
    let place = |params: &[Param<B>]| params[0].tensor().value().data().as_ptr();
    let before = place(&params);
    for _ in 0..3 {
        let loss = params[0].tensor().square().unwrap().sum().unwrap();
        optimizer.step(&mut params, loss.backward().unwrap()).unwrap();
        assert_eq!(place(&params), before);
    }
    // Someone who holds the array keeps what it was.
    let held = params[0].tensor().detach();
    let was = held.to_vec().unwrap();
    step(&mut optimizer, &mut params, &[&[1.0; 4]]).unwrap();
    assert_eq!(held.to_vec().unwrap(), was);
    assert_ne!(values(&params[0]), was);
}

/// Interrupted at every call, also in the midst of an accumulation, training ends with the same bits.
#[test]
fn a_restored_optimizer_goes_on_as_if_nothing_had_happened() {
    let build = |which: usize| -> Optimizer<B> {
        let rule: Optimizer<B> = match which {
            0 => Nadam::new(0.1).into(),
            1 => RmsProp::new(0.1).momentum(0.5).centered().into(),
            // An update of each of RAdam's two kinds comes after an interruption.
            2 => RAdam::new(0.1).betas(0.9, 0.85).weight_decay(0.1).into(),
            3 => Adamax::new(0.1).weight_decay(0.1).into(),
            4 => Sgd::new(0.1).momentum(0.9).dampening(0.5).into(),
            _ => Sgd::new(0.1).into(),
        };
        rule.schedule(Schedule::linear(20, 0.1)).accumulate(3)
    };
    let gradient = |call: usize| [(call as f64).sin(), (call as f64).cos()];
    for which in 0..6 {
        let (mut straight, mut resumed) = ([param("w", &[1.0, 2.0], true)], [param("w", &[1.0, 2.0], true)]);
        let (mut a, mut c) = (build(which), build(which));
        for call in 0..14 {
            step(&mut a, &mut straight, &[&gradient(call)]).unwrap();
            let state = c.state();
            c = build(which);
            c.restore(state).unwrap();
            step(&mut c, &mut resumed, &[&gradient(call)]).unwrap();
            assert_eq!(values(&resumed[0]), values(&straight[0]), "rule {which}, call {call}");
            assert_eq!(a.learning_rate(), c.learning_rate());
        }
    }
}

#[test]
fn a_state_that_does_not_fit_is_an_error() {
    let mut params = [param("w", &[1.0, 2.0], true)];
    let mut adam: Optimizer<B> = Adam::new(0.1).into();
    step(&mut adam, &mut params, &[&[1.0, 1.0]]).unwrap();
    let restored = |rule: Optimizer<B>| {
        let mut rule = rule;
        rule.restore(adam.state()).map(|()| rule)
    };
    let message = |result: Result<Optimizer<B>>| result.err().unwrap().to_string();
    assert_eq!(message(restored(Sgd::new(0.1).into())), "optimizer state: expected that of sgd, found adam");
    let found = message(restored(Adam::new(0.1).amsgrad().into()));
    assert_eq!(found, "weights do not fit the model: missing: w/velocity_hat");
    let mut other = restored(Adam::new(0.1).into()).unwrap();
    let error = step(&mut other, &mut [param("v", &[1.0, 2.0], true)], &[&[1.0, 1.0]]).unwrap_err();
    assert_eq!(error.to_string(), "weights do not fit the model: superfluous: w");
    let error = step(&mut other, &mut [param("w", &[1.0], true)], &[&[1.0]]).unwrap_err();
    assert_eq!(error.to_string(), "weights do not fit the model: of another shape: w [1] (its state [2])");
    step(&mut other, &mut params, &[&[1.0, 1.0]]).unwrap();
    assert_eq!(other.iteration(), 2);
}

#[test]
fn other_parameters_than_those_of_the_first_step_are_an_error() {
    let mut optimizer: Optimizer<B> = Sgd::new(0.1).momentum(0.9).into();
    let mut params = vec![param("a", &[1.0], true), param("b", &[1.0], true)];
    step(&mut optimizer, &mut params, &[&[1.0], &[1.0]]).unwrap();
    let error = step(&mut optimizer, &mut params[..1], &[&[1.0]]).unwrap_err();
    assert_eq!(error.to_string(), "optimizer: expected the 2 parameters of its first step, found 1: a");
    params.swap(0, 1);
    assert!(step(&mut optimizer, &mut params, &[&[1.0], &[1.0]]).is_err());
    params.swap(0, 1);
    params[1] = param("b", &[1.0, 2.0], true);
    let error = step(&mut optimizer, &mut params, &[&[1.0], &[1.0, 1.0]]).unwrap_err();
    assert_eq!(error.to_string(), "optimizer: b: expected the shape of its first step, [1], found [2]");
    let mut twins = [param("a", &[1.0], true), param("a", &[1.0], true)];
    let error = step(&mut Sgd::new(0.1).into(), &mut twins, &[&[1.0], &[1.0]]).unwrap_err();
    assert_eq!(error.to_string(), "optimizer: expected parameters of different names, found a twice");
}

#[test]
fn wrong_hyper_parameters_are_errors_at_the_first_step() {
    let wrong: Vec<Optimizer<B>> = vec![
        Sgd::new(-0.1).into(),
        Sgd::new(f64::NAN).into(),
        Sgd::new(0.1).momentum(1.0).into(),
        Sgd::new(0.1).nesterov().into(),
        AdaGrad::new(0.1).initial_accumulator(-1.0).into(),
        AdaDelta::new(0.1).rho(1.5).into(),
        RmsProp::new(0.1).momentum(-0.5).into(),
        Adam::new(0.1).betas(0.9, 1.0).into(),
        Adam::new(0.1).weight_decay(f64::INFINITY).into(),
        Nadam::new(0.1).epsilon(-1e-7).into(),
        Nadam::new(0.1).weight_decay(f64::NAN).into(),
        Sgd::new(0.1).weight_decay(-0.1).into(),
        Sgd::new(0.1).dampening(0.5).into(),
        Sgd::new(0.1).momentum(0.9).dampening(1.0).into(),
        Sgd::new(0.1).momentum(0.9).nesterov().dampening(0.5).into(),
        Adamax::new(0.1).betas(1.0, 0.9).into(),
        Adamax::new(0.1).epsilon(Epsilon::Inside(-1.0)).into(),
        Adamax::new(0.1).weight_decay(f64::INFINITY).into(),
        RAdam::new(0.1).betas(0.9, 1.0).into(),
        RAdam::new(0.1).epsilon(f64::NAN).into(),
        RAdam::new(-0.1).into(),
        Optimizer::new(Sgd::new(0.1)).clip_norm(0.0),
        Optimizer::new(Sgd::new(0.1)).accumulate(0),
        Optimizer::new(Sgd::new(0.1)).schedule(Schedule::cosine(0, 0.0)),
        Optimizer::new(Sgd::new(0.1)).schedule(Schedule::by_function("bad", |_| f64::NAN)),
    ];
    for mut optimizer in wrong {
        let mut params = [param("w", &[1.0], true)];
        let result = step(&mut optimizer, &mut params, &[&[1.0]]);
        assert!(matches!(result, Err(Error::Invalid { .. })), "{optimizer:?} gives {result:?}");
        assert_eq!(values(&params[0]), [1.0]);
    }
    assert!(Clip::Value(f64::NAN).check().is_err());
}

#[test]
fn the_base_rate_can_be_lowered_under_a_schedule() {
    let mut optimizer = Optimizer::<B>::new(Sgd::new(0.5)).schedule(Schedule::staircase(1, 0.5));
    let mut params = [param("w", &[0.0], true)];
    step(&mut optimizer, &mut params, &[&[1.0]]).unwrap();
    assert_eq!((optimizer.learning_rate(), optimizer.base_learning_rate()), (0.25, 0.5));
    optimizer.set_learning_rate(0.1).unwrap();
    assert_eq!(optimizer.learning_rate(), 0.05);
    assert!(optimizer.set_learning_rate(-1.0).is_err() && optimizer.base_learning_rate() == 0.1);
    assert_eq!(<Sgd as Rule<B>>::learning_rate(&Sgd::default()), 0.01);
}
