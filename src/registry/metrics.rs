//! The library's metrics by kind.

use super::Registry;
use crate::backend::Backend;
use crate::metrics::*;

pub(super) fn add<B: Backend>(registry: Registry<B>) -> Registry<B> {
    registry
        .with_metric::<Accuracy>("accuracy")
        .with_metric::<Auc>("auc")
        .with_metric::<BitsPerCharacter>("bits_per_character")
        .with_metric::<F1>("f1_score")
        .with_metric::<MeanAbsoluteError>("mean_absolute_error")
        .with_metric::<MeanSquaredError>("mean_squared_error")
        .with_metric::<Perplexity>("perplexity")
        .with_metric::<Precision>("precision")
        .with_metric::<Recall>("recall")
        .with_metric::<SpanF1>("span_f1")
        .with_metric::<TopK>("top_k_accuracy")
}
