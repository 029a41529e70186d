//! Files: [written](write()) whole or not at all; read plain or gzip-compressed, [line by line](each_line).

mod lines;
mod others;
mod patient;
mod source;
mod target;
mod utf16;
mod write;

pub use lines::each_line;
pub(crate) use lines::{LONGEST_LINE, Lines, cut, is_blank, returns, whole};
pub(crate) use patient::Patient;
pub(crate) use source::Source;
pub(crate) use target::folder;
pub(crate) use write::write_whole;
pub use write::{check_writable, write};
