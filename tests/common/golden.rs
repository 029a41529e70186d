//! Reads the numbers that other libraries computed; tests/golden/README.md says what is in the files.

use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use std::path::PathBuf;

/// One of the files.
pub(crate) struct Golden {
    bytes: Vec<u8>,
    /// Its cases, sorted by name.
    pub(crate) cases: Vec<Case>,
}

/// What was computed, and with what options.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) args: Value,
}

impl Golden {
    /// The file `<name>.safetensors`.
    pub(crate) fn open(name: &str) -> Golden {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.safetensors"));
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let cases =
            header.metadata().as_ref().and_then(|metadata| metadata.get("cases")).expect("cases in the metadata");
        let cases: Vec<Value> = serde_json::from_str(cases).unwrap();
        let text = |case: &Value, key: &str| case[key].as_str().unwrap().to_string();
        let case = |c: Value| Case { name: text(&c, "name"), kind: text(&c, "kind"), args: c["args"].clone() };
        Golden { cases: cases.into_iter().map(case).collect(), bytes }
    }

    /// The tensor `<case>/<what>` with its shape, labels as numbers too; `None` if the case has none.
    pub(crate) fn tensor(&self, case: &Case, what: &str) -> Option<(Vec<f64>, Vec<usize>)> {
        let file = SafeTensors::deserialize(&self.bytes).unwrap();
        let view = file.tensor(&format!("{}/{what}", case.name)).ok()?;
        let words = view.data().chunks_exact(8).map(|word| word.try_into().unwrap());
        let numbers = match view.dtype() {
            Dtype::F64 => words.map(f64::from_le_bytes).collect(),
            Dtype::I64 => words.map(|word| i64::from_le_bytes(word) as f64).collect(),
            other => panic!("{}/{what}: {other:?}", case.name),
        };
        Some((numbers, view.shape().to_vec()))
    }
}

impl Case {
    /// A number among the options.
    #[track_caller]
    pub(crate) fn number(&self, key: &str) -> f64 {
        self.args[key].as_f64().unwrap_or_else(|| panic!("{}: no number {key}", self.name))
    }

    /// Whether an option is on.
    pub(crate) fn is(&self, key: &str) -> bool {
        self.args[key].as_bool() == Some(true)
    }
}
