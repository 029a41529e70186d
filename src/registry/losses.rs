//! The library's losses by kind.

use super::Registry;
use crate::backend::Backend;
use crate::description::{Description, read};
use crate::loss::*;
use serde::Deserialize;
use std::sync::Arc;

pub(super) fn add<B: Backend>(registry: Registry<B>) -> Registry<B> {
    let mut registry = registry
        .with_loss::<BinaryCrossEntropy>("binary_crossentropy")
        .with_loss::<CategoricalCrossEntropy>("categorical_crossentropy")
        .with_loss::<CategoricalHinge>("categorical_hinge")
        .with_loss::<CosineSimilarity>("cosine_similarity")
        .with_loss::<CrfLoss>("crf")
        .with_loss::<GaussianNll>("gaussian_nll")
        .with_loss::<Hinge>("hinge")
        .with_loss::<Huber>("huber")
        .with_loss::<KlDivergence>("kl_divergence")
        .with_loss::<LogCosh>("log_cosh")
        .with_loss::<MeanAbsoluteError>("mean_absolute_error")
        .with_loss::<MeanSquaredError>("mean_squared_error")
        .with_loss::<MultiMargin>("multi_margin")
        .with_loss::<NegativeLogLikelihood>("nll")
        .with_loss::<Poisson>("poisson")
        .with_loss::<SparseCategoricalCrossEntropy>("sparse_categorical_crossentropy")
        .with_loss::<SquaredHinge>("squared_hinge");
    let weighted = |registry: &Registry<B>, description: &Description| {
        let OfWeightedMean { loss } = read(description)?;
        Ok(weighted_mean(registry.read_loss(&loss)?))
    };
    registry.losses.insert(WEIGHTED_MEAN.into(), Arc::new(weighted));
    registry
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfWeightedMean {
    loss: Description,
}
