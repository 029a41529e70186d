//! What only a recurrent network can learn.

#[path = "../../../examples/common/memory.rs"]
#[allow(dead_code)]
mod memory;

use elman::data::{Dataset, Inputs, Targets};
use elman::layers::{Dense, Elman, Embedding, Gru, Layer, Lstm, Sequential};
use elman::loss::{BinaryCrossEntropy, MeanSquaredError};
use elman::metrics::Accuracy;
use elman::model::Batch;
use elman::optim::{Adam, Optimizer};
use elman::training::Fit;
use elman::{Activation, Backend, Key, Spec};
use elman_candle::Candle;
use elman_reference::Reference;

/// Sequences of words 1 and 2, padded with 0 on the left, of class 1 where the first word is a 1: whoever counts words
/// cannot tell, as both occur alike.
fn first_words() -> Dataset {
    let key = Key::new(7);
    let sequence = |i: u64| {
        let length = 2 + key.fold(i).below(0, 5);
        let mut words: Vec<u32> = (0..length).map(|j| 1 + (key.fold(i).bits(j as u64 + 8) & 1)).collect();
        words.insert(0, 1 + (i % 2) as u32);
        [vec![0; 8 - words.len()], words].concat()
    };
    let rows: Vec<Vec<u32>> = (0..200).map(sequence).collect();
    let labels = (0..200).map(|i| u32::from(i % 2 == 0)).collect();
    Dataset::new(Inputs::indices(&rows).unwrap(), Targets::classes(labels).unwrap()).unwrap()
}

fn learns<B: Backend>(b: &B, layer: impl Layer<B> + 'static) {
    let kind = layer.kind();
    let network = Sequential::new()
        .add(Embedding::new(3, 4).padding(0))
        .add(layer)
        .add(Dense::new(1).activation(Activation::Sigmoid));
    let mut model = network.build(b, Spec::indices(8), 1).unwrap();
    model.compile(Adam::new(0.02), BinaryCrossEntropy::new()).metric(Accuracy::new());
    let data = first_words();
    model.fit(&data, Fit::new().epochs(30).batch_size(20).quiet()).unwrap();
    let accuracy = model.evaluate(&data, 50).unwrap().get("accuracy").unwrap();
    assert!(accuracy > 0.99, "{kind} on {}: {accuracy}", b.name());
}

#[test]
fn the_first_word_is_remembered() {
    fn all<B: Backend>(b: &B) {
        learns(b, Elman::new(8));
        learns(b, Lstm::new(8));
        learns(b, Gru::new(8));
    }
    all(&Candle::cpu());
    all(&Reference::<f32>::new());
}

/// Two marked numbers of twenty are added: without memory there is nothing to say but 1, an error of 0.167.
#[test]
fn an_lstm_solves_the_adding_problem() {
    let (b, key) = (Candle::cpu(), Key::new(5));
    let network = Sequential::new().add(Lstm::new(16)).add(Dense::new(1));
    let mut model = network.build(&b, Spec::dense(&[20, 2]), 1).unwrap();
    model.compile(Optimizer::new(Adam::new(0.01)).clip_global_norm(1.0), MeanSquaredError);
    for update in 0..600 {
        let batch = memory::adding(32, 20, key.fold(update)).unwrap();
        model.train_step(&Batch::new(&b, batch).unwrap()).unwrap();
    }
    let test = memory::adding(300, 20, key.named("test")).unwrap();
    let loss = model.evaluate(&test, 100).unwrap().get("loss").unwrap();
    assert!(loss < 0.02, "{loss}, baseline {}", memory::ADDING_BASELINE);
}
