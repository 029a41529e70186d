//! What is printed: summaries, histories, evaluations, to the letter.

use super::toy::{R, classifier, points};
use elman::layers::{Dense, Dropout, Sequential};
use elman::training::{EpochLog, History};
use elman::{Activation, Spec};
use std::time::Duration;

#[test]
fn a_summary_lists_the_layers() {
    let inner = Sequential::new().add(Dense::new(20).activation(Activation::Relu)).add(Dropout::new(0.5));
    let network = Sequential::new().add(inner).add_named("topics", Dense::new(3).activation(Activation::Softmax));
    let mut model = network.build(&R::new(), Spec::bags(1000), 0).unwrap();
    let expected = "\
layer                 kind        output              parameters
input                             bags [batch, 1000]
sequential            sequential  [batch, 20]             20,020
  sequential.dense    dense       [batch, 20]             20,020
  sequential.dropout  dropout     [batch, 20]                  0
topics                dense       [batch, 3]                  63
20,083 parameters, 20,083 trainable";
    assert_eq!(model.summary().to_string(), expected);
    model.freeze("sequential").unwrap();
    let printed = model.summary().to_string();
    assert!(printed.contains("20,020 (frozen)") && printed.ends_with("20,083 parameters, 63 trainable"), "{printed}");
    model.unfreeze("sequential.dense.bias").unwrap();
    let summary = model.summary();
    assert!(summary.to_string().contains("20,020 (partly frozen)"), "{summary}");
    assert_eq!((summary.total(), summary.trainable()), (20_083, 83));
}

/// A network that is one layer, and one with a weight of its own around another layer.
#[test]
fn a_summary_lists_a_root_layer_of_ones_own() {
    let model = elman::Model::new(&R::new(), &Dense::new(3), Spec::dense(&[2]), 0).unwrap();
    let expected = "\
layer  kind   output      parameters
input         [batch, 2]
dense  dense  [batch, 3]           9
9 parameters, 9 trainable";
    assert_eq!(model.summary().to_string(), expected);

    #[derive(Debug)]
    struct Scaled;
    impl<B: elman::Backend> elman::layers::Layer<B> for Scaled {
        fn kind(&self) -> &'static str {
            "scaled"
        }
        fn build(
            &self,
            input: &Spec,
            scope: &mut elman::layers::Scope<'_, B>,
        ) -> elman::Result<elman::layers::Built<B>> {
            let built = scope.layer(None, &Dense::new(3), input)?;
            scope.param("scale", [3].into(), &elman::layers::Weight::ones())?;
            Ok(built)
        }
    }
    let model = elman::Model::new(&R::new(), &Scaled, Spec::dense(&[2]), 0).unwrap();
    let expected = "\
layer    kind    output      parameters
input            [batch, 2]
scaled   scaled  [batch, 3]          12
  dense  dense   [batch, 3]           9
12 parameters, 12 trainable";
    assert_eq!(model.summary().to_string(), expected);
}

/// What a program shows whose `main` returns the error.
#[test]
fn an_error_is_debugged_in_its_words() {
    let error = elman::Error::invalid("fit", "a parameter to train", "none").at("training data").in_layer("dense");
    assert_eq!(format!("{error:?}"), "layer `dense`: training data: fit: expected a parameter to train, found none");
    assert!(matches!(error, elman::Error::Layer { path, .. } if path == "dense"));
}

fn epoch(epoch: u64, loss: f64, val_loss: Option<f64>) -> EpochLog {
    let values = [("loss", Some(loss)), ("top_3_accuracy", Some(0.5)), ("val_loss", val_loss)];
    let values = values.into_iter().filter_map(|(name, value)| Some((name.to_string(), value?))).collect();
    EpochLog {
        epoch,
        values,
        learning_rate: 1e-3,
        training_time: Duration::from_millis(1250),
        samples: 8083,
        skipped: 0,
        steps: Vec::new(),
    }
}

#[test]
fn a_history_is_a_table() {
    let mut history = History::default();
    assert_eq!(history.to_string(), "no epochs");
    history.epochs = vec![epoch(9, 1.25, Some(0.875)), epoch(10, f64::NAN, None)];
    history.stopped = Some("the loss is NaN after epoch 10".into());
    let expected = "\
epoch      loss  top_3_accuracy  val_loss        rate  seconds  samples/s
    9    1.2500          0.5000    0.8750    1.000e-3     1.25       6466
   10       NaN          0.5000         -    1.000e-3     1.25       6466
stopped: the loss is NaN after epoch 10";
    assert_eq!(history.to_string(), expected);
    assert_eq!((history.series("val_loss"), history.last().unwrap().epoch), (vec![0.875], 10));
}

#[test]
fn an_evaluation_is_a_line() {
    let scores = classifier(&R::new(), 0).evaluate(&points(8), 8).unwrap();
    let expected = format!("loss {:.4}, accuracy {:.4}", scores.loss(), scores.get("accuracy").unwrap());
    assert_eq!(scores.to_string(), expected);
    assert_eq!(scores.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["loss", "accuracy"]);
    assert_eq!(scores.get("precision"), None);
}
