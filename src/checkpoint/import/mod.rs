//! Weights from PyTorch and Keras by named mappings: which layer's weights are found where, and how they are turned.

mod host;
mod keras;
mod pytorch;

use super::partial::{LoadReport, below};
use super::reader::TensorFile;
use super::weights::fitting;
use crate::backend::Backend;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::model::Model;
use crate::shape::Shape;
use host::Host;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What kind of layer weights are of: it decides what they are called and how they are turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `nn.Linear`, Keras' `Dense`: `kernel`, `bias`.
    Linear,
    /// `nn.Embedding`, Keras' `Embedding`: `embeddings`.
    Embedding,
    /// `nn.LayerNorm`, Keras' `LayerNormalization`: `gamma`, `beta`.
    LayerNorm,
    /// `nn.RNN`, Keras' `SimpleRNN`: `kernel`, `recurrent_kernel`, `bias`.
    Rnn,
    /// `nn.LSTM`, Keras' `LSTM`: the same, gates in the order i, f, c, o.
    Lstm,
    /// `nn.GRU`, Keras' `GRU`: the same, gates in the order z, r, h; with the reset gate after the product also
    /// `recurrent_bias`. PyTorch knows no other.
    Gru,
}

impl Kind {
    /// How many blocks of `units` columns a recurrent layer's kernels have; `None` of other layers.
    fn gates(self) -> Option<usize> {
        match self {
            Kind::Linear | Kind::Embedding | Kind::LayerNorm => None,
            Kind::Rnn => Some(1),
            Kind::Gru => Some(3),
            Kind::Lstm => Some(4),
        }
    }

    /// Errors for a recurrent kernel that is not one of this kind. It tells the kinds apart where the shapes of the layer
    /// here do not: a GRU's weights, taken for an LSTM's, would fit a GRU with their gates in PyTorch's order.
    fn check_recurrent(self, kernel: &Host) -> Result<()> {
        let Some(gates) = self.gates() else { return Ok(()) };
        let units = kernel.shape.first().copied().unwrap_or(0);
        let expected = [units, units.saturating_mul(gates)];
        if kernel.shape == expected {
            return Ok(());
        }
        let expected = format!("a recurrent kernel of shape {expected:?}, which {self:?} has");
        Err(Error::invalid("import", expected, format!("one of shape {:?}", kernel.shape)))
    }
}

/// A layer of another library's model and the layer here that takes its weights.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Mapping {
    from: String,
    to: String,
    kind: Kind,
    layer: usize,
}

impl Mapping {
    /// From the path of a module in a `state_dict` (`encoder.lstm`) or of a layer in Keras' variables' paths
    /// (`sequential/lstm`) to the path of a layer here. A bidirectional layer is known by its weights and goes to the
    /// two layers `forward` and `backward` at that path.
    pub fn new(from: impl Into<String>, to: impl Into<String>, kind: Kind) -> Self {
        Mapping { from: from.into(), to: to.into(), kind, layer: 0 }
    }

    /// Which of the stacked layers of a recurrent module of PyTorch's (`num_layers`) is meant, from 0: each goes to a
    /// layer of its own here.
    pub fn layer(self, layer: usize) -> Self {
        Mapping { layer, ..self }
    }
}

/// Arrays by name, wherever they are.
trait Source {
    /// An array; `None` where there is none of this name.
    fn find(&mut self, name: &str) -> Result<Option<Host>>;

    /// All names.
    fn names(&self) -> Vec<String>;

    /// An array that must be there.
    fn need(&mut self, name: &str) -> Result<Host> {
        let names = self.names();
        self.find(name)?.ok_or_else(|| {
            let expected = format!("a file with `{name}`");
            Error::invalid("import", expected, format!("one with {}", names.join(", ")))
        })
    }
}

/// A file, and what of it has been used.
struct Used {
    file: TensorFile,
    names: BTreeSet<String>,
    used: BTreeSet<String>,
}

impl Source for Used {
    fn find(&mut self, name: &str) -> Result<Option<Host>> {
        if !self.names.contains(name) {
            return Ok(None);
        }
        self.used.insert(name.to_string());
        let (shape, data) = self.file.read(name)?;
        Ok(Some(Host { shape, data }))
    }

    fn names(&self) -> Vec<String> {
        self.names.iter().cloned().collect()
    }
}

/// What a library's convention makes of a mapping: arrays by our names.
type Convert = fn(&Mapping, &mut dyn Source) -> Result<Vec<(String, Host)>>;

impl<B: Backend> Model<B> {
    /// Takes over weights of a PyTorch model: a `state_dict` in a safetensors file, as
    /// `safetensors.torch.save_file(model.state_dict(), path)` writes it. Matrices are transposed, gates brought into
    /// their order here, and the two biases of a recurrent layer added where here there is one.
    ///
    /// Errors, and nothing is changed then: weights that a mapping needs and the file does not have; recurrent ones with
    /// another number of gates than the mapping's kind has; for the layers mapped to, parameters that get no weights,
    /// weights without a parameter, and other shapes (all names are listed).
    ///
    /// ```no_run
    /// # fn run(model: &mut elman::Model<elman_reference::Reference<f32>>) -> elman::Result<()> {
    /// use elman::checkpoint::{Kind, Mapping};
    /// model.import_pytorch(
    ///     "tagger.safetensors",
    ///     &[
    ///         Mapping::new("words", "embedding", Kind::Embedding),
    ///         Mapping::new("rnn", "lstm", Kind::Lstm),
    ///         Mapping::new("rnn", "lstm_1", Kind::Lstm).layer(1),
    ///         Mapping::new("out", "dense", Kind::Linear),
    ///     ],
    /// )?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn import_pytorch(&mut self, path: impl AsRef<Path>, mappings: &[Mapping]) -> Result<LoadReport> {
        self.import(path.as_ref(), mappings, pytorch::convert)
    }

    /// Takes over weights of a Keras 3 model from a safetensors file whose names are the variables' paths
    /// (`{v.path: v.numpy() for v in model.variables}`). Shapes and gates are the same here; of a GRU with `reset_after`
    /// the two rows of the bias become `bias` and `recurrent_bias`. Errors as [`Model::import_pytorch`].
    pub fn import_keras(&mut self, path: impl AsRef<Path>, mappings: &[Mapping]) -> Result<LoadReport> {
        self.import(path.as_ref(), mappings, keras::convert)
    }

    fn import(&mut self, path: &Path, mappings: &[Mapping], convert: Convert) -> Result<LoadReport> {
        let file = TensorFile::open(path)?;
        let names = file.shapes().into_keys().collect();
        let mut source = Used { file, names, used: BTreeSet::new() };
        let (mut found, mut superfluous, mut mismatched) = (BTreeMap::new(), Vec::new(), Vec::new());
        for mapping in mappings {
            let converted = convert(mapping, &mut source);
            for (name, array) in converted.map_err(|e| e.at(path.display()))? {
                match self.params().iter().find(|param| param.name() == name) {
                    None => superfluous.push(name),
                    Some(param) if param.shape()[..] != array.shape[..] => {
                        mismatched.push(format!("{name} ({:?} for {})", array.shape, param.shape()));
                    }
                    Some(_) if found.contains_key(&name) => superfluous.push(format!("{name} (twice)")),
                    Some(_) => drop(found.insert(name, array)),
                }
            }
        }
        let (mut report, mut missing) = (LoadReport::default(), Vec::new());
        for name in self.params().iter().map(|param| param.name().to_string()) {
            let wanted = mappings.iter().any(|mapping| below(&name, &mapping.to).is_some());
            match (found.contains_key(&name), wanted) {
                (true, _) => report.loaded.push(name),
                // One of another shape is in the error already.
                (false, true) if !mismatched.iter().any(|m| m.starts_with(&format!("{name} ("))) => missing.push(name),
                (false, _) => report.kept.push(name),
            }
        }
        fitting(missing, superfluous, mismatched)?;
        report.unused = source.names.difference(&source.used).cloned().collect();
        let b = self.backend();
        let upload = |(name, host): (String, Host)| {
            let numbers = host.data.into_iter().map(B::Elem::from_f64).collect();
            Ok((name, b.upload(numbers, Shape::new(&host.shape)?)?))
        };
        let arrays = found.into_iter().map(upload).collect::<Result<_>>()?;
        self.put_weights(arrays)?;
        Ok(report)
    }
}

/// A layer's parameter by its path.
fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}

#[cfg(test)]
impl Source for BTreeMap<String, Host> {
    fn find(&mut self, name: &str) -> Result<Option<Host>> {
        Ok(self.get(name).cloned())
    }

    fn names(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }
}
