//! Tokens one after another: lazily, the same on every backend, each row as by itself.

use super::models::{TOKENS, language_model, text};
use super::table::Table;
use elman::decode::{Decoder, GenerateRows, Sampler, Scores, Stepper, generate, generate_rows};
use elman::{Backend, Error, Key, Result};
use elman_candle::{Candle, candle_core::Device};
use elman_reference::Reference;

fn all<T>(tokens: impl Iterator<Item = Result<T>>) -> Vec<T> {
    tokens.collect::<Result<_>>().unwrap()
}

#[test]
fn tokens_are_what_a_loop_of_ones_own_draws() {
    // A penalty that tells: without what was there it would draw others.
    let (sampler, key) = (Sampler::new().temperature(1.2).repetition_penalty(3.0), Key::new(4));
    let table = Table::drawn(5, 1, 0);
    let found = all(generate(table.clone(), &[1, 2], &sampler, key).unwrap().take(25));
    let mut sequence = vec![1, 2];
    for position in 0..25 {
        let last = [sequence[sequence.len() - 2], sequence[sequence.len() - 1]];
        sequence.push(sampler.sample(table.after(last), &sequence, key.fold(0), position).unwrap());
    }
    assert_eq!(found, sequence[2..]);
    let without = Sampler::new().temperature(1.2);
    assert_ne!(found, all(generate(table.clone(), &[1, 2], &without, key).unwrap().take(25)));
    assert_ne!(found, all(generate(table, &[1, 2], &sampler, Key::new(5)).unwrap().take(25)));
}

/// The weights are the same numbers to `f32`'s last places, so the draws are.
#[test]
fn draws_are_the_same_on_every_backend() {
    fn tokens<B: Backend>(b: &B) -> Vec<u32> {
        let model = language_model(b);
        let sampler = Sampler::new().temperature(0.9).top_p(0.95).top_k(6).repetition_penalty(1.05);
        all(generate(Decoder::new(&model).unwrap(), &text(4, 0), &sampler, Key::new(8)).unwrap().take(60))
    }
    let expected = tokens(&Reference::<f64>::new());
    assert!((0..TOKENS as u32).filter(|token| expected.contains(token)).count() > 3, "{expected:?}");
    assert_eq!(tokens(&Reference::<f32>::new()), expected);
    assert_eq!(tokens(&Candle::cpu()), expected);
    assert_eq!(tokens(&Candle::portable(Device::Cpu)), expected);
}

/// A token is computed when it is asked for, and none after the last.
#[test]
fn nothing_is_computed_ahead() {
    let table = Table::drawn(5, 1, 0);
    let steps = table.steps.clone();
    let mut tokens = generate(table, &[0, 1], &Sampler::new(), Key::new(0)).unwrap();
    assert_eq!(steps.get(), 2);
    tokens.next().unwrap().unwrap();
    assert_eq!(steps.get(), 2);
    tokens.next().unwrap().unwrap();
    assert_eq!(steps.get(), 3);
    assert_eq!(all(tokens.take(5)).len(), 5);
    assert_eq!(steps.get(), 8);
}

#[test]
fn a_text_ends_before_its_end_token() {
    let endless = all(generate(Table::drawn(5, 1, 1), &[0], &Sampler::new(), Key::new(2)).unwrap().take(60));
    for ends in [vec![3], vec![3, 1]] {
        let mut tokens = generate(Table::drawn(5, 1, 1), &[0], &Sampler::new(), Key::new(2)).unwrap();
        for &end in &ends {
            tokens = tokens.until(end);
        }
        let found = all(tokens.by_ref());
        assert_eq!(found, endless.iter().copied().take_while(|token| !ends.contains(token)).collect::<Vec<_>>());
        assert!(tokens.next().is_none(), "it is over");
    }
}

/// Rows of other lengths; those that end cost nothing, and the others go on as if they were alone.
#[test]
fn rows_are_as_by_themselves() {
    let (rows, sampler, key) = (6, Sampler::new(), Key::new(3));
    let table = Table::drawn(6, rows, 2);
    let counted = table.rows_stepped.clone();
    let mut tokens = generate_rows(table, &[1], &sampler, key).unwrap().until(0);
    let given = all(tokens.by_ref().take(40));
    let of_row = |row: usize| given.iter().map_while(|tokens| tokens[row]).collect::<Vec<u32>>();
    let mut lengths = Vec::new();
    for row in 0..rows {
        let text = of_row(row);
        assert_eq!(tokens.sequences()[row], [&[1], &text[..]].concat());
        let ended = given.iter().skip(text.len()).all(|tokens| tokens[row].is_none());
        assert!(ended, "nothing comes after the end");
        // As by itself: the stream of its row.
        let mut sequence = vec![0, 1];
        let alone = Table::drawn(6, 1, 2);
        for (position, &token) in text.iter().enumerate() {
            let last = [sequence[sequence.len() - 2], sequence[sequence.len() - 1]];
            let scores = alone.after(last);
            assert_eq!(sampler.sample(scores, &sequence[1..], key.fold(row as u64), position as u64).unwrap(), token);
            sequence.push(token);
        }
        lengths.push(text.len());
    }
    let longest = *lengths.iter().max().unwrap();
    assert!(given.len() == longest && lengths.iter().any(|&length| length < longest), "{lengths:?}");
    // The prompt is read by all; then each row reads every token of its own.
    assert_eq!(counted.get(), rows + lengths.iter().sum::<usize>());
}

#[test]
fn prompts_of_their_own_are_gone_on_with() {
    let model = language_model(&Reference::<f64>::with_threads(1));
    let prompts = vec![text(2, 5), text(6, 6), text(3, 7)];
    let mut decoder = Decoder::of_rows(&model, 3).unwrap();
    let scores = decoder.prime_each(&prompts).unwrap();
    let rows = GenerateRows::new(decoder, scores, prompts.clone(), &Sampler::greedy(), Key::new(0)).unwrap();
    let given = all(rows.take(10));
    for (row, prompt) in prompts.iter().enumerate() {
        let alone = generate(Decoder::new(&model).unwrap(), prompt, &Sampler::greedy(), Key::new(0)).unwrap();
        let found: Vec<u32> = given.iter().map(|tokens| tokens[row].unwrap()).collect();
        assert_eq!(found, all(alone.take(10)));
    }
}

#[test]
fn what_cannot_be_generated_is_an_error() {
    let message = |result: Result<()>| result.unwrap_err().to_string();
    let (sampler, key) = (Sampler::new(), Key::new(0));
    let two = generate(Table::drawn(3, 2, 0), &[0], &sampler, key).map(drop);
    assert!(message(two).contains("a stepper of one row (see `generate_rows`), found one of 2"));
    assert!(message(generate(Table::drawn(3, 1, 0), &[], &sampler, key).map(drop)).contains("at least one token"));
    let wrong = generate(Table::drawn(3, 1, 0), &[0], &Sampler::new().temperature(-1.0), key).map(drop);
    assert!(message(wrong).contains("temperature"));
    let scores = Scores::new(vec![0.0; 3], 1).unwrap();
    let rows = GenerateRows::new(Table::drawn(3, 2, 0), scores, vec![vec![]], &sampler, key).map(drop);
    assert!(message(rows).contains("2 rows"));
    assert!(
        Scores::new(vec![0.0; 3], 2).is_err() && Scores::new(vec![], 1).is_err() && Scores::new(vec![], 0).is_err()
    );
    let nan = Scores::new(vec![0.0, 1.0, 2.0, f32::NAN], 2).map(drop);
    assert_eq!(message(nan), "scores, row 1, token 1: expected a number or minus infinity, found NaN");
    assert!(Scores::new(vec![f32::MAX, f32::MAX, f32::NEG_INFINITY], 1).is_ok());
}

/// Fails at its third step.
struct Failing(Table);

impl Stepper for Failing {
    fn rows(&self) -> usize {
        1
    }
    fn step(&mut self, tokens: &[u32]) -> Result<Scores> {
        let scores = self.0.step(tokens)?;
        if self.0.steps.get() < 3 { Ok(scores) } else { Err(Error::invalid("failing", "fewer steps", 3)) }
    }
    fn select(&mut self, rows: &[usize]) -> Result<()> {
        self.0.select(rows)
    }
}

#[test]
fn after_an_error_nothing_more_comes() {
    let mut tokens = generate(Failing(Table::drawn(3, 1, 0)), &[0], &Sampler::new(), Key::new(0)).unwrap();
    assert!(tokens.next().unwrap().is_ok() && tokens.next().unwrap().is_ok());
    assert!(tokens.next().unwrap().is_err());
    assert!(tokens.next().is_none());
}
