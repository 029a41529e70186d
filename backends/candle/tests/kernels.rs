//! Every kernel of the CPU against the default body that it replaces, the latter over candle's own kernels; and the
//! required operations of both against their definitions, with the awkward numbers and shapes.

use elman::backend::{Backend, Map, Update, Zip, bags, linear, loss, norm, update};
use elman::data::Bags;
use elman::{Activation, Key, Result, Shape, activation};
use elman_candle::{Array, Candle, candle_core::Device};

/// Numbers in `[-scale, scale)`.
fn numbers(n: usize, seed: u64, scale: f64) -> Vec<f32> {
    let key = Key::new(seed).named("numbers");
    (0..n as u64).map(|i| ((key.uniform(i) * 2.0 - 1.0) * scale) as f32).collect()
}

/// Numbers on every backend alike.
fn array(b: &Candle, shape: impl Into<Shape>, seed: u64) -> Array {
    let shape = shape.into();
    b.upload(numbers(shape.elements(), seed, 2.0), shape).unwrap()
}

/// The same numbers in the same order, but permuted in memory.
fn permuted(b: &Candle, shape: [usize; 2], seed: u64) -> Array {
    let straight = array(b, shape, seed);
    let back = b.permute(&straight, &[1, 0]).unwrap();
    let copy = b.upload(b.download(&back).unwrap(), b.shape(&back)).unwrap();
    b.permute(&copy, &[1, 0]).unwrap()
}

/// Equal but for rounding; NaN equals NaN.
fn close(found: &[f32], expected: &[f32], tolerance: f32) -> bool {
    found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .all(|(&a, &b)| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * (1.0 + b.abs()))
}

#[track_caller]
fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    assert!(close(found, expected, 3e-6), "{what}: {found:?} for {expected:?}");
}

fn candles() -> [Candle; 3] {
    [Candle::portable(Device::Cpu), Candle::cpu_with_threads(1).unwrap(), Candle::cpu_with_threads(3).unwrap()]
}

/// Compares what `kernel` gives on the CPU's kernels, by one thread and three, with what `body` gives on candle's.
#[track_caller]
fn compare(what: &str, kernel: impl Fn(&Candle) -> Result<Vec<Array>>, body: impl Fn(&Candle) -> Result<Vec<Array>>) {
    let download = |b: &Candle, arrays: Vec<Array>| -> Vec<(Shape, Vec<f32>)> {
        arrays.iter().map(|a| (b.shape(a), b.download(a).unwrap())).collect()
    };
    let [portable, one, three] = candles();
    let expected = download(&portable, body(&portable).unwrap());
    let (by_one, by_three) = (download(&one, kernel(&one).unwrap()), download(&three, kernel(&three).unwrap()));
    for ((found, other), expected) in by_one.iter().zip(&by_three).zip(&expected) {
        assert_eq!(found.0, expected.0, "{what}: shape");
        assert_close(what, &found.1, &expected.1);
        // To the bit, and NaN too.
        let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&found.1), bits(&other.1), "{what}: the number of threads counts");
    }
    assert_eq!((by_one.len(), by_three.len()), (expected.len(), expected.len()));
}

const AWKWARD: [f32; 18] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -0.5,
    1e-8,
    -1e-8,
    1e-3,
    -3.0,
    20.0,
    -20.0,
    90.0,
    -90.0,
    1e30,
    f32::INFINITY,
    f32::NEG_INFINITY,
    f32::NAN,
];

#[test]
fn maps_are_what_their_definition_says() {
    let inf = f64::INFINITY;
    let all = [
        Map::Neg,
        Map::Abs,
        Map::Sign,
        Map::Exp,
        Map::ExpM1,
        Map::Ln,
        Map::Ln1p,
        Map::Sqrt,
        Map::Square,
        Map::Recip,
        Map::Pow(3.0),
        Map::Pow(-0.5),
        Map::Tanh,
        Map::Sigmoid,
        Map::Erf,
        Map::Affine(2.0, -1.0),
        Map::Affine(0.0, 1.0),
        Map::Clamp(-0.7, 0.3),
        Map::Clamp(0.0, inf),
        Map::Clamp(-inf, 0.0),
        Map::Clamp(-inf, inf),
        Map::Step,
    ];
    let x: Vec<f32> = AWKWARD.into_iter().chain(numbers(300, 1, 4.0)).collect();
    for b in candles() {
        let a = b.upload(x.clone(), [x.len()].into()).unwrap();
        for op in all {
            let expected: Vec<f32> = x.iter().map(|&x| op.apply(x)).collect();
            assert_close(&format!("{} {op:?}", b.name()), &b.download(&b.map(op, &a).unwrap()).unwrap(), &expected);
        }
    }
}

#[test]
fn near_zero_nothing_is_lost() {
    let x = numbers(1000, 2, 1e-4);
    for b in candles() {
        let a = b.upload(x.clone(), [x.len()].into()).unwrap();
        for op in [Map::ExpM1, Map::Ln1p, Map::Tanh] {
            for (&x, y) in x.iter().zip(b.download(&b.map(op, &a).unwrap()).unwrap()) {
                let exact = op.apply(f64::from(x));
                assert!(((f64::from(y) - exact) / exact).abs() < 5e-7, "{} {op:?} at {x}: {y}", b.name());
            }
        }
    }
}

const ZIPS: [Zip; 9] =
    [Zip::Add, Zip::Sub, Zip::Mul, Zip::Div, Zip::Max, Zip::Min, Zip::Equal, Zip::Less, Zip::Greater];

#[test]
fn zips_are_what_their_definition_says() {
    let n = AWKWARD.len();
    for b in candles() {
        let (rows, columns) = (b.upload(AWKWARD.to_vec(), [n, 1].into()), b.upload(AWKWARD.to_vec(), [n].into()));
        let (rows, columns) = (rows.unwrap(), columns.unwrap());
        for op in ZIPS {
            let expected: Vec<f32> = AWKWARD.iter().flat_map(|&x| AWKWARD.map(|y| op.apply(x, y))).collect();
            let found = b.download(&b.zip(op, &rows, &columns).unwrap()).unwrap();
            assert_close(&format!("{} {op:?}", b.name()), &found, &expected);
        }
    }
}

#[test]
fn zips_broadcast() {
    let shapes: [(&[usize], &[usize]); 9] = [
        (&[2, 3, 4], &[2, 3, 4]),
        (&[2, 3, 4], &[4]),
        (&[2, 3, 4], &[3, 1]),
        (&[2, 1, 4], &[3, 1]),
        (&[], &[2, 3]),
        (&[5, 1], &[1, 7]),
        (&[2, 1, 1, 5], &[1, 3, 4, 1]),
        (&[0, 3], &[3]),
        (&[], &[]),
    ];
    for (left, right) in shapes {
        let (left, right) = (Shape::new(left).unwrap(), Shape::new(right).unwrap());
        for (left, right) in [(left, right), (right, left)] {
            let shape = left.broadcast("zip", right).unwrap();
            let (l, r) = (left.strides_in(shape), right.strides_in(shape));
            let (x, y) = (numbers(left.elements(), 3, 2.0), numbers(right.elements(), 4, 2.0));
            let expected: Vec<f32> = (0..shape.elements())
                .map(|mut at| {
                    let (mut i, mut j) = (0, 0);
                    for axis in (0..shape.rank()).rev() {
                        i += at % shape[axis] * l[axis];
                        j += at % shape[axis] * r[axis];
                        at /= shape[axis];
                    }
                    x[i] - y[j]
                })
                .collect();
            for b in candles() {
                let found = b.zip(Zip::Sub, &b.upload(x.clone(), left).unwrap(), &b.upload(y.clone(), right).unwrap());
                let found = found.unwrap();
                assert_eq!((b.shape(&found), b.download(&found).unwrap()), (shape, expected.clone()), "{}", b.name());
            }
        }
    }
    for b in candles() {
        assert!(b.zip(Zip::Add, &array(&b, [2], 0), &array(&b, [3], 0)).is_err());
    }
}

#[test]
fn large_arrays_are_cut_without_a_seam() {
    let op = |b: &Candle| {
        let (wide, row) = (array(b, [700, 301], 1), array(b, [301], 2));
        Ok(vec![
            b.zip(Zip::Mul, &wide, &row)?,
            b.zip(Zip::Add, &wide, &wide)?,
            b.map(Map::Exp, &wide)?,
            b.sum_to(&wide, [301].into())?,
            b.sum_to(&wide, [700, 1].into())?,
        ])
    };
    compare("large", op, op);
}

#[test]
fn what_is_not_chosen_has_no_influence() {
    for b in candles() {
        let mask = b.upload(vec![0.0, 1.0, f32::NAN], [3].into()).unwrap();
        let a = b.upload(vec![f32::NAN, 2.0], [2, 1].into()).unwrap();
        let other = b.upload(vec![-1.0], [1].into()).unwrap();
        let chosen = b.download(&b.select(&mask, &a, &other).unwrap()).unwrap();
        assert_close("select", &chosen, &[-1.0, f32::NAN, f32::NAN, -1.0, 2.0, 2.0]);
    }
}

#[test]
fn reductions_agree() {
    for (from, to) in [
        ([2, 3, 4], &[4][..]),
        ([2, 3, 4], &[3, 1]),
        ([2, 3, 4], &[2, 1, 4]),
        ([2, 3, 4], &[]),
        ([2, 3, 4], &[1, 1, 1]),
        ([2, 3, 4], &[2, 3, 4]),
        ([0, 3, 4], &[4]),
        ([2, 0, 4], &[2, 1, 1]),
        ([1, 3, 4], &[3, 4]),
    ] {
        let op = |b: &Candle| Ok(vec![b.sum_to(&array(b, from, 5), Shape::new(to)?)?]);
        compare(&format!("sum {from:?} to {to:?}"), op, op);
    }
    for axis in 0..3 {
        let op = |b: &Candle| Ok(vec![b.max(&array(b, [40, 3, 70], 6), axis)?]);
        compare("max", op, op);
    }
    for b in candles() {
        let a = b.upload(vec![1.0, f32::NAN, 3.0, f32::NEG_INFINITY], [2, 2].into()).unwrap();
        assert_close("max", &b.download(&b.max(&a, 1).unwrap()).unwrap(), &[f32::NAN, 3.0]);
        assert_close("max", &b.download(&b.max(&a, 0).unwrap()).unwrap(), &[3.0, f32::NAN]);
        assert!(b.max(&array(&b, [2, 0], 0), 1).is_err() && b.max(&array(&b, [2], 0), 1).is_err());
        assert_eq!(b.shape(&b.max(&array(&b, [0, 3], 0), 1).unwrap()), [0, 1].into());
        let ties = b.upload(vec![1.0, 5.0, 5.0, 0.0, 5.0, 2.0, 2.0, -1.0], [2, 4].into()).unwrap();
        assert_eq!(b.download_indices(&b.argmax(&ties, 1).unwrap()).unwrap(), [1, 0]);
        assert_eq!(b.download_indices(&b.argmax(&ties, 0).unwrap()).unwrap(), [1, 0, 0, 0]);
    }
}

#[test]
fn a_long_sum_keeps_its_digits() {
    for b in &candles()[1..] {
        let n = 1_000_000;
        for x in [vec![0.1; n], numbers(n, 7, 2.0)] {
            let exact: f64 = x.iter().map(|&x| f64::from(x)).sum();
            let size: f64 = x.iter().map(|&x| f64::from(x.abs())).sum();
            let a = b.upload(x, [n].into()).unwrap();
            let sum = f64::from(b.download(&b.sum_to(&a, Shape::SCALAR).unwrap()).unwrap()[0]);
            assert!((sum - exact).abs() < 1e-6 * size, "{sum} for {exact}");
        }
    }
}

#[test]
fn products_agree() {
    for (a, at, b_, bt) in [
        (&[5, 7][..], false, &[7, 6][..], false),
        (&[7, 5], true, &[7, 6], false),
        (&[5, 7], false, &[6, 7], true),
        (&[7, 5], true, &[6, 7], true),
        (&[3, 5, 7], false, &[3, 7, 6], false),
        (&[3, 7, 5], true, &[7, 6], false),
        (&[3, 5, 7], false, &[6, 7], true),
        (&[5, 7], false, &[3, 7, 6], false),
        (&[2, 3, 5, 7], false, &[2, 3, 6, 7], true),
        (&[7, 5], true, &[2, 3, 7, 6], false),
        (&[5, 0], false, &[0, 6], false),
        (&[0, 7], false, &[7, 6], false),
        (&[300, 120], false, &[120, 150], false),
        (&[120, 300], true, &[150, 120], true),
        (&[1, 400], false, &[400, 500], false),
        (&[500, 400], false, &[400, 1], false),
    ] {
        let (left, right) = (Shape::new(a).unwrap(), Shape::new(b_).unwrap());
        let op = |b: &Candle| Ok(vec![b.matmul(&array(b, left, 7), at, &array(b, right, 8), bt)?]);
        compare(&format!("matmul {a:?} {at} {b_:?} {bt}"), op, op);
    }
    // A product by hand: candle and we could be wrong together.
    for b in candles() {
        let (x, y) =
            (b.upload(vec![1.0, 2.0, 3.0, 4.0], [2, 2].into()), b.upload(vec![5.0, 6.0, 7.0, 8.0], [2, 2].into()));
        let (x, y) = (x.unwrap(), y.unwrap());
        let product = |at, bt| b.download(&b.matmul(&x, at, &y, bt).unwrap()).unwrap();
        assert_eq!(product(false, false), [19.0, 22.0, 43.0, 50.0]);
        assert_eq!(product(true, false), [26.0, 30.0, 38.0, 44.0]);
        assert_eq!(product(false, true), [17.0, 23.0, 39.0, 53.0]);
        let turned = b.permute(&x, &[1, 0]).unwrap();
        assert_eq!(b.download(&b.matmul(&turned, false, &y, false).unwrap()).unwrap(), [26.0, 30.0, 38.0, 44.0]);
    }
}

#[test]
fn layouts_agree() {
    let op = |b: &Candle| {
        let a = array(b, [3, 4, 5], 9);
        let turned = b.permute(&a, &[2, 0, 1])?;
        let part = b.slice(&turned, 2, 1, 2)?;
        let nothing = b.slice(&turned, 2, 4, 0)?;
        Ok(vec![
            b.reshape(&turned, [15, 4].into())?,
            part.clone(),
            b.map(Map::Neg, &part)?,
            b.zip(Zip::Add, &part, &part)?,
            b.sum_to(&part, [3, 1].into())?,
            b.concat(&[&part, &nothing, &turned], 2)?,
            b.concat(&[&a], 1)?,
            b.concat(&[&nothing, &nothing], 2)?,
            b.concat(&[&a, &a], 0)?,
            nothing,
        ])
    };
    compare("layout", op, op);
}

#[test]
fn rows_by_index_agree() {
    let op = |b: &Candle| {
        let (table, values) = (permuted(b, [6, 40], 10), array(b, [2, 3, 40], 11));
        let rows = b.upload_indices(vec![5, 0, 3, 3, 1, 5], [2, 3].into())?;
        let none = b.upload_indices(vec![], [0, 2].into())?;
        Ok(vec![
            b.gather(&table, &rows)?,
            b.scatter_add(&values, &rows, 7)?,
            b.one_hot(&rows, 6)?,
            b.gather(&table, &none)?,
            b.scatter_add(&array(b, [0, 2, 4], 0), &none, 3)?,
            b.one_hot(&none, 3)?,
        ])
    };
    compare("rows", op, op);
    for b in candles() {
        let rows = b.upload_indices(vec![2, 6], [2].into()).unwrap();
        for error in [
            b.gather(&array(&b, [6, 2], 0), &rows).unwrap_err(),
            b.scatter_add(&array(&b, [2, 2], 0), &rows, 6).unwrap_err(),
            b.one_hot(&rows, 6).unwrap_err(),
            b.sparse_cross_entropy(&array(&b, [2, 6], 0), &rows, 0.0).unwrap_err(),
        ] {
            assert!(error.to_string().contains("indices below 6, found 6 at position 1"), "{error}");
        }
    }
}

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
                false => b.linear_grad(&x, &w, &dy, [true; 3])?,
                true => linear::linear_grad(b, &x, &w, &dy, [true; 3])?,
            }
            .into_iter()
            .flatten()
            .collect())
        };
        compare("linear_grad", |b| backward(b, false), |b| backward(b, true));
    }
    for b in candles() {
        let (x, w, dy) = (array(&b, [2, 3], 0), array(&b, [3, 4], 0), array(&b, [2, 4], 0));
        let [dx, dw, dbias] = b.linear_grad(&x, &w, &dy, [false, true, false]).unwrap();
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
                let y = activation::activate(b, f, &x)?;
                vec![activation::activate_grad(b, f, &x, &y, &dy)?, y]
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
        Update::Sgd { lr },
        Update::Momentum { lr, momentum: 0.9, nesterov: false },
        Update::Momentum { lr, momentum: 0.9, nesterov: true },
        Update::AdaGrad { lr, epsilon: Outside(epsilon) },
        Update::AdaDelta { lr, rho: 0.9, epsilon },
        rms(0.0, false, Inside(epsilon)),
        rms(0.5, true, Inside(epsilon)),
        adam(false),
        adam(true),
        Update::Nadam { of_m: 0.1, of_g: 0.02, beta1: 0.9, beta2: 0.99, epsilon },
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
        assert!(b.update(&Update::Sgd { lr }, &mut w, &g, &mut []).is_err());
        let g = array(&b, [2], 0);
        assert!(b.update(&adam(false), &mut w, &g, &mut [g.clone()]).is_err());
        assert!(b.add_assign(&mut w, &array(&b, [1], 0)).is_err());
    }
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    for b in candles() {
        let a = array(&b, [2, 3], 0);
        assert!(b.upload(vec![1.0], [2].into()).is_err() && b.upload_indices(vec![1], [2].into()).is_err());
        assert!(b.reshape(&a, [5].into()).is_err());
        assert!(b.permute(&a, &[0, 0]).is_err() && b.permute(&a, &[0]).is_err());
        assert!(b.slice(&a, 1, 2, 2).is_err() && b.slice(&a, 2, 0, 0).is_err());
        assert!(b.concat(&[], 0).is_err() && b.concat(&[&a, &array(&b, [3, 3], 0)], 1).is_err());
        assert!(b.sum_to(&a, [2].into()).is_err());
        assert!(b.matmul(&a, false, &a, false).is_err());
        assert!(b.select(&a, &a, &array(&b, [4], 0)).is_err());
    }
}
