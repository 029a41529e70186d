//! [`Patient`]: calls that a signal has interrupted are made again.

use std::io::{self, ErrorKind, Read, Write};

/// A file or stream whose calls are made again when a signal interrupts them. What only `read_exact` and `write_all` of the
/// standard library do, is not done by all that reads and writes: `csv` and `flate2` hand the interruption on as an error.
pub(crate) struct Patient<T>(pub(crate) T);

fn patiently<R>(mut call: impl FnMut() -> io::Result<R>) -> io::Result<R> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

impl<T: Read> Read for Patient<T> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        patiently(|| self.0.read(into))
    }
}

impl<T: Write> Write for Patient<T> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        patiently(|| self.0.write(from))
    }

    fn flush(&mut self) -> io::Result<()> {
        patiently(|| self.0.flush())
    }
}
