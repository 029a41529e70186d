//! Activation functions far out, where values and slopes are tiny and what is computed as a difference of numbers near 1 is
//! lost; and at the ends of what an `f32` holds.

use crate::common::host::{Host, epsilon};
use elman::{Activation, Backend, Result};

/// Functions with the exact value and slope on the left, where both die out, for `x` of -5 or less.
type Exact = fn(f64) -> [f64; 2];
const TAILS: [(Activation, Exact); 5] = [
    (Activation::Selu, |x| {
        let of_slope = 1.050_700_987_355_480_5 * 1.673_263_242_354_377_2;
        [of_slope * x.exp_m1(), of_slope * x.exp()]
    }),
    (Activation::Celu(2.0), |x| [2.0 * (x / 2.0).exp_m1(), (x / 2.0).exp()]),
    // tanh(ln(1 + w)) is (w² + 2 w) / (w² + 2 w + 2) with w = e^x, and its derivative 4 w (1 + w) / (w² + 2 w + 2)².
    (Activation::Mish, |x| {
        let w = x.exp();
        let below = w * w + 2.0 * w + 2.0;
        [x * (w * w + 2.0 * w) / below, (w * w + 2.0 * w) / below + x * 4.0 * w * (1.0 + w) / (below * below)]
    }),
    (Activation::Softsign, |x| [x / (1.0 - x), 1.0 / ((1.0 - x) * (1.0 - x))]),
    // On the left its slope is 1; on the right, which is the left of -x, value and slope die out.
    (Activation::LogSigmoid, |x| [x - x.exp().ln_1p(), 1.0 / (1.0 + x.exp())]),
];

/// Within some twenty roundings of the exact number, measured by that number itself: an exponential's own error is an epsilon
/// for each unit of its exponent.
#[track_caller]
fn near<B: Backend>(b: &B, what: &str, got: &B::Array, want: &[f64]) {
    for (got, want) in Host::down(b, got).unwrap().data.iter().zip(want) {
        assert!((got - want).abs() <= 20.0 * epsilon::<B::Elem>() * want.abs(), "{what}: {got:e}, not {want:e}");
    }
}

pub(crate) fn values_and_slopes_hold_in_the_tails<B: Backend>(b: &B) -> Result<()> {
    let far = [-5.0, -8.0, -12.0, -20.0, -30.0, -50.0, -80.0];
    let (x, one) = (Host::new(far, &[far.len()]).up(b)?, b.fill([far.len()].into(), 1.0)?);
    for (f, exact) in TAILS {
        let y = b.activate(f, &x)?;
        near(b, &format!("{f} of {far:?}"), &y, &far.map(|x| exact(x)[0]));
        near(b, &format!("{f}'s slope at {far:?}"), &b.activate_grad(f, &x, &y, &one)?, &far.map(|x| exact(x)[1]));
    }
    let right = Host::new(far.map(|x| -x), &[far.len()]).up(b)?;
    let y = b.activate(Activation::LogSigmoid, &right)?;
    near(b, "log_sigmoid", &y, &far.map(|x| -x.exp().ln_1p()));
    let slope = b.activate_grad(Activation::LogSigmoid, &right, &y, &one)?;
    near(b, "log_sigmoid's slope", &slope, &far.map(|x| x.exp() / (1.0 + x.exp())));
    Ok(())
}

pub(crate) fn the_greatest_numbers_are_finite<B: Backend>(b: &B) -> Result<()> {
    let x = Host::new([3e38, -3e38], &[2]);
    // Values and slopes on the right and on the left; none of them is a sum, so that they are exact or 0.
    let (scale, low) = (1.050_700_987_355_480_5, 1.050_700_987_355_480_5 * 1.673_263_242_354_377_2);
    let cases = [
        (Activation::Selu, [3e38, -low], [scale, 0.0]),
        (Activation::Celu(0.7), [3e38, -0.7], [1.0, 0.0]),
        (Activation::Mish, [3e38, 0.0], [1.0, 0.0]),
        (Activation::HardSwish, [3e38, 0.0], [1.0, 0.0]),
        (Activation::Softsign, [1.0, -1.0], [0.0, 0.0]),
        (Activation::Relu6, [6.0, 0.0], [0.0, 0.0]),
        (Activation::LogSigmoid, [0.0, -3e38], [0.0, 1.0]),
    ];
    for (f, values, slopes) in cases {
        // 1.05 times 3e38 is more than an f32 holds.
        let x = if f == Activation::Selu { x.map(|x| x / 2.0) } else { x.clone() };
        let values = if f == Activation::Selu { [1.5e38 * scale, values[1]] } else { values };
        let (x, one) = (x.up(b)?, b.fill([2].into(), 1.0)?);
        let y = b.activate(f, &x)?;
        near(b, &f.to_string(), &y, &values);
        let slope = b.activate_grad(f, &x, &y, &one)?;
        // What is left of a slope may be below what is normal, but not NaN.
        let slope = Host::down(b, &slope)?.data;
        assert!(slope.iter().zip(slopes).all(|(got, want)| (got - want).abs() < 1e-6), "{f}'s slope: {slope:?}");
    }
    Ok(())
}

/// Where there is no derivative: that from the left, and from the right at an upper end, as PyTorch has it.
pub(crate) fn kinks_have_the_documented_slope<B: Backend>(b: &B) -> Result<()> {
    let (scale, alpha) = (1.050_700_987_355_480_5, 1.673_263_242_354_377_2);
    let cases = [
        (Activation::Selu, 0.0, scale * alpha),
        (Activation::Celu(2.0), 0.0, 1.0),
        (Activation::Relu6, 0.0, 0.0),
        (Activation::Relu6, 6.0, 0.0),
        (Activation::HardSwish, -3.0, 0.0),
        (Activation::HardSwish, 3.0, 1.0),
    ];
    for (f, at, slope) in cases {
        let (x, one) = (b.fill([1].into(), at)?, b.fill([1].into(), 1.0)?);
        let y = b.activate(f, &x)?;
        near(b, &format!("{f} at {at}"), &b.activate_grad(f, &x, &y, &one)?, &[slope]);
    }
    Ok(())
}
