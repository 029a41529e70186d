//! Batches of texts of similar length.

use elman::data::{Dataset, Inputs, Targets};
use elman::layers::{Dense, Embedding, GlobalAveragePooling, Gru, Sequential};
use elman::loss::BinaryCrossEntropy;
use elman::optim::Sgd;
use elman::training::{Fit, callbacks::Callback};
use elman::{Activation, Model, Spec};
use elman_reference::Reference;
use std::ops::ControlFlow;

type R = Reference<f64>;

fn model(spec: Spec) -> Model<R> {
    let network = Sequential::new()
        .add(Embedding::new(20, 3).padding(0))
        .add(Gru::new(4).return_sequences())
        .add(GlobalAveragePooling)
        .add(Dense::new(1).activation(Activation::Sigmoid));
    let mut model = network.build(&R::with_threads(1), spec, 2).unwrap();
    model.compile(Sgd::new(0.5), BinaryCrossEntropy::new());
    model
}

/// Twelve texts of 1 to 12 words, padded on the left to 12.
fn data() -> Dataset {
    let rows: Vec<Vec<u32>> = (1..=12)
        .map(|n| [vec![0; 12 - n], (0..n as u32).map(|i| 1 + (i * 7 + n as u32) % 19).collect()].concat())
        .collect();
    Dataset::new(Inputs::indices(&rows).unwrap(), Targets::classes((0..12).map(|i| i % 2).collect()).unwrap()).unwrap()
}

/// What one step on all samples does does not depend on their padding and order.
#[test]
fn trimmed_padding_changes_nothing() {
    let weights = |fit: Fit<'_, R>| {
        let mut model = model(Spec::Indices(None));
        model.fit(&data(), fit.epochs(3).batch_size(12).quiet()).unwrap();
        model.params().iter().flat_map(|param| param.tensor().to_vec().unwrap()).collect::<Vec<_>>()
    };
    let (plain, by_length) = (weights(Fit::new()), weights(Fit::new().by_length(0)));
    let far = plain.iter().zip(&by_length).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(far < 1e-13, "{far}");
}

/// Smaller batches do the same in every run, and something else in every epoch.
#[test]
fn epochs_are_shuffled_by_their_number() {
    #[derive(Default)]
    struct Losses(Vec<f64>);
    impl Callback<R> for Losses {
        fn on_batch_end(
            &mut self,
            _: u64,
            _: usize,
            loss: &elman::Tensor<R>,
            _: &mut Model<R>,
        ) -> elman::Result<ControlFlow<String>> {
            self.0.push(loss.to_scalar()?);
            Ok(ControlFlow::Continue(()))
        }
    }
    let losses = |shuffle| {
        let mut losses = Losses::default();
        let mut model = model(Spec::Indices(None));
        // With a rate of next to nothing the losses of a batch are the same in every epoch.
        model.compile(Sgd::new(1e-300), BinaryCrossEntropy::new());
        let fit = Fit::new().epochs(6).batch_size(5).by_length(0).shuffle(shuffle).callback(&mut losses).quiet();
        model.fit(&data(), fit).unwrap();
        losses.0
    };
    assert_eq!(losses(true), losses(true));
    // Three batches an epoch: two epochs may well have them in one order, all six have not.
    let same = |losses: &[f64]| losses.chunks(3).all(|epoch| epoch == &losses[..3]);
    assert!(!same(&losses(true)));
    assert!(same(&losses(false)));
    assert_eq!(losses(true).len(), 18);
}

#[test]
fn what_cannot_be_batched_by_length_is_refused() {
    let error = model(Spec::indices(12)).fit(&data(), Fit::new().by_length(0).quiet()).unwrap_err().to_string();
    let expected = "batches by length: expected a model that takes any number of steps, found indices [batch, 12]";
    assert_eq!(error, expected);
    let mut dense = Sequential::new().add(Dense::new(1)).build(&R::new(), Spec::dense(&[2]), 0).unwrap();
    dense.compile(Sgd::new(0.1), BinaryCrossEntropy::from_logits());
    let rows = Dataset::new(Inputs::rows(&[[1.0, 2.0]]).unwrap(), Targets::classes(vec![1]).unwrap()).unwrap();
    let error = dense.fit(&rows, Fit::new().by_length(0).quiet()).unwrap_err().to_string();
    assert_eq!(error, "batches by length: expected sequences of indices, found numbers of shape [2] a sample");
}
