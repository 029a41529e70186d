//! The step as a default body over arrays, of one weight and of all.

use super::{Epsilon, Update, WeightStep, check_all, check_shapes};
use crate::backend::{Backend, Map, Zip};
use crate::element::Element;
use crate::error::Result;

impl Epsilon {
    fn root_array<B: Backend>(self, b: &B, v: &B::Array) -> Result<B::Array> {
        match self {
            Epsilon::Inside(e) => b.map(Map::Sqrt, &b.map(Map::Affine(1.0, e), v)?),
            Epsilon::Outside(e) => b.map(Map::Affine(1.0, e), &b.map(Map::Sqrt, v)?),
        }
    }
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
