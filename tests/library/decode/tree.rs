//! Best trees: beside all trees there are, of any size, and what is refused.

use elman::decode::{Tree, maximum_tree};
use proptest::prelude::*;

/// Whether heads are a tree with one root, looked at word by word.
fn is_tree(heads: &[usize]) -> bool {
    let end = |word: usize| (0..heads.len()).fold(word, |at, _| if at == 0 { 0 } else { heads[at - 1] });
    heads.iter().filter(|&&head| head == 0).count() == 1 && (1..=heads.len()).all(|word| end(word) == 0)
}

/// All heads of so many words, trees or not.
fn all_heads(words: usize) -> impl Iterator<Item = Vec<usize>> {
    let width = words + 1;
    (0..width.pow(words as u32))
        .map(move |number| (0..words).map(|word| number / width.pow(word as u32) % width).collect())
}

/// How many arcs of a tree are forbidden, and the sum of the others.
fn worth(scores: &[f32], heads: &[usize]) -> (usize, f64) {
    let of = |(word, &head): (usize, &usize)| f64::from(scores[word * (heads.len() + 1) + head]);
    let arcs: Vec<f64> = heads.iter().enumerate().map(of).collect();
    let there = arcs.iter().filter(|score| score.is_finite());
    (arcs.len() - there.clone().count(), there.sum())
}

/// The best of all trees: fewest forbidden arcs, then the greatest sum.
fn best(scores: &[f32], words: usize) -> (usize, f64) {
    let worths = all_heads(words).filter(|heads| is_tree(heads)).map(|heads| worth(scores, &heads));
    worths.reduce(|one, other| if (other.0, -other.1) < (one.0, -one.1) { other } else { one }).unwrap()
}

#[test]
fn there_are_as_many_trees_as_cayley_counted() {
    // Of n words with one root: n^(n - 1).
    for words in 1..6usize {
        assert_eq!(all_heads(words).filter(|heads| is_tree(heads)).count(), words.pow(words as u32 - 1));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whole numbers, so that sums are exact and many trees are equal; forbidden arcs among them.
    #[test]
    fn no_tree_is_better_of_whole_numbers(
        (words, scores) in (0usize..6).prop_flat_map(|words| {
            let score = prop_oneof![6 => (-4i8..5).prop_map(f32::from), 1 => Just(f32::NEG_INFINITY)];
            (Just(words), prop::collection::vec(score, words * (words + 1)))
        }),
    ) {
        let tree = maximum_tree(&scores, words).unwrap();
        if words == 0 {
            prop_assert_eq!(tree, Tree { heads: vec![], score: 0.0, arcs: vec![] });
            return Ok(());
        }
        prop_assert!(is_tree(&tree.heads), "{:?}", tree.heads);
        let found = worth(&scores, &tree.heads);
        prop_assert_eq!(found, best(&scores, words));
        prop_assert_eq!(tree.score, if found.0 == 0 { found.1 } else { f64::NEG_INFINITY });
    }

    #[test]
    fn no_tree_is_better_of_any_numbers(
        (words, scores) in (1usize..6).prop_flat_map(|words| (Just(words), prop::collection::vec(-9f32..9.0, words * (words + 1)))),
    ) {
        let tree = maximum_tree(&scores, words).unwrap();
        prop_assert!(is_tree(&tree.heads));
        let (_, expected) = best(&scores, words);
        // Sums of a few numbers, some of them of differences: rounded in the last digits.
        prop_assert!((tree.score - expected).abs() < 1e-12 && (worth(&scores, &tree.heads).1 - expected).abs() < 1e-12);
    }

    /// Longer than all trees can be tried of: none is better by a change of one head, and it is a tree.
    #[test]
    fn no_change_of_one_head_is_better(words in 6usize..40, seed: u64, near in 0f32..3.0) {
        let key = elman::random::Key::new(seed);
        let width = words + 1;
        let score = |at: usize| key.normal(at as u64) as f32 - near * ((at % width) as f32 - (at / width + 1) as f32).abs();
        let scores: Vec<f32> = (0..words * width).map(score).collect();
        let tree = maximum_tree(&scores, words).unwrap();
        prop_assert!(is_tree(&tree.heads));
        for (word, head) in (0..words).flat_map(|word| (0..width).map(move |head| (word, head))) {
            let mut heads = tree.heads.clone();
            heads[word] = head;
            prop_assert!(!is_tree(&heads) || worth(&scores, &heads).1 <= tree.score + 1e-9);
        }
    }
}

#[test]
fn every_sentence_has_a_tree() {
    for words in [1, 2, 1000] {
        for scores in [
            vec![0.0; words * (words + 1)],
            vec![f32::NEG_INFINITY; words * (words + 1)],
            vec![f32::MAX; words * (words + 1)],
        ] {
            assert!(is_tree(&maximum_tree(&scores, words).unwrap().heads), "{words}");
        }
    }
    // Rings within rings: each word likes its neighbours best, and pairs, fours, eights of words like each other.
    let words = 1024;
    let together = |a: usize, b: usize| 10 - (usize::BITS - (a ^ b).leading_zeros()) as i32;
    let score = |word: usize, head: usize| if head == 0 { -99.0 } else { together(word, head - 1) as f32 };
    let scores: Vec<f32> = (0..words).flat_map(|word| (0..=words).map(move |head| score(word, head))).collect();
    let tree = maximum_tree(&scores, words).unwrap();
    assert!(is_tree(&tree.heads));
    // A group of 2^k words is entered once; of its arcs half are in pairs, a quarter between the pairs of fours, and so on.
    let expected: f64 = (1..=10).map(|k| f64::from(10 - k) * f64::from(1024 >> k)).sum::<f64>() - 99.0;
    assert_eq!(tree.score, expected);
}

#[test]
fn how_sure_an_arc_is() {
    let scores = [1.0, 50.0, 2.0, 3.0, -1.0, f32::NAN];
    let tree = maximum_tree(&scores, 2).unwrap();
    assert_eq!(tree.heads, [2, 0]);
    // A word is no head of itself, whatever stands there.
    let expected = [1.0 / (1.0 + (-1f64).exp()), 1.0 / (1.0 + (-4f64).exp())];
    tree.arcs.iter().zip(expected).for_each(|(found, expected)| assert!((found - expected).abs() < 1e-12));
    let forbidden = maximum_tree(&[f32::NEG_INFINITY, 0.0], 1).unwrap();
    assert_eq!(forbidden, Tree { heads: vec![0], score: f64::NEG_INFINITY, arcs: vec![0.0] });
}

#[test]
fn scores_that_are_none_are_named() {
    let error = |scores: &[f32], words| maximum_tree(scores, words).unwrap_err().to_string();
    assert_eq!(error(&[0.0; 5], 2), "tree: expected 6 scores, those of 3 heads for each of 2 words, found 5");
    assert_eq!(
        error(&[0.0, 0.0, 0.0, 0.0, f32::NAN, 0.0], 2),
        "tree, word 2, head 1: expected a number or -inf, found NaN"
    );
    assert!(error(&[f32::INFINITY, 0.0], 1).starts_with("tree, word 1, head 0: expected a number or -inf, found inf"));
}
