//! Losses: gradients by finite differences, their stable forms, extreme logits, ignored rows, steps, and what is
//! refused.

mod cases;
mod others;
mod pos_weight;
mod refused;
mod rows;
mod weighted;

use crate::common::near::{assert_near, is_double, numbers, scattered, tensor, variable};
use cases::*;
use elman::gradcheck::{Tolerance, gradcheck};
use elman::loss::*;
use elman::{Activation, Backend, Tensor};
use elman_candle::Candle;
use elman_reference::Reference;

#[test]
fn gradients_agree_with_finite_differences() {
    let b = Double::new();
    each_case(&b, |loss, predictions, shape, target| {
        let weights: Vec<f32> = (0..shape[0]).map(|i| 0.25 * i as f32).collect();
        let inputs = [(predictions, shape.to_vec())];
        let checked = gradcheck(&b, &inputs, Tolerance::default(), |x| loss.each(&x[0], target));
        checked.unwrap_or_else(|error| panic!("{loss:?} {shape:?} {target:?}: {error}"));
        let checked = gradcheck(&b, &inputs, Tolerance::default(), |x| mean(loss, &x[0], target, Some(&weights)));
        checked.unwrap_or_else(|error| panic!("{loss:?} {shape:?} {target:?}, weighted: {error}"));
    });
}

#[test]
fn the_stable_form_is_the_activation_with_the_loss_on_probabilities() {
    let b = Double::new();
    for shape in SHAPES {
        for (last, logits, plain) in pairs::<Double>() {
            if shape[shape.len() - 1] == 1 && !for_one_output(&*logits) {
                continue;
            }
            let taken_over = plain.before(last).expect("a stable form");
            for target in targets(&b, &*logits, shape) {
                let z = variable(&b, &scattered(shape.iter().product(), 3), shape);
                let found = |loss: &dyn Loss<Double>, y: Tensor<Double>| {
                    let value = mean(loss, &y, &target, None).unwrap();
                    (value.to_scalar().unwrap(), numbers(&value.backward().unwrap().of(&z).unwrap()))
                };
                let (value, gradient) = found(&*plain, z.activate(last).unwrap());
                for stable in [&logits, &taken_over] {
                    let (stable_value, stable_gradient) = found(&**stable, z.clone());
                    let what = format!("{stable:?} {shape:?}");
                    // Both lose a few digits of 16, and in the middle of the range none is clipped.
                    assert_near(&what, &[stable_value], &[value], 1e-13);
                    assert_near(&what, &stable_gradient, &gradient, 1e-13);
                }
            }
        }
    }
}

#[test]
fn only_the_activation_that_a_loss_contains_is_taken_over() {
    let others = [Activation::Linear, Activation::Tanh, Activation::Relu];
    for (last, stable, plain) in pairs::<Double>() {
        assert_eq!(plain.before(last).unwrap().ignored(), stable.ignored());
        let other = if last == Activation::Sigmoid { Activation::Softmax } else { Activation::Sigmoid };
        assert!(plain.before(other).is_none(), "{plain:?} before {other}");
        for f in others {
            assert!(plain.before(f).is_none() && stable.before(f).is_none(), "{plain:?} before {f}");
        }
    }
    for loss in linear::<Double>() {
        for f in others.into_iter().chain([Activation::Sigmoid, Activation::Softmax]) {
            assert!(loss.before(f).is_none(), "{loss:?} before {f}");
        }
    }
}

/// Runs a test of any backend on all of them.
macro_rules! on_all_backends {
    ($($name:ident: $check:ident;)*) => {$(
        #[test]
        fn $name() {
            $check(&Double::new());
            $check(&Reference::<f32>::new());
            $check(&Candle::cpu());
        }
    )*};
}

on_all_backends! {
    extreme_logits_have_finite_losses_and_gradients: extreme_logits;
    a_batch_of_ignored_rows_counts_nothing: all_ignored;
    ignored_rows_are_as_if_they_were_not_there: some_ignored;
    steps_count_like_rows: steps;
    labels_are_one_hot_targets: labels_as_targets;
    smoothing_moves_targets: smoothing;
}

fn extreme_logits<B: Backend>(b: &B) {
    let far = [-1e4, -200.0, -60.0, 60.0, 200.0, 1e4];
    let rows: Vec<f64> = (0..6).flat_map(|row| (0..6).map(move |i| far[(i + row * i + row) % 6])).collect();
    for (last, stable, plain) in pairs::<B>() {
        let several = last == Activation::Softmax;
        let shape = if several { [6, 6] } else { [36, 1] };
        for target in targets(b, &*stable, &shape) {
            let z = variable(b, &rows, &shape);
            for (loss, y) in [(&stable, z.clone()), (&plain, z.activate(last).unwrap())] {
                let value = mean(&**loss, &y, &target, None).unwrap();
                let gradient = numbers(&value.backward().unwrap().of(&z).unwrap());
                let value = value.to_scalar().unwrap();
                // A probability is at least 1e-7, so its logarithm at least -16.2.
                let bound = if std::ptr::eq(loss, &stable) { 2.1e4 } else { 16.2 };
                assert!((0.0..bound).contains(&value), "{loss:?} on {}: {value}", b.name());
                assert!(gradient.iter().all(|g| g.abs() <= 1.0), "{loss:?} on {}: {gradient:?}", b.name());
            }
        }
    }
    // Near the end of what an `f32` holds.
    let z = variable(b, &[1e30, -1e30, -1e30, 1e30], &[2, 2]);
    for (last, stable, _) in pairs::<B>() {
        let target = if last == Activation::Sigmoid {
            Target::Values(tensor(b, &[0., 1., 1., 0.], &[2, 2]))
        } else {
            Target::classes(vec![1, 1])
        };
        let each = stable.each(&z, &target).unwrap();
        let gradient = each.sum().unwrap().backward().unwrap().of(&z).unwrap();
        assert!(
            [numbers(&each), numbers(&gradient)].concat().iter().all(|x| x.is_finite()),
            "{stable:?} on {}",
            b.name()
        );
    }
    // The values themselves: `max(z, 0) - z t`, and how far the label is below the greatest.
    let z = variable(b, &far, &[6, 1]);
    for (t, expected) in [(0.0, [0., 0., 0., 60., 200., 1e4]), (1.0, [1e4, 200., 60., 0., 0., 0.])] {
        let target = Target::Values(tensor(b, &[t; 6], &[6, 1]));
        let each = BinaryCrossEntropy::from_logits().each(&z, &target).unwrap();
        assert_near("binary", &numbers(&each), &expected, 1e-7);
        let gradient = numbers(&each.sum().unwrap().backward().unwrap().of(&z).unwrap());
        assert_near("binary", &gradient, &far.map(|z| if z > 0.0 { 1.0 - t } else { -t }), 1e-7);
    }
    let z = variable(b, &far.repeat(2), &[2, 6]);
    let each = SparseCategoricalCrossEntropy::from_logits().each(&z, &Target::classes(vec![5, 0])).unwrap();
    assert_near("sparse", &numbers(&each), &[0.0, 2e4], 1e-7);
    let gradient = numbers(&each.sum().unwrap().backward().unwrap().of(&z).unwrap());
    assert_near("sparse", &gradient, &[0., 0., 0., 0., 0., 0., -1., 0., 0., 0., 0., 1.], 1e-7);
}

fn all_ignored<B: Backend>(b: &B) {
    for form in [SparseCategoricalCrossEntropy::from_logits, SparseCategoricalCrossEntropy::new] {
        for ignored in [1, 9] {
            for weights in [None, Some(&[1.0f32, 2.0][..])] {
                // A row of zeros is what a masked step may come as.
                let y = variable(b, &[0.2, 0.3, 0.5, 0.0, 0.0, 0.0], &[2, 3]);
                let target = Target::classes(vec![ignored; 2]);
                let value = mean(&form().ignore_class(ignored), &y, &target, weights).unwrap();
                assert_eq!(value.to_scalar().unwrap(), 0.0);
                assert_eq!(numbers(&value.backward().unwrap().of(&y).unwrap()), [0.0; 6]);
            }
        }
    }
    // Nor do weights of nothing divide by nothing.
    let y = variable(b, &[0.2, 0.3], &[2, 1]);
    let target = Target::Values(tensor(b, &[1.0, 0.0], &[2, 1]));
    let value = mean(&MeanSquaredError, &y, &target, Some(&[0.0, 0.0])).unwrap();
    assert_eq!(value.to_scalar().unwrap(), 0.0);
    assert_eq!(numbers(&value.backward().unwrap().of(&y).unwrap()), [0.0; 2]);
}

/// How near two ways to one number come to each other.
fn nearly<B: Backend>() -> f64 {
    if is_double::<B>() { 1e-14 } else { 1e-6 }
}

fn some_ignored<B: Backend>(b: &B) {
    let data = [0.2, 0.3, 0.5, 0.1, 0.8, 0.1, 0.6, 0.3, 0.1];
    for form in [SparseCategoricalCrossEntropy::from_logits, SparseCategoricalCrossEntropy::new] {
        let (all, two) = (variable(b, &data, &[3, 3]), variable(b, &data[..6], &[2, 3]));
        for ignored in [0, 7] {
            let loss = form().ignore_class(ignored);
            let value = mean(&loss, &all, &Target::classes(vec![2, 1, ignored]), Some(&[1.0, 0.5, 3.0])).unwrap();
            let expected = mean(&form(), &two, &Target::classes(vec![2, 1]), Some(&[1.0, 0.5])).unwrap();
            assert_near("value", &numbers(&value), &numbers(&expected), nearly::<B>());
            let gradient = numbers(&value.backward().unwrap().of(&all).unwrap());
            let expected = numbers(&expected.backward().unwrap().of(&two).unwrap());
            assert_near("gradient", &gradient[..6], &expected, nearly::<B>());
            assert_eq!(gradient[6..], [0.0; 3]);
        }
    }
}

/// Predictions `[samples, steps, outputs]` count as `[samples * steps, outputs]`, a sample's weight for all its steps,
/// unless each has its own.
fn steps<B: Backend>(b: &B) {
    let data: Vec<f64> = scattered(24, 2).iter().map(|x| x.abs().min(0.9)).collect();
    let losses = pairs::<B>().into_iter().flat_map(|(_, logits, plain)| [logits, plain]).chain(linear());
    for loss in losses {
        let (y, rows) = (variable(b, &data, &[2, 3, 4]), variable(b, &data, &[6, 4]));
        let of_rows = targets(b, &*loss, &[6, 4]);
        for (target, of_rows) in targets(b, &*loss, &[2, 3, 4]).iter().zip(&of_rows) {
            assert_eq!(loss.each(&y, target).unwrap().shape(), [2, 3].into(), "{loss:?}");
            for (weights, of_each) in [(None, None), (Some(&[0.5, 2.0][..]), Some(&[0.5, 0.5, 0.5, 2.0, 2.0, 2.0][..]))]
            {
                let value = mean(&*loss, &y, target, weights).unwrap();
                let expected = mean(&*loss, &rows, of_rows, of_each).unwrap();
                assert_near(loss.name(), &numbers(&value), &numbers(&expected), nearly::<B>());
                let gradient = numbers(&value.backward().unwrap().of(&y).unwrap());
                let expected = numbers(&expected.backward().unwrap().of(&rows).unwrap());
                assert_near(loss.name(), &gradient, &expected, nearly::<B>());
            }
        }
    }
}

fn labels_as_targets<B: Backend>(b: &B) {
    let same = |loss: &dyn Loss<B>, y: &Tensor<B>, labels: Vec<u32>, values: &[f64]| {
        let values = Target::Values(tensor(b, values, &y.shape()));
        let each = |target: &Target<B>| numbers(&loss.each(y, target).unwrap());
        assert_eq!(each(&Target::classes(labels)), each(&values), "{loss:?}");
    };
    let y = tensor(b, &[0.2, 0.3, 0.5, 0.1, 0.8, 0.1], &[2, 3]);
    let several: [&dyn Loss<B>; 4] = [
        &CategoricalCrossEntropy::new(),
        &CategoricalCrossEntropy::from_logits().label_smoothing(0.2),
        &CategoricalHinge,
        &BinaryCrossEntropy::new(),
    ];
    several.into_iter().for_each(|loss| same(loss, &y, vec![2, 0], &[0., 0., 1., 1., 0., 0.]));
    let y = tensor(b, &[0.2, 0.7, 0.5], &[3, 1]);
    let single: [&dyn Loss<B>; 4] =
        [&BinaryCrossEntropy::new(), &BinaryCrossEntropy::from_logits(), &Hinge, &SquaredHinge];
    single.iter().for_each(|loss| same(*loss, &y, vec![0, 1, 1], &[0., 1., 1.]));
    // Numbers and labels of a single step, or of a single output, need no axis for it.
    let flat = Target::Values(tensor(b, &[0., 1., 1.], &[3]));
    for loss in single {
        assert_eq!(
            numbers(&loss.each(&y, &flat).unwrap()),
            numbers(&loss.each(&y, &Target::classes(vec![0, 1, 1])).unwrap())
        );
    }
    let step = tensor(b, &[0.2, 0.3, 0.5, 0.1, 0.8, 0.1], &[2, 1, 3]);
    for loss in several {
        let rows = loss.each(&step.reshape(&[2, 3]).unwrap(), &Target::classes(vec![2, 0])).unwrap();
        let each = loss.each(&step, &Target::classes(vec![2, 0])).unwrap();
        assert_eq!((each.shape(), numbers(&each)), ([2, 1].into(), numbers(&rows)), "{loss:?}");
    }
    // The margins' 0 is -1.
    let target = |values: &[f64]| Target::Values(tensor(b, values, &[3, 1]));
    for loss in [&Hinge as &dyn Loss<B>, &SquaredHinge] {
        let each = |values: &[f64]| numbers(&loss.each(&y, &target(values)).unwrap());
        assert_eq!(each(&[0., 1., 0.]), each(&[-1., 1., -1.]));
    }
}

/// Smoothed targets and a loss that smooths are the same.
fn smoothing<B: Backend>(b: &B) {
    let y = tensor(b, &[0.2, 0.3, 0.5, 0.1, 0.8, 0.1], &[2, 3]);
    let each = |loss: &dyn Loss<B>, target: &Target<B>| numbers(&loss.each(&y, target).unwrap());
    let values = |values: &[f64]| Target::Values(tensor(b, values, &[2, 3]));
    let plain = values(&[0., 0., 1., 1., 0., 0.]);
    let (thirds, halves) = (values(&[0.1, 0.1, 0.8, 0.8, 0.1, 0.1]), values(&[0.15, 0.15, 0.85, 0.85, 0.15, 0.15]));
    for form in [CategoricalCrossEntropy::new, CategoricalCrossEntropy::from_logits] {
        assert_near("several", &each(&form().label_smoothing(0.3), &plain), &each(&form(), &thirds), nearly::<B>());
    }
    let sparse = [
        (SparseCategoricalCrossEntropy::new(), CategoricalCrossEntropy::new()),
        (SparseCategoricalCrossEntropy::from_logits(), CategoricalCrossEntropy::from_logits()),
    ];
    for (sparse, several) in sparse {
        let of_labels = each(&sparse.label_smoothing(0.3), &Target::classes(vec![2, 0]));
        assert_near("sparse", &of_labels, &each(&several, &thirds), nearly::<B>());
    }
    for form in [BinaryCrossEntropy::new, BinaryCrossEntropy::from_logits] {
        assert_near("binary", &each(&form().label_smoothing(0.3), &plain), &each(&form(), &halves), nearly::<B>());
    }
}
