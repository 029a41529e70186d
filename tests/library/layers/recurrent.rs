//! Recurrent layers, an option at a time.

use super::harness::{Case, Input};
use super::{Network, known, steps_of, unknown_steps};
use elman::layers::*;
use elman::{Activation, Spec};

const UNITS: usize = 3;

/// Names and shapes of parameters.
type Params = Vec<(String, Vec<usize>)>;

/// Those of a layer for 4 features.
fn params(path: &str, gates: usize, bias: bool, more: &[(&str, usize)]) -> Params {
    let width = gates * UNITS;
    let mut params = vec![("kernel", vec![4, width]), ("recurrent_kernel", vec![UNITS, width])];
    params.extend(bias.then(|| ("bias", vec![width])));
    params.extend(more.iter().map(|&(name, size)| (name, vec![size])));
    params.into_iter().map(|(name, shape)| (format!("{path}.{name}"), shape)).collect()
}

fn inputs() -> Vec<Input> {
    vec![known(&[3, 4]), unknown_steps(5, 4), unknown_steps(1, 4), Input::Masked { features: 4 }]
}

/// Gives the last output or state.
fn last(network: Network, features: usize, params: Params) -> Case {
    let inputs = inputs().into_iter().map(|input| (input, Spec::dense(&[features])));
    Case { network, inputs: inputs.collect(), params }
}

/// Gives every output.
fn every(network: Network, features: usize, params: Params) -> Case {
    let specs = [Spec::dense(&[3, features]), steps_of(features), steps_of(features), steps_of(features)];
    Case { network, inputs: inputs().into_iter().zip(specs).collect(), params }
}

pub(super) fn cases() -> Vec<Case> {
    let elman = || params("elman", 1, true, &[]);
    let lstm = || params("lstm", 4, true, &[]);
    let gru = || params("gru", 3, true, &[("recurrent_bias", 3 * UNITS)]);
    let before = || params("gru", 3, true, &[]);
    let mut cases = vec![
        last(Network::Elman(Elman::new(UNITS)), UNITS, elman()),
        last(Network::Lstm(Lstm::new(UNITS)), UNITS, lstm()),
        last(Network::Gru(Gru::new(UNITS)), UNITS, gru()),
        last(Network::Gru(Gru::new(UNITS).reset_before()), UNITS, before()),
        last(Network::Elman(Elman::new(UNITS).without_bias()), UNITS, params("elman", 1, false, &[])),
        last(Network::Lstm(Lstm::new(UNITS).without_bias()), UNITS, params("lstm", 4, false, &[])),
        last(Network::Gru(Gru::new(UNITS).without_bias()), UNITS, params("gru", 3, false, &[])),
        every(Network::Elman(Elman::new(UNITS).return_sequences()), UNITS, elman()),
        every(Network::Lstm(Lstm::new(UNITS).return_sequences()), UNITS, lstm()),
        every(Network::Gru(Gru::new(UNITS).return_sequences()), UNITS, gru()),
        every(Network::Gru(Gru::new(UNITS).reset_before().return_sequences()), UNITS, before()),
        every(Network::Lstm(Lstm::new(UNITS).return_sequences().reverse()), UNITS, lstm()),
        last(Network::Gru(Gru::new(UNITS).reverse()), UNITS, gru()),
        last(Network::Elman(Elman::new(UNITS).return_state()), UNITS, elman()),
        last(Network::Lstm(Lstm::new(UNITS).return_state()), 2 * UNITS, lstm()),
        last(Network::Lstm(Lstm::new(UNITS).keras1()), UNITS, lstm()),
        last(Network::Gru(Gru::new(UNITS).keras1()), UNITS, before()),
    ];
    // Dropout of inputs and state.
    cases.extend([
        last(Network::Elman(Elman::new(UNITS).dropout(0.3).recurrent_dropout(0.4)), UNITS, elman()),
        every(Network::Lstm(Lstm::new(UNITS).dropout(0.3).recurrent_dropout(0.4).return_sequences()), UNITS, lstm()),
        last(Network::Gru(Gru::new(UNITS).recurrent_dropout(0.4)), UNITS, gru()),
        last(Network::Gru(Gru::new(UNITS).reset_before().recurrent_dropout(0.4)), UNITS, before()),
    ]);
    // First states that are learned.
    let h = ("initial_h", UNITS);
    let learned = params("lstm", 4, true, &[h, ("initial_c", UNITS)]);
    cases.push(every(Network::Lstm(Lstm::new(UNITS).learned_state().return_sequences()), UNITS, learned));
    let learned = params("gru", 3, true, &[("recurrent_bias", 3 * UNITS), h]);
    cases.push(last(Network::Gru(Gru::new(UNITS).learned_state().recurrent_dropout(0.4)), UNITS, learned));
    cases.push(last(Network::Elman(Elman::new(UNITS).learned_state()), UNITS, params("elman", 1, true, &[h])));
    // Other functions: some whose slope their value tells, some whose does not.
    for f in [Activation::Sigmoid, Activation::HardSigmoid, Activation::Softplus, Activation::Gelu, Activation::Silu] {
        cases.extend([
            last(Network::Elman(Elman::new(UNITS).activation(f)), UNITS, elman()),
            last(Network::Lstm(Lstm::new(UNITS).activation(f)), UNITS, lstm()),
            last(Network::Gru(Gru::new(UNITS).activation(f)), UNITS, gru()),
            last(Network::Lstm(Lstm::new(UNITS).gate_activation(f)), UNITS, lstm()),
            last(Network::Gru(Gru::new(UNITS).gate_activation(f).reset_before()), UNITS, before()),
        ]);
    }
    // The layer-normalised LSTM.
    let norms =
        [("kernel_gamma", 4 * UNITS), ("recurrent_gamma", 4 * UNITS), ("state_gamma", UNITS), ("state_beta", UNITS)];
    let normed = |bias| params("lstm", 4, bias, &norms);
    cases.extend([
        last(Network::Lstm(Lstm::new(UNITS).layer_norm()), UNITS, normed(true)),
        last(Network::Lstm(Lstm::new(UNITS).layer_norm().without_bias()), UNITS, normed(false)),
        last(Network::Lstm(Lstm::new(UNITS).layer_norm().return_state()), 2 * UNITS, normed(true)),
        every(
            Network::Lstm(Lstm::new(UNITS).layer_norm().return_sequences().reverse().recurrent_dropout(0.4)),
            UNITS,
            normed(true),
        ),
    ]);
    // Both directions.
    let both = |layer: fn(&str) -> Params| {
        ["bidirectional.forward", "bidirectional.backward"].into_iter().flat_map(layer).collect::<Vec<_>>()
    };
    let of_lstm = || both(|path| params(path, 4, true, &[]));
    let of_gru = || both(|path| params(path, 3, true, &[("recurrent_bias", 3 * UNITS)]));
    for (merge, features) in
        [(Merge::Concat, 2 * UNITS), (Merge::Sum, UNITS), (Merge::Mul, UNITS), (Merge::Average, UNITS)]
    {
        let layer = Bidirectional::new(Lstm::new(UNITS).return_sequences()).merge(merge);
        cases.push(every(Network::BothLstm(layer), features, of_lstm()));
        cases.push(last(Network::BothGru(Bidirectional::new(Gru::new(UNITS)).merge(merge)), features, of_gru()));
    }
    cases
}
