//! Words of a network's own in the places of those that it is given.

use crate::common::near::{assert_near, numbers, tolerance};
use elman::layers::*;
use elman::{Backend, Key, Model, Record, Spec, Tensor};
use elman_candle::Candle;
use elman_reference::Reference;

const GIVEN: [[u32; 5]; 3] = [[1, 4, 2, 0, 3], [5, 5, 6, 1, 2], [0, 6, 6, 2, 4]];

fn network<B: Backend>() -> Graph<B> {
    Graph::new()
        .node("table", Embedding::new(9, 4), "source")
        .node("encoder", Gru::new(6), "table")
        .node("words", Embedding::new(7, 4), "target")
        .node("decoder", Gru::new(6).return_sequences(), [("input", "words"), ("h", "encoder")])
        .node("next", Dense::new(7), "decoder")
        .output("next")
}

fn input() -> Spec {
    Spec::record([("source", Spec::Indices(None)), ("target", Spec::Indices(None))]).unwrap()
}

fn record<B: Backend>(b: &B, target: &[[u32; 5]]) -> Value<B> {
    let indices = |words: Vec<u32>, steps| Value::Indices(b.upload_indices(words, [3, steps].into()).unwrap());
    let mask = Mask::from_lengths(b, &[5, 3, 5], 5).unwrap();
    let target = indices(target.concat(), 5).with_mask(mask);
    Value::Record(Record::new([("source", indices(vec![3, 8, 5, 2, 1, 1], 2)), ("target", target)]).unwrap())
}

/// What a network gives in training, with the likeliest word of each step.
fn trained<B: Backend>(model: &Model<B>, target: &[[u32; 5]]) -> (Tensor<B>, Vec<u32>) {
    let b = model.backend();
    let mut pass = model.pass(Mode::Training(Key::new(4)));
    let scores = model.run(record(b, target), &mut pass).unwrap().split().0.tensor(&pass).unwrap();
    let best = b.download_indices(&b.argmax(scores.value(), 2).unwrap()).unwrap();
    (scores, best)
}

#[test]
fn words_of_its_own_stand_behind_the_step_that_wrote_them() {
    fn check<B: Backend>(b: &B) {
        let plain = network().build(b, input(), 3).unwrap();
        let of_rate = |rate| Model::new(b, &ScheduledSampling::new(network(), "target", rate), input(), 3).unwrap();
        let names = |model: &Model<B>| model.params().iter().map(|param| param.name().to_string()).collect::<Vec<_>>();
        assert_eq!(names(&of_rate(0.5)), names(&plain));
        let (of_given, written) = trained(&plain, &GIVEN);
        assert_eq!(numbers(&trained(&of_rate(0.0), &GIVEN).0), numbers(&of_given));
        // All words but the first of each text.
        let mut own = GIVEN;
        for (row, words) in own.iter_mut().enumerate() {
            words[1..].copy_from_slice(&written[row * 5..][..4]);
        }
        assert_ne!(own, GIVEN);
        let (of_own, _) = trained(&plain, &own);
        let model = of_rate(1.0);
        let (sampled, _) = trained(&model, &GIVEN);
        assert_near("all of them", &numbers(&sampled), &numbers(&of_own), tolerance::<B>());
        assert_ne!(numbers(&of_own), numbers(&of_given));
        // Gradients are those of the second reading.
        let slopes = |scores: Tensor<B>, model: &Model<B>| {
            let gradients = scores.square().unwrap().sum().unwrap().backward().unwrap();
            let of = |param: &elman::Param<B>| numbers(&gradients.of(param.tensor()).unwrap());
            model
                .params()
                .iter()
                .filter(|param| !param.name().ends_with("embeddings"))
                .flat_map(of)
                .collect::<Vec<f64>>()
        };
        assert_near("gradients", &slopes(sampled, &model), &slopes(of_own.clone(), &plain), tolerance::<B>());
        // Evaluation is of what is given.
        let evaluated = |model: &Model<B>| numbers(&model.forward(record(b, &GIVEN), Mode::Evaluation).unwrap());
        assert_eq!(evaluated(&model), evaluated(&plain));
        // Half of them: neither all nor none, and the same for a key.
        let half = of_rate(0.5);
        let found = numbers(&trained(&half, &GIVEN).0);
        assert!(found != numbers(&of_given) && found != numbers(&of_own));
        assert_eq!(numbers(&trained(&half, &GIVEN).0), found);
    }
    check(&Reference::<f64>::new());
    check(&Candle::cpu());
}

#[test]
fn what_is_no_text_that_is_written_is_refused() {
    let b = Reference::<f64>::new();
    let refused =
        |layer: ScheduledSampling<Reference<f64>>| Model::new(&b, &layer, input(), 0).unwrap_err().to_string();
    let rate = refused(ScheduledSampling::new(network(), "target", 1.5));
    assert!(rate.ends_with("rate: expected a probability in [0, 1], found 1.5"), "{rate}");
    let part = refused(ScheduledSampling::new(network(), "words", 0.5));
    assert!(part.contains("words"), "{part}");
    let last = Graph::new()
        .node("both", Embedding::new(9, 4), "source")
        .node("words", Embedding::new(7, 4), "target")
        .node("read", Gru::new(4), "both")
        .node("next", Gru::new(4), [("input", "words"), ("h", "read")])
        .output("next");
    let one = refused(ScheduledSampling::new(last, "target", 0.5));
    assert!(one.contains("expected one that gives scores [batch, time, words], found [batch, 4]"), "{one}");
}
