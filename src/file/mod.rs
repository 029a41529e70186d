//! Files: written whole or not at all, read plain or gzip-compressed, line by line.

mod lines;
mod patient;
mod source;
mod write;

#[cfg(test)]
pub(crate) use lines::LONGEST_LINE;
#[cfg(feature = "csv")]
pub(crate) use lines::LONGEST_LINE as LONGEST_RECORD;
pub(crate) use lines::{Lines, cut};
pub(crate) use patient::Patient;
pub(crate) use source::Source;
pub(crate) use write::{check_writable, folder, write_whole};
