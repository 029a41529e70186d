//! What lies at the ends of the range: infinite numbers, numbers whose difference is infinite, and NaN where nothing counts.
//!
//! A product with 0 does not keep such a number out; a selection does. So whatever has a weight of 0 is left out here by
//! name: a class that cannot be, a row without a gradient, a step that a mask leaves out, what dropout drops.

use super::recurrent::{COMMON, Case, MASKS, OTHERS, same};
use crate::common::host::{Host, close, exact};
use elman::backend::recurrent::{Projected, Sequence, Upstream};
use elman::backend::{Cell, LinearWanted, Map, ProjectedWanted, RecurrentWanted, Zip};
use elman::{Activation, Backend, Key, Result};

const INF: f64 = f64::INFINITY;
/// Twice that is infinite in `f32`.
const FAR: f64 = 3e38;

/// Classes that cannot be (of a logit of -∞, or so far below that the difference overflows) cost nothing as long as they are
/// not the target. By hand: two classes of equal logits have probabilities 1/2.
pub(crate) fn impossible_classes_cost_nothing<B: Backend>(b: &B) -> Result<()> {
    let host = Host::new([-INF, 0.0, 0.0, FAR, 0.0, -FAR, -INF, -FAR, 5.0], &[3, 3]);
    let (z, two) = (host.up(b)?, b.fill([3].into(), 2.0)?);
    let labels = b.upload_indices(vec![1, 0, 2], [3].into())?;
    let half = 2f64.ln();
    let (values, slopes) = ([half, 0.0, 0.0], [0.0, -1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    close(b, &b.sparse_cross_entropy(&z, &labels, 0.0)?, &Host::new(values, &[3]), 2.0);
    close(b, &b.sparse_cross_entropy_grad(&z, &labels, 0.0, &two)?, &Host::new(slopes, &[3, 3]), 2.0);
    let hot = b.one_hot(&labels, 3)?;
    close(b, &b.cross_entropy(&z, &hot)?, &Host::new(values, &[3]), 2.0);
    close(b, &b.cross_entropy_grad(&z, &hot, &two)?, &Host::new(slopes, &[3, 3]), 2.0);
    // A distribution over what can be.
    let soft = Host::new([0.0, 0.25, 0.75, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0], &[3, 3]).up(b)?;
    close(b, &b.cross_entropy(&z, &soft)?, &Host::new(values, &[3]), 2.0);
    let slopes = [0.0, 0.5, -0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    close(b, &b.cross_entropy_grad(&z, &soft, &two)?, &Host::new(slopes, &[3, 3]), 2.0);
    // The target itself cannot be: infinitely wrong, and the slopes still say where to go.
    let labels = b.upload_indices(vec![0], [1].into())?;
    let z = Host::new([-INF, 0.0, 0.0], &[1, 3]).up(b)?;
    exact(b, &b.sparse_cross_entropy(&z, &labels, 0.0)?, &Host::new([INF], &[1]));
    exact(b, &b.cross_entropy(&z, &b.one_hot(&labels, 3)?)?, &Host::new([INF], &[1]));
    exact(b, &b.sparse_cross_entropy(&z, &labels, 0.2)?, &Host::new([INF], &[1]));
    // What is moved to all classes alike goes to those that can be: 9/10 and 1/10 of two with odds 3 to 1, and what stands beside them
    // changes nothing.
    let (three, four) = (3f64.ln(), 4f64.ln());
    let z = Host::new([-INF, three, 0.0, -INF, -INF], &[1, 5]).up(b)?;
    let want = 0.9 * (four - three) + 0.1 * four;
    close(b, &b.sparse_cross_entropy(&z, &b.upload_indices(vec![1], [1].into())?, 0.2)?, &Host::new([want], &[1]), 4.0);
    let two = b.fill([1].into(), 2.0)?;
    let slopes = b.sparse_cross_entropy_grad(&z, &b.upload_indices(vec![1], [1].into())?, 0.2, &two)?;
    close(b, &slopes, &Host::new([0.0, -0.3, 0.3, 0.0, 0.0], &[1, 5]), 4.0);
    Ok(())
}

pub(crate) fn binary_cross_entropy_at_the_ends<B: Backend>(b: &B) -> Result<()> {
    for far in [FAR, INF] {
        let z = Host::new([far, -far, far, -far, far, -far], &[6]).up(b)?;
        let t = Host::new([1.0, 0.0, 0.0, 1.0, 0.5, 0.5], &[6]).up(b)?;
        // Of FAR as the backend holds it.
        let one = Host::down(b, &z)?.data[0];
        let want = Host::new([0.0, 0.0, one, one, one / 2.0, one / 2.0], &[6]);
        close(b, &b.binary_cross_entropy(&z, &t)?, &want, 2.0);
        let slopes = b.binary_cross_entropy_grad(&z, &t, &b.fill([6].into(), 2.0)?)?;
        exact(b, &slopes, &Host::new([0.0, 0.0, 2.0, -2.0, 1.0, -1.0], &[6]));
    }
    Ok(())
}

pub(crate) fn softmaxes_at_the_ends<B: Backend>(b: &B) -> Result<()> {
    let z = Host::new([-INF, 0.0, 0.0, FAR, 0.0, -FAR], &[2, 3]).up(b)?;
    let far = Host::down(b, &z)?.data[3];
    let (half, dy) = (2f64.ln(), Host::new([3.0, 1.0, 2.0, 5.0, -1.0, 4.0], &[2, 3]).up(b)?);
    let y = b.softmax(&z)?;
    close(b, &y, &Host::new([0.0, 0.5, 0.5, 1.0, 0.0, 0.0], &[2, 3]), 2.0);
    close(b, &b.softmax_grad(&y, &dy)?, &Host::new([0.0, -0.25, 0.25, 0.0, 0.0, 0.0], &[2, 3]), 4.0);
    let y = b.log_softmax(&z)?;
    let got = Host::down(b, &y)?;
    assert!(got.data[5] <= -far, "twice as far down, or -∞ where that is beyond the range");
    close(b, &b.slice(&y, 0, 0, 1)?, &Host::new([-INF, -half, -half], &[1, 3]), 2.0);
    exact(b, &b.slice(&b.slice(&y, 0, 1, 1)?, 1, 0, 2)?, &Host::new([0.0, -far], &[1, 2]));
    let want = Host::new([3.0, -2.0, -1.0, -3.0, -1.0, 4.0], &[2, 3]);
    close(b, &b.log_softmax_grad(&y, &dy)?, &want, 8.0);
    Ok(())
}

/// Every function has its limit, and so has its slope: 0 or a slope's own, never 0 times ∞.
pub(crate) fn activations_at_the_ends<B: Backend>(b: &B) -> Result<()> {
    use Activation as A;
    let all = [
        (A::Linear, [-INF, INF], [1.0, 1.0]),
        (A::Sigmoid, [0.0, 1.0], [0.0, 0.0]),
        (A::HardSigmoid, [0.0, 1.0], [0.0, 0.0]),
        (A::HardSigmoidKeras1, [0.0, 1.0], [0.0, 0.0]),
        (A::Tanh, [-1.0, 1.0], [0.0, 0.0]),
        (A::Relu, [0.0, INF], [0.0, 1.0]),
        (A::LeakyRelu(0.25), [-INF, INF], [0.25, 1.0]),
        (A::Elu(1.5), [-1.5, INF], [0.0, 1.0]),
        (A::Gelu, [0.0, INF], [0.0, 1.0]),
        (A::GeluTanh, [0.0, INF], [0.0, 1.0]),
        (A::Silu, [0.0, INF], [0.0, 1.0]),
        (A::Softplus, [0.0, INF], [0.0, 1.0]),
        (A::Celu(1.5), [-1.5, INF], [0.0, 1.0]),
        (A::Mish, [0.0, INF], [0.0, 1.0]),
        (A::HardSwish, [0.0, INF], [0.0, 1.0]),
        (A::Softsign, [-1.0, 1.0], [0.0, 0.0]),
        (A::Relu6, [0.0, 6.0], [0.0, 0.0]),
        (A::LogSigmoid, [-INF, 0.0], [1.0, 0.0]),
    ];
    for (f, limits, slopes) in all {
        // 1e20 cubed is infinite in `f32`.
        for far in [1e20, FAR, INF] {
            println!("{f} at {far:e}");
            let x = Host::new([-far, far], &[2]).up(b)?;
            let far = Host::down(b, &x)?.data[1];
            let of = |limit: f64| match f {
                A::LeakyRelu(slope) if limit == -INF => -far * slope,
                _ if limit.is_infinite() => limit.signum() * far,
                _ => limit,
            };
            let y = b.activate(f, &x)?;
            close(b, &y, &Host::new(limits.map(of), &[2]), 2.0);
            let slope = b.activate_grad(f, &x, &y, &b.fill([2].into(), 1.0)?)?;
            close(b, &slope, &Host::new(slopes, &[2]), 2.0);
        }
    }
    Ok(())
}

/// The slope of an ELU far below 0 is α e^x, which is not what is left of y + α. Relative to itself.
pub(crate) fn slopes_in_the_tail_are_there<B: Backend>(b: &B) -> Result<()> {
    let places = [-1.0, -10.0, -17.5, -30.0, -80.0];
    let x = Host::new(places, &[5]).up(b)?;
    let f = Activation::Elu(1.5);
    let dy = b.fill([5].into(), 2.0)?;
    let got = Host::down(b, &b.activate_grad(f, &x, &b.activate(f, &x)?, &dy)?)?;
    for (got, x) in got.data.iter().zip(places) {
        let want = 3.0 * x.exp();
        assert!((got / want - 1.0).abs() < 1e-5, "{got:e} at {x}, expected {want:e}");
    }
    // The same in a recurrent network, whose state at first is 0.
    let cell = Cell::Elman { activation: f };
    let (z, u) = (Host::new(places, &[5, 1, 1]).up(b)?, b.fill([1, 1].into(), 0.5)?);
    let (bias, h, c, mask, dropout) = (None, None, None, None, None);
    let x = Sequence { z: &z, u: &u, bias, h, c, mask, dropout, reverse: false, outputs: false, gradient: true };
    let y = b.recurrent(cell, &x)?;
    let d = Upstream { outputs: None, h: Some(&b.fill([5, 1].into(), 2.0)?), c: None };
    let [dz, ..] = b.recurrent_grad(cell, &x, &y, &d, RecurrentWanted { z: true, ..RecurrentWanted::NONE })?;
    for (got, x) in Host::down(b, &dz.expect("wanted"))?.data.iter().zip(places) {
        let want = 3.0 * x.exp();
        assert!((got / want - 1.0).abs() < 1e-5, "{got:e} at {x} of a step, expected {want:e}");
    }
    Ok(())
}

/// A row that gets no gradient (its class is ignored, its weight is 0) has none, whatever its logits are.
pub(crate) fn rows_without_a_gradient_have_none<B: Backend>(b: &B) -> Result<()> {
    let z = Host::new([f64::NAN, 1.0, 0.0, 0.0, -INF, -INF, INF, INF], &[4, 2]).up(b)?;
    let d = Host::new([0.0, 1.0, 0.0, 0.0], &[4]).up(b)?;
    let labels = b.upload_indices(vec![0, 1, 1, 0], [4].into())?;
    let want = Host::new([0.0, 0.0, 0.5, -0.5, 0.0, 0.0, 0.0, 0.0], &[4, 2]);
    for smoothing in [0.0, 0.25] {
        let rest = smoothing / 2.0;
        let want = want.map(|x| x.signum() * (x.abs() - if x == 0.0 { 0.0 } else { rest }));
        close(b, &b.sparse_cross_entropy_grad(&z, &labels, smoothing, &d)?, &want, 2.0);
    }
    close(b, &b.cross_entropy_grad(&z, &b.one_hot(&labels, 2)?, &d)?, &want, 2.0);
    let d = Host::new([0.0, 1.0, 1.0, 2.0, 0.0, 0.0, 0.0, 0.0], &[4, 2]).up(b)?;
    let t = b.fill([4, 2].into(), 0.0)?;
    let sigma = 1.0 / (1.0 + (-1f64).exp());
    let want = Host::new([0.0, sigma, 0.5, 1.0, 0.0, 0.0, 0.0, 0.0], &[4, 2]);
    close(b, &b.binary_cross_entropy_grad(&z, &t, &d)?, &want, 2.0);
    Ok(())
}

/// What is dropped is gone, even if it was infinite or NaN; what is not, is not.
pub(crate) fn what_is_dropped_has_no_influence<B: Backend>(b: &B) -> Result<()> {
    let (count, key) = (257, Key::new(3).named("dropped"));
    let kept = Host::down(b, &b.dropout(&b.fill([count].into(), 1.0)?, 0.5, key)?)?;
    for bad in [INF, -INF, f64::NAN] {
        let y = b.dropout(&b.fill([count].into(), bad)?, 0.5, key)?;
        exact(b, &y, &kept.map(|keep| if keep == 0.0 { 0.0 } else { bad }));
    }
    Ok(())
}

/// Steps and the mask of what follows: of few and of many sequences, with and without runs that are worth products of
/// their own.
type Counts = fn(usize, usize) -> bool;
fn masks() -> [([usize; 2], Counts); 4] {
    [
        ([2, 5], |row, t| t > row),
        ([9, 7], |row, t| t + row % 4 < 7),
        ([33, 40], |row, t| t >= row),
        ([5, 6], |row, t| (row + t) % 2 > 0),
    ]
}

/// The kernel's gradient is `xᵀ dy`, where `dy` is 0 in masked steps and `x` is what anybody has left there.
pub(crate) fn masked_inputs_reach_no_kernel<B: Backend>(b: &B) -> Result<()> {
    for ([n, t], counts) in masks() {
        let there = |at: &[usize]| f64::from(u8::from(counts(at[0], at[1])));
        let (mask, over) = (Host::build(&[n, t], there).up(b)?, Host::build(&[n, t, 1], there).up(b)?);
        let (clean, w) = (Host::random("x", &[n, t, 12]), Host::random("w", &[12, 20]).up(b)?);
        let dy = b.zip(Zip::Mul, &Host::random("dy", &[n, t, 20]).up(b)?, &over)?;
        let want = b.linear_steps_grad(&clean.up(b)?, &w, &dy, &mask, LinearWanted::ALL)?;
        for bad in [f64::NAN, INF] {
            let dirty = Host::build(&clean.shape, |at| if there(at) > 0.0 { clean.at(at) } else { bad });
            same(b, &b.linear_steps_grad(&dirty.up(b)?, &w, &dy, &mask, LinearWanted::ALL)?, &want, [0.0; 3]);
        }
    }
    Ok(())
}

/// Nor do they reach anything else in a network that projects its inputs itself.
pub(crate) fn masked_inputs_reach_no_network<B: Backend>(b: &B) -> Result<()> {
    for (cell, mask) in COMMON.into_iter().chain([OTHERS[7]]).flat_map(|cell| MASKS.map(|mask| (cell, mask))) {
        for n in [3, 9] {
            let case = Case::new(cell, [n, 5, 4]).with(mask, 1);
            let host = case.arrays();
            let arrays = host.up(b)?;
            let clean = Host::random("x", &[n, 5, 6]);
            let masked = |at: &[usize]| host.masks(at[0] * 5 + at[1]);
            let dirty = Host::build(&clean.shape, |at| if masked(at) { f64::NAN } else { clean.at(at) });
            let kernel = Host::random("kernel", &[6, cell.gates() * 4]).map(|w| w / 8.0).up(b)?;
            let bias = Host::random("first", &[cell.gates() * 4]).up(b)?;
            let run = |x: &Host| -> Result<Vec<Option<B::Array>>> {
                let x = x.up(b)?;
                let x = Projected { x: &x, kernel: &kernel, bias: Some(&bias), rest: case.sequence(&arrays) };
                let y = b.projected_recurrent(cell, &x)?;
                let [outputs, dh, _] = case.upstream(b)?;
                let d = Upstream { outputs: Some(&outputs), h: Some(&dh), c: None };
                let gradients = b.projected_recurrent_grad(cell, &x, &y, &d, ProjectedWanted::ALL)?;
                Ok([y.outputs, Some(y.h), y.c].into_iter().chain(gradients).collect())
            };
            println!("{case:?}");
            same(b, &run(&dirty)?, &run(&clean)?, [0.0; 10]);
        }
    }
    Ok(())
}

/// A maximum of -∞ is one, and so is one among others.
pub(crate) fn maxima_of_nothing_greater<B: Backend>(b: &B) -> Result<()> {
    let x = Host::new([-INF, -INF, -INF, -FAR, INF, 1.0], &[3, 2]).up(b)?;
    let far = Host::down(b, &x)?.data[3];
    exact(b, &b.max(&x, 1)?, &Host::new([-INF, far, INF], &[3, 1]));
    exact(b, &b.max(&x, 0)?, &Host::new([INF, 1.0], &[1, 2]));
    exact(b, &b.map(Map::Clamp(0.0, INF), &x)?, &Host::new([0.0, 0.0, 0.0, 0.0, INF, 1.0], &[3, 2]));
    Ok(())
}
