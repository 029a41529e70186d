//! Readings of outputs whose labels have no places: against all alignments, with bonuses, refusals.

use elman::Key;
use elman::decode::AlignmentBeam;
use std::collections::HashMap;

/// Random outputs `[time, classes]`.
fn outputs(time: usize, classes: usize, seed: u64) -> Vec<f32> {
    (0..(time * classes) as u64).map(|i| (Key::new(seed).uniform(i) * 6.0 - 3.0) as f32).collect()
}

/// The probability of all that can be spelled, by all alignments one after another.
fn all(outputs: &[f32], classes: usize, blank: u32) -> HashMap<Vec<u32>, f64> {
    let rows: Vec<Vec<f64>> = outputs
        .chunks(classes)
        .map(|row| {
            let e: Vec<f64> = row.iter().map(|&x| f64::from(x).exp()).collect();
            e.iter().map(|x| x / e.iter().sum::<f64>()).collect()
        })
        .collect();
    let mut found = HashMap::new();
    for number in 0..classes.pow(rows.len() as u32) {
        let path: Vec<usize> = (0..rows.len()).map(|t| number / classes.pow(t as u32) % classes).collect();
        let mut labels: Vec<u32> = path.iter().map(|&class| class as u32).collect();
        labels.dedup();
        labels.retain(|&class| class != blank);
        *found.entry(labels).or_insert(0.0) += path.iter().zip(&rows).map(|(&class, row)| row[class]).product::<f64>();
    }
    found
}

#[test]
fn a_wide_beam_is_all_alignments() {
    for (time, classes, blank) in [(1, 2, 0), (4, 3, 0), (5, 3, 2), (4, 4, 1)] {
        let outputs = outputs(time, classes, 3 + time as u64);
        let want = all(&outputs, classes, blank);
        let found = AlignmentBeam::new(10_000).blank(blank).search(&outputs, classes).unwrap();
        assert_eq!(found.len(), want.len());
        for reading in &found {
            let want = want[&reading.labels].ln();
            assert!((reading.log_probability - want).abs() < 1e-9, "{reading:?} for {want}");
            assert_eq!(reading.score, reading.log_probability);
        }
        assert!(found.is_sorted_by(|one, other| one.score >= other.score));
        // A narrow one finds no more than there is, and the same first one here.
        let narrow = AlignmentBeam::new(3).blank(blank).search(&outputs, classes).unwrap();
        assert!(narrow.len() <= 3 && narrow[0].log_probability <= found[0].log_probability + 1e-12);
    }
}

#[test]
fn the_loss_of_a_reading_is_minus_its_logarithm() {
    let (time, classes) = (6, 4);
    let outputs = outputs(time, classes, 9);
    let b = elman_reference::Reference::<f64>::new();
    let logits = outputs.iter().map(|&x| f64::from(x)).collect();
    let logits = elman::Tensor::new(&b, logits, &[1, time, classes]).unwrap();
    for reading in AlignmentBeam::new(10_000).search(&outputs, classes).unwrap().iter().take(50) {
        let loss = logits.ctc(std::slice::from_ref(&reading.labels), 0, None).unwrap().to_vec().unwrap()[0];
        assert!((loss + reading.log_probability).abs() < 1e-9, "{loss} for {reading:?}");
    }
}

#[test]
fn the_best_path_joins_repeats_and_drops_blanks() {
    let hot =
        |path: &[usize]| path.iter().flat_map(|&class| (0..3).map(move |c| f32::from(u8::from(c == class)))).collect();
    let read = |path: &[usize], blank| {
        let outputs: Vec<f32> = hot(path);
        AlignmentBeam::new(1).blank(blank).best_path(&outputs, 3).unwrap()
    };
    assert_eq!(read(&[1, 1, 0, 1, 2, 2, 0], 0), [1, 1, 2]);
    assert_eq!(read(&[0, 0, 2, 0, 1], 2), [0, 0, 1]);
    assert!(read(&[0, 0], 0).is_empty() && read(&[], 0).is_empty());
}

#[test]
fn a_bonus_forbids_and_prefers() {
    let outputs = outputs(5, 3, 4);
    let plain = AlignmentBeam::new(1000).search(&outputs, 3).unwrap();
    // No `2` behind a `1`.
    let forbidden = AlignmentBeam::new(1000)
        .bonus(|before, next| if before.last() == Some(&1) && next == 2 { f64::NEG_INFINITY } else { 0.0 })
        .search(&outputs, 3)
        .unwrap();
    let allowed = |labels: &[u32]| !labels.windows(2).any(|pair| pair == [1, 2]);
    let want: Vec<_> = plain.iter().filter(|reading| allowed(&reading.labels)).collect();
    assert!(want.len() < plain.len());
    assert_eq!(forbidden.iter().collect::<Vec<_>>(), want);
    // Points for each label: the score has them, the probability does not.
    let long = AlignmentBeam::new(1000).bonus(|_, _| 5.0).search(&outputs, 3).unwrap();
    for reading in &long {
        assert!((reading.score - reading.log_probability - 5.0 * reading.labels.len() as f64).abs() < 1e-12);
    }
    assert!(long[0].labels.len() > plain[0].labels.len());
}

#[test]
fn wrong_outputs_are_refused() {
    let message =
        |beam: AlignmentBeam, outputs: &[f32], classes| beam.search(outputs, classes).unwrap_err().to_string();
    let good = [0.0; 6];
    assert!(message(AlignmentBeam::new(0), &good, 3).contains("width"));
    assert!(message(AlignmentBeam::new(1), &good, 4).contains("6 for 4 classes"));
    assert!(message(AlignmentBeam::new(1), &good, 1).contains("two classes"));
    assert!(message(AlignmentBeam::new(1).blank(3), &good, 3).contains("a blank below 3"));
    let mut wrong = good;
    wrong[4] = f32::NAN;
    assert!(message(AlignmentBeam::new(1), &wrong, 3).contains("step 1"));
    assert!(AlignmentBeam::new(1).best_path(&wrong, 3).is_err());
    assert!(message(AlignmentBeam::new(1), &[f32::NEG_INFINITY; 3], 3).contains("step 0"));
    assert!(message(AlignmentBeam::new(1).bonus(|_, _| f64::NAN), &good, 3).contains("bonus of label 1"));
    // What cannot be is no reading.
    let only = AlignmentBeam::new(4).search(&[f32::NEG_INFINITY, 0.0], 2).unwrap();
    assert_eq!(only.iter().map(|reading| &reading.labels[..]).collect::<Vec<_>>(), [[1]]);
    assert!(
        AlignmentBeam::new(4).bonus(|_, _| f64::NEG_INFINITY).search(&[f32::NEG_INFINITY, 0.0], 2).unwrap().is_empty()
    );
    // No step spells nothing, for certain.
    let none = AlignmentBeam::new(2).search(&[], 3).unwrap();
    assert_eq!((none.len(), none[0].log_probability), (1, 0.0));
}
