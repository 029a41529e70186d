//! Which vectors point the same way: similarity, neighbours, analogies.

use super::WordVectors;
use crate::error::{Error, Result};

impl WordVectors {
    /// The cosine of the angle between the vectors of two words, from -1 to 1; 0 where one of the vectors is zero.
    ///
    /// Errors: a word that is not there.
    pub fn similarity(&self, a: &str, b: &str) -> Result<f32> {
        let (a, b) = (self.known("similarity", a)?, self.known("similarity", b)?);
        Ok(cosine(dot(self.row(a), self.row(b)), self.norms[a], self.norms[b]) as f32)
    }

    /// The `n` words most similar to `word`, which is left out, with their cosines, the most similar first.
    ///
    /// Errors: a word that is not there.
    pub fn neighbours(&self, word: &str, n: usize) -> Result<Vec<(&str, f32)>> {
        let row = self.known("neighbours", word)?;
        let vector: Vec<f64> = self.row(row).iter().map(|&x| f64::from(x)).collect();
        Ok(self.nearest(&vector, &[row], n))
    }

    /// The `n` words most similar to a vector, with their cosines, the most similar first; of equals the one that the
    /// file has first.
    ///
    /// Errors: a vector of another length than [`dim`](Self::dim); a number that is NaN or infinite.
    pub fn neighbours_of(&self, vector: &[f32], n: usize) -> Result<Vec<(&str, f32)>> {
        if vector.len() != self.dim {
            return Err(Error::invalid("neighbours", format!("a vector of {} numbers", self.dim), vector.len()));
        }
        if let Some(x) = vector.iter().find(|x| !x.is_finite()) {
            return Err(Error::invalid("neighbours", "a vector of finite numbers", x));
        }
        Ok(self.nearest(&vector.iter().map(|&x| f64::from(x)).collect::<Vec<_>>(), &[], n))
    }

    /// The `n` words most similar to `a - b + c` over vectors of length 1, the three themselves left out: `king - man +
    /// woman` asks what is to woman as king is to man (3CosAdd; Mikolov, Yih, Zweig: "Linguistic Regularities in
    /// Continuous Space Word Representations", 2013).
    ///
    /// Errors: a word that is not there.
    pub fn analogy(&self, a: &str, b: &str, c: &str, n: usize) -> Result<Vec<(&str, f32)>> {
        let mut target = vec![0.0; self.dim];
        let mut rows = Vec::new();
        for (word, sign) in [(a, 1.0), (b, -1.0), (c, 1.0)] {
            let row = self.known("analogy", word)?;
            let norm = self.norms[row];
            if norm > 0.0 {
                target.iter_mut().zip(self.row(row)).for_each(|(sum, &x)| *sum += sign * f64::from(x) / norm);
            }
            rows.push(row);
        }
        Ok(self.nearest(&target, &rows, n))
    }

    fn known(&self, place: &str, word: &str) -> Result<usize> {
        self.index(word)
            .ok_or_else(|| Error::invalid(place, format!("one of the {} words", self.len()), format!("{word:?}")))
    }

    fn nearest(&self, target: &[f64], without: &[usize], n: usize) -> Vec<(&str, f32)> {
        let norm = target.iter().map(|x| x * x).sum::<f64>().sqrt();
        let similar = |row: usize| cosine(dot(self.row(row), target), norm, self.norms[row]);
        let rows = (0..self.len()).filter(|row| !without.contains(row));
        let mut found: Vec<(f64, usize)> = rows.map(|row| (similar(row), row)).collect();
        let order = |a: &(f64, usize), b: &(f64, usize)| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1));
        if (1..found.len()).contains(&n) {
            found.select_nth_unstable_by(n - 1, order);
        }
        found.truncate(n);
        found.sort_unstable_by(order);
        found.into_iter().map(|(cosine, row)| (&*self.words[row], cosine as f32)).collect()
    }
}

fn cosine(dot: f64, a: f64, b: f64) -> f64 {
    if a > 0.0 && b > 0.0 { (dot / a / b).clamp(-1.0, 1.0) } else { 0.0 }
}

/// The sum of products in `f64`, where no finite `f32` overflows; in lanes, which the compiler makes vectors of.
pub(super) fn dot<T: Copy + Into<f64>>(a: &[f32], b: &[T]) -> f64 {
    let mut lanes = [0.0; 8];
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            lanes[lane] += f64::from(a[lane]) * b[lane].into();
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(&a, &b)| f64::from(a) * b.into()).sum();
    lanes.iter().sum::<f64>() + rest
}
