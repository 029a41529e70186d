//! Functions of one number that the standard library lacks.

use crate::element::Element;

/// `σ(x)`: `e^-|x|` never overflows, and both halves keep full precision.
#[inline(always)]
pub fn sigmoid<E: Element>(x: E) -> E {
    let small = (-x.abs()).exp();
    let part = E::ONE / (E::ONE + small);
    if x < E::ZERO { small * part } else { part }
}

/// The error function: its Taylor series below 2.5, the continued fraction of its complement above; both to
/// the last digits of an `f64` (Abramowitz and Stegun 7.1.6, 7.1.14).
pub fn erf<E: Element>(x: E) -> E {
    let z = x.to_f64();
    let a = z.abs();
    let magnitude = if a < 2.5 {
        // erf z = 2/√π e^(-z²) Σ 2^n z^(2n+1) / (1·3···(2n+1)): all terms positive, so nothing cancels.
        let (mut term, mut sum, mut n) = (a, a, 0.0);
        while term > sum * 1e-17 {
            n += 1.0;
            term *= 2.0 * a * a / (2.0 * n + 1.0);
            sum += term;
        }
        std::f64::consts::FRAC_2_SQRT_PI * (-a * a).exp() * sum
    } else if a < 6.0 {
        // erfc z = e^(-z²)/√π · 1/(z + (1/2)/(z + 1/(z + (3/2)/(z + ...)))), from the inside out.
        let tail = (1..=60).rev().fold(a, |below, k| a + 0.5 * f64::from(k) / below);
        1.0 - 0.5 * std::f64::consts::FRAC_2_SQRT_PI * (-a * a).exp() / tail
    } else if a.is_nan() {
        return x;
    } else {
        1.0
    };
    E::from_f64(if z < 0.0 { -magnitude } else { magnitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of Abramowitz and Stegun, table 7.1 (ten digits), and of the complement at 3 (7.2-like tables).
    #[test]
    fn erf_agrees_with_the_tables() {
        for (x, y) in [(0.0, 0.0), (0.5, 0.520_499_877_8), (1.0, 0.842_700_792_9), (2.0, 0.995_322_265_0)] {
            assert!((erf::<f64>(x) - y).abs() < 6e-11, "erf {x}");
            assert!((erf::<f64>(-x) + y).abs() < 6e-11, "erf -{x}");
        }
        assert!((1.0 - erf::<f64>(3.0) - 2.209_049_699_9e-5).abs() < 1e-14);
        // The two formulas meet.
        assert!((erf::<f64>(2.5 - 1e-9) - erf::<f64>(2.5 + 1e-9)).abs() < 1e-11);
        assert!(erf::<f64>(f64::NAN).is_nan() && erf::<f64>(f64::INFINITY) == 1.0);
    }

    #[test]
    fn sigmoid_is_safe_at_any_finite_number() {
        assert_eq!(sigmoid(-1e30f32), 0.0);
        assert_eq!(sigmoid(1e30f32), 1.0);
        assert!((sigmoid(-40.0f64) / (-40.0f64).exp() - 1.0).abs() < 1e-15);
        assert!(sigmoid(f64::NAN).is_nan());
    }
}
