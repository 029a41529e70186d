//! Files whose system fails: a full disk, one that breaks, a folder that goes away. At whatever call it happens the old
//! file stays whole, an error names the path, nothing is left lying about, and a training goes on from its last checkpoint.
//!
//! The calls themselves are made to fail, beneath the standard library ([`system`]): what is tested is all that lies above. A program of
//! its own, since the calls are replaced in all of it.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod reading;
mod system;
#[allow(dead_code)]
#[path = "../library/checkpoint/toy.rs"]
mod toy;
mod training;
mod writing;

use std::fs;
use std::path::Path;

/// The files of a folder.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
