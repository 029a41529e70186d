//! Measures of a language model that are read off its loss: no prediction leaves the device.

use super::{Metric, Needs, Scores, described, numbers, other_state};
use crate::description::Description;
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// What the loss has summed up to.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    loss: f64,
    count: f64,
}

impl Sum {
    fn mean(&self) -> f64 {
        if self.count == 0.0 { f64::NAN } else { self.loss / self.count }
    }
}

macro_rules! of_the_loss {
    ($name:ident, $default:literal, $value:expr) => {
        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl $name {
            /// Of no batch yet, under its usual name.
            pub fn new() -> Self {
                $name { name: $default.into(), sum: Sum::default() }
            }

            /// Under another name, where there are several.
            pub fn named(self, name: impl Into<String>) -> Self {
                $name { name: name.into(), ..self }
            }
        }

        impl Metric for $name {
            fn name(&self) -> &str {
                &self.name
            }

            fn reset(&mut self) {
                self.sum = Sum::default();
            }

            fn update(&mut self, _: &Scores<'_>) -> Result<()> {
                Ok(())
            }

            fn needs(&self) -> Needs {
                Needs::Loss
            }

            fn update_loss(&mut self, mean: f64, count: f64) {
                self.sum.loss += mean * count;
                self.sum.count += count;
            }

            fn value(&self) -> f64 {
                let value: fn(f64) -> f64 = $value;
                value(self.sum.mean())
            }

            fn state(&self) -> Option<Vec<f64>> {
                Some(vec![self.sum.loss, self.sum.count])
            }

            fn restore(&mut self, state: &[f64]) -> Result<()> {
                let [loss, count] = numbers(&self.name, state)?;
                if !(count.is_finite() && count >= 0.0) {
                    return Err(other_state(&self.name, "a count of at least 0", state));
                }
                self.sum = Sum { loss, count };
                Ok(())
            }

            fn higher_is_better(&self) -> bool {
                false
            }

            fn describe(&self) -> Result<Description> {
                described($default, self)
            }

            fn boxed_clone(&self) -> Box<dyn Metric> {
                Box::new(self.clone())
            }
        }
    };
}

/// `exp(loss)` over all steps that count, penalties left out: with a cross-entropy the number of words between which a language
/// model is as unsure as if they were equally likely (Jelinek and others, 1977). The loss must be a cross-entropy in nats, which all
/// of ours are. NaN where nothing counted.
///
/// ```
/// use elman::metrics::{Metric, Perplexity};
/// let mut perplexity = Perplexity::new();
/// // Three steps of a half each, and one that was sure.
/// perplexity.update_loss(2.0f64.ln(), 3.0);
/// perplexity.update_loss(0.0, 1.0);
/// assert!((perplexity.value() - 2.0f64.powf(0.75)).abs() < 1e-12);
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct Perplexity {
    name: String,
    #[serde(skip)]
    sum: Sum,
}

of_the_loss!(Perplexity, "perplexity", f64::exp);

/// `loss / ln 2` over all steps that count, penalties left out: the bits that a language model over characters needs for one
/// of them (over bytes: for a byte). The loss must be a cross-entropy in nats. NaN where nothing counted.
///
/// ```
/// use elman::metrics::{BitsPerCharacter, Metric};
/// let mut bits = BitsPerCharacter::new();
/// bits.update_loss(8.0f64.ln(), 5.0);
/// assert!((bits.value() - 3.0).abs() < 1e-12);
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct BitsPerCharacter {
    name: String,
    #[serde(skip)]
    sum: Sum,
}

of_the_loss!(BitsPerCharacter, "bits_per_character", |loss| loss / std::f64::consts::LN_2);
