//! [`Ensemble`]: several steppers as one.

use super::{Scores, Stepper};
use crate::error::{Error, Result};

/// Steppers over the same tokens that read the same sequences; what may come next is scored by the mean of their logarithms of
/// probabilities. Of several kinds with `Box<dyn Stepper>`.
///
/// ```
/// use elman::Spec;
/// use elman::decode::{Decoder, Ensemble, Sampler, generate};
/// use elman::layers::{Dense, Embedding, Gru, Sequential};
/// use elman_reference::Reference;
///
/// let network = Sequential::new().add(Embedding::new(5, 3)).add(Gru::new(4).return_sequences()).add(Dense::new(5));
/// let build = |seed| network.build(&Reference::<f32>::new(), Spec::Indices(None), seed);
/// let (one, other) = (build(0)?, build(1)?);
/// let both = Ensemble::new(vec![Decoder::new(&one)?, Decoder::new(&other)?])?;
/// let tokens = generate(both, &[2], &Sampler::new(), elman::Key::new(0))?;
/// assert_eq!(tokens.take(3).count(), 3);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ensemble<S>(Vec<S>);

impl<S: Stepper> Ensemble<S> {
    /// Errors unless there is at least one, and all have as many rows.
    pub fn new(members: Vec<S>) -> Result<Self> {
        let rows: Vec<usize> = members.iter().map(Stepper::rows).collect();
        if rows.is_empty() || rows.iter().any(|&count| count != rows[0]) {
            let expected = "at least one stepper, all of as many rows";
            return Err(Error::invalid("ensemble", expected, format!("steppers of {rows:?} rows")));
        }
        Ok(Ensemble(members))
    }

    /// The mean of what the members give.
    fn mean(&mut self, each: impl Fn(&mut S) -> Result<Scores>) -> Result<Scores> {
        let given = self.0.iter_mut().map(each).collect::<Result<Vec<_>>>()?;
        let (rows, vocabulary) = (given[0].rows(), given[0].vocabulary());
        if let Some(other) = given.iter().find(|scores| scores.vocabulary() != vocabulary) {
            let expected = format!("steppers over one vocabulary of {vocabulary} tokens");
            return Err(Error::invalid("ensemble", expected, format!("one of {}", other.vocabulary())));
        }
        let mut data = Vec::with_capacity(rows * vocabulary);
        for row in 0..rows {
            let each: Vec<Vec<f64>> = given.iter().map(|scores| scores.log_probabilities(row)).collect();
            let mean = |token: usize| each.iter().map(|row| row[token]).sum::<f64>() / each.len() as f64;
            data.extend((0..vocabulary).map(|token| mean(token) as f32));
        }
        Scores::new(data, rows)
    }
}

impl<S: Stepper> Stepper for Ensemble<S> {
    fn rows(&self) -> usize {
        self.0[0].rows()
    }

    // A member that fails leaves those before it a step ahead.
    fn step(&mut self, tokens: &[u32]) -> Result<Scores> {
        self.mean(|member| member.step(tokens))
    }

    fn select(&mut self, rows: &[usize]) -> Result<()> {
        self.0.iter_mut().try_for_each(|member| member.select(rows))
    }

    fn prime(&mut self, prompt: &[u32]) -> Result<Scores> {
        self.mean(|member| member.prime(prompt))
    }
}
