//! Weights and trainings in safetensors files, ours and those of PyTorch and Keras.

use super::Target;
use crate::mutate::{Shape, tensors};
use crate::place::Place;
use elman::checkpoint::{Checkpoint, Extras, Kind, Mapping, PartialLoad};
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::{Dense, Dropout, Embedding, Gru, LayerNorm, Lstm, Sequential};
use elman::loss::SparseCategoricalCrossEntropy;
use elman::metrics::Accuracy;
use elman::optim::{Adam, Optimizer};
use elman::training::callbacks::{EarlyStopping, ReduceOnPlateau};
use elman::training::{Fit, History};
use elman::{Activation, Model, Result, Spec};
use elman_reference::Reference;
use std::path::{Path, PathBuf};

type R = Reference<f64>;

const WORDS: &[&str] = &[
    "__metadata__",
    "elman.format",
    "elman.training",
    "elman.checksum",
    "elman.extra.words",
    "1",
    "2",
    "dtype",
    "shape",
    "data_offsets",
    "F32",
    "F64",
    "F16",
    "BF16",
    "U8",
    "BOOL",
    "dense.kernel",
    "dense.bias",
    "dense_1.kernel",
    "dense_1.bias",
    "@optimizer/dense.kernel/momentum",
    "@callback/0/dense.kernel",
    "@metric/0",
    "precision",
    "seed",
    "steps",
    "epochs",
    "frozen",
    "optimizer",
    "rule",
    "calls",
    "iteration",
    "learning_rate",
    "accumulated",
    "params",
    "name",
    "updates",
    "arrays",
    "epoch_logs",
    "values",
    "stopped",
    "callbacks",
    "value",
    "best",
    "waited",
    "position",
    "batch",
    "batch_size",
    "samples",
    "shuffle",
    "training_time",
    "secs",
    "nanos",
    "tally",
    "loss_sum",
    "astray",
    "metrics",
    "inf",
    "-inf",
    "0x7ff8000000000000",
    "nan",
    "0.1",
];

pub(crate) const WEIGHTS: Target =
    Target { name: "weights", shape: Shape::Tensors, words: WORDS, seeds: || trained(true), run: weights };

pub(crate) const TRAINING: Target =
    Target { name: "training", shape: Shape::Tensors, words: WORDS, seeds: || trained(false), run: training };

pub(crate) const MANIFEST: Target = Target {
    name: "manifest",
    shape: Shape::Json,
    words: WORDS,
    seeds: || trained(false).iter().filter_map(|file| manifest_of(file)).collect(),
    run: manifest,
};

fn build(seed: u64) -> Model<R> {
    let layers = Sequential::new()
        .add(Dense::new(3).activation(Activation::Tanh))
        .add(Dropout::new(0.3))
        .add(Dense::new(2).activation(Activation::Softmax));
    let mut model = layers.build(&R::new(), Spec::dense(&[2]), seed).expect("a sound network");
    let optimizer = Optimizer::new(Adam::new(0.05)).accumulate(2);
    model.compile(optimizer, SparseCategoricalCrossEntropy::new()).metric(Accuracy::new());
    model
}

fn data() -> Dataset {
    let rows: Vec<[f32; 2]> = (0..6).map(|i| [i as f32 / 3.0 - 1.0, (i % 2) as f32]).collect();
    let inputs = Inputs::rows(&rows).expect("sound rows");
    Dataset::new(inputs, Targets::classes(vec![0, 1, 0, 1, 1, 0]).expect("sound classes")).expect("as many of both")
}

fn fit() -> Fit<'static, R> {
    let fit = Fit::new().epochs(3).batch_size(2).validation_split(0.2).quiet();
    fit.callback(ReduceOnPlateau::new("val_loss").patience(1)).callback(EarlyStopping::new("val_loss").restore_best())
}

/// Files of a training: with and without checksums, within an epoch and between two; or of weights alone, too.
fn trained(weights: bool) -> Vec<Vec<u8>> {
    let place = Place::new(if weights { "weights-seed" } else { "training-seed" });
    let extras = Extras::new().with("words", &["grain", "trade"]).expect("words in JSON");
    let checkpoint = Checkpoint::new(place.path("run.st")).every_steps(1).keep(99).extras(extras);
    let mut model = build(1);
    model.fit(&data(), fit().checkpoint(checkpoint.clone())).expect("a training");
    // The first batch ends within an epoch, the last does not.
    let last = checkpoint.latest().ok().flatten().expect("a last checkpoint");
    let read = |path: PathBuf| std::fs::read(path).expect("a checkpoint");
    let mut files: Vec<Vec<u8>> = [place.path("run.step-1.st"), last].map(read).into();
    if weights {
        model.save_weights(place.path("weights.st")).expect("room for weights");
        files.push(std::fs::read(place.path("weights.st")).expect("what was written"));
    }
    let old: Vec<Vec<u8>> = files.iter().filter_map(|file| tensors::without_checksums(file)).collect();
    // Changes that are seen at once tell little: most files are without checksums.
    [old.clone(), old, files].concat()
}

/// Every bit of the weights.
fn bits(model: &Model<R>) -> Vec<u64> {
    let numbers = |param: &elman::Param<R>| param.tensor().to_vec().expect("numbers of the host");
    model.params().iter().flat_map(numbers).map(f64::to_bits).collect()
}

/// Lets `load` change a model. Upon an error it has to be as it was.
fn load<T>(place: &Place, bytes: &[u8], load: impl FnOnce(&mut Model<R>, &Path) -> Result<T>) -> Option<(Model<R>, T)> {
    let mut model = build(2);
    let before = bits(&model);
    let loaded = place.read("file.st", bytes, |path| load(&mut model, path));
    let Ok(loaded) = loaded else {
        assert_eq!(bits(&model), before, "an error has changed the model");
        return None;
    };
    Some((model, loaded))
}

fn weights(place: &Place, bytes: &[u8]) {
    let loaded = load(place, bytes, |model, path| model.load_weights(path));
    let anything = PartialLoad::new().missing_ok().superfluous_ok();
    let part = load(place, bytes, |model, path| model.load_weights_partial(path, &anything));
    assert!(loaded.is_none() || part.is_some(), "all weights can be read, a part of them cannot");
    let moved = PartialLoad::new().prefix("dense", "dense_1").prefix("", "dense").superfluous_ok();
    load(place, bytes, |model, path| model.load_weights_partial(path, &moved));
    if let Ok(extras) = place.read("file.st", bytes, |path| Extras::read(path)) {
        extras.names().for_each(|name| drop(extras.get::<Vec<String>>(name)));
    }
    if let Some((model, ())) = loaded {
        let path = place.path("again.st");
        model.save_weights(&path).expect("room for weights");
        let mut again = build(3);
        again.load_weights(&path).unwrap_or_else(|error| panic!("what was saved cannot be loaded: {error}"));
        assert_eq!(bits(&again), bits(&model), "what was loaded does not come back");
        assert!(model.predict(data().inputs(), 4).is_ok());
    }
}

fn training(place: &Place, bytes: &[u8]) {
    if let Some((model, (history, extras))) = load(place, bytes, |model, path| model.load_checkpoint(path)) {
        let path = place.path("again.st");
        model.save_checkpoint(&path, &history, &extras).expect("room for a checkpoint");
        let mut again = build(3);
        let read = again.load_checkpoint(&path);
        let (same, others) = read.unwrap_or_else(|error| panic!("what was saved cannot be loaded: {error}"));
        assert!(others == extras && bits(&again) == bits(&model), "what was loaded does not come back");
        assert_eq!(text(&same), text(&history), "another history comes back");
    }
    // Going on trains, which may change the model and then fail: a rate of infinity, say.
    let mut model = build(2);
    let _ = place.read("file.st", bytes, |path| model.fit(&data(), fit().resume_from(path)));
}

/// A history but for its times, NaN included.
fn text(history: &History) -> String {
    let epoch = |log: &elman::training::EpochLog| {
        let values: Vec<_> = log.values.iter().map(|(name, value)| (name.clone(), value.to_bits())).collect();
        format!("{} {values:?} {} {}", log.epoch, log.learning_rate.to_bits(), log.samples)
    };
    format!("{:?} {:?}", history.epochs.iter().map(epoch).collect::<Vec<_>>(), history.stopped)
}

fn manifest_of(file: &[u8]) -> Option<Vec<u8>> {
    let (header, _) = tensors::unpack(file)?;
    Some(header["__metadata__"]["elman.training"].as_str()?.as_bytes().to_vec())
}

/// A manifest in a checkpoint whose arrays are sound.
fn manifest(place: &Place, bytes: &[u8]) {
    use std::sync::OnceLock;
    static FILES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for file in &FILES.get_or_init(|| trained(false))[..2] {
        let (mut header, arrays) = tensors::unpack(file).expect("a checkpoint");
        header["__metadata__"]["elman.training"] = text.into();
        training(place, &tensors::pack(&header, arrays));
    }
}

pub(crate) const PYTORCH: Target = Target {
    name: "pytorch",
    shape: Shape::Tensors,
    words: &[
        "weight",
        "bias",
        "words.weight",
        "rnn.weight_ih_l0",
        "rnn.weight_hh_l0",
        "rnn.bias_ih_l0",
        "rnn.bias_hh_l0",
        "gru.weight_ih_l0",
        "gru.weight_hh_l0",
        "gru.weight_ih_l0_reverse",
        "gru.weight_ih",
        "norm.weight",
        "norm.bias",
        "out.weight",
        "out.bias",
        "F16",
        "BF16",
        "F64",
        "__metadata__",
        "format",
        "pt",
        "shape",
        "dtype",
        "data_offsets",
    ],
    seeds: || {
        let shapes: [(&str, &[usize]); 13] = [
            ("gru.bias_hh_l0", &[6]),
            ("gru.bias_ih_l0", &[6]),
            ("gru.weight_hh_l0", &[6, 2]),
            ("gru.weight_ih_l0", &[6, 2]),
            ("norm.bias", &[2]),
            ("norm.weight", &[2]),
            ("out.bias", &[1]),
            ("out.weight", &[1, 2]),
            ("rnn.bias_hh_l0", &[8]),
            ("rnn.bias_ih_l0", &[8]),
            ("rnn.weight_hh_l0", &[8, 2]),
            ("rnn.weight_ih_l0", &[8, 3]),
            ("words.weight", &[4, 3]),
        ];
        vec![tensors::file(&shapes)]
    },
    run: |place, bytes| {
        let mappings = mappings(["words", "rnn", "gru", "norm", "out"]);
        import(place, bytes, |model, path| model.import_pytorch(path, &mappings));
        // A part alone, as a program does that takes an embedding over.
        import(place, bytes, |model, path| model.import_pytorch(path, &mappings[..1]));
        import(place, bytes, |model, path| model.import_pytorch(path, &[mappings[1].clone().layer(1)]));
    },
};

pub(crate) const KERAS: Target = Target {
    name: "keras",
    shape: Shape::Tensors,
    words: &[
        "m/words/embeddings",
        "m/rnn/lstm_cell/kernel",
        "m/rnn/lstm_cell/recurrent_kernel",
        "m/rnn/lstm_cell/bias",
        "m/gru/forward_gru/gru_cell/kernel",
        "m/gru/gru_cell/kernel",
        "m/norm/gamma",
        "m/norm/beta",
        "m/out/kernel",
        "m/out/bias",
        "F16",
        "BF16",
        "F64",
        "__metadata__",
        "shape",
        "dtype",
        "data_offsets",
    ],
    seeds: || {
        let shapes: [(&str, &[usize]); 11] = [
            ("m/gru/gru_cell/bias", &[2, 6]),
            ("m/gru/gru_cell/kernel", &[2, 6]),
            ("m/gru/gru_cell/recurrent_kernel", &[2, 6]),
            ("m/norm/beta", &[2]),
            ("m/norm/gamma", &[2]),
            ("m/out/bias", &[1]),
            ("m/out/kernel", &[2, 1]),
            ("m/rnn/lstm_cell/bias", &[8]),
            ("m/rnn/lstm_cell/kernel", &[3, 8]),
            ("m/rnn/lstm_cell/recurrent_kernel", &[2, 8]),
            ("m/words/embeddings", &[4, 3]),
        ];
        vec![tensors::file(&shapes)]
    },
    run: |place, bytes| {
        let mappings = mappings(["m/words", "m/rnn", "m/gru", "m/norm", "m/out"]);
        import(place, bytes, |model, path| model.import_keras(path, &mappings));
        import(place, bytes, |model, path| model.import_keras(path, &mappings[..1]));
    },
};

fn mappings([words, rnn, gru, norm, out]: [&str; 5]) -> [Mapping; 5] {
    [
        Mapping::new(words, "embedding", Kind::Embedding),
        Mapping::new(rnn, "lstm", Kind::Lstm),
        Mapping::new(gru, "gru", Kind::Gru),
        Mapping::new(norm, "layer_norm", Kind::LayerNorm),
        Mapping::new(out, "dense", Kind::Linear),
    ]
}

fn import<T>(place: &Place, bytes: &[u8], load: impl FnOnce(&mut Model<R>, &Path) -> Result<T>) {
    let layers = Sequential::new()
        .add(Embedding::new(4, 3))
        .add(Lstm::new(2).return_sequences())
        .add(Gru::new(2))
        .add(LayerNorm::new())
        .add(Dense::new(1));
    let mut model = layers.build(&R::new(), Spec::Indices(None), 0).expect("a sound network");
    let before = bits(&model);
    if place.read("file.st", bytes, |path| load(&mut model, path)).is_err() {
        assert_eq!(bits(&model), before, "an error has changed the model");
    }
}
