//! One harness for all layers: shapes, parameters, gradients, the same numbers on all backends, evaluation, training.
//!
//! A layer is added by a [`Network`] to build it and a row in [`cases`].

mod clean;
mod constant;
mod described;
mod distinct;
mod dropout;
mod gates;
mod harness;
mod masks;
mod norm;
mod recurrent;
mod refused;
mod scheduled_sampling;
mod sizes;

use elman::layers::rnn::{GruCell, LstmCell};
use elman::layers::*;
use elman::{Activation, Backend, Spec};
use harness::{Case, Input, check};

/// What stands under test, on any backend.
#[derive(Clone, Debug)]
enum Network {
    Dense(Dense),
    Activation(Activation),
    Dropout(Dropout),
    Flatten,
    Reshape(Reshape),
    Masking(Masking),
    AveragePooling,
    MaxPooling,
    LastStep,
    LayerNorm(LayerNorm),
    BatchNorm(BatchNorm),
    RmsNorm(RmsNorm),
    PRelu(PRelu),
    Glu,
    AdditiveAttention(AdditiveAttention),
    MultiHeadAttention(MultiHeadAttention),
    SpatialDropout(SpatialDropout),
    Elman(Elman),
    Lstm(Lstm),
    Gru(Gru),
    BothLstm(Bidirectional<LstmCell>),
    BothGru(Bidirectional<GruCell>),
    /// A network for each step.
    TimeDistributed(Box<Network>),
    /// A network within a network, and names of one's own beside numbered ones.
    Nested,
}

impl Network {
    fn layers<B: Backend>(&self) -> Sequential<B> {
        let network = Sequential::new();
        match self.clone() {
            Network::Dense(layer) => network.add(layer),
            Network::Activation(layer) => network.add(layer),
            Network::Dropout(layer) => network.add(layer),
            Network::Flatten => network.add(Flatten),
            Network::Reshape(layer) => network.add(layer),
            Network::Masking(layer) => network.add(layer),
            Network::AveragePooling => network.add(GlobalAveragePooling),
            Network::MaxPooling => network.add(GlobalMaxPooling),
            Network::LastStep => network.add(LastStep),
            Network::LayerNorm(layer) => network.add(layer),
            Network::BatchNorm(layer) => network.add(layer),
            Network::RmsNorm(layer) => network.add(layer),
            Network::PRelu(layer) => network.add(layer),
            Network::Glu => network.add(Glu),
            Network::AdditiveAttention(layer) => network.add(layer),
            Network::MultiHeadAttention(layer) => network.add(layer),
            Network::SpatialDropout(layer) => network.add(layer),
            Network::Elman(layer) => network.add(layer),
            Network::Lstm(layer) => network.add(layer),
            Network::Gru(layer) => network.add(layer),
            Network::BothLstm(layer) => network.add(layer),
            Network::BothGru(layer) => network.add(layer),
            Network::TimeDistributed(inner) => network.add(TimeDistributed::new(inner.layers())),
            Network::Nested => {
                let encoder = Sequential::new()
                    .add(Dense::new(4).activation(Activation::Tanh))
                    .add(Dropout::new(0.4))
                    .add(Dense::new(3))
                    .add_named("squash", Activation::Sigmoid);
                network
                    .add_named("encoder", encoder)
                    .add(Flatten)
                    .add(Dropout::new(0.3))
                    .add(Dense::new(2).without_bias())
                    .add_named("dense_2", Dense::new(3))
                    .add(Dense::new(3).activation(Activation::Softmax))
            }
        }
    }
}

const ACTIVATIONS: [Activation; 22] = [
    Activation::Linear,
    Activation::Sigmoid,
    Activation::HardSigmoid,
    Activation::HardSigmoidKeras1,
    Activation::Tanh,
    Activation::Relu,
    Activation::LeakyRelu(0.2),
    Activation::Elu(1.0),
    Activation::Elu(0.5),
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::Silu,
    Activation::Softplus,
    Activation::Selu,
    Activation::Celu(0.7),
    Activation::Mish,
    Activation::HardSwish,
    Activation::Softsign,
    Activation::Relu6,
    Activation::LogSigmoid,
    Activation::Softmax,
    Activation::LogSoftmax,
];

/// Samples of known sizes, `[3, sizes..]`.
fn known(sizes: &[usize]) -> Input {
    Input::Numbers { spec: Spec::dense(sizes), shape: [&[3], sizes].concat() }
}

/// Samples `[2, steps, features]` to a layer that does not know the number of steps.
fn unknown_steps(steps: usize, features: usize) -> Input {
    Input::Numbers { spec: Spec::Dense(vec![None, Some(features)]), shape: vec![2, steps, features] }
}

fn steps_of(features: usize) -> Spec {
    Spec::Dense(vec![None, Some(features)])
}

fn case(network: Network, inputs: Vec<(Input, Spec)>, params: &[(&str, &[usize])]) -> Case {
    let params = params.iter().map(|(name, shape)| (name.to_string(), shape.to_vec())).collect();
    Case { network, inputs, params }
}

/// All layers in all their forms, with the inputs that they are built for, what comes out, and their parameters.
fn cases() -> Vec<Case> {
    let with_bias: &[(&str, &[usize])] = &[("dense.kernel", &[4, 3]), ("dense.bias", &[3])];
    let inputs_of_dense = |units: usize| {
        vec![
            (known(&[4]), Spec::dense(&[units])),
            (known(&[2, 4]), Spec::dense(&[2, units])),
            (unknown_steps(5, 4), steps_of(units)),
            (unknown_steps(1, 4), steps_of(units)),
            (Input::Masked { features: 4 }, steps_of(units)),
            (Input::Bags { width: 4 }, Spec::dense(&[units])),
        ]
    };
    let inputs_of_elementwise = || {
        vec![
            (known(&[7]), Spec::dense(&[7])),
            (known(&[2, 4]), Spec::dense(&[2, 4])),
            (unknown_steps(5, 4), steps_of(4)),
            (Input::Masked { features: 4 }, steps_of(4)),
            (Input::Bags { width: 4 }, Spec::dense(&[4])),
        ]
    };
    let mut cases = Vec::new();
    for f in ACTIVATIONS {
        cases.push(case(Network::Dense(Dense::new(3).activation(f)), inputs_of_dense(3), with_bias));
        cases.push(case(Network::Activation(f), inputs_of_elementwise(), &[]));
    }
    for f in [Activation::Linear, Activation::Relu, Activation::Sigmoid] {
        let layer = Dense::new(1).activation(f).without_bias();
        cases.push(case(Network::Dense(layer), inputs_of_dense(1), &[("dense.kernel", &[4, 1])]));
    }
    for rate in [0.0, 0.4, 0.9] {
        cases.push(case(Network::Dropout(Dropout::new(rate)), inputs_of_elementwise(), &[]));
    }
    let flattened = vec![
        (known(&[2, 4]), Spec::dense(&[8])),
        (known(&[2, 1, 3, 2]), Spec::dense(&[12])),
        (known(&[5]), Spec::dense(&[5])),
        (known(&[]), Spec::dense(&[1])),
        (Input::Bags { width: 4 }, Spec::dense(&[4])),
    ];
    cases.push(case(Network::Flatten, flattened, &[]));
    let reshaped = vec![
        (known(&[6]), Spec::dense(&[3, 2])),
        (known(&[2, 3]), Spec::dense(&[3, 2])),
        (known(&[1, 6, 1]), Spec::dense(&[3, 2])),
        (Input::Bags { width: 6 }, Spec::dense(&[3, 2])),
    ];
    cases.push(case(Network::Reshape(Reshape::new(&[3, 2])), reshaped, &[]));
    cases.push(case(Network::Reshape(Reshape::new(&[])), vec![(known(&[1]), Spec::dense(&[]))], &[]));
    let nested: &[(&str, &[usize])] = &[
        ("encoder.dense.kernel", &[5, 4]),
        ("encoder.dense.bias", &[4]),
        ("encoder.dense_1.kernel", &[4, 3]),
        ("encoder.dense_1.bias", &[3]),
        ("dense.kernel", &[6, 2]),
        ("dense_2.kernel", &[2, 3]),
        ("dense_2.bias", &[3]),
        ("dense_1.kernel", &[3, 3]),
        ("dense_1.bias", &[3]),
    ];
    cases.push(case(Network::Nested, vec![(known(&[2, 5]), Spec::dense(&[3]))], nested));
    cases.extend(cases_of_sequences());
    cases.extend(cases_of_norms(inputs_of_elementwise()));
    cases.extend(cases_of_gates());
    cases
}

fn cases_of_norms(inputs: Vec<(Input, Spec)>) -> Vec<Case> {
    // Features are of two sizes: each size is a case.
    let of_size = |size: usize| {
        let has = |spec: &Spec| spec.features().unwrap() == size;
        inputs.iter().filter(|(_, spec)| has(spec)).cloned().collect::<Vec<_>>()
    };
    let mut cases = Vec::new();
    for size in [4, 7] {
        let gamma: (&str, &[usize]) = ("layer_norm.gamma", &[size]);
        let layer = Network::LayerNorm(LayerNorm::new().epsilon(1e-2));
        cases.push(case(layer, of_size(size), &[gamma, ("layer_norm.beta", &[size])]));
        let weights = ["gamma", "beta", "moving_mean", "moving_variance"].map(|name| format!("batch_norm.{name}"));
        let weights: Vec<(&str, &[usize])> = weights.iter().map(|name| (name.as_str(), gamma.1)).collect();
        // A feature of a bag that is the same in all samples has no variance: nothing to compare in single precision.
        let inputs = of_size(size).into_iter().filter(|(input, _)| !matches!(input, Input::Bags { .. })).collect();
        cases.push(case(Network::BatchNorm(BatchNorm::new().epsilon(1e-2)), inputs, &weights));
        let gamma: (&str, &[usize]) = ("rms_norm.gamma", &[size]);
        cases.push(case(Network::RmsNorm(RmsNorm::new().epsilon(1e-2)), of_size(size), &[gamma]));
    }
    cases
}

/// Layers between an activation and a layer with weights.
fn cases_of_gates() -> Vec<Case> {
    let prelu = |layer: PRelu, inputs: Vec<(Input, Spec)>, shape: &[usize]| {
        case(Network::PRelu(layer), inputs, &[("prelu.alpha", shape)])
    };
    let bags = || (Input::Bags { width: 4 }, Spec::dense(&[4]));
    let steps = || {
        let inputs = [known(&[3, 4]), unknown_steps(5, 4), Input::Masked { features: 4 }];
        inputs.into_iter().zip([Spec::dense(&[3, 4]), steps_of(4), steps_of(4)]).collect::<Vec<_>>()
    };
    let halves = [known(&[4]), known(&[2, 4]), unknown_steps(5, 4), Input::Masked { features: 4 }, bags().0];
    let of_halves = [Spec::dense(&[2]), Spec::dense(&[2, 2]), steps_of(2), steps_of(2), Spec::dense(&[2])];
    vec![
        prelu(PRelu::new(), vec![(known(&[4]), Spec::dense(&[4])), bags()], &[4]),
        prelu(PRelu::new(), vec![(known(&[2, 4]), Spec::dense(&[2, 4]))], &[2, 4]),
        prelu(PRelu::new().shared_axes([1]), steps(), &[1, 4]),
        prelu(PRelu::new().shared_axes([1, 2]), steps(), &[1, 1]),
        case(Network::Glu, halves.into_iter().zip(of_halves).collect(), &[]),
    ]
}

fn cases_of_sequences() -> Vec<Case> {
    let sequences = || vec![known(&[3, 4]), unknown_steps(5, 4), unknown_steps(1, 4), Input::Masked { features: 4 }];
    let pooled = || sequences().into_iter().map(|input| (input, Spec::dense(&[4]))).collect::<Vec<_>>();
    let steps = |outputs: usize| {
        let specs = [Spec::dense(&[3, outputs]), steps_of(outputs), steps_of(outputs), steps_of(outputs)];
        sequences().into_iter().zip(specs).collect::<Vec<_>>()
    };
    let pools = [Network::AveragePooling, Network::MaxPooling, Network::LastStep];
    let mut cases: Vec<Case> = pools.into_iter().map(|pool| case(pool, pooled(), &[])).collect();
    cases.push(case(Network::Masking(Masking::new(0.5)), steps(4), &[]));
    for rate in [0.0, 0.4, 0.9] {
        cases.push(case(Network::SpatialDropout(SpatialDropout::new(rate)), steps(4), &[]));
    }
    let additive: &[(&str, &[usize])] = &[
        ("additive_attention.kernel", &[4, 5]),
        ("additive_attention.bias", &[5]),
        ("additive_attention.score", &[5]),
    ];
    cases.push(case(Network::AdditiveAttention(AdditiveAttention::new(5)), pooled(), additive));

    let projections = |width: usize, outputs: usize, biases: bool| {
        let inner = [("query", 3), ("key", 3), ("value", width)];
        let mut params = Vec::new();
        for (name, size) in inner {
            params.push((format!("{name}.kernel"), vec![4, 2, size]));
            params.extend(biases.then(|| (format!("{name}.bias"), vec![2, size])));
        }
        params.push(("attention_output.kernel".into(), vec![2, width, outputs]));
        params.extend(biases.then(|| ("attention_output.bias".into(), vec![outputs])));
        params.into_iter().map(|(name, shape)| (format!("multi_head_attention.{name}"), shape)).collect::<Vec<_>>()
    };
    let plain = MultiHeadAttention::new(2, 3);
    let forms = [
        (plain.clone(), 3, 4, true),
        (plain.clone().causal(), 3, 4, true),
        (plain.clone().dropout(0.3).without_bias(), 3, 4, false),
        (plain.causal().dropout(0.3).value_dim(5).outputs(6), 5, 6, true),
    ];
    for (layer, width, outputs, biases) in forms {
        let params = projections(width, outputs, biases);
        cases.push(Case { network: Network::MultiHeadAttention(layer), inputs: steps(outputs), params });
    }

    let each = |network: Network| Network::TimeDistributed(Box::new(network));
    let dense: &[(&str, &[usize])] =
        &[("time_distributed.sequential.dense.kernel", &[4, 2]), ("time_distributed.sequential.dense.bias", &[2])];
    let softmax = Network::Dense(Dense::new(2).activation(Activation::Softmax));
    cases.push(case(each(softmax), steps(2), dense));
    let sentences = vec![(known(&[2, 3, 4]), Spec::dense(&[2, 4]))];
    cases.push(case(each(Network::MaxPooling), sentences, &[]));
    let numbers = vec![(known(&[3]), Spec::dense(&[3])), (known(&[3, 1]), Spec::dense(&[3]))];
    cases.push(case(each(Network::Reshape(Reshape::new(&[]))), numbers, &[]));
    cases
}

#[test]
fn layers_keep_their_word() {
    cases().iter().for_each(check);
}

#[test]
fn recurrent_layers_keep_their_word() {
    recurrent::cases().iter().for_each(check);
}
