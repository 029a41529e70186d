//! Pooling over time, and embedding.

use super::{TRAINING, compare, compare_gradient, compare_output, mask, set, variable};
use crate::common::golden::Reading;
use crate::common::near::numbers;
use elman::layers::{
    Built, Embedding, GlobalAveragePooling, GlobalMaxPooling, Layer, Module, Pass, Scope, Sequential, Value,
};
use elman::{Backend, Model, Result, Shape, Spec, Tensor};

pub(crate) fn average_pooling<B: Backend>(b: &B, case: &Reading<'_>) {
    pooling(b, case, GlobalAveragePooling);
}

pub(crate) fn max_pooling<B: Backend>(b: &B, case: &Reading<'_>) {
    pooling(b, case, GlobalMaxPooling);
}

fn pooling<B: Backend>(b: &B, case: &Reading<'_>, layer: impl Layer<B> + 'static) {
    let x = variable(b, case, "input");
    let model = Sequential::new().add(layer).build(b, Spec::dense(&x.shape()[1..]), 0).unwrap();
    let y = model.forward(Value::from(x.clone()).with_mask(mask(b, case, "mask")), TRAINING()).unwrap();
    let gradients = compare_output(b, case, &y);
    compare_gradient(case, "grad_input", &gradients, &x);
}

pub(crate) fn embedding<B: Backend>(b: &B, case: &Reading<'_>) {
    let (words, dimension) = (case.number("words") as usize, case.number("dimension") as usize);
    let padding = case.option("padding_index").as_u64();
    let layer = Embedding::new(words, dimension);
    let layer = match (padding, case.is("mask_zero")) {
        (None, false) => layer,
        (None, true) => layer.padding(0),
        (Some(index), false) => layer.padding(u32::try_from(index).unwrap()),
        (Some(_), true) => panic!("{}: padding of two kinds", case.name()),
    };
    let (indices, shape) = case.labels("indices");
    let indices = Value::Indices(b.upload_indices(indices, Shape::new(&shape).unwrap()).unwrap());
    let embedded = |then: Option<Then>| {
        let network = Sequential::new().add(layer.clone());
        let network = then.into_iter().fold(network, Sequential::add);
        let mut model = network.build(b, Spec::indices(shape[1]), 0).unwrap();
        set(b, &mut model, "embedding.embeddings", &case.numbers("embeddings"));
        let y = model.forward(indices.clone(), TRAINING()).unwrap();
        (model, y)
    };
    let table = |model: &Model<B>| model.params()[0].tensor().clone();

    let (model, y) = embedded(None);
    match padding {
        // Keras' table learns from masked steps too, if a gradient comes there.
        None => compare_gradient(case, "grad_embeddings", &compare_output(b, case, &y), &table(&model)),
        // PyTorch's learns nothing there. Here it is the mask that keeps such gradients from coming.
        Some(_) => {
            compare(case, "output", &y);
            let (model, y) = embedded(Some(Then::Clear));
            let gradients = y.backward_from(super::constant(b, case, "grad_output").value().clone()).unwrap();
            compare_gradient(case, "grad_embeddings", &gradients, &table(&model));
        }
    }
    let found = numbers(&embedded(Some(Then::Show)).1);
    let expected = match (case.find("mask"), padding) {
        (Some((mask, _)), _) => mask,
        (None, Some(index)) => {
            case.numbers("indices").iter().map(|&i| f64::from(u8::from(i != index as f64))).collect()
        }
        (None, None) => vec![1.0; shape.iter().product()],
    };
    assert_eq!(found, expected, "{}: the mask", case.name());
}

/// What becomes of a mask that a layer gives.
#[derive(Clone, Copy, Debug)]
enum Then {
    /// Its masked steps are cleared: 0, without a gradient.
    Clear,
    /// Its numbers come out; ones where there is none.
    Show,
}

impl<B: Backend> Layer<B> for Then {
    fn kind(&self) -> &'static str {
        "then"
    }

    fn build(&self, input: &Spec, _: &mut Scope<'_, B>) -> Result<Built<B>> {
        Ok(Built::new(*self, input.clone()))
    }
}

impl<B: Backend> Module<B> for Then {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let (x, mask) = input.sequence(pass)?;
        Ok(match (self, mask) {
            (Then::Clear, Some(mask)) => mask.clear(&x)?.into(),
            (Then::Clear, None) => x.into(),
            (Then::Show, Some(mask)) => mask.tensor(pass.backend()).into(),
            (Then::Show, None) => Tensor::full(pass.backend(), &x.shape()[..2], 1.0)?.into(),
        })
    }
}
