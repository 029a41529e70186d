//! Layers of a user's own in training: one that takes indices, one that reads every step, one with a flaw.

use super::toy::{R, numbers, points};
use elman::backend::Backend;
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::{Built, Dense, Layer, Module, Pass, Reshape, Scope, Sequential, Value, Weight};
use elman::loss::{BinaryCrossEntropy, SparseCategoricalCrossEntropy};
use elman::metrics::Accuracy;
use elman::optim::Adam;
use elman::tensor::Axis;
use elman::training::Fit;
use elman::{Activation, Error, Init, ParamId, Result, Spec};
use elman_candle::Candle;

/// The mean of the vectors of a sequence's words.
#[derive(Debug)]
struct MeanOfWords {
    words: usize,
    features: usize,
}

#[derive(Debug)]
struct MeanOfWordsModule(ParamId);

impl<B: Backend> Layer<B> for MeanOfWords {
    fn kind(&self) -> &'static str {
        "mean_of_words"
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        let Spec::Indices(_) = input else { return Err(Error::invalid("input", "indices", input)) };
        let weight = Weight::new(Init::Uniform { low: -0.1, high: 0.1 });
        let vectors = scope.param("vectors", [self.words, self.features].into(), &weight)?;
        Ok(Built::new(MeanOfWordsModule(vectors), Spec::dense(&[self.features])))
    }
}

impl<B: Backend> Module<B> for MeanOfWordsModule {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        let Value::Indices(words) = input else { return Err(Error::invalid("input", "indices", "numbers")) };
        Ok(pass.param(self.0).gather(&words)?.mean_along(Axis::Drop(1))?.into())
    }
}

/// Sequences of four words below 10; those with word 3 are of class 1.
fn sentences() -> Dataset {
    let rows: Vec<[u32; 4]> = (0..60).map(|i| [i % 10, i % 6 + 4, (i * i) % 10, i % 5 + 4]).collect();
    let labels = rows.iter().map(|row| u32::from(row.contains(&3))).collect();
    Dataset::new(Inputs::indices(&rows).unwrap(), Targets::classes(labels).unwrap()).unwrap()
}

fn learns_words<B: Backend>(backend: &B) {
    let data = sentences();
    let network = Sequential::new()
        .add(MeanOfWords { words: 10, features: 4 })
        .add(Dense::new(1).activation(Activation::Sigmoid));
    // Sequences of any length: `None` steps.
    let mut model = network.build(backend, Spec::Indices(None), 0).unwrap();
    model.compile(Adam::new(0.1), BinaryCrossEntropy::new()).metric(Accuracy::new());
    model.fit(&data, Fit::new().epochs(40).batch_size(8).quiet()).unwrap();
    assert_eq!(model.evaluate(&data, 8).unwrap().get("accuracy"), Some(1.0));
}

#[test]
fn indices_train_through_a_layer_of_ones_own() {
    learns_words(&R::new());
    learns_words(&Candle::cpu());
}

#[test]
fn an_index_beyond_the_table_is_an_error_in_its_layer() {
    let network = Sequential::new().add(MeanOfWords { words: 9, features: 2 }).add(Dense::new(1));
    let model = network.build(&R::new(), Spec::indices(4), 0).unwrap();
    let error = model.predict(sentences().inputs(), 60).unwrap_err().to_string();
    assert!(error.starts_with("layer `mean_of_words`: gather: expected indices below 9, found 9"), "{error}");
}

/// Three steps of two numbers; the class of a step is the greater of the two, that of the last step of all but the
/// first sample is padding.
fn steps() -> Dataset {
    let (x, t): (Vec<_>, Vec<_>) = (0..8u32)
        .map(|i| {
            let row = [0, 1, 2].map(|t| [((i + t) % 3) as f32, ((i * t + 1) % 4) as f32 - 0.5]);
            let labels = row.map(|step| u32::from(step[1] > step[0]));
            (row.as_flattened().to_vec(), if i == 0 { labels } else { [labels[0], labels[1], 9] })
        })
        .unzip();
    let inputs = Inputs::dense(x.concat(), &[3, 2]).unwrap();
    Dataset::new(inputs, Targets::classes_per_step(&t).unwrap()).unwrap()
}

#[test]
fn every_step_may_have_a_class() {
    let data = steps();
    let network = Sequential::new().add(Dense::new(2).activation(Activation::Softmax));
    let mut model = network.build(&R::new(), Spec::Dense(vec![None, Some(2)]), 0).unwrap();
    model.compile(Adam::new(0.3), SparseCategoricalCrossEntropy::new().ignore_class(9)).metric(Accuracy::new());

    let Targets::Classes { labels, .. } = data.targets() else { panic!("no classes") };
    let predictions = model.predict(data.inputs(), 3).unwrap();
    assert_eq!((predictions.shape(), predictions.classes().unwrap().len()), (&[8, 3, 2][..], 24));
    let rows: Vec<&[f32]> = predictions.data().chunks(2).collect();
    let counted: Vec<usize> = (0..24).filter(|&row| labels[row] != 9).collect();
    assert_eq!(counted.len(), 17);
    let each = counted.iter().map(|&row| -f64::from(rows[row][labels[row] as usize]).ln());
    let (loss, scores) = (each.sum::<f64>() / 17.0, model.evaluate(&data, 8).unwrap());
    // Predictions are rounded to f32.
    assert!((scores.loss() - loss).abs() < 1e-6, "{scores} and {loss} by hand");
    let right = counted.iter().filter(|&&row| predictions.classes().unwrap()[row] == labels[row] as usize).count();
    assert_eq!(scores.get("accuracy"), Some(right as f64 / 17.0));

    model.fit(&data, Fit::new().epochs(60).batch_size(3).quiet()).unwrap();
    assert_eq!(model.evaluate(&data, 8).unwrap().get("accuracy"), Some(1.0));
}

/// A layer that forgets a parameter.
#[derive(Clone, Debug)]
struct Forgetful;

impl<B: Backend> Layer<B> for Forgetful {
    fn kind(&self) -> &'static str {
        "forgetful"
    }

    fn build(&self, input: &Spec, scope: &mut Scope<'_, B>) -> Result<Built<B>> {
        scope.param("forgotten", [2].into(), &Weight::ones())?;
        Ok(Built::new(self.clone(), input.clone()))
    }
}

impl<B: Backend> Module<B> for Forgetful {
    fn forward(&self, input: Value<B>, _: &mut Pass<'_, B>) -> Result<Value<B>> {
        Ok(input)
    }
}

#[test]
fn a_parameter_without_a_gradient_stops_training_and_is_named() {
    let network = Sequential::new().add(Forgetful).add(Dense::new(2));
    let mut model = network.build(&R::new(), Spec::dense(&[2]), 0).unwrap();
    model.compile(Adam::new(0.1), SparseCategoricalCrossEntropy::from_logits());
    let before = numbers(&model);
    let error = model.fit(&points(8), Fit::new().quiet()).unwrap_err();
    let expected =
        "no gradient reached forgetful.forgotten: the loss does not depend on it; freeze what is not to be trained";
    assert_eq!(error.to_string(), expected);
    assert_eq!(before, numbers(&model), "nothing has moved");
    // Also when nothing else is trained, so that there is no tape at all.
    model.freeze("dense").unwrap();
    assert_eq!(model.fit(&points(8), Fit::new().quiet()).unwrap_err().to_string(), expected);
    model.unfreeze("dense").unwrap();
    model.freeze("forgetful").unwrap();
    model.fit(&points(8), Fit::new().quiet()).unwrap();
}

#[test]
fn an_output_may_be_a_number_a_sample() {
    // `[batch]`, in batches of 3 and a last one of 2: accuracy goes by each number and not along the batch.
    let inputs = Inputs::dense((0..8).map(|i| i as f32 - 3.5).collect(), &[1]).unwrap();
    let values = (0..8).map(|i| if i > 3 { 1.0 } else { 0.0 }).collect();
    let data = Dataset::new(inputs, Targets::values(values, &[]).unwrap()).unwrap();
    let network = Sequential::new()
        .add(Dense::new(1).activation(Activation::Sigmoid).kernel(Weight::ones()))
        .add(Reshape::new(&[]));
    let mut model = network.build(&R::new(), Spec::dense(&[1]), 0).unwrap();
    model.compile(Adam::new(0.1), BinaryCrossEntropy::new()).metric(Accuracy::new());
    // σ of the input itself is above 1/2 exactly where the target is 1.
    assert_eq!(model.evaluate(&data, 3).unwrap().get("accuracy"), Some(1.0));
}

#[test]
fn penalties_add_up_and_wrong_ones_are_refused_where_they_stand() {
    use elman::{Constraint, Regularizer};
    let kernel = Weight::ones().l1(0.5).l2(0.25);
    let network = Sequential::<R>::new().add(Dense::new(1).kernel(kernel));
    let model = network.build(&R::new(), Spec::dense(&[2]), 0).unwrap();
    assert_eq!(model.params()[0].regularizer(), Some(Regularizer::l1_l2(0.5, 0.25)));
    let refused = |kernel: Weight| {
        let network = Sequential::<R>::new().add(Dense::new(1).kernel(kernel));
        network.build(&R::new(), Spec::dense(&[2]), 0).unwrap_err().to_string()
    };
    assert_eq!(
        refused(Weight::ones().l2(-1.0)),
        "layer `dense`: regularizer: l2: expected a finite number from 0 on, found -1"
    );
    assert_eq!(
        refused(Weight::ones().constraint(Constraint::MaxNorm(f64::NAN))),
        "layer `dense`: constraint: max norm: expected a number from 0 on, found NaN"
    );
}

#[test]
fn sizes_beyond_memory_are_errors() {
    let build = |layer: Sequential<R>| layer.build(&R::new(), Spec::dense(&[4]), 0).unwrap_err().to_string();
    for error in [
        build(Sequential::new().add(Dense::new(usize::MAX))),
        build(Sequential::new().add(Reshape::new(&[usize::MAX, 2]))),
    ] {
        assert!(error.contains("a number of elements that fits memory"), "{error}");
    }
}

/// A layer that gives one number for the whole batch.
#[derive(Clone, Debug)]
struct Sum;

impl<B: Backend> Layer<B> for Sum {
    fn kind(&self) -> &'static str {
        "sum"
    }

    fn build(&self, _: &Spec, _: &mut Scope<'_, B>) -> Result<Built<B>> {
        Ok(Built::new(self.clone(), Spec::dense(&[])))
    }
}

impl<B: Backend> Module<B> for Sum {
    fn forward(&self, input: Value<B>, pass: &mut Pass<'_, B>) -> Result<Value<B>> {
        Ok(input.tensor(pass)?.sum()?.into())
    }
}

#[test]
fn outputs_that_are_not_one_a_sample_are_refused() {
    let model = Sequential::new().add(Sum).build(&R::new(), Spec::dense(&[2]), 0).unwrap();
    let error = model.predict(points(8).inputs(), 4).unwrap_err().to_string();
    assert_eq!(error, "predict: expected outputs of 4 samples of shape [], found shape []");
}
