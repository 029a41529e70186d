//! The cross-entropies from logits, a row at a time, and their gradients.

use super::reduce::{team, teams};
use super::sources::LOSS;
use super::{Arg, Cuda};
use crate::array::{Array, Indices};
use elman::backend::check;
use elman::{Error, Result, Shape};

impl Cuda {
    pub(crate) fn sparse_cross_entropy(&self, logits: &Array, labels: &Indices, smoothing: f64) -> Result<Array> {
        check_labels(logits, labels)?;
        let (shape, targets) = (rows_of("sparse_cross_entropy", logits.shape())?, self.whole(labels)?);
        self.entropies("of_classes", shape, logits, &[targets], &[(smoothing as f32).into()])
    }

    pub(crate) fn sparse_cross_entropy_grad(
        &self,
        logits: &Array,
        labels: &Indices,
        smoothing: f64,
        d: &Array,
    ) -> Result<Array> {
        check_labels(logits, labels)?;
        check::reshape(d.shape(), rows_of("sparse_cross_entropy_grad", logits.shape())?)?;
        let d = self.packed(d)?;
        let targets = [self.whole(labels)?, self.floats(&d)?];
        self.entropies("of_classes_grad", logits.shape(), logits, &targets, &[(smoothing as f32).into()])
    }

    pub(crate) fn cross_entropy(&self, logits: &Array, targets: &Array) -> Result<Array> {
        check::same_shape("cross_entropy", logits.shape(), targets.shape())?;
        let (shape, targets) = (rows_of("cross_entropy", logits.shape())?, self.packed(targets)?);
        self.entropies("of_distributions", shape, logits, &[self.floats(&targets)?], &[])
    }

    pub(crate) fn cross_entropy_grad(&self, logits: &Array, targets: &Array, d: &Array) -> Result<Array> {
        check::same_shape("cross_entropy", logits.shape(), targets.shape())?;
        check::reshape(d.shape(), rows_of("cross_entropy_grad", logits.shape())?)?;
        let (targets, d) = (self.packed(targets)?, self.packed(d)?);
        let targets = [self.floats(&targets)?, self.floats(&d)?];
        self.entropies("of_distributions_grad", logits.shape(), logits, &targets, &[])
    }

    /// An array of `shape` from logits and what they are compared with.
    fn entropies(
        &self,
        kernel: &'static str,
        shape: Shape,
        logits: &Array,
        targets: &[Arg<'_>],
        rest: &[Arg<'_>],
    ) -> Result<Array> {
        let (logits, out) = (self.packed(logits)?, self.fresh(kernel, shape)?);
        let (rows, width) = (logits.shape().rows(), logits.shape().last());
        if logits.shape().elements() > 0 {
            let size = team(width);
            let sizes = [self.floats(&out)?, rows.into(), width.into(), size.into()];
            let arguments = [&[self.floats(&logits)?], targets, &sizes, rest].concat();
            self.launch(LOSS, kernel, teams(rows, size), &arguments)?;
        }
        Ok(out)
    }
}

fn check_labels(logits: &Array, labels: &Indices) -> Result<()> {
    check::labels("sparse_cross_entropy", logits.shape(), labels.shape())?;
    labels.check("sparse_cross_entropy", logits.shape().last())
}

/// A number a row.
fn rows_of(op: &'static str, logits: Shape) -> Result<Shape> {
    let axis = logits.rank().checked_sub(1).ok_or_else(|| Error::invalid(op, "an axis of classes", "a scalar"))?;
    check::max(op, logits, axis)?;
    Shape::new(&logits[..axis])
}
