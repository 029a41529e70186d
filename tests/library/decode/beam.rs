//! Beams: width 1 is greedy search, a wide one exhaustive; scores are minus losses; rows are as by themselves.

use super::models::{TOKENS, build, language_model, text};
use super::table::Table;
use crate::common::near::assert_near;
use elman::data::{Dataset, Inputs, Targets};
use elman::decode::{Beam, Decoder, Hypothesis, Sampler, Stepper, generate};
use elman::layers::{Dense, Elman, Mode};
use elman::loss::SparseCategoricalCrossEntropy;
use elman::model::Batch;
use elman::optim::Sgd;
use elman::{Backend, Key, Result};
use elman_candle::{Candle, candle_core::Device};
use elman_reference::Reference;

type R = Reference<f64>;

const END: u32 = 0;

/// A hypothesis from the log-probabilities of its tokens, the end token's too.
fn hypothesis(tokens: &[u32], each: &[f64], alpha: f64, ended: bool) -> Hypothesis {
    let log_probability: f64 = each.iter().sum();
    let score = log_probability / (each.len() as f64).powf(alpha);
    Hypothesis { tokens: tokens.to_vec(), log_probability, score, ended }
}

fn log_softmax(scores: &[f32]) -> Vec<f64> {
    let sum: f64 = scores.iter().map(|&x| f64::from(x).exp()).sum();
    scores.iter().map(|&x| f64::from(x) - sum.ln()).collect()
}

/// All sequences behind two tokens, the best first.
fn exhaustive(table: &Table, last: [u32; 2], alpha: f64, [shortest, longest]: [usize; 2]) -> Vec<Hypothesis> {
    let mut found = Vec::new();
    let mut open = vec![(last.to_vec(), Vec::new())];
    while let Some((tokens, each)) = open.pop() {
        let scores = table.after([tokens[tokens.len() - 2], tokens[tokens.len() - 1]]);
        // An end that may not be does not make the others more probable.
        for (token, p) in log_softmax(scores).into_iter().enumerate() {
            let (token, each) = (token as u32, [&each[..], &[p]].concat());
            if token == END {
                if each.len() >= shortest {
                    found.push(hypothesis(&tokens[2..], &each, alpha, true));
                }
                continue;
            }
            let tokens = [&tokens[..], &[token]].concat();
            if each.len() == longest {
                found.push(hypothesis(&tokens[2..], &each, alpha, false));
            } else {
                open.push((tokens, each));
            }
        }
    }
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    found
}

#[track_caller]
fn assert_same(what: &str, found: &[Hypothesis], expected: &[Hypothesis]) {
    let words = |all: &[Hypothesis]| all.iter().map(|one| (one.tokens.clone(), one.ended)).collect::<Vec<_>>();
    assert_eq!(words(found), words(expected), "{what}");
    let numbers = |all: &[Hypothesis]| all.iter().flat_map(|one| [one.log_probability, one.score]).collect::<Vec<_>>();
    assert_near(what, &numbers(found), &numbers(expected), 1e-6);
}

/// What is banned is never taken, and what is left is as probable as it was.
#[test]
fn banned_tokens_are_never_taken() {
    for (seed, banned) in [(0, vec![1]), (1, vec![1, 3]), (2, vec![0])] {
        let table = Table::drawn(5, 1, seed);
        let all = exhaustive(&table, [1, 2], 1.0, [1, 4]);
        let ends = |one: &Hypothesis| one.ended && banned.contains(&END);
        let may_be = |one: &&Hypothesis| !one.tokens.iter().any(|token| banned.contains(token)) && !ends(one);
        let expected: Vec<Hypothesis> = all.iter().filter(may_be).cloned().collect();
        let beam = Beam::new(1000).until(END).longest(4).n_best(1000).ban(banned[..1].to_vec());
        let found = beam.ban(banned[1..].to_vec()).search(table, &[1, 2]).unwrap();
        let scores = |all: &[Hypothesis]| all.iter().map(|one| one.score).collect::<Vec<_>>();
        assert_near(&format!("{banned:?}"), &scores(&found), &scores(&expected), 1e-6);
        // Those that are as probable as each other may change places.
        let words = |all: &[Hypothesis]| {
            let mut words: Vec<_> = all.iter().map(|one| (one.tokens.clone(), one.ended)).collect();
            words.sort();
            words
        };
        assert_eq!(words(&found), words(&expected));
        assert!(!found.is_empty() && found.len() < all.len());
    }
}

#[test]
fn a_wide_beam_is_exhaustive_search() {
    for (seed, alpha) in [(0, 1.0), (1, 0.0), (2, 0.6), (3, 2.0), (4, -0.5)] {
        for lengths in [[1, 4], [3, 5]] {
            let table = Table::drawn(3, 1, seed);
            let beam = Beam::new(400).until(END).length_penalty(alpha).shortest(lengths[0]).longest(lengths[1]);
            for n in [1, 12] {
                let found = beam.clone().n_best(n).search(table.clone(), &[1, 2]).unwrap();
                let expected = exhaustive(&table, [1, 2], alpha, lengths);
                let what = format!("seed {seed}, α {alpha}, {lengths:?}");
                // Two sequences of the same pairs of tokens are as probable as each other: either may come first.
                let scores = |all: &[Hypothesis]| all.iter().map(|one| one.score).collect::<Vec<_>>();
                assert_near(&what, &scores(&found), &scores(&expected[..n]), 1e-6);
                let own = |one: &Hypothesis| {
                    expected.iter().find(|other| (&other.tokens, other.ended) == (&one.tokens, one.ended))
                };
                let own: Vec<Hypothesis> = found.iter().filter_map(own).cloned().collect();
                assert_same(&what, &found, &own);
                assert!((1..n).all(|i| found[i].tokens != found[i - 1].tokens), "{what}: each once");
            }
        }
    }
}

/// Without an end token there are as many sequences as there can be, all as long as they may be.
#[test]
fn without_an_end_all_are_of_the_longest_length() {
    let table = Table::drawn(3, 1, 9);
    let found = Beam::new(27).longest(3).n_best(27).search(table.clone(), &[0, 1]).unwrap();
    assert!(found.len() == 27 && found.iter().all(|one| one.tokens.len() == 3 && !one.ended));
    assert!((found.iter().map(|one| one.log_probability.exp()).sum::<f64>() - 1.0).abs() < 1e-6);
    assert!(found.is_sorted_by(|a, b| a.score >= b.score));
}

#[test]
fn a_beam_of_one_is_greedy() {
    fn on<B: Backend>(b: &B) {
        let model = language_model(b);
        let decoder = || Decoder::new(&model).unwrap();
        let greedy = |prompt: &[u32]| generate(decoder(), prompt, &Sampler::greedy(), Key::new(0)).unwrap();
        let prompts: Vec<Vec<u32>> = (0..6).map(|seed| text(3, seed)).collect();
        let mut ended = 0;
        for (prompt, end) in prompts.iter().flat_map(|prompt| (0..TOKENS as u32).map(move |end| (prompt, end))) {
            let found = Beam::new(1).until(end).longest(4).search(decoder(), prompt).unwrap();
            let expected = greedy(prompt).until(end).take(4).collect::<Result<Vec<u32>>>().unwrap();
            assert_eq!((found.len(), found[0].ended), (1, expected.len() < 4));
            ended += usize::from(found[0].ended);
            assert_eq!(found[0].tokens, expected);
        }
        assert!(0 < ended && ended < prompts.len() * TOKENS, "both kinds are tried: {ended}");
    }
    on(&R::with_threads(1));
    on(&Candle::cpu());
    on(&Candle::portable(Device::Cpu));
}

/// The rule as it stands, without looking ahead whether it can be over.
fn plain(table: &Table, last: [u32; 2], width: usize, alpha: f64, longest: usize) -> Vec<Hypothesis> {
    let (mut alive, mut found) = (vec![(last.to_vec(), Vec::<f64>::new())], Vec::new());
    for length in 1..=longest {
        let mut all: Vec<(Vec<u32>, Vec<f64>)> = Vec::new();
        for (tokens, each) in &alive {
            let scores = table.after([tokens[tokens.len() - 2], tokens[tokens.len() - 1]]);
            for (token, p) in log_softmax(scores).into_iter().enumerate() {
                all.push(([&tokens[..], &[token as u32]].concat(), [&each[..], &[p]].concat()));
            }
        }
        all.sort_by(|a, b| b.1.iter().sum::<f64>().total_cmp(&a.1.iter().sum()));
        for (tokens, each) in &all[..width.min(all.len())] {
            if *tokens.last().unwrap() == END {
                found.push(hypothesis(&tokens[2..tokens.len() - 1], each, alpha, true));
            } else if length == longest {
                found.push(hypothesis(&tokens[2..], each, alpha, false));
            }
        }
        alive = all.into_iter().filter(|(tokens, _)| *tokens.last().unwrap() != END).take(width).collect();
        if found.len() >= width {
            break;
        }
    }
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    found
}

/// Among the best there may be those that a narrow beam does not find; and it stops as soon as it can.
#[test]
fn a_narrow_beam_follows_its_rule() {
    let (mut missed, mut sooner) = (0, 0);
    for (seed, width, alpha) in
        (0..30).flat_map(|seed| [(seed, 2, 1.0), (seed, 3, 0.0), (seed, 4, 1.5), (seed, 3, -1.0)])
    {
        let table = Table::drawn(5, 1, 100 + seed);
        let found =
            Beam::new(width).until(END).length_penalty(alpha).longest(6).search(table.clone(), &[1, 2]).unwrap();
        let expected = plain(&table, [1, 2], width, alpha, 6);
        assert_same(&format!("seed {seed}, width {width}, α {alpha}"), &found, &expected[..1]);
        missed += usize::from(found[0].tokens != exhaustive(&table, [1, 2], alpha, [1, 6])[0].tokens);
        sooner += usize::from(table.steps.get() < 2 + 5);
    }
    assert!(missed > 0 && sooner > 20, "{missed} missed, {sooner} over before the longest length");
}

#[test]
fn scores_are_minus_losses() {
    fn on<B: Backend>(b: &B, tolerance: f64) {
        let mut model = language_model(b);
        let beam = Beam::new(4).until(3).longest(8).n_best(4);
        let sums = beam.clone().length_penalty(0.0).search(Decoder::new(&model).unwrap(), &[5]).unwrap();
        let means = beam.search(Decoder::new(&model).unwrap(), &[5]).unwrap();
        model.compile(Sgd::new(0.1), SparseCategoricalCrossEntropy::from_logits());
        assert!(means.iter().any(|one| one.ended) && sums.len() == 4);
        for (one, mean) in sums.iter().map(|one| (one, false)).chain(means.iter().map(|one| (one, true))) {
            let targets = [&one.tokens[..], if one.ended { &[3] } else { &[] }].concat();
            let inputs = [&[5], &targets[..targets.len() - 1]].concat();
            let data =
                Dataset::new(Inputs::indices(&[inputs]).unwrap(), Targets::classes_per_step(&[&targets]).unwrap());
            let batch = Batch::new(b, data.unwrap()).unwrap();
            let loss = model.loss(&batch, Mode::Evaluation).unwrap().loss.to_scalar().unwrap();
            let sum = loss * targets.len() as f64;
            assert_near(&format!("{one:?}"), &[one.log_probability], &[-sum], tolerance);
            assert_near(&format!("{one:?}"), &[one.score], &[if mean { -loss } else { -sum }], tolerance);
        }
    }
    // Scores are handed out as `f32`.
    on(&R::with_threads(1), 1e-6);
    on(&Candle::cpu(), 2e-6);
}

fn rows<B: Backend>(b: &B) -> Vec<(usize, Vec<Hypothesis>)> {
    let model = language_model(b);
    let prompts: Vec<Vec<u32>> = (0..5).map(|seed| text(2 + seed as usize, 30 + seed)).collect();
    let beam = Beam::new(3).until(3).longest(7).n_best(2);
    let search = |order: &[usize]| {
        let mut decoder = Decoder::of_rows(&model, order.len()).unwrap();
        let prompts: Vec<&Vec<u32>> = order.iter().map(|&row| &prompts[row]).collect();
        let scores = decoder.prime_each(&prompts).unwrap();
        beam.search_rows(decoder, scores).unwrap()
    };
    let all = search(&[0, 1, 2, 3, 4]);
    for order in [[4, 2, 0, 3, 1], [1, 0, 4, 3, 2]] {
        for (row, found) in order.into_iter().zip(search(&order)) {
            assert_same(&format!("row {row} of {order:?} on {}", b.name()), &found, &all[row]);
        }
    }
    for (row, found) in all.iter().enumerate() {
        let alone = beam.search(Decoder::new(&model).unwrap(), &prompts[row]).unwrap();
        assert_same(&format!("row {row} alone on {}", b.name()), found, &alone);
    }
    all.into_iter().enumerate().collect()
}

#[test]
fn rows_are_searched_as_by_themselves_in_any_order() {
    let expected = rows(&R::with_threads(1));
    assert!(expected.iter().any(|(_, found)| found[0].tokens.len() < 6), "some end sooner");
    for found in [rows(&Candle::cpu()), rows(&Reference::<f32>::new()), rows(&Candle::portable(Device::Cpu))] {
        for ((row, found), (_, expected)) in found.iter().zip(&expected) {
            assert_same(&format!("row {row}"), found, expected);
        }
    }
}

/// Rows that are over leave the stepper: what is stepped is what each takes alone.
#[test]
fn ended_rows_cost_nothing() {
    let beam = Beam::new(3).until(END).longest(8);
    let prompts = [[0, 1], [1, 1], [2, 1], [3, 1], [4, 1]];
    let (mut alone, mut steps) = (0, Vec::new());
    for prompt in prompts {
        let table = Table::drawn(5, 1, 7);
        beam.search(table.clone(), &prompt).unwrap();
        alone += table.rows_stepped.get() - 2;
        steps.push(table.steps.get());
    }
    assert!(steps.iter().any(|&count| count != steps[0]), "they end at different lengths: {steps:?}");
    let mut together = Table::drawn(5, prompts.len(), 7);
    together.step(&prompts.map(|prompt| prompt[0])).unwrap();
    let scores = together.step(&prompts.map(|prompt| prompt[1])).unwrap();
    together.rows_stepped.set(0);
    beam.search_rows(&mut together, scores).unwrap();
    assert_eq!(together.rows_stepped.get(), alone);
}

#[test]
fn several_tokens_may_end_a_sequence() {
    let table = Table::drawn(4, 1, 3);
    let found = Beam::new(60).until(0).until(2).longest(4).n_best(10).search(table, &[1, 1]).unwrap();
    assert!(found.iter().all(|one| one.tokens.iter().all(|&token| token == 1 || token == 3)));
    assert!(found.iter().filter(|one| one.ended).count() > 3);
    // As probable as an end token is, each of them is one of its own.
    let ends = Beam::new(4).until(0).until(2).longest(3).n_best(4);
    let empty = ends.search(Table::same(&[2.0, 0.0, 2.0, 0.0], 1), &[1]).unwrap();
    assert_eq!(empty.iter().filter(|one| one.tokens.is_empty() && one.ended).count(), 2);
}

/// Of sequences that are as probable the first: of the row that stands first, by the smaller token.
#[test]
fn of_equals_the_first_is_taken() {
    let found = Beam::new(2).longest(2).n_best(2).search(Table::same(&[1.0; 3], 1), &[2]).unwrap();
    assert_eq!(found.iter().map(|one| &one.tokens[..]).collect::<Vec<_>>(), [[0, 0], [0, 1]]);
}

#[test]
fn impossible_tokens_are_not_gone_on_with() {
    let never = f32::NEG_INFINITY;
    let found = Beam::new(5).longest(2).n_best(5).search(Table::same(&[never, 0.0, never], 1), &[0]).unwrap();
    assert_eq!(found, [Hypothesis { tokens: vec![1, 1], log_probability: 0.0, score: 0.0, ended: false }]);
    let nothing = Beam::new(2).longest(2).search(Table::same(&[never; 3], 1), &[0]).unwrap();
    assert_eq!(nothing, []);
}

#[test]
fn options_out_of_range_are_errors() {
    let table = || Table::drawn(3, 1, 0);
    let message = |beam: Beam| beam.search(table(), &[0]).unwrap_err().to_string();
    assert!(message(Beam::new(0)).starts_with("beam, width: expected at least 1"));
    assert!(message(Beam::new(usize::MAX)).starts_with("beam, width: expected at least 1, at most 1048576"));
    assert!(message(Beam::new(3).n_best(4)).starts_with("beam, n_best: expected 1 to 3"));
    assert!(message(Beam::new(3).n_best(0)).starts_with("beam, n_best: expected 1 to 3"));
    assert!(message(Beam::new(3).longest(0)).starts_with("beam, longest: expected at least 1"));
    assert!(message(Beam::new(3).shortest(5).longest(4)).starts_with("beam, longest: expected at least 5"));
    assert!(message(Beam::new(3).length_penalty(f64::NAN)).starts_with("beam, length penalty"));
    let two = Beam::new(2).search(Table::drawn(3, 2, 0), &[0]).unwrap_err().to_string();
    assert!(two.contains("a stepper of one row (see `search_rows`), found one of 2"));
    let scores = Table::drawn(3, 2, 0).step(&[0, 1]).unwrap();
    assert!(Beam::new(2).search_rows(table(), scores).is_err());
}

/// A model that scores the last step alone is searched too.
#[test]
fn a_model_of_last_outputs_is_searched() {
    let model = build(&R::with_threads(1), Elman::new(4), Dense::new(TOKENS));
    let found = Beam::new(2).longest(4).search(Decoder::new(&model).unwrap(), &[1, 2]).unwrap();
    assert_eq!(found[0].tokens.len(), 4);
}
