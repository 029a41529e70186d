//! The likelihood of labels whose places in time are not known, as one operation on the tape.

use super::super::Tensor;
use crate::backend::{Backend, Transcripts};
use crate::error::Result;
use std::sync::Arc;

impl<B: Backend> Tensor<B> {
    /// The negative log-likelihood of each sequence's `labels` by logits `[batch, time, classes]`, at whatever steps they are (connectionist
    /// temporal classification): `[batch]`, ∞ of labels that do not fit into the steps. `blank` is the class that is no label; `mask`
    /// says which steps count, `[batch, time]` of 0 and 1. See [`ctc`](crate::backend::ctc).
    ///
    /// ```
    /// use elman::Tensor;
    /// use elman_reference::Reference;
    ///
    /// // Two steps, the blank and one label, all alike: `a-`, `-a` and `aa` of the four alignments spell `a`.
    /// let logits = Tensor::zeros(&Reference::<f64>::new(), &[1, 2, 2])?;
    /// let loss = logits.ctc(&[vec![1]], 0, None)?.to_vec()?;
    /// assert!((loss[0] + 0.75f64.ln()).abs() < 1e-12);
    /// # Ok::<(), elman::Error>(())
    /// ```
    #[doc(alias = "CTCLoss")]
    #[doc(alias = "ctc_loss")]
    pub fn ctc(&self, labels: &[Vec<u32>], blank: u32, mask: Option<&B::Array>) -> Result<Self> {
        let (b, x, mask) = (self.backend().clone(), self.value().clone(), mask.cloned());
        let labels: Arc<[Vec<u32>]> = labels.into();
        let y = b.ctc(&Transcripts { logits: &x, labels: &labels, blank, mask: mask.as_ref() })?;
        let each = y.each.clone();
        Ok(Tensor::record("ctc", self.backend(), each, &[self], move |d, wanted| {
            let given = Transcripts { logits: &x, labels: &labels, blank, mask: mask.as_ref() };
            Ok(vec![wanted[0].then(|| b.ctc_grad(&given, &y, d)).transpose()?])
        }))
    }
}
