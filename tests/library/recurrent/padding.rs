//! A padding index of one's own (RoBERTa pads with 1), through everything that pads, masks and trims.

use elman::backend::Backend;
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::{Dense, Embedding, GlobalAveragePooling, Gru, Sequential};
use elman::loss::BinaryCrossEntropy;
use elman::optim::Sgd;
use elman::text::{Padding, Truncation, pad_sequences_with};
use elman::training::Fit;
use elman::{Activation, Model, Spec};
use elman_candle::Candle;
use elman_reference::Reference;

/// RoBERTa's `<pad>`; its 0 is `<s>`, which every text begins with.
const PAD: u32 = 1;

/// Texts of 1 to 6 tokens, `<s>` in front.
fn rows() -> Vec<Vec<u32>> {
    (1..=6).map(|n| (0..n).map(|i| if i == 0 { 0 } else { 2 + (i * 7 + n) % 17 }).collect()).collect()
}

fn model<B: Backend>(b: &B) -> Model<B> {
    let network = Sequential::new()
        .add(Embedding::new(20, 3).padding(PAD))
        .add(Gru::new(4).return_sequences())
        .add(GlobalAveragePooling)
        .add(Dense::new(1).activation(Activation::Sigmoid));
    let mut model = network.build(b, Spec::Indices(None), 2).unwrap();
    model.compile(Sgd::new(0.5), BinaryCrossEntropy::new());
    model
}

fn padded(padding: Padding, steps: Option<usize>) -> Inputs {
    Inputs::indices(&pad_sequences_with(&rows(), padding, Truncation::Pre, steps, PAD).unwrap()).unwrap()
}

#[test]
fn rows_are_filled_with_the_index() {
    let rows = [vec![0, 5, 2], vec![0]];
    let pad = |padding, steps| pad_sequences_with(&rows, padding, Truncation::Post, steps, PAD).unwrap();
    assert_eq!(pad(Padding::Post, None), [[0, 5, 2], [0, 1, 1]]);
    assert_eq!(pad(Padding::Pre, Some(2)), [[0, 5], [1, 0]]);
}

/// A text's prediction is that of the text alone, without padding.
fn padding_counts_for_nothing<B: Backend>(b: &B) {
    let model = model(b);
    let alone: Vec<f32> =
        rows().iter().map(|row| model.predict(&Inputs::indices(&[row]).unwrap(), 1).unwrap().data()[0]).collect();
    for padding in [Padding::Pre, Padding::Post] {
        for inputs in [padded(padding, None), padded(padding, Some(9)), padded(padding, Some(9)).trimmed(PAD)] {
            let together = model.predict(&inputs, 6).unwrap();
            // Sums of four and six numbers around 1 in f32, in another order perhaps.
            let far = together.data().iter().zip(&alone).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(far < 1e-6, "{padding:?}: {far}");
        }
    }
    // 0 is no padding here: as a word it counts.
    let zeros = model.predict(&Inputs::indices(&[[0, 0, 5], [PAD, 0, 5]]).unwrap(), 2).unwrap();
    assert!((zeros.data()[0] - zeros.data()[1]).abs() > 1e-4);
}

#[test]
fn masks_go_by_the_index() {
    padding_counts_for_nothing(&Reference::<f32>::new());
    padding_counts_for_nothing(&Candle::cpu());
}

/// Training on whole batches is the same with and without trimming, which takes off `PAD` and nothing else.
fn batches_by_length_go_by_the_index<B: Backend>(b: &B, near: f64) {
    let targets = Targets::classes((0..6).map(|i| i % 2).collect()).unwrap();
    let data = Dataset::new(padded(Padding::Pre, Some(9)), targets).unwrap();
    assert_eq!(data.inputs().lengths(PAD), Some(vec![1, 2, 3, 4, 5, 6]));
    let weights = |fit: Fit<'_, B>| {
        let mut model = model(b);
        model.fit(&data, fit.epochs(3).batch_size(6).quiet()).unwrap();
        let numbers = model.params().iter().flat_map(|param| param.tensor().to_vec().unwrap());
        numbers.map(elman::Element::to_f64).collect::<Vec<_>>()
    };
    let (plain, by_length) = (weights(Fit::new()), weights(Fit::new().by_length(PAD)));
    let far = plain.iter().zip(&by_length).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(far < near, "{far}");
}

#[test]
fn batches_by_length_trim_the_index() {
    // Rounding of three steps on weights around 1.
    batches_by_length_go_by_the_index(&Reference::<f64>::new(), 1e-13);
    batches_by_length_go_by_the_index(&Candle::cpu(), 1e-5);
}
