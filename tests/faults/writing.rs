//! All that the library writes, at each call that can fail.

use crate::names;
use crate::system::{Fault, failing};
use crate::toy::model;
use elman::Result;
use elman::checkpoint::Extras;
use elman::optim::Adam;
use elman::text::{VectorFormat, VocabularyBuilder, WordVectors};
use elman::training::History;
use elman_reference::Reference;
use std::fs;
use std::path::Path;

/// Writes to a path with every fault, over an old file and where there is none.
fn at_every_call(name: &str, write: impl Fn(&Path) -> Result<()>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    write(&path).unwrap();
    let new = fs::read(&path).unwrap();
    let size = new.len() as u64;
    let faults: [fn(u64) -> Fault; 4] = [Fault::Once, Fault::From, Fault::Interrupted, Fault::Room];
    for (fault, old) in faults.into_iter().flat_map(|fault| [None, Some(b"old")].map(|old| (fault, old))) {
        // A disk has room for a few bytes more each time.
        let step = if let Fault::Room(_) = fault(0) { size.div_ceil(40) } else { 1 };
        let mut errors = 0;
        for n in (1..).step_by(step as usize) {
            fs::remove_file(&path).ok();
            old.inspect(|old| fs::write(&path, old).unwrap());
            let (written, failed) = failing(fault(n), || write(&path));
            let case = format!("{name}, {:?}", fault(n));
            let found = fs::read(&path).ok();
            match written {
                Ok(()) => assert!(found.as_ref() == Some(&new), "{case}: not what was written"),
                Err(error) => {
                    let error = error.to_string();
                    assert!(failed > 0 && error.starts_with(&format!("{}: ", path.display())), "{case}: {error}");
                    assert_eq!(found.as_deref(), old.map(|old| &old[..]), "{case}: {error}");
                    errors += 1;
                }
            }
            if let Fault::From(_) = fault(n) {
                // What could not be removed then goes with the next save.
                write(&path).unwrap();
            }
            let left: &[&str] = if path.exists() { &[name] } else { &[] };
            assert_eq!(names(folder.path()), left, "{case}");
            if failed == 0 {
                break;
            }
        }
        let expected = match fault(0) {
            Fault::Interrupted(_) => errors == 0,
            // The file is made, written, synced and renamed.
            _ => errors >= 4,
        };
        assert!(expected, "{name}, {:?}: {errors} errors", fault(0));
    }
}

#[test]
fn weights_and_checkpoints() {
    let model = model(&Reference::<f64>::new(), 1, Adam::new(0.1));
    at_every_call("weights.st", |path| model.save_weights(path));
    let vocabulary = VocabularyBuilder::new().fit([(0..2000).map(|i| format!("word{i}"))]).unwrap();
    let extras = Extras::new().with("vocabulary", &vocabulary).unwrap();
    at_every_call("run.st", |path| model.save_checkpoint(path, &History::default(), &extras));
}

#[test]
fn word_vectors() {
    let words: Vec<String> = (0..3000).map(|i| format!("word{i}")).collect();
    let numbers: Vec<f32> = (0..6000).map(|i| i as f32 / 7.0).collect();
    let vectors = WordVectors::new(&words, 2, &numbers).unwrap();
    for format in [VectorFormat::Word2vecText, VectorFormat::Word2vecBinary, VectorFormat::Glove] {
        at_every_call("vectors", |path| vectors.write(path, format));
    }
    #[cfg(feature = "gz")]
    at_every_call("vectors.gz", |path| vectors.write(path, VectorFormat::Glove));
}

/// As the examples' `--json` and settings are written.
#[test]
fn any_content() {
    let text = "{\"accuracy\": 0.75}\n".repeat(2000);
    at_every_call("results.json", |path| elman::file::write(path, &text));
    // The system's own full disk, into which writing goes through.
    let full = elman::file::write("/dev/full", &text).unwrap_err().to_string();
    assert_eq!(full, "/dev/full: No space left on device (os error 28)");
    let model = model(&Reference::<f64>::new(), 1, Adam::new(0.1));
    assert_eq!(model.save_weights("/dev/full").unwrap_err().to_string(), full);
}

/// A pipe takes a file as a disk does: the checksums come first and nothing goes back.
#[test]
fn a_pipe_takes_weights() {
    let folder = tempfile::tempdir().unwrap();
    let [pipe, copy, path] = ["pipe", "copy", "weights.st"].map(|name| folder.path().join(name));
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let model = model(&Reference::<f64>::new(), 1, Adam::new(0.1));
    let reader = {
        let (pipe, copy) = (pipe.clone(), copy.clone());
        std::thread::spawn(move || fs::write(copy, fs::read(pipe).unwrap()).unwrap())
    };
    model.save_weights(&pipe).unwrap();
    reader.join().unwrap();
    model.save_weights(&path).unwrap();
    assert_eq!(fs::read(copy).unwrap(), fs::read(path).unwrap());
}
