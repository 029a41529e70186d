//! What goes into a model: dense samples, sequences of indices, or bags of words.

use super::ragged::is_block;
use super::{Bags, Ragged, checks, distinct};
use crate::error::Result;
use crate::record::Record;
use std::ops::Range;

/// The inputs of a set of samples. The constructors check them; from outside the crate the variants can be matched,
/// not built.
#[derive(Clone, Debug, PartialEq)]
pub enum Inputs {
    /// Numbers: samples of one shape, row-major, one after the other; all of them are `[len, shape...]`.
    #[non_exhaustive]
    Dense {
        /// The numbers of all samples.
        data: Vec<f32>,
        /// Shape of one sample.
        shape: Vec<usize>,
    },
    /// Sequences of indices, of words for instance, padded to one length; all of them are `[len, steps]`.
    #[non_exhaustive]
    Indices {
        /// The indices of all samples.
        data: Vec<u32>,
        /// Length of each sequence.
        steps: usize,
    },
    /// Sequences of indices of their own lengths, padded batch by batch and masked.
    RaggedIndices(Ragged<u32>),
    /// Sequences of numbers of their own lengths, likewise.
    RaggedDense(Ragged<f32>),
    /// Sequences whose steps are sequences of indices themselves, such as words that are letters: each different step stands once
    /// among the entries, and the places say which entry each step is. Of a batch there are the entries that occur in it, numbered as
    /// they do.
    #[non_exhaustive]
    Distinct {
        /// The number of the entry at each step of each sample.
        places: Ragged<u32>,
        /// The indices of each entry; there is at least one.
        entries: Ragged<u32>,
    },
    /// Sparse bags of words: `[len, width]`.
    Bags(Bags),
    /// Sequences with a mask of one's own.
    #[non_exhaustive]
    Masked {
        /// The sequences: numbers `[len, steps, ..]` or indices `[len, steps]`.
        inputs: Box<Inputs>,
        /// Whether each step counts, `[len, steps]`.
        mask: Vec<bool>,
    },
    /// Several inputs under names, of as many samples each.
    Record(Record<Inputs>),
}

impl Inputs {
    /// Samples of `sample_shape` that lie in `data` one after the other; `&[]` is one number a sample.
    ///
    /// Errors: no sample; a last sample that is not complete; a number that is NaN or infinite (names sample and
    /// feature, the feature counted over the flat sample); an axis of size 0.
    ///
    /// ```
    /// use elman::data::Inputs;
    /// let images = Inputs::dense(vec![0.0; 3 * 28 * 28], &[28, 28])?;
    /// assert_eq!((images.len(), images.sample_shape()), (3, vec![28, 28]));
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn dense(data: Vec<f32>, sample_shape: &[usize]) -> Result<Self> {
        checks::samples("inputs", &data, sample_shape)?;
        Ok(Inputs::Dense { data, shape: sample_shape.to_vec() })
    }

    /// One vector of features a sample. Errors: as [`dense`](Inputs::dense), and rows of different lengths.
    pub fn rows<R: AsRef<[f32]>>(rows: &[R]) -> Result<Self> {
        let (features, data) = checks::flatten("inputs", rows)?;
        Inputs::dense(data, &[features])
    }

    /// What they are, for messages.
    pub(crate) fn kind(&self) -> String {
        match self {
            Inputs::Dense { shape, .. } => format!("numbers of shape {shape:?} a sample"),
            Inputs::Indices { steps, .. } => format!("sequences of {steps} indices"),
            Inputs::RaggedIndices(_) => "sequences of indices of their own lengths".to_string(),
            Inputs::RaggedDense(rows) => format!("sequences of {} numbers a step, of their own lengths", rows.width()),
            Inputs::Distinct { entries, .. } => format!("sequences of {} distinct entries", entries.len()),
            Inputs::Bags(bags) => format!("bags of {} words", bags.width()),
            Inputs::Masked { inputs, .. } => format!("{} with a mask", inputs.kind()),
            Inputs::Record(parts) => {
                let parts: Vec<String> = parts.iter().map(|(name, part)| format!("{name} ({})", part.kind())).collect();
                format!("a record of {}", parts.join(", "))
            }
        }
    }

    /// One sequence of indices a sample. Those of one length, as [`pad_sequences`](crate::text::pad_sequences) makes them, stay the
    /// block that they are. Others are kept at their own lengths: a batch is as long as its longest, what pads the others is
    /// masked, and a sequence without a step counts as one that is all padding. Errors: no sequence, or none that has a step.
    ///
    /// ```
    /// use elman::data::Inputs;
    /// let words = Inputs::indices(&[vec![4, 7, 9], vec![5]])?;
    /// assert_eq!((words.len(), words.lengths(0)), (2, Some(vec![3, 1])));
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn indices<R: AsRef<[u32]>>(rows: &[R]) -> Result<Self> {
        if !is_block(rows) {
            return Ragged::new("input sequences", rows, 1).map(Inputs::RaggedIndices);
        }
        let (steps, data) = checks::flatten("input sequences", rows)?;
        Ok(Inputs::Indices { data, steps })
    }

    /// The same where there may be none but sequences without a step.
    pub(super) fn indices_or_empty(rows: &[Vec<u32>]) -> Result<Self> {
        match rows.iter().all(Vec::is_empty) {
            true => Ok(Inputs::RaggedIndices(Ragged::empty(rows.len()))),
            false => Inputs::indices(rows),
        }
    }

    /// Sequences of numbers of their own lengths, `features` a step, row-major: pen strokes, measurements. As those of
    /// [`Inputs::indices`] they are padded batch by batch and masked. Errors: no sequence, or none that has a step; one that is no
    /// whole number of steps (names it); a number that is NaN or infinite (names sample and step).
    ///
    /// ```
    /// use elman::data::Inputs;
    /// let strokes = Inputs::sequences(&[vec![0.0, 0.5, 1.0, 0.5], vec![0.2, 0.1]], 2)?;
    /// assert_eq!((strokes.len(), strokes.lengths(0)), (2, Some(vec![2, 1])));
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn sequences<R: AsRef<[f32]>>(rows: &[R], features: usize) -> Result<Self> {
        Ragged::new("input sequences", rows, features)?.check("inputs").map(Inputs::RaggedDense)
    }

    /// Sequences whose steps are sequences of indices themselves: sentences whose words are letters. What occurs several times in a
    /// batch is computed once: [`Distinct`](crate::layers::Distinct) reads each entry and puts what it makes of it in its places, padded
    /// and masked as other sequences. Entries may be empty. On the device they are a record of `places` and `entries`
    /// ([`Spec::distinct`](crate::Spec::distinct)). Errors: no sequence, or none that has a step.
    ///
    /// ```
    /// use elman::data::Inputs;
    /// let (the, cat) = (vec![20, 8, 5], vec![3, 1, 20]);
    /// let inputs = Inputs::distinct(&[vec![&the, &cat], vec![&the]])?;
    /// let Inputs::Distinct { places, entries, .. } = &inputs else { unreachable!() };
    /// assert_eq!((places.data(), entries.len()), (&[0, 1, 0][..], 2));
    /// assert_eq!((inputs.len(), inputs.lengths(0)), (2, Some(vec![2, 1])));
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn distinct<E: AsRef<[u32]>>(sequences: &[Vec<E>]) -> Result<Self> {
        let (places, entries) = distinct::distinct(sequences)?;
        Ok(Inputs::Distinct { places, entries })
    }

    /// Bags of words. Errors: no bag.
    pub fn bags(bags: Bags) -> Result<Self> {
        if bags.is_empty() {
            return Err(crate::Error::invalid("inputs", "at least one bag", "none"));
        }
        Ok(Inputs::Bags(bags))
    }

    /// Several inputs under names, for a network that takes a record. Errors: as those of [`Record::new`]; not as many samples in
    /// one as in another.
    ///
    /// ```
    /// use elman::data::Inputs;
    /// let (words, lengths) = (Inputs::indices(&[[4, 7], [5, 0]])?, Inputs::rows(&[[2.0], [1.0]])?);
    /// let inputs = Inputs::record([("words", words), ("lengths", lengths)])?;
    /// assert_eq!(inputs.len(), 2);
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn record<N: Into<String>>(parts: impl IntoIterator<Item = (N, Inputs)>) -> Result<Self> {
        let parts = Record::new(parts)?;
        checks::same_length("inputs", parts.iter().map(|(name, part)| (name, part.len())))?;
        Ok(Inputs::Record(parts))
    }

    /// Sequences of which only some steps count: a row of flags for each. (An
    /// [`Embedding`](crate::layers::Embedding) with a padding index and [`Masking`](crate::layers::Masking) find their mask
    /// by themselves.) Errors: inputs that are no sequences, or have a mask already; not a flag for each step of each (names
    /// the sequence).
    ///
    /// ```
    /// use elman::data::Inputs;
    /// let words = Inputs::indices(&[[4, 7, 0], [5, 0, 0]])?.with_mask(&[[true, true, false], [true, false, false]])?;
    /// assert_eq!((words.len(), words.sample_shape()), (2, vec![3]));
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn with_mask<R: AsRef<[bool]>>(self, mask: &[R]) -> Result<Self> {
        let steps = match &self {
            Inputs::Dense { shape, .. } if shape.len() > 1 => shape[0],
            Inputs::Indices { steps, .. } => *steps,
            _ => return Err(crate::Error::invalid("mask", "sequences without a mask", self.kind())),
        };
        if mask.len() != self.len() {
            let expected = format!("a row of flags for each of {} sequences", self.len());
            return Err(crate::Error::invalid("mask", expected, format!("{} rows", mask.len())));
        }
        if let Some(row) = mask.iter().position(|row| row.as_ref().len() != steps) {
            let found = mask[row].as_ref().len();
            return Err(crate::Error::invalid(format!("mask, row {row}"), format!("{steps} flags, one a step"), found));
        }
        let mask = mask.iter().flat_map(|row| row.as_ref()).copied().collect();
        Ok(Inputs::Masked { inputs: Box::new(self), mask })
    }

    /// How many steps each sequence of indices has without the padding at its ends, and each of those that are kept at their own
    /// lengths; of a record those of the longest of its parts; `None` for other inputs.
    pub fn lengths(&self, padding: u32) -> Option<Vec<usize>> {
        let (data, steps) = match self {
            Inputs::Record(parts) => {
                let longer =
                    |one: Vec<usize>, other: Vec<usize>| one.into_iter().zip(other).map(|(a, b)| a.max(b)).collect();
                return parts.iter().filter_map(|(_, part)| part.lengths(padding)).reduce(longer);
            }
            Inputs::Indices { data, steps } => (data, steps),
            Inputs::RaggedIndices(rows) => return Some(rows.lengths().collect()),
            Inputs::RaggedDense(rows) => return Some(rows.lengths().collect()),
            Inputs::Distinct { places, .. } => return Some(places.lengths().collect()),
            _ => return None,
        };
        Some(data.chunks_exact((*steps).max(1)).map(|row| ends(row, padding).map_or(0, |ends| ends.len())).collect())
    }

    /// Sequences of indices without the steps at either end that are padding in all of them; at least one step stays. Other
    /// inputs are as before.
    ///
    /// ```
    /// use elman::data::Inputs;
    /// let words = Inputs::indices(&[[0, 0, 4, 7, 0], [0, 5, 0, 0, 0]])?;
    /// assert_eq!(words.trimmed(0), Inputs::indices(&[[0, 4, 7], [5, 0, 0]])?);
    /// # Ok::<(), elman::Error>(())
    /// ```
    #[must_use]
    pub fn trimmed(self, padding: u32) -> Self {
        let Some((kept, _)) = self.kept(padding) else { return self };
        let Inputs::Indices { data, steps } = self else { return self };
        let data = data.chunks_exact(steps.max(1)).flat_map(|row| &row[kept.clone()]).copied().collect();
        Inputs::Indices { data, steps: kept.len() }
    }

    /// The steps that [`Inputs::trimmed`] keeps, of how many.
    pub(super) fn kept(&self, padding: u32) -> Option<(Range<usize>, usize)> {
        let Inputs::Indices { data, steps } = self else { return None };
        let rows = || data.chunks_exact((*steps).max(1)).filter_map(|row| ends(row, padding));
        let (first, last) = (rows().map(|ends| ends.start).min(), rows().map(|ends| ends.end).max());
        Some((first.unwrap_or(0)..last.unwrap_or(1.min(*steps)), *steps))
    }

    /// Checks that every index is below `rows`, the number of an embedding's; other inputs pass.
    pub(crate) fn check_indices(&self, rows: usize) -> Result<()> {
        let beyond = |data: &[u32]| data.iter().position(|&index| index as usize >= rows).map(|at| (at, data[at]));
        let found = match self {
            Inputs::Masked { inputs, .. } => return inputs.check_indices(rows),
            Inputs::Record(parts) => {
                let part = |(name, part): (&str, &Inputs)| {
                    part.check_indices(rows).map_err(|e| e.at(format!("part `{name}`")))
                };
                return parts.iter().try_for_each(part);
            }
            Inputs::Indices { data, steps } => beyond(data).map(|(at, index)| ((at / steps, at % steps), index)),
            Inputs::RaggedIndices(all) => beyond(all.data()).map(|(at, index)| (all.place(at), index)),
            Inputs::Distinct { places, entries } => {
                let Some((at, index)) = beyond(entries.data()) else { return Ok(()) };
                let (entry, element) = entries.place(at);
                let first = places.data().iter().position(|&place| place as usize == entry).unwrap_or(0);
                let ((sample, step), expected) =
                    (places.place(first), format!("an index below {rows}, the rows of the table"));
                return Err(crate::Error::invalid(
                    format!("sample {sample}, step {step}, element {element}"),
                    expected,
                    index,
                ));
            }
            Inputs::Dense { .. } | Inputs::RaggedDense(_) | Inputs::Bags(_) => None,
        };
        let Some(((sample, step), index)) = found else { return Ok(()) };
        let expected = format!("an index below {rows}, the rows of the table");
        Err(crate::Error::invalid(format!("sample {sample}, step {step}"), expected, index))
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        match self {
            Inputs::Masked { inputs, .. } => inputs.len(),
            Inputs::Record(parts) => parts.iter().next().map_or(0, |(_, part)| part.len()),
            Inputs::Dense { data, shape } => data.len() / shape.iter().product::<usize>().max(1),
            Inputs::Indices { data, steps } => data.len() / (*steps).max(1),
            Inputs::RaggedIndices(rows) => rows.len(),
            Inputs::RaggedDense(rows) => rows.len(),
            Inputs::Distinct { places, .. } => places.len(),
            Inputs::Bags(bags) => bags.len(),
        }
    }

    /// Whether there is no sample: only after selecting none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shape of one sample: `[steps]` of a sequence of indices (the longest), `[width]` of a bag; `[]` of a record, whose parts have
    /// their own.
    pub fn sample_shape(&self) -> Vec<usize> {
        match self {
            Inputs::Record(_) => Vec::new(),
            Inputs::Masked { inputs, .. } => inputs.sample_shape(),
            Inputs::Dense { shape, .. } => shape.clone(),
            Inputs::Indices { steps, .. } => vec![*steps],
            Inputs::RaggedIndices(rows) => vec![rows.longest()],
            Inputs::RaggedDense(rows) => vec![rows.longest(), rows.width()],
            Inputs::Distinct { places, .. } => vec![places.longest()],
            Inputs::Bags(bags) => vec![bags.width()],
        }
    }

    /// The samples `rows`, in that order; a sample may come twice. Errors: a row that does not exist.
    pub fn select(&self, rows: &[usize]) -> Result<Self> {
        checks::selection("inputs", rows, self.len())?;
        Ok(match self {
            Inputs::Record(parts) => Inputs::Record(parts.as_ref().try_map(|_, part| part.select(rows))?),
            Inputs::Masked { inputs, mask } => {
                let mask = checks::gather(mask, mask.len() / self.len().max(1), rows);
                Inputs::Masked { inputs: Box::new(inputs.select(rows)?), mask }
            }
            Inputs::Dense { data, shape } => {
                Inputs::Dense { data: checks::gather(data, shape.iter().product(), rows), shape: shape.clone() }
            }
            Inputs::Indices { data, steps } => {
                Inputs::Indices { data: checks::gather(data, *steps, rows), steps: *steps }
            }
            Inputs::RaggedIndices(all) => Inputs::RaggedIndices(all.select(rows)),
            Inputs::RaggedDense(all) => Inputs::RaggedDense(all.select(rows)),
            Inputs::Distinct { places, entries } => {
                let (places, entries) = distinct::select(places, entries, rows)?;
                Inputs::Distinct { places, entries }
            }
            Inputs::Bags(bags) => Inputs::Bags(bags.select(rows)?),
        })
    }

    /// The samples of `range`. Errors: a range that does not lie within the samples.
    pub fn slice(&self, range: Range<usize>) -> Result<Self> {
        checks::range("inputs", &range, self.len())?;
        self.select(&range.collect::<Vec<_>>())
    }
}

/// From the first index that is no padding to the last; `None` where there is none.
fn ends(row: &[u32], padding: u32) -> Option<Range<usize>> {
    let first = row.iter().position(|&index| index != padding)?;
    let last = row.iter().rposition(|&index| index != padding)?;
    Some(first..last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(inputs: Result<Inputs>) -> String {
        inputs.unwrap_err().to_string()
    }

    #[test]
    fn every_kind_selects_and_slices_its_samples() {
        let dense = Inputs::dense((0..12).map(|x| x as f32).collect(), &[2, 2]).unwrap();
        let Inputs::Dense { data, shape } = dense.select(&[2, 0]).unwrap() else { panic!("dense became another kind") };
        assert_eq!((data, shape), (vec![8., 9., 10., 11., 0., 1., 2., 3.], vec![2, 2]));
        assert_eq!(dense.slice(1..3).unwrap(), dense.select(&[1, 2]).unwrap());

        let indices = Inputs::indices(&[[1, 2], [3, 4], [5, 6]]).unwrap();
        assert_eq!(indices.select(&[1, 1]).unwrap(), Inputs::indices(&[[3, 4], [3, 4]]).unwrap());
        assert_eq!((indices.len(), indices.sample_shape()), (3, vec![2]));

        let bags = Inputs::bags(Bags::binary([[1], [2]], 3).unwrap()).unwrap();
        assert_eq!(bags.slice(1..2).unwrap(), Inputs::bags(Bags::binary([[2]], 3).unwrap()).unwrap());
        assert!(bags.slice(2..2).unwrap().is_empty());
    }

    #[test]
    fn sequences_keep_their_own_lengths() {
        let words = Inputs::indices(&[vec![1, 2, 3], vec![], vec![4]]).unwrap();
        assert_eq!((words.len(), words.lengths(0), words.sample_shape()), (3, Some(vec![3, 0, 1]), vec![3]));
        let Inputs::RaggedIndices(rows) = words.select(&[2, 1, 2]).unwrap() else { panic!("a block") };
        assert_eq!((rows.block(9), rows.mask()), (vec![4, 9, 4], Some(vec![true, false, true])));
        let Inputs::RaggedIndices(rows) = words.slice(0..2).unwrap() else { panic!("a block") };
        assert_eq!(rows.block(9), [1, 2, 3, 9, 9, 9]);
        let strokes = Inputs::sequences(&[vec![1.0, 2.0], vec![3.0, 4.0, 5.0, 6.0]], 2).unwrap();
        let Inputs::RaggedDense(rows) = strokes.select(&[1, 0]).unwrap() else { panic!("a block") };
        assert_eq!(rows.block(0.0), [3.0, 4.0, 5.0, 6.0, 1.0, 2.0, 0.0, 0.0]);
        assert_eq!(rows.mask(), Some(vec![true, true, true, false]));
        assert_eq!(strokes.slice(1..2).unwrap().sample_shape(), [2, 2]);
    }

    #[test]
    fn padding_that_all_share_is_trimmed() {
        let words = |rows: &[[u32; 4]]| Inputs::indices(rows).unwrap();
        assert_eq!(words(&[[0, 0, 0, 0], [0, 3, 0, 4]]).lengths(0), Some(vec![0, 3]));
        assert_eq!(words(&[[0, 0, 0, 0]]).trimmed(0), Inputs::indices(&[[0]]).unwrap());
        assert_eq!(words(&[[1, 0, 0, 0], [0, 0, 2, 0]]).trimmed(0), Inputs::indices(&[[1, 0, 0], [0, 0, 2]]).unwrap());
        assert_eq!(words(&[[5, 0, 0, 5], [5, 7, 5, 5]]).trimmed(5), Inputs::indices(&[[0, 0], [7, 5]]).unwrap());
        let dense = Inputs::dense(vec![0.0; 4], &[2]).unwrap();
        assert_eq!((dense.lengths(0), dense.clone().trimmed(0)), (None, dense));
    }

    #[test]
    fn a_mask_goes_with_its_sequences() {
        let words = || Inputs::indices(&[[4, 7, 0], [5, 0, 0]]).unwrap();
        let masked = words().with_mask(&[[true, true, false], [true, false, false]]).unwrap();
        let Inputs::Masked { inputs, mask } = masked.select(&[1, 0]).unwrap() else { panic!("the mask is gone") };
        assert_eq!(*inputs, Inputs::indices(&[[5, 0, 0], [4, 7, 0]]).unwrap());
        assert_eq!(mask, [true, false, false, true, true, false]);
        assert!(masked.slice(1..1).unwrap().is_empty());
        assert_eq!(
            message(words().with_mask(&[vec![true; 3], vec![true; 2]])),
            "mask, row 1: expected 3 flags, one a step, found 2"
        );
        assert_eq!(
            message(words().with_mask(&[[true; 3]])),
            "mask: expected a row of flags for each of 2 sequences, found 1 rows"
        );
        assert!(masked.with_mask(&[[true; 3]; 2]).is_err());
        assert!(Inputs::dense(vec![0.0; 6], &[3]).unwrap().with_mask(&[[true; 3]; 2]).is_err());
    }

    #[test]
    fn dense_data_are_checked() {
        let expected = "inputs: expected samples of 3 numbers (shape [3]), at least one, found 4 numbers in all";
        assert_eq!(message(Inputs::dense(vec![0.0; 4], &[3])), expected);
        assert!(message(Inputs::dense(vec![], &[3])).ends_with("found 0 numbers in all"));
        let infinite = Inputs::rows(&[[0.0, 1.0], [2.0, f32::INFINITY]]);
        assert_eq!(message(infinite), "inputs, sample 1, feature 1: expected a finite number, found inf");
        assert!(message(Inputs::dense(vec![1.0], &[0])).contains("none of size 0, found [0]"));
        assert!(message(Inputs::dense(vec![1.0], &[1; 6])).contains("at most 5 axes"));
        assert!(Inputs::dense(vec![1.0], &[usize::MAX, 2]).is_err());
    }

    #[test]
    fn ragged_and_empty_rows_are_named() {
        let ragged = Inputs::rows(&[vec![1.0, 2.0], vec![3.0, 4.0], vec![5.0], vec![]]);
        assert_eq!(message(ragged), "inputs, row 2: expected 2 elements, as many as row 0 has, found 1");
        assert!(message(Inputs::indices(&[vec![], vec![]])).ends_with("found empty rows"));
        let uneven = Inputs::sequences(&[vec![1.0, 2.0], vec![3.0]], 2);
        assert_eq!(message(uneven), "input sequences, row 1: expected steps of 2 numbers, found 1 numbers");
        let nan = Inputs::sequences(&[vec![1.0, 2.0], vec![3.0, 4.0, 5.0, f32::NAN]], 2);
        assert_eq!(message(nan), "inputs, sample 1, step 1: expected a finite number, found NaN");
        assert!(message(Inputs::rows::<Vec<f32>>(&[])).ends_with("found none"));
        let empty = Bags::binary([[1]], 3).unwrap().select(&[]).unwrap();
        assert_eq!(message(Inputs::bags(empty)), "inputs: expected at least one bag, found none");
    }

    #[test]
    fn rows_that_do_not_exist_are_errors() {
        let indices = Inputs::indices(&[[1], [2]]).unwrap();
        assert_eq!(message(indices.select(&[0, 2])), "inputs: select: expected rows below 2, found row 2");
        assert_eq!(message(indices.slice(1..3)), "inputs: slice: expected a range within 0..2, found 1..3");
        #[allow(clippy::reversed_empty_ranges)]
        let backwards = indices.slice(2..1);
        assert!(backwards.is_err());
    }
}
