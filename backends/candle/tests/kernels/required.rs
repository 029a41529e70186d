//! The required operations, by candle's kernels and by ours, against their definitions.

use crate::{array, assert_close, candles, compare, numbers, permuted};
use elman::Shape;
use elman::backend::{Backend, Map, Zip};
use elman_candle::Candle;

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
fn products_are_cut_without_a_seam() {
    // Seventeen columns, or rows: the last part has a single one, which a library may multiply in another way.
    let op = |b: &Candle| {
        let (wide, high) = (array(b, [16, 10_000], 1), array(b, [10_000, 17], 2));
        [b.matmul(&wide, false, &high, false).unwrap(), b.matmul(&high, true, &wide, true).unwrap()]
    };
    let [_, one, three] = candles();
    let bits = |b: &Candle| -> Vec<Vec<u32>> {
        op(b).iter().map(|a| b.download(a).unwrap().iter().map(|x| x.to_bits()).collect()).collect()
    };
    assert_eq!(bits(&one), bits(&three));
}

#[test]
fn large_arrays_are_cut_without_a_seam() {
    let op = |b: &Candle| {
        let (wide, row) = (array(b, [700, 301], 1), array(b, [301], 2));
        // Whole numbers, whose sum is the same in any order.
        let whole = b.map(Map::Sign, &wide)?;
        Ok(vec![
            b.zip(Zip::Mul, &wide, &row)?,
            b.zip(Zip::Add, &wide, &wide)?,
            b.map(Map::Exp, &wide)?,
            b.sum_to(&whole, [301].into())?,
            b.sum_to(&whole, [700, 1].into())?,
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
