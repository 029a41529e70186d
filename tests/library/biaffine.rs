//! [`Biaffine`] against its formula one word after another; gradients; padding; a parser that is trained.

use crate::common::near::{assert_near, numbers, scattered, tensor};
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::*;
use elman::loss::{NegativeLogLikelihood, SparseCategoricalCrossEntropy, Target};
use elman::metrics::Accuracy;
use elman::model::{Batch, Objective};
use elman::optim::{Adam, Sgd};
use elman::{Activation, Backend, Fit, Key, Model, Spec};
use elman_candle::Candle;
use elman_reference::Reference;

type Double = Reference<f64>;

const FEATURES: usize = 3;
const ARCS: usize = 4;
const UNITS: usize = 2;
const LABELS: usize = 3;

fn layer() -> Biaffine {
    Biaffine::new(LABELS).units(ARCS, UNITS).activation(Activation::Tanh)
}

/// The layer with no parameter at 0.
fn model<B: Backend>(b: &B, layer: Biaffine) -> Model<B> {
    let mut model = Model::new(b, &layer, Spec::Dense(vec![None, Some(FEATURES)]), 0).unwrap();
    for (i, param) in model.params_mut().iter_mut().enumerate() {
        let value = tensor(b, &scattered(param.shape().elements(), 10 + i as u64), &param.shape());
        param.set_value(value.value().clone()).unwrap();
    }
    model
}

fn param<B: Backend>(model: &Model<B>, name: &str) -> Vec<f64> {
    numbers(model.params().iter().find(|param| param.name() == name).unwrap().tensor())
}

/// `f(W x + b)`, of which the first numbers are for heads and the others for labels.
fn side<B: Backend>(model: &Model<B>, name: &str, x: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (kernel, bias) = (param(model, &format!("{name}.kernel")), param(model, &format!("{name}.bias")));
    let unit = |u: usize| (0..FEATURES).map(|i| x[i] * kernel[i * (ARCS + UNITS) + u]).sum::<f64>() + bias[u];
    let all: Vec<f64> = (0..ARCS + UNITS).map(|u| unit(u).tanh()).collect();
    (all[..ARCS].to_vec(), all[ARCS..].to_vec())
}

fn log_softmax(z: &[f64]) -> Vec<f64> {
    let total: f64 = z.iter().map(|z| z.exp()).sum();
    z.iter().map(|z| z - total.ln()).collect()
}

/// `ln p(head) + ln p(label | head)` of each word of a sentence `[words, FEATURES]` without padding.
fn by_hand<B: Backend>(model: &Model<B>, words: &[&[f64]]) -> Vec<Vec<f64>> {
    let root = param(model, "root");
    let (of_arcs, of_labels, bias) =
        (param(model, "arcs.kernel"), param(model, "labels.kernel"), param(model, "labels.bias"));
    let candidates: Vec<&[f64]> = std::iter::once(&root[..]).chain(words.iter().copied()).collect();
    let one = |x: &[f64]| [x, &[1.0]].concat();
    words
        .iter()
        .enumerate()
        .map(|(number, word)| {
            let (arc, label) = side(model, "dependents", word);
            let (arc, label) = (one(&arc), one(&label));
            let scores = |(head, x): (usize, &&[f64])| {
                if head == number + 1 {
                    return f64::NEG_INFINITY;
                }
                let (to, _) = side(model, "heads", x);
                let pairs = (0..ARCS).flat_map(|i| (0..=ARCS).map(move |j| (i, j)));
                pairs.map(|(i, j)| to[i] * of_arcs[i * (ARCS + 1) + j] * arc[j]).sum::<f64>()
            };
            let heads = log_softmax(&candidates.iter().enumerate().map(scores).collect::<Vec<_>>());
            let labels = candidates.iter().map(|x| {
                let (_, to) = side(model, "heads", x);
                let to = one(&to);
                let kernel = |i: usize, at: usize| {
                    if i < UNITS { of_labels[i * LABELS * (UNITS + 1) + at] } else { bias[at] }
                };
                let score = |l: usize| {
                    let pairs = (0..=UNITS).flat_map(|i| (0..=UNITS).map(move |j| (i, j)));
                    pairs.map(|(i, j)| to[i] * kernel(i, l * (UNITS + 1) + j) * label[j]).sum::<f64>()
                };
                log_softmax(&(0..LABELS).map(score).collect::<Vec<_>>())
            });
            let both =
                heads.iter().zip(labels).flat_map(|(head, labels)| labels.into_iter().map(move |label| head + label));
            both.collect()
        })
        .collect()
}

/// Padding on the right, on the left and between; whole sentences; one of a word, one of none.
const STEPS: [[bool; 4]; 5] = {
    let (y, n) = (true, false);
    [[y, y, y, n], [n, y, y, y], [y, y, y, y], [n, y, n, n], [n, n, n, n]]
};

#[test]
fn it_is_its_formula() {
    fn check<B: Backend>(b: &B, tolerance: f64) {
        let (model, x) = (model(b, layer()), scattered(5 * 4 * FEATURES, 1));
        let mask = Mask::new(b, STEPS.as_flattened(), 4).unwrap();
        // Whatever stands in the padding.
        let dirty: Vec<f64> =
            x.iter().enumerate().map(|(i, &x)| if STEPS.as_flattened()[i / FEATURES] { x } else { f64::NAN }).collect();
        let value = Value::Tensor(tensor(b, &dirty, &[5, 4, FEATURES])).with_mask(mask);
        let mut pass = model.pass(Mode::Evaluation);
        let (y, mask) = model.run(value, &mut pass).unwrap().split();
        assert!(mask.is_some(), "the mask goes through");
        let y = y.tensor(&pass).unwrap();
        assert_eq!(y.shape()[..], [5, 4, 5 * LABELS]);
        let y = numbers(&y);
        for (row, steps) in STEPS.iter().enumerate() {
            let there: Vec<usize> = (0..4).filter(|&t| steps[t]).collect();
            let words: Vec<&[f64]> = there.iter().map(|t| &x[(row * 4 + t) * FEATURES..][..FEATURES]).collect();
            for (&t, want) in there.iter().zip(by_hand(&model, &words)) {
                let found = &y[(row * 4 + t) * 5 * LABELS..][..5 * LABELS];
                let (mut from, mut of_possible) = (want.chunks(LABELS), Vec::new());
                let mut expected = Vec::new();
                for head in 0..5 {
                    let is_there = head == 0 || steps[head - 1];
                    let want = if is_there { from.next().unwrap() } else { &[f64::NEG_INFINITY; LABELS] };
                    for (label, &want) in want.iter().enumerate() {
                        let found = found[head * LABELS + label];
                        if want == f64::NEG_INFINITY {
                            assert_eq!(found, want, "sentence {row}, word {t}, head {head}");
                        } else {
                            of_possible.push(found);
                            expected.push(want);
                        }
                    }
                }
                assert_near(&format!("sentence {row}, word {t}"), &of_possible, &expected, tolerance);
                assert_near("probabilities", &[of_possible.iter().map(|x| x.exp()).sum()], &[1.0], tolerance);
            }
        }
    }
    check(&Double::new(), 1e-12);
    check(&Reference::<f32>::new(), 1e-5);
    check(&Candle::cpu(), 1e-5);
}

/// Sentences `[batch, time]` with the classes of possible heads, in a batch padded to `time` steps.
fn batch<B: Backend>(b: &B, time: usize) -> Batch<B> {
    let x = scattered(3 * 4 * FEATURES, 1);
    let lengths = [3, 1, 4];
    let mut padded = vec![0.5; 3 * time * FEATURES];
    let mut classes = vec![0; 3 * time];
    for (row, &length) in lengths.iter().enumerate() {
        padded[row * time * FEATURES..][..length * FEATURES]
            .copy_from_slice(&x[row * 4 * FEATURES..][..length * FEATURES]);
        for t in 0..length {
            // Its neighbour to the left, the root of the first.
            classes[row * time + t] = (t * LABELS + (row + t) % LABELS) as u32;
        }
    }
    let mask = Mask::from_lengths(b, &lengths, time).unwrap();
    let input = Value::Tensor(tensor(b, &padded, &[3, time, FEATURES])).with_mask(mask);
    let target = Target::Classes { labels: classes.into(), shape: [3, time].into() };
    Batch { input, target, weights: None, len: 3 }
}

fn gradients<B: Backend>(model: &Model<B>, time: usize) -> (f64, Vec<Vec<f64>>) {
    let loss = model.loss(&batch(model.backend(), time), Mode::Training(Key::new(0))).unwrap().loss;
    let value = loss.to_scalar().unwrap();
    let gradients = loss.backward().unwrap();
    (value, model.params().iter().map(|param| numbers(&gradients.of(param.tensor()).unwrap())).collect())
}

fn smoothed() -> SparseCategoricalCrossEntropy {
    SparseCategoricalCrossEntropy::from_logits().label_smoothing(0.03)
}

/// Central differences of every number of every parameter.
#[test]
fn gradients_agree_with_finite_differences() {
    let b = Double::new();
    let mut model = model(&b, layer());
    model.compile(Sgd::new(0.1), smoothed());
    let (_, found) = gradients(&model, 4);
    let h = 1e-5;
    for (number, found) in found.iter().enumerate() {
        let (name, shape) = (model.params()[number].name().to_string(), model.params()[number].shape());
        let at = numbers(model.params()[number].tensor());
        let mut loss_at = |i: usize, step: f64| {
            let mut moved = at.clone();
            moved[i] += step;
            model.params_mut()[number].set_value(tensor(&b, &moved, &shape).value().clone()).unwrap();
            model.loss(&batch(&b, 4), Mode::Evaluation).unwrap().loss.to_scalar().unwrap()
        };
        let slopes: Vec<f64> = (0..at.len()).map(|i| (loss_at(i, h) - loss_at(i, -h)) / (2.0 * h)).collect();
        model.params_mut()[number].set_value(tensor(&b, &at, &shape).value().clone()).unwrap();
        for (i, (found, slope)) in found.iter().zip(slopes).enumerate() {
            assert!((found - slope).abs() < 1e-8, "{name}, element {i}: {found} for {slope}");
        }
        assert!(found.iter().any(|x| x.abs() > 1e-6), "{name} has a gradient");
    }
}

/// Losses and gradients are those of the sentences, however far they are padded.
#[test]
fn padding_changes_nothing() {
    fn check<B: Backend>(b: &B, tolerance: f64) {
        let mut model = model(b, layer());
        model.compile(Sgd::new(0.1), smoothed());
        let (loss, own) = gradients(&model, 4);
        assert!(loss.is_finite());
        let (padded, further) = gradients(&model, 9);
        assert_near("loss", &[padded], &[loss], tolerance);
        for (own, further) in own.iter().zip(&further) {
            assert_near("gradient", further, own, 10.0 * tolerance);
        }
    }
    check(&Double::new(), 1e-13);
    check(&Candle::cpu(), 1e-5);
}

/// Words of which each says how far to the left its head is, and which label it has; the first may be of the root alone.
fn sentences() -> Dataset {
    let sentence = |number: usize| {
        let length = 1 + number % 5;
        let words: Vec<u32> = (0..length).map(|t| 1 + ((number * 7 + t * 3) % 4) as u32).collect();
        let class = |(t, &word): (usize, &u32)| {
            let back = if word <= 2 { 1 } else { 2 };
            ((t + 1usize).saturating_sub(back) * LABELS) as u32 + word % LABELS as u32
        };
        let classes: Vec<u32> = words.iter().enumerate().map(class).collect();
        (words, classes)
    };
    let (words, classes): (Vec<_>, Vec<_>) = (0..30).map(sentence).unzip();
    Dataset::new(Inputs::indices(&words).unwrap(), Targets::classes_per_step(&classes).unwrap()).unwrap()
}

#[test]
fn a_parser_is_trained() {
    fn check<B: Backend>(b: &B) {
        let network = || {
            Sequential::new()
                .add(Embedding::new(5, 8).padding(0))
                .add(Bidirectional::new(Gru::new(12).return_sequences()))
                .add(Biaffine::new(LABELS).units(16, 8).dropout(0.1))
        };
        let mut model = network().build(b, Spec::Indices(None), 1).unwrap();
        model.compile(Adam::new(0.02), smoothed()).metric(Accuracy::new());
        let data = sentences();
        model.fit(&data, Fit::new().epochs(60).batch_size(10).quiet()).unwrap();
        let found = model.evaluate(&data, 7).unwrap();
        assert!(found.get("accuracy").unwrap() > 0.95, "{found}");
        // The same figure whatever the batches, smoothing included.
        for size in [1, 30] {
            let other = model.evaluate(&data, size).unwrap();
            assert_near("loss", &[other.loss()], &[found.loss()], 1e-5);
        }
        // It begins with all heads and labels alike: of a word that stands alone one head with three labels.
        let mut fresh = network().build(b, Spec::Indices(None), 1).unwrap();
        fresh.compile(Adam::new(0.02), NegativeLogLikelihood::new());
        let alone = data.select(&[0, 5, 10]).unwrap();
        assert_near("loss", &[fresh.evaluate(&alone, 3).unwrap().loss()], &[3f64.ln()], 1e-6);
        // Through a file.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("parser.safetensors");
        model.save(&path).unwrap();
        let long = Inputs::indices(&[vec![1, 2, 3, 4, 1, 2]]).unwrap();
        let back = Model::load(b, &path).unwrap();
        assert_eq!(back.predict(&long, 1).unwrap().data(), model.predict(&long, 1).unwrap().data());
    }
    check(&Double::new());
    check(&Candle::cpu());
}

/// Heads beyond the sentence, and words that are their own, have a probability of 0 whatever is learnt.
#[test]
fn targets_that_cannot_be_are_told_before_the_first_step() {
    let network =
        |labels| Sequential::new().add(Embedding::new(5, 4).padding(0)).add(Biaffine::new(labels).units(4, 4));
    let fitted = |classes: [Vec<u32>; 2], spec: Spec, graph: bool| {
        let (words, targets) = (
            Inputs::indices(&[vec![1; classes[0].len()], vec![2; classes[1].len()]]).unwrap(),
            Targets::classes_per_step(&classes).unwrap(),
        );
        let (b, loss) = (Double::new(), SparseCategoricalCrossEntropy::from_logits());
        let mut model = match graph {
            false => network(LABELS).build(&b, spec, 0).unwrap(),
            true => {
                let graph = Graph::new().node("body", network(LABELS), "words").outputs(["body"]);
                graph.build(&b, Spec::record([("words", spec)]).unwrap(), 0).unwrap()
            }
        };
        let data = match graph {
            false => {
                model.compile(Adam::new(0.1), loss);
                Dataset::new(words, targets).unwrap()
            }
            true => {
                model.compile_outputs(Adam::new(0.1), [Objective::new("body", loss)]);
                let words = Inputs::record([("words", words)]).unwrap();
                Dataset::new(words, Targets::record([("body", targets)]).unwrap()).unwrap()
            }
        };
        model.fit(&data, Fit::new().epochs(1).batch_size(2).quiet()).map(|_| ()).map_err(|error| error.to_string())
    };
    let (good, any) = (vec![6, 0, 8], || Spec::Indices(None));
    for graph in [false, true] {
        assert_eq!(fitted([good.clone(), vec![2, 4]], any(), graph), Ok(()));
        // In the batch the other sentence has a third word.
        let beyond = fitted([good.clone(), vec![2, 9]], any(), graph).unwrap_err();
        let expected = "targets, sample 1, step 1: expected a head that is the root, 0, or another of 2 words, times 3 and with a label below 3 \
                        added to it, and not head 3 of word 2, found class 9";
        assert!(beyond.contains(expected), "{beyond}");
        let own = fitted([vec![5, 0, 8], vec![2, 4]], any(), graph).unwrap_err();
        assert!(own.contains("sample 0, step 0: ") && own.ends_with("not head 1 of word 1, found class 5"), "{own}");
        let far = fitted([good.clone(), vec![2, u32::MAX]], any(), graph).unwrap_err();
        assert!(far.contains("sample 1, step 1: "), "{far}");
    }
    // Of one length, which the network knows.
    let own = fitted([vec![0, 6], vec![2, 4]], Spec::indices(2), false).unwrap_err();
    assert!(own.ends_with("not head 2 of word 2, found class 6"), "{own}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let b = Double::new();
    let spec = || Spec::Dense(vec![None, Some(FEATURES)]);
    let cases = [
        Biaffine::new(0),
        Biaffine::new(2).units(0, 2),
        Biaffine::new(2).units(2, 0),
        Biaffine::new(2).dropout(1.0),
        Biaffine::new(2).dropout(-0.1),
    ];
    for layer in cases {
        assert!(Model::new(&b, &layer, spec(), 0).is_err(), "{layer:?}");
    }
    assert!(Model::new(&b, &layer(), Spec::dense(&[FEATURES]), 0).is_err());
    assert!(Model::new(&b, &layer(), Spec::Indices(None), 0).is_err());
    assert_eq!(
        Model::new(&b, &layer(), Spec::dense(&[4, FEATURES]), 0).unwrap().output(),
        &Spec::dense(&[4, 5 * LABELS])
    );
    // Sentences are whole.
    let model = model(&b, layer());
    let mut carry = Carry::stepping();
    let piece = tensor(&b, &scattered(FEATURES, 1), &[1, 1, FEATURES]);
    assert!(model.forward_carried(piece, &mut carry).unwrap_err().to_string().contains("whole sequences"));
}
