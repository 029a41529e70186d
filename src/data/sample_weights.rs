//! How much samples, and their steps, count in the loss: of all outputs, and of single ones.

use super::{Dataset, Targets, checks};
use crate::error::{Error, Result};

impl Dataset {
    /// Sets how much each sample counts in the loss of one output of several, or, where it has a target for every step, each step of
    /// each sample, one after the other. [`Dataset::with_weights`], where they are set too, are multiplied with them.
    ///
    /// ```
    /// use elman::data::{Dataset, Inputs, Targets};
    /// let tags = Targets::classes_per_step(&[vec![0, 2, 1], vec![1]])?;
    /// let targets = Targets::record([("tags", tags), ("topic", Targets::classes(vec![1, 0])?)])?;
    /// let data = Dataset::new(Inputs::indices(&[vec![4, 7, 5], vec![6]])?, targets)?
    ///     .with_weights_of("tags", vec![1.0, 0.5, 1.0, 1.0])? // by step
    ///     .with_weights_of("topic", vec![1.0, 3.0])?;
    /// assert_eq!(data.weights_of("topic"), Some(&[1.0, 3.0][..]));
    /// # Ok::<(), elman::Error>(())
    /// ```
    ///
    /// Errors: no targets for an output of this name; those of [`Dataset::with_weights`].
    #[doc(alias = "sample_weight")]
    pub fn with_weights_of(mut self, output: &str, weights: Vec<f32>) -> Result<Self> {
        let place = format!("sample weights of `{output}`");
        let of = match self.targets() {
            Targets::Record(parts) => parts.part(output).map_err(|e| e.at(&place))?,
            other => return Err(Error::invalid(place, "targets of several outputs", other.kind())),
        };
        check(&place, &weights, self.len(), of)?;
        self.weights_of.retain(|(other, _)| other != output);
        self.weights_of.push((output.into(), weights));
        Ok(self)
    }

    /// The weights of single samples or steps of one output of several, where there are any ([`Dataset::with_weights_of`]).
    pub fn weights_of(&self, output: &str) -> Option<&[f32]> {
        self.weights_of.iter().find(|(of, _)| of == output).map(|(_, weights)| weights.as_slice())
    }

    /// The weights of single outputs of some of the samples.
    pub(super) fn selected_weights(&self, rows: &[usize]) -> Vec<(String, Vec<f32>)> {
        let of = |(output, weights): &(String, Vec<f32>)| {
            let targets = self.targets().part(Some(output)).unwrap_or(self.targets());
            (output.clone(), select(weights, rows, self.len(), targets))
        };
        self.weights_of.iter().map(of).collect()
    }

    /// What the samples, or the steps, of an output count in all, or of the only one.
    pub(crate) fn all_weights(&self, output: Option<&str>) -> Option<Vec<f32>> {
        let own = output.and_then(|output| self.weights_of(output));
        match (own, &self.weights) {
            (Some(own), Some(all)) => {
                let mut each = own.to_vec();
                spread(&mut each, all, self.targets().part(output).unwrap_or(self.targets()));
                Some(each)
            }
            (own, all) => own.or(all.as_deref()).map(<[f32]>::to_vec),
        }
    }

    /// The same as they lie in a block of all steps, where there is one a step and the samples have lengths of their own.
    pub(crate) fn weights_in_block(&self, output: Option<&str>) -> Option<Vec<f32>> {
        let weights = self.all_weights(output)?;
        Some(match self.targets().part(output) {
            Some(Targets::RaggedClasses(rows)) if weights.len() != self.len() => rows.stretched(&weights, 1, 0.0),
            Some(Targets::RaggedValues(rows)) if weights.len() != self.len() => rows.stretched(&weights, 1, 0.0),
            _ => weights,
        })
    }

    /// The names of the outputs that have weights of their own.
    pub(crate) fn weighted_outputs(&self) -> impl Iterator<Item = &str> {
        self.weights_of.iter().map(|(output, _)| output.as_str())
    }
}

/// Multiplies weights of samples or steps by others, which are one a sample or as many.
pub(super) fn spread(each: &mut [f32], by: &[f32], targets: &Targets) {
    if each.len() == by.len() {
        return each.iter_mut().zip(by).for_each(|(weight, by)| *weight *= by);
    }
    // A weight a sample, for all of its steps.
    for (sample, by) in by.iter().enumerate() {
        let steps = targets.steps(sample).unwrap_or(sample..sample + 1);
        each[steps].iter_mut().for_each(|weight| *weight *= by);
    }
}

/// Those of some of the samples.
pub(super) fn select(weights: &[f32], rows: &[usize], samples: usize, targets: &Targets) -> Vec<f32> {
    if weights.len() == samples {
        return checks::gather(weights, 1, rows);
    }
    rows.iter().flat_map(|&row| &weights[targets.steps(row).unwrap_or(row..row + 1)]).copied().collect()
}

/// Errors: not one weight for each sample or step; one that is negative, NaN or infinite.
pub(super) fn check(place: &str, weights: &[f32], samples: usize, targets: &Targets) -> Result<()> {
    let steps = samples.checked_sub(1).and_then(|last| targets.steps(last)).map(|steps| steps.end);
    if weights.len() != samples && Some(weights.len()) != steps {
        let each = steps.map_or_else(String::new, |steps| format!(", or of their {steps} steps"));
        let expected = format!("a weight for each of the {samples} samples{each}");
        return Err(Error::invalid(place, expected, format!("{} weights", weights.len())));
    }
    if let Some(sample) = weights.iter().position(|w| !w.is_finite() || *w < 0.0) {
        let by_step = weights.len() != samples;
        let place = format!("{place}, {} {sample}", if by_step { "step" } else { "sample" });
        return Err(Error::invalid(place, "a finite weight of at least 0", weights[sample]));
    }
    Ok(())
}
