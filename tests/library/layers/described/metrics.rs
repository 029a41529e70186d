//! Metrics.

use super::{assert_each_option_varies, source, through_json};
use elman::Registry;
use elman::loss::{Outputs, Scale};
use elman::metrics::*;
use elman_reference::Reference;
use std::collections::BTreeSet;

type B = Reference<f32>;

struct Sample {
    name: String,
    metric: Box<dyn Metric>,
}

fn sample<M: Metric + 'static>(metric: M) -> Sample {
    Sample { name: source::type_name::<M>(), metric: Box::new(metric) }
}

fn samples() -> Vec<Sample> {
    let averages = [Average::Micro, Average::Macro, Average::Weighted, Average::Class(2)];
    let mut samples = vec![
        sample(Accuracy::new()),
        sample(Accuracy::exact_match().threshold(1.0 / 3.0)),
        sample(TopK::new(1).unwrap()),
        sample(TopK::new(2).unwrap().named("among_two")),
        sample(SpanF1::new(["B-a", "I-a", "B-b"]).unwrap()),
        sample(SpanF1::new(["O", "B-a", "I-a"]).unwrap().strict(elman::data::TagScheme::Bio).unwrap().named("strict")),
        sample(Auc::new()),
        sample(Auc::new().one_vs_one().named("pairs")),
        sample(Auc::new().average(Average::Micro)),
        sample(MeanSquaredError::new()),
        sample(MeanSquaredError::new().named("error")),
        sample(MeanAbsoluteError::new()),
        sample(MeanAbsoluteError::new().named("error")),
        sample(Perplexity::new()),
        sample(Perplexity::new().named("ppl")),
        sample(BitsPerCharacter::new()),
        sample(BitsPerCharacter::new().named("bpc")),
    ];
    for average in averages {
        samples.push(sample(Precision::new(average).threshold(0.4)));
        samples.push(sample(Recall::new(average).named("found")));
        samples.push(sample(F1::new(average).threshold(0.6)));
    }
    samples.extend([sample(Precision::new(Average::Macro)), sample(F1::new(Average::Micro))]);
    samples.push(sample(Recall::new(Average::Micro).threshold(0.1)));
    samples
}

/// What it makes of a batch: of several labels, of classes, or of its loss.
fn value(metric: &mut dyn Metric) -> (String, u64, bool, Needs) {
    let predictions = [0.5, 0.2, 0.3, 0.1, 0.38, 0.52, 0.45, 0.35, 0.2, 0.1, 0.2, 0.7];
    let labels = [1., 0., 1., 0., 1., 1., 1., 0., 0., 0., 1., 0.];
    let classes = [0, 1, 0, 2];
    let several = Scores {
        read_as: Outputs::Labels(Scale::Probabilities),
        ..Scores::new(&predictions, 3, TargetsRef::Values(&labels))
    };
    let scores = [several, Scores::new(&predictions, 3, TargetsRef::Classes(&classes))];
    metric.update_loss(0.7, 3.0);
    for scores in scores {
        metric.reset();
        if metric.needs() == Needs::Loss {
            metric.update_loss(0.7, 3.0);
        } else if metric.update(&scores).is_ok() {
            break;
        }
    }
    (metric.name().to_string(), metric.value().to_bits(), metric.higher_is_better(), metric.needs())
}

#[test]
fn every_metric_gives_the_same_numbers() {
    let (registry, mut described) = (Registry::<B>::new(), Vec::new());
    for Sample { mut metric, .. } in samples() {
        let description = metric.describe().unwrap();
        let mut back = registry.read_metric(&through_json(&description)).unwrap();
        assert_eq!(back.describe().unwrap(), description);
        assert_eq!(value(&mut *back), value(&mut *metric), "{description}");
        assert_eq!(metric.describe().unwrap(), description, "what it has counted is no part of it");
        described.push(description);
    }
    assert_each_option_varies(&described);
}

#[test]
fn no_metric_is_forgotten() {
    let samples = samples();
    let names: BTreeSet<String> = samples.iter().map(|sample| sample.name.clone()).collect();
    assert_eq!(source::metrics(), names, "metrics of src/ and the samples above");
    let kind = |sample: &Sample| sample.metric.describe().unwrap()["kind"].as_str().unwrap().to_string();
    let kinds: BTreeSet<String> = samples.iter().map(kind).collect();
    assert_eq!(Registry::<B>::new().metrics().map(str::to_string).collect::<BTreeSet<_>>(), kinds);
}

#[test]
fn what_is_no_metric_is_told() {
    let registry = Registry::<B>::new();
    let error = |json: &str| registry.read_metric(&serde_json::from_str(json).unwrap()).unwrap_err().to_string();
    assert!(error(r#"{"kind": "top_k_accuracy", "k": 0}"#).contains("expected k of at least 1, found 0"));
    assert!(error(r#"{"kind": "accuracy", "k": 1}"#).contains("unknown field `k`"));
    assert!(
        error(r#"{"kind": "bleu"}"#).starts_with("metric: expected a kind that the registry knows (accuracy, auc, ")
    );
    assert!(Accuracy::new().threshold(f32::NAN).describe().is_err());
}
