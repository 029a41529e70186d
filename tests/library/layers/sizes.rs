//! Layers with more units than memory has room for, or than numbers can count: errors and neither panics nor aborts.

use elman::layers::*;
use elman::{Backend, Result, Spec};
use elman_candle::Candle;
use elman_reference::Reference;

/// Sizes whose squares or multiples overflow, and one that does not: 2 TB as f32.
const HUGE: [usize; 4] = [usize::MAX, usize::MAX / 2, 1 << 62, 500_000_000_000];

fn all_are_refused<B: Backend>(backend: &B) {
    let numbers = || Spec::dense(&[3, 2]);
    for units in HUGE {
        let networks: Vec<(&str, Sequential<B>, Spec)> = vec![
            ("dense", Sequential::new().add(Dense::new(units)), numbers()),
            ("elman", Sequential::new().add(Elman::new(units)), numbers()),
            ("lstm", Sequential::new().add(Lstm::new(units)), numbers()),
            ("lstm on words", Sequential::new().add(Embedding::new(3, 2)).add(Lstm::new(units)), Spec::indices(3)),
            ("gru", Sequential::new().add(Gru::new(units)), numbers()),
            ("both ways", Sequential::new().add(Bidirectional::new(Lstm::new(units))), numbers()),
            ("rows of an embedding", Sequential::new().add(Embedding::new(units, 2)), Spec::indices(3)),
            ("numbers of an embedding", Sequential::new().add(Embedding::new(2, units)), Spec::indices(3)),
            ("additive attention", Sequential::new().add(AdditiveAttention::new(units)), numbers()),
            ("heads", Sequential::new().add(MultiHeadAttention::new(units, 2)), numbers()),
            ("numbers of a head", Sequential::new().add(MultiHeadAttention::new(2, units)), numbers()),
            ("input", Sequential::new().add(Dense::new(2)), Spec::dense(&[units])),
            ("normalised", Sequential::new().add(LayerNorm::new()), Spec::dense(&[units])),
            ("flattened", Sequential::new().add(Flatten).add(Dense::new(1)), Spec::dense(&[units, units])),
        ];
        for (name, network, input) in networks {
            let built: Result<_> = network.build(backend, input, 0);
            assert!(built.is_err(), "{name} of {units}");
        }
    }
}

#[test]
fn sizes_that_no_machine_has_are_errors() {
    all_are_refused(&Reference::<f32>::new());
    all_are_refused(&Reference::<f64>::new());
    all_are_refused(&Candle::cpu());
}
