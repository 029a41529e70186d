//! [`Fast`]: an `f32` whose elementary functions a compiler can vectorise, for the core's own definitions to run on.
//!
//! The system's `exp` and `tanh` are calls, one element at a time. These are the polynomials of Cephes (S. L. Moshier,
//! *Methods and Programs for Mathematical Functions*, 1989), without a branch, within two units (`exp_m1` and [`sigmoid`]:
//! three) in the last place of the exact value. Multiplications are fused with the additions after them, which every
//! instruction set rounds alike, so that all of them give the same bits; where a processor has no such instruction (before
//! 2013), the system's function takes its place, slowly. As `Fast` is an [`Element`], `Activation::value` and `Map::apply`
//! need not be written again.

use elman::{Activation, Element};
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Sub, SubAssign};

/// An `f32` with functions that vectorise.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
#[repr(transparent)]
pub(crate) struct Fast(pub(crate) f32);

/// `e^x`; 0 and ∞ where that is nearest, and numbers below the normal range between.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    // Beyond these the result is 0 or ∞ anyway. Written so that NaN stays.
    let x = if x > 89.0 { 89.0 } else { x };
    let x = if x < -105.0 { -105.0 } else { x };
    let (p, n) = exp_parts(x);
    // 2^n in two factors, for n itself may be beyond the exponents that there are.
    let half = n >> 1;
    p * power_of_two(half) * power_of_two(n - half)
}

/// `e^x` as `p 2^n`, for `x` within ±150.
#[inline(always)]
fn exp_parts(x: f32) -> (f32, i32) {
    // n, the nearest whole number to x / ln 2, appears in the low bits when so large a number is added.
    const SHIFT: f32 = 12_582_912.0;
    let shifted = x.mul_add(std::f32::consts::LOG2_E, SHIFT);
    let n = shifted.to_bits() as i32 - SHIFT.to_bits() as i32;
    let whole = shifted - SHIFT;
    // ln 2 in two parts, the first exact in a product with n.
    let r = whole.mul_add(2.121_944_4e-4, whole.mul_add(-0.693_359_4, x));
    let p = 1.987_569_1e-4_f32;
    let p = p.mul_add(r, 1.398_199_9e-3);
    let p = p.mul_add(r, 8.333_452e-3);
    let p = p.mul_add(r, 4.166_579_6e-2);
    let p = p.mul_add(r, 0.166_666_65);
    let p = p.mul_add(r, 0.5);
    (p.mul_add(r * r, r) + 1.0, n)
}

#[inline(always)]
fn power_of_two(n: i32) -> f32 {
    f32::from_bits(((n + 127) as u32) << 23)
}

/// `e^x - 1`, exact near 0.
#[inline(always)]
pub(crate) fn exp_m1(x: f32) -> f32 {
    // The series to x¹⁰/10!; its rest is below 1e-9 of x there.
    let p = 2.755_732e-7_f32;
    let p = p.mul_add(x, 2.755_731_9e-6);
    let p = p.mul_add(x, 2.480_158_7e-5);
    let p = p.mul_add(x, 1.984_127e-4);
    let p = p.mul_add(x, 1.388_888_9e-3);
    let p = p.mul_add(x, 8.333_333e-3);
    let p = p.mul_add(x, 4.166_666_8e-2);
    let p = p.mul_add(x, 0.166_666_67);
    let p = p.mul_add(x, 0.5);
    let near = p.mul_add(x * x, x);
    let far = exp(x) - 1.0;
    if x.abs() < 0.6 { near } else { far }
}

/// Hyperbolic tangent.
#[inline(always)]
pub(crate) fn tanh(x: f32) -> f32 {
    let a = x.abs();
    let z = x * x;
    let p = -5.704_988_7e-3_f32;
    let p = p.mul_add(z, 2.063_909e-2);
    let p = p.mul_add(z, -5.373_971_5e-2);
    let p = p.mul_add(z, 0.133_314_42);
    let p = p.mul_add(z, -0.333_332_8);
    let near = (p * z).mul_add(x, x);
    // From 10 on it is 1; below, 2^n is a number of the normal range. Written so that NaN stays.
    let (p, n) = exp_parts(if a > 10.0 { 20.0 } else { a + a });
    let far = 1.0 - 2.0 / p.mul_add(power_of_two(n), 1.0);
    // The sign comes last, for that of -0.
    let y = if a < 0.625 { near.abs() } else { far };
    y.copysign(x)
}

/// `1 / (1 + e^-x)`; 0 where that is below the normal range.
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    // Beyond these it is 1 or below the normal range. Written so that NaN stays.
    let within = if x > 87.0 { 87.0 } else { x };
    let within = if within < -87.0 { -87.0 } else { within };
    let (p, n) = exp_parts(-within);
    let y = 1.0 / p.mul_add(power_of_two(n), 1.0);
    if x < -87.0 { 0.0 } else { y }
}

/// The value of an elementwise activation function.
#[inline(always)]
pub(crate) fn activation(f: Activation, x: f32) -> f32 {
    match f {
        Activation::Sigmoid => sigmoid(x),
        _ => f.value(Fast(x)).0,
    }
}

/// Natural logarithm.
#[inline(always)]
pub(crate) fn ln(x: f32) -> f32 {
    // Numbers below the normal range are brought into it first.
    let tiny = x < f32::MIN_POSITIVE;
    let scaled = if tiny { x * 8_388_608.0 } else { x };
    // x = 2^e m with m in [√½, √2).
    const SQRT_HALF_BITS: i32 = 0x3f35_04f3;
    let bits = (scaled.to_bits() as i32).wrapping_sub(SQRT_HALF_BITS);
    let e = (bits >> 23) as f32 - if tiny { 23.0 } else { 0.0 };
    let m = f32::from_bits(((bits & 0x007f_ffff) + SQRT_HALF_BITS) as u32) - 1.0;
    let p = 7.037_683_6e-2_f32;
    let p = p.mul_add(m, -0.115_146_1);
    let p = p.mul_add(m, 0.116_769_99);
    let p = p.mul_add(m, -0.124_201_41);
    let p = p.mul_add(m, 0.142_493_23);
    let p = p.mul_add(m, -0.166_680_58);
    let p = p.mul_add(m, 0.200_007_14);
    let p = p.mul_add(m, -0.249_999_94);
    let p = p.mul_add(m, 0.333_333_3);
    let z = m * m;
    let rest = z.mul_add(-0.5, e.mul_add(-2.121_944_4e-4, p * m * z));
    let y = e.mul_add(0.693_359_4, m + rest);
    // The exceptions: ln 0 = -∞, no logarithm below, ∞ and NaN go through.
    let y = if x < f32::INFINITY { y } else { x };
    if x > 0.0 {
        y
    } else if x == 0.0 {
        f32::NEG_INFINITY
    } else {
        f32::NAN
    }
}

/// `ln(1 + x)`, exact near 0: what the sum's rounding lost is added to first order.
#[inline(always)]
pub(crate) fn ln_1p(x: f32) -> f32 {
    let u = 1.0 + x;
    let lost = (x - (u - 1.0)) / u;
    let y = ln(u);
    if u > 0.0 && u < f32::INFINITY { y + lost } else { y }
}

impl Element for Fast {
    const ZERO: Self = Fast(0.0);
    const ONE: Self = Fast(1.0);
    const NAME: &'static str = "f32";

    #[inline(always)]
    fn from_f64(x: f64) -> Self {
        Fast(x as f32)
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self.0)
    }
    #[inline(always)]
    fn exp(self) -> Self {
        Fast(exp(self.0))
    }
    #[inline(always)]
    fn ln(self) -> Self {
        Fast(ln(self.0))
    }
    #[inline(always)]
    fn ln_1p(self) -> Self {
        Fast(ln_1p(self.0))
    }
    #[inline(always)]
    fn exp_m1(self) -> Self {
        Fast(exp_m1(self.0))
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        Fast(tanh(self.0))
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Fast(self.0.sqrt())
    }
    #[inline(always)]
    fn abs(self) -> Self {
        Fast(self.0.abs())
    }
    #[inline(always)]
    fn mul_add(self, a: Self, b: Self) -> Self {
        Fast(self.0.mul_add(a.0, b.0))
    }
    #[inline(always)]
    fn powf(self, exponent: Self) -> Self {
        Fast(self.0.powf(exponent.0))
    }
    #[inline(always)]
    fn maximum(self, other: Self) -> Self {
        Fast(Element::maximum(self.0, other.0))
    }
    #[inline(always)]
    fn minimum(self, other: Self) -> Self {
        Fast(Element::minimum(self.0, other.0))
    }
    #[inline(always)]
    fn is_finite(self) -> bool {
        self.0.is_finite()
    }
    #[inline(always)]
    fn is_nan(self) -> bool {
        self.0.is_nan()
    }
}

macro_rules! operators {
    ($($trait:ident $f:ident $assign:ident $f_assign:ident $op:tt;)*) => {$(
        impl $trait for Fast {
            type Output = Fast;
            #[inline(always)]
            fn $f(self, other: Fast) -> Fast {
                Fast(self.0 $op other.0)
            }
        }
        impl $assign for Fast {
            #[inline(always)]
            fn $f_assign(&mut self, other: Fast) {
                self.0 = self.0 $op other.0;
            }
        }
    )*};
}
operators! {
    Add add AddAssign add_assign +;
    Sub sub SubAssign sub_assign -;
    Mul mul MulAssign mul_assign *;
    Div div DivAssign div_assign /;
}

impl Neg for Fast {
    type Output = Fast;
    #[inline(always)]
    fn neg(self) -> Fast {
        Fast(-self.0)
    }
}

impl Sum for Fast {
    fn sum<I: Iterator<Item = Fast>>(all: I) -> Fast {
        all.fold(Fast(0.0), Add::add)
    }
}

impl fmt::Display for Fast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The distance of `y` from the exact value in units of the latter's last place.
    fn ulps(y: f32, exact: f64) -> f64 {
        let nearest = exact as f32;
        let unit = f64::from(f32::from_bits(nearest.abs().to_bits() + 1)) - f64::from(nearest.abs());
        (f64::from(y) - exact).abs() / unit
    }

    fn worst(fast: fn(f32) -> f32, exact: fn(f64) -> f64, from: f32, to: f32) -> f64 {
        let steps = 200_001;
        let at = |i: i32| from + (to - from) * i as f32 / (steps - 1) as f32;
        (0..steps).map(|i| ulps(fast(at(i)), exact(f64::from(at(i))))).fold(0.0, f64::max)
    }

    #[test]
    fn functions_are_within_a_few_units_in_the_last_place() {
        assert!(worst(exp, f64::exp, -87.0, 88.7) < 1.5);
        assert!(worst(exp_m1, f64::exp_m1, -20.0, 20.0) < 2.5 && worst(exp_m1, f64::exp_m1, -0.7, 0.7) < 2.5);
        assert!(worst(tanh, f64::tanh, -12.0, 12.0) < 2.0 && worst(tanh, f64::tanh, -0.7, 0.7) < 2.0);
        let exact = |x: f64| 1.0 / (1.0 + (-x).exp());
        assert!(worst(sigmoid, exact, -86.9, 20.0) < 2.5 && worst(sigmoid, exact, -1.0, 1.0) < 2.0);
        assert!(worst(ln, f64::ln, 1e-3, 3.0) < 1.5 && worst(ln, f64::ln, 3.0, 1e30) < 1.5);
        assert!(worst(ln_1p, f64::ln_1p, -0.9, 4.0) < 2.0 && worst(ln_1p, f64::ln_1p, -1e-3, 1e-3) < 2.0);
    }

    #[test]
    fn functions_know_the_ends_of_their_range() {
        let inf = f32::INFINITY;
        for (f, x, y) in [
            (exp as fn(f32) -> f32, inf, inf),
            (exp, -inf, 0.0),
            (exp, 0.0, 1.0),
            (exp, 88.8, inf),
            (exp_m1, -inf, -1.0),
            (exp_m1, inf, inf),
            (sigmoid, inf, 1.0),
            (sigmoid, -inf, 0.0),
            (sigmoid, 0.0, 0.5),
            (tanh, inf, 1.0),
            (tanh, -inf, -1.0),
            (tanh, -0.0, -0.0),
            (ln, 0.0, -inf),
            (ln, inf, inf),
            (ln_1p, -1.0, -inf),
            (ln_1p, inf, inf),
            (ln_1p, 1e-30, 1e-30),
        ] {
            assert_eq!(f(x).to_bits(), y.to_bits(), "at {x}: {} for {y}", f(x));
        }
        for f in [exp, exp_m1, sigmoid, tanh, ln, ln_1p] {
            assert!(f(f32::NAN).is_nan());
        }
        assert!(ln(-1.0).is_nan() && ln_1p(-2.0).is_nan());
        // Below the normal range.
        assert!((f64::from(exp(-100.0)) - (-100f64).exp()).abs() < 2e-45);
        assert!(ulps(ln(1e-40), f64::from(1e-40f32).ln()) < 1.5);
    }
}
