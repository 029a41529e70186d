//! The optimisers' updates of one weight: as a default body over arrays, and as one pass over slices for hosts.
//!
//! An [`Update`] holds the numbers of one step, with the schedule and the bias corrections already worked out by
//! the optimiser (see [`crate::optim`]), so that kernels stay short. In every formula `w` is the weight, `g` its gradient;
//! all products and roots are elementwise. The state's arrays have the weight's shape and come in the order given.
//!
//! A quotient whose divisor is 0 counts as 0: without an `ε`, a weight that has had no gradient yet (the row of a word that has
//! not occurred), or only such whose squares vanish, does not move, instead of going to NaN or infinity.

use super::{Backend, Map, Zip, check};
use crate::element::Element;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Where the small number that keeps a division finite stands. Libraries differ, and their numbers with them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Epsilon {
    /// `sqrt(v + ε)`: the lecture's slide (L11), Keras' RMSProp and AdaGrad. In Adamax `max(.., |g| + ε)`: PyTorch.
    Inside(f64),
    /// `sqrt(v) + ε`: PyTorch. In Adamax `max(..) + ε`: Keras.
    Outside(f64),
}

impl Epsilon {
    fn number(self) -> f64 {
        let (Epsilon::Inside(e) | Epsilon::Outside(e)) = self;
        e
    }

    #[inline(always)]
    fn root<E: Element>(self, v: E) -> E {
        match self {
            Epsilon::Inside(e) => (v + E::from_f64(e)).sqrt(),
            Epsilon::Outside(e) => v.sqrt() + E::from_f64(e),
        }
    }

    /// The number inside, and the number outside; one of them is 0.
    fn places(self) -> [f64; 2] {
        match self {
            Epsilon::Inside(e) => [e, 0.0],
            Epsilon::Outside(e) => [0.0, e],
        }
    }

    fn root_array<B: Backend>(self, b: &B, v: &B::Array) -> Result<B::Array> {
        match self {
            Epsilon::Inside(e) => b.map(Map::Sqrt, &b.map(Map::Affine(1.0, e), v)?),
            Epsilon::Outside(e) => b.map(Map::Affine(1.0, e), &b.map(Map::Sqrt, v)?),
        }
    }
}

/// `x / y`, and 0 where `y` is 0.
#[inline(always)]
fn quotient<E: Element>(x: E, y: E) -> E {
    if y == E::ZERO { E::ZERO } else { x / y }
}

/// The same of arrays; `epsilon` is what was added to a divisor that is otherwise 0 at least.
fn quotients<B: Backend>(b: &B, x: &B::Array, y: &B::Array, epsilon: f64) -> Result<B::Array> {
    let quotients = b.zip(Zip::Div, x, y)?;
    if B::Elem::from_f64(epsilon) > B::Elem::ZERO {
        return Ok(quotients);
    }
    let zero = b.fill([].into(), 0.0)?;
    b.select(&b.zip(Zip::Equal, y, &zero)?, &zero, &quotients)
}

/// One step of an optimiser on one weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Update {
    /// `w -= decay w`, `w -= lr g`. No state.
    Sgd {
        /// Learning rate.
        lr: f64,
        /// Decoupled weight decay of this step.
        decay: f64,
    },
    /// `w -= decay w`, `v = γ v - lr g`, then `w += v`, or with Nesterov's look-ahead `w += γ v - lr g` (L10). State: `v`.
    Momentum {
        /// Learning rate.
        lr: f64,
        /// `γ`.
        momentum: f64,
        /// Look ahead.
        nesterov: bool,
        /// Decoupled weight decay of this step.
        decay: f64,
    },
    /// `a += g²`, `w -= lr g / root(a)`. State: `a`.
    AdaGrad {
        /// Learning rate.
        lr: f64,
        /// Of the root.
        epsilon: Epsilon,
    },
    /// `a = ρ a + (1-ρ) g²`, `Δ = g sqrt(d + ε) / sqrt(a + ε)`, `d = ρ d + (1-ρ) Δ²`, `w -= lr Δ`. State: `a, d`.
    AdaDelta {
        /// Learning rate.
        lr: f64,
        /// `ρ`.
        rho: f64,
        /// `ε`.
        epsilon: f64,
    },
    /// `a = ρ a + (1-ρ) g²`, `m = γ m + lr g / root(a)`, `w -= m`; centred, the root is of `a - c²` with
    /// `c = ρ c + (1-ρ) g` (L11). State: `a`, then `m` if `γ > 0`, then `c` if centred.
    RmsProp {
        /// Learning rate.
        lr: f64,
        /// `ρ`.
        rho: f64,
        /// Of the root.
        epsilon: Epsilon,
        /// `γ`.
        momentum: f64,
        /// Divide by an estimate of the deviation instead of the root mean square.
        centered: bool,
    },
    /// `w -= decay w`, `m = β₁ m + (1-β₁) g`, `v = β₂ v + (1-β₂) g²`, `w -= lr m / (sqrt(v) + ε)`; with AMSGrad the
    /// greatest `v` so far stands in the root. State: `m, v`, then that greatest `v`.
    Adam {
        /// Learning rate with the bias corrections in it.
        lr: f64,
        /// `β₁`.
        beta1: f64,
        /// `β₂`.
        beta2: f64,
        /// `ε`, with its bias correction where the library in question has one.
        epsilon: f64,
        /// Decoupled weight decay of this step.
        decay: f64,
        /// AMSGrad.
        amsgrad: bool,
    },
    /// `m`, `v` as in Adam, `w -= lr m`: a step that does not divide by what little is known of `v`. State: `m, v`.
    AdamMean {
        /// Learning rate with the bias correction in it.
        lr: f64,
        /// `β₁`.
        beta1: f64,
        /// `β₂`.
        beta2: f64,
        /// Decoupled weight decay of this step.
        decay: f64,
    },
    /// `w -= decay w`, `m = β₁ m + (1-β₁) g`, then with `ε` outside `u = max(β₂ u, |g|)`, `w -= lr m / (u + ε)`; with `ε` inside
    /// `u = max(β₂ u, |g| + ε)`, `w -= lr m / u`. Where `u` is 0 still, `w` stays. State: `m, u`.
    Adamax {
        /// Learning rate with the bias correction in it.
        lr: f64,
        /// `β₁`.
        beta1: f64,
        /// `β₂`.
        beta2: f64,
        /// Of the maximum.
        epsilon: Epsilon,
        /// Decoupled weight decay of this step.
        decay: f64,
    },
    /// `w -= decay w`, `m`, `v` as in Adam, `w -= (of_m m + of_g g) / (sqrt(v) + ε)`. State: `m, v`.
    Nadam {
        /// Factor of the momentum, learning rate and corrections in it.
        of_m: f64,
        /// Factor of the gradient, learning rate and corrections in it.
        of_g: f64,
        /// `β₁`.
        beta1: f64,
        /// `β₂`.
        beta2: f64,
        /// `ε`, with its bias correction.
        epsilon: f64,
        /// Decoupled weight decay of this step.
        decay: f64,
    },
}

impl Update {
    /// The number of arrays in the state.
    pub fn slots(&self) -> usize {
        match *self {
            Update::Sgd { .. } => 0,
            Update::Momentum { .. } | Update::AdaGrad { .. } => 1,
            Update::AdaDelta { .. } | Update::Nadam { .. } | Update::AdamMean { .. } | Update::Adamax { .. } => 2,
            Update::RmsProp { momentum, centered, .. } => 1 + usize::from(momentum > 0.0) + usize::from(centered),
            Update::Adam { amsgrad, .. } => 2 + usize::from(amsgrad),
        }
    }

    fn check(&self, slots: usize) -> Result<()> {
        if slots == self.slots() {
            return Ok(());
        }
        Err(Error::invalid("update", format!("{} arrays of state for {self:?}", self.slots()), slots))
    }

    /// The step in one pass over the elements of a weight, for arrays in host memory. Every slice has one length
    /// (the shortest counts). Errors when the number of state slices is wrong. It is inlined always, so that a backend can
    /// compile it for the vector instructions that it has.
    #[inline(always)]
    pub fn apply<E: Element>(&self, w: &mut [E], g: &[E], state: &mut [&mut [E]]) -> Result<()> {
        self.check(state.len())?;
        let e = E::from_f64;
        let n = w.len().min(g.len());
        match (*self, state) {
            (Update::Sgd { lr, decay }, _) => {
                let (lr, stay) = (e(lr), e(1.0 - decay));
                for (w, &g) in w.iter_mut().zip(g) {
                    *w = stay * *w - lr * g;
                }
            }
            (Update::Momentum { lr, momentum, nesterov, decay }, [v]) => {
                let (lr, momentum, stay) = (e(lr), e(momentum), e(1.0 - decay));
                for ((w, &g), v) in w.iter_mut().zip(g).zip(v.iter_mut()) {
                    *v = momentum * *v - lr * g;
                    *w = stay * *w + if nesterov { momentum * *v - lr * g } else { *v };
                }
            }
            (Update::AdaGrad { lr, epsilon }, [a]) => {
                for ((w, &g), a) in w.iter_mut().zip(g).zip(a.iter_mut()) {
                    *a += g * g;
                    *w -= quotient(e(lr) * g, epsilon.root(*a));
                }
            }
            (Update::AdaDelta { lr, rho, epsilon }, [a, d]) => {
                let (lr, rho, rest, epsilon) = (e(lr), e(rho), e(1.0 - rho), e(epsilon));
                for (((w, &g), a), d) in w.iter_mut().zip(g).zip(a.iter_mut()).zip(d.iter_mut()) {
                    *a = rho * *a + rest * g * g;
                    let delta = quotient(g * (*d + epsilon).sqrt(), (*a + epsilon).sqrt());
                    *d = rho * *d + rest * delta * delta;
                    *w -= lr * delta;
                }
            }
            (Update::RmsProp { lr, rho, epsilon, momentum, .. }, [a, more @ ..]) => {
                // By the number as given: a tiny one may be 0 as an `E`, and yet its slot is there.
                let (m, c) = more.split_at_mut(usize::from(momentum > 0.0));
                let n = m.iter().chain(c.iter()).fold(n.min(a.len()), |n, slot| n.min(slot.len()));
                let (lr, momentum, keep, rest) = (e(lr), e(momentum), e(rho), e(1.0 - rho));
                // Of one length, so that the compiler drops the checks, without which it makes vectors.
                let (w, g, a) = (&mut w[..n], &g[..n], &mut a[..n]);
                let mut m = m.first_mut().map(|m| &mut m[..n]);
                let mut c = c.first_mut().map(|c| &mut c[..n]);
                for i in 0..n {
                    a[i] = keep * a[i] + rest * g[i] * g[i];
                    let mut variance = a[i];
                    if let Some(c) = &mut c {
                        c[i] = keep * c[i] + rest * g[i];
                        // Rounding can leave a variance of nearly nothing below 0.
                        variance = (variance - c[i] * c[i]).maximum(E::ZERO);
                    }
                    let mut step = quotient(lr * g[i], epsilon.root(variance));
                    if let Some(m) = &mut m {
                        m[i] = momentum * m[i] + step;
                        step = m[i];
                    }
                    w[i] -= step;
                }
            }
            (Update::Adam { lr, beta1, beta2, epsilon, decay, amsgrad: false }, [m, v]) => {
                let (lr, epsilon, stay) = (e(lr), e(epsilon), e(1.0 - decay));
                let (beta1, rest1, beta2, rest2) = (e(beta1), e(1.0 - beta1), e(beta2), e(1.0 - beta2));
                for (((w, &g), m), v) in w.iter_mut().zip(g).zip(m.iter_mut()).zip(v.iter_mut()) {
                    *m = beta1 * *m + rest1 * g;
                    *v = beta2 * *v + rest2 * g * g;
                    *w = stay * *w - quotient(lr * *m, v.sqrt() + epsilon);
                }
            }
            (Update::Adam { lr, beta1, beta2, epsilon, decay, .. }, [m, v, top]) => {
                let (lr, epsilon, stay) = (e(lr), e(epsilon), e(1.0 - decay));
                let (beta1, rest1, beta2, rest2) = (e(beta1), e(1.0 - beta1), e(beta2), e(1.0 - beta2));
                for ((((w, &g), m), v), top) in
                    w.iter_mut().zip(g).zip(m.iter_mut()).zip(v.iter_mut()).zip(top.iter_mut())
                {
                    *m = beta1 * *m + rest1 * g;
                    *v = beta2 * *v + rest2 * g * g;
                    *top = top.maximum(*v);
                    *w = stay * *w - quotient(lr * *m, top.sqrt() + epsilon);
                }
            }
            (Update::AdamMean { lr, beta1, beta2, decay }, [m, v]) => {
                let (lr, stay) = (e(lr), e(1.0 - decay));
                let (beta1, rest1, beta2, rest2) = (e(beta1), e(1.0 - beta1), e(beta2), e(1.0 - beta2));
                for (((w, &g), m), v) in w.iter_mut().zip(g).zip(m.iter_mut()).zip(v.iter_mut()) {
                    *m = beta1 * *m + rest1 * g;
                    *v = beta2 * *v + rest2 * g * g;
                    *w = stay * *w - lr * *m;
                }
            }
            (Update::Adamax { lr, beta1, beta2, epsilon, decay }, [m, u]) => {
                let (lr, stay, [inside, outside]) = (e(lr), e(1.0 - decay), epsilon.places().map(e));
                let (beta1, rest1, beta2) = (e(beta1), e(1.0 - beta1), e(beta2));
                for (((w, &g), m), u) in w.iter_mut().zip(g).zip(m.iter_mut()).zip(u.iter_mut()) {
                    *m = beta1 * *m + rest1 * g;
                    *u = (beta2 * *u).maximum(g.abs() + inside);
                    *w = stay * *w - quotient(lr * *m, *u + outside);
                }
            }
            (Update::Nadam { of_m, of_g, beta1, beta2, epsilon, decay }, [m, v]) => {
                let (of_m, of_g, epsilon, stay) = (e(of_m), e(of_g), e(epsilon), e(1.0 - decay));
                let (beta1, rest1, beta2, rest2) = (e(beta1), e(1.0 - beta1), e(beta2), e(1.0 - beta2));
                for (((w, &g), m), v) in w.iter_mut().zip(g).zip(m.iter_mut()).zip(v.iter_mut()) {
                    *m = beta1 * *m + rest1 * g;
                    *v = beta2 * *v + rest2 * g * g;
                    *w = stay * *w - quotient(of_m * *m + of_g * g, v.sqrt() + epsilon);
                }
            }
            // The number of slots was checked above.
            _ => {}
        }
        Ok(())
    }
}

/// A weight with its gradient and its state, and the step that it makes: one of those that [`Backend::update_all`] makes
/// together.
pub struct WeightStep<'a, B: Backend> {
    /// The step. Weights may differ in it: the bias corrections of one that was thawed late are others.
    pub rule: Update,
    /// The weight.
    pub w: &'a mut B::Array,
    /// Its gradient.
    pub g: &'a B::Array,
    /// Its state, as the rule has it.
    pub state: &'a mut [B::Array],
}

impl<B: Backend> std::fmt::Debug for WeightStep<'_, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WeightStep").field("rule", &self.rule).field("w", &self.w).finish_non_exhaustive()
    }
}

/// One after another; all of them or, where the one number of `when` is 0, none. Errors before the first when shapes or numbers
/// of state arrays differ.
pub fn update_all<B: Backend>(b: &B, steps: &mut [WeightStep<'_, B>], when: Option<&B::Array>) -> Result<()> {
    check_all(b, steps, when)?;
    steps.iter_mut().try_for_each(|WeightStep { rule, w, g, state }| {
        made_when(b, when, w, state, |w, state| b.update(rule, w, g, state))
    })
}

/// Makes a step of a weight and its state, and puts the old numbers back where the one number of `when` is 0, which nobody has
/// read. What was computed in vain has no influence then, not even as NaN.
pub fn made_when<B: Backend>(
    b: &B,
    when: Option<&B::Array>,
    w: &mut B::Array,
    state: &mut [B::Array],
    step: impl FnOnce(&mut B::Array, &mut [B::Array]) -> Result<()>,
) -> Result<()> {
    let Some(when) = when else { return step(w, state) };
    let (old, old_state) = (w.clone(), state.to_vec());
    step(w, state)?;
    *w = b.select(when, w, &old)?;
    for (slot, old) in state.iter_mut().zip(&old_state) {
        *slot = b.select(when, slot, old)?;
    }
    Ok(())
}

/// The step composed of a backend's required operations. Errors when shapes or the number of state arrays differ.
pub fn update<B: Backend>(b: &B, rule: &Update, w: &mut B::Array, g: &B::Array, state: &mut [B::Array]) -> Result<()> {
    check_shapes(b, rule, w, g, state)?;
    let scale = |x: &B::Array, by: f64| b.map(Map::Affine(by, 0.0), x);
    let sum = |x: &B::Array, y: &B::Array| b.zip(Zip::Add, x, y);
    let less = |x: &B::Array, y: &B::Array| b.zip(Zip::Sub, x, y);
    // ρ a + (1-ρ) x
    let average = |a: &B::Array, rho: f64, x: &B::Array| sum(&scale(a, rho)?, &scale(x, 1.0 - rho)?);
    let squared = || b.map(Map::Square, g);
    let decayed = |w: &B::Array, decay: f64| if decay == 0.0 { Ok(w.clone()) } else { scale(w, 1.0 - decay) };
    match (*rule, state) {
        (Update::Sgd { lr, decay }, _) => *w = less(&decayed(w, decay)?, &scale(g, lr)?)?,
        (Update::Momentum { lr, momentum, nesterov, decay }, [v]) => {
            *v = less(&scale(v, momentum)?, &scale(g, lr)?)?;
            let left = decayed(w, decay)?;
            *w = match nesterov {
                true => sum(&left, &less(&scale(v, momentum)?, &scale(g, lr)?)?)?,
                false => sum(&left, v)?,
            };
        }
        (Update::AdaGrad { lr, epsilon }, [a]) => {
            *a = sum(a, &squared()?)?;
            let step = quotients(b, g, &epsilon.root_array(b, a)?, epsilon.number())?;
            *w = less(w, &scale(&step, lr)?)?;
        }
        (Update::AdaDelta { lr, rho, epsilon }, [a, d]) => {
            *a = average(a, rho, &squared()?)?;
            let root = |x: &B::Array| Epsilon::Inside(epsilon).root_array(b, x);
            let delta = quotients(b, &b.zip(Zip::Mul, g, &root(d)?)?, &root(a)?, epsilon)?;
            *d = average(d, rho, &b.map(Map::Square, &delta)?)?;
            *w = less(w, &scale(&delta, lr)?)?;
        }
        (Update::RmsProp { lr, rho, epsilon, momentum, centered }, [a, more @ ..]) => {
            *a = average(a, rho, &squared()?)?;
            let (m, c) = more.split_at_mut(usize::from(momentum > 0.0));
            let mut variance = a.clone();
            if let (true, [c]) = (centered, c) {
                *c = average(c, rho, g)?;
                variance = b.map(Map::Clamp(0.0, f64::INFINITY), &less(a, &b.map(Map::Square, c)?)?)?;
            }
            let root = epsilon.root_array(b, &variance)?;
            let mut step = scale(&quotients(b, g, &root, epsilon.number())?, lr)?;
            if let [m] = m {
                *m = sum(&scale(m, momentum)?, &step)?;
                step = m.clone();
            }
            *w = less(w, &step)?;
        }
        (Update::Adam { lr, beta1, beta2, epsilon, decay, .. }, [m, v, top @ ..]) => {
            *m = average(m, beta1, g)?;
            *v = average(v, beta2, &squared()?)?;
            if let [top] = top {
                *top = b.zip(Zip::Max, top, v)?;
            }
            let root = Epsilon::Outside(epsilon).root_array(b, top.first().unwrap_or(v))?;
            let step = scale(&quotients(b, m, &root, epsilon)?, lr)?;
            *w = less(&scale(w, 1.0 - decay)?, &step)?;
        }
        (Update::AdamMean { lr, beta1, beta2, decay }, [m, v]) => {
            *m = average(m, beta1, g)?;
            *v = average(v, beta2, &squared()?)?;
            *w = less(&decayed(w, decay)?, &scale(m, lr)?)?;
        }
        (Update::Adamax { lr, beta1, beta2, epsilon, decay }, [m, u]) => {
            let [inside, outside] = epsilon.places();
            *m = average(m, beta1, g)?;
            let size = b.map(Map::Affine(1.0, inside), &b.map(Map::Abs, g)?)?;
            *u = b.zip(Zip::Max, &scale(u, beta2)?, &size)?;
            let below = b.map(Map::Affine(1.0, outside), u)?;
            let (zero, quotient) = (b.fill([].into(), 0.0)?, b.zip(Zip::Div, m, &below)?);
            let step = b.select(&b.zip(Zip::Equal, &below, &zero)?, &zero, &quotient)?;
            *w = less(&decayed(w, decay)?, &scale(&step, lr)?)?;
        }
        (Update::Nadam { of_m, of_g, beta1, beta2, epsilon, decay }, [m, v]) => {
            *m = average(m, beta1, g)?;
            *v = average(v, beta2, &squared()?)?;
            let top = sum(&scale(m, of_m)?, &scale(g, of_g)?)?;
            let root = Epsilon::Outside(epsilon).root_array(b, v)?;
            *w = less(&decayed(w, decay)?, &quotients(b, &top, &root, epsilon)?)?;
        }
        // The number of slots was checked above.
        _ => {}
    }
    Ok(())
}

/// The checks that an override makes before it touches anything.
pub fn check_shapes<B: Backend>(b: &B, rule: &Update, w: &B::Array, g: &B::Array, state: &[B::Array]) -> Result<()> {
    rule.check(state.len())?;
    for other in std::iter::once(g).chain(state) {
        check::same_shape("update", b.shape(w), b.shape(other))?;
    }
    Ok(())
}

/// What holds a step back is one number.
pub fn check_when<B: Backend>(b: &B, when: Option<&B::Array>) -> Result<()> {
    match when.map(|when| b.shape(when)) {
        Some(shape) if shape.rank() > 0 => Err(Error::invalid("update", "one number that lets it happen", shape)),
        _ => Ok(()),
    }
}

/// [`check_shapes`] of each, and [`check_when`].
pub fn check_all<B: Backend>(b: &B, steps: &[WeightStep<'_, B>], when: Option<&B::Array>) -> Result<()> {
    check_when(b, when)?;
    steps.iter().try_for_each(|step| check_shapes(b, &step.rule, step.w, step.g, step.state))
}
