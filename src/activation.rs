//! Activation functions (L2, L4): what they are, and value and slope at one number. Over arrays: [`crate::backend::activate`].

use crate::element::Element;
use crate::error::{Error, Result};
use crate::special::{erf, sigmoid};
use serde::{Deserialize, Serialize};

mod text;

/// An activation function. All but the softmaxes work on each element.
///
/// At -∞ and ∞ each has its limit, and so has its slope. A slope is exact to some units in the last place of 1, not of itself:
/// that of a sigmoid, `y (1 - y)`, is 0 from 17 on in `f32`, that of tanh, `1 - y²`, beyond ±9, and GELU and its slope are 0
/// below -5.5. Where less is left, as in the tail of ELU (`α e^x`), of softplus and of a sigmoid below 0, it is there.
///
/// Where a derivative does not exist (ReLU at 0 and its kin) the gradient is that from the left, so `relu'(0) = 0`, as in
/// Keras and PyTorch; at the upper end of what is clipped it is that from the right, so `relu6'(6) = 0`, as in PyTorch.
///
/// What it is printed as it is read from, in options of programs:
///
/// ```
/// use elman::Activation;
/// assert_eq!("leaky_relu(0.2)".parse::<Activation>()?, Activation::LeakyRelu(0.2));
/// assert_eq!(Activation::Tanh.to_string().parse::<Activation>()?, Activation::Tanh);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Activation {
    /// `x`
    #[default]
    Linear,
    /// `σ(x) = 1 / (1 + e^-x)`; its slope is at most 1/4, which starves deep gradients
    Sigmoid,
    /// `clip(x / 6 + 1/2, 0, 1)`: Keras 3, PyTorch
    HardSigmoid,
    /// `clip(x / 5 + 1/2, 0, 1)`: Keras 1 and 2, the gates of the lecture's programs
    HardSigmoidKeras1,
    /// `tanh(x)`
    Tanh,
    /// `max(x, 0)`
    Relu,
    /// `x` above 0, `slope x` below; Keras' slope is 0.2, PyTorch's 0.01
    LeakyRelu(f64),
    /// `x` above 0, `α (e^x - 1)` below; α is 1 elsewhere
    Elu(f64),
    /// `x Φ(x)`, with the normal distribution function by `erf`: PyTorch's default
    Gelu,
    /// The approximation `x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))`
    GeluTanh,
    /// `x σ(x)`, also called swish
    Silu,
    /// `ln(1 + e^x)`
    Softplus,
    /// `λ x` above 0, `λ α (e^x - 1)` below, with the `α = 1.6733` and `λ = 1.0507` that keep mean 0 and variance 1 from
    /// layer to layer, where kernels start by [`Init::LecunNormal`](crate::Init::LecunNormal): Klambauer and others,
    /// "Self-Normalizing Neural Networks", NIPS 2017
    Selu,
    /// `x` above 0, `α (e^(x/α) - 1)` below, for an `α` above 0: an ELU whose slope is 1 at 0 for any `α`: Barron,
    /// "Continuously Differentiable Exponential Linear Units", 2017
    Celu(f64),
    /// `x tanh(ln(1 + e^x))`: Misra, "Mish: A Self Regularized Non-Monotonic Activation Function", BMVC 2020
    Mish,
    /// `x clip(x / 6 + 1/2, 0, 1)`, Keras' `hard_silu`: Howard and others, "Searching for MobileNetV3", ICCV 2019
    HardSwish,
    /// `x / (1 + |x|)`
    Softsign,
    /// `clip(x, 0, 6)`
    Relu6,
    /// `ln σ(x)`
    LogSigmoid,
    /// `e^{x_i} / Σ e^{x_j}` along the last axis
    Softmax,
    /// The logarithm of the softmax along the last axis
    LogSoftmax,
}

pub(crate) const SQRT_2_OVER_PI: f64 = 0.797_884_560_802_865_4;
pub(crate) const GELU_CUBIC: f64 = 0.044_715;
pub(crate) const GELU_FAR: f64 = 10.0;
/// Beyond it a softsign is 1 to the last bit, and its quotient may be that of two infinite numbers.
pub(crate) const SOFTSIGN_FAR: f64 = 1e30;
/// The fixed point of mean and variance (equation 14 of the paper), to the digits that Keras and PyTorch have.
pub(crate) const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
pub(crate) const SELU_SCALE: f64 = 1.050_700_987_355_480_5;

impl Activation {
    /// Whether each output depends on its own input alone: true for all but the softmaxes.
    pub fn is_elementwise(self) -> bool {
        !matches!(self, Activation::Softmax | Activation::LogSoftmax)
    }

    /// Whether it is a sigmoid, hard or not: each output by itself from 0 to 1.
    pub fn is_sigmoid(self) -> bool {
        matches!(self, Activation::Sigmoid | Activation::HardSigmoid | Activation::HardSigmoidKeras1)
    }

    /// Errors for a parameter that no function has: one that is not finite, an `α` of a CELU that is not above 0. Layers ask when
    /// they are built.
    pub fn check(self) -> Result<()> {
        match self {
            Activation::LeakyRelu(x) | Activation::Elu(x) if !x.is_finite() => {
                Err(Error::invalid("activation", format!("{} with a finite number", self.name()), x))
            }
            Activation::Celu(x) if !(x.is_finite() && x > 0.0) => {
                Err(Error::invalid("activation", "celu with a finite number above 0", x))
            }
            _ => Ok(()),
        }
    }

    /// The value at one element, for elementwise functions (the softmaxes give `x` back).
    #[inline(always)]
    pub fn value<E: Element>(self, x: E) -> E {
        let e = E::from_f64;
        match self {
            Activation::Linear | Activation::Softmax | Activation::LogSoftmax => x,
            Activation::Sigmoid => sigmoid(x),
            Activation::HardSigmoid => hard(x, 1.0 / 6.0),
            Activation::HardSigmoidKeras1 => hard(x, 0.2),
            Activation::Tanh => x.tanh(),
            Activation::Relu => x.maximum(E::ZERO),
            Activation::LeakyRelu(slope) => {
                if x > E::ZERO {
                    x
                } else {
                    x * e(slope)
                }
            }
            Activation::Elu(alpha) => {
                if x > E::ZERO {
                    x
                } else {
                    e(alpha) * x.exp_m1()
                }
            }
            Activation::Gelu => part(x, normal_cdf(x)),
            Activation::GeluTanh => part(x, e(0.5) * (E::ONE + gelu_inner(x).tanh())),
            Activation::Silu => part(x, sigmoid(x)),
            Activation::Softplus => x.maximum(E::ZERO) + (-x.abs()).exp().ln_1p(),
            Activation::Selu => {
                if x > E::ZERO {
                    e(SELU_SCALE) * x
                } else {
                    e(SELU_SCALE * SELU_ALPHA) * x.exp_m1()
                }
            }
            Activation::Celu(alpha) => {
                if x > E::ZERO {
                    x
                } else {
                    e(alpha) * (x * e(1.0 / alpha)).exp_m1()
                }
            }
            Activation::Mish => part(x, tanh_of_softplus(sigmoid(x), sigmoid(-x))[0]),
            Activation::HardSwish => part(x, hard(x, 1.0 / 6.0)),
            Activation::Softsign => {
                let x = x.maximum(e(-SOFTSIGN_FAR)).minimum(e(SOFTSIGN_FAR));
                x / (E::ONE + x.abs())
            }
            Activation::Relu6 => x.maximum(E::ZERO).minimum(e(6.0)),
            Activation::LogSigmoid => x.minimum(E::ZERO) - (-x.abs()).exp().ln_1p(),
        }
    }

    /// The slope at one element, from the input `x` and the value `y`.
    #[inline(always)]
    pub fn slope<E: Element>(self, x: E, y: E) -> E {
        let e = E::from_f64;
        let step = |above: E, below: E| if x > E::ZERO { above } else { below };
        match self {
            Activation::Linear | Activation::Softmax | Activation::LogSoftmax => E::ONE,
            Activation::Sigmoid => y * (E::ONE - y),
            Activation::HardSigmoid => hard_slope(y, 1.0 / 6.0),
            Activation::HardSigmoidKeras1 => hard_slope(y, 0.2),
            Activation::Tanh => E::ONE - y * y,
            Activation::Relu => step(E::ONE, E::ZERO),
            Activation::LeakyRelu(slope) => step(E::ONE, e(slope)),
            // Not y + α, of which nothing is left far below 0.
            Activation::Elu(alpha) => step(E::ONE, e(alpha) * x.exp()),
            Activation::Gelu => {
                let density = e(0.398_942_280_401_432_7) * (e(-0.5) * x * x).exp();
                normal_cdf(x) + part(x, density)
            }
            Activation::GeluTanh => {
                // Beyond these it is 0 or 1 to the last bit of an `f64`, and x² may be infinite.
                let x = x.maximum(e(-GELU_FAR)).minimum(e(GELU_FAR));
                let t = gelu_inner(x).tanh();
                let inner = e(SQRT_2_OVER_PI) * (E::ONE + e(3.0 * GELU_CUBIC) * x * x);
                e(0.5) * (E::ONE + t) + e(0.5) * x * (E::ONE - t * t) * inner
            }
            Activation::Silu => {
                let s = sigmoid(x);
                s + part(y, E::ONE - s)
            }
            Activation::Softplus => sigmoid(x),
            // From x and not as `y + λ α`, which cancels where little is left.
            Activation::Selu => step(e(SELU_SCALE), e(SELU_SCALE * SELU_ALPHA) * x.exp()),
            Activation::Celu(alpha) => step(E::ONE, (x * e(1.0 / alpha)).exp()),
            Activation::Mish => {
                let s = sigmoid(x);
                let [t, rest] = tanh_of_softplus(s, sigmoid(-x));
                t + part(x, rest * (E::ONE + t) * s)
            }
            Activation::HardSwish => {
                let h = hard(x, 1.0 / 6.0);
                h + part(x, hard_slope(h, 1.0 / 6.0))
            }
            Activation::Softsign => {
                let r = E::ONE / (E::ONE + x.abs());
                r * r
            }
            Activation::Relu6 => {
                if x > E::ZERO && x < e(6.0) {
                    E::ONE
                } else {
                    E::ZERO
                }
            }
            Activation::LogSigmoid => sigmoid(-x),
        }
    }
}

/// `w x`, 0 where `w` is 0 even if `x` is infinite: the limit of what falls faster than `x` grows.
#[inline(always)]
fn part<E: Element>(x: E, w: E) -> E {
    if w == E::ZERO { E::ZERO } else { x * w }
}

/// `t = tanh(ln(1 + e^x))` and `1 - t` from `s = σ(x)` and `r = σ(-x)`: as `1 + e^x` is `1 / r`, they are
/// `s (1 + r) / (1 + r²)` and `2 r² / (1 + r²)`, in which nothing cancels and nothing overflows.
#[inline(always)]
fn tanh_of_softplus<E: Element>(s: E, r: E) -> [E; 2] {
    let part = E::ONE / (E::ONE + r * r);
    [s * (E::ONE + r) * part, (r + r) * r * part]
}

#[inline(always)]
fn hard<E: Element>(x: E, slope: f64) -> E {
    (x * E::from_f64(slope) + E::from_f64(0.5)).maximum(E::ZERO).minimum(E::ONE)
}

#[inline(always)]
fn hard_slope<E: Element>(y: E, slope: f64) -> E {
    if y > E::ZERO && y < E::ONE { E::from_f64(slope) } else { E::ZERO }
}

#[inline(always)]
fn normal_cdf<E: Element>(x: E) -> E {
    E::from_f64(0.5) * (E::ONE + erf(x * E::from_f64(std::f64::consts::FRAC_1_SQRT_2)))
}

#[inline(always)]
fn gelu_inner<E: Element>(x: E) -> E {
    E::from_f64(SQRT_2_OVER_PI) * (x + E::from_f64(GELU_CUBIC) * x * x * x)
}
