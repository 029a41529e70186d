//! [`CrfLoss`]: its gradients, what it is a mean over, and what it refuses.

use super::{Double, STEPS, TAGS, expected, mask, numbers, tensors};
use crate::common::near::assert_near;
use elman::data::{ClassWeights, Dataset, Inputs, Targets};
use elman::gradcheck::{Tolerance, gradcheck};
use elman::layers::{Chain, Crf, Dense, Embedding, Sequential};
use elman::loss::{self, Count, CrfLoss, Loss, SparseCategoricalCrossEntropy, Target, WeightedMean};
use elman::optim::Sgd;
use elman::{Backend, Fit, Model, Spec, Tensor};

fn target() -> Target<Double> {
    Target::Classes { labels: TAGS.into(), shape: [5, 4].into() }
}

fn chain(b: &Double) -> Chain<Double> {
    let [scores, start, transitions, end] = tensors(b);
    Chain::new(scores, [start, transitions, end])
}

#[test]
fn gradients_agree_with_finite_differences() {
    let b = Double::new();
    let labels = target().indices(&b).unwrap();
    let inputs = numbers().map(|x| (x.data, x.shape));
    for mask in [None, Some(mask(&b))] {
        let weights = Tensor::new(&b, vec![1.0, -0.5, 2.0, 3.0, 0.25], &[5]).unwrap();
        let loss = |x: &[Tensor<Double>]| {
            x[0].crf([&x[1], &x[2], &x[3]], &labels, mask.as_ref().map(|mask| mask.array()))?.mul(&weights)
        };
        gradcheck(&b, &inputs, Tolerance::default(), loss).unwrap();
    }
}

/// By steps (15 of 20), by sequences (4 of 5), by weights; of sequences of 3, 3, 2, 0 and 4 steps.
#[test]
fn the_mean_is_over_what_counts() {
    let b = Double::new();
    let each: Vec<f64> = (0..5).map(expected).collect();
    let steps: Vec<f64> = STEPS.map(|row| row.iter().filter(|&&there| there).count() as f64).to_vec();
    let weights = [1.0f32, 0.5, 0.0, 7.0, 2.0];
    let weighed = |of: &[f64]| of.iter().zip(weights).map(|(x, weight)| x * f64::from(weight)).sum::<f64>();
    let there = |&steps: &f64| f64::from(u8::from(steps > 0.0));
    let counts: Vec<f64> = steps.iter().map(there).collect();
    let sum: f64 = each.iter().sum();
    let cases: [(Box<dyn Loss<Double>>, _, f64, f64); 8] = [
        (Box::new(CrfLoss::new()), None, sum, 12.0),
        (Box::new(CrfLoss::new().per_sequence()), None, sum, 4.0),
        (Box::new(WeightedMean(CrfLoss::new())), None, sum, 12.0),
        (Box::new(CrfLoss::new()), Some(&weights[..]), weighed(&each), 12.0),
        (Box::new(CrfLoss::new().per_sequence()), Some(&weights[..]), weighed(&each), 4.0),
        (Box::new(WeightedMean(CrfLoss::new())), Some(&weights[..]), weighed(&each), weighed(&steps)),
        (Box::new(WeightedMean(CrfLoss::new().per_sequence())), Some(&weights[..]), weighed(&each), weighed(&counts)),
        (Box::new(CrfLoss::new()), Some(&[0.0; 5][..]), 0.0, 12.0),
    ];
    for (loss, weights, sum, count) in cases {
        let (mean, over) =
            loss::counted_mean_of_chains(&*loss, &chain(&b), &target(), weights, Some(&mask(&b))).unwrap();
        assert_near(&format!("{loss:?}"), &[mean.to_scalar().unwrap()], &[sum / count], 1e-12);
        assert_eq!(over.read().unwrap(), count, "{loss:?}");
    }
    // Without a mask the host knows the count.
    for (loss, count) in [(CrfLoss::new(), 20.0), (CrfLoss::new().per_sequence(), 5.0)] {
        let (mean, over) = loss::counted_mean_of_chains(&loss, &chain(&b), &target(), None, None).unwrap();
        assert!(matches!(over, Count::Known(known) if known == count));
        let [scores, start, transitions, end] = &tensors(&b);
        let each = scores.crf([start, transitions, end], &target().indices(&b).unwrap(), None).unwrap();
        assert_near("mean", &[mean.to_scalar().unwrap()], &[each.sum().unwrap().to_scalar().unwrap() / count], 1e-12);
    }
    // Nothing counts at all.
    let none = elman::layers::Mask::new(&b, &[false; 20], 4).unwrap();
    for loss in [CrfLoss::new(), CrfLoss::new().per_sequence()] {
        let (mean, over) = loss::counted_mean_of_chains(&loss, &chain(&b), &target(), None, Some(&none)).unwrap();
        assert_eq!((mean.to_scalar().unwrap(), over.read().unwrap()), (0.0, 0.0));
    }
}

fn tagger<B: Backend>(b: &B, crf: Option<Crf>) -> Model<B> {
    let scores = Sequential::new().add(Embedding::new(7, 4).padding(0)).add(Dense::new(3));
    let network = match crf {
        Some(crf) => scores.add(crf),
        None => scores,
    };
    network.build(b, Spec::Indices(None), 1).unwrap()
}

/// Texts of 1 to 4 words, with one of 0 where the padding is all of it.
fn texts() -> Dataset {
    let words = [vec![1, 2, 3], vec![4, 5, 6, 1], vec![0], vec![2], vec![3, 3]];
    let tags: Vec<Vec<u32>> = words.iter().map(|words| words.iter().map(|&word| word % 3).collect()).collect();
    Dataset::new(Inputs::indices(&words).unwrap(), Targets::classes_per_step(&tags).unwrap()).unwrap()
}

/// As long as no transition scores anything.
#[test]
fn it_begins_as_a_cross_entropy_at_each_step() {
    let b = Double::new();
    let (mut with, mut without) = (tagger(&b, Some(Crf::new())), tagger(&b, None));
    with.compile(Sgd::new(0.1), CrfLoss::new());
    without.compile(Sgd::new(0.1), SparseCategoricalCrossEntropy::from_logits());
    for size in [1, 2, 5] {
        let [with, without] = [&with, &without].map(|model| model.evaluate(&texts(), size).unwrap().loss());
        assert_near("loss", &[with], &[without], 1e-12);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let b = Double::new();
    let refused = |model: &mut Model<Double>, data: &Dataset| {
        let evaluated = model.evaluate(data, 2).unwrap_err().to_string();
        assert_eq!(model.fit(data, Fit::new().quiet()).unwrap_err().to_string(), evaluated);
        evaluated
    };
    let mut softmax = tagger(&b, Some(Crf::new()));
    softmax.compile(Sgd::new(0.1), SparseCategoricalCrossEntropy::from_logits());
    let said = refused(&mut softmax, &texts());
    assert!(said.contains("a loss of the scores of paths (`CrfLoss`)"), "{said}");
    let mut linear = tagger(&b, None);
    linear.compile(Sgd::new(0.1), CrfLoss::new());
    let said = refused(&mut linear, &texts());
    assert!(said.contains("a model that ends in a `Crf`"), "{said}");
    // Where the last activation is not known, at the first batch.
    let numbers = loss::mean(&CrfLoss::new(), &tensors(&b)[0], &target(), None).unwrap_err().to_string();
    assert!(numbers.contains("a model that ends in a `Crf`"), "{numbers}");
    let chain = loss::counted_mean_of_chains(&SparseCategoricalCrossEntropy::new(), &chain(&b), &target(), None, None);
    assert!(chain.unwrap_err().to_string().contains("`CrfLoss`"));

    let mut model = tagger(&b, Some(Crf::new()));
    model.compile(Sgd::new(0.1), CrfLoss::new());
    let by_step = texts().with_weights(vec![1.0; 11]).unwrap();
    let said = model.evaluate(&by_step, 5).unwrap_err().to_string();
    assert!(said.contains("one a sequence"), "{said}");
    let said = model
        .fit(&texts(), Fit::new().quiet().class_weights(ClassWeights::new([(0, 2.0)]).unwrap()))
        .unwrap_err()
        .to_string();
    assert!(said.contains("one a sequence (no class weights"), "{said}");
    // One tag a text.
    let whole = Dataset::new(texts().inputs().clone(), Targets::classes(vec![0; 5]).unwrap()).unwrap();
    assert!(model.evaluate(&whole, 5).is_err());
}

/// The error names the sequence and the step; what the mask leaves out may be anything.
#[test]
fn forbidden_tags_are_named() {
    let b = Double::new();
    let compiled = |crf: Crf| {
        let mut model = tagger(&b, Some(crf));
        model.compile(Sgd::new(0.1), CrfLoss::new());
        model
    };
    let data = |words: &[Vec<u32>], tags: &[Vec<u32>]| {
        Dataset::new(Inputs::indices(words).unwrap(), Targets::classes_per_step(tags).unwrap()).unwrap()
    };
    // Padding of the user's own within rows of one length: its tags are not looked at, and it is no neighbour.
    let words = [vec![1, 0, 2, 3], vec![0, 0, 4, 5]];
    let between = data(&words, &[vec![0, 2, 1, 1], vec![2, 1, 0, 1]]);
    let forbidding = Crf::new().forbid(0, 2).forbid(2, 1).forbid_start(2);
    assert!(compiled(forbidding.clone()).evaluate(&between, 2).is_ok());
    for (crf, at, how) in [
        (Crf::new().forbid(0, 1), "sequence 0, step 2", "tag 1 behind tag 0"),
        (Crf::new().forbid_start(0), "sequence 0, step 0", "tag 0 as the first"),
        (Crf::new().forbid_end(1), "sequence 0, step 3", "tag 1 as the last"),
        (Crf::new().forbid(1, 1), "sequence 0, step 3", "tag 1 behind tag 1"),
    ] {
        let said = compiled(crf).evaluate(&between, 2).unwrap_err().to_string();
        assert!(said.contains(at) && said.contains(how), "{said}");
    }
    // The second alone.
    let said = compiled(forbidding).evaluate(&data(&words, &[vec![0, 2, 1, 1], vec![2, 1, 0, 2]]), 2).unwrap_err();
    assert!(said.to_string().contains("sequence 1, step 3: expected given tags that the field allows"), "{said}");
}
