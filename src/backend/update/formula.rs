//! The formula of each rule, told once: [`Update::apply`](super::Update::apply) computes it number by number, and a
//! [`Program`](super::Program) lists its operations, for whole arrays and for kernels in another language.

use super::Update;
use crate::element::Element;
use std::ops::{Add, Mul, Sub};

/// No rule has more arrays in its state.
pub const SLOTS: usize = 3;
/// Nor more numbers.
pub const NUMBERS: usize = 8;

/// A rule without its numbers: with every choice that changes what is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Formula {
    Sgd,
    Momentum { nesterov: bool },
    AdaGrad,
    AdaDelta,
    RmsProp { momentum: bool, centered: bool },
    Adam { amsgrad: bool },
    AdamMean,
    Adamax,
    Nadam,
}

/// Calls a macro with every formula, as a pattern and an expression have it.
macro_rules! every_formula {
    ($with:ident) => {
        $with! {
            Sgd {}, Momentum { nesterov: false }, Momentum { nesterov: true }, AdaGrad {}, AdaDelta {},
            RmsProp { momentum: false, centered: false }, RmsProp { momentum: true, centered: false },
            RmsProp { momentum: false, centered: true }, RmsProp { momentum: true, centered: true },
            Adam { amsgrad: false }, Adam { amsgrad: true }, AdamMean {}, Adamax {}, Nadam {}
        }
    };
}
pub(super) use every_formula;

macro_rules! list {
    ($($name:ident $choices:tt),*) => {
        impl Formula {
            /// Every formula.
            pub const ALL: &[Formula] = &[$(Formula::$name $choices),*];
        }
    };
}
every_formula!(list);

/// What formulas are written in.
pub(super) trait Number: Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> {
    fn root(self) -> Self;
    /// Without the sign.
    fn size(self) -> Self;
    /// The greater of two; NaN when either is.
    fn most(self, other: Self) -> Self;
    /// 0 where it is below.
    fn not_below_zero(self) -> Self;
    /// The quotient by what is never negative, and 0 where that is 0.
    fn over(self, divisor: Self) -> Self;
}

impl<E: Element> Number for E {
    #[inline(always)]
    fn root(self) -> Self {
        self.sqrt()
    }
    #[inline(always)]
    fn size(self) -> Self {
        self.abs()
    }
    #[inline(always)]
    fn most(self, other: Self) -> Self {
        self.maximum(other)
    }
    #[inline(always)]
    fn not_below_zero(self) -> Self {
        self.maximum(E::ZERO)
    }
    #[inline(always)]
    fn over(self, divisor: Self) -> Self {
        if divisor == E::ZERO { E::ZERO } else { self / divisor }
    }
}

impl Update {
    /// The formula and its numbers, 0 beyond those that it has.
    #[inline(always)]
    pub fn formula(&self) -> (Formula, [f64; NUMBERS]) {
        match *self {
            Update::Sgd { lr, decay } => (Formula::Sgd, padded([lr, 1.0 - decay])),
            Update::Momentum { lr, momentum, nesterov, decay } => {
                (Formula::Momentum { nesterov }, padded([lr, momentum, 1.0 - decay]))
            }
            Update::AdaGrad { lr, epsilon } => {
                let [inside, outside] = epsilon.places();
                (Formula::AdaGrad, padded([lr, inside, outside]))
            }
            Update::AdaDelta { lr, rho, epsilon } => (Formula::AdaDelta, padded([lr, rho, 1.0 - rho, epsilon])),
            Update::RmsProp { lr, rho, epsilon, momentum, centered } => {
                let [inside, outside] = epsilon.places();
                // By the number as given: a tiny one may be 0 as an `f32`, and yet its slot is there.
                let formula = Formula::RmsProp { momentum: momentum > 0.0, centered };
                (formula, padded([lr, rho, 1.0 - rho, inside, outside, momentum]))
            }
            Update::Adam { lr, beta1, beta2, epsilon, decay, amsgrad } => {
                let numbers = padded([lr, beta1, 1.0 - beta1, beta2, 1.0 - beta2, epsilon, 1.0 - decay]);
                (Formula::Adam { amsgrad }, numbers)
            }
            Update::AdamMean { lr, beta1, beta2, decay } => {
                (Formula::AdamMean, padded([lr, beta1, 1.0 - beta1, beta2, 1.0 - beta2, 1.0 - decay]))
            }
            Update::Adamax { lr, beta1, beta2, epsilon, decay } => {
                let [inside, outside] = epsilon.places();
                (Formula::Adamax, padded([lr, beta1, 1.0 - beta1, beta2, inside, outside, 1.0 - decay]))
            }
            Update::Nadam { of_m, of_g, beta1, beta2, epsilon, decay } => {
                (Formula::Nadam, [of_m, of_g, beta1, 1.0 - beta1, beta2, 1.0 - beta2, epsilon, 1.0 - decay])
            }
        }
    }
}

/// With zeros behind them.
#[inline]
fn padded<const N: usize>(told: [f64; N]) -> [f64; NUMBERS] {
    std::array::from_fn(|i| if i < N { told[i] } else { 0.0 })
}

impl Formula {
    /// The number of arrays in the state.
    pub const fn slots(self) -> usize {
        match self {
            Formula::Sgd => 0,
            Formula::Momentum { .. } | Formula::AdaGrad => 1,
            Formula::AdaDelta | Formula::AdamMean | Formula::Adamax | Formula::Nadam => 2,
            Formula::RmsProp { momentum, centered } => 1 + momentum as usize + centered as usize,
            Formula::Adam { amsgrad } => 2 + amsgrad as usize,
        }
    }

    /// The step of a weight by its gradient, with the numbers as [`Update::formula`] has them; what stands in the state beyond
    /// the slots is left alone.
    #[inline(always)]
    pub(super) fn step<T: Number>(self, numbers: [T; NUMBERS], w: &mut T, g: T, state: &mut [T; SLOTS]) {
        match self {
            Formula::Sgd => {
                let [lr, stay, ..] = numbers;
                *w = stay * *w - lr * g;
            }
            Formula::Momentum { nesterov } => {
                let ([lr, momentum, stay, ..], [v, ..]) = (numbers, state);
                *v = momentum * *v - lr * g;
                *w = stay * *w + if nesterov { momentum * *v - lr * g } else { *v };
            }
            Formula::AdaGrad => {
                let ([lr, inside, outside, ..], [a, ..]) = (numbers, state);
                *a = *a + g * g;
                *w = *w - (lr * g).over((*a + inside).root() + outside);
            }
            Formula::AdaDelta => {
                let ([lr, rho, rest, epsilon, ..], [a, d, ..]) = (numbers, state);
                *a = rho * *a + rest * g * g;
                let delta = (g * (*d + epsilon).root()).over((*a + epsilon).root());
                *d = rho * *d + rest * delta * delta;
                *w = *w - lr * delta;
            }
            Formula::RmsProp { momentum: moves, centered } => {
                let ([lr, rho, rest, inside, outside, momentum, ..], [a, second, third]) = (numbers, state);
                let (m, c) = if moves { (second, third) } else { (third, second) };
                *a = rho * *a + rest * g * g;
                let mut variance = *a;
                if centered {
                    *c = rho * *c + rest * g;
                    // Rounding can leave a variance of nearly nothing below 0.
                    variance = (variance - *c * *c).not_below_zero();
                }
                let mut step = (lr * g).over((variance + inside).root() + outside);
                if moves {
                    *m = momentum * *m + step;
                    step = *m;
                }
                *w = *w - step;
            }
            Formula::Adam { amsgrad } => {
                let ([lr, beta1, rest1, beta2, rest2, epsilon, stay, ..], [m, v, top]) = (numbers, state);
                *m = beta1 * *m + rest1 * g;
                *v = beta2 * *v + rest2 * g * g;
                let mut greatest = *v;
                if amsgrad {
                    *top = (*top).most(*v);
                    greatest = *top;
                }
                *w = stay * *w - (lr * *m).over(greatest.root() + epsilon);
            }
            Formula::AdamMean => {
                let ([lr, beta1, rest1, beta2, rest2, stay, ..], [m, v, ..]) = (numbers, state);
                *m = beta1 * *m + rest1 * g;
                *v = beta2 * *v + rest2 * g * g;
                *w = stay * *w - lr * *m;
            }
            Formula::Adamax => {
                let ([lr, beta1, rest1, beta2, inside, outside, stay, ..], [m, u, ..]) = (numbers, state);
                *m = beta1 * *m + rest1 * g;
                *u = (beta2 * *u).most(g.size() + inside);
                *w = stay * *w - (lr * *m).over(*u + outside);
            }
            Formula::Nadam => {
                let ([of_m, of_g, beta1, rest1, beta2, rest2, epsilon, stay], [m, v, ..]) = (numbers, state);
                *m = beta1 * *m + rest1 * g;
                *v = beta2 * *v + rest2 * g * g;
                *w = stay * *w - (of_m * *m + of_g * g).over((*v).root() + epsilon);
            }
        }
    }
}
