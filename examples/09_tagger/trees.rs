//! Dependency trees: as they are in a file, as classes of words, and as a drawing of signs.

use super::corpus::Tagged;
use anyhow::Context;
use elman::data::{Labels, Sentence};
use std::fmt::Write;
use std::path::Path;

/// What each word of a sentence depends on, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// Numbers of words from 1; 0: the root.
    pub heads: Vec<usize>,
    pub labels: Vec<String>,
}

impl Tree {
    /// Errors where it is none.
    pub fn of(sentence: &Sentence) -> elman::Result<Tree> {
        let labels = sentence.words().map(|word| word.deprel.clone()).collect();
        Ok(Tree { heads: sentence.tree()?, labels })
    }

    /// For each word a number that stands for its head with its label.
    pub fn classes(&self, labels: &Labels) -> Vec<u32> {
        let class =
            |(&head, label): (&usize, &String)| (head * labels.len()) as u32 + labels.number(label).unwrap_or(0);
        self.heads.iter().zip(&self.labels).map(class).collect()
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

/// Reads the sentences' trees. Errors name the file and the line where the sentence begins.
pub fn read(path: &Path, sentences: &mut [Tagged]) -> anyhow::Result<()> {
    for sentence in sentences {
        let place = || format!("{}, the sentence from line {} on", path.display(), sentence.line);
        sentence.tree = Some(sentence.read_tree().with_context(place)?);
    }
    Ok(())
}

/// All labels in alphabetical order; `None` where there are no trees.
pub fn labels<'s>(sentences: impl Iterator<Item = &'s Tagged>) -> elman::Result<Option<Labels>> {
    let mut labels: Vec<&String> =
        sentences.filter_map(|sentence| sentence.tree.as_ref()).flat_map(|tree| &tree.labels).collect();
    labels.sort_unstable();
    labels.dedup();
    if labels.is_empty() { Ok(None) } else { Labels::new(labels).map(Some) }
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
        let labels = Labels::new(["amod:x", "det", "obj", "punct", "root"]).unwrap();
        assert_eq!(tree.classes(&labels), [15 + 1, 4, 10 + 2, 15, 10 + 3]);
    }
}
