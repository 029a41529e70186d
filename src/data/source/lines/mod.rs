//! [`Lines`]: a file of labelled texts that is larger than memory.

mod index;
mod lengths;
mod records;

use super::samples::BATCH_SIZE;
use super::{Epoch, HostBatch, Order, Source};
use crate::data::texts::{Piece, TextFormat, by_name};
use crate::data::{self, Dataset, Inputs, Labels, Targets, TextColumns};
use crate::error::{Error, Result};
use crate::random::Key;
use index::Index;
use lengths::Lengths;
use records::{Reader, Record};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file of labelled texts, TSV, CSV or JSON lines as [`read_texts`](crate::data::read_texts) takes them, that is read batch by
/// batch and tokenised as it comes, so that it may be larger than memory. What is kept is where its records begin, 16 bytes each
/// (of more than two million of them where every so manieth begins).
///
/// The file is gone through once to begin with: all of it is checked, and the labels are numbered. It must not change from then
/// on. It must be UTF-8, and plain: a `.gz` has to be unpacked first, since nobody can go to the middle of it.
///
/// Batches are of 32 texts unless [`Fit::batch_size`](crate::training::Fit::batch_size) says otherwise, and shuffled unless
/// [`Fit::shuffle`](crate::training::Fit::shuffle) says that they are not to be: the whole file, not within a window. They are
/// sequences at their own lengths, padded and masked; none goes on where another ended, in a stateful layer neither.
///
/// [`Fit::by_length`](crate::training::Fit::by_length) and [`Fit::batch_tokens`](crate::training::Fit::batch_tokens) make the batches
/// that they make of the same texts in memory. For them the lengths of all texts have to be known: the whole file is tokenised
/// once, on all processors, when they are first asked for, and 4 bytes a text are kept (16 to 24 more while an epoch lasts).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("reviews.tsv");
/// use elman::data::{Lines, TextColumns};
/// use elman::text::{Tokenizer, VocabularyBuilder, WordTokenizer};
/// # std::fs::write(&path, "pos\tA delight.\nneg\tTwo hours too long.\n")?;
///
/// let tokenizer = WordTokenizer::new();
/// let vocabulary = VocabularyBuilder::new().fit([tokenizer.tokenize("a delight of two hours")?])?;
/// let reviews = Lines::open(&path, &TextColumns::default(), move |text| vocabulary.encode_text(&tokenizer, text))?;
/// assert_eq!((reviews.len(), reviews.labels().names()), (2, &["pos".to_string(), "neg".to_string()][..]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Lines {
    path: PathBuf,
    columns: TextColumns,
    format: TextFormat,
    labels: Labels,
    index: Arc<Index>,
    encode: Arc<Encode>,
    lengths: Arc<Lengths>,
}

/// A text as indices.
type Encode = dyn Fn(&str) -> Result<Vec<u32>> + Send + Sync;

impl Lines {
    /// Goes through the file. `encode` makes a text's indices: a tokenizer with its vocabulary, as a rule. Errors: those of
    /// [`read_texts`](crate::data::read_texts), with file and line; a file that is compressed, in UTF-16, or whose lines end in
    /// `\r` alone.
    pub fn open(
        path: impl AsRef<Path>,
        columns: &TextColumns,
        encode: impl Fn(&str) -> Result<Vec<u32>> + Send + Sync + 'static,
    ) -> Result<Self> {
        let path = path.as_ref();
        let format = columns.format.map_or_else(|| by_name(path), Ok)?;
        let (index, labels) = Index::build(path, format, columns)?;
        let (index, encode) = (Arc::new(index), Arc::new(encode));
        Ok(Lines {
            path: path.into(),
            columns: columns.clone(),
            format,
            labels,
            index,
            encode,
            lengths: Arc::default(),
        })
    }

    /// The number of texts.
    pub fn len(&self) -> usize {
        self.index.records
    }

    /// Never: a file without a text is an error.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The names of the classes.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The indices and the class of a text. `labels` are the file's, lent for the time being.
    fn text(&self, reader: &mut Reader, labels: &mut Labels, number: usize) -> Result<(Vec<u32>, u32)> {
        let Record { bytes, line } = self.index.record(reader, number)?;
        let changed = || Error::Parse {
            path: self.path.clone(),
            line: Some(line),
            why: "expected the text that was there when the file was opened: it has changed since".into(),
        };
        if let Some((text, class)) = self.plain(&bytes) {
            return Ok((self.encoded(text, line)?, class));
        }
        let at = line - self.index.header_lines.min(line - 1);
        let piece = Piece { path: &self.path, bytes: self.index.piece(&bytes), line: at, given: true, warns: false };
        let read = piece.read(self.format, &self.columns, std::mem::take(labels))?;
        *labels = read.labels;
        let (Some(text), Some(&class)) = (read.texts.first(), read.classes.first()) else { return Err(changed()) };
        Ok((self.encoded(text, line)?, class))
    }

    fn encoded(&self, text: &str, line: usize) -> Result<Vec<u32>> {
        (self.encode)(text).map_err(|error| error.at(format!("{}, line {line}", self.path.display())))
    }

    /// Text and class of a line of TSV whose label stands in it as it is known: what reading all that a file may hold comes to
    /// then, in a part of the time.
    fn plain<'t>(&self, bytes: &'t [u8]) -> Option<(&'t str, u32)> {
        let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line =
            Some(line).filter(|line| self.format == TextFormat::Tsv && !line.iter().any(|&b| b == b'\r' || b == 0))?;
        let (label, text) = std::str::from_utf8(line).ok()?.split_once('\t')?;
        Some((text, self.labels.number(label)?))
    }
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("path", &self.path).field("len", &self.len()).finish_non_exhaustive()
    }
}

impl Source for Lines {
    fn epoch(&self, order: &Order) -> Result<Box<dyn Epoch + '_>> {
        let size = order.batch_size.unwrap_or(BATCH_SIZE);
        if size == 0 {
            return Err(Error::invalid("lines", "a batch size of at least 1", 0));
        }
        let bytes = fs::metadata(&self.path).map_err(|error| Error::io(&self.path, error))?.len();
        if bytes != self.index.bytes {
            let why = format!("expected the {} bytes that were there at first, found {bytes}", self.index.bytes);
            return Err(Error::Parse { path: self.path.clone(), line: None, why });
        }
        let mut is_block = false;
        let lengths = |padding: Option<u32>| {
            let counted = self.lengths.of(self, padding)?;
            is_block = counted.is_block;
            Ok(counted.lengths())
        };
        let places = match order.by_lengths(lengths)? {
            Some(batches) => Places::ByLength(batches, order.by_length.filter(|_| is_block)),
            None => Places::Cut { size, key: order.shuffle.unwrap_or(true).then(|| order.draws()) },
        };
        Ok(Box::new(Batches { lines: self, places }))
    }

    fn describe(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        format!("{name}, {} texts in {} bytes", self.len(), self.index.bytes)
    }
}

/// The batches of an epoch over a file.
struct Batches<'a> {
    lines: &'a Lines,
    places: Places,
}

/// Which texts are in which batch.
enum Places {
    /// So many at a time, in the random order of a key or as they stand.
    Cut { size: usize, key: Option<Key> },
    /// By their lengths. Where all are padded to one length, what of the padding those of a batch share at their ends is left out.
    ByLength(data::Batches, Option<u32>),
}

impl Batches<'_> {
    /// The numbers of the texts of a batch. Errors: a batch that there is not.
    fn texts(&self, number: usize) -> Result<Vec<usize>> {
        let all = self.lines.len();
        match &self.places {
            Places::ByLength(batches, _) => batches.get(number).map(<[usize]>::to_vec),
            Places::Cut { size, key } if number < self.batches() => {
                let rows = number * size..((number + 1) * size).min(all);
                let place = |row: usize| key.map_or(row, |key| key.place(row as u64, all as u64) as usize);
                Ok(rows.map(place).collect())
            }
            Places::Cut { .. } => Err(Error::invalid("lines", format!("a batch below {}", self.batches()), number)),
        }
    }
}

impl Epoch for Batches<'_> {
    fn batches(&self) -> usize {
        match &self.places {
            Places::Cut { size, .. } => self.lines.len().div_ceil(*size),
            Places::ByLength(batches, _) => batches.len(),
        }
    }

    fn samples(&self) -> Option<usize> {
        Some(self.lines.len())
    }

    fn batch(&self, number: usize) -> Result<HostBatch> {
        let (lines, numbers) = (self.lines, self.texts(number)?);
        let (mut reader, mut labels) = (Reader::open(&lines.path)?, lines.labels.clone());
        let texts = numbers.into_iter().map(|number| lines.text(&mut reader, &mut labels, number));
        let (texts, classes): (Vec<Vec<u32>>, Vec<u32>) = texts.collect::<Result<Vec<_>>>()?.into_iter().unzip();
        let data = Dataset::new(Inputs::indices_or_empty(&texts)?, Targets::classes(classes)?)?;
        Ok(HostBatch::new(match self.places {
            Places::ByLength(_, Some(padding)) => data.trimmed(padding),
            _ => data,
        }))
    }

    fn place(&self, number: usize, sample: usize) -> Option<String> {
        let text = *self.texts(number).ok()?.get(sample)?;
        let line = self.lines.index.record(&mut Reader::open(&self.lines.path).ok()?, text).ok()?.line;
        Some(format!("{}, line {line}", self.lines.path.display()))
    }
}
