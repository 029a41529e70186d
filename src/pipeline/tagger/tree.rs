//! From the network's scores of heads with labels to trees.

use super::TaggedArc;
use crate::data::Labels;
use crate::decode::maximum_tree;
use crate::error::{Error, Result};

/// The label of the word that has no head, and of no other, in Universal Dependencies.
const ROOT: &str = "root";

/// The most probable tree with its labels of so many words. Scores are, a row a word, the logarithms of the probabilities of heads with
/// labels, of heads beyond the sentence too. The root of a tree has the label of roots, where there is one, and no other word has.
pub(super) fn tree(scores: &[f32], row: usize, words: usize, labels: &Labels) -> Result<Vec<TaggedArc>> {
    if !row.is_multiple_of(labels.len()) || row / labels.len() <= words || scores.len() < words * row {
        let expected = format!("the scores of {} heads with each of {} labels", words + 1, labels.len());
        return Err(Error::invalid("tagger", expected, format!("{row} scores")));
    }
    let root = labels.number(ROOT).map(|root| root as usize);
    let (mut arcs, mut best) = (Vec::with_capacity(words * (words + 1)), Vec::with_capacity(words * (words + 1)));
    for row in scores.chunks(row).take(words) {
        for (head, of_labels) in row.chunks(labels.len()).take(words + 1).enumerate() {
            if of_labels.iter().any(|score| score.is_nan()) {
                return Err(Error::invalid("tagger", "scores", "NaN: weights too large to compute with"));
            }
            let fits = |label: usize| root.is_none_or(|root| (label == root) == (head == 0));
            let of_head = of_labels.iter().enumerate().filter(|&(label, _)| fits(label));
            let greater =
                |best: (usize, f32), (label, &score): (usize, &f32)| if score > best.1 { (label, score) } else { best };
            let (label, score) = of_head.fold((0, f32::NEG_INFINITY), greater);
            best.push(label as u32);
            arcs.push(score);
        }
    }
    let arc = |(word, head): (usize, usize)| {
        let at = word * (words + 1) + head;
        let label = labels.name(best[at]).unwrap_or_default().to_string();
        TaggedArc { head, label, probability: f64::from(arcs[at]).exp().min(1.0) }
    };
    Ok(maximum_tree(&arcs, words)?.heads.into_iter().enumerate().map(arc).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two words of a batch of three; the likeliest head of each would be the other, the likeliest label that of the root.
    #[test]
    fn trees_are_valid_whatever_the_scores() {
        let labels = Labels::new(["obj", "root", "x"]).unwrap();
        let none = f32::NEG_INFINITY;
        let first = [-9.0, -4.0, -9.0, none, none, none, -3.0, -0.1, -2.0, none, none, none];
        let second = [-1.0, -6.0, -1.0, -0.5, -0.2, -0.9, none, none, none, none, none, none];
        let scores = [first, second, [none; 12]].concat();
        let tree = tree(&scores, 12, 2, &labels).unwrap();
        let told: Vec<(usize, &str)> = tree.iter().map(|arc| (arc.head, arc.label.as_str())).collect();
        assert_eq!(told, [(0, "root"), (1, "obj")]);
        assert!(
            (tree[0].probability - (-4f64).exp()).abs() < 1e-9 && (tree[1].probability - (-0.5f64).exp()).abs() < 1e-9
        );
        let wrong = scores.iter().map(|_| f32::NAN).collect::<Vec<_>>();
        assert!(super::tree(&wrong, 12, 2, &labels).unwrap_err().to_string().contains("found NaN"));
        assert!(super::tree(&scores, 9, 3, &labels).is_err() && super::tree(&scores, 11, 2, &labels).is_err());
    }
}
