//! Long sums and their means, and rows without deviation.
//!
//! A sum of a quarter of a million numbers in one running `f32` misses by some four parts in a thousand, each addition being
//! rounded to the sum's last place. By parts (blocks, halves) it misses by less than one in a hundred thousand, which is what
//! is asked for here of every sum that an operation makes.

use crate::common::host::{Host, epsilon, exact};
use elman::backend::recurrent::{Sequence, Upstream};
use elman::backend::{Cell, LayerNormWanted, LinearWanted, RecurrentWanted};
use elman::data::Bags;
use elman::tensor::Axis;
use elman::{Activation, Backend, Element, Result, Shape, Tensor};

/// How many numbers are added up: of no round number, so that blocks have a rest.
const MANY: usize = 262_147;

/// All numbers are `want`, to a hundred thousandth.
#[track_caller]
fn all_near<B: Backend>(b: &B, what: &str, got: &B::Array, want: f64) -> Result<()> {
    for got in Host::down(b, got)?.data {
        assert!((got - want).abs() <= 1e-5 * want.abs(), "{what}: {got}, expected {want}");
    }
    Ok(())
}

/// 0.1 as the backend holds it.
fn tenth<B: Backend>() -> f64 {
    B::Elem::from_f64(0.1).to_f64()
}

/// The last axis, leading ones, one between, several, all of them.
pub(crate) fn sums_of_many_are_accurate<B: Backend>(b: &B) -> Result<()> {
    let total = tenth::<B>() * MANY as f64;
    let shapes: [(&[usize], &[usize], f64); 9] = [
        (&[MANY], &[], 1.0),
        (&[2, MANY], &[2, 1], 1.0),
        (&[MANY, 1], &[1], 1.0),
        (&[MANY, 3], &[3], 1.0),
        (&[MANY, 3], &[], 3.0),
        (&[2, MANY, 3], &[2, 1, 3], 1.0),
        (&[MANY, 2, 2], &[2, 1], 2.0),
        (&[2, MANY, 2], &[1, 2], 2.0),
        (&[3, 1, MANY], &[1, 1, 1], 3.0),
    ];
    for (from, to, times) in shapes {
        let x = b.fill(Shape::new(from)?, 0.1)?;
        all_near(b, &format!("{from:?} to {to:?}"), &b.sum_to(&x, Shape::new(to)?)?, total * times)?;
    }
    Ok(())
}

/// Rows that are added to one of few, and bags of words: one that all bags have, and bags of very many words.
pub(crate) fn sums_by_index_are_accurate<B: Backend>(b: &B) -> Result<()> {
    let total = tenth::<B>() * MANY as f64;
    let values = b.fill([MANY, 2].into(), 0.1)?;
    let rows = b.upload_indices(vec![1; MANY], [MANY].into())?;
    let sums = b.scatter_add(&values, &rows, 2)?;
    all_near(b, "the row that all are added to", &b.slice(&sums, 0, 1, 1)?, total)?;
    exact(b, &b.slice(&sums, 0, 0, 1)?, &Host::new([0.0, 0.0], &[1, 2]));

    let everybody = Bags::binary((0..MANY).map(|_| [0]), 2)?;
    let sums = b.bag_linear_grad(&everybody, &values)?;
    all_near(b, "a word of all bags", &b.slice(&sums, 0, 0, 1)?, total)?;
    let everything = Bags::with_values([(0..MANY as u32).map(|word| (word, 1.0)).collect::<Vec<_>>()], MANY)?;
    all_near(b, "a bag of all words", &b.bag_linear(&everything, &values, None)?, total)
}

/// Gradients that are sums over all rows: of a kernel, of a bias, of the weights of layer normalisation, of a recurrent
/// network's weights.
pub(crate) fn gradients_of_many_rows_are_accurate<B: Backend>(b: &B) -> Result<()> {
    let total = tenth::<B>() * MANY as f64;
    let (ones, slopes) = (b.fill([MANY, 1].into(), 1.0)?, b.fill([MANY, 2].into(), 0.1)?);
    let w = b.fill([1, 2].into(), 0.5)?;
    let [_, dw, db] =
        b.linear_grad(&ones, &w, &slopes, LinearWanted { kernel: true, bias: true, ..LinearWanted::NONE })?;
    all_near(b, "a kernel", &dw.expect("wanted"), total)?;
    all_near(b, "a bias", &db.expect("wanted"), total)?;
    all_near(b, "a product", &b.matmul(&ones, true, &slopes, false)?, total)?;

    // Rows [-1, 1], of deviation 1 but for what is added to it.
    let x = b.concat(&[&b.fill([MANY, 1].into(), -1.0)?, &ones], 1)?;
    let gamma = b.fill([2].into(), 1.0)?;
    let [_, dgamma, dbeta] = b.layer_norm_grad(
        &x,
        &gamma,
        1e-3,
        &slopes,
        LayerNormWanted { gamma: true, beta: true, ..LayerNormWanted::NONE },
    )?;
    let n = total / 1.001f64.sqrt();
    let dgamma = Host::down(b, &dgamma.expect("wanted"))?;
    assert!((dgamma.data[0] / -n - 1.0).abs() < 1e-5 && (dgamma.data[1] / n - 1.0).abs() < 1e-5, "{dgamma:?}");
    all_near(b, "the shift of layer normalisation", &dbeta.expect("wanted"), total)?;

    // An Elman network of one step, linear, with a first state of 1: its recurrent weights get the sum too. A GRU has a bias.
    let (n, state) = (MANY, b.fill([MANY, 1].into(), 1.0)?);
    let dh = b.fill([n, 1].into(), 0.1)?;
    let d = Upstream { outputs: None, h: Some(&dh), c: None };
    let elman = Cell::Elman { activation: Activation::Linear };
    let (z, u) = (b.fill([n, 1, 1].into(), 1.0)?, b.fill([1, 1].into(), 0.5)?);
    let (bias, c, mask, dropout) = (None, None, None, None);
    let x = Sequence {
        z: &z,
        u: &u,
        bias,
        h: Some(&state),
        c,
        mask,
        dropout,
        reverse: false,
        outputs: false,
        gradient: true,
    };
    let y = b.recurrent(elman, &x)?;
    let [_, du, ..] = b.recurrent_grad(elman, &x, &y, &d, RecurrentWanted { u: true, ..RecurrentWanted::NONE })?;
    all_near(b, "recurrent weights", &du.expect("wanted"), total)?;
    // Gates of hard sigmoids far out are 0 and 1: the update gate lets all of the candidate through.
    let gru = Cell::Gru { gates: Activation::HardSigmoid, activation: Activation::Linear, reset_after: true };
    let gates = [b.fill([n, 1, 1].into(), -9.0)?, b.fill([n, 1, 1].into(), 9.0)?, z.clone()];
    let (z, u) = (b.concat(&gates.each_ref(), 2)?, b.fill([1, 3].into(), 0.0)?);
    let bias = b.fill([3].into(), 0.0)?;
    let x = Sequence { z: &z, u: &u, bias: Some(&bias), ..x };
    let y = b.recurrent(gru, &x)?;
    let [_, _, dbias, ..] =
        b.recurrent_grad(gru, &x, &y, &d, RecurrentWanted { bias: true, ..RecurrentWanted::NONE })?;
    all_near(b, "a recurrent bias", &b.slice(&dbias.expect("wanted"), 0, 2, 1)?, total)
}

/// A mean is a sum divided by a count: seven times 1e5 have a mean of 1e5, to the last bit, for seven of them fit the `f32`'s
/// digits. A product with 1/7 gives another number.
pub(crate) fn means_are_quotients<B: Backend>(b: &B) -> Result<()> {
    for n in [3, 5, 7, 11, 49] {
        let x = Tensor::full(b, &[n, n], 1e5)?.into_variable();
        exact(b, x.mean_along(Axis::Drop(0))?.value(), &Host::new(vec![1e5; n], &[n]));
        exact(b, x.mean_along(Axis::Keep(1))?.value(), &Host::new(vec![1e5; n], &[n, 1]));
        let row = Tensor::full(b, &[n], 1e5)?.into_variable();
        exact(b, row.mean()?.value(), &Host::new([1e5], &[]));
        // So is its gradient.
        let slope = B::Elem::ONE / B::Elem::from_f64(n as f64);
        let gradients = row.mean()?.backward()?;
        exact(b, gradients.of(&row).expect("there").value(), &Host::new(vec![slope.to_f64(); n], &[n]));
    }
    Ok(())
}

/// A row of one number throughout has no deviation: its normalised row is 0 to the last bit, whatever the number and however
/// many there are, and so are its part in γ's gradient and, if all upstream is alike, in x's.
pub(crate) fn constant_rows_have_no_deviation<B: Backend>(b: &B) -> Result<()> {
    for width in [1, 3, 7, 33, 257, 1500] {
        let values = [1e5, 0.1, -12_345.678, 3e7, 1e-3, 0.0];
        let x = Host::build(&[values.len(), width], |at| values[at[0]]).up(b)?;
        let gamma = Host::random("gamma", &[width]);
        let beta = Host::random("beta", &[width]);
        let y = b.layer_norm(&x, &gamma.up(b)?, &beta.up(b)?, 1e-3)?;
        exact(b, &y, &Host::build(&[values.len(), width], |at| beta.data[at[1]]));
        let dy = Host::random("dy", &[values.len(), width]).up(b)?;
        let [_, dgamma, _] =
            b.layer_norm_grad(&x, &gamma.up(b)?, 1e-3, &dy, LayerNormWanted { gamma: true, ..LayerNormWanted::NONE })?;
        exact(b, &dgamma.expect("wanted"), &Host::new(vec![0.0; width], &[width]));
    }
    Ok(())
}

/// Far from 0 the deviations are those of the numbers as they are held, which is what the definition in `f64` gives; and one
/// that stands out in front spoils no other.
pub(crate) fn deviations_survive_far_away<B: Backend>(b: &B) -> Result<()> {
    const WIDTH: usize = 129;
    for far in [1e5, -3e6, 0.0] {
        let noise = Host::random("noise", &[5, WIDTH]);
        let front = |at: &[usize]| if far == 0.0 && at[1] == 0 { 1e4 } else { noise.at(at) + far };
        let x = Host::build(&[5, WIDTH], front).up(b)?;
        let mut want = Host::down(b, &x)?;
        for row in want.data.chunks_mut(WIDTH) {
            // Exact differences first, for this sum has to be right to the last bits too.
            let first = row[1];
            let mean = row.iter().map(|x| x - first).sum::<f64>() / WIDTH as f64;
            let variance = row.iter().map(|x| (x - first - mean) * (x - first - mean)).sum::<f64>() / WIDTH as f64;
            row.iter_mut().for_each(|x| *x = (*x - first - mean) / (variance + 1e-3).sqrt());
        }
        let y = b.layer_norm(&x, &b.fill([WIDTH].into(), 1.0)?, &b.fill([WIDTH].into(), 0.0)?, 1e-3)?;
        for (got, want) in Host::down(b, &y)?.data.iter().zip(&want.data) {
            // Some ten roundings of numbers of the deviation's order, and the greatest is eleven deviations away.
            let allowed = 100.0 * epsilon::<B::Elem>();
            assert!((got - want).abs() <= allowed, "{got}, expected {want} at {far}");
        }
    }
    Ok(())
}
