//! The elementwise operations that a backend must know, with their definition on one element.

use crate::element::Element;
pub use crate::special::{erf, sigmoid};

/// An operation on one number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Map {
    /// `-x`
    Neg,
    /// `|x|`
    Abs,
    /// -1, 0 or 1; NaN for NaN
    Sign,
    /// `e^x`
    Exp,
    /// `e^x - 1`, exact near 0
    ExpM1,
    /// Natural logarithm
    Ln,
    /// `ln(1 + x)`, exact near 0
    Ln1p,
    /// Square root
    Sqrt,
    /// `x²`
    Square,
    /// `1 / x`
    Recip,
    /// `x^p`
    Pow(f64),
    /// Hyperbolic tangent
    Tanh,
    /// `1 / (1 + e^-x)`, without overflow for any finite x
    Sigmoid,
    /// The error function `2/√π ∫₀ˣ e^(-t²) dt`
    Erf,
    /// `scale x + shift`
    Affine(f64, f64),
    /// `x` held between the two bounds
    Clamp(f64, f64),
    /// 1 where `x > 0`, else 0
    Step,
}

/// An operation on two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zip {
    /// `a + b`
    Add,
    /// `a - b`
    Sub,
    /// `a b`
    Mul,
    /// `a / b`
    Div,
    /// The greater; NaN when either is
    Max,
    /// The lesser; NaN when either is
    Min,
    /// 1 where `a = b`, else 0
    Equal,
    /// 1 where `a < b`, else 0
    Less,
    /// 1 where `a > b`, else 0
    Greater,
}

impl Map {
    /// The operation on one element: the definition that backends are held to.
    #[inline(always)]
    pub fn apply<E: Element>(self, x: E) -> E {
        let e = E::from_f64;
        match self {
            Map::Neg => -x,
            Map::Abs => x.abs(),
            Map::Sign => sign(x),
            Map::Exp => x.exp(),
            Map::ExpM1 => x.exp_m1(),
            Map::Ln => x.ln(),
            Map::Ln1p => x.ln_1p(),
            Map::Sqrt => x.sqrt(),
            Map::Square => x * x,
            Map::Recip => E::ONE / x,
            Map::Pow(p) => x.powf(e(p)),
            Map::Tanh => x.tanh(),
            Map::Sigmoid => sigmoid(x),
            Map::Erf => erf(x),
            Map::Affine(scale, shift) => x * e(scale) + e(shift),
            Map::Clamp(low, high) => x.maximum(e(low)).minimum(e(high)),
            Map::Step => truth(x > E::ZERO),
        }
    }
}

impl Zip {
    /// The operation on one pair: the definition that backends are held to.
    #[inline(always)]
    pub fn apply<E: Element>(self, a: E, b: E) -> E {
        match self {
            Zip::Add => a + b,
            Zip::Sub => a - b,
            Zip::Mul => a * b,
            Zip::Div => a / b,
            Zip::Max => a.maximum(b),
            Zip::Min => a.minimum(b),
            Zip::Equal => truth(a == b),
            Zip::Less => truth(a < b),
            Zip::Greater => truth(a > b),
        }
    }
}

#[inline(always)]
fn truth<E: Element>(is: bool) -> E {
    if is { E::ONE } else { E::ZERO }
}

#[inline(always)]
fn sign<E: Element>(x: E) -> E {
    if x > E::ZERO {
        E::ONE
    } else if x < E::ZERO {
        -E::ONE
    } else {
        x * E::ZERO
    }
}
