//! Where sentences come from: files of any size, a sentence a line, or the program itself. They are read anew for every purpose and
//! every epoch, so memory is taken for one.

use super::made_up;
use super::phrases::Phrases;
use elman::file::each_line;
use std::path::PathBuf;

/// Files, or sentences that the program makes up, with the phrases that have been found in them.
pub struct Sentences {
    pub files: Vec<PathBuf>,
    pub phrases: Vec<Phrases>,
}

impl Sentences {
    pub fn new(files: &[PathBuf]) -> Self {
        Sentences { files: files.to_vec(), phrases: Vec::new() }
    }

    /// Calls `each` with every sentence, words apart by spaces, those of phrases joined by `_`.
    pub fn each(&self, mut each: impl FnMut(&str) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let (mut line, mut joined) = (String::new(), String::new());
        let mut with_phrases = |sentence: &str| {
            if self.phrases.is_empty() {
                return each(sentence);
            }
            line.clear();
            line.push_str(sentence);
            for phrases in &self.phrases {
                phrases.join(&line, &mut joined);
                std::mem::swap(&mut line, &mut joined);
            }
            each(&line)
        };
        if self.files.is_empty() {
            return made_up::sentences().try_for_each(|sentence| with_phrases(&sentence));
        }
        self.files.iter().try_for_each(|path| each_line(path, &mut with_phrases))
    }
}
