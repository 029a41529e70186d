//! The table of an embedding layer, from word vectors.

use super::WordVectors;
use crate::error::{Error, Result};
use crate::random::Key;
use crate::text::Vocabulary;

/// What the words of a vocabulary get that have no vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownRows {
    /// Zeros.
    Zeros,
    /// Random numbers, normal with mean and standard deviation of all numbers of the vectors. A word's are a function
    /// of the key and the word, whatever its row.
    Random(Key),
}

impl WordVectors {
    /// A table `[vocabulary.width(), dim]`, row-major: row `i` is the vector of the vocabulary's word `i`, row 0
    /// (padding) zeros. The vocabulary's index for unknown words, where it has one, is a word without vector.
    ///
    /// Errors: a table that is too large for the machine's addresses.
    ///
    /// ```
    /// use elman::text::{UnknownRows, Vocabulary, WordVectors};
    /// let vectors = WordVectors::new(["cat", "dog"], 2, &[1., 2., 3., 4.])?;
    /// let vocabulary = Vocabulary::from_words(["dog", "newt"], true)?;
    /// let table = vectors.matrix(&vocabulary, UnknownRows::Zeros)?;
    /// assert_eq!(table, [0., 0., 0., 0., 3., 4., 0., 0.]); // padding, unknown words, dog, newt
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn matrix(&self, vocabulary: &Vocabulary, unknown: UnknownRows) -> Result<Vec<f32>> {
        let (rows, dim) = (vocabulary.width(), self.dim);
        let fits = rows.checked_mul(dim).filter(|&numbers| numbers <= isize::MAX as usize / size_of::<f32>());
        let numbers = fits.ok_or_else(|| {
            Error::invalid("embedding matrix", "a table that memory can hold", format!("{rows} rows of {dim} numbers"))
        })?;
        let mut table = vec![0.0; numbers];
        let (mean, spread) = self.moments();
        for (index, row) in table.chunks_exact_mut(dim).enumerate().skip(1) {
            let word = vocabulary.word(index as u32);
            match (word.and_then(|word| self.get(word)), unknown) {
                (Some(vector), _) => row.copy_from_slice(vector),
                (None, UnknownRows::Zeros) => {}
                (None, UnknownRows::Random(key)) => {
                    let key = key.named(word.unwrap_or_default());
                    let draws = (0..).map(|at| (mean + spread * key.normal(at)) as f32);
                    row.iter_mut().zip(draws).for_each(|(x, draw)| *x = draw);
                }
            }
        }
        Ok(table)
    }

    /// Mean and standard deviation of all numbers; 0 where there is none.
    fn moments(&self) -> (f64, f64) {
        let count = self.data.len().max(1) as f64;
        let mean = self.data.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
        let variance = self.data.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count;
        (mean, variance.sqrt())
    }
}
