//! Files: written whole or not at all, read plain or gzip-compressed, line by line.

mod lines;
mod others;
mod source;
mod utf16;
mod write;

pub(crate) use lines::{LONGEST_LINE, Lines, cut, is_blank, returns, whole};
pub(crate) use source::Source;
pub(crate) use write::{check_writable, folder, write_whole};
