//! Ensembles: the mean of logarithms of probabilities, of steppers of any kinds.

use super::models::{TOKENS, build, language_model, text};
use super::table::Table;
use crate::common::near::assert_near;
use elman::decode::{Beam, Decoder, Ensemble, Stepper};
use elman::layers::{Dense, Lstm};
use elman_reference::Reference;

type R = Reference<f64>;

#[test]
fn an_ensemble_scores_by_the_mean() {
    let b = R::with_threads(1);
    let (one, other) = (language_model(&b), build(&b, Lstm::new(3).return_sequences(), Dense::new(TOKENS)));
    let table = Table::drawn(TOKENS, 2, 5);
    let members: Vec<Box<dyn Stepper + '_>> = vec![
        Box::new(Decoder::of_rows(&one, 2).unwrap()),
        Box::new(Decoder::of_rows(&other, 2).unwrap()),
        Box::new(table),
    ];
    let mut ensemble = Ensemble::new(members).unwrap();
    let mut alone: Vec<Box<dyn Stepper + '_>> = vec![
        Box::new(Decoder::of_rows(&one, 2).unwrap()),
        Box::new(Decoder::of_rows(&other, 2).unwrap()),
        Box::new(Table::drawn(TOKENS, 2, 5)),
    ];
    let steps: [fn(&mut dyn Stepper) -> elman::decode::Scores; 3] = [
        |stepper| stepper.prime(&text(4, 1)).unwrap(),
        |stepper| stepper.step(&[1, 2]).unwrap(),
        |stepper| {
            stepper.select(&[1, 1, 0]).unwrap();
            stepper.step(&[3, 4, 5]).unwrap()
        },
    ];
    for step in steps {
        let found = step(&mut ensemble);
        let given: Vec<_> = alone.iter_mut().map(|stepper| step(stepper)).collect();
        for row in 0..found.rows() {
            let each: Vec<Vec<f64>> = given.iter().map(|scores| scores.log_probabilities(row)).collect();
            let mean: Vec<f64> = (0..TOKENS).map(|i| each.iter().map(|row| row[i]).sum::<f64>() / 3.0).collect();
            let scores: Vec<f64> = found.row(row).iter().map(|&x| f64::from(x)).collect();
            assert_near("the mean", &scores, &mean, 1e-6);
        }
    }
    assert_eq!(ensemble.rows(), 3);
}

#[test]
fn an_ensemble_of_one_finds_what_it_finds() {
    let beam = Beam::new(3).until(0).longest(5).n_best(3);
    let table = Table::drawn(4, 1, 2);
    let alone = beam.search(table.clone(), &[1, 2]).unwrap();
    let found = beam.search(Ensemble::new(vec![table]).unwrap(), &[1, 2]).unwrap();
    let tokens = |all: &[elman::decode::Hypothesis]| all.iter().map(|one| one.tokens.clone()).collect::<Vec<_>>();
    assert_eq!(tokens(&found), tokens(&alone));
}

#[test]
fn steppers_that_do_not_go_together_are_errors() {
    assert!(Ensemble::<Table>::new(vec![]).is_err());
    assert!(Ensemble::new(vec![Table::drawn(3, 1, 0), Table::drawn(3, 2, 0)]).is_err());
    let mut other = Ensemble::new(vec![Table::drawn(3, 1, 0), Table::drawn(4, 1, 0)]).unwrap();
    let error = other.step(&[0]).unwrap_err().to_string();
    assert!(error.contains("one vocabulary of 3 tokens, found one of 4"), "{error}");
}
