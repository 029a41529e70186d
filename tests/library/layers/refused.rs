//! What layers refuse when they are built and when they are called, with the path of the layer.

use crate::common::near::tensor;
use elman::data::Bags;
use elman::layers::*;
use elman::{Activation, Backend, ParamId, Result, Spec};
use elman_candle::Candle;
use elman_reference::Reference;

/// Says that it gives what it takes, and gives the transpose.
#[derive(Clone, Debug)]
struct Liar;

impl<B: Backend> Layer<B> for Liar {
    fn kind(&self) -> &'static str {
        "liar"
    }

    fn build(&self, input: &Spec, _: &mut Scope<'_, B>) -> Result<Built<B>> {
        Ok(Built::new(Liar, input.clone()))
    }
}

impl<B: Backend> Module<B> for Liar {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        Ok(input.tensor(pass)?.transpose()?.into())
    }
}

/// Asks for the same parameter twice.
#[derive(Clone, Debug)]
struct Twice;

impl<B: Backend> Layer<B> for Twice {
    fn kind(&self) -> &'static str {
        "twice"
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        let _: ParamId = scope.param("kernel", [2].into(), &Weight::ones())?;
        scope.param("kernel", [2].into(), &Weight::ones())?;
        Ok(Built::new(Liar, input.clone()))
    }
}

#[test]
fn what_cannot_be_built_is_an_error_with_its_path() {
    let b = Reference::<f32>::new();
    let refused = |layers: Sequential<_>, input: &Spec| layers.build(&b, input.clone(), 0).unwrap_err().to_string();
    let one = Sequential::new;
    let numbers = Spec::dense(&[2, 3]);
    let (words, unknown) = (Spec::indices(5), Spec::Dense(vec![Some(3), None]));

    // Features that are none or not known.
    let features = "input: expected numbers with a last axis of known size above 0, found";
    for (input, found) in [
        (&words, "indices [batch, 5]"),
        (&unknown, "[batch, 3, any]"),
        (&Spec::dense(&[]), "[batch]"),
        (&Spec::dense(&[0]), "[batch, 0]"),
    ] {
        assert_eq!(refused(one().add(Dense::new(2)), input), format!("layer `dense`: {features} {found}"));
        let softmax = one().add(Activation::LogSoftmax);
        assert_eq!(refused(softmax, input), format!("layer `activation`: {features} {found}"));
    }
    let expected = "input: expected numbers, found indices [batch, 5]";
    assert_eq!(refused(one().add(Activation::Relu), &words), format!("layer `activation`: {expected}"));
    assert_eq!(refused(one().add(Dropout::new(0.5)), &words), format!("layer `dropout`: {expected}"));
    for (input, found) in [(&words, "indices [batch, 5]"), (&unknown, "[batch, 3, any]")] {
        let expected = format!("input: expected numbers of known sizes, found {found}");
        assert_eq!(refused(one().add(Flatten), input), format!("layer `flatten`: {expected}"));
        assert_eq!(refused(one().add(Reshape::new(&[15])), input), format!("layer `reshape`: {expected}"));
    }

    // Options.
    let expected = "layer `dense`: units: expected at least 1, found 0";
    assert_eq!(refused(one().add(Dense::new(0)), &numbers), expected);
    for rate in [1.0, -0.1, 2.0, f64::NAN] {
        let expected = format!("layer `dropout`: rate: expected a number in [0, 1), found {rate}");
        assert_eq!(refused(one().add(Dropout::new(rate)), &numbers), expected);
    }
    let expected = "layer `reshape`: shape: expected as many numbers as in [batch, 2, 3], found [batch, 4]";
    assert_eq!(refused(one().add(Reshape::new(&[4])), &numbers), expected);

    for rate in [1.0, -0.1, f64::NAN] {
        let expected = format!("layer `spatial_dropout`: rate: expected a number in [0, 1), found {rate}");
        assert_eq!(refused(one().add(SpatialDropout::new(rate)), &numbers), expected);
        let expected = format!("layer `multi_head_attention`: dropout: expected a number in [0, 1), found {rate}");
        assert_eq!(refused(one().add(MultiHeadAttention::new(1, 1).dropout(rate)), &numbers), expected);
    }
    for epsilon in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let expected = format!("epsilon: expected a finite number above 0, found {epsilon}");
        let found = refused(one().add(LayerNorm::new().epsilon(epsilon)), &numbers);
        assert_eq!(found, format!("layer `layer_norm`: {expected}"));
        let found = refused(one().add(BatchNorm::new().epsilon(epsilon)), &numbers);
        assert_eq!(found, format!("layer `batch_norm`: {expected}"));
    }
    for momentum in [-0.1, 1.5, f64::NAN] {
        let expected = format!("layer `batch_norm`: momentum: expected a number in [0, 1], found {momentum}");
        assert_eq!(refused(one().add(BatchNorm::new().momentum(momentum)), &numbers), expected);
    }
    let expected = "layer `additive_attention`: units: expected at least 1, found 0";
    assert_eq!(refused(one().add(AdditiveAttention::new(0)), &numbers), expected);
    for (layer, option) in [
        (MultiHeadAttention::new(0, 1), "heads"),
        (MultiHeadAttention::new(1, 0), "key_dim"),
        (MultiHeadAttention::new(1, 1).value_dim(0), "value_dim"),
        (MultiHeadAttention::new(1, 1).outputs(0), "outputs"),
    ] {
        let expected = format!("layer `multi_head_attention`: {option}: expected at least 1, found 0");
        assert_eq!(refused(one().add(layer), &numbers), expected);
    }

    // What is no sequence.
    let sequences =
        "input: expected sequences [batch, time, features] of at least one step and a known number of features";
    let no_sequences = [
        (words, "indices [batch, 5]"),
        (unknown, "[batch, 3, any]"),
        (Spec::dense(&[3]), "[batch, 3]"),
        (Spec::dense(&[0, 3]), "[batch, 0, 3]"),
        (Spec::dense(&[2, 0]), "[batch, 2, 0]"),
        (Spec::dense(&[2, 3, 4]), "[batch, 2, 3, 4]"),
        (Spec::bags(3), "bags [batch, 3]"),
    ];
    for (input, found) in &no_sequences {
        let layers = [
            (one().add(Masking::new(0.0)), "masking"),
            (one().add(GlobalAveragePooling), "global_average_pooling"),
            (one().add(GlobalMaxPooling), "global_max_pooling"),
            (one().add(LastStep), "last_step"),
            (one().add(AdditiveAttention::new(2)), "additive_attention"),
            (one().add(MultiHeadAttention::new(2, 2)), "multi_head_attention"),
            (one().add(SpatialDropout::new(0.5)), "spatial_dropout"),
        ];
        for (layers, name) in layers {
            assert_eq!(refused(layers, input), format!("layer `{name}`: {sequences}, found {found}"));
        }
    }
    let steps = "layer `time_distributed`: input: expected sequences [batch, time, ..] of at least one step, found";
    for (input, found) in [
        (Spec::indices(5), "indices [batch, 5]"),
        (Spec::bags(3), "bags [batch, 3]"),
        (Spec::dense(&[]), "[batch]"),
        (Spec::dense(&[0, 3]), "[batch, 0, 3]"),
    ] {
        assert_eq!(refused(one().add(TimeDistributed::new(Dense::new(2))), &input), format!("{steps} {found}"));
    }
    let expected = format!("layer `time_distributed.last_step`: {sequences}, found [batch, 3]");
    assert_eq!(refused(one().add(TimeDistributed::new(LastStep)), &numbers), expected);

    // Names.
    for name in ["", "a.b", "."] {
        let expected = format!("layer: expected a name that is not empty and holds no dot, found `{name}`");
        assert_eq!(refused(one().add_named(name, Flatten), &numbers), expected);
    }
    let twice = || one().add_named("x", Dense::new(2)).add_named("x", Dense::new(2));
    assert_eq!(refused(twice(), &numbers), "layer: expected a name that is not taken, found `x`");
    let expected = "layer `sequential`: layer: expected a name that is not taken, found `x`";
    assert_eq!(refused(one().add(twice()), &numbers), expected);
    let after = one().add(Flatten).add_named("flatten", Flatten);
    assert_eq!(refused(after, &numbers), "layer: expected a name that is not taken, found `flatten`");
    let expected = "layer `twice`: parameter: expected a name that is not taken, found twice.kernel";
    assert_eq!(refused(one().add(Twice), &numbers), expected);

    // The path leads through networks within networks, past layers of the same kind.
    let inner = one().add(Dense::new(4)).add(Dense::new(0));
    let outer = one().add_named("encoder", one().add(Dense::new(3)).add(inner));
    let expected = "layer `encoder.sequential.dense_1`: units: expected at least 1, found 0";
    assert_eq!(refused(outer, &numbers), expected);
    assert_eq!(refused(one(), &numbers), "sequential: expected at least one layer, found none");
    let expected = "layer `sequential`: sequential: expected at least one layer, found none";
    assert_eq!(refused(one().add(one()), &numbers), expected);
}

#[test]
fn what_cannot_be_computed_is_an_error_with_its_path() {
    refuse(&Reference::<f64>::new());
    refuse(&Candle::cpu());
}

fn refuse<B: Backend>(b: &B) {
    // The model checks what it is given.
    let model = Sequential::new().add(Dense::new(2)).build(b, Spec::dense(&[3]), 0).unwrap();
    let refused = |input: Value<B>| model.forward(input, Mode::Evaluation).unwrap_err().to_string();
    let expected = |found: &str| format!("model input: expected [batch, 3], found {found}");
    assert_eq!(refused(tensor(b, &[0.0; 4], &[2, 2]).into()), expected("[batch, 2]"));
    assert_eq!(refused(tensor(b, &[0.0; 6], &[1, 2, 3]).into()), expected("[batch, 2, 3]"));
    assert_eq!(refused(tensor(b, &[0.0; 3], &[3]).into()), expected("[batch]"));
    assert_eq!(refused(tensor(b, &[0.0], &[]).into()), expected("a single number without a batch axis"));
    assert_eq!(refused(Bags::binary([[1]], 3).unwrap().into()), expected("bags [batch, 3]"));
    let indices = |data: &[u32], shape: &[usize]| {
        Value::<B>::Indices(b.upload_indices(data.to_vec(), elman::Shape::new(shape).unwrap()).unwrap())
    };
    assert_eq!(refused(indices(&[1, 2, 0], &[1, 3])), expected("indices [batch, 3]"));
    assert_eq!(refused(indices(&[1, 2, 0], &[3])), expected("indices of shape [3]"));

    // A layer that gives something else than it said: the layer that meets it says where.
    let lied = |next: Sequential<B>, input: Value<B>| {
        let spec = if matches!(input, Value::Tensor(_)) { Spec::dense(&[3]) } else { Spec::bags(3) };
        let network = Sequential::new().add_named("encoder", Sequential::new().add(Liar).add_named("next", next));
        network.build(b, spec, 0).unwrap().forward(input, Mode::Evaluation).unwrap_err().to_string()
    };
    let numbers = || Value::from(tensor(b, &[0.0; 6], &[2, 3]));
    let path = "layer `encoder.next.dense`";
    let shapes = "linear: shapes [3, 2] and [3, 4] do not go together (x is [.., inputs] and w [inputs, outputs])";
    assert_eq!(lied(Sequential::new().add(Dense::new(4)), numbers()), format!("{path}: {shapes}"));
    let path = "layer `encoder.next.reshape`";
    let shapes = "reshape: shapes [3, 2] and [3, 3, 1] do not go together (they must have as many elements)";
    assert_eq!(lied(Sequential::new().add(Reshape::new(&[3, 1])), numbers()), format!("{path}: {shapes}"));

    // Sequences without a step, and masks of other sequences.
    let layers = || {
        [
            (Sequential::new().add(Masking::new(0.0)), "masking"),
            (Sequential::new().add(GlobalAveragePooling), "global_average_pooling"),
            (Sequential::new().add(GlobalMaxPooling), "global_max_pooling"),
            (Sequential::new().add(LastStep), "last_step"),
            (Sequential::new().add(AdditiveAttention::new(2)), "additive_attention"),
            (Sequential::new().add(MultiHeadAttention::new(2, 2)), "multi_head_attention"),
            (Sequential::new().add(SpatialDropout::new(0.5)), "spatial_dropout"),
        ]
    };
    for (network, name) in layers() {
        let model = network.build(b, Spec::Dense(vec![None, Some(3)]), 0).unwrap();
        let refused = |input: Value<B>| model.forward(input, Mode::Evaluation).unwrap_err().to_string();
        let expected = "input: expected sequences [batch, time, features] of at least one step, found shape [2, 0, 3]";
        assert_eq!(refused(tensor(b, &[], &[2, 0, 3]).into()), format!("layer `{name}`: {expected}"));
        let other = Mask::new(b, &[true; 4], 2).unwrap();
        let expected = "model input: mask: shapes [2, 3, 3] and [2, 2] do not go together \
            (a mask is [batch, time] for numbers [batch, time, ..])";
        assert_eq!(refused(Value::from(tensor(b, &[0.0; 18], &[2, 3, 3])).with_mask(other)), expected);
    }
    let model = Sequential::new().add(TimeDistributed::new(Dense::new(2)));
    let model = model.build(b, Spec::Dense(vec![None, Some(3)]), 0).unwrap();
    let found = model.forward(tensor(b, &[], &[2, 0, 3]), Mode::Evaluation).unwrap_err().to_string();
    let expected = "input: expected sequences [batch, time, ..] of at least one step, found shape [2, 0, 3]";
    assert_eq!(found, format!("layer `time_distributed`: {expected}"));
    // A mask whose steps are the features.
    let model = Sequential::new().add(BatchNorm::new()).build(b, Spec::dense(&[3]), 0).unwrap();
    let mask = Mask::new(b, &[true; 6], 3).unwrap();
    let masked = Value::from(tensor(b, &[0.0; 6], &[2, 3])).with_mask(mask);
    let found = model.forward(masked, Mode::Training(elman::Key::new(0))).unwrap_err().to_string();
    let expected = "input: expected numbers [batch, time, .., features] for a mask [batch, time], found shape [2, 3]";
    assert_eq!(found, format!("layer `batch_norm`: {expected}"));
}
