//! A model from its file alone: what the file says of its network, written and read.

use super::Extras;
use super::differences::differences;
use super::manifest::{EXTRA, check_version, own};
use super::reader::TensorFile;
use super::weights::{upload, weight_shapes};
use super::writer::{Entry, write};
use crate::backend::Backend;
use crate::description::Description;
use crate::error::{Error, Result};
use crate::layers::Spec;
use crate::model::Model;
use crate::registry::Registry;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Key of the [`Network`] in the metadata.
pub(super) const NETWORK: &str = "elman.network";

/// What a file says of its model, but for the numbers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Network {
    input: Spec,
    seed: u64,
    network: Description,
    /// Names of the parameters that are not trained.
    #[serde(default)]
    frozen: Vec<String>,
    /// What it was compiled with, where both describe themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compiled: Option<CompiledEntry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CompiledEntry {
    optimizer: Description,
    loss: Description,
    /// Those that describe themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    metrics: Vec<MetricEntry>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricEntry {
    metric: Description,
    /// Whether it counts rows by their weights.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    weighted: bool,
}

impl<B: Backend> Model<B> {
    /// Writes the model as a whole: the network and its weights, and what it was compiled with. [`Model::load`] needs nothing
    /// but the file. Written whole or not at all, as [`Model::save_weights`] does.
    ///
    /// The optimiser's state and the history are not in it: see [`Model::save_checkpoint`], whose files [`Model::load`] takes
    /// too. A metric that does not describe itself is left out, and where the optimiser or the loss does not, all of them are; the
    /// model is then not compiled when it is loaded.
    ///
    /// Errors, before anything is written, when a layer does not describe itself
    /// ([`Layer::describe`](crate::layers::Layer::describe)), by its path.
    ///
    /// ```
    /// use elman::data::Inputs;
    /// use elman::layers::{Dense, Sequential};
    /// use elman::{Activation, Model, Spec};
    /// use elman_reference::Reference;
    /// # let folder = tempfile::tempdir().map_err(|e| elman::Error::io("", e))?;
    /// # let path = folder.path().join("model.safetensors");
    ///
    /// let backend = Reference::<f32>::new();
    /// let network = Sequential::new().add(Dense::new(3).activation(Activation::Softmax));
    /// let model = network.build(&backend, Spec::dense(&[2]), 7)?;
    /// model.save(&path)?;
    ///
    /// let loaded = Model::load(&backend, &path)?;
    /// let inputs = Inputs::rows(&[[1.0, 2.0]])?;
    /// assert_eq!(loaded.predict(&inputs, 1)?, model.predict(&inputs, 1)?);
    /// # Ok::<(), elman::Error>(())
    /// ```
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        self.save_with(path, &Extras::new())
    }

    /// [`Model::save`] with what else a program needs to answer from raw text: vocabulary, tokenizer, names of classes.
    /// [`Extras::read`] reads them back.
    pub fn save_with(&self, path: impl AsRef<Path>, extras: &Extras) -> Result<()> {
        let mut metadata = own();
        let json = text(self)?;
        metadata.insert(NETWORK.into(), json);
        metadata.extend(extras.texts().map(|(name, text)| (format!("{EXTRA}{name}"), text.to_string())));
        let entries = self.weights().map(|(name, array)| Entry::array(name, array)).collect();
        write(path.as_ref(), self.backend(), &metadata, entries)
    }

    /// The model that a file holds, be it of [`Model::save`] or a checkpoint: [`Registry::load`] with the library's kinds.
    pub fn load(backend: &B, path: impl AsRef<Path>) -> Result<Self> {
        Registry::new().load(backend, path)
    }
}

impl<B: Backend> Registry<B> {
    /// The model that a file holds: it predicts what it predicted. Nothing is drawn.
    ///
    /// It is compiled where the file says with what, with a fresh optimiser and the metrics ([`Model::compiled_mut`] adds others).
    /// Where the registry does not know the loss or the rule it is not, with a warning through crate `log`: to answer, a model
    /// needs neither. A metric that it does not know is left out, with a warning too. To go on with the training of a checkpoint, load it so and then give the file to
    /// [`Model::load_checkpoint`] or [`Fit::resume_from`](crate::Fit::resume_from).
    ///
    /// Numbers of other precisions are converted. Errors: a file without the description of its network (of weights alone, of
    /// another library, of an older version); kinds and options that the registry does not know, by path; arrays that are not the
    /// network's.
    pub fn load(&self, backend: &B, path: impl AsRef<Path>) -> Result<Model<B>> {
        let mut file = TensorFile::open(path.as_ref())?;
        check_version(&file)?;
        let place = path.as_ref().display();
        let Network { input, seed, network, frozen, compiled } = read(&file)?;
        let layer = self.read_layer(&network).map_err(|e| e.at(&place))?;
        let compiled = compiled.map(|compiled| {
            let loss = self.read_loss(&compiled.loss)?;
            self.read_optimizer(&compiled.optimizer).map(|optimizer| (optimizer, loss, compiled.metrics))
        });
        // Answers do not need it.
        let compiled = compiled.transpose().unwrap_or_else(|error| {
            log::warn!("{place}: the model is not compiled: {error}");
            None
        });
        let names = weight_shapes(&file).into_keys();
        let weights = names.map(|name| upload(backend, &mut file, &name).map(|array| (name, array)));
        let weights = weights.collect::<Result<_>>()?;
        let mut model = Model::of_weights(backend, &*layer, input, seed, weights).map_err(|e| e.at(&place))?;
        for param in model.params_mut() {
            let trainable = !frozen.iter().any(|name| name == param.name());
            param.set_trainable(trainable);
        }
        if let Some((optimizer, loss, metrics)) = compiled {
            let compiled = model.compile_boxed(optimizer, loss);
            for MetricEntry { metric, weighted } in metrics {
                match self.read_metric(&metric) {
                    Ok(metric) => {
                        compiled.metrics.push(metric);
                        compiled.weighted.push(weighted);
                    }
                    Err(error) => log::warn!("{place}: a metric is left out: {error}"),
                }
            }
        }
        Ok(model)
    }
}

/// A model's description for its file.
fn text<B: Backend>(model: &Model<B>) -> Result<String> {
    let compiled = model.compiled().ok().and_then(|compiled| {
        let metrics = compiled.metrics.iter().map(|metric| metric.describe().ok()).zip(&compiled.weighted);
        let metrics =
            metrics.filter_map(|(metric, &weighted)| Some(MetricEntry { metric: metric?, weighted })).collect();
        Some(CompiledEntry {
            optimizer: compiled.optimizer.describe().ok()?,
            loss: compiled.loss.describe().ok()?,
            metrics,
        })
    });
    let network = Network {
        input: model.input().clone(),
        seed: model.seed(),
        network: model.describe()?,
        frozen: model.params().iter().filter(|p| !p.is_trainable()).map(|p| p.name().to_string()).collect(),
        compiled,
    };
    serde_json::to_string(&network).map_err(|e| Error::invalid("model", "a description that JSON can hold", e))
}

/// The metadata of a file of weights or of a checkpoint: the network is described where it can be.
pub(super) fn metadata<B: Backend>(model: &Model<B>) -> impl Iterator<Item = (String, String)> {
    let network = text(model).ok().map(|text| (NETWORK.to_string(), text));
    own().into_iter().chain(network)
}

fn read(file: &TensorFile) -> Result<Network> {
    let Some(text) = file.metadata(NETWORK) else {
        let why = "nothing about its network (weights alone, of another library or of a network that cannot be described): \
                   build the network, and `load_weights` takes them";
        return Err(file.invalid(why));
    };
    serde_json::from_str(text).map_err(|e| file.not_as_written("the description of a network", e))
}

/// How the network that a file says its weights are of differs from a model's. Nothing, where one of them is not described.
pub(super) fn other_network<B: Backend>(model: &Model<B>, file: &TensorFile) -> Vec<String> {
    // Of a newer version there may be more than can be read here, which is nothing to the weights.
    let described = file.metadata(NETWORK).and_then(|text| serde_json::from_str::<Description>(text).ok());
    match (model.describe(), described.as_ref().and_then(|entry| entry.get("network"))) {
        (Ok(model), Some(file)) => differences(&model, file),
        _ => Vec::new(),
    }
}
