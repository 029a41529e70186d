//! Sentences that the project makes up, with parts of speech, chunks and trees, so that the program has something to learn without a file.
//! Many nouns and verbs are made of syllables and come once: what they are their endings and their neighbours tell.

use elman::Key;
use elman::data::{Sentence, Token};

const ADJECTIVES: [&str; 6] = ["old", "quiet", "green", "clever", "small", "lost"];
const NAMES: [&str; 6] = ["Anna", "Bert", "Carla", "Dario", "Emma", "Farid"];
const PLACES: [&str; 4] = ["near", "behind", "under", "with"];

/// A word with what is known of it; the head by its number within the sentence.
struct Word {
    form: String,
    tag: &'static str,
    chunk: &'static str,
    head: usize,
    label: &'static str,
}

/// A sentence in the making.
struct Writer {
    key: Key,
    next: u64,
    words: Vec<Word>,
}

impl Writer {
    fn below(&mut self, bound: usize) -> usize {
        self.next += 1;
        self.key.below(self.next, bound)
    }

    fn one<'w>(&mut self, of: &[&'w str]) -> &'w str {
        of[self.below(of.len())]
    }

    /// A word that hardly ever comes again.
    fn made_up(&mut self, ending: &str) -> String {
        let syllables = ["ba", "ki", "lo", "mu", "ne", "ra", "so", "ti"];
        (0..2).map(|_| self.one(&syllables)).collect::<String>() + ending
    }

    fn put(&mut self, form: impl Into<String>, tag: &'static str, chunk: &'static str, label: &'static str) -> usize {
        self.words.push(Word { form: form.into(), tag, chunk, head: 0, label });
        self.words.len()
    }

    /// A name, or a noun with its article and perhaps an adjective; its number. `depth` phrases may hang on it.
    fn noun(&mut self, label: &'static str, depth: usize) -> usize {
        if self.below(3) == 0 {
            let name = self.one(&NAMES);
            return self.put(name, "PROPN", "B-NP", label);
        }
        let article = if self.below(2) == 0 { "the" } else { "a" };
        let mut below = vec![self.put(article, "DET", "B-NP", "det")];
        if self.below(2) == 0 {
            let adjective = self.one(&ADJECTIVES);
            below.push(self.put(adjective, "ADJ", "I-NP", "amod"));
        }
        let noun = self.made_up("n");
        let noun = self.put(noun, "NOUN", "I-NP", label);
        if depth > 0 && self.below(4) == 0 {
            let other = self.place("nmod", depth - 1);
            below.push(other);
        }
        below.into_iter().for_each(|word| self.words[word - 1].head = noun);
        noun
    }

    /// A noun with a preposition before it.
    fn place(&mut self, label: &'static str, depth: usize) -> usize {
        let preposition = self.one(&PLACES);
        let preposition = self.put(preposition, "ADP", "B-PP", "case");
        let noun = self.noun(label, depth);
        self.words[preposition - 1].head = noun;
        noun
    }

    fn sentence(mut self) -> Vec<Word> {
        let mut below = vec![self.noun("nsubj", 1)];
        let verb = match self.below(4) {
            0 => {
                below.push(self.put("will", "AUX", "B-VP", "aux"));
                let verb = self.made_up("");
                self.put(verb, "VERB", "I-VP", "root")
            }
            _ => {
                let verb = self.made_up("s");
                self.put(verb, "VERB", "B-VP", "root")
            }
        };
        if self.below(2) == 0 {
            below.push(self.noun("obj", 1));
        }
        if self.below(3) == 0 {
            below.push(self.place("obl", 0));
        }
        below.push(self.put(".", "PUNCT", "O", "punct"));
        below.into_iter().for_each(|word| self.words[word - 1].head = verb);
        self.words
    }
}

fn sentences(count: u64, seed: u64) -> impl Iterator<Item = Vec<Word>> {
    let key = Key::new(seed).named("sentences");
    (0..count).map(move |number| Writer { key: key.fold(number), next: 0, words: Vec::new() }.sentence())
}

/// So many sentences of a treebank.
pub fn treebank(count: u64, seed: u64) -> elman::Result<Vec<Sentence>> {
    let token = |(at, word): (usize, Word)| {
        let mut token = Token::word(at + 1, word.form);
        (token.upos, token.head, token.deprel) = (word.tag.into(), Some(word.head), word.label.into());
        token
    };
    let numbered = |(number, words): (usize, Vec<Word>)| {
        let tokens = words.into_iter().enumerate().map(token).collect();
        Sentence::new(vec![format!("# sent_id = {}", number + 1)], tokens)
    };
    sentences(count, seed).enumerate().map(numbered).collect()
}

/// The same with the tags of chunks: rows of word and tag.
pub fn chunks(count: u64, seed: u64) -> Vec<Vec<Vec<String>>> {
    let row = |word: Word| vec![word.form, word.chunk.to_string()];
    sentences(count, seed).map(|words| words.into_iter().map(row).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use elman::data::TagScheme;

    #[test]
    fn sentences_are_trees_and_their_chunks_are_in_a_scheme() {
        let treebank = treebank(300, 1).unwrap();
        for (sentence, rows) in treebank.iter().zip(chunks(300, 1)) {
            let heads = sentence.tree().unwrap();
            assert!(
                sentence.words().zip(heads).all(|(word, head)| (word.deprel == "root") == (head == 0)),
                "{sentence}"
            );
            let tags: Vec<&String> = rows.iter().map(|row| &row[1]).collect();
            assert_eq!(TagScheme::Bio.spans(&tags).unwrap(), elman::data::spans(&tags).unwrap());
            assert!(
                sentence.words().zip(&rows).all(|(word, row)| word.form == row[0])
                    && sentence.words().count() == rows.len()
            );
        }
        let labels: std::collections::BTreeSet<&str> =
            treebank.iter().flat_map(Sentence::words).map(|word| word.deprel.as_str()).collect();
        let all = ["amod", "aux", "case", "det", "nmod", "nsubj", "obj", "obl", "punct", "root"];
        assert!(labels.into_iter().eq(all));
    }

    #[test]
    fn a_seed_is_a_treebank() {
        assert_eq!(treebank(9, 1).unwrap(), treebank(9, 1).unwrap());
        assert_ne!(treebank(9, 1).unwrap(), treebank(9, 2).unwrap());
    }
}
