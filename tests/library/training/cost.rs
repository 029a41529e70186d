//! One text that is far longer than the others costs its own length: in memory, in an epoch, in evaluation and prediction.

use crate::readers::held;
use elman::backend::Backend;
use elman::data::{Dataset, HostBatch, Inputs, Order, Source, Targets};
use elman::layers::{Built, Dense, Embedding, GlobalAveragePooling, Layer, Module, Pass, Scope, Sequential, Value};
use elman::loss::SparseCategoricalCrossEntropy;
use elman::optim::Sgd;
use elman::training::Fit;
use elman::{Key, Model, Result, Spec};
use elman_candle::Candle;
use elman_reference::Reference;
use std::sync::{Arc, Mutex};

const SHORT: usize = 10_000;
const STEPS: usize = 20;
const LONG: usize = 200_000;

/// 10,000 texts of 20 words, and one of 200,000.
fn texts() -> Dataset {
    let key = Key::new(1);
    let mut rows: Vec<Vec<u32>> = (0..SHORT as u64).map(|i| vec![1 + key.below(i, 9) as u32; STEPS]).collect();
    rows.insert(SHORT / 3, vec![7; LONG]);
    let labels = (0..rows.len() as u32).map(|row| row % 2).collect();
    Dataset::new(Inputs::indices(&rows).unwrap(), Targets::classes(labels).unwrap()).unwrap()
}

/// Keeps how many samples and steps each batch has.
#[derive(Clone, Debug, Default)]
struct Measured(Arc<Mutex<Vec<[usize; 2]>>>);

impl Measured {
    /// Samples and steps of all batches, and how many of the steps are padding.
    fn take(&self) -> [usize; 3] {
        let batches = std::mem::take(&mut *self.0.lock().unwrap());
        let sum = |of: fn(&[usize; 2]) -> usize| batches.iter().map(of).sum::<usize>();
        let (samples, steps) = (sum(|batch| batch[0]), sum(|batch| batch[0] * batch[1]));
        [samples, steps, steps - (SHORT * STEPS + LONG)]
    }
}

impl<B: Backend> Layer<B> for Measured {
    fn kind(&self) -> &'static str {
        "measured"
    }

    fn build(&self, input: &Spec, _: &mut Scope<'_, B>) -> Result<Built<B>> {
        Ok(Built::new(self.clone(), input.clone()))
    }
}

impl<B: Backend> Module<B> for Measured {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let (value, mask) = input.split();
        if let Value::Indices(indices) = &value {
            let shape = pass.backend().indices_shape(indices);
            self.0.lock().unwrap().push([shape[0], shape[1]]);
        }
        Ok(value.with_mask(mask))
    }
}

fn model<B: Backend>(backend: &B, measured: &Measured) -> Model<B> {
    let network =
        Sequential::new().add(measured.clone()).add(Embedding::new(10, 1)).add(GlobalAveragePooling).add(Dense::new(2));
    let mut model = network.build(backend, Spec::Indices(None), 0).unwrap();
    model.compile(Sgd::new(0.01), SparseCategoricalCrossEntropy::from_logits());
    model
}

#[test]
fn the_data_set_holds_its_words_alone() {
    let before = held();
    let data = texts();
    let bytes = held() - before;
    assert!(bytes <= 4 << 20, "{bytes} bytes are held");
    assert!(bytes as usize >= 4 * (SHORT * STEPS + LONG), "{bytes} bytes are too few to be counted");
    // What is padded is one batch at a time, on its way to the device: on the host batches have their own lengths.
    let mut order = Order::new(Key::new(1), 0);
    order.batch_size = Some(32);
    let epoch = data.epoch(&order).unwrap();
    let mut most = 0;
    for number in 0..epoch.batches() {
        let before = held();
        let HostBatch { data: batch, .. } = epoch.batch(number).unwrap();
        let (bytes, steps) = (held() - before, batch.inputs().lengths(0).unwrap().iter().sum::<usize>());
        // Four bytes a word, eight an end, four a label; what a vector has over.
        assert!(bytes as usize <= 4 * steps + 32 * batch.len() + 256, "{bytes} bytes for {steps} steps");
        most = most.max(steps);
    }
    assert_eq!(most, LONG + 31 * STEPS, "one batch has the long text");
}

fn costs<B: Backend>(backend: &B) {
    let (data, measured) = (texts(), Measured::default());
    let mut model = model(backend, &measured);
    let mut fit = |fit: Fit<'_, B>| {
        model.fit(&data, fit.quiet()).unwrap();
        // The first batch was there once before the first step.
        let first = measured.0.lock().unwrap().remove(0);
        assert_eq!(first[1], STEPS);
        measured.take()
    };
    // By tokens and by length nothing is padding.
    assert_eq!(fit(Fit::new().batch_tokens(4096).by_length(0)), [SHORT + 1, SHORT * STEPS + LONG, 0]);
    // By number of samples the long text has so many with it, as few of them as batches allow, and no other batch knows of it.
    let [samples, _, padding] = fit(Fit::new().batch_size(16));
    assert_eq!((samples, padding), (SHORT + 1, 15 * (LONG - STEPS)));
    for batch_size in [1, 16, 64] {
        model.evaluate(&data, batch_size).unwrap();
        assert_eq!(measured.take(), [SHORT + 1, SHORT * STEPS + LONG, 0], "evaluation by {batch_size}");
        model.predict(data.inputs(), batch_size).unwrap();
        assert_eq!(measured.take(), [SHORT + 1, SHORT * STEPS + LONG, 0], "prediction by {batch_size}");
    }
}

#[test]
fn batches_cost_their_own_length() {
    costs(&Reference::<f32>::new());
    costs(&Candle::cpu());
}

/// Texts that are nearly of one length stay together, and so do very short ones, however their lengths are to one another.
#[test]
fn similar_texts_are_not_parted() {
    let measured = Measured::default();
    let model = model(&Reference::<f32>::new(), &measured);
    let evaluated = |lengths: &[usize]| {
        let rows: Vec<Vec<u32>> = lengths.iter().map(|&length| vec![1; length]).collect();
        let labels = Targets::classes(vec![0; rows.len()]).unwrap();
        model.evaluate(&Dataset::new(Inputs::indices(&rows).unwrap(), labels).unwrap(), 8).unwrap();
        std::mem::take(&mut *measured.0.lock().unwrap())
    };
    assert_eq!(evaluated(&[50, 60, 70, 80, 90, 60, 70, 80]), [[8, 90]]);
    assert_eq!(evaluated(&[0, 1, 30, 2, 1, 0, 9, 3]), [[8, 30]]);
    assert_eq!(evaluated(&[50, 60, 1000, 50, 900, 60]), [[4, 60], [2, 1000]]);
}
