//! Learning rates that depend on the step (L7).

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;
use std::fmt;
use std::sync::Arc;

/// A factor of the base learning rate for every step, from 0. With [`accumulate`](super::Optimizer::accumulate) each
/// call is a step, as in Keras, so that accumulation leaves the course what it is.
///
/// Keras' schedules contain the rate itself; here the rule has the base rate and the schedule its course, so that a
/// course can be given to any rule and a callback can lower the base: `ExponentialDecay(0.1, 100, 0.96)` is
/// `Sgd::new(0.1)` with `Schedule::exponential(100, 0.96)`. PyTorch's `LambdaLR` has factors too.
///
/// ```
/// use elman::optim::{Optimizer, Schedule, Sgd};
/// # use elman_reference::Reference;
///
/// // 100 steps up from 0, then down along a cosine to a tenth.
/// let course = Schedule::cosine(1000, 0.1).warm_up(100, 0.0);
/// assert_eq!((course.at(50), course.at(100), course.at(5000)), (0.5, 1.0, 0.1));
/// let optimizer = Optimizer::new(Sgd::new(0.2)).schedule(course);
/// # let optimizer: Optimizer<Reference<f32>> = optimizer;
/// ```
#[derive(Clone, Default, Serialize, Deserialize)]
#[non_exhaustive]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[must_use]
pub enum Schedule {
    /// 1 throughout.
    #[default]
    Constant,
    /// `factors[i]`, where `i` is the number of boundaries below the step: a boundary's own step still has the factor
    /// before it. Keras' `PiecewiseConstantDecay`; PyTorch's `MultiStepLR` changes one step earlier.
    Piecewise {
        /// Ascending.
        boundaries: Vec<u64>,
        /// One more than boundaries.
        factors: Vec<f64>,
    },
    /// `rate^(step / steps)`. Keras' `ExponentialDecay`; as a staircase PyTorch's `StepLR`.
    Exponential {
        /// Steps in which the factor is multiplied by `rate` once.
        steps: u64,
        /// What it is multiplied by.
        rate: f64,
        /// Only whole multiples of `steps` count.
        staircase: bool,
    },
    /// `1 / (1 + rate step / steps)`: the `1/t` of stochastic approximation (Robbins and Monro, 1951). Keras'
    /// `InverseTimeDecay`.
    InverseTime {
        /// Steps in which the divisor grows by `rate`.
        steps: u64,
        /// What it grows by.
        rate: f64,
        /// Only whole multiples of `steps` count.
        staircase: bool,
    },
    /// `end + (1 - end) (1 - step / steps)^power`, then `end`. Keras' `PolynomialDecay` without cycles; its default
    /// `end` is an absolute 0.0001, its default `power` 1.
    Polynomial {
        /// Steps until the end.
        steps: u64,
        /// The last factor.
        end: f64,
        /// 1 for a straight line.
        power: f64,
    },
    /// `end + (1 - end) (1 + cos(π step / steps)) / 2`, then `end` (Loshchilov and Hutter, 2017, without restarts).
    /// Keras' `CosineDecay` with `alpha = end`; PyTorch's `CosineAnnealingLR`, which rises again after the end.
    Cosine {
        /// Steps until the end.
        steps: u64,
        /// The last factor.
        end: f64,
    },
    /// In a straight line from `from` times the first factor of `then` up to it, then `then` from its own step 0 (Goyal
    /// et al., 2017). Before a cosine it is the warm-up of Keras' `CosineDecay`.
    WarmUp {
        /// Steps until `then` begins.
        steps: u64,
        /// Where it starts, as a part of `then`'s first factor.
        from: f64,
        /// What follows.
        then: Box<Schedule>,
    },
    /// Any function of the step. It cannot be described.
    #[serde(skip)]
    Function {
        /// For messages.
        name: String,
        /// From the step to the factor.
        factor: Arc<dyn Fn(u64) -> f64 + Send + Sync>,
    },
}

impl Schedule {
    /// [`Schedule::Piecewise`].
    pub fn piecewise(boundaries: impl Into<Vec<u64>>, factors: impl Into<Vec<f64>>) -> Self {
        Schedule::Piecewise { boundaries: boundaries.into(), factors: factors.into() }
    }

    /// [`Schedule::Exponential`], smooth.
    pub fn exponential(steps: u64, rate: f64) -> Self {
        Schedule::Exponential { steps, rate, staircase: false }
    }

    /// [`Schedule::Exponential`] in a staircase: every `steps` steps the factor is multiplied by `rate`.
    pub fn staircase(steps: u64, rate: f64) -> Self {
        Schedule::Exponential { steps, rate, staircase: true }
    }

    /// [`Schedule::InverseTime`], smooth.
    pub fn inverse_time(steps: u64, rate: f64) -> Self {
        Schedule::InverseTime { steps, rate, staircase: false }
    }

    /// In a straight line from 1 to `end`: [`Schedule::Polynomial`] with power 1.
    pub fn linear(steps: u64, end: f64) -> Self {
        Schedule::polynomial(steps, end, 1.0)
    }

    /// [`Schedule::Polynomial`].
    pub fn polynomial(steps: u64, end: f64, power: f64) -> Self {
        Schedule::Polynomial { steps, end, power }
    }

    /// [`Schedule::Cosine`].
    pub fn cosine(steps: u64, end: f64) -> Self {
        Schedule::Cosine { steps, end }
    }

    /// This schedule after a warm-up: [`Schedule::WarmUp`].
    pub fn warm_up(self, steps: u64, from: f64) -> Self {
        Schedule::WarmUp { steps, from, then: Box::new(self) }
    }

    /// Any function of the step, with a name for messages.
    ///
    /// ```
    /// use elman::optim::Schedule;
    /// let inverse_root = Schedule::by_function("inverse root", |step| 1.0 / ((step + 1) as f64).sqrt());
    /// assert_eq!(inverse_root.at(3), 0.5);
    /// ```
    pub fn by_function(name: impl Into<String>, factor: impl Fn(u64) -> f64 + Send + Sync + 'static) -> Self {
        Schedule::Function { name: name.into(), factor: Arc::new(factor) }
    }

    /// The factor at a step, from 0.
    pub fn at(&self, step: u64) -> f64 {
        let progress = |steps: u64| step as f64 / steps as f64;
        let part = |steps: u64, staircase: bool| if staircase { progress(steps).floor() } else { progress(steps) };
        match *self {
            Schedule::Constant => 1.0,
            Schedule::Piecewise { ref boundaries, ref factors } => {
                // The check keeps the index in range; a schedule that was never checked must not panic either.
                factors.get(boundaries.partition_point(|&boundary| boundary < step)).copied().unwrap_or(f64::NAN)
            }
            Schedule::Exponential { steps, rate, staircase } => rate.powf(part(steps, staircase)),
            Schedule::InverseTime { steps, rate, staircase } => 1.0 / (1.0 + rate * part(steps, staircase)),
            Schedule::Polynomial { steps, end, power } => {
                (1.0 - end) * (1.0 - progress(steps).min(1.0)).powf(power) + end
            }
            Schedule::Cosine { steps, end } => {
                let cosine = 0.5 * (1.0 + (PI * progress(steps).min(1.0)).cos());
                (1.0 - end) * cosine + end
            }
            Schedule::WarmUp { steps, from, ref then } if step < steps => {
                then.at(0) * ((1.0 - from) * progress(steps) + from)
            }
            Schedule::WarmUp { steps, ref then, .. } => then.at(step - steps),
            Schedule::Function { ref factor, .. } => factor(step),
        }
    }

    /// Errors when the numbers make no schedule.
    pub fn check(&self) -> Result<()> {
        let number = |option: &str, value: f64| match value.is_finite() && value >= 0.0 {
            true => Ok(()),
            false => Err(Error::invalid(format!("schedule: {option}"), "a finite number from 0 on", value)),
        };
        let positive = |steps: u64| match steps > 0 {
            true => Ok(()),
            false => Err(Error::invalid("schedule: steps", "at least 1", steps)),
        };
        match self {
            Schedule::Constant | Schedule::Function { .. } => Ok(()),
            Schedule::Piecewise { boundaries, factors } => {
                if factors.len() != boundaries.len() + 1 {
                    let expected = format!("{} factors, one more than boundaries", boundaries.len() + 1);
                    return Err(Error::invalid("schedule: piecewise", expected, factors.len()));
                }
                if !boundaries.is_sorted_by(|a, b| a < b) {
                    return Err(Error::invalid("schedule: boundaries", "ascending", format!("{boundaries:?}")));
                }
                factors.iter().try_for_each(|&factor| number("factor", factor))
            }
            Schedule::Exponential { steps, rate, .. } | Schedule::InverseTime { steps, rate, .. } => {
                positive(*steps)?;
                number("rate", *rate)
            }
            Schedule::Polynomial { steps, end, power } => {
                positive(*steps)?;
                number("end", *end)?;
                number("power", *power)
            }
            Schedule::Cosine { steps, end } => {
                positive(*steps)?;
                number("end", *end)
            }
            Schedule::WarmUp { from, then, .. } => {
                number("from", *from)?;
                then.check()
            }
        }
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schedule::Constant => f.write_str("constant"),
            Schedule::Piecewise { boundaries, factors } => write!(f, "piecewise({boundaries:?}, {factors:?})"),
            Schedule::Exponential { steps, rate, staircase: false } => write!(f, "exponential({steps}, {rate})"),
            Schedule::Exponential { steps, rate, staircase: true } => write!(f, "staircase({steps}, {rate})"),
            Schedule::InverseTime { steps, rate, staircase } => write!(f, "inverse_time({steps}, {rate}, {staircase})"),
            Schedule::Polynomial { steps, end, power } => write!(f, "polynomial({steps}, {end}, {power})"),
            Schedule::Cosine { steps, end } => write!(f, "cosine({steps}, {end})"),
            Schedule::WarmUp { steps, from, then } => write!(f, "{then:?}.warm_up({steps}, {from})"),
            Schedule::Function { name, .. } => write!(f, "by_function({name:?})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-15, "{found}, expected {expected}");
    }

    /// Worked out by hand from the formulas of Keras' documentation.
    #[test]
    fn factors_are_those_of_the_formulas() {
        near(Schedule::exponential(4, 0.25).at(2), 0.5);
        assert_eq!([3, 4, 8].map(|step| Schedule::staircase(4, 0.5).at(step)), [1.0, 0.5, 0.25]);
        near(Schedule::inverse_time(2, 0.5).at(4), 0.5);
        let stairs = Schedule::InverseTime { steps: 2, rate: 0.5, staircase: true };
        assert_eq!(stairs.at(3), 1.0 / 1.5);
        assert_eq!([0, 5, 10, 99].map(|step| Schedule::linear(10, 0.5).at(step)), [1.0, 0.75, 0.5, 0.5]);
        near(Schedule::polynomial(10, 0.0, 2.0).at(5), 0.25);
        near(Schedule::cosine(6, 0.0).at(2), 0.75);
        near(Schedule::cosine(6, 0.2).at(3), 0.6);
        near(Schedule::cosine(6, 0.2).at(60), 0.2);
    }

    /// Keras: "values[0] when step <= boundaries[0]".
    #[test]
    fn a_boundary_still_has_the_factor_before_it() {
        let course = Schedule::piecewise([2, 4], [1.0, 0.5, 0.1]);
        assert_eq!([0, 2, 3, 4, 5].map(|step| course.at(step)), [1.0, 1.0, 0.5, 0.5, 0.1]);
    }

    #[test]
    fn a_warm_up_leads_to_the_first_factor_of_what_follows() {
        let course = Schedule::linear(4, 0.0).warm_up(4, 0.5);
        assert_eq!([0, 2, 4, 6, 8].map(|step| course.at(step)), [0.5, 0.75, 1.0, 0.5, 0.0]);
        assert_eq!(Schedule::Constant.warm_up(0, 0.0).at(0), 1.0);
    }

    #[test]
    fn wrong_numbers_are_errors() {
        let wrong = [
            Schedule::exponential(0, 0.5),
            Schedule::exponential(1, f64::NAN),
            Schedule::cosine(10, -0.1).warm_up(5, 0.0),
            Schedule::linear(10, 0.1).warm_up(5, f64::INFINITY),
            Schedule::piecewise([1, 2], [1.0, 0.5]),
            Schedule::piecewise([2, 2], [1.0, 0.5, 0.1]),
        ];
        for schedule in wrong {
            assert!(schedule.check().is_err(), "{schedule:?}");
        }
        assert!(Schedule::piecewise([1, 2], [1.0]).at(9).is_nan());
    }
}
