//! [`Chain`]: what a conditional random field makes of a sequence before a path is chosen.

use super::super::Mask;
use super::Forbidden;
use crate::backend::Backend;
use crate::error::Result;
use crate::tensor::Tensor;
use std::sync::Arc;

/// Scores of paths of tags through sequences: what goes from a [`Crf`](super::Crf) to its loss
/// ([`CrfLoss`](crate::loss::CrfLoss)), with gradients.
#[derive(Clone, Debug)]
pub struct Chain<B: Backend> {
    /// The score of each tag at each step, `[batch, time, tags]`.
    pub scores: Tensor<B>,
    /// That of a tag at the first step, `[tags]`; -∞ where it is forbidden.
    pub start: Tensor<B>,
    /// That of a tag (column) behind another (row), `[tags, tags]`; -∞ where it is forbidden.
    pub transitions: Tensor<B>,
    /// That of a tag at the last step, `[tags]`; -∞ where it is forbidden.
    pub end: Tensor<B>,
    /// What is forbidden, as the host knows it.
    pub(crate) forbidden: Arc<Forbidden>,
}

impl<B: Backend> Chain<B> {
    /// From scores `[batch, time, tags]`, start `[tags]`, transitions `[tags, tags]` and end `[tags]`: for a layer of one's own. Shapes are
    /// checked where they are used.
    pub fn new(scores: Tensor<B>, [start, transitions, end]: [Tensor<B>; 3]) -> Self {
        Chain { scores, start, transitions, end, forbidden: Arc::default() }
    }

    fn edges(&self) -> [&Tensor<B>; 3] {
        [&self.start, &self.transitions, &self.end]
    }

    /// The negative log-likelihood of tags `[batch, time]` over the steps that count, one a sequence, `[batch]`: 0 where there is no
    /// step, ∞ where they are forbidden. See [`Tensor::crf`].
    pub fn loss(&self, tags: &B::Indices, mask: Option<&Mask<B>>) -> Result<Tensor<B>> {
        self.scores.crf(self.edges(), tags, mask.map(Mask::array))
    }

    /// The best path, one-hot `[batch, time, tags]`, 0 at steps that do not count (Viterbi). See [`Tensor::crf_path`].
    pub fn path(&self, mask: Option<&Mask<B>>) -> Result<Tensor<B>> {
        self.scores.crf_path(self.edges(), mask.map(Mask::array))
    }
}
