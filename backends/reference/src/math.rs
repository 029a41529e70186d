//! Elementary functions of an `f32` that a compiler can vectorise: computed in `f64` without a branch or a call, so
//! that rounding to `f32` is nearly the only error. In `f64` the system's functions stay, to the last digit.

use elman::Element;
use elman::backend::Map;

/// [`Map::apply`], with the functions of this module where they are exact enough.
#[inline(always)]
pub(crate) fn apply<E: Element>(op: Map, x: E) -> E {
    if size_of::<E>() > size_of::<f32>() {
        return op.apply(x);
    }
    let wide = x.to_f64();
    E::from_f64(match op {
        Map::Exp => exp(wide),
        Map::ExpM1 => exp_m1(wide),
        Map::Tanh => tanh(wide),
        Map::Sigmoid => 1.0 / (1.0 + exp(-wide)),
        _ => return op.apply(x),
    })
}

#[inline(always)]
fn exp(x: f64) -> f64 {
    let (power, rest) = split(x);
    power + power * rest
}

/// What is near 0 comes from the series alone, so that nothing cancels. The sign comes last, for that of -0.
#[inline(always)]
fn exp_m1(x: f64) -> f64 {
    let (power, rest) = split(x);
    (power - 1.0 + power * rest).abs().copysign(x)
}

#[inline(always)]
fn tanh(x: f64) -> f64 {
    let m = exp_m1(2.0 * x);
    m / (m + 2.0)
}

/// `2ⁿ` and `r` with `e^x = 2ⁿ (1 + r)`, where `n` is the whole number nearest to `x / ln 2`.
#[inline(always)]
fn split(x: f64) -> (f64, f64) {
    // Beyond these an `f32` is 0 or ∞ anyway. Written so that NaN stays.
    let x = if x > 200.0 { 200.0 } else { x };
    let x = if x < -200.0 { -200.0 } else { x };
    // So large that what is added to it loses its fraction; its low bits then are the exponent bits of 2ⁿ.
    const SHIFT: f64 = 6_755_399_441_055_744.0 + 1023.0;
    let shifted = x * std::f64::consts::LOG2_E + SHIFT;
    let power = f64::from_bits(shifted.to_bits() << 52);
    let t = x - (shifted - SHIFT) * std::f64::consts::LN_2;
    // t + t²/2! + ... + t⁹/9!: |t| is below 0.35, the rest of the series below 1e-11 of the sum.
    let p = 1.0 / 362_880.0;
    let p = p * t + 1.0 / 40_320.0;
    let p = p * t + 1.0 / 5040.0;
    let p = p * t + 1.0 / 720.0;
    let p = p * t + 1.0 / 120.0;
    let p = p * t + 1.0 / 24.0;
    let p = p * t + 1.0 / 6.0;
    let p = p * t + 0.5;
    let p = p * t + 1.0;
    (power, p * t)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_the_systems_rounded() {
        let ends = [0.0, 1e-30, 1e-10, 1e-4, 88.8, 104.0, 1e30, f32::INFINITY];
        let xs = (-200_000..200_000).map(|i| i as f32 * 5.3e-4).chain(ends).chain(ends.map(|x| -x));
        for x in xs {
            let wide = f64::from(x);
            let exact = [
                (Map::Exp, wide.exp()),
                (Map::ExpM1, wide.exp_m1()),
                (Map::Tanh, wide.tanh()),
                (Map::Sigmoid, 1.0 / (1.0 + (-wide).exp())),
            ];
            for (op, exact) in exact {
                let (got, nearest) = (apply(op, x), exact as f32);
                // The same, or a neighbour where the exact value lies in the middle.
                assert!(got.to_bits().abs_diff(nearest.to_bits()) <= 1, "{op:?} of {x} is {got}, not {nearest}");
                assert!((f64::from(got) - exact).abs() <= f64::from(nearest.abs()) * 6.0e-8 + 1e-45 || got == nearest);
            }
        }
        for op in [Map::Exp, Map::ExpM1, Map::Tanh, Map::Sigmoid] {
            assert!(apply(op, f32::NAN).is_nan());
        }
    }
}
