//! Reads the numbers that other libraries computed; tests/golden/README.md says what is in the files.

use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// One of the files.
pub(crate) struct Golden {
    /// Numbers and shape of each tensor, labels as numbers too.
    tensors: BTreeMap<String, (Vec<f64>, Vec<usize>)>,
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

/// The path of a file. A program that was built elsewhere is told where the package is here.
pub(crate) fn file(name: &str) -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    PathBuf::from(package).join("tests/golden").join(format!("{name}.safetensors"))
}

impl Golden {
    /// The file `<name>.safetensors`.
    pub(crate) fn open(name: &str) -> Golden {
        let path = file(name);
        let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let cases =
            header.metadata().as_ref().and_then(|metadata| metadata.get("cases")).expect("cases in the metadata");
        let cases: Vec<Value> = serde_json::from_str(cases).unwrap();
        let text = |case: &Value, key: &str| case[key].as_str().unwrap().to_string();
        let case = |c: Value| Case { name: text(&c, "name"), kind: text(&c, "kind"), args: c["args"].clone() };
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = file.iter().map(|(name, view)| {
            let words = view.data().chunks_exact(8).map(|word| word.try_into().unwrap());
            let numbers = match view.dtype() {
                Dtype::F64 => words.map(f64::from_le_bytes).collect(),
                Dtype::I64 => words.map(|word| i64::from_le_bytes(word) as f64).collect(),
                other => panic!("{name}: {other:?}"),
            };
            (name.to_string(), (numbers, view.shape().to_vec()))
        });
        Golden { tensors: tensors.collect(), cases: cases.into_iter().map(case).collect() }
    }

    /// The tensor `<case>/<what>` with its shape, labels as numbers too; `None` if the case has none.
    pub(crate) fn tensor(&self, case: &Case, what: &str) -> Option<(Vec<f64>, Vec<usize>)> {
        self.tensors.get(&format!("{}/{what}", case.name)).cloned()
    }

    /// Hands every case to `check`, which must ask for each of its tensors and options: what it passes over fails.
    pub(crate) fn each(&self, check: impl Fn(&Reading<'_>)) {
        for case in &self.cases {
            let reading = Reading { golden: self, case, asked: RefCell::default() };
            check(&reading);
            reading.finish();
        }
    }
}

/// A case while it is compared. It remembers what was asked for, so that nothing in the file is passed over in silence.
pub(crate) struct Reading<'a> {
    golden: &'a Golden,
    case: &'a Case,
    asked: RefCell<BTreeSet<String>>,
}

impl Reading<'_> {
    pub(crate) fn name(&self) -> &str {
        &self.case.name
    }

    /// The greatest number in all gradients of the case but those from above.
    pub(crate) fn greatest_gradient(&self) -> f64 {
        let prefix = format!("{}/", self.name());
        let of_case = self.golden.tensors.range(prefix.clone()..).take_while(|(name, _)| name.starts_with(&prefix));
        let computed = |name: &str| {
            let what = name.rsplit('/').next().unwrap_or(name);
            what.starts_with("grad_") && !what.starts_with("grad_output") && !what.starts_with("grad_state")
        };
        let gradients = of_case.filter(|(name, _)| computed(name)).flat_map(|(_, (numbers, _))| numbers);
        gradients.fold(0.0, |greatest, x| greatest.max(x.abs()))
    }

    pub(crate) fn kind(&self) -> &str {
        &self.case.kind
    }

    /// A tensor with its shape, if the case has it.
    pub(crate) fn find(&self, what: &str) -> Option<(Vec<f64>, Vec<usize>)> {
        self.asked.borrow_mut().insert(what.to_string());
        self.golden.tensor(self.case, what)
    }

    /// A tensor with its shape.
    #[track_caller]
    pub(crate) fn tensor(&self, what: &str) -> (Vec<f64>, Vec<usize>) {
        self.find(what).unwrap_or_else(|| panic!("{}: no tensor {what}", self.name()))
    }

    /// The numbers of a tensor.
    #[track_caller]
    pub(crate) fn numbers(&self, what: &str) -> Vec<f64> {
        self.tensor(what).0
    }

    /// Class labels; a negative one, which marks rows to ignore, as one beyond all classes.
    #[track_caller]
    pub(crate) fn labels(&self, what: &str) -> (Vec<u32>, Vec<usize>) {
        let (numbers, shape) = self.tensor(what);
        (numbers.into_iter().map(label).collect(), shape)
    }

    /// An option; null where there is none.
    pub(crate) fn option(&self, key: &str) -> &Value {
        self.asked.borrow_mut().insert(format!("args.{key}"));
        &self.case.args[key]
    }

    /// A number among the options.
    #[track_caller]
    pub(crate) fn number(&self, key: &str) -> f64 {
        self.option(key).as_f64().unwrap_or_else(|| panic!("{}: no number {key}", self.name()))
    }

    /// A text among the options.
    #[track_caller]
    pub(crate) fn text(&self, key: &str) -> &str {
        self.option(key).as_str().unwrap_or_else(|| panic!("{}: no text {key}", self.name()))
    }

    /// A yes or no among the options.
    #[track_caller]
    pub(crate) fn is(&self, key: &str) -> bool {
        self.option(key).as_bool().unwrap_or_else(|| panic!("{}: no yes or no {key}", self.name()))
    }

    /// Fails when there is a tensor or an option that was not asked for.
    fn finish(&self) {
        let prefix = format!("{}/", self.name());
        let tensors = self.golden.tensors.keys().filter_map(|name| name.strip_prefix(&prefix)).map(String::from);
        let options = self.case.args.as_object().unwrap().keys().map(|key| format!("args.{key}"));
        let passed_over: Vec<String> = tensors.chain(options).filter(|x| !self.asked.borrow().contains(x)).collect();
        assert!(passed_over.is_empty(), "{}: the test does not know {passed_over:?}", self.name());
    }
}

/// A label as the library takes it: a negative one wraps to one beyond all classes.
pub(crate) fn label(number: f64) -> u32 {
    number as i64 as u32
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
