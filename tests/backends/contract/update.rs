//! The optimisers' rules: every one against its default body, and against its formula.

use crate::common::host::{Host, agree, close, exact, refused};
use elman::backend::finite::finite;
use elman::backend::update::{Epsilon, update};
use elman::backend::{Reach, Update, WeightStep};
use elman::{Backend, Element, Error, Result, Shape};

/// Every rule with every choice that changes its formula.
pub(crate) fn rules() -> Vec<Update> {
    let (lr, rho, epsilon) = (0.1, 0.9, 1e-3);
    let mut rules = vec![Update::AdaDelta { lr, rho, epsilon }];
    for decay in [0.0, 0.01] {
        rules.push(Update::Sgd { lr, decay });
        rules.push(Update::AdamMean { lr, beta1: 0.9, beta2: 0.99, decay });
        rules.push(Update::Nadam { of_m: 0.08, of_g: 0.03, beta1: 0.9, beta2: 0.99, epsilon, decay });
        for epsilon in [Epsilon::Inside(1e-3), Epsilon::Outside(1e-3)] {
            rules.push(Update::Adamax { lr, beta1: 0.9, beta2: 0.99, epsilon, decay });
        }
    }
    for yes in [false, true] {
        for decay in [0.0, 0.01] {
            rules.push(Update::Momentum { lr, momentum: 0.9, nesterov: yes, decay });
            rules.push(Update::Adam { lr, beta1: 0.9, beta2: 0.99, epsilon, decay, amsgrad: yes });
        }
        for epsilon in [Epsilon::Inside(1e-3), Epsilon::Outside(1e-3)] {
            for momentum in [0.0, 0.9] {
                rules.push(Update::RmsProp { lr, rho, epsilon, momentum, centered: yes });
            }
        }
    }
    rules.extend([Epsilon::Inside(1e-3), Epsilon::Outside(1e-3)].map(|epsilon| Update::AdaGrad { lr, epsilon }));
    rules
}

/// The slack: centred RMSProp divides by the root of a difference of near equals, which with `ε = 1e-3` magnifies
/// roundings by up to a thousand; the other rules stay within some tens of epsilons over five steps.
fn slack(rule: &Update) -> f64 {
    if matches!(rule, Update::RmsProp { centered: true, .. }) { 4000.0 } else { 100.0 }
}

/// Five steps of an override and of the default body, from the same start, with another gradient each.
pub(crate) fn every_rule_is_its_default<B: Backend>(b: &B) -> Result<()> {
    for rule in rules() {
        for shape in [&[1][..], &[33], &[5, 257], &[], &[0]] {
            println!("{rule:?} on {shape:?}");
            let start = Host::random("w", shape).up(b)?;
            let (mut w, mut want) = (start.clone(), start);
            let zero = b.fill(Shape::new(shape)?, 0.0)?;
            let (mut state, mut want_state) = (vec![zero.clone(); rule.slots()], vec![zero; rule.slots()]);
            for step in 0..5 {
                let g = Host::random(&format!("gradient {step}"), shape).up(b)?;
                b.update(&rule, &mut w, &g, &mut state)?;
                update(b, &rule, &mut want, &g, &mut want_state)?;
                agree(b, &w, &want, slack(&rule));
                state.iter().zip(&want_state).for_each(|(state, want)| agree(b, state, want, 100.0));
            }
        }
    }
    Ok(())
}

/// More weights than a kernel's arguments have room for, of all rules, sizes from nothing on, and gradients that are views;
/// each array of the start is shared by several of them.
pub(crate) fn updates_together_are_single_ones<B: Backend>(b: &B) -> Result<()> {
    let rules = rules();
    let shapes = [&[3, 700][..], &[1], &[0], &[5, 257], &[], &[4, 4]];
    let starts: Vec<_> = shapes.iter().map(|shape| Host::random("w", shape).up(b)).collect::<Result<_>>()?;
    let zeros: Vec<_> = shapes.iter().map(|&shape| b.fill(Shape::new(shape)?, 0.0)).collect::<Result<_>>()?;
    let gradient = |i: usize, step: usize| {
        let g = Host::random(&format!("gradient {i} {step}"), shapes[i % 6]).up(b)?;
        // Of a square one its transpose.
        if i % 6 == 5 { b.permute(&g, &[1, 0]) } else { Ok(g) }
    };
    let rule = |i: usize| rules[i % rules.len()];
    let start = |i: usize| (starts[i % 6].clone(), vec![zeros[i % 6].clone(); rule(i).slots()]);
    let mut all: Vec<_> = (0..101).map(start).collect();
    let mut single = all.clone();
    for step in 0..3 {
        let gradients: Vec<_> = (0..101).map(|i| gradient(i, step)).collect::<Result<_>>()?;
        let weights = all.iter_mut().zip(&gradients).enumerate();
        let mut steps: Vec<_> = weights.map(|(i, ((w, state), g))| WeightStep { rule: rule(i), w, g, state }).collect();
        b.update_all(&mut steps, None)?;
        for (i, (((w, state), (want, want_state)), g)) in all.iter().zip(&mut single).zip(&gradients).enumerate() {
            let rule = rule(i);
            println!("weight {i}, step {step}: {rule:?}");
            b.update(&rule, want, g, want_state)?;
            agree(b, w, want, slack(&rule));
            state.iter().zip(&*want_state).for_each(|(state, want)| agree(b, state, want, 100.0));
        }
    }
    for (start, shape) in starts.iter().zip(shapes) {
        exact(b, start, &Host::random("w", shape));
    }
    for (zero, shape) in zeros.iter().zip(shapes) {
        exact(b, zero, &Host::random("w", shape).map(|_| 0.0));
    }
    b.update_all(&mut [], None)
}

/// Where the number is 0 nothing changes, whatever the gradients; with another number it is the update without one.
pub(crate) fn updates_can_be_held_back<B: Backend>(b: &B) -> Result<()> {
    let table = Host::random("w", &[5, 3]);
    for rule in rules() {
        println!("{rule:?}");
        let start = || Ok::<_, Error>((table.up(b)?, vec![b.fill([5, 3].into(), 0.5)?; rule.slots()]));
        let (no, yes) = (b.fill([].into(), 0.0)?, b.fill([].into(), 1.0)?);
        let rows = b.upload_indices(vec![1, 4], [2].into())?;
        for nan in [true, false] {
            let spoilt = |shape: &[usize]| Host::random("g", shape).map(|g| if nan { f64::NAN } else { g }).up(b);
            let (whole, part) = (spoilt(&[5, 3])?, spoilt(&[2, 3])?);
            for reach in [None, Some(Reach::Exact), Some(Reach::Lazy)] {
                let make = |when: Option<&B::Array>| {
                    let (mut w, mut state) = start()?;
                    match reach {
                        Some(reach) => b.update_rows(&rule, reach, &mut w, (&rows, &part), &mut state, when)?,
                        None => {
                            b.update_all(&mut [WeightStep { rule, w: &mut w, g: &whole, state: &mut state }], when)?;
                        }
                    }
                    state.insert(0, w);
                    state.iter().map(|array| Host::down(b, array)).collect::<Result<Vec<_>>>()
                };
                let (w, slots) = start()?;
                let before = std::iter::once(&w).chain(&slots).map(|array| Host::down(b, array));
                let before = before.collect::<Result<Vec<_>>>()?;
                assert_eq!(make(Some(&no))?, before);
                if !nan {
                    assert_eq!(make(Some(&yes))?, make(None)?);
                    assert_ne!(make(None)?, before);
                }
            }
        }
    }
    let (mut w, g) = (table.up(b)?, table.up(b)?);
    let step = &mut [WeightStep { rule: Update::Sgd { lr: 0.1, decay: 0.0 }, w: &mut w, g: &g, state: &mut [] }];
    refused(b.update_all(step, Some(&b.fill([2].into(), 1.0)?)), "two numbers to hold it back");
    Ok(())
}

/// Arrays of all sizes, each with nothing wrong, or an infinity or NaN at its beginning, amid it or at its end; views too; more of
/// them than a kernel's arguments have room for.
pub(crate) fn what_is_not_finite_is_found<B: Backend>(b: &B) -> Result<()> {
    let (mut arrays, mut want) = (Vec::new(), Vec::new());
    for n in [1usize, 2, 5, 31, 33, 1000, 4097, 100_003] {
        let greatest = if B::Elem::NAME == "f32" { f64::from(f32::MAX) } else { f64::MAX };
        for wrong in [greatest, -greatest, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, -f64::NAN] {
            for at in [0, n / 2, n - 1] {
                let mut host = Host::random("x", &[n]);
                host.data[at] = wrong;
                arrays.push(host.up(b)?);
                want.push(f64::from(u8::from(wrong.is_finite())));
            }
        }
    }
    arrays.extend([b.fill([0].into(), f64::NAN)?, b.fill([].into(), f64::NAN)?, b.fill([].into(), 0.0)?]);
    want.extend([1.0, 0.0, 1.0]);
    // A column of the second row alone is seen by the second view.
    let mut host = Host::random("x", &[3, 4]);
    host.data[6] = f64::NAN;
    let (table, axes) = (host.up(b)?, [1, 0]);
    arrays.extend([b.slice(&table, 0, 2, 1)?, b.slice(&table, 1, 2, 1)?, b.permute(&table, &axes)?]);
    want.extend([1.0, 0.0, 0.0]);
    exact(b, &b.finite(&arrays.iter().collect::<Vec<_>>())?, &Host::new(want.clone(), &[want.len()]));
    agree(b, &b.finite(&arrays.iter().collect::<Vec<_>>())?, &finite(b, &arrays.iter().collect::<Vec<_>>())?, 0.0);
    exact(b, &b.finite(&[])?, &Host::new([], &[0]));
    Ok(())
}

/// Without an epsilon, where a gradient and all before it are 0, or their squares are: 0/0 and 1/0.
pub(crate) fn divisions_by_nothing_move_nothing<B: Backend>(b: &B) -> Result<()> {
    let (lr, epsilon) = (0.1, 0.0);
    let tiny = if B::Elem::NAME == "f32" { 1e-30 } else { 1e-200 };
    let mut rules = vec![Update::AdaDelta { lr, rho: 0.9, epsilon }];
    rules.push(Update::Nadam { of_m: 0.08, of_g: 0.03, beta1: 0.9, beta2: 0.99, epsilon, decay: 0.0 });
    rules.extend([false, true].map(|amsgrad| Update::Adam {
        lr,
        beta1: 0.9,
        beta2: 0.99,
        epsilon,
        decay: 0.0,
        amsgrad,
    }));
    for epsilon in [Epsilon::Inside(0.0), Epsilon::Outside(0.0)] {
        rules.push(Update::AdaGrad { lr, epsilon });
        for momentum in [0.0, 0.9] {
            rules.extend([false, true].map(|centered| Update::RmsProp { lr, rho: 0.9, epsilon, momentum, centered }));
        }
    }
    for rule in rules {
        println!("{rule:?}");
        let (start, g) = (Host::new([1.0, 2.0], &[2]), Host::new([0.0, tiny], &[2]).up(b)?);
        let (mut w, mut state) = (start.up(b)?, vec![b.fill([2].into(), 0.0)?; rule.slots()]);
        let (mut default, mut default_state) = (w.clone(), state.clone());
        for _ in 0..2 {
            b.update(&rule, &mut w, &g, &mut state)?;
            update(b, &rule, &mut default, &g, &mut default_state)?;
        }
        exact(b, &w, &start);
        exact(b, &default, &start);
    }
    Ok(())
}

/// The formulas once more, for one weight in plain `f64`, as its documentation writes them.
fn step(rule: &Update, w: &mut f64, g: f64, s: &mut [f64]) {
    let root = |epsilon, v: f64| match epsilon {
        Epsilon::Inside(e) => (v + e).sqrt(),
        Epsilon::Outside(e) => v.sqrt() + e,
    };
    match *rule {
        Update::Sgd { lr, decay } => *w = *w - decay * *w - lr * g,
        Update::Momentum { lr, momentum, nesterov, decay } => {
            *w -= decay * *w;
            s[0] = momentum * s[0] - lr * g;
            *w += if nesterov { momentum * s[0] - lr * g } else { s[0] };
        }
        Update::AdaGrad { lr, epsilon } => {
            s[0] += g * g;
            *w -= lr * g / root(epsilon, s[0]);
        }
        Update::AdaDelta { lr, rho, epsilon } => {
            s[0] = rho * s[0] + (1.0 - rho) * g * g;
            let delta = g * (s[1] + epsilon).sqrt() / (s[0] + epsilon).sqrt();
            s[1] = rho * s[1] + (1.0 - rho) * delta * delta;
            *w -= lr * delta;
        }
        Update::RmsProp { lr, rho, epsilon, momentum, centered } => {
            s[0] = rho * s[0] + (1.0 - rho) * g * g;
            let mut variance = s[0];
            if centered {
                let c = s.len() - 1;
                s[c] = rho * s[c] + (1.0 - rho) * g;
                variance -= s[c] * s[c];
            }
            let mut m = lr * g / root(epsilon, variance);
            if momentum > 0.0 {
                m += momentum * s[1];
                s[1] = m;
            }
            *w -= m;
        }
        Update::Adam { lr, beta1, beta2, epsilon, decay, amsgrad } => {
            *w -= decay * *w;
            s[0] = beta1 * s[0] + (1.0 - beta1) * g;
            s[1] = beta2 * s[1] + (1.0 - beta2) * g * g;
            let mut v = s[1];
            if amsgrad {
                s[2] = s[2].max(v);
                v = s[2];
            }
            *w -= lr * s[0] / (v.sqrt() + epsilon);
        }
        Update::AdamMean { lr, beta1, beta2, decay } => {
            *w -= decay * *w;
            s[0] = beta1 * s[0] + (1.0 - beta1) * g;
            s[1] = beta2 * s[1] + (1.0 - beta2) * g * g;
            *w -= lr * s[0];
        }
        Update::Adamax { lr, beta1, beta2, epsilon, decay } => {
            *w -= decay * *w;
            s[0] = beta1 * s[0] + (1.0 - beta1) * g;
            let (inside, outside) = match epsilon {
                Epsilon::Inside(e) => (e, 0.0),
                Epsilon::Outside(e) => (0.0, e),
            };
            s[1] = (beta2 * s[1]).max(g.abs() + inside);
            *w -= lr * s[0] / (s[1] + outside);
        }
        Update::Nadam { of_m, of_g, beta1, beta2, epsilon, decay } => {
            *w -= decay * *w;
            s[0] = beta1 * s[0] + (1.0 - beta1) * g;
            s[1] = beta2 * s[1] + (1.0 - beta2) * g * g;
            *w -= (of_m * s[0] + of_g * g) / (s[1].sqrt() + epsilon);
        }
    }
}

pub(crate) fn rules_follow_their_formulas<B: Backend>(b: &B) -> Result<()> {
    for rule in rules() {
        println!("{rule:?}");
        let mut want = Host::random("w", &[33]);
        let mut w = want.up(b)?;
        let mut state = vec![b.fill([33].into(), 0.0)?; rule.slots()];
        let mut want_state = vec![vec![0.0; rule.slots()]; 33];
        for number in 0..5 {
            // The last gradients are small, so that AMSGrad's greatest differs from the latest.
            let shrink = if number < 3 { 1.0 } else { 0.125 };
            let g = Host::random(&format!("gradient {number}"), &[33]).map(|g| g * shrink);
            b.update(&rule, &mut w, &g.up(b)?, &mut state)?;
            for (i, state) in want_state.iter_mut().enumerate() {
                step(&rule, &mut want.data[i], g.data[i], state);
            }
            close(b, &w, &want, slack(&rule));
        }
        for (slot, state) in state.iter().enumerate() {
            let column: Vec<f64> = want_state.iter().map(|of_weight| of_weight[slot]).collect();
            close(b, state, &Host::new(column, &[33]), slack(&rule));
        }
    }
    Ok(())
}

/// A row of a table that had no gradient yet has a greatest gradient of 0: it must not go to NaN.
pub(crate) fn adamax_without_epsilon_stays_where_there_was_no_gradient<B: Backend>(b: &B) -> Result<()> {
    for epsilon in [Epsilon::Inside(0.0), Epsilon::Outside(0.0)] {
        let rule = Update::Adamax { lr: 0.5, beta1: 0.5, beta2: 0.5, epsilon, decay: 0.0 };
        for of in [Backend::update, update::<B>] {
            let (mut w, g) = (b.fill([2].into(), 3.0)?, Host::new([0.0, 4.0], &[2]).up(b)?);
            let mut state = vec![b.fill([2].into(), 0.0)?; 2];
            of(b, &rule, &mut w, &g, &mut state)?;
            // The mean of 0 and 4, divided by 4, half of it.
            exact(b, &w, &Host::new([3.0, 2.75], &[2]));
        }
    }
    Ok(())
}
