//! Reads the files of recorded suites; README.md here says what is in them.

use anyhow::{Context, Result, bail};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Numbers with a shape, in double precision whatever they were in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Numbers {
    pub(crate) data: Vec<f64>,
    pub(crate) shape: Vec<usize>,
    /// Whether they were computed in single precision.
    pub(crate) single: bool,
}

impl Numbers {
    pub(crate) fn new(data: Vec<f64>, shape: &[usize]) -> Self {
        assert_eq!(data.len(), shape.iter().product::<usize>(), "a mistake in the test");
        Numbers { data, shape: shape.to_vec(), single: false }
    }

    pub(crate) fn labels(&self) -> Vec<i64> {
        self.data.iter().map(|&x| x as i64).collect()
    }

    /// The same numbers in another shape.
    pub(crate) fn reshaped(&self, shape: &[usize]) -> Self {
        assert_eq!(self.data.len(), shape.iter().product::<usize>(), "a mistake in the test");
        Numbers { shape: shape.to_vec(), ..self.clone() }
    }

    /// Axes in another order.
    pub(crate) fn permuted(&self, axes: &[usize]) -> Self {
        let shape: Vec<usize> = axes.iter().map(|&axis| self.shape[axis]).collect();
        let mut strides = vec![1; self.shape.len()];
        for axis in (1..self.shape.len()).rev() {
            strides[axis - 1] = strides[axis] * self.shape[axis];
        }
        let mut at = vec![0; axes.len()];
        let data = (0..self.data.len()).map(|_| {
            let x = self.data[axes.iter().zip(&at).map(|(&axis, &i)| strides[axis] * i).sum::<usize>()];
            for place in (0..at.len()).rev() {
                at[place] += 1;
                if at[place] < shape[place] {
                    break;
                }
                at[place] = 0;
            }
            x
        });
        let data = data.collect();
        Numbers { data, shape, single: self.single }
    }

    /// An axis moved to the end.
    pub(crate) fn with_last(&self, axis: usize) -> Self {
        let axes: Vec<usize> = (0..self.shape.len()).filter(|&each| each != axis).chain([axis]).collect();
        self.permuted(&axes)
    }

    /// The last axis moved to where it was taken from.
    pub(crate) fn with_last_at(&self, axis: usize) -> Self {
        let last = self.shape.len() - 1;
        let axes: Vec<usize> = (0..axis).chain([last]).chain(axis..last).collect();
        self.permuted(&axes)
    }

    pub(crate) fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Numbers { data: self.data.iter().map(|&x| f(x)).collect(), ..self.clone() }
    }
}

/// A case as the file tells it.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) name: String,
    pub(crate) kind: String,
    /// What patterns are matched with: `<suite>/<name> <label>`.
    pub(crate) title: String,
    args: Value,
}

/// One of the files.
pub(crate) struct Suite {
    pub(crate) name: String,
    pub(crate) cases: Vec<Told>,
    /// The titles of cases that are not recorded.
    pub(crate) others: Vec<String>,
    tensors: BTreeMap<String, Numbers>,
}

/// The folder of this test. A program that was built elsewhere is told where the package is here.
pub(crate) fn folder() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    PathBuf::from(package).join("tests/foreign")
}

impl Suite {
    /// All files, sorted by name.
    pub(crate) fn all() -> Vec<Suite> {
        let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<PathBuf> =
            files.filter(|path| path.extension().is_some_and(|e| e == "safetensors")).collect();
        files.sort();
        files
            .into_iter()
            .map(|path| Suite::open(&path).unwrap_or_else(|e| panic!("{}: {e:#}", path.display())))
            .collect()
    }

    fn open(path: &std::path::Path) -> Result<Suite> {
        let name = path.file_stem().and_then(|stem| stem.to_str()).context("a name")?.to_string();
        let bytes = std::fs::read(path)?;
        let (_, header) = SafeTensors::read_metadata(&bytes)?;
        let metadata = header.metadata().clone().context("metadata")?;
        let list =
            |key: &str| Ok::<Vec<Value>, anyhow::Error>(serde_json::from_str(metadata.get(key).context("a list")?)?);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        let case = |case: Value| {
            let title = format!("{name}/{} {}", text(&case["name"]), text(&case["label"]));
            Told { name: text(&case["name"]), kind: text(&case["kind"]), title, args: case["args"].clone() }
        };
        let cases = list("cases")?.into_iter().map(case).collect();
        let others = list("others")?.iter().map(|other| format!("{name}/{}", text(other))).collect();
        let file = SafeTensors::deserialize(&bytes)?;
        let tensors = file.iter().map(|(key, view)| Ok((key.to_string(), numbers(&view)?)));
        Ok(Suite { tensors: tensors.collect::<Result<_>>()?, name: name.clone(), cases, others })
    }
}

fn numbers(view: &safetensors::tensor::TensorView<'_>) -> Result<Numbers> {
    let words = || view.data().chunks_exact(8).map(|word| word.try_into().unwrap());
    let data = match view.dtype() {
        Dtype::F64 => words().map(f64::from_le_bytes).collect(),
        Dtype::I64 => words().map(|word| i64::from_le_bytes(word) as f64).collect(),
        Dtype::F32 => {
            view.data().chunks_exact(4).map(|word| f64::from(f32::from_le_bytes(word.try_into().unwrap()))).collect()
        }
        other => bail!("{other:?}"),
    };
    Ok(Numbers { data, shape: view.shape().to_vec(), single: view.dtype() == Dtype::F32 })
}

/// A case while it is run. It remembers what was asked for, so that no tensor is passed over in silence.
pub(crate) struct Case<'a> {
    suite: &'a Suite,
    told: &'a Told,
    asked: RefCell<BTreeSet<String>>,
}

impl<'a> Case<'a> {
    pub(crate) fn new(suite: &'a Suite, told: &'a Told) -> Self {
        Case { suite, told, asked: RefCell::default() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.told.name
    }

    pub(crate) fn kind(&self) -> &str {
        &self.told.kind
    }

    pub(crate) fn suite(&self) -> &str {
        &self.suite.name
    }

    /// A tensor, if the case has it.
    pub(crate) fn find(&self, what: &str) -> Option<Numbers> {
        self.asked.borrow_mut().insert(what.to_string());
        self.suite.tensors.get(&format!("{}/{what}", self.name())).cloned()
    }

    /// A tensor.
    pub(crate) fn tensor(&self, what: &str) -> Result<Numbers> {
        self.find(what).with_context(|| format!("no tensor {what}"))
    }

    /// The names of all tensors that begin so, without that beginning, sorted.
    pub(crate) fn tensors(&self, beginning: &str) -> Vec<String> {
        let beginning = format!("{}/{beginning}", self.name());
        let found = self.suite.tensors.range(beginning.clone()..).map(|(name, _)| name);
        found.map_while(|name| name.strip_prefix(&beginning).map(String::from)).collect()
    }

    /// The greatest number in all gradients that were recorded.
    pub(crate) fn greatest_gradient(&self) -> f64 {
        let all =
            self.tensors("grad.").into_iter().map(|what| &self.suite.tensors[&format!("{}/grad.{what}", self.name())]);
        all.flat_map(|gradient| &gradient.data).fold(0.0, |greatest: f64, x| greatest.max(x.abs()))
    }

    /// Says that a tensor means nothing here, with the reason for readers of the test.
    pub(crate) fn pass_over(&self, what: &str, _because: &str) {
        self.asked.borrow_mut().insert(what.to_string());
    }

    /// An option; null where there is none.
    pub(crate) fn option(&self, key: &str) -> &'a Value {
        &self.told.args[key]
    }

    pub(crate) fn number(&self, key: &str) -> Result<f64> {
        number(self.option(key)).with_context(|| format!("no number {key}"))
    }

    pub(crate) fn count(&self, key: &str) -> Result<usize> {
        Ok(self.number(key)? as usize)
    }

    pub(crate) fn text(&self, key: &str) -> Result<&'a str> {
        self.option(key).as_str().with_context(|| format!("no text {key}"))
    }

    /// Whether an option is on.
    pub(crate) fn is(&self, key: &str) -> bool {
        self.option(key).as_bool() == Some(true)
    }

    /// Fails when there is a tensor that was not asked for.
    pub(crate) fn finish(&self) -> Result<()> {
        let passed_over: Vec<String> =
            self.tensors("").into_iter().filter(|what| !self.asked.borrow().contains(what)).collect();
        if passed_over.is_empty() { Ok(()) } else { bail!("the test does not know {passed_over:?}") }
    }
}

/// A number, or `inf`, `-inf` and `nan`, for which JSON has no number.
pub(crate) fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}
