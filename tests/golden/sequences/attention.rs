//! Attention of queries to keys and values, by products and by sums.

use super::{compare_gradient, compare_output, if_there, mask, near, variable};
use crate::common::golden::Reading;
use crate::common::near::numbers;
use elman::layers::{Mask, additive_attention, dot_attention};
use elman::tensor::Gradients;
use elman::{Backend, Tensor};

/// What of a case both kinds have.
struct Attended<B: Backend> {
    query: Tensor<B>,
    value: Tensor<B>,
    /// The values, where there are no keys.
    key: Option<Tensor<B>>,
    query_mask: Option<Mask<B>>,
    value_mask: Option<Mask<B>>,
    causal: bool,
}

impl<B: Backend> Attended<B> {
    fn of(b: &B, case: &Reading<'_>) -> Self {
        Attended {
            query: variable(b, case, "query"),
            value: variable(b, case, "value"),
            key: if_there(b, case, "key"),
            query_mask: mask(b, case, "query_mask"),
            value_mask: mask(b, case, "value_mask"),
            causal: case.is("causal"),
        }
    }

    fn key(&self) -> &Tensor<B> {
        self.key.as_ref().unwrap_or(&self.value)
    }

    /// Compares the output, with 0 for the queries that count for nothing, and the gradients for what is attended; gives all.
    fn compare(&self, b: &B, case: &Reading<'_>, y: Tensor<B>) -> Gradients<B> {
        let y = self.query_mask.as_ref().map_or(Ok(y.clone()), |mask| mask.clear(&y)).unwrap();
        let gradients = compare_output(b, case, &y);
        let key = self.key.as_ref().map(|key| ("grad_key", key));
        let of = [("grad_query", &self.query), ("grad_value", &self.value)].into_iter().chain(key);
        of.for_each(|(what, of)| compare_gradient(case, what, &gradients, of));
        gradients
    }
}

/// The scale, which is there if the options say so.
fn scale<B: Backend>(b: &B, case: &Reading<'_>) -> Option<Tensor<B>> {
    let scale = if_there(b, case, "scale");
    assert_eq!(scale.is_some(), case.is("use_scale"), "{}", case.name());
    scale
}

/// With the scale as the number that the library takes, and, where it is trained, in the queries.
pub(crate) fn dot<B: Backend>(b: &B, case: &Reading<'_>) {
    let of = Attended::of(b, case);
    let attend = |query: &Tensor<B>, scale| {
        dot_attention(query, of.key(), &of.value, of.value_mask.as_ref(), scale, of.causal).unwrap()
    };
    let Some(trained) = scale(b, case) else { return drop(of.compare(b, case, attend(&of.query, 1.0))) };
    let scale = case.numbers("scale")[0];
    of.compare(b, case, attend(&of.query, scale));
    let gradients = of.compare(b, case, attend(&of.query.mul(&trained).unwrap(), 1.0));
    // It is a sum over all queries, in which most may cancel: its error is measured by the greatest term, too.
    let terms = case.numbers("query").into_iter().zip(case.numbers("grad_query")).map(|(x, dx)| (x * dx / scale).abs());
    let greatest = terms.fold(0.0, f64::max);
    let found = numbers(&gradients.of(&trained).unwrap());
    let [found, expected] = [found, case.numbers("grad_scale")].map(|scale| [scale, vec![greatest]].concat());
    near::<B>(case, "grad_scale, and its greatest term", &found, &expected);
}

pub(crate) fn additive<B: Backend>(b: &B, case: &Reading<'_>) {
    let of = Attended::of(b, case);
    let scale = scale(b, case);
    let ones = Tensor::full(b, &[of.query.shape().last()], 1.0).unwrap();
    let factors = scale.as_ref().unwrap_or(&ones);
    let y = additive_attention(&of.query, of.key(), &of.value, factors, of.value_mask.as_ref(), of.causal).unwrap();
    let gradients = of.compare(b, case, y);
    if let Some(scale) = &scale {
        compare_gradient(case, "grad_scale", &gradients, scale);
    }
}
