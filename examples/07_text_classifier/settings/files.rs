//! The files that settings name: whether they can be read, and what is in them.

use super::super::common::files::{Files, input_problems};
use super::{Columns, Format, Settings};
use std::path::{Path, PathBuf};

/// Tokenizers by name.
pub const TOKENIZERS: [&str; 4] = ["words", "tweets", "keras", "glove-twitter"];

impl Settings {
    /// The files that a training reads.
    pub(super) fn inputs(&self) -> Files {
        let tokenizer = self.tokenizer_file();
        let files = [
            ("--train", &self.train),
            ("--valid", &self.valid),
            ("--vectors", &self.vectors),
            ("--tokenizer", &tokenizer),
        ];
        files.into_iter().filter_map(|(option, path)| Some((option.to_string(), path.clone()?))).collect()
    }

    /// The file of the tokenizer, if it is not one that has a name.
    pub fn tokenizer_file(&self) -> Option<PathBuf> {
        (!TOKENIZERS.contains(&self.tokenizer.as_str())).then(|| PathBuf::from(&self.tokenizer))
    }

    /// What is wrong with the files, as far as that can be said without reading them.
    pub(super) fn file_problems(&self) -> Vec<String> {
        let (mut files, missing) = (self.inputs(), self.tokenizer_file().filter(|path| !path.exists()));
        files.retain(|(option, _)| missing.is_none() || option != "--tokenizer");
        let mut problems = input_problems(&files);
        if let Some(path) = missing {
            let expected = format!("expected {} or a file, found neither", TOKENIZERS.join(", "));
            problems.push(format!("--tokenizer {}: {expected}", path.display()));
        }
        let defaults = Columns::default();
        let told = [
            ("--label-column", self.columns.label_column != defaults.label_column),
            ("--text-column", self.columns.text_column != defaults.text_column),
            ("--separator", self.columns.separator != defaults.separator),
        ];
        let told: Vec<&str> = told.iter().filter(|(_, told)| *told).map(|(option, _)| *option).collect();
        let labelled = [("--train", &self.train), ("--valid", &self.valid)];
        let labelled: Vec<_> =
            labelled.iter().filter_map(|(option, path)| Some((*option, path.as_ref()?.as_path()))).collect();
        problems.extend(self.columns.problems(&told, &labelled));
        problems
    }
}

impl Default for Columns {
    fn default() -> Self {
        Columns { label_column: "label".into(), text_column: "text".into(), format: None, separator: ',' }
    }
}

impl Columns {
    /// What is wrong with the columns that the user `told` of, and with the `files` that have them.
    pub fn problems(&self, told: &[&str], files: &[(&str, &Path)]) -> Vec<String> {
        let mut problems = Vec::new();
        if !self.separator.is_ascii() || ['"', '\n', '\r'].contains(&self.separator) {
            let expected = "expected one ASCII character, no quote and no line end";
            problems.push(format!("--separator {:?}: {expected}", self.separator));
        }
        let formats: Vec<Option<Format>> =
            files.iter().map(|(_, path)| self.format.or_else(|| by_name(path))).collect();
        for ((option, path), _) in files.iter().zip(&formats).filter(|(_, format)| format.is_none()) {
            let expected = "expected a name that ends in .tsv, .csv or .jsonl (or with .gz behind it), or --format";
            problems.push(format!("{option} {}: {expected}", path.display()));
        }
        if files.is_empty() || formats.contains(&None) {
            return problems;
        }
        let (names, separated) =
            (formats.iter().any(|format| *format != Some(Format::Tsv)), formats.contains(&Some(Format::Csv)));
        for option in told {
            match *option {
                "--separator" if !separated => {
                    problems.push(format!("{option}: only CSV has one, and no file here is CSV"));
                }
                "--label-column" | "--text-column" if !names => {
                    problems.push(format!("{option}: TSV has no names of columns, only lines of label, tab, text"));
                }
                _ => {}
            }
        }
        problems
    }
}

impl Columns {
    /// Whether a file is read as CSV.
    pub fn is_csv(&self, path: &Path) -> bool {
        self.format.or_else(|| by_name(path)) == Some(Format::Csv)
    }
}

/// The format that the name of a file tells.
fn by_name(path: &Path) -> Option<Format> {
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let ends = [(".tsv", Format::Tsv), (".csv", Format::Csv), (".jsonl", Format::Jsonl), (".ndjson", Format::Jsonl)];
    ends.iter().find(|(end, _)| name.ends_with(end)).map(|(_, format)| *format)
}
