//! UTF-16 as UTF-8, while it is read: what Excel's "Unicode text" and PowerShell write.

use std::io::{self, BufRead, ErrorKind, Read};

/// Text in UTF-16 behind its byte order mark, read as UTF-8.
pub(super) struct Utf16 {
    units: Box<dyn BufRead>,
    big: bool,
    /// The first half of a pair of surrogates, which waits for the second.
    half: Option<u16>,
    /// What is wrong behind `text`.
    fault: Option<Fault>,
    /// What is converted and not yet read.
    text: Vec<u8>,
    at: usize,
}

/// What is wrong with the text.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("the UTF-16 text is cut off")]
    Cut,
    #[error("the UTF-16 text is malformed (half a pair of surrogates, {0:#06x})")]
    Half(u16),
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        io::Error::new(ErrorKind::InvalidData, fault)
    }
}

impl Utf16 {
    pub(super) fn new(units: Box<dyn BufRead>, big: bool) -> Self {
        Utf16 { units, big, half: None, fault: None, text: Vec::new(), at: 0 }
    }

    /// Whether an error is about the text and not about its reading.
    pub(super) fn is_from(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|error| error.is::<Fault>())
    }

    /// Converts the next units, as far as they are sound; nothing at the end.
    fn convert(&mut self) -> io::Result<()> {
        const UNITS: u64 = 4096;
        let mut bytes = Vec::new();
        self.units.by_ref().take(2 * UNITS).read_to_end(&mut bytes)?;
        self.text.clear();
        self.at = 0;
        let (units, rest) = bytes.as_chunks::<2>();
        if !rest.is_empty() || units.is_empty() && self.half.is_some() {
            self.fault = Some(Fault::Cut);
        }
        let units =
            units.iter().map(|&unit| if self.big { u16::from_be_bytes(unit) } else { u16::from_le_bytes(unit) });
        // A first half without units behind it is cut off, which is known by now.
        let half = self.half.take().filter(|_| units.len() > 0);
        let mut units = char::decode_utf16(half.into_iter().chain(units));
        while let Some(unit) = units.next() {
            match unit.map_err(|lone| lone.unpaired_surrogate()) {
                Ok(character) => self.text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
                // The last of these units, which waits for the next.
                Err(first @ ..0xdc00) if units.next().is_none() => self.half = Some(first),
                Err(lone) => {
                    self.fault = Some(Fault::Half(lone));
                    break;
                }
            }
        }
        Ok(())
    }
}

impl Read for Utf16 {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // A first half alone gives no text; the next units do.
        while self.at == self.text.len() {
            // Behind the text before it, so that its line is known.
            if let Some(fault) = self.fault.take() {
                return Err(fault.into());
            }
            self.convert()?;
            if self.text.is_empty() && self.half.is_none() && self.fault.is_none() {
                return Ok(0);
            }
        }
        let ready = &self.text[self.at..];
        let length = ready.len().min(into.len());
        into[..length].copy_from_slice(&ready[..length]);
        self.at += length;
        Ok(length)
    }
}
