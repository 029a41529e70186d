//! Fused operations against their default bodies, and against definitions and hand calculation.
//!
//! An override may add in another order and round in other places than the default body. With numbers of order 1 and
//! chains of at most ten operations some ten epsilons are right for elementwise ones; sums over n terms get n more.

use crate::common::host::{Host, agree, close, exact};
use elman::backend::activate::{activate, activate_grad};
use elman::backend::{LinearWanted, Zip, bags, linear, norm};
use elman::data::Bags;
use elman::{Activation, Backend, Element, Key, Result};

const ACTIVATIONS: [Activation; 21] = [
    Activation::Linear,
    Activation::Sigmoid,
    Activation::HardSigmoid,
    Activation::HardSigmoidKeras1,
    Activation::Tanh,
    Activation::Relu,
    Activation::LeakyRelu(0.2),
    Activation::Elu(1.5),
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Silu,
    Activation::Softplus,
    Activation::Selu,
    Activation::Celu(0.7),
    Activation::Mish,
    Activation::HardSwish,
    Activation::Softsign,
    Activation::Relu6,
    Activation::LogSigmoid,
    Activation::Softmax,
    Activation::LogSoftmax,
];

/// `x`'s shape and the number of outputs: odd sizes, several leading axes, none, no rows, and one large enough for
/// threads.
const AFFINE: [(&[usize], usize); 10] = [
    (&[1, 1], 1),
    (&[33, 5], 7),
    (&[3, 257], 33),
    (&[2, 3, 5], 1),
    (&[5], 3),
    (&[0, 3], 2),
    (&[2, 1, 3, 4], 5),
    (&[128, 257], 65),
    (&[337, 64], 96),
    (&[1, 300], 46),
];

pub(crate) fn linear_is_its_default<B: Backend>(b: &B) -> Result<()> {
    for (shape, outputs) in AFFINE {
        let inputs = shape[shape.len() - 1];
        let x = Host::random("x", shape).up(b)?;
        let w = Host::random("w", &[inputs, outputs]).up(b)?;
        let bias = Host::random("bias", &[outputs]).up(b)?;
        for bias in [None, Some(&bias)] {
            let slack = inputs as f64 + 10.0;
            agree(b, &b.linear(&x, &w, bias)?, &linear::linear(b, &x, &w, bias)?, slack);
        }
    }
    Ok(())
}

pub(crate) fn linear_is_affine<B: Backend>(b: &B) -> Result<()> {
    let x = Host::new([1.0, 2.0, 3.0, -1.0], &[2, 1, 2]).up(b)?;
    let w = Host::new([1.0, 0.0, 2.0, 10.0, 1.0, 0.0], &[2, 3]).up(b)?;
    let bias = Host::new([0.5, 0.0, -1.0], &[3]).up(b)?;
    exact(b, &b.linear(&x, &w, None)?, &Host::new([21.0, 2.0, 2.0, -7.0, -1.0, 6.0], &[2, 1, 3]));
    exact(b, &b.linear(&x, &w, Some(&bias))?, &Host::new([21.5, 2.0, 1.0, -6.5, -1.0, 5.0], &[2, 1, 3]));
    let dy = Host::new([1.0, 2.0, 3.0, 0.0, 1.0, 0.0], &[2, 1, 3]).up(b)?;
    let [dx, dw, dbias] = b.linear_grad(&x, &w, &dy, LinearWanted::ALL)?;
    let wanted = |part: Option<B::Array>| part.expect("all are wanted");
    exact(b, &wanted(dx), &Host::new([7.0, 12.0, 0.0, 1.0], &[2, 1, 2]));
    exact(b, &wanted(dw), &Host::new([1.0, 5.0, 3.0, 2.0, 3.0, 6.0], &[2, 3]));
    exact(b, &wanted(dbias), &Host::new([1.0, 3.0, 3.0], &[3]));
    Ok(())
}

/// All eight choices of what is wanted.
pub(crate) fn linear_grad_is_its_default<B: Backend>(b: &B) -> Result<()> {
    for (shape, outputs) in AFFINE {
        let (rows, inputs) = (shape[..shape.len() - 1].iter().product::<usize>(), shape[shape.len() - 1]);
        let x = Host::random("x", shape).up(b)?;
        let w = Host::random("w", &[inputs, outputs]).up(b)?;
        let dy = Host::random("dy", &[&shape[..shape.len() - 1], &[outputs]].concat()).up(b)?;
        for choice in 0..8 {
            let wanted = [choice & 1 > 0, choice & 2 > 0, choice & 4 > 0];
            let got = b.linear_grad(&x, &w, &dy, wanted.into())?;
            let want = linear::linear_grad(b, &x, &w, &dy, wanted.into())?;
            for ((got, want), wanted) in got.iter().zip(&want).zip(wanted) {
                assert_eq!(got.is_some(), wanted, "what is wanted is given, and nothing else");
                if let (Some(got), Some(want)) = (got, want) {
                    agree(b, got, want, (rows + outputs) as f64 + 10.0);
                }
            }
        }
    }
    Ok(())
}

/// Sequences, steps, inputs and outputs, and the steps that count of a sequence by its number: padding on the left, on the
/// right, holes, everything and nothing; too few runs for products of their own, and enough of them for threads.
type Counts = fn(usize, usize) -> bool;
const STEPS: [([usize; 4], Counts); 7] = [
    ([1, 1, 3, 2], |_, _| true),
    ([5, 9, 4, 7], |_, _| false),
    ([3, 17, 5, 33], |row, t| t > row * 4),
    ([33, 40, 20, 70], |row, t| t >= row),
    ([33, 40, 33, 17], |row, t| t < 40 - row),
    ([16, 80, 64, 130], |row, t| !(row..row + 9).contains(&t)),
    ([40, 30, 24, 96], |row, t| row % 3 > 0 && t % 15 > 2),
];

pub(crate) fn linear_steps_is_its_default<B: Backend>(b: &B) -> Result<()> {
    for ([n, t, inputs, outputs], counts) in STEPS {
        let there = |at: &[usize]| f64::from(u8::from(counts(at[0], at[1])));
        let (mask, over) = (Host::build(&[n, t], there).up(b)?, Host::build(&[n, t, 1], there).up(b)?);
        // Whatever comes out at the other steps, nothing may read it.
        let cleared = |a: &B::Array| b.zip(Zip::Mul, a, &over);
        let (x, w) = (Host::random("x", &[n, t, inputs]).up(b)?, Host::random("w", &[inputs, outputs]).up(b)?);
        let (bias, dy) = (Host::random("bias", &[outputs]).up(b)?, Host::random("dy", &[n, t, outputs]).up(b)?);
        for bias in [None, Some(&bias)] {
            let (got, want) = (b.linear_steps(&x, &w, bias, &mask)?, linear::linear(b, &x, &w, bias)?);
            agree(b, &cleared(&got)?, &cleared(&want)?, inputs as f64 + 10.0);
        }
        let dy = cleared(&dy)?;
        let got = b.linear_steps_grad(&x, &w, &dy, &mask, LinearWanted::ALL)?;
        let want = linear::linear_grad(b, &x, &w, &dy, LinearWanted::ALL)?;
        for (got, want) in got.iter().flatten().zip(want.iter().flatten()) {
            agree(b, got, want, (n * t + outputs) as f64 + 10.0);
        }
        assert!(b.linear_steps_grad(&x, &w, &dy, &mask, LinearWanted::NONE)?.iter().all(Option::is_none));
    }
    Ok(())
}

/// Bags without values and with them, empty ones among them, of all and of few words.
fn some_bags() -> Result<Vec<Bags>> {
    let word = |row: u64, i: u64, width| Key::new(4).fold(row).below(i, width) as u32;
    let of = |rows: u64, most: usize, width: usize| {
        let words = move |row| (0..Key::new(9).below(row, most + 1) as u64).map(move |i| word(row, i, width));
        let value = move |row, i| (Key::new(5).fold(row).uniform(i) - 0.5) as f32;
        let valued = move |row| words(row).zip(0..).map(move |(word, i)| (word, value(row, i))).collect::<Vec<_>>();
        Ok([
            Bags::binary((0..rows).map(|row| words(row).collect::<Vec<_>>()), width)?,
            Bags::with_values((0..rows).map(valued), width)?,
        ])
    };
    // The last two: words in many bags, and bags of many words.
    let kinds = [of(1, 1, 1), of(5, 9, 33), of(33, 40, 257), of(7, 0, 5), of(300, 4, 3), of(3, 400, 5000)];
    Ok(kinds.into_iter().collect::<Result<Vec<[Bags; 2]>>>()?.into_iter().flatten().collect())
}

pub(crate) fn bag_linear_is_its_default<B: Backend>(b: &B) -> Result<()> {
    for (x, outputs) in some_bags()?.iter().flat_map(|x| [1, 7, 33].map(|outputs| (x, outputs))) {
        let w = Host::random("w", &[x.width(), outputs]).up(b)?;
        let bias = Host::random("bias", &[outputs]).up(b)?;
        let dy = Host::random("dy", &[x.len(), outputs]).up(b)?;
        for bias in [None, Some(&bias)] {
            agree(b, &b.bag_linear(x, &w, bias)?, &bags::bag_linear(b, x, &w, bias)?, 50.0);
        }
        agree(b, &b.bag_linear_grad(x, &dy)?, &bags::bag_linear_grad(b, x, &dy)?, 50.0);
    }
    Ok(())
}

pub(crate) fn bag_linear_is_the_dense_product<B: Backend>(b: &B) -> Result<()> {
    for x in some_bags()? {
        let dense = x.to_dense().into_iter().map(f64::from).collect::<Vec<_>>();
        let dense = Host::new(dense, &[x.len(), x.width()]).up(b)?;
        exact(b, &bags::dense(b, &x)?, &Host::down(b, &dense)?);
        let w = Host::random("w", &[x.width(), 5]).up(b)?;
        let dy = Host::random("dy", &[x.len(), 5]).up(b)?;
        agree(b, &b.bag_linear(&x, &w, None)?, &b.matmul(&dense, false, &w, false)?, 50.0);
        agree(b, &b.bag_linear_grad(&x, &dy)?, &b.matmul(&dense, true, &dy, false)?, 50.0);
    }
    // By hand: words 0 and 2; word 1 twice over; nothing.
    let x = Bags::with_values([vec![(0, 1.0), (2, 0.5)], vec![(1, 2.0)], vec![]], 3)?;
    let w = Host::new([1.0, 2.0, 3.0, 4.0, 6.0, 8.0], &[3, 2]).up(b)?;
    let bias = Host::new([10.0, 20.0], &[2]).up(b)?;
    exact(b, &b.bag_linear(&x, &w, Some(&bias))?, &Host::new([14.0, 26.0, 16.0, 28.0, 10.0, 20.0], &[3, 2]));
    let dy = Host::new([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[3, 2]).up(b)?;
    exact(b, &b.bag_linear_grad(&x, &dy)?, &Host::new([1.0, 2.0, 6.0, 8.0, 0.5, 1.0], &[3, 2]));
    Ok(())
}

/// Inputs for activations: ordinary numbers at odd sizes, and numbers far out where functions saturate.
fn inputs() -> Vec<Host> {
    let mut inputs: Vec<Host> = [&[1][..], &[33], &[5, 257], &[2, 3, 1]].map(|shape| Host::random("x", shape)).to_vec();
    inputs.push(Host::random("far", &[4, 33]).map(|x| x * 30.0));
    inputs.push(Host::new([-200.0, -60.0, 60.0, 200.0, 0.0, 0.5], &[2, 3]));
    inputs
}

/// Saturated values are differences of numbers near 1, so that an epsilon of those stays where little is left.
pub(crate) fn activations_are_their_defaults<B: Backend>(b: &B) -> Result<()> {
    for (f, host) in ACTIVATIONS.into_iter().flat_map(|f| inputs().into_iter().map(move |x| (f, x))) {
        println!("{f} of {:?}", host.shape);
        let x = host.up(b)?;
        let y = activate(b, f, &x)?;
        agree(b, &b.activate(f, &x)?, &y, 16.0);
        let dy = Host::random("dy", &host.shape).up(b)?;
        let slack = if f.is_elementwise() { 16.0 } else { 300.0 };
        agree(b, &b.activate_grad(f, &x, &y, &dy)?, &activate_grad(b, f, &x, &y, &dy)?, slack);
    }
    // Nothing in, nothing out.
    let none = b.fill([0, 3].into(), 0.0)?;
    for f in ACTIVATIONS {
        exact(b, &b.activate(f, &none)?, &Host::new([], &[0, 3]));
        exact(b, &b.activate_grad(f, &none, &none, &none)?, &Host::new([], &[0, 3]));
    }
    Ok(())
}

/// Against the definitions on one element, in `f64`. Chains of `f32` operations far out (30 times 2, cubed) lose some
/// digits.
pub(crate) fn activations_are_their_definitions<B: Backend>(b: &B) -> Result<()> {
    for (f, host) in ACTIVATIONS.into_iter().flat_map(|f| inputs().into_iter().map(move |x| (f, x))) {
        if f.is_elementwise() {
            println!("{f} of {:?}", host.shape);
            let (x, want) = (host.up(b)?, host.map(|x| f.value(x)));
            close(b, &b.activate(f, &x)?, &want, 64.0);
            let (y, dy) = (want.up(b)?, b.fill(b.shape(&x), 1.0)?);
            close(b, &b.activate_grad(f, &x, &y, &dy)?, &host.map(|x| f.slope(x, f.value(x))), 64.0);
        }
    }
    // At the kinks the slope is that from the left.
    let zero = b.fill([1].into(), 0.0)?;
    let one = b.fill([1].into(), 1.0)?;
    for (f, slope) in [(Activation::Relu, 0.0), (Activation::LeakyRelu(0.25), 0.25), (Activation::Elu(1.5), 1.5)] {
        exact(b, &b.activate_grad(f, &zero, &zero, &one)?, &Host::new([slope], &[1]));
    }
    Ok(())
}

pub(crate) fn softmaxes_are_their_defaults<B: Backend>(b: &B) -> Result<()> {
    for host in inputs() {
        let (x, dy) = (host.up(b)?, Host::random("dy", &host.shape).up(b)?);
        let (y, log) = (norm::softmax(b, &x)?, norm::log_softmax(b, &x)?);
        agree(b, &b.softmax(&x)?, &y, 32.0);
        agree(b, &b.log_softmax(&x)?, &log, 32.0);
        // Sums of up to 257 numbers of order 1.
        agree(b, &b.softmax_grad(&y, &dy)?, &norm::softmax_grad(b, &y, &dy)?, 300.0);
        agree(b, &b.log_softmax_grad(&log, &dy)?, &norm::log_softmax_grad(b, &log, &dy)?, 300.0);
        // The definition, in f64.
        let width = host.shape[host.shape.len() - 1];
        let mut want = host.clone();
        for row in want.data.chunks_mut(width) {
            let total: f64 = row.iter().map(|x| x.exp()).sum();
            row.iter_mut().for_each(|x| *x = x.exp() / total);
        }
        close(b, &y, &want, 300.0);
        close(b, &b.map(elman::backend::Map::Exp, &log)?, &want, 300.0);
    }
    Ok(())
}

pub(crate) fn softmax_of_extremes_is_finite<B: Backend>(b: &B) -> Result<()> {
    let x = Host::new([1e30, 0.0, -1e30, -1e30, -1e30, -1e30], &[2, 3]).up(b)?;
    let third = 1.0 / 3.0;
    close(b, &b.softmax(&x)?, &Host::new([1.0, 0.0, 0.0, third, third, third], &[2, 3]), 2.0);
    let log = Host::down(b, &b.log_softmax(&x)?)?;
    assert!(log.data.iter().all(|x| x.is_finite() && *x <= 0.0), "{:?}", log.data);
    Ok(())
}

const RATES: [f64; 6] = [0.0, 0.1, 0.25, 0.5, 0.9, 0.999];

pub(crate) fn dropout_is_its_default<B: Backend>(b: &B) -> Result<()> {
    for (shape, rate) in [&[1][..], &[33], &[5, 257], &[0, 3], &[]].into_iter().flat_map(|s| RATES.map(|r| (s, r))) {
        let (x, key) = (Host::random("x", shape).up(b)?, Key::new(8).named("dropout").fold(3));
        // One product with one constant: not a bit apart.
        agree(b, &b.dropout(&x, rate, key)?, &norm::dropout(b, &x, rate, key)?, 0.0);
    }
    Ok(())
}

/// Element `i` is dropped exactly where draw `i` is below the threshold.
pub(crate) fn dropout_follows_the_key<B: Backend>(b: &B) -> Result<()> {
    for (count, rate) in [1, 2, 3, 4, 5, 257, 10_001].into_iter().flat_map(|n| RATES.map(|rate| (n, rate))) {
        let key = Key::new(6).fold(count as u64);
        let y = b.download(&b.dropout(&b.fill([count].into(), 1.0)?, rate, key)?)?;
        let scale = B::Elem::from_f64(1.0 / (1.0 - rate));
        for (i, &y) in y.iter().enumerate() {
            let dropped = f64::from(key.bits(i as u64)) < (rate * 2f64.powi(32)).floor();
            assert_eq!(y, if dropped { B::Elem::ZERO } else { scale }, "element {i} at rate {rate}");
        }
    }
    Ok(())
}
