//! All that the library reads, at each call that can fail: an error with the path, and a model that is as it was.

use crate::system::{Fault, failing};
use crate::toy::{bits, model};
use elman::Result;
use elman::checkpoint::Extras;
use elman::data::{TextColumns, read_lines, read_texts};
use elman::optim::Adam;
use elman::text::{VectorFormat, WordVectors};
use elman::training::History;
use elman_reference::Reference;
use std::fs;
use std::path::Path;

fn at_every_call(path: &Path, read: impl Fn(&Path) -> Result<()>) {
    read(path).unwrap();
    let mut errors = 0;
    for fault in [Fault::Once, Fault::Interrupted] {
        for n in 1.. {
            let (found, failed) = failing(fault(n), || read(path));
            if let Err(error) = found {
                let error = error.to_string();
                assert!(failed > 0 && error.starts_with(&format!("{}: ", path.display())), "{:?}: {error}", fault(n));
                assert_eq!(fault(n), Fault::Once(n), "{error}");
                errors += 1;
            }
            if failed == 0 {
                break;
            }
        }
    }
    assert!(errors >= 2, "{errors} errors: opened and read");
}

#[test]
fn texts_and_vectors() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let columns = TextColumns::default();
    // Longer than the readers' buffers.
    let lines = |line: fn(usize) -> String| (0..3000).map(line).collect::<String>();
    let tsv = file("texts.tsv", lines(|i| format!("pos\ttext {i}\n")));
    at_every_call(&tsv, |path| read_texts(path, &columns).map(drop));
    at_every_call(&tsv, |path| read_lines(path).map(drop));
    #[cfg(feature = "csv")]
    at_every_call(&file("texts.csv", "label,text\n".to_string() + &lines(|i| format!("pos,text {i}\n"))), |path| {
        read_texts(path, &columns).map(drop)
    });
    let jsonl = file("texts.jsonl", lines(|i| format!("{{\"label\": \"pos\", \"text\": \"text {i}\"}}\n")));
    at_every_call(&jsonl, |path| read_texts(path, &columns).map(drop));
    at_every_call(&file("vectors", lines(|i| format!("word{i} 1 2\n"))), |path| WordVectors::read(path).map(drop));
    let vectors = WordVectors::new(["a", "b"], 1, &[1.0, 2.0]).unwrap();
    let binary = folder.path().join("binary");
    vectors.write(&binary, VectorFormat::Word2vecBinary).unwrap();
    at_every_call(&binary, |path| WordVectors::read(path).map(drop));
    #[cfg(feature = "gz")]
    {
        let compressed = folder.path().join("vectors.gz");
        vectors.write(&compressed, VectorFormat::Glove).unwrap();
        at_every_call(&compressed, |path| WordVectors::read(path).map(drop));
    }
}

#[test]
fn models() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.st");
    let build = |seed| model(&Reference::<f64>::new(), seed, Adam::new(0.1));
    build(1).save_checkpoint(&path, &History::default(), &Extras::new()).unwrap();
    let before = bits(&build(2), &History::default());
    let unchanged = |path: &Path, load: fn(&mut elman::Model<Reference<f64>>, &Path) -> Result<()>| {
        let mut model = build(2);
        let loaded = load(&mut model, path);
        assert_eq!(bits(&model, &History::default()) == before, loaded.is_err());
        loaded
    };
    at_every_call(&path, |path| unchanged(path, |model, path| model.load_weights(path)));
    at_every_call(&path, |path| unchanged(path, |model, path| model.load_checkpoint(path).map(drop)));
    at_every_call(&path, |path| Extras::read(path).map(drop));
}
