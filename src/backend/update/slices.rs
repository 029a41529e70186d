//! The step as one pass over slices, for arrays in host memory.

use super::{Epsilon, Update};
use crate::element::Element;
use crate::error::Result;

/// `x / y`, and 0 where `y` is 0.
#[inline(always)]
fn quotient<E: Element>(x: E, y: E) -> E {
    if y == E::ZERO { E::ZERO } else { x / y }
}
impl Epsilon {
    #[inline(always)]
    fn root<E: Element>(self, v: E) -> E {
        match self {
            Epsilon::Inside(e) => (v + E::from_f64(e)).sqrt(),
            Epsilon::Outside(e) => v.sqrt() + E::from_f64(e),
        }
    }
}

impl Update {
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
