//! From the network's scores of heads with labels to trees.

use super::common::limits::memory_problem;
use super::common::run::CURE;
use super::corpus::Tagged;
use super::trees::Tree;
use anyhow::ensure;
use elman::data::Labels;
use elman::decode::maximum_tree;

/// Scores that are computed at once, and sentences.
const SCORES: usize = 4 << 20;
const SENTENCES: usize = 128;

/// The label of the word that has no head, and of no other, in Universal Dependencies.
const ROOT: &str = "root";

/// Bytes of a score while a sentence is parsed: of the head's, of the label's given the head, and of both.
const BYTES: f64 = 12.0;

/// Errors: a sentence whose scores, as many as the square of its words, do not fit into memory.
pub fn check_length(sentences: &[Tagged], labels: usize) -> anyhow::Result<()> {
    let longest = sentences.iter().map(|sentence| sentence.words.len()).max().unwrap_or(0);
    problem(longest, labels).map_or(Ok(()), |problem| Err(anyhow::anyhow!(problem)))
}

fn problem(words: usize, labels: usize) -> Option<String> {
    let scores = words as f64 * (words as f64 + 1.0) * labels as f64;
    memory_problem(&format!("a sentence of {words} words"), scores * BYTES)
}

/// Numbers of sentences, those of like length together, as many as are parsed at once.
pub fn batches(sentences: &[Tagged], labels: usize) -> Vec<Vec<usize>> {
    let words = |at: usize| sentences[at].words.len();
    let mut order: Vec<usize> = (0..sentences.len()).collect();
    order.sort_by_key(|&at| words(at));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    for at in order {
        let room = |batch: &&mut Vec<usize>| {
            let scores = words(at) * (words(at) + 1) * labels;
            batch.len() < SENTENCES && (batch.len() + 1) * scores <= SCORES
        };
        match batches.last_mut().filter(room) {
            Some(batch) => batch.push(at),
            None => batches.push(vec![at]),
        }
    }
    batches
}

/// The most probable tree with its labels of so many words. Scores are, a row a word, the logarithms of the probabilities of heads with
/// labels, of heads beyond the sentence too. The root of a tree has the label of roots, where there is one, and no other word has.
pub fn tree(scores: &[f32], row: usize, words: usize, labels: &Labels) -> anyhow::Result<Tree> {
    let root = labels.number(ROOT).map(|root| root as usize);
    let (mut arcs, mut best) = (Vec::with_capacity(words * (words + 1)), Vec::with_capacity(words * (words + 1)));
    for row in scores.chunks(row).take(words) {
        for (head, of_labels) in row.chunks(labels.len()).take(words + 1).enumerate() {
            ensure!(
                !of_labels.iter().any(|score| score.is_nan()),
                "expected scores, found NaN: the training diverged; {CURE}"
            );
            let fits = |label: usize| root.is_none_or(|root| (label == root) == (head == 0));
            let of_head = of_labels.iter().enumerate().filter(|&(label, _)| fits(label));
            let greatest = of_head.fold(
                (0, f32::NEG_INFINITY),
                |best, (label, &score)| if score > best.1 { (label, score) } else { best },
            );
            best.push(greatest.0 as u32);
            arcs.push(greatest.1);
        }
    }
    let heads = maximum_tree(&arcs, words)?.heads;
    let label = |(word, &head): (usize, &usize)| labels.name(best[word * (words + 1) + head]).unwrap_or_default();
    let labels = heads.iter().enumerate().map(label).map(String::from).collect();
    Ok(Tree { heads, labels })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_beyond_memory_are_told() {
        assert_eq!(problem(1000, 50), None);
        let message = problem(4_000_000, 50).unwrap();
        assert!(message.starts_with("a sentence of 4000000 words: would take "), "{message}");
    }

    /// Two words of a batch of three; the likeliest head of each would be the other, the likeliest label that of the root.
    #[test]
    fn trees_are_valid_whatever_the_scores() {
        let labels = Labels::new(["obj", "root", "x"]).unwrap();
        let none = f32::NEG_INFINITY;
        let first = [-9.0, -4.0, -9.0, none, none, none, -3.0, -0.1, -2.0, none, none, none];
        let second = [-1.0, -6.0, -1.0, -0.5, -0.2, -0.9, none, none, none, none, none, none];
        let scores = [first, second, [none; 12]].concat();
        let tree = tree(&scores, 12, 2, &labels).unwrap();
        assert_eq!((tree.heads, tree.labels), (vec![0, 1], vec!["root".to_string(), "obj".into()]));
        let wrong = scores.iter().map(|_| f32::NAN).collect::<Vec<_>>();
        assert!(super::tree(&wrong, 12, 2, &labels).unwrap_err().to_string().contains("the training diverged"));
    }
}
