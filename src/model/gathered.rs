//! The outputs of batches, in whatever order they come, as one block on the host.

use super::tally::{NUMBERS, to_f32, together};
use crate::backend::Backend;
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// Outputs of all samples.
pub(super) struct Gathered<'a, B: Backend> {
    backend: &'a B,
    data: Vec<f32>,
    /// `[samples, ..]`, known with the first batch.
    shape: Vec<usize>,
    /// Where every step of sequences of their own lengths has an output: the greatest of the lengths.
    longest: Option<usize>,
    samples: usize,
    /// What has not been read back: the samples and their outputs.
    pending: Vec<(Vec<usize>, Tensor<B>)>,
    numbers: usize,
}

impl<'a, B: Backend> Gathered<'a, B> {
    /// Of so many inputs; where there are outputs of all steps, of which batches have as many as their longest sequence, the steps of
    /// the `longest` of all.
    pub(super) fn new(backend: &'a B, samples: usize, longest: Option<usize>) -> Self {
        let pending = Vec::new();
        Gathered { backend, data: Vec::new(), shape: Vec::new(), longest, samples, pending, numbers: 0 }
    }

    /// The outputs of some samples; read back when enough of them have piled up.
    pub(super) fn add(&mut self, rows: &[usize], y: &Tensor<B>) -> Result<()> {
        let shape = y.shape();
        let mut sizes = shape.get(1..).unwrap_or_default().to_vec();
        if let (Some(longest), Some(steps)) = (self.longest, sizes.first_mut()) {
            // Another input than the longest may decide.
            let most = longest.max(*steps);
            self.longest = Some(most);
            *steps = most;
        }
        if let (false, Some(&steps)) = (self.shape.is_empty(), self.longest.and(sizes.first())) {
            self.lengthen(steps);
        }
        if self.shape.is_empty() {
            self.shape = [&[self.samples], &sizes[..]].concat();
            self.data = vec![0.0; self.shape.iter().product()];
        }
        if shape.first() != Some(&rows.len()) || self.shape[1..] != sizes[..] {
            let expected = format!("outputs of {} samples of shape {:?}", rows.len(), &self.shape[1..]);
            return Err(Error::invalid("predict", expected, format!("shape {shape}")));
        }
        self.numbers += shape.elements();
        self.pending.push((rows.to_vec(), y.clone()));
        if self.numbers > NUMBERS { self.flush() } else { Ok(()) }
    }

    /// Makes room for outputs of so many steps.
    fn lengthen(&mut self, steps: usize) {
        if self.shape[1] >= steps {
            return;
        }
        let before = self.shape[1..].iter().product::<usize>();
        self.shape[1] = steps;
        let now = self.shape[1..].iter().product::<usize>();
        let mut data = vec![0.0; self.samples * now];
        for (row, old) in data.chunks_exact_mut(now.max(1)).zip(self.data.chunks_exact(before.max(1))) {
            row[..before].copy_from_slice(old);
        }
        self.data = data;
    }

    fn flush(&mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        self.numbers = 0;
        let numbers = to_f32(together(self.backend, pending.iter().map(|(_, y)| y.value()))?);
        let (mut rest, each) = (&numbers[..], self.shape[1..].iter().product::<usize>());
        for (rows, y) in &pending {
            let own = y.shape().elements() / rows.len().max(1);
            for &row in rows {
                let numbers;
                (numbers, rest) = rest.split_at(own);
                self.data[row * each..row * each + own].copy_from_slice(numbers);
            }
        }
        Ok(())
    }

    /// All numbers and their shape.
    pub(super) fn close(mut self) -> Result<(Vec<f32>, Vec<usize>)> {
        self.flush()?;
        Ok((self.data, self.shape))
    }
}
