//! A [`Dataset`] in two parts, or in folds: shuffled, or with the classes alike in all parts.

use super::{Dataset, Targets};
use crate::error::{Error, Result};
use crate::random::Key;

impl Dataset {
    /// All samples but a random `fraction`, and these, in random order: for data that are sorted, by class perhaps. As many as
    /// [`split_last`](Dataset::split_last) has. The same key gives the same parts. Errors: as [`split_index`](Dataset::split_index).
    ///
    /// ```
    /// use elman::data::{Dataset, Inputs, Targets};
    /// use elman::Key;
    /// let inputs = Inputs::dense((0..10).map(|x| x as f32).collect(), &[1])?;
    /// let sorted = Dataset::new(inputs, Targets::classes(vec![0, 0, 0, 0, 0, 0, 1, 1, 1, 1])?)?;
    /// let (train, valid) = sorted.split_shuffled(0.3, Key::new(1))?;
    /// assert_eq!((train.len(), valid.len()), (7, 3));
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn split_shuffled(&self, fraction: f64, key: Key) -> Result<(Dataset, Dataset)> {
        let at = self.split_index(fraction)?;
        let rows = self.shuffled(key);
        Ok((self.select(&rows[..at])?, self.select(&rows[at..])?))
    }

    /// [`split_shuffled`](Dataset::split_shuffled) in which each class has its share of both parts, to within one sample: none of a
    /// class of a few samples may be in the smaller part. Errors: as there; targets that are not one class a sample.
    ///
    /// ```
    /// use elman::data::{Dataset, Inputs, Targets};
    /// use elman::Key;
    /// let inputs = Inputs::dense((0..20).map(|x| x as f32).collect(), &[1])?;
    /// let rare = Dataset::new(inputs, Targets::classes((0..20).map(|i| u32::from(i >= 15)).collect())?)?;
    /// let (_, valid) = rare.split_stratified(0.2, Key::new(1))?;
    /// let Targets::Classes { mut labels, .. } = valid.targets().clone() else { unreachable!() };
    /// labels.sort();
    /// assert_eq!(labels, [0, 0, 0, 1]);
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn split_stratified(&self, fraction: f64, key: Key) -> Result<(Dataset, Dataset)> {
        let (all, held) = (self.len(), self.len() - self.split_index(fraction)?);
        let rows = self.shuffled(key);
        // Evenly spread over the samples sorted by class.
        let mut apart = vec![false; all];
        for (at, row) in self.sorted("stratified split", &rows)?.into_iter().enumerate() {
            apart[row] = (at + 1) * held / all > at * held / all;
        }
        self.parted(&rows, |row| apart[row])
    }

    /// The data set in `k` ways: all samples but those of a fold, and these, one fold after another; every sample is in one of the
    /// folds, which are random and of one size, to within one sample. Each of the ways is made as it is asked for. Errors: fewer
    /// than 2 folds, or more than samples.
    ///
    /// ```
    /// use elman::data::{Dataset, Inputs, Targets};
    /// use elman::Key;
    /// let inputs = Inputs::dense((0..10).map(|x| x as f32).collect(), &[1])?;
    /// let data = Dataset::new(inputs, Targets::classes(vec![0; 10])?)?;
    /// for fold in data.k_fold(5, Key::new(1))? {
    ///     let (train, valid) = fold?;
    ///     assert_eq!((train.len(), valid.len()), (8, 2));
    /// }
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn k_fold(&self, k: usize, key: Key) -> Result<impl ExactSizeIterator<Item = Result<(Dataset, Dataset)>>> {
        let rows = self.shuffled(key);
        self.folds(k, rows.clone(), rows)
    }

    /// [`k_fold`](Dataset::k_fold) in which each class has its share of every fold, to within one sample. Errors: as there; targets
    /// that are not one class a sample.
    pub fn k_fold_stratified(
        &self,
        k: usize,
        key: Key,
    ) -> Result<impl ExactSizeIterator<Item = Result<(Dataset, Dataset)>>> {
        let rows = self.shuffled(key);
        self.folds(k, self.sorted("stratified folds", &rows)?, rows)
    }

    /// Deals out the samples `dealt`, each to the next fold; the parts have their samples in the order of `rows`.
    fn folds(
        &self,
        k: usize,
        dealt: Vec<usize>,
        rows: Vec<usize>,
    ) -> Result<impl ExactSizeIterator<Item = Result<(Dataset, Dataset)>>> {
        if k < 2 || k > self.len() {
            let expected = format!("at least 2 folds, and at most one for each of {} samples", self.len());
            return Err(Error::invalid("folds", expected, k));
        }
        let mut fold_of = vec![0; self.len()];
        dealt.into_iter().enumerate().for_each(|(at, row)| fold_of[row] = at % k);
        Ok((0..k).map(move |fold| self.parted(&rows, |row| fold_of[row] == fold)))
    }

    fn shuffled(&self, key: Key) -> Vec<usize> {
        let mut rows: Vec<usize> = (0..self.len()).collect();
        key.shuffle(&mut rows);
        rows
    }

    /// The samples `rows` sorted by class, in their order within each.
    fn sorted(&self, place: &str, rows: &[usize]) -> Result<Vec<usize>> {
        let Targets::Classes { labels, per_sample: 1 } = self.targets() else {
            return Err(Error::invalid(place, "one class a sample", self.targets().kind()));
        };
        let mut rows = rows.to_vec();
        rows.sort_by_key(|&row| labels[row]);
        Ok(rows)
    }

    /// Those of the samples `rows` that are not `apart`, and those that are.
    fn parted(&self, rows: &[usize], apart: impl Fn(usize) -> bool) -> Result<(Dataset, Dataset)> {
        let (rest, part): (Vec<usize>, Vec<usize>) = rows.iter().partition(|&&row| !apart(row));
        Ok((self.select(&rest)?, self.select(&part)?))
    }
}
