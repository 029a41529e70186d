//! Errors of a regression: mean squared and mean absolute.

use super::scores::Target;
use super::{Metric, Scores, described, numbers, ratio};
use crate::description::Description;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// The two metrics differ in a name and a formula; their common parts are written here once.
macro_rules! mean_error {
    ($(#[$doc:meta])* $type:ident, $name:literal, $error:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        #[must_use]
        pub struct $type {
            name: String,
            #[serde(skip)]
            sum: f64,
            #[serde(skip)]
            count: f64,
        }

        impl $type {
            #[doc = concat!("Named `", $name, "`.")]
            pub fn new() -> Self {
                $type { name: $name.into(), sum: 0.0, count: 0.0 }
            }

            /// Sets the name.
            pub fn named(mut self, name: impl Into<String>) -> Self {
                self.name = name.into();
                self
            }
        }

        impl Default for $type {
            fn default() -> Self {
                Self::new()
            }
        }

        impl Metric for $type {
            fn name(&self) -> &str {
                &self.name
            }

            fn reset(&mut self) {
                (self.sum, self.count) = (0.0, 0.0);
            }

            fn update(&mut self, batch: &Scores<'_>) -> Result<()> {
                let (sum, count) = total(&self.name, batch, $error)?;
                self.sum += sum;
                self.count += count;
                Ok(())
            }

            fn value(&self) -> f64 {
                ratio(self.sum, self.count)
            }

            fn higher_is_better(&self) -> bool {
                false
            }

            fn state(&self) -> Option<Vec<f64>> {
                Some(vec![self.sum, self.count])
            }

            fn restore(&mut self, state: &[f64]) -> Result<()> {
                [self.sum, self.count] = numbers(&self.name, state)?;
                Ok(())
            }

            fn describe(&self) -> Result<Description> {
                described($name, self)
            }

            fn boxed_clone(&self) -> Box<dyn Metric> {
                Box::new(self.clone())
            }
        }
    };
}

mean_error! {
    /// The mean of `(prediction - target)²` over all rows and outputs, a row's share by its weight.
    ///
    /// ```
    /// use elman::metrics::{MeanSquaredError, Metric, Scores, TargetsRef};
    /// let mut error = MeanSquaredError::new();
    /// error.update(&Scores::new(&[1.0, 2.0], 1, TargetsRef::Values(&[1.0, 5.0])))?;
    /// assert_eq!(error.value(), 4.5);
    /// # Ok::<(), elman::Error>(())
    /// ```
    MeanSquaredError, "mean_squared_error", |difference| difference * difference
}
mean_error! {
    /// The mean of `|prediction - target|` over all rows and outputs, a row's share by its weight.
    MeanAbsoluteError, "mean_absolute_error", f64::abs
}

/// The weighted sum of the errors of a batch, and the weight of all its numbers.
fn total(place: &str, batch: &Scores<'_>, error: impl Fn(f64) -> f64) -> Result<(f64, f64)> {
    let (mut sum, mut count) = (0.0, 0.0);
    batch.each_row(place, |row| {
        let Target::Values(targets) = row.target else {
            return Err(Error::invalid(place, "targets that are numbers", "classes"));
        };
        let pairs = row.predictions.iter().zip(targets);
        sum += row.weight * pairs.map(|(&x, &t)| error(f64::from(x) - f64::from(t))).sum::<f64>();
        count += row.weight * targets.len() as f64;
        Ok(())
    })?;
    Ok((sum, count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::TargetsRef::{Classes, Values};

    #[test]
    fn means_are_over_all_numbers_by_weight() {
        let mut metrics: [Box<dyn Metric>; 2] = [Box::new(MeanSquaredError::new()), Box::new(MeanAbsoluteError::new())];
        // Errors 1, 3 in a row of weight 1, then 2, 0 in a row of weight 3, then a row that does not count.
        let predictions = [1.0, -3.0, 2.0, 5.0, f32::NAN, 0.0];
        let targets = [0.0, 0.0, 0.0, 5.0, 0.0, 0.0];
        let batch = Scores { weights: Some(&[1.0, 3.0, 0.0]), ..Scores::new(&predictions, 2, Values(&targets)) };
        for (metric, expected) in metrics.iter_mut().zip([(10. + 3. * 4.) / 8., (4. + 3. * 2.) / 8.]) {
            assert_eq!(metric.value(), 0.0);
            metric.update(&batch).unwrap();
            assert_eq!((metric.value(), metric.higher_is_better()), (expected, false));
            metric.reset();
            metric.update(&batch).unwrap();
            assert_eq!(metric.value(), expected);
            metric.update(&Scores::new(&[0.0, 0.0], 2, Values(&[0.0, 0.0]))).unwrap();
            assert_eq!(metric.value(), expected * 8.0 / 10.0);
            let error = metric.update(&Scores::new(&[0.0], 1, Classes(&[0]))).unwrap_err().to_string();
            assert_eq!(error, format!("{}: expected targets that are numbers, found classes", metric.name()));
        }
    }
}
