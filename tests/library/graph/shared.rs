//! Layers that are used again, tables that are tied, modules by hand.

use super::{Double, check_gradients, record};
use crate::common::near::{assert_near, numbers, scattered, tensor};
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::rnn::RnnModule;
use elman::layers::*;
use elman::loss::SparseCategoricalCrossEntropy;
use elman::optim::Sgd;
use elman::{Backend, Fit, Record, Result, Spec};
use elman_candle::Candle;
use elman_reference::Reference;

fn twins() -> Graph<Double> {
    Graph::new()
        .node("left_read", Gru::new(3), "left")
        .again("right_read", "left_read", "right")
        .node("apart", Subtract::new(), ["left_read", "right_read"])
        .node("same", Dense::new(1), "apart")
        .output("same")
}

fn sequences(features: usize) -> Spec {
    Spec::Dense(vec![None, Some(features)])
}

/// One set of parameters, whose gradients are those of both uses.
#[test]
fn a_layer_that_is_used_again_has_one_set_of_parameters() {
    let b = Double::new();
    let input = Spec::record([("left", sequences(2)), ("right", sequences(2))]).unwrap();
    let model = twins().build(&b, input, 0).unwrap();
    let names: Vec<&str> = model.params().iter().map(|param| param.name()).collect();
    assert_eq!(
        names[..4],
        ["left_read.kernel", "left_read.recurrent_kernel", "left_read.bias", "left_read.recurrent_bias"]
    );
    assert_eq!(names.len(), 6);
    let same = scattered(12, 3);
    let both = |one: &[f64], other: &[f64]| {
        let input =
            record([("left", tensor(&b, one, &[2, 3, 2]).into()), ("right", tensor(&b, other, &[2, 3, 2]).into())]);
        numbers(&model.forward(input, Mode::Evaluation).unwrap())
    };
    assert_eq!(both(&same, &same), [0.0, 0.0], "what is the same is not apart");
    assert_ne!(both(&same, &scattered(12, 4)), [0.0, 0.0]);
    let inputs = [(scattered(12, 1), vec![2, 3, 2]), (scattered(12, 2), vec![2, 3, 2])];
    check_gradients(&model, &inputs, |model, inputs, pass| {
        let input = record([("left", inputs[0].clone().into()), ("right", inputs[1].clone().into())]);
        model.run(input, pass)?.tensor(pass)
    });
}

/// What would want other parameters is an error that says so.
#[test]
fn a_layer_is_used_again_only_on_what_it_fits() {
    let input = Spec::record([("left", sequences(2)), ("right", sequences(3))]).unwrap();
    let error = twins().build(&Double::new(), input, 0).unwrap_err().to_string();
    assert_eq!(
        error,
        "layer `right_read`: shared parameter `left_read.kernel`: expected the shape [3, 9], found [2, 9]"
    );
}

/// Words that go in and words that come out share their vectors; gradients of looked up rows and of the product add up.
#[test]
fn tied_vectors_get_the_gradients_of_both_uses() {
    fn network<B: Backend>() -> Sequential<B> {
        Sequential::new()
            .add_named("words", Embedding::new(5, 3))
            .add(Lstm::new(3).return_sequences())
            .add(Dense::tied("words.embeddings"))
    }
    let b = Double::new();
    let model = network().build(&b, Spec::Indices(None), 2).unwrap();
    assert_eq!(model.output(), &Spec::Dense(vec![None, Some(5)]));
    check_gradients(&model, &[], |model, _, pass| {
        let words = b.upload_indices(vec![1, 3, 1, 0, 2, 2], [2, 3].into())?;
        model.run(Value::Indices(words), pass)?.tensor(pass)
    });
    // Trained, on both backends alike.
    fn trained<B: Backend>(b: &B) -> Vec<f64> {
        let mut model = network().build(b, Spec::Indices(None), 2).unwrap();
        model.compile(Sgd::new(0.5), SparseCategoricalCrossEntropy::from_logits());
        let words = Inputs::indices(&[[1, 3, 1], [0, 2, 2]]).unwrap();
        let data = Dataset::new(words, Targets::classes_per_step(&[[3, 1, 4], [2, 2, 0]]).unwrap()).unwrap();
        model.fit(&data, Fit::new().epochs(3).batch_size(2).quiet()).unwrap();
        numbers(model.params()[0].tensor())
    }
    let expected = trained(&b);
    assert_near("f32", &trained(&Reference::<f32>::new()), &expected, 1e-5);
    assert_near("candle", &trained(&Candle::cpu()), &expected, 1e-5);
}

#[test]
fn what_cannot_be_tied_is_an_error() {
    let b = Double::new();
    let error = |units: usize, table: &str| {
        let network =
            Sequential::new().add_named("words", Embedding::new(5, 3)).add(Lstm::new(units)).add(Dense::tied(table));
        network.build(&b, Spec::Indices(None), 0).unwrap_err().to_string()
    };
    assert_eq!(
        error(4, "words.embeddings"),
        "layer `dense`: tied to `words.embeddings`: expected a table of rows of 4 numbers, as many as come in, found [5, 3]"
    );
    let unknown = error(3, "word.embeddings");
    assert!(
        unknown.contains("(words.embeddings, lstm.kernel") && unknown.ends_with("found `word.embeddings`"),
        "{unknown}"
    );
}

/// A layer of one's own that holds two recurrent networks by hand: their names do not clash, and the model hands the module out.
#[derive(Debug)]
struct Pair;

#[derive(Debug)]
struct PairModule {
    forth: RnnModule,
    back: RnnModule,
}

impl<B: Backend> Layer<B> for Pair {
    fn kind(&self) -> &'static str {
        "pair"
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        let (_, features) = input.sequence()?;
        let forth = Elman::new(2).module(features, &mut scope.scope("forth")?)?;
        let back = Elman::new(2).reverse().module(features, &mut scope.scope("back")?)?;
        Ok(Built::new(
            PairModule { forth, back },
            Spec::record([("forth", Spec::dense(&[2])), ("back", Spec::dense(&[2]))])?,
        ))
    }
}

impl<B: Backend> Module<B> for PairModule {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let (x, mask) = input.sequence(pass)?;
        let forth = self.forth.states(&x, mask.as_ref(), &[], false, pass)?.h;
        let back = self.back.states(&x, mask.as_ref(), &[], false, pass)?.h;
        Record::new([("forth", forth.into()), ("back", back.into())]).map(Value::Record)
    }
}

#[test]
fn modules_by_hand_have_places_of_their_own() {
    let model = elman::Model::new(&Double::new(), &Pair, sequences(3), 0).unwrap();
    let names: Vec<&str> = model.params().iter().map(|param| param.name()).collect();
    let of = |part: &str| ["kernel", "recurrent_kernel", "bias"].map(|name| format!("{part}.{name}"));
    assert_eq!(names, [of("forth"), of("back")].concat());
    assert!(model.module::<PairModule>().is_some() && model.module::<RnnModule>().is_none());
    check_gradients(&model, &[(scattered(12, 1), vec![2, 2, 3])], |model, inputs, pass| {
        let [forth, back] = model.run(inputs[0].clone(), pass)?.parts(["forth", "back"])?;
        forth.tensor(pass)?.mul(&back.tensor(pass)?)
    });
}
