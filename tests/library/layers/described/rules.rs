//! Rules, and the optimisers around them.

use super::source::{implementors, type_name, variants, written};
use super::{assert_each_option_varies, through_json};
use crate::common::near::{numbers, scattered, variable};
use elman::optim::*;
use elman::{Backend, Param, Registry};
use elman_candle::Candle;
use elman_reference::Reference;
use std::collections::BTreeSet;

struct Sample<B: Backend> {
    name: String,
    optimizer: Optimizer<B>,
}

fn sample<B: Backend, R: Rule<B> + 'static>(rule: R) -> Sample<B> {
    Sample { name: type_name::<R>(), optimizer: Optimizer::new(rule) }
}

fn schedules() -> Vec<Schedule> {
    vec![
        Schedule::Constant,
        Schedule::piecewise([1, 2], [1.0, 0.3, 0.1]),
        Schedule::exponential(3, 0.7),
        Schedule::staircase(2, 0.7),
        Schedule::inverse_time(3, 0.7),
        Schedule::polynomial(4, 0.1, 2.0),
        Schedule::cosine(4, 0.1).warm_up(2, 0.5),
        Schedule::cosine(4, 1.0 / 3.0),
    ]
}

fn samples<B: Backend>() -> Vec<Sample<B>> {
    let mut samples = vec![
        sample(Sgd::new(0.1)),
        sample(Sgd::new(0.3).momentum(0.9).dampening(0.5).weight_decay(0.01)),
        sample(Sgd::new(0.3).momentum(0.9).nesterov()),
        sample(AdaGrad::new(0.1)),
        sample(AdaGrad::new(0.3).initial_accumulator(0.7).epsilon(Epsilon::Outside(1e-3))),
        sample(AdaDelta::new(0.1)),
        sample(AdaDelta::new(0.3).rho(0.7).epsilon(1e-3)),
        sample(RmsProp::new(0.1)),
        sample(RmsProp::new(0.3).rho(0.7).momentum(0.5).epsilon(Epsilon::Outside(1e-3)).centered()),
        sample(Adam::new(0.1)),
        sample(Adam::new(0.3).betas(0.8, 0.9).epsilon(1e-3).amsgrad().weight_decay(0.01)),
        sample(Adamax::new(0.1)),
        sample(Adamax::new(0.3).betas(0.8, 0.9).epsilon(Epsilon::Inside(1e-3)).weight_decay(0.01)),
        sample(Nadam::new(0.1)),
        sample(Nadam::new(0.3).betas(0.8, 0.9).epsilon(1e-3).momentum_decay(0.1).weight_decay(0.01)),
        sample(RAdam::new(0.1)),
        sample(RAdam::new(0.3).betas(0.5, 0.6).epsilon(1e-3).weight_decay(0.01)),
    ];
    samples.extend(schedules().into_iter().map(|schedule| {
        let Sample { name, optimizer } = sample::<B, _>(Nadam::new(0.1));
        Sample { name, optimizer: optimizer.schedule(schedule) }
    }));
    let around = |optimizer: Optimizer<B>| Sample { name: "Sgd".into(), optimizer };
    let lazy = Optimizer::new(Sgd::new(0.2)).reach(Reach::Lazy).accumulate(2).skip_not_finite();
    samples.push(around(lazy.clip_value(0.7).clip_norm(0.5).clip_global_norm(0.3)));
    let decaying = || Optimizer::new(Adam::new(0.1).weight_decay(0.2));
    samples.push(Sample { name: "Adam".into(), optimizer: decaying().decay_only_kernels() });
    let grouped = decaying().group(Group::new("v").learning_rate_factor(0.5).weight_decay(0.3));
    let grouped = grouped.group(Group::new("w").frozen()).exclude_from_weight_decay(["w"]);
    samples.push(Sample { name: "Adam".into(), optimizer: grouped });
    let mut lowered = Optimizer::new(Sgd::new(0.2));
    lowered.set_learning_rate(0.05).unwrap();
    samples.push(around(lowered));
    samples
}

/// The weights after each of some steps.
fn steps<B: Backend>(b: &B, optimizer: &mut Optimizer<B>) -> Vec<Vec<f64>> {
    let mut params =
        [(2, "w"), (3, "v")].map(|(size, name)| Param::new(name, variable(b, &scattered(size, 4), &[size]), true));
    let step = |_| {
        let [w, v] = [0, 1].map(|i| params[i].tensor().square().unwrap().sum().unwrap());
        optimizer.step(&mut params, w.add(&v).unwrap().backward().unwrap()).unwrap();
        params.iter().flat_map(|param| numbers(param.tensor())).collect()
    };
    (0..7).map(step).collect()
}

fn check<B: Backend>(b: &B) {
    let (registry, mut described) = (Registry::<B>::new(), Vec::new());
    for Sample { mut optimizer, .. } in samples::<B>() {
        let description = optimizer.describe().unwrap();
        let mut back = registry.read_optimizer(&through_json(&description)).unwrap();
        let expected = steps(b, &mut optimizer);
        assert_eq!(steps(b, &mut back), expected, "{description}");
        // Settings alone are described: not how far it has come.
        assert_eq!(optimizer.describe().unwrap(), description);
        assert_eq!(back.describe().unwrap(), description);
        described.push(description["rule"].clone());
        described.push(description);
    }
    assert_each_option_varies(&described);
}

#[test]
fn every_rule_makes_the_same_steps() {
    check(&Reference::<f64>::new());
    check(&Candle::cpu());
}

#[test]
fn no_rule_is_forgotten() {
    type B = Reference<f32>;
    let samples = samples::<B>();
    assert_eq!(implementors("Rule"), samples.iter().map(|sample| sample.name.clone()).collect());
    let kinds: BTreeSet<String> = samples.iter().map(|sample| sample.optimizer.rule().name().to_string()).collect();
    assert_eq!(Registry::<B>::new().rules().map(str::to_string).collect::<BTreeSet<_>>(), kinds);
    let schedules: Vec<_> = schedules().into_iter().map(|schedule| serde_json::to_value(schedule).unwrap()).collect();
    let mut there = variants("optim/schedule.rs", "Schedule");
    assert!(there.remove("function"), "a closure, which is refused");
    assert_eq!(written(&schedules), there);
}

#[test]
fn a_function_is_refused() {
    let optimizer = Optimizer::<Reference<f32>>::new(Sgd::new(0.1)).schedule(Schedule::by_function("mine", |_| 1.0));
    let message = optimizer.describe().unwrap_err().to_string();
    assert!(
        message.starts_with("optimizer: expected options that JSON can hold (finite numbers, no closures), found"),
        "{message}"
    );
}
