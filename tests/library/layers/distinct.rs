//! Words by their letters: each different one of a batch computed once, and nobody can tell.

use crate::common::near::{assert_near, is_double, numbers, tolerance};
use elman::data::{Dataset, Epoch, Inputs, Order, Source, Targets};
use elman::gradcheck::{Tolerance, gradcheck};
use elman::layers::*;
use elman::loss::SparseCategoricalCrossEntropy;
use elman::metrics::{Accuracy, SpanF1};
use elman::optim::Adam;
use elman::{Activation, Backend, Element, Fit, Key, Model, Spec, Tensor};
use elman_candle::Candle;
use elman_reference::Reference;
use proptest::prelude::*;

type Double = Reference<f64>;

/// Sentences of words of letters; some words are in several, or twice in one, one has no letter, one sentence no word.
fn sentences() -> Vec<Vec<Vec<u32>>> {
    let [a, b, c, d] = [vec![1, 2], vec![3], vec![], vec![4, 1, 1, 2, 3]];
    vec![
        vec![a.clone(), b.clone(), a.clone()],
        vec![d.clone()],
        vec![],
        vec![c.clone(), a.clone(), d, b.clone(), c],
        vec![b.clone(), b, a],
    ]
}

fn letters<B: Backend>() -> Sequential<B> {
    Sequential::new().add(Embedding::new(5, 3)).add(Bidirectional::new(Gru::new(4)))
}

fn model<B: Backend>(b: &B) -> Model<B> {
    Sequential::new().add(Distinct::new(letters())).build(b, Spec::distinct(), 3).unwrap()
}

/// What the letters' network makes of each word of a sentence, one after the other.
fn one_by_one<B: Backend>(b: &B, model: &Model<B>, words: &[Vec<u32>]) -> Vec<f64> {
    let mut alone = letters().build(b, Spec::Indices(None), 0).unwrap();
    let name = |name: &str| name.strip_prefix("distinct.sequential.").unwrap().to_string();
    let weights = model.params().iter().map(|param| (name(param.name()), param.tensor().value().clone()));
    alone.set_weights(weights).unwrap();
    let word = |word: &Vec<u32>| {
        // The other one is longer, so that padding is there too.
        let both = Inputs::indices(&[word.clone(), vec![1; 7]]).unwrap();
        numbers(&alone.forward(Value::new(b, both).unwrap(), Mode::Evaluation).unwrap())[..8].to_vec()
    };
    words.iter().flat_map(word).collect()
}

fn check<B: Backend>(b: &B) {
    let (model, sentences) = (model(b), sentences());
    let inputs = Inputs::distinct(&sentences).unwrap();
    for rows in [vec![0, 1, 2, 3, 4], vec![3], vec![4, 4, 1], vec![2, 0], vec![2]] {
        let part = inputs.select(&rows).unwrap();
        let y = model.run(Value::new(b, part.clone()).unwrap(), &mut model.pass(Mode::Evaluation)).unwrap();
        let (y, mask) = y.split();
        let found = y.as_tensor().unwrap();
        let time = part.sample_shape()[0];
        assert_eq!(found.shape()[..], [rows.len(), time, 8]);
        let found = numbers(found);
        assert!(found.iter().all(|x| x.is_finite()));
        let there = mask.map(|mask| numbers(&mask.tensor(b)));
        for (at, &row) in rows.iter().enumerate() {
            let expected = one_by_one(b, &model, &sentences[row]);
            let found = &found[at * time * 8..][..expected.len()];
            assert_near(&format!("sentence {row} of {rows:?}"), found, &expected, tolerance::<B>());
            if let Some(there) = &there {
                let expected = (0..time).map(|step| f64::from(u8::from(step < sentences[row].len())));
                assert!(expected.eq(there[at * time..][..time].iter().copied()));
            }
        }
        assert!(there.is_some() || rows.iter().all(|&row| sentences[row].len() == time));
    }
    if is_double::<B>() {
        // The same numbers, whatever else is in the batch; what stands in padding is nobody's.
        let predicted = |size| {
            let predictions = model.predict(&inputs, size).unwrap();
            let rows = predictions.data().chunks(5 * 8).zip(&sentences);
            rows.flat_map(|(row, words)| row[..8 * words.len()].to_vec()).collect::<Vec<_>>()
        };
        assert_eq!(predicted(1), predicted(5));
    }
}

#[test]
fn each_word_is_what_it_is_alone() {
    check(&Double::new());
    check(&Reference::<f32>::new());
    check(&Candle::cpu());
}

#[test]
fn gradients_are_sums_over_all_places() {
    let b = Double::new();
    let model = model(&b);
    let input = Value::new(&b, Inputs::distinct(&sentences()).unwrap()).unwrap();
    let params: Vec<(Vec<f64>, Vec<usize>)> =
        model.params().iter().map(|param| (numbers(param.tensor()), param.tensor().shape().to_vec())).collect();
    let weights = Tensor::new(&b, (0..5 * 5 * 8).map(|i| Key::new(2).normal(i)).collect(), &[5, 5, 8]).unwrap();
    let checked = gradcheck(&b, &params, Tolerance::default(), |given| {
        let mut model = model.clone();
        let names: Vec<String> = model.params().iter().map(|param| param.name().to_string()).collect();
        model.set_weights(names.into_iter().zip(given.iter().map(|param| param.value().clone())))?;
        let mut pass = model.pass(Mode::Training(Key::new(7)));
        let (y, mask) = model.run(input.clone(), &mut pass)?.split();
        let y = mask.unwrap().clear(&y.tensor(&pass)?)?.mul(&weights)?.sum()?;
        let variables: Vec<_> = model.params().iter().map(|param| param.tensor().clone()).collect();
        let given: Vec<&Tensor<Double>> = given.iter().collect();
        Ok(Tensor::record("network", &b, y.value().clone(), &given, move |dy, _| {
            let gradients = y.backward_from(dy.clone())?;
            Ok(variables.iter().map(|variable| gradients.of(variable).map(|of| of.value().clone())).collect())
        }))
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Of any selection each step is what it was, each entry stands once and in the order in which it occurs.
    #[test]
    fn what_is_selected_is_renumbered(
        sentences in prop::collection::vec(prop::collection::vec(prop::collection::vec(0u32..4, 0..3), 0..4), 1..6),
        rows in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        prop_assume!(sentences.iter().any(|words| !words.is_empty()));
        let rows: Vec<usize> = rows.iter().map(|row| row.index(sentences.len())).collect();
        let inputs = Inputs::distinct(&sentences).unwrap();
        for (part, expected) in [
            (inputs.clone(), sentences.clone()),
            (inputs.select(&rows).unwrap(), rows.iter().map(|&row| sentences[row].clone()).collect()),
        ] {
            let Inputs::Distinct { places, entries, .. } = &part else { panic!("another kind") };
            let entries: Vec<&[u32]> = entries.rows().collect();
            let steps = |row: &[u32]| row.iter().map(|&place| entries[place as usize].to_vec()).collect::<Vec<_>>();
            prop_assert_eq!(places.rows().map(steps).collect::<Vec<_>>(), expected.clone());
            prop_assert_eq!(part.len(), expected.len());
            let first: Vec<u32> = places.data().iter().copied().fold(Vec::new(), |mut seen, place| {
                if !seen.contains(&place) {
                    seen.push(place);
                }
                seen
            });
            prop_assert!(first.iter().copied().eq(0..first.len() as u32));
            prop_assert_eq!(entries.len(), first.len().max(1));
            let mut each = entries.clone();
            each.sort_unstable();
            each.dedup();
            prop_assert_eq!(each.len(), entries.len(), "an entry twice");
        }
    }
}

/// Words by number and by letters; the tag of a word is that of its letters, but for words of one letter.
fn tagged(count: usize) -> Dataset {
    let word = |of: u64| -> Vec<u32> { (0..1 + of % 3).map(|letter| 1 + ((of / 3 + letter) % 4) as u32).collect() };
    let draw = |sentence: usize| {
        let key = Key::new(9).fold(sentence as u64);
        (0..1 + key.below(0, 5) as u64).map(|step| key.below(1 + step, 12) as u64).collect()
    };
    let words: Vec<Vec<u64>> = (0..count).map(draw).collect();
    let map = |f: &dyn Fn(u64) -> u32| -> Vec<Vec<u32>> {
        words.iter().map(|words| words.iter().map(|&word| f(word)).collect()).collect()
    };
    let letters: Vec<Vec<Vec<u32>>> = words.iter().map(|words| words.iter().map(|&of| word(of)).collect()).collect();
    let inputs = Inputs::record([
        ("words", Inputs::indices(&map(&|word| word as u32 % 2)).unwrap()),
        ("letters", Inputs::distinct(&letters).unwrap()),
    ]);
    let tags = Targets::classes_per_step(&map(&|of| word(of)[0] % 3)).unwrap();
    Dataset::new(inputs.unwrap(), tags).unwrap()
}

fn tagger<B: Backend>(b: &B) -> Model<B> {
    let network = Graph::new()
        .node("table", Embedding::new(2, 3).word_dropout(0.1), "words")
        .node("spelling", Distinct::new(letters()), "letters")
        .node("both", Concatenate::new(), ["table", "spelling"])
        .node("read", Bidirectional::new(Lstm::new(5).return_sequences()), "both")
        .node("tags", Dense::new(3).activation(Activation::Softmax), "read")
        .output("tags");
    let input = Spec::record([("words", Spec::Indices(None)), ("letters", Spec::distinct())]).unwrap();
    let mut model = network.build(b, input, 1).unwrap();
    let spans = SpanF1::new(["O", "B-x", "I-x"]).unwrap();
    model.compile(Adam::new(0.02), SparseCategoricalCrossEntropy::new()).metric(Accuracy::new()).metric(spans);
    model
}

/// What is not in memory: its batches are made ahead by another thread.
struct Slow(Dataset);

impl Source for Slow {
    fn epoch(&self, order: &Order) -> elman::Result<Box<dyn Epoch + '_>> {
        self.0.epoch(order)
    }

    fn describe(&self) -> String {
        "a slow source".into()
    }
}

fn trains<B: Backend>(b: &B) {
    let data = tagged(60);
    let train = |fit: Fit<'_, B>, source: &dyn Source| {
        let mut model = tagger(b);
        model.fit(source, fit.epochs(25).batch_size(8).quiet()).unwrap();
        model
    };
    let mut trained = Vec::new();
    for fit in [Fit::new(), Fit::new().by_length(0), Fit::new().batch_tokens(20), Fit::new().validation_split(0.2)] {
        let model = train(fit, &data);
        let evaluation = model.evaluate(&data, 7).unwrap();
        assert_eq!((evaluation.get("accuracy"), evaluation.get("span_f1")), (Some(1.0), Some(1.0)));
        trained.push(model);
    }
    let ahead = train(Fit::new(), &Slow(data.clone()));
    let weights =
        |model: &Model<B>| model.params().iter().flat_map(|param| numbers(param.tensor())).collect::<Vec<_>>();
    assert!(weights(&ahead) == weights(&trained[0]), "made ahead or not");
    // From its file, without the code that made it.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    trained[0].save(&path).unwrap();
    let loaded = Model::load(b, &path).unwrap();
    let predicted = |model: &Model<B>, size| model.predict(data.inputs(), size).unwrap();
    assert_eq!(predicted(&loaded, 9).data(), predicted(&trained[0], 9).data());
    // Figures do not depend on the batches; sums over other groups round otherwise.
    let (one, all) = (trained[0].evaluate(&data, 1).unwrap(), trained[0].evaluate(&data, 60).unwrap());
    assert!(
        (one.loss() - all.loss()).abs() <= 10.0 * tolerance::<B>() * all.loss().max(B::Elem::from_f64(1.0).to_f64())
    );
}

#[test]
fn a_tagger_by_words_and_letters_trains() {
    trains(&Reference::<f64>::new());
    trains(&Candle::cpu());
}

#[test]
fn what_does_not_go_is_told() {
    let b = Double::new();
    let error = |error: elman::Result<Model<Double>>| error.unwrap_err().to_string();
    let build = |layer: Distinct<Double>, spec: Spec| error(Sequential::new().add(layer).build(&b, spec, 0));
    let spec = "expected distinct inputs, {places: indices [batch, any], entries: indices [batch, any]}";
    assert!(build(Distinct::new(letters()), Spec::Indices(None)).contains(spec));
    let sequences = Sequential::new().add(Embedding::new(5, 3)).add(Gru::new(4).return_sequences());
    let steps = build(Distinct::new(sequences), Spec::distinct());
    assert!(steps.contains("expected one that gives a vector for each entry, found [batch, any, 4]"), "{steps}");
    let stateful = Sequential::new().add(Embedding::new(5, 3)).add(Gru::new(4).stateful());
    assert!(build(Distinct::new(stateful), Spec::distinct()).contains("stateful"));
    // A letter beyond the table is told before the first step, alone and as a part.
    let beyond = vec![vec![vec![1u32], vec![2, 7]], vec![vec![1]]];
    let found = model(&b).predict(&Inputs::distinct(&beyond).unwrap(), 2).unwrap_err().to_string();
    let expected = "sample 0, step 1, element 1: expected an index below 5, the rows of the table, found 7";
    assert_eq!(found, format!("inputs to predict: {expected}"));
    let words = Inputs::indices(&[vec![0, 1], vec![1]]).unwrap();
    let both = |letters: &[Vec<Vec<u32>>]| {
        Inputs::record([("words", words.clone()), ("letters", Inputs::distinct(letters).unwrap())])
    };
    let found = tagger(&b).predict(&both(&beyond).unwrap(), 2).unwrap_err().to_string();
    assert_eq!(found, format!("inputs to predict: part `letters`: {expected}"));
    assert!(both(&beyond[..1]).unwrap_err().to_string().contains("as many samples"), "{:?}", both(&beyond[..1]));
    let none: [Vec<Vec<u32>>; 2] = [vec![], vec![]];
    let found = Inputs::distinct(&none).unwrap_err().to_string();
    assert_eq!(found, "distinct inputs: expected at least one sequence of at least one step, found empty ones");
    assert!(Inputs::distinct(&[] as &[Vec<Vec<u32>>]).is_err());
}

#[test]
fn targets_go_with_one_of_several_inputs() {
    let letters = |lengths: &[usize]| {
        let sentences: Vec<_> = lengths.iter().map(|&length| vec![vec![1u32]; length]).collect();
        Inputs::distinct(&sentences).unwrap()
    };
    let tags = |lengths: &[usize]| {
        Targets::classes_per_step(&lengths.iter().map(|&length| vec![0; length]).collect::<Vec<_>>()).unwrap()
    };
    let error = |inputs: Inputs, targets| Dataset::new(inputs, targets).unwrap_err().to_string();
    let uneven = "data set, sample 1: expected a target for each of its 1 steps, found 3";
    assert_eq!(error(letters(&[2, 1]), tags(&[2, 3])), uneven);
    let both = |one: &[usize], other: &[usize]| Inputs::record([("a", letters(one)), ("b", letters(other))]).unwrap();
    assert_eq!(error(both(&[2, 1], &[5, 5]), tags(&[2, 3])), uneven);
    assert!(Dataset::new(both(&[5, 5], &[2, 3]), tags(&[2, 3])).is_ok());
    // Of one length they are a block.
    assert!(Dataset::new(letters(&[2, 2]), tags(&[2, 2])).is_ok());
    assert!(error(letters(&[2, 3]), tags(&[2, 2])).contains("targets at the own lengths of their inputs"));
    let dense = Inputs::rows(&[[1.0], [2.0]]).unwrap();
    assert!(error(dense, tags(&[2, 3])).contains("inputs at their own lengths"));
}
