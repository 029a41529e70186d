//! Losses.

use super::source::{implementors, type_name};
use super::{assert_each_option_varies, through_json};
use crate::common::near::{numbers, scattered, tensor};
use elman::layers::Chain;
use elman::loss::{self, *};
use elman::{Backend, Registry};
use elman_candle::Candle;
use elman_reference::Reference;
use std::collections::BTreeSet;

struct Sample<B: Backend> {
    name: String,
    loss: Box<dyn Loss<B>>,
    classes: bool,
}

fn sample<B: Backend, L: Loss<B> + 'static>(classes: bool, loss: L) -> Sample<B> {
    Sample { name: type_name::<L>(), loss: Box::new(loss), classes }
}

fn samples<B: Backend>() -> Vec<Sample<B>> {
    vec![
        sample(false, BinaryCrossEntropy::new()),
        sample(false, BinaryCrossEntropy::from_logits().label_smoothing(0.1).pos_weight(1.0 / 3.0)),
        sample(false, CategoricalCrossEntropy::new()),
        sample(false, CategoricalCrossEntropy::from_logits().label_smoothing(0.1)),
        sample(true, SparseCategoricalCrossEntropy::new()),
        sample(true, SparseCategoricalCrossEntropy::from_logits().label_smoothing(0.1).ignore_class(1)),
        sample(true, CrfLoss::new()),
        sample(true, CrfLoss::new().per_sequence()),
        sample(false, KlDivergence::new()),
        sample(false, KlDivergence::from_log_probabilities()),
        sample(false, Hinge),
        sample(false, SquaredHinge),
        sample(false, CategoricalHinge),
        sample(true, NegativeLogLikelihood::new()),
        sample(true, NegativeLogLikelihood::new().ignore_class(1)),
        sample(false, Poisson::new()),
        sample(false, Poisson::from_log_rates().full().epsilon(1e-3)),
        sample(false, GaussianNll::new()),
        sample(false, GaussianNll::from_log_variances().full().epsilon(0.7)),
        sample(true, MultiMargin::new()),
        sample(true, MultiMargin::new().p(2).margin(0.7).ignore_class(1)),
        sample(false, MeanSquaredError),
        sample(false, MeanAbsoluteError),
        sample(false, Huber::new(1.0)),
        sample(false, Huber::new(0.1)),
        sample(false, CosineSimilarity),
        sample(false, LogCosh),
        sample(false, WeightedMean(MeanSquaredError)),
        sample(true, WeightedMean(MultiMargin::new().margin(0.3))),
    ]
}

fn check<B: Backend>(b: &B) {
    let (registry, mut described) = (Registry::<B>::new(), Vec::new());
    for Sample { loss, classes, .. } in samples::<B>() {
        let description = loss.describe().unwrap();
        let back = registry.read_loss(&through_json(&description)).unwrap();
        assert_eq!(back.describe().unwrap(), description);
        let facts = |loss: &dyn Loss<B>| {
            let prediction = tensor(b, &scattered(12, 2).iter().map(|x| x.abs()).collect::<Vec<_>>(), &[3, 4]);
            let target = match (classes, loss.name()) {
                (true, _) => Target::classes(vec![3, 1, 0]),
                (false, "gaussian_nll") => Target::Values(tensor(b, &scattered(6, 3), &[3, 2])),
                (false, _) => Target::Values(tensor(b, &[1., 0., 0., 0., 0., 1., 0., 0., 0., 0., 0., 1.], &[3, 4])),
            };
            let (each, mean) = match loss.of_chains() {
                Some(of_chains) => {
                    let edges = [tensor(b, &[0.5; 4], &[4]), tensor(b, &scattered(16, 4), &[4, 4])];
                    let edges = [edges[0].clone(), edges[1].clone(), edges[0].clone()];
                    let chain = Chain::new(prediction.reshape(&[1, 3, 4]).unwrap(), edges);
                    let target = Target::Classes { labels: vec![3, 1, 0].into(), shape: [1, 3].into() };
                    let each = of_chains.each_sequence(&chain, &target, None).unwrap();
                    (numbers(&each), loss::counted_mean_of_chains(loss, &chain, &target, Some(&[2.0]), None).unwrap().0)
                }
                None => {
                    let each = numbers(&loss.each(&prediction, &target).unwrap());
                    (each, loss::mean(loss, &prediction, &target, Some(&[1.0, 2.0, 0.5])).unwrap())
                }
            };
            let before = loss.before(elman::Activation::Softmax).map(|loss| format!("{loss:?}"));
            (loss.name(), each, numbers(&mean), loss.ignored(), loss.reduction(), loss.outputs(), before)
        };
        assert_eq!(facts(&*back), facts(&*loss), "{description}");
        described.push(description);
    }
    assert_each_option_varies(&described);
}

#[test]
fn every_loss_gives_the_same_numbers() {
    check(&Reference::<f64>::new());
    check(&Candle::cpu());
}

#[test]
fn no_loss_is_forgotten() {
    type B = Reference<f32>;
    let samples = samples::<B>();
    let mut there = implementors("Loss");
    assert!(there.remove("Before"), "what a weighted mean becomes: the same, of a loss of any kind");
    assert_eq!(
        there,
        samples.iter().map(|sample| sample.name.clone()).collect(),
        "losses of src/ and the samples above"
    );
    let kind = |sample: &Sample<B>| sample.loss.describe().unwrap()["kind"].as_str().unwrap().to_string();
    let kinds: BTreeSet<String> = samples.iter().map(kind).collect();
    assert_eq!(Registry::<B>::new().losses().map(str::to_string).collect::<BTreeSet<_>>(), kinds);
}
