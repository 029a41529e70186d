//! Dependency trees, and a drawing of signs of them.

use elman::pipeline::{Tagged, TaggerExample};
use std::fmt::Write;

/// What each word of a sentence depends on, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// Numbers of words from 1; 0: the root.
    pub heads: Vec<usize>,
    pub labels: Vec<String>,
}

impl Tree {
    /// That of a sentence; `None` where it has none.
    pub fn of(example: &TaggerExample) -> Option<Tree> {
        let (heads, labels) = (example.heads.clone(), example.labels.clone());
        (!heads.is_empty()).then_some(Tree { heads, labels })
    }

    /// The one that was found; `None` by a tagger without trees.
    pub fn found(tagged: &Tagged) -> Option<Tree> {
        let (heads, labels): (Vec<_>, Vec<_>) = tagged.arcs().map(|arc| (arc.head, arc.label.clone())).unzip();
        (!heads.is_empty()).then_some(Tree { heads, labels })
    }

    /// The labels without their subtypes.
    pub fn relations(&self) -> Vec<&str> {
        self.labels.iter().map(|label| label.split(':').next().unwrap_or_default()).collect()
    }

    /// A line for each word, below its head and further to the right.
    pub fn drawing(&self, words: &[String]) -> String {
        let mut text = String::new();
        let below = |head: usize| (1..=words.len()).filter(move |&word| self.heads[word - 1] == head);
        // Words still to be drawn, the next one last, with what stands before them and before those below them.
        let mut open: Vec<(usize, String, String)> =
            below(0).map(|word| (word, String::new(), String::new())).collect();
        while let Some((word, before, indent)) = open.pop() {
            // Writing to a string does not fail.
            writeln!(text, "{before}{}  {}", words[word - 1], self.labels[word - 1]).unwrap_or(());
            let last = below(word).next_back();
            let place = |word: usize| match Some(word) == last {
                true => (word, format!("{indent}└─ "), format!("{indent}   ")),
                false => (word, format!("{indent}├─ "), format!("{indent}│  ")),
            };
            open.extend(below(word).map(place).collect::<Vec<_>>().into_iter().rev());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_has_each_word_below_its_head() {
        let words = ["a", "b", "c", "d", "e"].map(String::from);
        let labels = ["det", "root", "obj", "amod:x", "punct"].map(String::from).to_vec();
        let tree = Tree { heads: vec![3, 0, 2, 3, 2], labels };
        assert_eq!(tree.drawing(&words), "b  root\n├─ c  obj\n│  ├─ a  det\n│  └─ d  amod:x\n└─ e  punct\n");
        assert_eq!(tree.relations()[3], "amod");
    }
}
