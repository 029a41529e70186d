//! Gradients that are infinite or not a number: seen, told or skipped, and kept from weights and state in any case.
//!
//! On the host the gradients of a call are looked at before anything is done, and the call tells. On a device nobody waits for
//! what was seen: a number there ([`Verdict::Unread`]) holds the update back, and what was seen is read later, all in one
//! transfer ([`Optimizer::settle`]).

use super::Optimizer;
use super::enrol::Entry;
use crate::backend::{Backend, Map, Zip};
use crate::element::Element;
use crate::error::{Error, Result};
use crate::loss::Count;

/// What a device has seen is read when it is of so many calls, if nobody has asked before.
const UNREAD: usize = 1 << 12;

/// Whether the gradients of a call are finite.
#[derive(Clone, Debug)]
pub(crate) enum Verdict<B: Backend> {
    /// They are.
    Finite,
    /// They are not, and the call was skipped.
    NotFinite,
    /// A scalar on the device: 1 where they are; 0 where they are not or, unless such steps are skipped, those of an earlier
    /// call were not.
    Unread(B::Array),
}

impl<B: Backend> Verdict<B> {
    /// What lets an update happen.
    pub(crate) fn when(&self) -> Option<&B::Array> {
        match self {
            Verdict::Unread(when) => Some(when),
            Verdict::Finite | Verdict::NotFinite => None,
        }
    }
}

/// What became of a call of [`Optimizer::step`].
pub(crate) struct Call<B: Backend> {
    pub(crate) updated: bool,
    pub(crate) verdict: Verdict<B>,
}

/// What is done about gradients that are not finite, and what is known of them.
#[derive(Clone, Debug)]
pub(super) struct Watch<B: Backend> {
    pub(super) skip: bool,
    /// Updates that were skipped.
    pub(super) skipped: u64,
    /// On a device: 1 as long as all were finite. Where such steps are not skipped, none is made after the first of them.
    so_far: Option<B::Array>,
    unread: Vec<Seen<B>>,
}

/// What a device saw of the gradients of a call.
#[derive(Clone, Debug)]
struct Seen<B: Backend> {
    b: B,
    /// The number of the call.
    call: u64,
    /// Whether they are those of an update, which was held back if they are not finite.
    update: bool,
    /// The places of the parameters that they belong to.
    params: Vec<usize>,
    /// Which of them are finite.
    finite: B::Array,
}

impl<B: Backend> Watch<B> {
    pub(super) fn new() -> Self {
        Watch { skip: false, skipped: 0, so_far: None, unread: Vec::new() }
    }

    /// Whether so much is unread that it is time to read it.
    pub(super) fn is_full(&self) -> bool {
        self.unread.len() >= UNREAD
    }

    /// Forgets what is unread.
    pub(super) fn forget(&mut self) {
        (self.so_far, self.unread) = (None, Vec::new());
    }

    /// Looks at the gradients of a call, or of the update that it makes. Errors on the host when one is not finite and such
    /// steps are not skipped; nothing is counted then.
    pub(super) fn look(
        &mut self,
        b: &B,
        entries: &[Entry<B>],
        (params, gradients): (&[usize], &[B::Array]),
        (call, update): (u64, bool),
    ) -> Result<Verdict<B>> {
        let finite = b.finite(&gradients.iter().collect::<Vec<_>>())?;
        if b.is_on_host() {
            let finite = b.download(&finite)?;
            return match astray(entries, params, &finite) {
                names if names.is_empty() => Ok(Verdict::Finite),
                _ if self.skip => {
                    self.skipped += u64::from(update);
                    Ok(Verdict::NotFinite)
                }
                names => Err(Error::NotFinite { names, step: call }),
            };
        }
        // All of them are, if as many are as there are.
        let too_few = Map::Affine(1.0, 0.5 - params.len() as f64);
        let mut all = b.map(Map::Step, &b.map(too_few, &b.sum_to(&finite, [].into())?)?)?;
        if !self.skip {
            if let Some(so_far) = &self.so_far {
                all = b.zip(Zip::Mul, so_far, &all)?;
            }
            self.so_far = Some(all.clone());
        }
        // Of those that are skipped, updates alone are counted.
        if update || !self.skip {
            self.unread.push(Seen { b: b.clone(), call, update, params: params.to_vec(), finite });
        }
        Ok(Verdict::Unread(all))
    }
}

/// The names of the parameters whose gradients are not finite.
fn astray<B: Backend>(entries: &[Entry<B>], params: &[usize], finite: &[B::Elem]) -> Vec<String> {
    let astray = params.iter().zip(finite).filter(|(_, finite)| **finite != B::Elem::ONE);
    astray.map(|(&param, _)| entries[param].name.clone()).collect()
}

impl<B: Backend> Optimizer<B> {
    /// Skips updates whose gradients are not finite, and counts them, where otherwise the first of them is an error: weights and
    /// state stay as they were, and training goes on with the next batch. With [`Optimizer::accumulate`] one such gradient
    /// costs the whole update. What PyTorch's `GradScaler` and optax's `apply_if_finite` do.
    ///
    /// ```
    /// use elman::optim::{Optimizer, Sgd};
    /// use elman::{Param, Tensor};
    /// use elman_reference::Reference;
    ///
    /// let b = Reference::<f32>::new();
    /// let mut params = [Param::new("w", Tensor::new(&b, vec![1.0], &[1])?, true)];
    /// let mut optimizer = Optimizer::new(Sgd::new(0.5)).skip_not_finite();
    /// for factor in [1.0, f64::NAN, 1.0] {
    ///     let loss = params[0].tensor().affine(factor, 0.0)?.sum()?;
    ///     optimizer.step(&mut params, loss.backward()?)?;
    /// }
    /// assert_eq!((params[0].tensor().to_vec()?, optimizer.skipped()), (vec![0.0], 1));
    /// # Ok::<(), elman::Error>(())
    /// ```
    #[doc(alias("GradScaler", "apply_if_finite"))]
    pub fn skip_not_finite(mut self) -> Self {
        self.watch.skip = true;
        self
    }

    /// Updates skipped so far because a gradient was not finite; see [`Optimizer::skip_not_finite`]. On a device those of the
    /// calls since the last [`Optimizer::settle`] are not yet among them.
    pub fn skipped(&self) -> u64 {
        self.watch.skipped
    }

    /// Reads what a device has seen of gradients since the last time, which waits for it; on the host there is never anything to
    /// read. [`Model::fit`](crate::Model::fit) does it when it reads the loss, a loop of one's own should before it saves or
    /// evaluates; some thousand calls later it is done in any case.
    ///
    /// Errors with [`Error::NotFinite`] for the first gradient that was not finite, unless such updates are skipped: weights and
    /// state are then as they were before that call (which held back all later ones), and the counters are put back there too; an
    /// accumulation begins anew. Skipped updates are counted now. On a device they stay among the updates of the bias corrections of
    /// [`Adam`](super::Adam) and its like, of which the host leaves them out: otherwise when this is called would be seen in the
    /// weights.
    pub fn settle(&mut self) -> Result<()> {
        self.counted = Count::Known(self.counted.read()?);
        let Some(b) = self.watch.unread.first().map(|seen| seen.b.clone()) else { return Ok(()) };
        let finite: Vec<&B::Array> = self.watch.unread.iter().map(|seen| &seen.finite).collect();
        let finite = b.download(&b.concat(&finite, 0)?)?;
        let unread = std::mem::take(&mut self.watch.unread);
        self.watch.so_far = None;
        let (mut rest, mut found): (_, Option<Error>) = (&finite[..], None);
        for seen in unread {
            let own;
            (own, rest) = rest.split_at(seen.params.len());
            if found.is_none() {
                let names = astray(&self.entries, &seen.params, own);
                if names.is_empty() {
                    continue;
                }
                if self.watch.skip {
                    self.watch.skipped += 1;
                    continue;
                }
                self.calls = seen.call - 1;
                found = Some(Error::NotFinite { names, step: seen.call });
            }
            // Here are the updates that were held back.
            if seen.update {
                self.iteration -= 1;
                seen.params.iter().for_each(|&param| self.entries[param].updates -= 1);
            }
        }
        let Some(error) = found else { return Ok(()) };
        self.forget_accumulated();
        Err(error)
    }
}
