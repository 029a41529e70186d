//! A decoder gives, however a text is cut, what the whole call gives.

use super::models::{TOKENS, all, build, language_model, text};
use crate::common::near::{assert_near, numbers};
use elman::decode::{Decoder, Sampler, Scores, Stepper, generate};
use elman::layers::{Dense, Gru, Layer, Lstm, Mode, Sequential, Value};
use elman::{Activation, Backend, Error, Key, Model, Shape};
use elman_candle::{Candle, candle_core::Device};
use elman_reference::Reference;

type R = Reference<f64>;

/// The model's scores after each step of a text, in one call without a decoder; after the last alone, for a model that gives no more.
fn whole<B: Backend>(model: &Model<B>, text: &[u32]) -> Vec<f64> {
    let b = model.backend();
    let indices = b.upload_indices(text.to_vec(), Shape::new(&[1, text.len()]).unwrap()).unwrap();
    numbers(&model.forward(Value::Indices(indices), Mode::Evaluation).unwrap())
}

fn numbers_of(scores: &Scores) -> Vec<f64> {
    (0..scores.rows()).flat_map(|row| scores.row(row)).map(|&x| f64::from(x)).collect()
}

/// All layers and options: in pieces and under masks ([`Decoder::verify`]), in single steps, and as a prompt in one call or two.
fn stepping_is_the_whole<B: Backend>(b: &B, tolerance: f64) {
    let sample: Vec<Vec<u32>> = (0..4).map(|row| text(14, row)).collect();
    for (name, model) in all(b) {
        let what = format!("{name}, on {}", b.name());
        let difference = Decoder::new(&model).unwrap().verify(&sample).unwrap();
        assert!(difference <= tolerance, "{what}: {difference}");
        let [expected, first] = [&sample[0][..], &sample[0][..5]].map(|text| {
            let scores = whole(&model, text);
            scores[scores.len() - TOKENS..].to_vec()
        });
        let mut steps = Decoder::new(&model).unwrap();
        for (i, &token) in sample[0].iter().enumerate() {
            let scores = numbers_of(&steps.step(&[token]).unwrap());
            match i {
                4 => assert_near(&what, &scores, &first, 1e-6),
                13 => assert_near(&what, &scores, &expected, 1e-6),
                _ => {}
            }
        }
        let mut prompts = Decoder::new(&model).unwrap();
        assert_near(&what, &numbers_of(&prompts.prime(&sample[0][..5]).unwrap()), &first, 1e-6);
        assert_near(&what, &numbers_of(&prompts.prime(&sample[0][5..]).unwrap()), &expected, 1e-6);
        prompts.restart();
        assert_near(&what, &numbers_of(&prompts.prime(&sample[0]).unwrap()), &expected, 1e-6);
    }
}

#[test]
fn stepping_equals_the_whole_call() {
    // The same sums in the same order.
    stepping_is_the_whole(&R::with_threads(1), 0.0);
    stepping_is_the_whole(&Reference::<f32>::with_threads(1), 0.0);
    // Scores of about 1, a few roundings of `f32` apart.
    stepping_is_the_whole(&Candle::cpu(), 1e-6);
    stepping_is_the_whole(&Candle::portable(Device::Cpu), 2e-6);
}

/// Each as by itself: longer ones, shorter ones, whether a model scores each step or the last.
fn prompts_of_different_lengths<B: Backend>(b: &B) {
    for (name, model) in all(b) {
        let prompts = [text(3, 1), text(9, 2), text(1, 3), text(9, 4)];
        let mut together = Decoder::of_rows(&model, 4).unwrap();
        let first = together.prime_each(&prompts).unwrap();
        let next = together.step(&[1, 2, 3, 4]).unwrap();
        for (row, prompt) in prompts.iter().enumerate() {
            let mut alone = Decoder::new(&model).unwrap();
            let expected = [alone.prime(prompt).unwrap(), alone.step(&[row as u32 + 1]).unwrap()];
            for (scores, expected) in [&first, &next].into_iter().zip(expected) {
                let row: Vec<f64> = scores.row(row).iter().map(|&x| f64::from(x)).collect();
                assert_near(&name, &row, &numbers_of(&expected), 2e-6);
            }
        }
    }
}

#[test]
fn prompts_of_several_lengths_stand_side_by_side() {
    prompts_of_different_lengths(&R::with_threads(1));
    prompts_of_different_lengths(&Candle::cpu());
}

#[test]
fn rows_are_chosen_with_all_that_was_read() {
    let model = language_model(&R::with_threads(1));
    let mut decoder = Decoder::of_rows(&model, 3).unwrap();
    decoder.step(&[1, 2, 3]).unwrap();
    let mut chosen = decoder.clone();
    chosen.select(&[2, 0, 2, 1]).unwrap();
    assert_eq!((decoder.rows(), chosen.rows()), (3, 4));
    let (all, some) = (decoder.step(&[4, 5, 6]).unwrap(), chosen.step(&[6, 4, 6, 5]).unwrap());
    for (i, row) in [2, 0, 2, 1].into_iter().enumerate() {
        assert_eq!(some.row(i), all.row(row));
    }
    // Before anything is read there is nothing to choose from but the number of rows.
    let mut fresh = Decoder::new(&model).unwrap();
    fresh.select(&[0, 0]).unwrap();
    let [two, one] = [fresh, Decoder::new(&model).unwrap()].map(|mut decoder| decoder.prime(&[3, 1]).unwrap());
    assert_eq!((two.rows(), two.row(0), two.row(1)), (2, one.row(0), one.row(0)));
}

/// A prompt for all rows is read once; behind what differs it is not.
#[test]
fn a_prompt_for_all_rows_goes_on_where_each_is() {
    let model = language_model(&R::with_threads(1));
    let mut both = Decoder::of_rows(&model, 2).unwrap();
    both.prime(&[1, 2]).unwrap();
    both.step(&[3, 4]).unwrap();
    let scores = both.prime(&[5, 6, 0]).unwrap();
    for (row, own) in [3, 4].into_iter().enumerate() {
        let expected = Decoder::new(&model).unwrap().prime(&[1, 2, own, 5, 6, 0]).unwrap();
        assert_eq!(scores.row(row), expected.row(0));
    }
}

/// Logits, probabilities or their logarithms, of a last layer or of one by itself, at every step or the last: the same distribution.
#[test]
fn whatever_a_model_ends_in_scores_are_logits() {
    let b = R::with_threads(1);
    let gru = |every: bool| if every { Gru::new(4).return_sequences() } else { Gru::new(4) };
    for every in [true, false] {
        let of = |last: Dense| {
            let model = build(&b, gru(every), last);
            Decoder::new(&model).unwrap().prime(&text(6, 1)).unwrap().log_probabilities(0)
        };
        let logits = of(Dense::new(TOKENS));
        assert!((logits.iter().map(|x| x.exp()).sum::<f64>() - 1.0).abs() < 1e-6);
        for last in [Activation::Softmax, Activation::LogSoftmax] {
            assert_near("a dense layer's", &of(Dense::new(TOKENS).activation(last)), &logits, 1e-6);
        }
    }
    for last in [Activation::Linear, Activation::Softmax, Activation::LogSoftmax] {
        for handed_over in [true, false] {
            let logits = build(&b, gru(true), Dense::new(TOKENS));
            let mut layers = Sequential::new().add(gru(true)).add(Dense::new(TOKENS)).add(last);
            if !handed_over {
                // What lies behind the activation takes its numbers as they are.
                layers = layers.add(elman::layers::Dropout::new(0.5));
            }
            let layers = Sequential::new().add(elman::layers::Embedding::new(TOKENS, 3)).add(layers);
            let mut model = layers.build(&b, elman::Spec::Indices(None), 0).unwrap();
            for (param, like) in model.params_mut().iter_mut().zip(logits.params()) {
                param.set_value(like.tensor().value().clone()).unwrap();
            }
            let [found, expected] = [&model, &logits]
                .map(|model| Decoder::new(model).unwrap().prime(&text(6, 1)).unwrap().log_probabilities(0));
            assert_near(&format!("{last}, handed over: {handed_over}"), &found, &expected, 1e-6);
        }
    }
}

#[test]
fn decoders_of_one_model_read_in_threads_of_their_own() {
    let model = language_model(&Candle::cpu());
    let read = |seed: u64| {
        let tokens = generate(Decoder::new(&model)?, &text(5, seed), &Sampler::new(), Key::new(seed))?;
        tokens.take(40).collect::<Result<Vec<u32>, Error>>()
    };
    let alone = [1, 2].map(|seed| read(seed).unwrap());
    let together = std::thread::scope(|scope| {
        let threads = [1, 2].map(|seed| scope.spawn(move || read(seed).unwrap()));
        threads.map(|thread| thread.join().unwrap())
    });
    assert_eq!(together, alone);
    assert_ne!(alone[0], alone[1]);
}

/// What was saved and loaded by a program that knows nothing of the network is stepped there.
#[test]
fn a_file_is_loaded_and_stepped() {
    let b = Candle::cpu();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("language.safetensors");
    let model = language_model(&b);
    model.save(&path).unwrap();
    let loaded = Model::load(&b, &path).unwrap();
    let [saved, loaded] = [&model, &loaded].map(|model| {
        let tokens = generate(Decoder::new(model).unwrap(), &[1, 2], &Sampler::new(), Key::new(3)).unwrap();
        tokens.take(30).collect::<Result<Vec<u32>, Error>>().unwrap()
    });
    assert_eq!(loaded, saved);
}

/// A step that fails is no step.
#[test]
fn what_fails_leaves_a_decoder_as_it_was() {
    let model = build(&R::with_threads(1), Lstm::new(3).return_sequences(), Dense::new(TOKENS));
    let mut decoder = Decoder::of_rows(&model, 2).unwrap();
    decoder.step(&[1, 2]).unwrap();
    let mut other = decoder.clone();
    decoder.step(&[1]).unwrap_err();
    decoder.step(&[1, TOKENS as u32]).unwrap_err();
    decoder.prime(&[]).unwrap_err();
    decoder.prime_each(&[vec![1], vec![]]).unwrap_err();
    decoder.prime_each(&[[1]]).unwrap_err();
    decoder.select(&[0, 2]).unwrap_err();
    decoder.select(&[]).unwrap_err();
    assert_eq!(decoder.step(&[3, 4]).unwrap(), other.step(&[3, 4]).unwrap());
}

/// Before anything is read, too: nothing else knows then how many rows there are.
#[test]
fn every_row_gets_a_token() {
    let model = build(&R::with_threads(1), Lstm::new(3).return_sequences(), Dense::new(TOKENS));
    let mut decoder = Decoder::of_rows(&model, 2).unwrap();
    let error = decoder.step(&[1]).unwrap_err().to_string();
    assert_eq!(error, "step: expected a token for each of 2 rows, found 1 tokens");
    let error = decoder.prime_each(&[[1], [2], [3]]).unwrap_err().to_string();
    assert_eq!(error, "prompts: expected a prompt for each of 2 rows, found 3 prompts");
    assert_eq!(decoder.step(&[1, 2]).unwrap().rows(), 2);
}

#[test]
fn the_best_is_the_first_of_equals() {
    let scores = Scores::new(vec![0.0, 3.0, 1.0, 3.0, -1.0, -1.0, -2.0, -1.0], 2).unwrap();
    assert_eq!(scores.best(), [1, 0]);
}

/// So a layer may be of one's own.
#[test]
fn a_layer_need_not_be_sized() {
    let layer: std::sync::Arc<dyn Layer<R>> = std::sync::Arc::new(Gru::new(3).return_sequences());
    let model = build(&R::with_threads(1), layer, Dense::new(TOKENS));
    assert_eq!(Decoder::new(&model).unwrap().verify(&[text(12, 0)]).unwrap(), 0.0);
}
