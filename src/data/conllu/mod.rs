//! CoNLL-U, the format of Universal Dependencies' treebanks: read and written without loss.
//!
//! A sentence is comments, then a line of ten columns for each token, then a blank line
//! (<https://universaldependencies.org/format.html>). What is read is kept as it stands, so that a file that is written anew has the
//! bytes of the file that was read; what is kept out of it (a byte order mark, compression, UTF-16) belongs to the file, not to
//! its text.

mod checks;
mod read;
mod sentence;
mod token;
mod tree;

pub use read::{Conllu, read_conllu};
pub use sentence::Sentence;
pub use token::{Token, TokenId};
pub(crate) use tree::check_tree;

#[cfg(test)]
mod tests;
