//! Operations on single elements and on pairs of them, with broadcasting.

use crate::common::host::{Host, close, exact, refused};
use elman::backend::{Map, Zip};
use elman::{Backend, Element, Result};

const MAPS: [Map; 18] = [
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
    Map::Affine(-1.5, 0.25),
    Map::Clamp(-0.5, 1.0),
    Map::Step,
];

const ZIPS: [Zip; 9] =
    [Zip::Add, Zip::Sub, Zip::Mul, Zip::Div, Zip::Max, Zip::Min, Zip::Equal, Zip::Less, Zip::Greater];

/// Pairs of shapes that broadcast together: equal ones, scalars, rows, columns, outer products, missing and empty axes.
const PAIRS: [(&[usize], &[usize]); 17] = [
    (&[], &[]),
    (&[], &[3]),
    (&[33], &[1]),
    (&[257], &[257]),
    (&[5, 33], &[5, 33]),
    (&[5, 33], &[33]),
    (&[5, 33], &[5, 1]),
    (&[5, 1], &[1, 33]),
    (&[5, 1], &[7]),
    (&[1, 1, 1], &[2, 3]),
    (&[2, 1, 3], &[4, 1]),
    (&[2, 5, 3], &[2, 1, 3]),
    (&[2, 3, 1, 5], &[3, 4, 1]),
    (&[4, 1, 1], &[4, 3, 2]),
    (&[0, 3], &[3]),
    (&[0, 1], &[1, 5]),
    (&[2, 0], &[2, 1]),
];

/// Every operation on random, special and extreme numbers, against `Map::apply` in the backend's own type.
///
/// Libraries of functions differ in the last bits: most promise one unit in the last place, vectorised ones up to
/// four, and the sum of `1 + |y|` and four such units leaves eight epsilons.
pub(crate) fn map_follows_its_definition<B: Backend>(b: &B) -> Result<()> {
    let special = [0.0, 1.0, -1.0, 1e-4, -1e-4, 30.0, -30.0, 200.0, -200.0, f64::INFINITY, f64::NEG_INFINITY];
    let mut inputs: Vec<Host> = [0, 1, 33, 257].map(|n| Host::random("map", &[n])).to_vec();
    inputs.push(Host::new(special, &[special.len()]));
    for (op, x) in MAPS.iter().flat_map(|op| inputs.iter().map(move |x| (op, x))) {
        let want = x.map(|x| op.apply(B::Elem::from_f64(x)).to_f64());
        close(b, &b.map(*op, &x.up(b)?)?, &want, 8.0);
    }
    Ok(())
}

/// The definitions themselves, against tables.
pub(crate) fn map_agrees_with_the_tables<B: Backend>(b: &B) -> Result<()> {
    let table = [
        (Map::Neg, 1.5, -1.5),
        (Map::Abs, -1.5, 1.5),
        (Map::Sign, -1.5, -1.0),
        (Map::Sign, 0.0, 0.0),
        (Map::Exp, 1.0, std::f64::consts::E),
        (Map::ExpM1, 9.765625e-4, 9.770_394_924_165_4e-4),
        (Map::Ln, 2.0, std::f64::consts::LN_2),
        (Map::Ln1p, 9.765625e-4, 9.760_859_730_554_6e-4),
        (Map::Sqrt, 2.0, std::f64::consts::SQRT_2),
        (Map::Square, -1.5, 2.25),
        (Map::Recip, -4.0, -0.25),
        (Map::Pow(3.0), -2.0, -8.0),
        (Map::Tanh, 0.5, 0.462_117_157_260_009_8),
        (Map::Sigmoid, 0.5, 0.622_459_331_201_854_6),
        (Map::Sigmoid, -40.0, 4.248_354_255_291_589e-18),
        (Map::Erf, 1.0, 0.842_700_792_949_714_9),
        (Map::Affine(2.0, -1.0), 3.0, 5.0),
        (Map::Clamp(-0.5, 1.0), 3.0, 1.0),
        (Map::Clamp(-0.5, 1.0), -3.0, -0.5),
        (Map::Step, 1e-30, 1.0),
        (Map::Step, 0.0, 0.0),
        (Map::Step, -1.0, 0.0),
    ];
    for (op, x, want) in table {
        let got = Host::down(b, &b.map(op, &Host::new([x], &[1]).up(b)?)?)?.data[0];
        // The tables have ten digits where they matter, f32 has six.
        let digits = if B::Elem::NAME == "f32" { 1e-6 } else { 1e-10 };
        assert!((got - want).abs() <= digits * want.abs(), "{op:?} of {x} is {got}, expected {want}");
    }
    Ok(())
}

pub(crate) fn map_lets_nan_through<B: Backend>(b: &B) -> Result<()> {
    // Long enough for a vectorised part and a rest.
    let x = Host::build(&[19], |at| if at[0] % 2 == 0 { f64::NAN } else { 0.5 }).up(b)?;
    for op in MAPS {
        let y = Host::down(b, &b.map(op, &x)?)?;
        for (i, y) in y.data.iter().enumerate() {
            // A comparison is false for NaN.
            assert_eq!(y.is_nan(), i % 2 == 0 && op != Map::Step, "{op:?} at {i} gave {y}");
        }
    }
    Ok(())
}

/// Every operation in every way of broadcasting and either order, to the bit: each is one IEEE operation.
pub(crate) fn zip_follows_its_definition<B: Backend>(b: &B) -> Result<()> {
    for (left, right) in PAIRS.into_iter().flat_map(|(x, y)| [(x, y), (y, x)]) {
        // Whole numbers over four, so that some are equal.
        let coarse = |x: f64| (x * 4.0).round() / 4.0;
        let (x, y) = (Host::random("left", left).map(coarse), Host::random("right", right).map(coarse));
        // The shape, worked out without `Shape`.
        let rank = left.len().max(right.len());
        let sizes = |s: &[usize]| [&vec![1; rank - s.len()][..], s].concat();
        let shape: Vec<usize> =
            sizes(left).iter().zip(sizes(right)).map(|(&a, b)| if a == 1 { b } else { a }).collect();
        for op in ZIPS {
            let e = B::Elem::from_f64;
            let want = |at: &[usize]| op.apply(e(x.stretched_at(at)), e(y.stretched_at(at))).to_f64();
            exact(b, &b.zip(op, &x.up(b)?, &y.up(b)?)?, &Host::build(&shape, want));
        }
    }
    let two = |b: &B| Host::new([1.0, 2.0], &[2]).up(b);
    exact(b, &b.zip(Zip::Sub, &two(b)?, &Host::new([3.0, 5.0], &[2]).up(b)?)?, &Host::new([-2.0, -3.0], &[2]));
    refused(b.zip(Zip::Add, &two(b)?, &b.fill([3].into(), 0.0)?), "2 and 3 do not broadcast");
    Ok(())
}

pub(crate) fn zip_lets_nan_through<B: Backend>(b: &B) -> Result<()> {
    let (nan, one) = (b.fill([9].into(), f64::NAN)?, b.fill([9].into(), 1.0)?);
    for op in [Zip::Add, Zip::Sub, Zip::Mul, Zip::Div, Zip::Max, Zip::Min] {
        for (x, y) in [(&nan, &one), (&one, &nan), (&nan, &nan)] {
            assert!(Host::down(b, &b.zip(op, x, y)?)?.data.iter().all(|z| z.is_nan()), "{op:?} swallows NaN");
        }
    }
    Ok(())
}

pub(crate) fn comparisons_are_false_for_nan<B: Backend>(b: &B) -> Result<()> {
    let (nan, one) = (b.fill([9].into(), f64::NAN)?, b.fill([9].into(), 1.0)?);
    for op in [Zip::Equal, Zip::Less, Zip::Greater] {
        for (x, y) in [(&nan, &one), (&one, &nan), (&nan, &nan)] {
            exact(b, &b.zip(op, x, y)?, &Host::new([0.0; 9], &[9]));
        }
    }
    Ok(())
}

pub(crate) fn select_chooses<B: Backend>(b: &B) -> Result<()> {
    let shapes: [[&[usize]; 4]; 8] = [
        [&[33], &[33], &[33], &[33]],
        [&[5, 1], &[5, 7], &[5, 7], &[5, 7]],
        [&[7], &[5, 1], &[], &[5, 7]],
        [&[5, 7], &[], &[7], &[5, 7]],
        [&[2, 1, 3], &[4, 1], &[2, 1, 1], &[2, 4, 3]],
        [&[1], &[257], &[257], &[257]],
        [&[0, 3], &[3], &[1], &[0, 3]],
        [&[], &[], &[], &[]],
    ];
    for [m, l, r, shape] in shapes {
        // Any number but 0 counts as chosen.
        let mask = Host::random("mask", m).map(|x| if x < 0.0 { 0.0 } else { x });
        let (x, y) = (Host::random("x", l), Host::random("y", r));
        let want = |at: &[usize]| if mask.stretched_at(at) == 0.0 { y.stretched_at(at) } else { x.stretched_at(at) };
        exact(b, &b.select(&mask.up(b)?, &x.up(b)?, &y.up(b)?)?, &Host::build(shape, want));
    }
    Ok(())
}

pub(crate) fn what_is_not_selected_has_no_influence<B: Backend>(b: &B) -> Result<()> {
    let mask = Host::new([1.0, 0.0, -0.5], &[3]).up(b)?;
    for bad in [f64::NAN, f64::INFINITY] {
        let (x, y) = (Host::new([1.0, bad, 3.0], &[3]), Host::new([bad, 2.0, bad], &[3]));
        exact(b, &b.select(&mask, &x.up(b)?, &y.up(b)?)?, &Host::new([1.0, 2.0, 3.0], &[3]));
    }
    Ok(())
}
