//! [`WeightedMean`]: a loss whose mean is divided by the sum of the weights.

use super::{ChainLoss, Loss, Outputs, Reduction, Target};
use crate::activation::Activation;
use crate::backend::Backend;
use crate::description::Description;
use crate::error::Result;
use crate::tensor::Tensor;
use serde_json::json;

/// Any loss with [`Reduction::Weights`]: `Σ w loss / Σ w`, the mean of a batch in which samples or classes weigh what they weigh,
/// in the place of Keras' `Σ w loss / rows`. With class weights in `fit` it is PyTorch's `CrossEntropyLoss(weight=..)`. How
/// large the weights are then does not matter, only how they compare; a rare class with a great weight makes no greater steps in
/// the batches where it occurs. A batch whose weights sum to 0 gives 0.
///
/// ```
/// use elman::loss::{self, MeanSquaredError, Target, WeightedMean};
/// use elman::Tensor;
/// use elman_reference::Reference;
///
/// let b = Reference::<f64>::new();
/// let y = Tensor::new(&b, vec![1.0, 2.0], &[2, 1])?;
/// let target = Target::Values(Tensor::full(&b, &[2, 1], 0.0)?);
/// let weights = Some(&[1.0, 3.0][..]);
/// assert_eq!(loss::mean(&MeanSquaredError, &y, &target, weights)?.to_scalar()?, (1.0 + 3.0 * 4.0) / 2.0);
/// assert_eq!(loss::mean(&WeightedMean(MeanSquaredError), &y, &target, weights)?.to_scalar()?, (1.0 + 3.0 * 4.0) / 4.0);
/// # Ok::<(), elman::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct WeightedMean<L>(
    /// The loss.
    pub L,
);

/// The kind that describes it, with the loss within as its `loss`: its name is that of the loss.
pub(crate) const WEIGHTED_MEAN: &str = "weighted_mean";

/// [`WeightedMean`] of a loss of any kind.
pub(crate) fn weighted_mean<B: Backend>(loss: Box<dyn Loss<B>>) -> Box<dyn Loss<B>> {
    Box::new(Before(loss))
}

/// What [`WeightedMean`] becomes before the model's last activation.
#[derive(Debug)]
struct Before<B: Backend>(Box<dyn Loss<B>>);

macro_rules! by_weight {
    () => {
        fn name(&self) -> &'static str {
            self.0.name()
        }

        fn describe(&self) -> Result<Description> {
            Ok(json!({ "kind": WEIGHTED_MEAN, "loss": self.0.describe()? }))
        }

        fn each(&self, prediction: &Tensor<B>, target: &Target<B>) -> Result<Tensor<B>> {
            self.0.each(prediction, target)
        }

        fn ignored(&self) -> Option<u32> {
            self.0.ignored()
        }

        fn reduction(&self) -> Reduction {
            Reduction::Weights
        }

        fn outputs(&self) -> Outputs {
            self.0.outputs()
        }

        fn check_row(&self, targets: &[f32]) -> Result<()> {
            self.0.check_row(targets)
        }

        fn of_chains(&self) -> Option<&dyn ChainLoss<B>> {
            self.0.of_chains()
        }

        fn before(&self, last: Activation) -> Option<Box<dyn Loss<B>>> {
            Some(Box::new(Before(self.0.before(last)?)))
        }
    };
}

impl<B: Backend, L: Loss<B>> Loss<B> for WeightedMean<L> {
    by_weight!();
}

impl<B: Backend> Loss<B> for Before<B> {
    by_weight!();
}
