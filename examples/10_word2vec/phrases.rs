//! Phrases: words that stand together more often than chance would have it become one, `new_york` (Mikolov and others: "Distributed
//! Representations of Words and Phrases and their Compositionality", NIPS 2013, section 4). A second round finds phrases of three and
//! four words.

use super::sentences::Sentences;
use foldhash::fast::FixedState;
use std::collections::{HashMap, HashSet};

/// More pairs are not counted at a time; the rarest are forgotten then, as word2vec's own program does.
const MOST_PAIRS: usize = 20_000_000;

type Counts<K> = HashMap<K, u64, FixedState>;

/// Pairs of words that belong together.
pub struct Phrases {
    words: HashMap<String, u32, FixedState>,
    pairs: HashSet<(u32, u32), FixedState>,
}

impl Phrases {
    /// The pairs `a b` with `(count(a b) - least) count(all) / (count(a) count(b))` above the threshold.
    pub fn find(sentences: &Sentences, least: u64, threshold: f64) -> anyhow::Result<Self> {
        let mut words: HashMap<String, u32, FixedState> = HashMap::default();
        let (mut counts, mut pairs) = (Vec::<u64>::new(), Counts::default());
        let (mut all, mut floor) = (0u64, 0);
        sentences.each(|sentence| {
            let mut before = None;
            for word in sentence.split_whitespace() {
                let id = match words.get(word) {
                    Some(&id) => id,
                    None => {
                        counts.push(0);
                        *words.entry(word.to_string()).or_insert(counts.len() as u32 - 1)
                    }
                };
                counts[id as usize] += 1;
                all += 1;
                if let Some(before) = before.replace(id) {
                    *pairs.entry((before, id)).or_default() += 1;
                }
            }
            if pairs.len() > MOST_PAIRS {
                floor += 1;
                pairs.retain(|_, count| *count > floor);
            }
            Ok(())
        })?;
        let score = |&(a, b): &(u32, u32), count: u64| {
            let apart = counts[a as usize] as f64 * counts[b as usize] as f64;
            count.saturating_sub(least) as f64 * all as f64 / apart
        };
        let common = |word: u32| counts[word as usize] >= least;
        pairs.retain(|pair, count| common(pair.0) && common(pair.1) && score(pair, *count) > threshold);
        let pairs: HashSet<_, FixedState> = pairs.into_keys().collect();
        let known: HashSet<u32, FixedState> = pairs.iter().flat_map(|&(a, b)| [a, b]).collect();
        words.retain(|_, id| known.contains(id));
        Ok(Phrases { words, pairs })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// The sentence with its phrases joined, from left to right; a word is in one at most.
    pub fn join(&self, sentence: &str, out: &mut String) {
        out.clear();
        let mut before = None;
        for word in sentence.split_whitespace() {
            let id = self.words.get(word).copied();
            let joins = before.zip(id).is_some_and(|pair| self.pairs.contains(&pair));
            if !out.is_empty() {
                out.push(if joins { '_' } else { ' ' });
            }
            out.push_str(word);
            before = if joins { None } else { id };
        }
    }
}
