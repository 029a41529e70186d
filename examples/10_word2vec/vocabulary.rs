//! The words that get vectors, the commonest first, and how often each is passed over or drawn.

use super::sentences::Sentences;
use anyhow::ensure;
use foldhash::fast::FixedState;
use std::collections::HashMap;

/// Words by falling frequency.
pub struct Vocabulary {
    pub words: Vec<String>,
    pub counts: Vec<u64>,
    /// Words of the corpus, those without a vector included.
    pub read: u64,
    index: HashMap<String, u32, FixedState>,
}

impl Vocabulary {
    /// Those that come often enough, at most so many.
    pub fn count(sentences: &Sentences, least: u64, most: usize) -> anyhow::Result<Self> {
        let mut counts: HashMap<String, u64, FixedState> = HashMap::default();
        let mut read = 0;
        sentences.each(|sentence| {
            for word in sentence.split_whitespace() {
                read += 1;
                match counts.get_mut(word) {
                    Some(count) => *count += 1,
                    None => drop(counts.insert(word.to_string(), 1)),
                }
            }
            Ok(())
        })?;
        let found = counts.len();
        let mut words: Vec<(String, u64)> = counts.into_iter().filter(|(_, count)| *count >= least).collect();
        words.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        words.truncate(most);
        let enough = words.len() > 1;
        ensure!(enough, "--min-count {least}: {} of {found} words come so often; two at least are needed", words.len());
        let index = words.iter().enumerate().map(|(id, (word, _))| (word.clone(), id as u32)).collect();
        let (words, counts) = words.into_iter().unzip();
        Ok(Vocabulary { words, counts, read, index })
    }

    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// The number of a word, if it has a vector.
    pub fn id(&self, word: &str) -> Option<u32> {
        self.index.get(word).copied()
    }

    /// Of 2³² times how often each word is kept: a word that makes up more than the part `sample` of all is passed over with
    /// falling chance `√(sample/f) + sample/f`, as word2vec's own program does it. 0 keeps all.
    pub fn kept(&self, sample: f64) -> Vec<u64> {
        let all: u64 = self.counts.iter().sum();
        let chance = |&count: &u64| {
            let share = sample * all as f64 / count as f64;
            if sample == 0.0 { 1.0 } else { (share.sqrt() + share).min(1.0) }
        };
        self.counts.iter().map(|count| (chance(count) * 2f64.powi(32)) as u64).collect()
    }
}
