//! Files of older and newer versions of the library.

use super::{R, bits, folder, model, trained};
use elman::Model;
use elman::checkpoint::Extras;
use elman::training::History;
use serde_json::Value;
use std::path::Path;

/// A file's metadata changed, without checksums.
fn changed(path: &Path, change: impl FnOnce(&mut serde_json::Map<String, Value>)) {
    let bytes = std::fs::read(path).unwrap();
    let (header, arrays) = bytes[8..].split_at(u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize);
    let mut header: Value = serde_json::from_slice(header).unwrap();
    let metadata = header["__metadata__"].as_object_mut().unwrap();
    metadata.remove("elman.checksum");
    metadata.insert("elman.format".into(), "1".into());
    change(metadata);
    let mut header = header.to_string();
    header += &" ".repeat(header.len().next_multiple_of(8) - header.len());
    std::fs::write(path, [&(header.len() as u64).to_le_bytes(), header.as_bytes(), arrays].concat()).unwrap();
}

#[test]
fn files_from_before_load_where_the_program_has_the_code() {
    let (_folder, path) = folder();
    let trained = trained(&R::new());
    trained.save_checkpoint(&path, &History::default(), &Extras::new()).unwrap();
    changed(&path, |metadata| {
        metadata.remove("elman.network").unwrap();
        metadata.remove("elman.version").unwrap();
    });
    let mut again = model(&R::new());
    again.load_weights(&path).unwrap();
    assert_eq!(bits(&again), bits(&trained));
    let mut again = model(&R::new());
    again.load_checkpoint(&path).unwrap();
    assert_eq!(bits(&again), bits(&trained));
    let message = Model::load(&R::new(), &path).unwrap_err().to_string();
    assert!(message.contains("nothing about its network"), "{message}");
}

#[test]
fn of_newer_files_weights_are_read_and_what_is_unknown_is_told() {
    let (_folder, path) = folder();
    let trained = trained(&R::new());
    trained.save_checkpoint(&path, &History::default(), &Extras::new()).unwrap();
    changed(&path, |metadata| {
        metadata.insert("elman.version".into(), "999.0.0".into());
        metadata.insert("elman.invented".into(), "{}".into());
        for key in ["elman.network", "elman.training"] {
            let text = metadata[key].as_str().unwrap().replacen('{', "{\"invented\":1,", 1);
            metadata.insert(key.into(), text.into());
        }
    });
    let mut again = model(&R::new());
    again.load_weights(&path).unwrap();
    assert_eq!(bits(&again), bits(&trained));
    let by = format!("written by version 999.0.0 of the library, this is {}", env!("CARGO_PKG_VERSION"));
    for (error, what) in [
        (Model::load(&R::new(), &path).unwrap_err(), "not the description of a network (unknown field `invented`"),
        (again.load_checkpoint(&path).unwrap_err(), "not the state of a training (unknown field `invented`"),
    ] {
        let message = error.to_string();
        assert!(message.contains(what) && message.contains(&by), "{message}");
    }
    changed(&path, |metadata| drop(metadata.insert("elman.format".into(), "3".into())));
    for error in [Model::load(&R::new(), &path).unwrap_err(), again.load_weights(&path).unwrap_err()] {
        assert!(error.to_string().contains("version 3 of the layout, this library reads 1 and 2"), "{error}");
    }
}
