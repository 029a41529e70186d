//! What a count of the labels shows before training: classes that training or validation never sees.

use crate::data::Targets;
use std::collections::BTreeSet;
use std::ops::Range;

/// The most classes that a warning names.
const NAMED: usize = 5;

/// Warnings about classes that the samples which are trained on, or those of validation, lack. `outputs` is how many classes
/// there are, if that is known; `ignored` the class that does not count. Only labels are counted, one a sample or one a step.
pub(super) fn warnings(
    training: (&Targets, Range<usize>),
    validation: Option<(&Targets, Range<usize>)>,
    split: bool,
    outputs: Option<usize>,
    ignored: Option<u32>,
) -> Vec<String> {
    let Some((trained, per_sample)) = classes(training, ignored) else { return Vec::new() };
    let mut warnings = Vec::new();
    // In a vocabulary, a class for every step, there are always words that do not occur.
    let missing =
        |outputs: usize| (0..outputs as u32).filter(|class| !trained.contains(class)).collect::<BTreeSet<_>>();
    let missing = outputs.filter(|_| per_sample == 1).map(|outputs| missing(outputs.max(2))).unwrap_or_default();
    if let (1, Some(only)) = (trained.len(), trained.first()) {
        warnings
            .push(format!("training data: every sample is of class {only}, so that there is nothing to tell apart"));
    } else if !missing.is_empty() {
        let of = outputs.unwrap_or_default().max(2);
        warnings.push(format!(
            "training data: no sample of {} of the model's {of}: is a class too many counted, or from 1?",
            named(&missing)
        ));
    }
    let Some((seen, _)) = validation.and_then(|part| classes(part, ignored)) else { return warnings };
    let cure = match split {
        true => {
            "validation_split takes the last samples as they stand: are they sorted by class? `Dataset::split_stratified` takes some of each"
        }
        false => "shuffle all samples before they are split",
    };
    if let (1, 2.., Some(only)) = (seen.len(), trained.len(), seen.first()) {
        warnings.push(format!("validation data: every sample is of class {only}, training has others too ({cure})"));
    }
    let unknown: BTreeSet<u32> = seen.difference(&trained).copied().collect();
    // Where nobody knows how many classes there are, they are places in a sequence, as heads of words are.
    if outputs.is_some() && !unknown.is_empty() {
        warnings.push(format!("validation data: {} without a sample in training ({cure})", named(&unknown)));
    }
    warnings
}

/// The classes that occur in a part of a data set, and how many labels a sample has; `None` for numbers as targets.
fn classes((targets, samples): (&Targets, Range<usize>), ignored: Option<u32>) -> Option<(BTreeSet<u32>, usize)> {
    let set = |labels: &mut dyn Iterator<Item = u32>| labels.filter(|&label| Some(label) != ignored).collect();
    match targets {
        Targets::Classes { labels, per_sample } => {
            let labels = &labels[samples.start * per_sample..samples.end * per_sample];
            Some((set(&mut labels.iter().copied()), *per_sample))
        }
        Targets::RaggedClasses(rows) => {
            let own = rows.rows().skip(samples.start).take(samples.len());
            Some((set(&mut own.flatten().copied()), rows.longest()))
        }
        _ => None,
    }
}

/// `class 3`, `classes 0, 1, 2, 3, 4 and 17 others`
fn named(classes: &BTreeSet<u32>) -> String {
    let first: Vec<String> = classes.iter().take(NAMED).map(u32::to_string).collect();
    let rest = classes.len() - first.len();
    let others = if rest > 0 { format!(" and {rest} others") } else { String::new() };
    format!("class{} {}{others}", if classes.len() == 1 { "" } else { "es" }, first.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Dataset, Inputs};

    fn data(labels: &[u32]) -> Dataset {
        let inputs = Inputs::dense(vec![0.0; labels.len()], &[1]).unwrap();
        Dataset::new(inputs, Targets::classes(labels.to_vec()).unwrap()).unwrap()
    }

    fn split(labels: &[u32], at: usize, outputs: usize) -> Vec<String> {
        let data = data(labels);
        warnings((data.targets(), 0..at), Some((data.targets(), at..labels.len())), true, Some(outputs), None)
    }

    #[test]
    fn sorted_labels_leave_validation_a_single_class() {
        let found = split(&[0, 0, 0, 1, 1, 1, 1, 1], 6, 2);
        let cure = "validation_split takes the last samples as they stand: are they sorted by class? `Dataset::split_stratified` takes some of each";
        assert_eq!(found, [format!("validation data: every sample is of class 1, training has others too ({cure})")]);
        let found = split(&[0, 0, 0, 1, 1, 1, 2, 2], 6, 3);
        assert_eq!(
            found,
            [
                "training data: no sample of class 2 of the model's 3: is a class too many counted, or from 1?"
                    .to_string(),
                format!("validation data: every sample is of class 2, training has others too ({cure})"),
                format!("validation data: class 2 without a sample in training ({cure})"),
            ]
        );
        assert_eq!(split(&[0, 1, 0, 1, 1, 0, 1, 0], 6, 2), [""; 0]);
        // A single output tells two classes apart.
        assert_eq!(split(&[0, 1, 0, 1, 1, 0, 1, 0], 6, 1), [""; 0]);
    }

    #[test]
    fn classes_that_training_lacks_are_named() {
        let one = data(&[1, 1, 1]);
        let found = warnings((one.targets(), 0..3), None, false, Some(2), None);
        assert_eq!(found, ["training data: every sample is of class 1, so that there is nothing to tell apart"]);
        let from_one = data(&[1, 2, 3]);
        let found = warnings((from_one.targets(), 0..3), None, false, Some(4), None);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("training data: no sample of class 0 of the model's 4"), "{found:?}");
        let found = warnings((from_one.targets(), 0..3), None, false, Some(30), Some(2));
        assert!(found[0].contains("no sample of classes 0, 2, 4, 5, 6 and 23 others of"), "{found:?}");
    }

    #[test]
    fn of_places_in_a_sequence_not_every_one_occurs() {
        let data = data(&[0, 1, 2, 0, 7, 2]);
        let found = |outputs| warnings((data.targets(), 0..3), Some((data.targets(), 3..6)), false, outputs, None);
        assert_eq!(found(None), [""; 0]);
        assert!(found(Some(8)).iter().any(|warning| warning.contains("class 7 without a sample")));
    }

    #[test]
    fn of_a_vocabulary_not_every_word_occurs() {
        let inputs = Inputs::dense(vec![0.0; 4], &[2]).unwrap();
        let steps = Dataset::new(inputs, Targets::classes_per_step(&[[0, 3], [3, 0]]).unwrap()).unwrap();
        assert_eq!(warnings((steps.targets(), 0..2), None, false, Some(9), None), [""; 0]);
        let inputs = Inputs::dense(vec![0.0; 2], &[1]).unwrap();
        let numbers = Dataset::new(inputs, Targets::values(vec![0.0, 0.0], &[1]).unwrap()).unwrap();
        assert_eq!(warnings((numbers.targets(), 0..2), None, false, Some(1), None), [""; 0]);
    }
}
