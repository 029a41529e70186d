//! The fused operations, each against the default body that it replaces.

use crate::{array, assert_close, candles, compare, numbers, permuted};
use elman::backend::{Backend, LinearWanted, Map, Update, activate, bags, linear, loss, norm, update};
use elman::data::Bags;
use elman::{Activation, Key, Shape};
use elman_candle::Candle;

#[test]
fn the_affine_map_and_its_gradients_agree() {
    for (rows, inputs, outputs) in [(5, 7, 3), (1, 1, 1), (300, 90, 110), (0, 4, 3), (4, 0, 3)] {
        let inputs_of =
            |b: &Candle| (permuted(b, [rows, inputs], 1), array(b, [inputs, outputs], 2), array(b, [outputs], 3));
        let forward = |b: &Candle, body: bool| {
            let (x, w, bias) = inputs_of(b);
            let x = b.reshape(&x, [1, rows, inputs].into())?;
            Ok(match body {
                false => vec![b.linear(&x, &w, Some(&bias))?, b.linear(&x, &w, None)?],
                true => vec![linear::linear(b, &x, &w, Some(&bias))?, linear::linear(b, &x, &w, None)?],
            })
        };
        compare("linear", |b| forward(b, false), |b| forward(b, true));
        let backward = |b: &Candle, body: bool| {
            let ((x, w, _), dy) = (inputs_of(b), permuted(b, [rows, outputs], 4));
            Ok(match body {
                false => b.linear_grad(&x, &w, &dy, LinearWanted::ALL)?,
                true => linear::linear_grad(b, &x, &w, &dy, LinearWanted::ALL)?,
            }
            .into_iter()
            .flatten()
            .collect())
        };
        compare("linear_grad", |b| backward(b, false), |b| backward(b, true));
    }
    for b in candles() {
        let (x, w, dy) = (array(&b, [2, 3], 0), array(&b, [3, 4], 0), array(&b, [2, 4], 0));
        let [dx, dw, dbias] = b.linear_grad(&x, &w, &dy, LinearWanted { kernel: true, ..LinearWanted::NONE }).unwrap();
        assert!(dx.is_none() && dw.is_some() && dbias.is_none());
        assert!(b.linear(&x, &dy, None).is_err() && b.linear(&x, &w, Some(&x)).is_err());
    }
}

#[test]
fn bags_agree() {
    let key = Key::new(5);
    let words = |row: u64| (0..row * 3 % 50).map(move |i| key.fold(row).below(i, 90) as u32);
    let binary = Bags::binary((0..40).map(words), 90).unwrap();
    let counts = Bags::counts((0..40).map(words), 90).unwrap();
    for (bags_, outputs) in [(&binary, 200), (&counts, 200), (&binary, 3), (&counts, 64)] {
        let (forward, backward) = (
            |b: &Candle, body: bool| {
                let (w, bias) = (array(b, [90, outputs], 1), array(b, [outputs], 2));
                Ok(match body {
                    false => vec![b.bag_linear(bags_, &w, Some(&bias))?, b.bag_linear(bags_, &w, None)?],
                    true => vec![bags::bag_linear(b, bags_, &w, Some(&bias))?, bags::bag_linear(b, bags_, &w, None)?],
                })
            },
            |b: &Candle, body: bool| {
                let dy = array(b, [40, outputs], 3);
                Ok(vec![if body { bags::bag_linear_grad(b, bags_, &dy)? } else { b.bag_linear_grad(bags_, &dy)? }])
            },
        );
        compare("bag_linear", |b| forward(b, false), |b| forward(b, true));
        compare("bag_linear_grad", |b| backward(b, false), |b| backward(b, true));
    }
    for b in candles() {
        assert!(b.bag_linear(&binary, &array(&b, [89, 2], 0), None).is_err());
        assert!(b.bag_linear_grad(&binary, &array(&b, [39, 2], 0)).is_err());
    }
}

#[test]
fn activations_agree() {
    use Activation as A;
    for f in [
        A::Linear,
        A::Sigmoid,
        A::HardSigmoid,
        A::HardSigmoidKeras1,
        A::Tanh,
        A::Relu,
        A::LeakyRelu(0.2),
        A::Elu(1.5),
        A::Gelu,
        A::GeluTanh,
        A::Silu,
        A::Softplus,
        A::Selu,
        A::Celu(0.7),
        A::Mish,
        A::HardSwish,
        A::Softsign,
        A::Relu6,
        A::LogSigmoid,
        A::Softmax,
        A::LogSoftmax,
    ] {
        let inputs = |b: &Candle| {
            let mut x = numbers(700 * 61, 1, 6.0);
            x[..7].copy_from_slice(&[0.0, -0.0, 30.0, -30.0, 80.0, -80.0, 1e-6]);
            Ok::<_, elman::Error>((b.upload(x, [700, 61].into())?, permuted(b, [700, 61], 2)))
        };
        let run = |b: &Candle, body: bool| {
            let (x, dy) = inputs(b)?;
            Ok(if body {
                let y = activate::activate(b, f, &x)?;
                vec![activate::activate_grad(b, f, &x, &y, &dy)?, y]
            } else {
                let y = b.activate(f, &x)?;
                vec![b.activate_grad(f, &x, &y, &dy)?, y]
            })
        };
        compare(&f.to_string(), |b| run(b, false), |b| run(b, true));
        for b in candles() {
            let nan = b.upload(vec![f32::NAN], [1].into()).unwrap();
            assert!(b.download(&b.activate(f, &nan).unwrap()).unwrap()[0].is_nan(), "{} {f}", b.name());
        }
    }
}

#[test]
fn softmaxes_are_safe() {
    for b in candles() {
        let x = b.upload(vec![3e38, -3e38, 0.0, 1e4, 1e4, -1e4], [2, 3].into()).unwrap();
        assert_close("softmax", &b.download(&b.softmax(&x).unwrap()).unwrap(), &[1.0, 0.0, 0.0, 0.5, 0.5, 0.0]);
        assert!(b.softmax(&b.fill(Shape::SCALAR, 1.0).unwrap()).is_err());
    }
}

#[test]
fn dropout_is_the_same_to_the_bit() {
    for shape in [[3, 5], [300, 200], [0, 3]] {
        let key = Key::new(9).named("dropout");
        compare(
            "dropout",
            |b| Ok(vec![b.dropout(&permuted(b, shape, 1), 0.3, key)?]),
            |b| Ok(vec![norm::dropout(b, &permuted(b, shape, 1), 0.3, key)?]),
        );
    }
}

#[test]
fn cross_entropies_agree() {
    for (rows, classes) in [(7, 5), (400, 46), (0, 3)] {
        let inputs = |b: &Candle| {
            let logits = b.map(Map::Affine(10.0, 0.0), &array(b, [rows, classes], 1)).unwrap();
            let targets = b.softmax(&array(b, [rows, classes], 2)).unwrap();
            let key = Key::new(4);
            let labels = (0..rows as u64).map(|i| key.below(i, classes) as u32).collect();
            let labels = b.upload_indices(labels, [rows].into()).unwrap();
            (logits, b.map(Map::Affine(0.7, 0.0), &targets).unwrap(), labels, array(b, [rows], 3))
        };
        let kernel = |b: &Candle| {
            let (z, t, labels, d) = inputs(b);
            Ok(vec![
                b.sparse_cross_entropy(&z, &labels, 0.0)?,
                b.sparse_cross_entropy(&z, &labels, 0.1)?,
                b.sparse_cross_entropy_grad(&z, &labels, 0.0, &d)?,
                b.sparse_cross_entropy_grad(&z, &labels, 0.1, &d)?,
                b.cross_entropy(&z, &t)?,
                b.cross_entropy_grad(&z, &t, &d)?,
                b.binary_cross_entropy(&z, &t)?,
                b.binary_cross_entropy_grad(&z, &t, &t)?,
            ])
        };
        let body = |b: &Candle| {
            let (z, t, labels, d) = inputs(b);
            Ok(vec![
                loss::sparse_cross_entropy(b, &z, &labels, 0.0)?,
                loss::sparse_cross_entropy(b, &z, &labels, 0.1)?,
                loss::sparse_cross_entropy_grad(b, &z, &labels, 0.0, &d)?,
                loss::sparse_cross_entropy_grad(b, &z, &labels, 0.1, &d)?,
                loss::cross_entropy(b, &z, &t)?,
                loss::cross_entropy_grad(b, &z, &t, &d)?,
                loss::binary_cross_entropy(b, &z, &t)?,
                loss::binary_cross_entropy_grad(b, &z, &t, &t)?,
            ])
        };
        compare("cross_entropy", kernel, body);
    }
    for b in candles() {
        let z = b.upload(vec![60.0, -60.0, 3e38], [3].into()).unwrap();
        let t = b.upload(vec![0.0, 1.0, 1.0], [3].into()).unwrap();
        assert_close("saturated", &b.download(&b.binary_cross_entropy(&z, &t).unwrap()).unwrap(), &[60.0, 60.0, 0.0]);
    }
}

#[test]
fn updates_agree() {
    use elman::backend::update::Epsilon::{Inside, Outside};
    let (lr, epsilon) = (0.1, 1e-3);
    let adam = |amsgrad| Update::Adam { lr, beta1: 0.9, beta2: 0.99, epsilon, decay: 0.01, amsgrad };
    let rms = |momentum, centered, epsilon| Update::RmsProp { lr, rho: 0.9, epsilon, momentum, centered };
    for rule in [
        Update::Sgd { lr, decay: 0.0 },
        Update::Momentum { lr, momentum: 0.9, nesterov: false, decay: 0.0 },
        Update::Momentum { lr, momentum: 0.9, nesterov: true, decay: 0.0 },
        Update::AdaGrad { lr, epsilon: Outside(epsilon) },
        Update::AdaDelta { lr, rho: 0.9, epsilon },
        rms(0.0, false, Inside(epsilon)),
        rms(0.5, true, Inside(epsilon)),
        adam(false),
        adam(true),
        Update::Nadam { of_m: 0.1, of_g: 0.02, beta1: 0.9, beta2: 0.99, epsilon, decay: 0.01 },
        Update::AdamMean { lr, beta1: 0.9, beta2: 0.99, decay: 0.01 },
        Update::Adamax { lr, beta1: 0.9, beta2: 0.99, epsilon: Inside(epsilon), decay: 0.01 },
        Update::Adamax { lr, beta1: 0.9, beta2: 0.99, epsilon: Outside(epsilon), decay: 0.0 },
    ] {
        let run = |b: &Candle, body: bool| {
            let mut w = array(b, [501, 203], 1);
            let zero = b.fill([501, 203].into(), 0.0)?;
            let mut state = vec![zero; rule.slots()];
            for step in 0..3 {
                let g = permuted(b, [501, 203], 2 + step);
                match body {
                    false => b.update(&rule, &mut w, &g, &mut state)?,
                    true => update::update(b, &rule, &mut w, &g, &mut state)?,
                }
            }
            state.push(w);
            Ok(state)
        };
        compare(&format!("{rule:?}"), |b| run(b, false), |b| run(b, true));
    }
    for b in candles() {
        let (mut w, g) = (array(&b, [2], 0), array(&b, [3], 0));
        assert!(b.update(&Update::Sgd { lr, decay: 0.0 }, &mut w, &g, &mut []).is_err());
        let g = array(&b, [2], 0);
        assert!(b.update(&adam(false), &mut w, &g, &mut [g.clone()]).is_err());
        assert!(b.add_assign(&mut w, &array(&b, [1], 0)).is_err());
    }
}
