//! Decoding by one of several outputs, and `verify` of decoders with a context.

use elman::data::Inputs;
use elman::decode::{Beam, Decoder, Sampler, Stepper, generate};
use elman::layers::*;
use elman::loss::{CategoricalCrossEntropy, MeanSquaredError};
use elman::model::Objective;
use elman::optim::Sgd;
use elman::{Activation, Backend, Key, Model, Spec};
use elman_candle::Candle;
use elman_reference::Reference;

type R = Reference<f64>;

/// Words as probabilities and tags as logits at every step, and a number: those of them that are named.
fn network<const N: usize>(outputs: [&str; N]) -> Graph<R> {
    let read =
        Graph::new().node("table", Embedding::new(6, 4), "input").node("read", Gru::new(5).return_sequences(), "table");
    let with = |network: Graph<R>, output: &&str| match *output {
        "words" => network.node("words", Dense::new(6).activation(Activation::Softmax), "read"),
        "tags" => network.node("tags", Dense::new(3), "read"),
        size => network.node(size, Dense::new(1), "read"),
    };
    outputs.iter().fold(read, with).outputs(outputs)
}

fn model() -> Model<R> {
    network(["tags", "words", "size"]).build(&R::with_threads(1), Spec::Indices(None), 3).unwrap()
}

const TEXT: [u32; 9] = [1, 4, 2, 0, 3, 5, 5, 2, 1];

/// The scores of an output are those of the model that has no other.
#[test]
fn a_record_is_decoded_by_the_output_that_is_named() {
    let model = model();
    for (output, tokens) in [("words", 6), ("tags", 3)] {
        let alone = network([output, "size"]).build(&R::with_threads(1), Spec::Indices(None), 3).unwrap();
        let mut alone = Decoder::new(&alone).unwrap().output(output).unwrap();
        let mut decoder = Decoder::new(&model).unwrap().output(output).unwrap();
        // In pieces and by one call, of rows side by side, of a copy.
        assert_eq!(decoder.verify(&[TEXT]).unwrap(), 0.0);
        let mut whole = Decoder::of_rows(&model, 2).unwrap().output(output).unwrap();
        let scores = whole.prime(&TEXT).unwrap();
        let mut copy = decoder.clone();
        for token in TEXT {
            let found = decoder.step(&[token]).unwrap();
            assert_eq!((found.vocabulary(), &found), (tokens, &copy.step(&[token]).unwrap()));
            assert_eq!(found, alone.step(&[token]).unwrap());
        }
        let last = decoder.step(&[2]).unwrap();
        assert_eq!(whole.step(&[2, 2]).unwrap().row(1), last.row(0));
        assert_eq!((scores.rows(), scores.vocabulary()), (2, tokens));
        // What goes out of the model: logarithms of probabilities of the one, logits of the other.
        let inputs = Inputs::indices(&[[&TEXT[..], &[2]].concat()]).unwrap();
        let predicted = model.predict_outputs(&inputs, 1).unwrap();
        let numbers = &predicted.get(output).unwrap().data()[9 * tokens..];
        let found: Vec<f32> = match output {
            "words" => last.log_probabilities(0).into_iter().map(|x| x.exp() as f32).collect(),
            _ => last.row(0).to_vec(),
        };
        for (x, y) in found.iter().zip(numbers) {
            assert!((x - y).abs() < 1e-6, "{output}: {x} {y}");
        }
    }
}

/// All that is made of scores works on them: beams, samples.
#[test]
fn beams_and_samples_are_of_that_output() {
    let model = model();
    let words = || Decoder::new(&model).unwrap().output("words").unwrap();
    let greedy: Vec<u32> = {
        let (mut decoder, mut next, mut text) = (words(), vec![1], Vec::new());
        for _ in 0..6 {
            next = decoder.step(&next).unwrap().best();
            text.push(next[0]);
        }
        text
    };
    let found = Beam::new(1).longest(6).search(words(), &[1]).unwrap();
    assert_eq!(found[0].tokens, greedy);
    let sampled = generate(words(), &[1], &Sampler::new().top_k(1), Key::new(3)).unwrap().take(6);
    assert_eq!(sampled.collect::<elman::Result<Vec<u32>>>().unwrap(), greedy);
}

/// A last activation that is not known is that of the loss of this output, not of another.
#[test]
fn an_unknown_last_activation_is_that_of_the_output_s_loss() {
    // Twice nothing: what a closure gives is not known.
    let halves = || Lambda::<R>::new(|input| Ok(input.clone()), |input, _| Ok(input));
    let network = Graph::new()
        .node("table", Embedding::new(6, 4), "input")
        .node("read", Gru::new(5).return_sequences(), "table")
        .node("logits", Dense::new(6).activation(Activation::Softmax), "read")
        .node("words", halves(), "logits")
        .node("other", Dense::new(6), "read")
        .outputs(["other", "words"]);
    let mut model = network.build(&R::with_threads(1), Spec::Indices(None), 3).unwrap();
    let objectives =
        |words: CategoricalCrossEntropy| [Objective::new("other", MeanSquaredError), Objective::new("words", words)];
    let mut scores = |words: CategoricalCrossEntropy| {
        model.compile_outputs(Sgd::new(0.1), objectives(words));
        let mut decoder = Decoder::new(&model).unwrap().output("words").unwrap();
        decoder.step(&[1]).unwrap().row(0).to_vec()
    };
    let (taken, logits) = (scores(CategoricalCrossEntropy::new()), scores(CategoricalCrossEntropy::from_logits()));
    for (x, p) in taken.iter().zip(&logits) {
        assert!((x - p.ln()).abs() < 1e-6, "{x} {p}");
    }
}

#[test]
fn an_output_that_cannot_be_decoded_is_an_error() {
    let model = model();
    let output = |name: &str| Decoder::new(&model).unwrap().output(name).unwrap_err().to_string();
    assert_eq!(output("word"), "decoder: record: expected a part `word`, found parts tags, words, size");
    assert!(output("size").contains("a number for each of several tokens"), "{}", output("size"));
    let error = Decoder::new(&model).unwrap().step(&[1]).unwrap_err().to_string();
    let expected = "the name of one of the outputs tags, words, size (`Decoder::output`)";
    assert_eq!(error, format!("decoder: expected {expected}, found none"));
    let single = Sequential::new().add(Embedding::new(6, 4)).add(Gru::new(4).return_sequences()).add(Dense::new(6));
    let single = single.build(&R::new(), Spec::Indices(None), 0).unwrap();
    assert!(Decoder::new(&single).unwrap().output("words").unwrap_err().to_string().contains("a record"));
    let sigmoid = Graph::new()
        .node("table", Embedding::new(6, 4), "input")
        .node("words", Dense::new(6).activation(Activation::Sigmoid), "table")
        .outputs(["words", "table"]);
    let sigmoid = sigmoid.build(&R::new(), Spec::Indices(None), 0).unwrap();
    assert!(Decoder::new(&sigmoid).unwrap().output("words").unwrap_err().to_string().contains("ends in logits"));
}

/// A decoder with a context is verified with it.
#[test]
fn decoders_with_a_context_are_verified() {
    fn check<B: Backend>(b: &B, tolerance: f64) {
        let decoder = AttentionDecoder::new(Gru::new(6), CrossAttention::new().additive(4)).attention_first();
        let network = Graph::new()
            .node("source_words", Embedding::new(9, 4).padding(0), "source")
            .node("encoder", Bidirectional::new(Gru::new(3).return_sequences().record()), "source_words")
            .node("target_words", Embedding::new(7, 4), "target")
            .node("decoder", decoder, [("input", "target_words"), ("memory", "encoder.output"), ("h", "encoder.h")])
            .node("words", Dense::new(7), "decoder")
            .node("tags", Dense::new(2), "decoder")
            .outputs(["words", "tags"])
            .once(["encoder"]);
        let input = Spec::record([("source", Spec::Indices(None)), ("target", Spec::Indices(None))]).unwrap();
        let model = network.build(b, input, 11).unwrap();
        let sources = Inputs::indices(&[vec![3, 8, 5, 2], vec![2, 1]]).unwrap();
        let sources = Inputs::record([("source", sources)]).unwrap();
        let decoder = Decoder::with_context(&model, "target", &sources).unwrap().output("words").unwrap();
        let sample = [TEXT, [2, 2, 6, 1, 0, 4, 3, 3, 5]];
        let difference = decoder.verify(&sample).unwrap();
        assert!(difference <= tolerance, "{difference}");
        let error = decoder.verify(&sample[..1]).unwrap_err().to_string();
        assert_eq!(error, "verify: expected 2 rows, one for each of the context, found 1");
    }
    check(&R::with_threads(1), 0.0);
    check(&Reference::<f32>::with_threads(1), 0.0);
    check(&Candle::cpu(), 1e-6);
}
