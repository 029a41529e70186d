//! Parts of a data set: shuffled, stratified, in folds.

use super::toy::numbered;
use elman::Key;
use elman::data::{Dataset, Inputs, Targets};

/// So many samples of each class, sorted by it; a sample's number is its input.
fn sorted(counts: &[usize]) -> Dataset {
    let labels: Vec<u32> = (0..).zip(counts).flat_map(|(class, &count)| vec![class; count]).collect();
    let inputs = Inputs::dense((0..labels.len()).map(|i| i as f32).collect(), &[1]).unwrap();
    let weights = (0..labels.len()).map(|i| i as f32).collect();
    Dataset::new(inputs, Targets::classes(labels).unwrap()).unwrap().with_weights(weights).unwrap()
}

/// The numbers of the samples, which their weights tell too.
fn samples(data: &Dataset) -> Vec<usize> {
    let Inputs::Dense { data: numbers, .. } = data.inputs() else { panic!() };
    assert_eq!(Some(&numbers[..]), data.weights(), "inputs and weights stay together");
    numbers.iter().map(|&x| x as usize).collect()
}

fn counts(data: &Dataset, classes: usize) -> Vec<usize> {
    let Targets::Classes { labels, .. } = data.targets() else { panic!() };
    (0..classes as u32).map(|class| labels.iter().filter(|&&label| label == class).count()).collect()
}

fn each_once(parts: &[&Dataset]) {
    let mut all: Vec<usize> = parts.iter().flat_map(|part| samples(part)).collect();
    all.sort_unstable();
    assert_eq!(all, (0..all.len()).collect::<Vec<_>>());
}

#[test]
fn a_shuffled_split_has_every_sample_once() {
    let data = sorted(&[30, 20]);
    let (train, valid) = data.split_shuffled(0.3, Key::new(1)).unwrap();
    assert_eq!((train.len(), valid.len()), (35, 15));
    each_once(&[&train, &valid]);
    assert!(counts(&valid, 2).iter().all(|&count| count > 0), "sorted no more");
    assert_eq!(data.split_shuffled(0.3, Key::new(1)).unwrap(), (train, valid.clone()));
    assert_ne!(samples(&data.split_shuffled(0.3, Key::new(2)).unwrap().1), samples(&valid));
    assert!(data.split_shuffled(1.0, Key::new(1)).is_err());
}

#[test]
fn a_stratified_split_has_each_class_at_its_share() {
    for (all, fraction) in [(vec![70, 20, 10], 0.1), (vec![13, 7, 2, 1], 0.3), (vec![5, 5], 0.5), (vec![99, 1], 0.2)] {
        for seed in 0..20 {
            let data = sorted(&all);
            let (train, valid) = data.split_stratified(fraction, Key::new(seed)).unwrap();
            assert_eq!(train.len(), data.split_index(fraction).unwrap());
            each_once(&[&train, &valid]);
            let held = valid.len() as f64 / data.len() as f64;
            for (&count, found) in all.iter().zip(counts(&valid, all.len())) {
                assert!((found as f64 - count as f64 * held).abs() < 1.0, "{found} of {count} at {fraction}");
            }
            let first = samples(&train);
            assert!(first.windows(2).any(|pair| pair[0] > pair[1]), "in random order");
        }
    }
    let other = |seed| samples(&sorted(&[50, 50]).split_stratified(0.2, Key::new(seed)).unwrap().1);
    assert_eq!(other(1), other(1));
    assert_ne!(other(1), other(2));
}

#[test]
fn folds_have_every_sample_once() {
    let data = sorted(&[12, 7, 4]);
    let key = Key::new(3);
    let plain: Vec<_> = data.k_fold(4, key).unwrap().map(Result::unwrap).collect();
    let stratified: Vec<_> = data.k_fold_stratified(4, key).unwrap().map(Result::unwrap).collect();
    for folds in [&plain, &stratified] {
        assert_eq!(folds.len(), 4);
        each_once(&folds.iter().map(|(_, valid)| valid).collect::<Vec<_>>());
        for (train, valid) in folds {
            each_once(&[train, valid]);
            assert!((5..=6).contains(&valid.len()));
        }
    }
    for (_, valid) in &stratified {
        let found = counts(valid, 3);
        assert!(found[0] == 3 && (1..=2).contains(&found[1]) && found[2] == 1, "{found:?}");
    }
    assert_ne!(samples(&plain[0].1), samples(&data.k_fold(4, Key::new(4)).unwrap().next().unwrap().unwrap().1));
}

#[test]
fn what_cannot_be_split_is_told() {
    let data = numbered(5);
    for k in [0, 1, 6] {
        let error = data.k_fold(k, Key::new(0)).map(drop).unwrap_err().to_string();
        let expected = "folds: expected at least 2 folds, and at most one for each of 5 samples";
        assert_eq!(error, format!("{expected}, found {k}"));
    }
    let inputs = Inputs::rows(&[[1.0], [2.0]]).unwrap();
    let numbers = Dataset::new(inputs, Targets::values(vec![1.0, 2.0], &[1]).unwrap()).unwrap();
    let error = numbers.split_stratified(0.5, Key::new(0)).unwrap_err().to_string();
    assert!(error.contains("stratified split: expected one class a sample"), "{error}");
    assert!(numbers.k_fold_stratified(2, Key::new(0)).is_err());
}
