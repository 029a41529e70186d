//! How many steps are computed: as many as the longest text of a batch has, in training, evaluation and prediction.

use elman::data::{Dataset, Inputs, Targets};
use elman::layers::{Built, Dense, Embedding, GlobalAveragePooling, Layer, Module, Pass, Scope, Sequential, Value};
use elman::loss::{BinaryCrossEntropy, SparseCategoricalCrossEntropy};
use elman::model::Model;
use elman::optim::Sgd;
use elman::training::Fit;
use elman::{Activation, Backend, Result, Spec};
use elman_reference::Reference;
use std::sync::{Arc, Mutex};

type R = Reference<f64>;

/// Passes indices on, and keeps the numbers of samples and steps of each batch.
#[derive(Clone, Debug, Default)]
struct Sizes(Arc<Mutex<Vec<[usize; 2]>>>);

impl Sizes {
    fn take(&self) -> Vec<[usize; 2]> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl<B: Backend> Layer<B> for Sizes {
    fn kind(&self) -> &'static str {
        "sizes"
    }

    fn build(&self, input: &Spec, _: &mut Scope<'_, B>) -> Result<Built<B>> {
        Ok(Built::new(self.clone(), input.clone()))
    }
}

impl<B: Backend> Module<B> for Sizes {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let (indices, mask) = input.split();
        if let Value::Indices(indices) = &indices {
            let shape = pass.backend().indices_shape(indices);
            self.0.lock().unwrap().push([shape[0], shape[1]]);
        }
        Ok(indices.with_mask(mask))
    }
}

/// A class for each text, or for each word.
fn model(sizes: &Sizes, per_step: bool) -> Model<R> {
    let network = Sequential::new().add(sizes.clone()).add(Embedding::new(20, 3).padding(0));
    let network = match per_step {
        true => network.add(Dense::new(3).activation(Activation::Softmax)),
        false => network.add(GlobalAveragePooling).add(Dense::new(1).activation(Activation::Sigmoid)),
    };
    let mut model = network.build(&R::with_threads(1), Spec::Indices(None), 2).unwrap();
    match per_step {
        true => model.compile(Sgd::new(0.5), SparseCategoricalCrossEntropy::new()),
        false => model.compile(Sgd::new(0.5), BinaryCrossEntropy::new()),
    };
    model
}

/// Texts of 1 to 12 words.
fn rows() -> Vec<Vec<u32>> {
    (1..=12).map(|n| (0..n as u32).map(|i| 1 + (i * 7 + n as u32) % 19).collect()).collect()
}

/// The same in a block of 20 steps.
fn block(per_step: bool) -> Dataset {
    let rows: Vec<Vec<u32>> = rows().into_iter().map(|row| [vec![0; 20 - row.len()], row].concat()).collect();
    let targets = match per_step {
        true => Targets::classes_per_step(
            &rows.iter().map(|row| row.iter().map(|word| word % 3).collect()).collect::<Vec<Vec<u32>>>(),
        ),
        false => Targets::classes((0..12).map(|i| i % 2).collect()),
    };
    Dataset::new(Inputs::indices(&rows).unwrap(), targets.unwrap()).unwrap()
}

/// The lengths 1 to 12 in batches of four similar ones, in some order: 4, 8 and 12 steps.
fn by_length(mut batches: Vec<[usize; 2]>) {
    batches.sort_unstable();
    assert_eq!(batches, [[4, 4], [4, 8], [4, 12]]);
}

#[test]
fn labels_of_steps_are_trimmed_with_their_steps() {
    let sizes = Sizes::default();
    let mut model = model(&sizes, true);
    let options = || Fit::new().batch_size(4).by_length(0).shuffle(false).quiet();
    let history = model.fit(&block(true), options()).unwrap();
    assert!(history.series("loss")[0].is_finite());
    // One batch is looked at before the first step.
    by_length(sizes.take().split_off(1));
}

/// The same loss, over 78 words, whether what is padded was computed or not.
#[test]
fn the_loss_of_labelled_steps_is_that_of_the_block() {
    let sizes = Sizes::default();
    let mut model = model(&sizes, true);
    model.compile(Sgd::new(0.0), SparseCategoricalCrossEntropy::new());
    let whole = model.evaluate(&block(true), 12).unwrap().loss();
    let history = model.fit(&block(true), Fit::new().batch_size(4).by_length(0).quiet()).unwrap();
    assert!((history.series("loss")[0] - whole).abs() < 1e-12);
}

#[test]
fn validation_by_length_is_trimmed_too() {
    let (sizes, data) = (Sizes::default(), block(false));
    let mut model = model(&sizes, false);
    let fit = Fit::new().batch_size(4).by_length(0).shuffle(false).validation_data(&data).quiet();
    model.fit(&data, fit).unwrap();
    // Two batches are looked at before the first step; then three are trained on and three are validated.
    let batches = sizes.take();
    by_length(batches[2..5].to_vec());
    let validated = &batches[5..];
    assert_eq!(validated.iter().map(|[n, _]| n).sum::<usize>(), 12);
    // In the order of the data the longest of four have 4, 8 and 12 words.
    assert_eq!(validated.iter().map(|[n, steps]| n * steps).sum::<usize>(), 4 * (4 + 8 + 12));
}

/// Texts of their own lengths: no batch is padded beyond its longest one, whoever computes.
#[test]
fn texts_are_padded_to_the_longest_of_their_batch() {
    let inputs = Inputs::indices(&rows()).expect("texts of their own lengths");
    let data = Dataset::new(inputs, Targets::classes((0..12).map(|i| i % 2).collect()).unwrap()).unwrap();
    let (sizes, in_order) = (Sizes::default(), [[4, 4], [4, 8], [4, 12]]);
    let mut model = model(&sizes, false);
    let predicted = model.predict(data.inputs(), 4).unwrap();
    assert_eq!(sizes.take(), in_order);
    model.evaluate(&data, 4).unwrap();
    assert_eq!(sizes.take(), in_order);
    // The same outputs as from the block, to some roundings of sums in another order.
    let padded = model.predict(block(false).inputs(), 12).unwrap();
    predicted.data().iter().zip(padded.data()).for_each(|(a, b)| assert!((a - b).abs() < 1e-6));
    sizes.take();
    model.fit(&data, Fit::new().batch_size(4).shuffle(false).quiet()).unwrap();
    assert_eq!(sizes.take().split_off(1), in_order);
}

/// One long text costs its own batch alone: 1 · 1000 + 999 · 2 steps, not 1000 · 1000.
#[test]
fn a_long_text_does_not_stretch_the_others() {
    let mut rows = vec![vec![1, 2]; 1000];
    rows[0] = vec![3; 1000];
    let inputs = Inputs::indices(&rows).expect("texts of their own lengths");
    let sizes = Sizes::default();
    model(&sizes, false).predict(&inputs, 1).unwrap();
    assert_eq!(sizes.take().iter().map(|[n, steps]| n * steps).sum::<usize>(), 1000 + 999 * 2);
}
