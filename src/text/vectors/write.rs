//! Vectors to files.

use super::{VectorFormat, WordVectors, format};
use crate::error::{Error, Result};
#[cfg(feature = "gz")]
use crate::file::Patient;
use crate::file::write_whole;
use std::io::{self, Write};
use std::path::Path;

impl WordVectors {
    /// Writes the vectors to a file, compressed where its name ends in `.gz`. Numbers in text are written so that they
    /// are read back to the bit; a vector of the binary format is followed by a line end, as word2vec writes. The file
    /// is written beside its place, synced and renamed: whatever happens, `path` holds the old file or the whole new
    /// one.
    ///
    /// Errors: a word that the format cannot hold (an empty one, one with a line break or a zero byte, in binary one with a space; in
    /// text one that would be taken for numbers); GloVe without a word; a file that cannot be written; `.gz` without
    /// the feature `gz`.
    pub fn write(&self, path: impl AsRef<Path>, format: VectorFormat) -> Result<()> {
        let path = path.as_ref();
        self.check_words(path, format)?;
        let compress = path.extension().is_some_and(|extension| extension == "gz");
        write_whole(path, |file| {
            let written = if compress { self.write_gz(file, format) } else { self.write_to(file, format) };
            written.map_err(|e| Error::io(path, e))
        })
    }

    #[cfg(feature = "gz")]
    fn write_gz(&self, file: &mut dyn Write, format: VectorFormat) -> io::Result<()> {
        let mut encoder = flate2::write::GzEncoder::new(Patient(file), flate2::Compression::default());
        self.write_to(&mut io::BufWriter::new(&mut encoder), format)?;
        encoder.finish().map(|_| ())
    }

    #[cfg(not(feature = "gz"))]
    fn write_gz(&self, _file: &mut dyn Write, _format: VectorFormat) -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "build elman with its feature `gz` to compress"))
    }

    fn write_to(&self, file: &mut dyn Write, format: VectorFormat) -> io::Result<()> {
        if format != VectorFormat::Glove {
            writeln!(file, "{} {}", self.len(), self.dim)?;
        }
        for (word, row) in self.words().zip(self.data.chunks_exact(self.dim)) {
            file.write_all(word.as_bytes())?;
            if format == VectorFormat::Word2vecBinary {
                file.write_all(b" ")?;
                row.iter().try_for_each(|x| file.write_all(&x.to_le_bytes()))?;
            } else {
                // `Debug` is the shortest text that parses to the same number, with an exponent where that is shorter.
                row.iter().try_for_each(|x| write!(file, " {x:?}"))?;
            }
            file.write_all(b"\n")?;
        }
        file.flush()
    }

    /// Errors where a word would not be read back as it is.
    fn check_words(&self, path: &Path, format: VectorFormat) -> Result<()> {
        let place = || format!("writing {}", path.display());
        if format == VectorFormat::Glove && self.is_empty() {
            return Err(Error::invalid(place(), "at least one word, as the format has no header", "none"));
        }
        for (row, word) in self.words().enumerate() {
            let first = format == VectorFormat::Glove && row == 0;
            if !(if format == VectorFormat::Word2vecBinary { fits_binary(word) } else { fits_text(word, first) }) {
                return Err(Error::invalid(
                    place(),
                    format!("words that the format {format:?} can hold"),
                    format!("{word:?}"),
                ));
            }
        }
        Ok(())
    }
}

fn fits_binary(word: &str) -> bool {
    !word.is_empty() && !word.contains([' ', '\n', '\0'])
}

/// Spaces are told from those before the numbers; on a file's first line without header nothing tells them.
fn fits_text(word: &str, first: bool) -> bool {
    let mut pieces = word.split(' ');
    let head = pieces.next().unwrap_or_default();
    let whole = !head.is_empty() && !word.contains(['\n', '\r', '\t', '\0']);
    let pieces_fit = pieces.all(|piece| !first && !piece.is_empty() && format::number(piece.as_bytes()).is_err());
    whole && pieces_fit && !(first && word.starts_with('\u{feff}'))
}
