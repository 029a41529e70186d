//! Groups of parameters: beside PyTorch's, beside optimisers of their own, with whatever an optimiser does besides.

use crate::common::near::{assert_near, is_double, numbers, scattered, tensor};
use elman::optim::*;
use elman::{Backend, Error, Param, Result, Tensor};
use elman_candle::Candle;
use elman_reference::Reference;

fn param<B: Backend>(b: &B, name: &str, data: &[f64], shape: &[usize]) -> Param<B> {
    Param::new(name, tensor(b, data, shape), true)
}

/// One call with the gradients given.
fn step<B: Backend>(optimizer: &mut Optimizer<B>, params: &mut [Param<B>], gradients: &[Vec<f64>]) -> Result<bool> {
    let b = params[0].tensor().backend().clone();
    let mut loss = Tensor::full(&b, &[], 0.0)?;
    for (param, g) in params.iter().zip(gradients).filter(|(param, _)| param.is_trainable()) {
        loss = loss.add(&param.tensor().mul(&tensor(&b, g, &param.shape()))?.sum()?)?;
    }
    optimizer.step(params, loss.backward()?)
}

fn values<B: Backend>(params: &[Param<B>]) -> Vec<f64> {
    params.iter().flat_map(|param| numbers(param.tensor())).collect()
}

/// The parameters of `scripts/golden_groups.py`.
fn golden_params<B: Backend>(b: &B) -> Vec<Param<B>> {
    vec![
        param(b, "table.embeddings", &[0.5, -1.0], &[2]),
        param(b, "dense.kernel", &[1.0, 2.0], &[2]),
        param(b, "dense.bias", &[-0.5, 0.25], &[2]),
        param(b, "head.kernel", &[1.5], &[1]),
    ]
}

fn grouped<B: Backend>(rule: impl Into<Optimizer<B>>) -> Optimizer<B> {
    rule.into()
        .group(Group::new("table").learning_rate_factor(0.25).weight_decay(0.0))
        .group(Group::new("head.kernel").learning_rate_factor(2.0).weight_decay(0.5))
        .exclude_from_weight_decay(["bias", "gamma", "beta"])
}

fn as_pytorch<B: Backend>(b: &B) {
    let rules: [(Optimizer<B>, [f64; 7]); 3] = [
        (
            Adam::new(0.1).epsilon(1e-8).weight_decay(0.2).into(),
            [
                0.400596448608056,
                -0.887882301024879,
                0.499264771469435,
                1.374365397409094,
                -0.577450252226129,
                0.079815602369189,
                0.228897027568045,
            ],
        ),
        (
            Nadam::new(0.1).epsilon(1e-8).momentum_decay(0.004).weight_decay(0.2).into(),
            [
                0.450605658551033,
                -0.880630426890211,
                0.679339924838174,
                1.519227143487679,
                -0.391458913398292,
                0.226522941412485,
                0.555158227278345,
            ],
        ),
        (
            RAdam::new(0.1).epsilon(1e-8).weight_decay(0.2).into(),
            [
                0.380400667748684,
                -0.899911924256064,
                0.292808693988374,
                0.914391510594135,
                -0.480648607865172,
                0.075643013303087,
                -0.189863260443065,
            ],
        ),
    ];
    for (rule, expected) in rules {
        let (mut optimizer, mut params) = (grouped(rule), golden_params(b));
        for t in 1..=5 {
            let gradient = |param: &Param<B>| {
                let w = numbers(param.tensor()).into_iter().enumerate();
                w.map(|(i, w)| ((t + i) as f64).sin() + w).collect()
            };
            let gradients: Vec<Vec<f64>> = params.iter().map(gradient).collect();
            step(&mut optimizer, &mut params, &gradients).unwrap();
        }
        // The numbers are printed to 15 places; in `f32` five steps round some dozen times.
        let tolerance = if is_double::<B>() { 1e-14 } else { 1e-6 };
        assert_near(optimizer.rule().name(), &values(&params), &expected, tolerance);
    }
}

#[test]
fn groups_move_as_pytorchs_param_groups() {
    as_pytorch(&Reference::<f64>::new());
    as_pytorch(&Reference::<f32>::new());
    as_pytorch(&Candle::cpu());
}

/// Every rule: a group moves to the bit as the same parameters by an optimiser of their own with the group's numbers.
fn as_own_optimizers<B: Backend>(b: &B) {
    // By rate and decay.
    type Make<B> = fn(f64, f64) -> Optimizer<B>;
    let decaying: [Make<B>; 6] = [
        |rate, decay| Sgd::new(rate).weight_decay(decay).into(),
        |rate, decay| Sgd::new(rate).momentum(0.9).weight_decay(decay).into(),
        |rate, decay| Adam::new(rate).weight_decay(decay).into(),
        |rate, decay| Adamax::new(rate).weight_decay(decay).into(),
        |rate, decay| Nadam::new(rate).weight_decay(decay).into(),
        |rate, decay| RAdam::new(rate).weight_decay(decay).into(),
    ];
    let others: [Make<B>; 3] = [
        |rate, _| AdaGrad::new(rate).into(),
        |rate, _| AdaDelta::new(rate).into(),
        |rate, _| RmsProp::new(rate).into(),
    ];
    let course = || Schedule::exponential(3, 0.5);
    for (make, decays) in decaying.map(|make| (make, true)).into_iter().chain(others.map(|make| (make, false))) {
        let group = Group::new("own").learning_rate_factor(0.25);
        let group = if decays { group.weight_decay(0.3) } else { group };
        let mut together = make(0.5, 0.1).schedule(course()).group(group);
        let mut alone = [make(0.5, 0.1), make(0.125, 0.3)].map(|optimizer| optimizer.schedule(course()));
        let params = || [("usual", 1), ("own", 2)].map(|(name, seed)| param(b, name, &scattered(6, seed), &[2, 3]));
        let (mut one, mut each) = (params(), params());
        for t in 0..7 {
            let gradients = [scattered(6, 10 + t), scattered(6, 20 + t)];
            step(&mut together, &mut one, &gradients).unwrap();
            for (i, optimizer) in alone.iter_mut().enumerate() {
                step(optimizer, &mut each[i..=i], &gradients[i..=i]).unwrap();
            }
            assert_eq!(values(&one), values(&each), "{}, step {t}", together.rule().name());
        }
    }
}

#[test]
fn a_group_moves_as_by_an_optimiser_of_its_own() {
    as_own_optimizers(&Reference::<f64>::new());
    as_own_optimizers(&Candle::cpu());
}

type B = Reference<f64>;

/// The decays of one step by a rate of 1 and a gradient of 0, of weights that are 1.
fn decays(optimizer: Optimizer<B>, params: &[(&str, &[usize])]) -> Vec<f64> {
    let b = B::new();
    let size = |shape: &[usize]| shape.iter().product::<usize>();
    let mut optimizer = optimizer;
    let mut made: Vec<_> = params.iter().map(|(name, shape)| param(&b, name, &vec![1.0; size(shape)], shape)).collect();
    let gradients: Vec<_> = params.iter().map(|(_, shape)| vec![0.0; size(shape)]).collect();
    step(&mut optimizer, &mut made, &gradients).unwrap();
    // To some roundings of numbers about 1.
    made.iter().map(|param| ((1.0 - numbers(param.tensor())[0]) * 1e9).round() / 1e9).collect()
}

#[test]
fn the_longest_path_counts_and_takes_nothing_from_others() {
    let sgd = || Optimizer::new(Sgd::new(1.0).weight_decay(0.5));
    let params: [(&str, &[usize]); 4] =
        [("a.b.kernel", &[1, 1]), ("a.b.bias", &[1]), ("a.c", &[1, 1]), ("ab", &[1, 1])];
    let one = sgd().group(Group::new("a.b").weight_decay(0.125)).group(Group::new("a").learning_rate_factor(0.5));
    assert_eq!(decays(one, &params), [0.125, 0.125, 0.25, 0.5], "`ab` is not below `a`");
    let other = sgd().group(Group::new("a").learning_rate_factor(0.5)).group(Group::new("a.b").weight_decay(0.125));
    assert_eq!(decays(other, &params), [0.125, 0.125, 0.25, 0.5], "in whatever order");
    let exact = sgd().group(Group::new("a.b").weight_decay(0.125)).group(Group::new("a.b.bias").weight_decay(0.0));
    assert_eq!(decays(exact, &params), [0.125, 0.0, 0.5, 0.5]);
}

#[test]
fn biases_and_norms_can_be_exempt_from_decay() {
    let sgd = || Optimizer::new(Sgd::new(1.0).weight_decay(0.5));
    let params: [(&str, &[usize]); 6] = [
        ("lstm.kernel", &[2, 3]),
        ("lstm.bias", &[3]),
        ("attention.query.bias", &[2, 3]),
        ("norm.gamma", &[3]),
        ("scale", &[]),
        ("bias.kernel", &[2, 3]),
    ];
    assert_eq!(decays(sgd().decay_only_kernels(), &params), [0.5, 0.0, 0.0, 0.0, 0.0, 0.5]);
    let named = || sgd().exclude_from_weight_decay(["bias", "beta"]);
    assert_eq!(decays(named(), &params), [0.5, 0.0, 0.0, 0.5, 0.5, 0.5]);
    // Whatever group they are in.
    assert_eq!(decays(named().group(Group::new("lstm").weight_decay(0.25)), &params), [0.25, 0.0, 0.0, 0.5, 0.5, 0.5]);
}

#[test]
fn frozen_groups_stay_without_state_and_without_a_say() {
    let b = B::new();
    let params = || [param(&b, "w", &[1.0], &[1]), param(&b, "table", &[1.0], &[1])];
    let frozen = || Optimizer::new(Adam::new(0.1)).clip_global_norm(1.0).group(Group::new("table").frozen());
    // Neither is its gradient part of the norm, nor need it be finite, nor be there.
    for [accumulate, calls] in [[1, 4], [2, 8]] {
        let (mut one, mut alone) = (params(), params());
        let mut optimizer = frozen().accumulate(accumulate);
        let mut own = Optimizer::new(Adam::new(0.1)).clip_global_norm(1.0).accumulate(accumulate);
        for call in 0..calls {
            let of_table = [1e6, f64::NAN][call % 2];
            step(&mut optimizer, &mut one, &[vec![0.5 + call as f64], vec![of_table]]).unwrap();
            step(&mut own, &mut alone[..1], &[vec![0.5 + call as f64]]).unwrap();
        }
        assert_eq!(values(&one), values(&alone));
        let state = optimizer.state();
        assert_eq!(state.params.iter().map(|p| &*p.name).collect::<Vec<_>>(), ["w"]);
    }
    let mut optimizer = frozen();
    let mut one = params();
    let loss = one[0].tensor().square().unwrap().sum().unwrap();
    assert!(optimizer.step(&mut one, loss.backward().unwrap()).unwrap());
}

#[test]
fn what_cannot_be_is_an_error_before_the_first_step() {
    let sgd = || Optimizer::<B>::new(Sgd::new(0.1));
    let group = |path: &str| Group::new(path);
    let wrong: [(Optimizer<B>, &str); 11] = [
        (
            sgd().group(group("dense")).group(group("table")).group(group("")),
            "optimizer: groups: expected paths of layers or parameters (dense.kernel, dense.bias), found `table`, ``",
        ),
        (sgd().group(group("dens")), "found `dens`"),
        (
            sgd().exclude_from_weight_decay(["gamma", "beta"]),
            "optimizer: exclude from weight decay: expected last components of parameters' paths (dense.kernel, \
             dense.bias), found `gamma`, `beta`",
        ),
        (
            sgd().group(group("dense")).group(group("dense")),
            "group `dense`: expected one group of this path, found two",
        ),
        (sgd().group(group("dense").learning_rate_factor(-1.0)), "learning rate factor: expected a finite number"),
        (sgd().group(group("dense").learning_rate_factor(f64::NAN)), "learning rate factor: expected a finite number"),
        (sgd().group(group("dense").weight_decay(f64::INFINITY)), "weight decay: expected a finite number"),
        (sgd().group(group("dense").weight_decay(-0.1)), "weight decay: expected a finite number"),
        (
            Optimizer::new(AdaGrad::new(0.1)).group(group("dense").weight_decay(0.1)),
            "group `dense`: weight decay: expected a rule that decays weights (`Rule::weight_decay`), found adagrad",
        ),
        (sgd().group(group("dense").frozen()), "groups: expected a parameter to train, found none that is not frozen"),
        (
            sgd().group(group("dense.kernel").frozen()).group(group("dense.bias").frozen()),
            "groups: expected a parameter to train, found none that is not frozen",
        ),
    ];
    let b = B::new();
    for (mut optimizer, expected) in wrong {
        let mut params = [param(&b, "dense.kernel", &[1.0], &[1, 1]), param(&b, "dense.bias", &[1.0], &[1])];
        let error = step(&mut optimizer, &mut params, &[vec![1.0], vec![1.0]]).unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }) && error.to_string().contains(expected), "{error}");
        assert_eq!((values(&params), optimizer.iteration()), (vec![1.0, 1.0], 0));
    }
    // A decay of 0 is no decay.
    let mut optimizer = Optimizer::new(AdaGrad::new(0.1)).group(group("w").weight_decay(0.0));
    step(&mut optimizer, &mut [param(&b, "w", &[1.0], &[1])], &[vec![1.0]]).unwrap();
}

/// At every call, also in the midst of an accumulation; through a copy and a description too.
#[test]
fn a_restored_optimizer_has_its_groups() {
    let b = B::new();
    let build = || grouped::<B>(Adam::new(0.1).weight_decay(0.2)).accumulate(2);
    let (mut straight, mut resumed) = (golden_params(&b), golden_params(&b));
    let (mut one, mut other) = (build(), build());
    for call in 0..9 {
        let gradients: Vec<Vec<f64>> =
            straight.iter().enumerate().map(|(i, p)| scattered(p.shape().elements(), call * 4 + i as u64)).collect();
        step(&mut one, &mut straight, &gradients).unwrap();
        let state = other.state();
        other = match call % 3 {
            0 => other.copy().unwrap(),
            1 => build(),
            _ => elman::Registry::new().read_optimizer(&other.describe().unwrap()).unwrap(),
        };
        other.restore(state).unwrap();
        step(&mut other, &mut resumed, &gradients).unwrap();
        assert_eq!(values(&resumed), values(&straight), "call {call}");
    }
}

/// A group that is told later, in a training that goes on: frozen, and thawed with the state that it had.
#[test]
fn groups_may_change_between_steps() {
    let b = B::new();
    let mut params = [param(&b, "w", &[1.0], &[1]), param(&b, "table", &[1.0], &[1])];
    let mut optimizer = Optimizer::new(Sgd::new(0.5).momentum(0.5));
    let gradients = [vec![1.0], vec![1.0]];
    step(&mut optimizer, &mut params, &gradients).unwrap();
    let mut optimizer = optimizer.group(Group::new("table").frozen());
    step(&mut optimizer, &mut params, &gradients).unwrap();
    // v = -0.5, then -0.75.
    assert_eq!(values(&params), [1.0 - 0.5 - 0.75, 0.5]);
}
