//! What tag schemes and other rules forbid.

use super::Double;
use crate::common::host::refused;
use elman::data::TagScheme;
use elman::decode::Trellis;
use elman::layers::{Crf, Layer, Sequential, Weight};
use elman::{Init, Model, Spec};
use std::collections::BTreeSet;

const KINDS: [&str; 2] = ["PER", "LOC"];

/// The tags of a scheme, and their names.
fn names(scheme: TagScheme) -> Vec<String> {
    let letters = if scheme == TagScheme::Bioes { "BIES" } else { "BI" };
    let marked = KINDS.iter().flat_map(|kind| letters.chars().map(move |letter| format!("{letter}-{kind}")));
    std::iter::once("O".to_string()).chain(marked).collect()
}

/// All ways to cut words into spans of a kind (`Some`) and words outside, each with its length.
fn cuts(words: usize) -> Vec<Vec<(usize, Option<usize>)>> {
    if words == 0 {
        return vec![vec![]];
    }
    let mut all = Vec::new();
    let first = (1..=words).flat_map(|length| [0, 1].map(|kind| (length, Some(kind)))).chain([(1, None)]);
    for first in first {
        all.extend(cuts(words - first.0).into_iter().map(|rest| [&[first][..], &rest].concat()));
    }
    all
}

/// The names of tags that say so.
fn written(scheme: TagScheme, cut: &[(usize, Option<usize>)]) -> Vec<String> {
    let mut tags = Vec::new();
    let mut before = None;
    for &(length, kind) in cut {
        for at in 0..length {
            let letter = match (scheme, at == 0, at + 1 == length) {
                (TagScheme::Bio, true, _) => 'B',
                (TagScheme::Bioes, true, true) => 'S',
                (TagScheme::Bioes, true, false) => 'B',
                (TagScheme::Bioes, false, true) => 'E',
                (TagScheme::Iob1, true, _) if before == kind => 'B',
                _ => 'I',
            };
            tags.push(kind.map_or("O".to_string(), |kind| format!("{letter}-{}", KINDS[kind])));
        }
        before = kind;
    }
    tags
}

/// A field of so many tags that scores nothing, and one sequence of so many steps.
fn all_paths(crf: Crf, tags: usize, steps: usize) -> BTreeSet<Vec<usize>> {
    let b = Double::new();
    let model = Sequential::new().add(crf).build(&b, Spec::Dense(vec![None, Some(tags)]), 0).unwrap();
    let inputs = elman::data::Inputs::dense(vec![0.0; steps * tags], &[steps, tags]).unwrap();
    let [trellis] = &Trellis::of(&model, &inputs, 1).unwrap()[..] else { panic!("one sequence") };
    trellis.n_best(usize::MAX).into_iter().map(|path| path.tags).collect()
}

#[test]
fn what_is_allowed_is_what_can_be_written() {
    for scheme in [TagScheme::Bio, TagScheme::Bioes, TagScheme::Iob1] {
        let names = names(scheme);
        let number = |name: &String| names.iter().position(|other| other == name).unwrap();
        for words in 1..=4 {
            let all: BTreeSet<Vec<usize>> =
                cuts(words).iter().map(|cut| written(scheme, cut).iter().map(number).collect()).collect();
            let crf = Crf::new().scheme(scheme, &names).unwrap();
            assert_eq!(all_paths(crf, names.len(), words), all, "{scheme:?}, {words} words");
        }
    }
}

#[test]
fn rules_add_up() {
    let all = all_paths(Crf::new().forbid(0, 1).forbid_start(2).forbid_end(0), 3, 2);
    assert_eq!(all, [vec![0, 2], vec![1, 1], vec![1, 2]].into());
    let scheme = Crf::new().scheme(TagScheme::Bio, &["O", "B-X", "I-X"]).unwrap().forbid(0, 1);
    assert_eq!(all_paths(scheme, 3, 2), [vec![0, 0], vec![1, 0], vec![1, 1], vec![1, 2]].into());
}

/// Whatever the weights are: they begin at 5 here.
#[test]
fn what_is_forbidden_is_never_given() {
    let five = || Weight::new(Init::Constant(5.0));
    let all = all_paths(Crf::new().forbid(0, 0).transitions(five()).edges(five()), 2, 3);
    assert!(!all.is_empty() && all.iter().all(|path| !path.windows(2).any(|pair| pair == [0, 0])), "{all:?}");
}

#[test]
fn what_makes_no_sense_is_refused() {
    for names in [&["O", "E-X"][..], &["O", "b-X"], &["B-"], &["O-X"], &["", "O"]] {
        refused(Crf::new().scheme(TagScheme::Bio, names), &format!("names {names:?}"));
    }
    let build = |crf: &Crf| {
        let spec = Spec::Dense(vec![None, Some(2)]);
        Model::new(&Double::new(), crf as &dyn Layer<Double>, spec, 0).map(drop).map_err(|error| error.to_string())
    };
    assert!(build(&Crf::new()).is_ok());
    let said = build(&Crf::new().forbid(0, 2)).unwrap_err();
    assert!(said.contains("of the 2 tags that come in") && said.contains("tag 2"), "{said}");
    // No way through one step, through two, through three; and one that is left.
    assert!(build(&Crf::new().forbid_start(0).forbid_end(1)).unwrap_err().contains("stand alone"));
    let none = Crf::new().forbid(0, 0).forbid(0, 1).forbid(1, 0).forbid(1, 1);
    assert!(build(&none).unwrap_err().contains("sequences of every length"));
    let short = Crf::new().forbid(1, 1).forbid(1, 0).forbid(0, 0);
    assert!(build(&short).unwrap_err().contains("sequences of every length"));
    assert!(build(&Crf::new().forbid(0, 0).forbid(1, 1)).is_ok());
    assert!(Model::new(&Double::new(), &Crf::new(), Spec::dense(&[3]), 0).is_err());
}
