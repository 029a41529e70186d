//! The examples that are programs to keep, `07_text_classifier`, `08_language_model`, `09_tagger`, `10_word2vec` and
//! `11_translation`: their parts by themselves, and the programs
//! as a user runs them.

// Each program has what they share as a module of its own.
#![allow(clippy::duplicate_mod)]

// Compiled in for the tests of its parts.
#[allow(dead_code)]
#[path = "../../examples/07_text_classifier/main.rs"]
mod example;

#[allow(dead_code)]
#[path = "../../examples/08_language_model/main.rs"]
mod language_example;

#[allow(dead_code)]
#[path = "../../examples/09_tagger/main.rs"]
mod tagger_example;

#[allow(dead_code)]
#[path = "../../examples/10_word2vec/main.rs"]
mod word2vec_example;

#[allow(dead_code)]
#[path = "../../examples/11_translation/main.rs"]
mod translation_example;

mod commands;
#[cfg(unix)]
mod kills;
mod language_model;
#[cfg(unix)]
mod outputs;
mod parser;
mod resuming;
mod sizes;
mod tagger;
mod translation;
mod word2vec;
mod words;

use elman::Key;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Flags for a model that trains in less than a second.
const SMALL: &str =
    "--threads 1 --units 6 --dim 6 --steps 12 --batch-size 8 --epochs 6 --rate 0.01 --dropout 0.3 --seed 5";

/// An example, which `cargo test` builds beside the tests, but `cargo test --test` does not.
fn program(name: &str) -> Command {
    let deps = std::env::current_exe().unwrap();
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let path = deps.parent().unwrap().parent().unwrap().join("examples").join(file);
    let built = fs::metadata(&path).and_then(|file| file.modified());
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let folders = [name, &format!("{name}/settings"), &format!("{name}/made_up"), "common", "common/run"]
        .map(|name| examples.join(name));
    let files = folders.iter().filter(|folder| folder.exists()).flat_map(|folder| fs::read_dir(folder).unwrap());
    let changed = files.map(|file| file.unwrap().metadata().unwrap().modified().unwrap()).max();
    let fresh = built.is_ok_and(|built| Some(built) >= changed);
    assert!(fresh, "{} is missing or old: cargo build --example {name}", path.display());
    Command::new(path)
}

/// A folder with a corpus in which what is meant comes last.
struct Workplace {
    folder: tempfile::TempDir,
}

impl Workplace {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let words = [["bad", "dull", "poor"], ["good", "great", "fine"]];
        let text = |i: u64| {
            let key = Key::new(7).fold(i);
            let (class, pick) = (key.below(0, 2), |n, class: usize| words[class][key.below(n, 3)]);
            format!("{}\tthe film was not {} but {}\n", ["no", "yes"][class], pick(1, 1 - class), pick(2, class))
        };
        fs::write(folder.path().join("train.tsv"), (0..240).map(text).collect::<String>()).unwrap();
        fs::write(folder.path().join("test.tsv"), (240..260).map(text).collect::<String>()).unwrap();
        Workplace { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program with this command line, in the folder.
    fn command(&self, line: &str) -> Command {
        let mut command = program("07_text_classifier");
        command.current_dir(self.folder.path()).args(line.split_whitespace());
        command
    }

    fn train(&self, run: &str, flags: &str) -> Command {
        self.command(&format!("train --run {run} --train train.tsv {SMALL} {flags}"))
    }

    fn evaluate(&self, run: &str) -> Output {
        self.command(&format!("evaluate --run {run} --data test.tsv --threads 1")).output().unwrap()
    }
}
