//! Encoders and decoders: what is computed once a sequence, decoders with a context, shared layers that keep two states.

use super::{Double, record};
use crate::common::near::{assert_near, numbers};
use elman::data::Inputs;
use elman::decode::{Beam, Decoder, Stepper};
use elman::layers::*;
use elman::{Backend, Model, Spec};
use elman_candle::Candle;
use elman_reference::Reference;

fn input() -> Spec {
    Spec::record([("source", Spec::Indices(None)), ("target", Spec::Indices(None))]).unwrap()
}

/// Both directions over the source, whose states begin the target's.
fn translator<B: Backend>(b: &B) -> Model<B> {
    let network = Graph::new()
        .node("source_words", Embedding::new(9, 4).padding(0), "source")
        .node("encoder", Bidirectional::new(Lstm::new(3).return_sequences().record()), "source_words")
        .node("memory", GlobalMaxPooling, "encoder.output")
        .node("target_words", Embedding::new(7, 4), "target")
        .node(
            "decoder",
            Lstm::new(6).return_sequences(),
            [("input", "target_words"), ("h", "encoder.h"), ("c", "encoder.c")],
        )
        .node(
            "gate",
            Lambda::new(
                |input| Ok(input.parts()?.part("decoder")?.clone()),
                |input, pass| {
                    let [memory, decoder] = input.parts(["memory", "decoder"])?;
                    let (memory, decoder) = (memory.tensor(pass)?, decoder.tensor(pass)?);
                    let [rows, units] = memory.shape()[..] else { panic!("memory [batch, units]") };
                    Ok(decoder.mul(&memory.reshape(&[rows, 1, units])?)?.into())
                },
            ),
            ["memory", "decoder"],
        )
        .node("words", Dense::new(7), "gate")
        .output("words")
        .once(["encoder", "memory"]);
    network.build(b, input(), 11).unwrap()
}

fn sources() -> Inputs {
    Inputs::record([("source", Inputs::indices(&[vec![3, 8, 5, 2], vec![2, 1], vec![7]]).unwrap())]).unwrap()
}

const TARGET: [[u32; 11]; 3] =
    [[1, 4, 2, 0, 3, 6, 5, 2, 2, 1, 0], [1, 1, 5, 6, 0, 2, 3, 4, 5, 6, 0], [1, 0, 0, 3, 2, 5, 1, 4, 6, 2, 3]];

/// The whole call on all targets.
fn whole<B: Backend>(model: &Model<B>) -> Vec<f64> {
    let target = Inputs::indices(&TARGET).unwrap();
    let Inputs::Record(parts) = sources() else { panic!("no record") };
    let inputs = Inputs::record([("source", parts.get("source").unwrap().clone()), ("target", target)]).unwrap();
    model.predict(&inputs, 3).unwrap().data().iter().map(|&x| f64::from(x)).collect()
}

/// The encoder is computed once and the decoder step by step: the numbers of the whole call.
#[test]
fn a_decoder_with_a_context_is_the_whole_call() {
    fn check<B: Backend>(b: &B) {
        let model = translator(b);
        let mut decoder = Decoder::with_context(&model, "target", &sources()).unwrap();
        let mut found = vec![Vec::new(); 3];
        for step in 0..11 {
            let scores = decoder.step(&TARGET.map(|text| text[step])).unwrap();
            (0..3).for_each(|row| found[row].extend(scores.row(row).iter().map(|&x| f64::from(x))));
        }
        assert_near("steps", &found.concat(), &whole(&model), 1e-6);
        // As a prompt in one call, and permuted rows after it.
        let mut decoder = Decoder::with_context(&model, "target", &sources()).unwrap();
        decoder.prime_each(&TARGET.map(|text| text[..10].to_vec())).unwrap();
        decoder.select(&[2, 0, 0]).unwrap();
        let scores = decoder.step(&[TARGET[2][10], TARGET[0][10], TARGET[0][10]]).unwrap();
        for (row, of) in [2, 0, 0].into_iter().enumerate() {
            let last: Vec<f64> = scores.row(row).iter().map(|&x| f64::from(x)).collect();
            assert_near("selected", &last, &found[of][70..], 1e-6);
        }
    }
    check(&Double::new());
    check(&Reference::<f32>::new());
    check(&Candle::cpu());
}

/// The same to the bit on `Reference`, by `Carry` itself.
#[test]
fn pieces_are_the_whole_to_the_bit() {
    let b = Double::new();
    let model = translator(&b);
    let indices = |rows: &[&[u32]]| {
        let shape = [rows.len(), rows[0].len()].into();
        Value::Indices(b.upload_indices(rows.concat(), shape).unwrap())
    };
    let source = indices(&[&[3, 8, 5, 0], &[2, 1, 0, 0]]);
    let both = record([("source", source.clone()), ("target", indices(&[&TARGET[0], &TARGET[1]]))]);
    let whole = numbers(&model.forward(both, Mode::Evaluation).unwrap());
    let (mut carry, mut pieces, mut start) = (Carry::stepping(), Vec::new(), 0);
    for length in [3, 1, 7] {
        let target = indices(&[&TARGET[0][start..start + length], &TARGET[1][start..start + length]]);
        // What reads the source is needed with the first piece alone.
        let input = if start == 0 {
            record([("source", source.clone()), ("target", target)])
        } else {
            record([("target", target)])
        };
        pieces.push(model.forward_carried(input, &mut carry).unwrap());
        start += length;
    }
    let pieces = elman::Tensor::concat(&pieces.iter().collect::<Vec<_>>(), 1).unwrap();
    assert_eq!(numbers(&pieces), whole);
}

/// Sources of some rows.
fn some(rows: &[usize]) -> Inputs {
    sources().select(rows).unwrap()
}

/// A beam of 1 is greedy; several sources at once, in whatever order, are each by itself.
#[test]
fn beams_go_over_a_context() {
    let b = Double::new();
    let model = translator(&b);
    let begun = |rows: &[usize]| {
        let mut decoder = Decoder::with_context(&model, "target", &some(rows)).unwrap();
        let scores = decoder.step(&vec![1; rows.len()]).unwrap();
        (decoder, scores)
    };
    for row in 0..3 {
        let (mut decoder, mut scores) = begun(&[row]);
        let mut greedy = Vec::new();
        while greedy.len() < 6 {
            let word = scores.best()[0];
            if word == 0 {
                break;
            }
            greedy.push(word);
            scores = decoder.step(&[word]).unwrap();
        }
        let (decoder, scores) = begun(&[row]);
        let found = Beam::new(1).until(0).longest(6).search_rows(decoder, scores).unwrap();
        assert_eq!(found[0][0].tokens, greedy);
    }
    let beam = Beam::new(4).until(0).longest(6).n_best(3);
    let search = |rows: &[usize]| {
        let (decoder, scores) = begun(rows);
        beam.search_rows(decoder, scores).unwrap()
    };
    let together = search(&[2, 0, 1]);
    for (place, row) in [2, 0, 1].into_iter().enumerate() {
        let alone = &search(&[row])[0];
        let tokens =
            |found: &[elman::decode::Hypothesis]| found.iter().map(|one| one.tokens.clone()).collect::<Vec<_>>();
        assert_eq!(tokens(&together[place]), tokens(alone));
        for (one, other) in together[place].iter().zip(alone) {
            assert_near("score", &[one.score], &[other.score], 1e-6);
        }
    }
}

/// A layer that encoder and decoder share keeps two states, though `once` skips the first of its uses after the first step.
#[test]
fn a_shared_layer_keeps_two_states() {
    let b = Double::new();
    let network = Graph::new()
        .node("table", Embedding::new(9, 4), "source")
        .node("encoder", Gru::new(4), "table")
        .again("target_words", "table", "target")
        .again("read", "encoder", "target_words")
        .node("sum", Add::new(), ["encoder", "read"])
        .output("sum")
        .once(["encoder"]);
    let model = network.build(&b, input(), 1).unwrap();
    assert_eq!(model.params().len(), 5);
    let indices = |rows: &[u32]| Value::Indices(b.upload_indices(rows.to_vec(), [1, rows.len()].into()).unwrap());
    let (source, target) = (indices(&[3, 8, 5]), [4, 2, 7, 1]);
    let whole =
        model.forward(record([("source", source.clone()), ("target", indices(&target))]), Mode::Evaluation).unwrap();
    let (mut carry, mut last) = (Carry::stepping(), None);
    for (step, &word) in target.iter().enumerate() {
        let word = indices(&[word]);
        let input =
            if step == 0 { record([("source", source.clone()), ("target", word)]) } else { record([("target", word)]) };
        last = Some(model.forward_carried(input, &mut carry).unwrap());
    }
    assert_eq!(numbers(&last.unwrap()), numbers(&whole));
}

/// What looks at whole sequences refuses to step, by name, unless it is computed once.
#[test]
fn whole_sequences_are_read_once_or_not_at_all() {
    let b = Double::new();
    let network = |once: bool| {
        let graph = Graph::new()
            .node("source_words", Embedding::new(9, 4), "source")
            .node("encoder", Bidirectional::new(Gru::new(3)), "source_words")
            .node("target_words", Embedding::new(7, 4), "target")
            .node("decoder", Gru::new(6).return_sequences(), [("input", "target_words"), ("h", "encoder")])
            .node("words", Dense::new(7), "decoder")
            .output("words");
        (if once { graph.once(["encoder"]) } else { graph }).build(&b, input(), 1).unwrap()
    };
    let step = |model: &Model<Double>| {
        let mut decoder = Decoder::with_context(model, "target", &sources())?;
        decoder.step(&[1, 1, 1])?;
        decoder.step(&[2, 2, 2])
    };
    assert!(step(&network(true)).is_ok());
    let error = step(&network(false)).unwrap_err().to_string();
    assert!(
        error.starts_with("layer `encoder.backward`: recurrent layer in reverse: expected whole sequences"),
        "{error}"
    );
}

/// Contexts that do not fit are errors that name the part.
#[test]
fn a_context_is_checked() {
    let b = Double::new();
    let model = translator(&b);
    let error = |context: Inputs| Decoder::with_context(&model, "target", &context).unwrap_err().to_string();
    let words = || Inputs::indices(&[[3, 2]]).unwrap();
    let other = error(Inputs::record([("sauce", words())]).unwrap());
    assert!(other.starts_with("decoder: context: expected a part `source`"), "{other}");
    let beyond = error(Inputs::record([("source", Inputs::indices(&[[3, 9]]).unwrap())]).unwrap());
    assert!(beyond.contains("context, part `source`") && beyond.contains("an index below 9"), "{beyond}");
    let single = error(words());
    assert!(single.contains("{source: indices [batch, any]}"), "{single}");
    assert!(Decoder::new(&model).is_err());
    let early = Decoder::with_context(&model, "target", &sources()).unwrap().select(&[0, 0]).unwrap_err().to_string();
    assert!(early.starts_with("decoder: expected a token of each sequence before rows are chosen"), "{early}");
}
