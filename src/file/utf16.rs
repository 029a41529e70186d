//! UTF-16 as UTF-8, while it is read: what Excel's "Unicode text" and PowerShell write.

use std::io::{self, BufRead, ErrorKind, Read};

/// Text in UTF-16 behind its byte order mark, read as UTF-8.
pub(super) struct Utf16 {
    units: Box<dyn BufRead>,
    big: bool,
    /// The first half of a pair of surrogates, which waits for the second.
    half: Option<u16>,
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
        Utf16 { units, big, half: None, text: Vec::new(), at: 0 }
    }

    /// Whether an error is about the text and not about its reading.
    pub(super) fn is_from(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|error| error.is::<Fault>())
    }

    /// Converts the next units; nothing at the end.
    fn convert(&mut self) -> io::Result<()> {
        const UNITS: u64 = 4096;
        let mut bytes = Vec::new();
        self.units.by_ref().take(2 * UNITS).read_to_end(&mut bytes)?;
        self.text.clear();
        self.at = 0;
        let (units, rest) = bytes.as_chunks::<2>();
        if !rest.is_empty() || units.is_empty() && self.half.is_some() {
            return Err(Fault::Cut.into());
        }
        let units =
            units.iter().map(|&unit| if self.big { u16::from_be_bytes(unit) } else { u16::from_le_bytes(unit) });
        let half = self.half.take();
        for unit in char::decode_utf16(half.into_iter().chain(units)) {
            match unit {
                Ok(character) => self.text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
                Err(lone) => match self.half.replace(lone.unpaired_surrogate()) {
                    Some(earlier) => return Err(Fault::Half(earlier).into()),
                    None => continue,
                },
            }
            // Only the last unit of these can wait for the next ones.
            if let Some(lone) = self.half {
                return Err(Fault::Half(lone).into());
            }
        }
        match self.half {
            Some(second @ 0xdc00..) => Err(Fault::Half(second).into()),
            _ => Ok(()),
        }
    }
}

impl Read for Utf16 {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // A first half alone gives no text; the next units do.
        while self.at == self.text.len() {
            self.convert()?;
            if self.text.is_empty() && self.half.is_none() {
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
