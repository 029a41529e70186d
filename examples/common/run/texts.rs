//! Texts that a user wants something of: given as arguments, as the lines of a file, or on standard input.

use super::super::files::{Files, Input, STANDARD, input_problem};
use clap::Args;
use elman::data::read_lines;
use std::path::{Path, PathBuf};

/// Texts by flags, or a file of them.
#[derive(Args, Clone, Debug)]
pub struct Texts {
    /// A text, several times if there are several
    #[arg(long, value_name = "TEXT", conflicts_with = "file", allow_hyphen_values = true)]
    text: Vec<String>,
    /// A file with a text on each line, plain or .gz; -: standard input [default, without --text: standard input]
    file: Option<PathBuf>,
}

impl Texts {
    /// The file, whose place nothing that is written must take.
    pub fn files(&self) -> Files {
        self.file.iter().map(|path| ("the texts".to_string(), path.clone())).collect()
    }

    /// What is wrong with the file.
    pub fn problems(&self) -> Vec<String> {
        self.file.iter().filter_map(|path| input_problem("", path)).map(|problem| problem.trim().to_string()).collect()
    }

    pub fn read(&self) -> anyhow::Result<Vec<String>> {
        match &self.file {
            Some(path) => lines(path),
            None if self.text.is_empty() => lines(Path::new(STANDARD)),
            None => Ok(self.text.clone()),
        }
    }
}

/// The lines of a file; of an empty one, which readers refuse, none, as with `serve-stdin`.
fn lines(path: &Path) -> anyhow::Result<Vec<String>> {
    let input = Input::open(path)?;
    let is_empty = |path: &Path| std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() == 0);
    input.read(|path| if is_empty(path) { Ok(Vec::new()) } else { read_lines(path) })
}

/// A value of TSV: tabs and line ends become spaces.
pub fn cell(text: &str) -> String {
    text.replace(['\t', '\n', '\r'], " ")
}
