//! Cross-entropies as PyTorch and ONNX reduce them.

use crate::compare::tensor;
use crate::suite::Numbers;
use anyhow::{Result, bail};
use elman::loss::{CategoricalCrossEntropy, Loss, SparseCategoricalCrossEntropy, Target, mean};
use elman::{Backend, Shape, Tensor};

/// What rows of predictions are compared with.
pub(crate) enum Aim {
    Labels(Vec<i64>),
    /// `[rows, classes]`
    Distributions(Numbers),
}

pub(crate) struct CrossEntropy<'a> {
    /// `none`, `sum` or `mean`.
    pub(crate) reduction: &'a str,
    /// A weight for each class.
    pub(crate) weights: Option<Vec<f64>>,
    pub(crate) ignore: Option<i64>,
    pub(crate) smoothing: f64,
}

impl CrossEntropy<'_> {
    /// The loss of logits `[rows, classes]`.
    pub(crate) fn of<B: Backend>(&self, b: &B, logits: &Tensor<B>, aim: &Aim) -> Result<Tensor<B>> {
        match (aim, &self.weights) {
            (Aim::Labels(labels), None) => self.sparse(b, logits, labels),
            _ => self.weighed(b, logits, aim),
        }
    }

    fn kept(&self, labels: &[i64]) -> Vec<f64> {
        labels.iter().map(|&label| if Some(label) == self.ignore { 0.0 } else { 1.0 }).collect()
    }

    fn sparse<B: Backend>(&self, b: &B, logits: &Tensor<B>, labels: &[i64]) -> Result<Tensor<B>> {
        let loss = SparseCategoricalCrossEntropy::from_logits().label_smoothing(self.smoothing);
        let loss = match self.ignore {
            Some(class) => loss.ignore_class(class as u32),
            None => loss,
        };
        let target = Target::Classes {
            labels: labels.iter().map(|&label| label as u32).collect(),
            shape: Shape::new(&[labels.len()])?,
        };
        let kept = self.kept(labels);
        let keep = tensor(b, &Numbers::new(kept.clone(), &[labels.len()]))?;
        Ok(match self.reduction {
            // The library says 0 of nothing, others NaN.
            "mean" if !kept.contains(&1.0) => bail!("a mean of nothing"),
            "mean" => mean(&loss, logits, &target, None)?,
            "sum" => loss.each(logits, &target)?.mul(&keep)?.sum()?,
            "none" => loss.each(logits, &target)?.mul(&keep)?,
            other => bail!("reduction {other}"),
        })
    }

    /// A weight of classes weighs smoothed targets too, class by class: the target is the distribution
    /// `w ((1 - s) target + s / classes)`. Of labels the mean is by the sum of their weights, of distributions by their number.
    fn weighed<B: Backend>(&self, b: &B, logits: &Tensor<B>, aim: &Aim) -> Result<Tensor<B>> {
        let (rows, classes) = (logits.shape()[0], logits.shape()[1]);
        let weights = self.weights.clone().unwrap_or(vec![1.0; classes]);
        let smoothed = |target: f64, class: usize| {
            weights[class] * ((1.0 - self.smoothing) * target + self.smoothing / classes as f64)
        };
        let (data, all): (Vec<f64>, f64) = match aim {
            Aim::Labels(labels) => {
                let kept = self.kept(labels);
                let row = |(&label, &keep): (&i64, &f64)| {
                    let each =
                        (0..classes).map(|class| keep * smoothed(f64::from(u8::from(class as i64 == label)), class));
                    each.collect::<Vec<_>>()
                };
                let of = |(&label, &keep): (&i64, &f64)| if keep > 0.0 { weights[label as usize] } else { 0.0 };
                (labels.iter().zip(&kept).flat_map(row).collect(), labels.iter().zip(&kept).map(of).sum())
            }
            Aim::Distributions(numbers) => (
                numbers.data.iter().enumerate().map(|(i, &target)| smoothed(target, i % classes)).collect(),
                rows as f64,
            ),
        };
        let target = Target::Values(tensor(b, &Numbers::new(data, &[rows, classes]))?);
        let each = CategoricalCrossEntropy::from_logits().each(logits, &target)?;
        Ok(match self.reduction {
            "mean" if all == 0.0 => bail!("a mean of nothing"),
            "mean" => each.sum()?.affine(1.0 / all, 0.0)?,
            "sum" => each.sum()?,
            "none" => each,
            other => bail!("reduction {other}"),
        })
    }
}
