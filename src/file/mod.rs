//! Files: [written](write) whole or not at all; inside the library, read plain or gzip-compressed, line by line.

mod lines;
mod patient;
mod source;
mod target;
mod write;

#[cfg(test)]
pub(crate) use lines::LONGEST_LINE;
#[cfg(feature = "csv")]
pub(crate) use lines::LONGEST_LINE as LONGEST_RECORD;
pub(crate) use lines::{Lines, cut};
pub(crate) use patient::Patient;
pub(crate) use source::Source;
pub use write::{check_writable, write};
pub(crate) use write::{folder, write_whole};
