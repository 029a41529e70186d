//! [`Weight`]: how a weight starts, and what is asked of it.

use crate::constraint::Constraint;
use crate::init::Init;
use crate::regularizer::Regularizer;
use serde::{Deserialize, Serialize};

/// How a weight starts, and what is asked of it in training.
///
/// ```
/// use elman::layers::{Dense, Weight};
/// use elman::{Constraint, Init};
/// let layer = Dense::new(64).kernel(Weight::new(Init::HeNormal).l2(1e-4).constraint(Constraint::MaxNorm(3.0)));
/// ```
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct Weight {
    pub(super) init: Init,
    pub(super) regularizer: Option<Regularizer>,
    pub(super) constraint: Option<Constraint>,
    pub(super) trainable: bool,
}

impl Default for Weight {
    /// A trainable weight that starts by [`Init`]'s default.
    fn default() -> Self {
        Weight::new(Init::default())
    }
}

impl Weight {
    /// A trainable weight that starts so.
    pub fn new(init: Init) -> Self {
        Weight { init, regularizer: None, constraint: None, trainable: true }
    }

    /// How it starts.
    pub fn init(&self) -> Init {
        self.init
    }

    /// The same demands on a weight that starts otherwise.
    pub fn with_init(self, init: Init) -> Self {
        Weight { init, ..self }
    }

    /// A trainable weight that starts at 0.
    pub fn zeros() -> Self {
        Weight::new(Init::Zeros)
    }

    /// A trainable weight that starts at 1.
    pub fn ones() -> Self {
        Weight::new(Init::Ones)
    }

    /// Adds this penalty on the weight to the loss, in the place of any other.
    pub fn regularizer(self, regularizer: Regularizer) -> Self {
        Weight { regularizer: Some(regularizer), ..self }
    }

    /// Adds `λ Σ w²` to the loss; an L1 penalty asked for stays.
    pub fn l2(self, lambda: f64) -> Self {
        let regularizer = Regularizer { l2: lambda, ..self.regularizer.unwrap_or_default() };
        self.regularizer(regularizer)
    }

    /// Adds `λ Σ |w|` to the loss; an L2 penalty asked for stays.
    pub fn l1(self, lambda: f64) -> Self {
        let regularizer = Regularizer { l1: lambda, ..self.regularizer.unwrap_or_default() };
        self.regularizer(regularizer)
    }

    /// Projects the weight after every update.
    pub fn constraint(self, constraint: Constraint) -> Self {
        Weight { constraint: Some(constraint), ..self }
    }

    /// Keeps the weight as it starts: no gradient, no optimiser state.
    pub fn frozen(self) -> Self {
        Weight { trainable: false, ..self }
    }
}
