//! The likelihood of a path of tags in a conditional random field, as one operation on the tape.

use super::super::Tensor;
use crate::backend::{Backend, CrfWanted, Potentials};
use crate::error::Result;

impl<B: Backend> Tensor<B> {
    /// The negative log-likelihood of `labels [batch, time]` in a conditional random field with these scores `[batch, time, tags]`,
    /// `[start [tags], transitions [tags, tags], end [tags]]` and a mask `[batch, time]` of 0 and 1: `[batch]`, 0 of a sequence in which no
    /// step counts. See [`crf`](crate::backend::crf), and [`Chain`](crate::layers::Chain) for the same of a layer.
    pub fn crf(
        &self,
        [start, transitions, end]: [&Self; 3],
        labels: &B::Indices,
        mask: Option<&B::Array>,
    ) -> Result<Self> {
        let (b, labels, mask) = (self.backend().clone(), labels.clone(), mask.cloned());
        let inputs = [self, start, transitions, end];
        let x = inputs.map(|x| x.value().clone());
        let y = b.crf(&potentials(x.each_ref(), mask.as_ref()), &labels)?;
        let each = y.each.clone();
        Ok(Tensor::record("crf", self.backend(), each, &inputs, move |d, wanted| {
            let of = CrfWanted { scores: wanted[0], start: wanted[1], transitions: wanted[2], end: wanted[3] };
            Ok(b.crf_grad(&potentials(x.each_ref(), mask.as_ref()), &labels, &y, d, of)?.into())
        }))
    }

    /// The path of the greatest score in a conditional random field, one-hot `[batch, time, tags]`, as a constant: 0 throughout at
    /// steps that do not count. Arguments as those of [`Tensor::crf`].
    pub fn crf_path(&self, [start, transitions, end]: [&Self; 3], mask: Option<&B::Array>) -> Result<Self> {
        let x = [self, start, transitions, end].map(Tensor::value);
        Ok(Tensor::constant(self.backend(), self.backend().crf_path(&potentials(x, mask))?))
    }
}

fn potentials<'a, B: Backend>(
    [scores, start, transitions, end]: [&'a B::Array; 4],
    mask: Option<&'a B::Array>,
) -> Potentials<'a, B> {
    Potentials { scores, start, transitions, end, mask }
}
