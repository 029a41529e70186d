//! Gradients that are infinite or not a number, and finite ones whose squares are not or vanish: on every backend.

use elman::backend::{Backend, Map, Zip};
use elman::constraint::Constraint;
use elman::optim::{AdaDelta, AdaGrad, Adam, Epsilon, Nadam, Optimizer, Reach, RmsProp, Rule, Sgd, Step, global_norm};
use elman::{Element, Param, Result, Tensor};
use elman_candle::{Candle, candle_core::Device};
use elman_reference::Reference;

fn param<B: Backend>(b: &B, name: &str, data: &[f64]) -> Param<B> {
    Param::new(name, tensor(b, data), true)
}

fn tensor<B: Backend>(b: &B, data: &[f64]) -> Tensor<B> {
    Tensor::new(b, data.iter().map(|&x| B::Elem::from_f64(x)).collect(), &[data.len()]).unwrap()
}

fn values<B: Backend>(param: &Param<B>) -> Vec<f64> {
    param.tensor().to_vec().unwrap().into_iter().map(B::Elem::to_f64).collect()
}

/// One call with the gradients given.
fn step<B: Backend>(optimizer: &mut Optimizer<B>, params: &mut [Param<B>], gradients: &[&[f64]]) -> Result<bool> {
    let b = params[0].tensor().backend().clone();
    let mut loss = Tensor::full(&b, &[], 0.0)?;
    for (param, g) in params.iter().zip(gradients) {
        loss = loss.add(&param.tensor().mul(&tensor(&b, g))?.sum()?)?;
    }
    optimizer.step(params, loss.backward()?)
}

/// Equal to some roundings of the element type.
#[track_caller]
fn near<E: Element>(got: &[f64], want: &[f64]) {
    let epsilon = if E::NAME == "f32" { f64::from(f32::EPSILON) } else { f64::EPSILON };
    assert_eq!(got.len(), want.len());
    for (got, want) in got.iter().zip(want) {
        assert!((got - want).abs() <= 4.0 * epsilon * want.abs(), "{got:e}, expected {want:e}");
    }
}

/// By what gradients move weights that begin at 0, by a rate of 1.
fn clipped<B: Backend>(b: &B, clip: fn(Optimizer<B>) -> Optimizer<B>, gradients: &[&[f64]]) -> Vec<Vec<f64>> {
    let names = ["a", "b", "c"];
    let mut params: Vec<Param<B>> =
        gradients.iter().zip(names).map(|(g, name)| param(b, name, &vec![0.0; g.len()])).collect();
    step(&mut clip(Sgd::new(1.0).into()), &mut params, gradients).unwrap();
    params.iter().map(|param| values(param).iter().map(|w| -w).collect()).collect()
}

/// 3-4-5 triangles at sizes whose squares overflow, lose bits and vanish, and one whose norm overflows itself.
fn clipping_is_right_at_every_size<B: Backend>(b: &B) {
    let (great, tiny, greatest) =
        if B::Elem::NAME == "f32" { (1e20, 1e-30, f64::from(f32::MAX)) } else { (1e200, 1e-200, f64::MAX) };
    for size in [1.0, great, tiny] {
        println!("{} at {size:e}", b.name());
        let (six, eight) = (0.6 * size, 0.8 * size);
        for clip in [|o: Optimizer<B>| o.clip_norm(1e-35), |o: Optimizer<B>| o.clip_global_norm(1e-35)] {
            if size > 1e-35 {
                near::<B::Elem>(&clipped(b, clip, &[&[six, -eight]])[0], &[0.6e-35, -0.8e-35]);
            }
        }
        if size >= 1.0 {
            near::<B::Elem>(&clipped(b, |o| o.clip_norm(1.0), &[&[six, -eight]])[0], &[0.6, -0.8]);
            near::<B::Elem>(&clipped(b, |o| o.clip_global_norm(1.0), &[&[six], &[], &[-eight]]).concat(), &[0.6, -0.8]);
        } else {
            // Short enough: to the bit.
            let held = |x: f64| B::Elem::from_f64(x).to_f64();
            assert_eq!(clipped(b, |o| o.clip_norm(1.0), &[&[six, -eight]])[0], [six, -eight].map(held));
            assert_eq!(clipped(b, |o| o.clip_global_norm(1.0), &[&[six], &[-eight]]).concat(), [six, -eight].map(held));
        }
        let arrays = [six, -eight].map(|x| tensor(b, &[x]).value().clone());
        near::<B::Elem>(&[global_norm(b, &arrays).unwrap().to_scalar().unwrap().to_f64()], &[size]);
    }
    // The norm is beyond the greatest number, the clipped gradient is not.
    let half = 0.5f64.sqrt();
    near::<B::Elem>(&clipped(b, |o| o.clip_norm(1.0), &[&[greatest, greatest]])[0], &[half, half]);
    near::<B::Elem>(&clipped(b, |o| o.clip_global_norm(1.0), &[&[greatest], &[greatest]]).concat(), &[half, half]);
    assert_eq!(clipped(b, |o| o.clip_global_norm(1.0), &[&[0.0, 0.0]])[0], [0.0, 0.0]);
}

#[test]
fn clipping_is_right_at_every_size_on_the_reference() {
    clipping_is_right_at_every_size(&Reference::<f32>::new());
    clipping_is_right_at_every_size(&Reference::<f64>::new());
}

#[test]
fn clipping_is_right_at_every_size_on_candle() {
    clipping_is_right_at_every_size(&Candle::cpu());
    clipping_is_right_at_every_size(&Candle::portable(Device::Cpu));
}

/// With an epsilon of 0, or one that is 0 as an `f32`, a weight without a gradient is 0/0 in every rule that divides.
fn without_epsilon_what_has_no_gradient_does_not_move<B: Backend>(b: &B) {
    for e in [0.0, 1e-60] {
        let rules: Vec<Optimizer<B>> = vec![
            Adam::new(0.1).epsilon(e).into(),
            Adam::new(0.1).epsilon_hat(e).amsgrad().into(),
            Adam::new(0.1).epsilon(e).weight_decay(0.0).into(),
            Nadam::new(0.1).epsilon(e).into(),
            AdaGrad::new(0.1).initial_accumulator(0.0).epsilon(Epsilon::Inside(e)).into(),
            AdaGrad::new(0.1).initial_accumulator(0.0).epsilon(Epsilon::Outside(e)).into(),
            AdaDelta::new(0.1).epsilon(e).into(),
            RmsProp::new(0.1).epsilon(Epsilon::Inside(e)).into(),
            RmsProp::new(0.1).epsilon(Epsilon::Outside(e)).momentum(0.5).into(),
            RmsProp::new(0.1).epsilon(Epsilon::Outside(e)).centered().into(),
            RmsProp::new(0.1).epsilon(Epsilon::Inside(e)).momentum(0.5).centered().into(),
        ];
        for mut optimizer in rules {
            println!("{}: {:?}", b.name(), optimizer.rule());
            let mut params = [param(b, "w", &[1.0, 2.0, 3.0])];
            for g in [1.0, -0.5, 1.0] {
                // The last gradient is there, and its square is not.
                step(&mut optimizer, &mut params, &[&[g, 0.0, 1e-30]]).unwrap();
            }
            let moved = values(&params[0]);
            assert!(moved.iter().all(|w| w.is_finite()), "{moved:?}");
            assert_eq!(moved[1], 2.0);
            // AdaDelta's first step is `sqrt(epsilon)` long: without it none is.
            let still = optimizer.rule().name() == "adadelta";
            assert!(still || (moved[0] - 1.0).abs() > 1e-3, "{moved:?}");
        }
    }
}

#[test]
fn without_epsilon_what_has_no_gradient_does_not_move_on_the_reference() {
    without_epsilon_what_has_no_gradient_does_not_move(&Reference::<f32>::new());
    without_epsilon_what_has_no_gradient_does_not_move(&Reference::<f64>::new());
}

#[test]
fn without_epsilon_what_has_no_gradient_does_not_move_on_candle() {
    without_epsilon_what_has_no_gradient_does_not_move(&Candle::cpu());
    without_epsilon_what_has_no_gradient_does_not_move(&Candle::portable(Device::Cpu));
}

/// All that an optimiser and weights hold.
fn everything<B: Backend>(optimizer: &Optimizer<B>, params: &[Param<B>]) -> Vec<String> {
    let state = optimizer.state();
    let mut all: Vec<String> = params.iter().map(|param| format!("{:?}", values(param))).collect();
    all.push(format!("{} {} {}", state.calls, state.iteration, state.accumulated));
    for param in &state.params {
        let b = params[0].tensor().backend();
        all.push(format!("{} {}", param.name, param.updates));
        all.extend(param.arrays.iter().map(|(name, a)| format!("{name} {:?}", b.download(a).unwrap())));
    }
    all
}

/// The rules, and what is built around them.
fn optimizers<B: Backend>() -> Vec<Optimizer<B>> {
    vec![
        Sgd::new(0.1).into(),
        Sgd::new(0.1).momentum(0.9).into(),
        Adam::new(0.1).into(),
        // Its bound makes a finite number of an infinite one.
        Optimizer::new(Adam::new(0.1)).clip_value(1.0),
        Optimizer::new(Nadam::new(0.1)).clip_global_norm(1.0),
        Optimizer::new(RmsProp::new(0.1)).accumulate(2),
    ]
}

const WRONG: [f64; 3] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY];

fn the_step_tells_at_once<B: Backend>(b: &B) {
    for wrong in WRONG {
        for mut optimizer in optimizers::<B>() {
            println!("{}: {optimizer:?}", b.name());
            let mut params = [param(b, "dense.kernel", &[1.0, 2.0]), param(b, "dense.bias", &[3.0])];
            for _ in 0..3 {
                step(&mut optimizer, &mut params, &[&[0.5, -0.5], &[0.25]]).unwrap();
            }
            let before = everything(&optimizer, &params);
            let error = step(&mut optimizer, &mut params, &[&[0.5, -0.5], &[wrong]]).unwrap_err();
            let words =
                "step 4: the gradient of dense.bias is not finite (infinite or not a number): nothing was changed; ";
            assert!(error.to_string().starts_with(words), "{error}");
            assert_eq!(everything(&optimizer, &params), before);
            let error = step(&mut optimizer, &mut params, &[&[0.5, wrong], &[wrong]]).unwrap_err();
            assert!(error.to_string().contains("the gradients of dense.kernel, dense.bias are not"), "{error}");
            // And it goes on as if nothing had been.
            step(&mut optimizer, &mut params, &[&[0.5, -0.5], &[0.25]]).unwrap();
            assert!(everything(&optimizer, &params) != before);
        }
    }
}

#[test]
fn the_step_tells_at_once_on_the_host() {
    the_step_tells_at_once(&Reference::<f32>::new());
    the_step_tells_at_once(&Reference::<f64>::new());
    the_step_tells_at_once(&Candle::cpu());
}

/// What a device has seen is told later, and all is as it was before: the contents of `everything` for a straight run.
fn a_device_tells_later<B: Backend>(b: &B) {
    assert!(!b.is_on_host());
    for wrong in WRONG {
        for (mut optimizer, mut straight) in optimizers::<B>().into_iter().zip(optimizers::<B>()) {
            println!("{}: {optimizer:?}", b.name());
            let build = || [param(b, "dense.kernel", &[1.0, 2.0]), param(b, "dense.bias", &[3.0])];
            let (mut params, mut expected) = (build(), build());
            let good: [&[f64]; 2] = [&[0.5, -0.5], &[0.25]];
            for _ in 0..4 {
                step(&mut optimizer, &mut params, &good).unwrap();
                step(&mut straight, &mut expected, &good).unwrap();
            }
            let before = everything(&straight, &expected);
            assert_eq!(everything(&optimizer, &params), before);
            // Held back, and the good ones after it.
            step(&mut optimizer, &mut params, &[&[0.5, -0.5], &[wrong]]).unwrap();
            for _ in 0..5 {
                step(&mut optimizer, &mut params, &good).unwrap();
            }
            let error = optimizer.settle().unwrap_err();
            assert!(error.to_string().starts_with("step 5: the gradient of dense.bias is not finite"), "{error}");
            assert_eq!(everything(&optimizer, &params), before);
            optimizer.settle().unwrap();
            for _ in 0..2 {
                step(&mut optimizer, &mut params, &good).unwrap();
                step(&mut straight, &mut expected, &good).unwrap();
            }
            optimizer.settle().unwrap();
            assert_eq!(everything(&optimizer, &params), everything(&straight, &expected));
        }
    }
    // Without being asked, some thousand calls later.
    let (mut optimizer, mut params) = (Optimizer::new(Sgd::new(0.1)), [param(b, "w", &[1.0])]);
    step(&mut optimizer, &mut params, &[&[f64::NAN]]).unwrap();
    let late = (0..5000).find_map(|_| step(&mut optimizer, &mut params, &[&[1.0]]).err());
    assert!(late.unwrap().to_string().starts_with("step 1: the gradient of w is"));
    assert_eq!(values(&params[0]), [1.0]);
}

#[test]
fn a_device_tells_later_on_candles_kernels_alone() {
    a_device_tells_later(&Candle::portable(Device::Cpu));
}

/// Those without the update that is skipped, bit for bit. On a device it stays among the updates that bias corrections go by, so that
/// nothing depends on when what was seen is read.
fn skipped_updates_leave_no_trace<B: Backend>(b: &B) {
    for wrong in WRONG {
        for (number, (optimizer, mut straight)) in optimizers::<B>().into_iter().zip(optimizers::<B>()).enumerate() {
            println!("{}: {optimizer:?}", b.name());
            // The last of them makes an update of two calls, and one wrong gradient costs both.
            let calls = if straight.rule().name() == "rmsprop" { 2 } else { 1 };
            let corrected = ["adam", "nadam"].contains(&straight.rule().name());
            let mut optimizer = optimizer.skip_not_finite();
            let mut unread = optimizers::<B>().swap_remove(number).skip_not_finite();
            let build = || [param(b, "dense.kernel", &[1.0, 2.0]), param(b, "dense.bias", &[3.0])];
            let (mut params, mut expected, mut others) = (build(), build(), build());
            for i in 0..10 {
                let kernel = [0.5, -0.25 * f64::from(i)];
                let skipped = (4..4 + calls).contains(&i);
                let bias = if i == 4 { wrong } else { 0.25 };
                let updated = step(&mut optimizer, &mut params, &[&kernel, &[bias]]).unwrap();
                step(&mut unread, &mut others, &[&kernel, &[bias]]).unwrap();
                optimizer.settle().unwrap();
                if !skipped {
                    assert_eq!(updated, step(&mut straight, &mut expected, &[&kernel, &[bias]]).unwrap());
                } else if b.is_on_host() {
                    assert!(!updated);
                }
            }
            assert_eq!(optimizer.skipped(), 1);
            unread.settle().unwrap();
            assert_eq!(unread.skipped(), 1);
            assert_eq!(everything(&unread, &others), everything(&optimizer, &params), "when it is read");
            let but_calls = |o: &Optimizer<B>, params: &[Param<B>]| {
                let mut all = everything(o, params);
                all.retain(|line| !line.starts_with("10 ") && !line.starts_with("9 ") && !line.starts_with("8 "));
                if !b.is_on_host() {
                    // Without counters and, where there are corrections, weights: what is left is the state.
                    all.retain(|line| line.ends_with(']') && !(corrected && line.starts_with('[')));
                }
                all
            };
            assert_eq!(but_calls(&optimizer, &params), but_calls(&straight, &expected));
            assert_eq!(optimizer.iteration(), straight.iteration() + u64::from(!b.is_on_host()));
            // The count is part of the state.
            straight.restore(optimizer.state()).unwrap();
            assert_eq!(straight.skipped(), 1);
        }
    }
}

#[test]
fn skipped_updates_leave_no_trace_on_the_host() {
    skipped_updates_leave_no_trace(&Reference::<f32>::new());
    skipped_updates_leave_no_trace(&Reference::<f64>::new());
    skipped_updates_leave_no_trace(&Candle::cpu());
}

#[test]
fn skipped_updates_leave_no_trace_on_candles_kernels_alone() {
    skipped_updates_leave_no_trace(&Candle::portable(Device::Cpu));
}

/// Gradients of some rows of a table; a rule without a fused update; a constraint.
fn rows_and_rules_of_ones_own_are_held_back_too<B: Backend>(b: &B) {
    for reach in [Reach::Exact, Reach::Lazy] {
        for build in [|| Optimizer::new(Adam::new(0.1)), || Optimizer::new(Plain)] {
            let mut optimizer: Optimizer<B> = build().reach(reach).skip_not_finite();
            let ones = Tensor::full(b, &[3, 2], 1.0).unwrap();
            let mut params = [Param::new("table", ones, true)];
            let mut step = |rows: &[u32], factor: f64| {
                let rows = b.upload_indices(rows.to_vec(), [rows.len()].into()).unwrap();
                let loss = params[0].tensor().gather(&rows).unwrap().affine(factor, 0.0).unwrap().sum().unwrap();
                optimizer.step(&mut params, loss.backward().unwrap()).unwrap();
                values(&params[0])
            };
            let moved = step(&[0, 2, 0], 0.5);
            assert!(moved[0] < 1.0 && moved[2] == 1.0 && moved[4] < 1.0);
            assert_eq!(step(&[0, 1], f64::NAN), moved);
            assert_ne!(step(&[1], 1.0), moved);
            optimizer.settle().unwrap();
            assert_eq!(optimizer.skipped(), 1);
        }
    }
    // The first value is not projected, and a step that is not made projects nothing.
    let mut params = [param(b, "w", &[-1.0]).with_constraint(Constraint::NonNegative)];
    let mut optimizer = Optimizer::new(Sgd::new(0.1)).skip_not_finite();
    step(&mut optimizer, &mut params, &[&[f64::NAN]]).unwrap();
    assert_eq!(values(&params[0]), [-1.0]);
    step(&mut optimizer, &mut params, &[&[1.0]]).unwrap();
    assert_eq!(values(&params[0]), [0.0]);
}

/// Gradient descent by whole arrays.
#[derive(Debug)]
struct Plain;

impl<B: Backend> Rule<B> for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn learning_rate(&self) -> f64 {
        0.1
    }

    fn update(&self, at: Step, b: &B, w: &mut B::Array, g: &B::Array, _: &mut [B::Array]) -> Result<()> {
        *w = b.zip(Zip::Sub, w, &b.map(Map::Affine(at.learning_rate, 0.0), g)?)?;
        Ok(())
    }
}

#[test]
fn rows_and_rules_of_ones_own_are_held_back_too_on_all() {
    rows_and_rules_of_ones_own_are_held_back_too(&Reference::<f64>::new());
    rows_and_rules_of_ones_own_are_held_back_too(&Candle::cpu());
    rows_and_rules_of_ones_own_are_held_back_too(&Candle::portable(Device::Cpu));
}

/// Each is finite, their sum is not.
#[test]
fn what_overflows_where_it_is_accumulated_is_found() {
    let b = Reference::<f32>::new();
    let most = [f64::from(f32::MAX)];
    let (mut params, mut optimizer) = ([param(&b, "w", &[1.0])], Optimizer::new(Sgd::new(0.1)).accumulate(2));
    assert!(!step(&mut optimizer, &mut params, &[&most]).unwrap());
    let error = step(&mut optimizer, &mut params, &[&most]).unwrap_err();
    assert!(error.to_string().starts_with("step 2: the gradient of w is not finite"), "{error}");
    assert_eq!(values(&params[0]), [1.0]);
    assert!(!step(&mut optimizer, &mut params, &[&[1.0]]).unwrap());
    assert!(step(&mut optimizer, &mut params, &[&[3.0]]).unwrap());
    near::<f32>(&values(&params[0]), &[0.8]);
}
