//! The opinions that the examples make up: the order of the words decides, and a network that reads in order can tell.

#[path = "../../../examples/common/reviews.rs"]
#[allow(dead_code)]
mod reviews;

use elman::data::{Dataset, Inputs, Targets, WordIndex};
use elman::layers::{Dense, Elman, Embedding, Layer, Lstm, Sequential};
use elman::loss::SparseCategoricalCrossEntropy;
use elman::metrics::Accuracy;
use elman::optim::Adam;
use elman::training::Fit;
use elman::{Activation, Backend, Spec};
use elman_candle::Candle;

/// A group's texts have the same words, and each class has one of them: a bag of words is right with one of a group at
/// most, whatever it learns.
#[test]
fn texts_of_a_group_have_the_same_words_and_all_labels() {
    for (classes, texts) in [(2, reviews::reviews(600, 3)), (3, reviews::tweets(600, 3))] {
        for group in texts.chunks(classes) {
            let words = |text: &str| {
                let mut words: Vec<String> =
                    text.to_lowercase().split([' ', '.', ',', ':']).map(String::from).collect();
                words.sort();
                words
            };
            let mut labels: Vec<u32> = group.iter().map(|(label, _)| *label).collect();
            labels.sort();
            assert_eq!(labels, (0..classes as u32).collect::<Vec<_>>());
            assert!(group.iter().all(|(_, text)| words(text) == words(&group[0].1)), "{group:?}");
        }
        let joined = texts.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n");
        assert!(!joined.contains(['{', '}']), "a slot was left open");
    }
}

#[test]
fn more_texts_begin_with_the_same_ones_and_seeds_differ() {
    assert_eq!(reviews::tweets(300, 1)[..30], reviews::tweets(30, 1));
    assert_eq!(reviews::reviews(300, 1)[..30], reviews::reviews(30, 1));
    assert_ne!(reviews::tweets(30, 1), reviews::tweets(30, 2));
    let texts = reviews::tweets(300, 1);
    for mark in ["@", "#", "http", "📱"] {
        assert!(texts.iter().any(|(_, text)| text.contains(mark)), "no {mark}");
    }
}

/// Accuracy on texts not seen in training of `layer` over words of its own.
fn accuracy<B: Backend>(b: &B, layer: impl Layer<B> + 'static, texts: [Vec<(u32, String)>; 2], epochs: u64) -> f64 {
    let index = WordIndex::fit(texts[0].iter().map(|(_, text)| text), 1000).unwrap();
    let steps = 80;
    let set = |texts: &[(u32, String)]| {
        let row = |text: &str| {
            let words = index.encode(text);
            [vec![0; steps - words.len()], words].concat()
        };
        let rows: Vec<_> = texts.iter().map(|(_, text)| row(text)).collect();
        let labels = texts.iter().map(|(label, _)| *label).collect();
        Dataset::new(Inputs::indices(&rows).unwrap(), Targets::classes(labels).unwrap()).unwrap()
    };
    let [train, test] = texts.each_ref().map(|texts| set(texts));
    let network = Sequential::new()
        .add(Embedding::new(index.width(), 16).padding(0))
        .add(layer)
        .add(Dense::new(3).activation(Activation::Softmax));
    let mut model = network.build(b, Spec::indices(steps), 1).unwrap();
    model.compile(Adam::new(5e-3), SparseCategoricalCrossEntropy::new()).metric(Accuracy::new());
    model.fit(&train, Fit::new().epochs(epochs).batch_size(32).quiet()).unwrap();
    model.evaluate(&test, 100).unwrap().get("accuracy").unwrap()
}

#[test]
fn an_elman_network_reads_tweets() {
    let accuracy = accuracy(&Candle::cpu(), Elman::new(24), [reviews::tweets(1500, 1), reviews::tweets(300, 2)], 6);
    assert!(accuracy > 0.95, "{accuracy}");
}

#[test]
fn an_lstm_reads_reviews() {
    let accuracy = accuracy(&Candle::cpu(), Lstm::new(24), [reviews::reviews(1500, 1), reviews::reviews(300, 2)], 14);
    assert!(accuracy > 0.95, "{accuracy}");
}
