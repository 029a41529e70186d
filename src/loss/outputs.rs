//! [`Outputs`]: what a loss takes a model's numbers for.

use crate::activation::Activation;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How far the sum of a row of probabilities may be from 1, and one of them from `[0, 1]`: numbers that were rounded to two
/// places pass (three times 0.33), and what is no probability at all (counts, percentages, several labels a row,
/// logits) is farther off.
pub(crate) const TOLERANCE: f64 = 0.02;

/// What the numbers are that a model gives, by the loss it is trained with: whether a row has one class or several
/// labels, and on what scale. Metrics, [`Predictions::classes`](crate::model::Predictions::classes) and
/// [`Predictions::labels`](crate::model::Predictions::labels) decide by it, so that a single output is cut at 1/2 where it is
/// a probability and at 0 where it is a logit or a margin.
///
/// ```
/// use elman::loss::{BinaryCrossEntropy, Hinge, Loss, Outputs, Scale};
/// use elman_reference::Reference;
/// type B = Reference<f32>;
/// assert_eq!(Loss::<B>::outputs(&BinaryCrossEntropy::new()).threshold(), 0.5);
/// assert_eq!(Loss::<B>::outputs(&BinaryCrossEntropy::from_logits()), Outputs::Labels(Scale::Logits));
/// assert_eq!(Loss::<B>::outputs(&Hinge).threshold(), 0.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outputs {
    /// Not known: regression, or a loss of one's own that does not say. Nothing is refused; a row is taken to have one
    /// class, the greatest output, or of a single one whether it is above 1/2.
    #[default]
    Unknown,
    /// One class a row, of as many as there are outputs.
    Class(Scale),
    /// Each output is a yes or no of its own: a single one, or several labels a row (where targets are numbers; with class
    /// labels as targets a row has one class, the greatest output).
    Labels(Scale),
}

/// The scale of a model's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Scale {
    /// From 0 to 1; 1/2 is the border of yes and no.
    #[default]
    Probabilities,
    /// Any number, with 0 as the border of yes and no: logits, and the margins of a hinge.
    Logits,
    /// Logarithms of probabilities.
    LogProbabilities,
}

impl Outputs {
    /// What a single output must exceed to mean yes: 0 on the scale of logits, 1/2 otherwise (its logarithm on that of
    /// log-probabilities).
    pub fn threshold(self) -> f32 {
        match self.scale() {
            Some(Scale::Logits) => 0.0,
            Some(Scale::LogProbabilities) => -std::f32::consts::LN_2,
            _ => 0.5,
        }
    }

    /// The scale, where it is known.
    pub fn scale(self) -> Option<Scale> {
        match self {
            Outputs::Unknown => None,
            Outputs::Class(scale) | Outputs::Labels(scale) => Some(scale),
        }
    }

    /// Errors when a model whose last activation is `last` cannot give such numbers; `loss` is the name of the loss.
    ///
    /// ```
    /// use elman::Activation;
    /// use elman::loss::{Outputs, Scale};
    /// let error = Outputs::Class(Scale::Probabilities).check_last("cross-entropy", Activation::Tanh).unwrap_err();
    /// assert!(error.to_string().starts_with("cross-entropy: expected probabilities of the classes, so a model that ends in softmax"));
    /// ```
    pub fn check_last(self, loss: &str, last: Activation) -> Result<()> {
        use Activation::{LogSigmoid, LogSoftmax, Relu, Relu6, Softmax, Softplus};
        let sigmoid = last.is_sigmoid();
        let fits = match self {
            Outputs::Unknown => true,
            Outputs::Class(Scale::Probabilities) => last == Softmax,
            // Softmax twice would flatten the probabilities. That of log-probabilities is the softmax itself.
            Outputs::Class(Scale::Logits) => !(sigmoid || last == Softmax),
            Outputs::Class(Scale::LogProbabilities) => last == LogSoftmax,
            Outputs::Labels(Scale::Probabilities) => sigmoid || last == Softmax,
            // What is never on one side of 0 always says yes, or always no.
            Outputs::Labels(Scale::Logits) => {
                !(sigmoid || matches!(last, Softmax | LogSoftmax | Relu | Relu6 | Softplus | LogSigmoid))
            }
            Outputs::Labels(Scale::LogProbabilities) => last == LogSoftmax,
        };
        if fits { Ok(()) } else { Err(Error::invalid(loss, self, format!("a model that ends in {last}"))) }
    }

    /// Errors when numbers that a model gave, rows of `outputs` of them, are not what the loss takes them for. Rows in which a
    /// number is not finite, or every one is 0 (masked steps), are passed over.
    pub(crate) fn check_numbers<'a>(self, loss: &str, rows: impl Iterator<Item = &'a [f32]>) -> Result<()> {
        let within = |x: f64| (-TOLERANCE..=1.0 + TOLERANCE).contains(&x);
        let sum_to_one = |row: &[f32], f: fn(f64) -> f64| {
            let sum: f64 = row.iter().map(|&x| f(f64::from(x))).sum();
            ((sum - 1.0).abs() > TOLERANCE).then(|| format!("a row of them that sums to {sum:.4}"))
        };
        for row in rows.filter(|row| row.iter().all(|x| x.is_finite()) && row.iter().any(|&x| x != 0.0)) {
            let outside = || row.iter().find(|&&x| !within(f64::from(x))).map(|x| format!("an output of {x}"));
            let found = match self {
                Outputs::Labels(Scale::Probabilities) => outside(),
                Outputs::Class(Scale::Probabilities) => outside().or_else(|| sum_to_one(row, |x| x)),
                Outputs::Class(Scale::LogProbabilities) => sum_to_one(row, f64::exp),
                _ => None,
            };
            if let Some(found) = found {
                return Err(Error::invalid(loss, self, found));
            }
        }
        Ok(())
    }
}

/// What is expected, and what to do when something else came.
impl fmt::Display for Outputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Outputs::Unknown => "numbers",
            Outputs::Class(Scale::Probabilities) => {
                "probabilities of the classes, so a model that ends in softmax (or the loss `from_logits` behind a linear layer)"
            }
            Outputs::Class(Scale::Logits) => {
                "logits, so a model that ends in a linear layer (or the loss on probabilities)"
            }
            Outputs::Class(Scale::LogProbabilities) | Outputs::Labels(Scale::LogProbabilities) => {
                "log-probabilities, so a model that ends in log_softmax"
            }
            Outputs::Labels(Scale::Probabilities) => {
                "probabilities from 0 to 1, so a model that ends in sigmoid (or the loss `from_logits` behind a linear layer)"
            }
            Outputs::Labels(Scale::Logits) => {
                "logits or margins of both signs, so a model that ends in a linear layer (or a loss on probabilities)"
            }
        })
    }
}
