//! Weights in files: what is written is read back, and what is not right is refused as a whole.

use super::toy::{R, classifier, network, numbers, points};
use elman::backend::Backend;
use elman::layers::{Dense, Sequential};
use elman::training::Fit;
use elman::{Error, Model, Spec};
use elman_candle::Candle;
use elman_reference::Reference;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A folder with a file of weights in it, and the model that they are of.
fn saved() -> (tempfile::TempDir, PathBuf, Model<R>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let model = classifier(&R::new(), 1);
    model.save_weights(&path).unwrap();
    (folder, path, model)
}

/// The message without the folder, which has another name each time, after a check that nothing was changed.
fn refused(path: &Path) -> String {
    let mut model = classifier(&R::new(), 2);
    let before = numbers(&model);
    let message = model.load_weights(path).unwrap_err().to_string();
    assert_eq!(before, numbers(&model));
    let folder = format!("{}/", path.parent().unwrap().display());
    message.replace(&folder, "")
}

fn round_trip<B: Backend>(backend: &B) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let mut model = classifier(backend, 1);
    model.fit(&points(20), Fit::new().quiet()).unwrap();
    model.save_weights(&path).unwrap();
    let mut other = classifier(backend, 2);
    other.load_weights(&path).unwrap();
    assert_eq!(numbers(&model), numbers(&other));
    let inputs = points(20);
    assert_eq!(model.predict(inputs.inputs(), 7).unwrap(), other.predict(inputs.inputs(), 7).unwrap());
    // Over a file that is there already, whatever it was.
    std::fs::write(&path, "something else").unwrap();
    model.save_weights(&path).unwrap();
    other.load_weights(&path).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no other file is left behind");
}

#[test]
fn weights_come_back_bit_for_bit() {
    round_trip(&R::new());
    round_trip(&Reference::<f32>::new());
    round_trip(&Candle::cpu());
}

#[test]
fn weights_move_between_backends_and_precisions() {
    let folder = tempfile::tempdir().unwrap();
    let [single, double] = ["single", "double"].map(|name| folder.path().join(name));
    let candle = classifier(&Candle::cpu(), 1);
    candle.save_weights(&single).unwrap();
    let mut wide = classifier(&R::new(), 2);
    wide.load_weights(&single).unwrap();
    for (a, b) in numbers(&candle).iter().flatten().zip(numbers(&wide).iter().flatten()) {
        assert_eq!(f64::from(*a), *b, "every f32 is an f64");
    }
    wide.save_weights(&double).unwrap();
    assert!(double.metadata().unwrap().len() > single.metadata().unwrap().len(), "f64 is kept as f64");
    let mut back = classifier(&Candle::cpu(), 3);
    back.load_weights(&double).unwrap();
    assert_eq!(numbers(&candle), numbers(&back));
}

#[test]
fn the_file_is_an_ordinary_safetensors_file() {
    let (_folder, path, model) = saved();
    let bytes = std::fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut names = file.names();
    names.sort_unstable();
    assert_eq!(names, ["dense.bias", "dense.kernel", "dense_1.bias", "dense_1.kernel"]);
    let kernel = file.tensor("dense.kernel").unwrap();
    let values = kernel.data().chunks(8).map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap()));
    assert_eq!((kernel.shape(), values.collect::<Vec<_>>()), (&[2, 4][..], numbers(&model)[0].clone()));
}

#[test]
fn weights_of_another_model_are_refused_with_all_names() {
    let (_folder, path, _) = saved();
    let other = Sequential::new().add(Dense::new(5)).add_named("last", Dense::new(2).without_bias());
    let mut other = other.build(&R::new(), Spec::dense(&[2]), 0).unwrap();
    let before = numbers(&other);
    let error = other.load_weights(&path).unwrap_err();
    let expected = "weights do not fit the model: another network: \
        `dense`: activation \"linear\" (\"tanh\" in the file), `dense`: units 5 (4 in the file), \
        `last`: activation \"linear\" (\"softmax\" in the file); \
        missing: last.kernel; superfluous: dense_1.bias, dense_1.kernel; \
        of another shape: dense.kernel ([2, 4] for [2, 5]), dense.bias ([4] for [5])";
    assert_eq!(error.to_string(), expected);
    let Error::Weights { network, missing, superfluous, mismatched } = error else { panic!("another kind of error") };
    assert_eq!([network.len(), missing.len(), superfluous.len(), mismatched.len()], [3, 1, 2, 2]);
    assert_eq!(before, numbers(&other));
    // The same strictness without a file: three of four are right, and none of them is taken.
    let (mut model, before) = (classifier(&R::new(), 5), numbers(&classifier(&R::new(), 5)));
    let others = classifier(&R::new(), 6);
    let mut weights: BTreeMap<String, _> =
        others.weights().map(|(name, array)| (name.to_string(), array.clone())).collect();
    weights.remove("dense_1.bias");
    let error = model.set_weights(weights).unwrap_err().to_string();
    assert_eq!(error, "weights do not fit the model: missing: dense_1.bias");
    assert_eq!(before, numbers(&model));
}

#[test]
fn snapshots_of_another_model_are_refused() {
    let mut model = classifier(&R::new(), 0);
    let before = numbers(&model);
    let mut snapshot = classifier(&R::new(), 1).snapshot();
    snapshot[3] = elman::Tensor::full(&R::new(), &[3], 0.0).unwrap().value().clone();
    let error = model.restore(snapshot).unwrap_err().to_string();
    let expected = "restore: expected a snapshot of shapes [2, 4], [4], [4, 2], [2], found [2, 4], [4], [4, 2], [3]";
    assert_eq!(error, expected);
    assert!(model.restore(Vec::new()).is_err());
    assert_eq!(before, numbers(&model), "the first three, which fit, are not taken either");
    let snapshot = model.snapshot();
    model.fit(&points(8), Fit::new().quiet()).unwrap();
    assert_ne!(before, numbers(&model));
    model.restore(snapshot).unwrap();
    assert_eq!(before, numbers(&model), "training does not reach into a snapshot");
}

#[test]
fn damaged_files_are_refused() {
    let (folder, path, _) = saved();
    let whole = std::fs::read(&path).unwrap();
    for end in 0..whole.len() {
        std::fs::write(&path, &whole[..end]).unwrap();
        let message = refused(&path);
        assert!(message.starts_with("weights.safetensors: not a whole safetensors file ("), "cut at {end}: {message}");
    }
    let message = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        refused(&path)
    };
    assert_eq!(message(b""), "weights.safetensors: not a whole safetensors file (header too small)");
    assert_eq!(message(b"epoch,loss\n1,0.5\n"), "weights.safetensors: not a whole safetensors file (header too large)");
    let mut corrupt = whole.clone();
    corrupt[12] = 0xff;
    assert!(message(&corrupt).contains("not a whole safetensors file (invalid UTF-8"), "{}", message(&corrupt));

    let text = String::from_utf8_lossy(&whole[8..]).into_owned();
    assert!(text.contains("\"elman.format\":\"2\""), "{text}");
    let at = whole.windows(18).position(|w| w == b"\"elman.format\":\"2\"").unwrap() + 16;
    let mut newer = whole.clone();
    newer[at] = b'7';
    assert_eq!(message(&newer), "weights.safetensors: version 7 of the layout, this library reads 1 and 2");
    drop(folder);
}

#[test]
fn numbers_of_another_type_are_refused() {
    let (_folder, path, model) = saved();
    let zeros = [0; 64];
    let views = model.params().iter().map(|param| {
        let (shape, bytes) = (param.shape().to_vec(), param.shape().elements() * 2);
        (param.name(), safetensors::tensor::TensorView::new(safetensors::Dtype::I16, shape, &zeros[..bytes]).unwrap())
    });
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    let message = refused(&path);
    assert!(message.ends_with("` is of type I16, not F32, F64, F16 or BF16"), "{message}");
}

#[test]
fn files_that_are_not_there_are_named() {
    let folder = tempfile::tempdir().unwrap();
    assert!(refused(&folder.path().join("none")).starts_with("none: No such file"));
    let message = refused(folder.path());
    assert!(message.contains("directory"), "{message}");
}

#[test]
fn a_failed_write_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let model = network::<R>().build(&R::new(), Spec::dense(&[2]), 0).unwrap();
    let message = |path: PathBuf| {
        let error = model.save_weights(&path).unwrap_err();
        assert!(matches!(error, Error::Io { .. }));
        assert!(
            std::error::Error::source(&error).is_none(),
            "the message has it all: reporters need say nothing twice"
        );
        error.to_string()
    };
    let missing = folder.path().join("no/such/folder/weights");
    assert!(message(missing.clone()).starts_with(&format!("{}: No such file", missing.display())));
    // A folder in the file's place: the new file is written beside it and cannot take its place.
    let taken = folder.path().join("taken");
    std::fs::create_dir(&taken).unwrap();
    std::fs::write(taken.join("old"), "old").unwrap();
    assert!(message(taken.clone()).starts_with(&format!("{}: ", taken.display())));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(std::fs::read_to_string(taken.join("old")).unwrap(), "old");
    assert!(model.save_weights("").is_err());
    // A file is no folder, whoever asks: permissions would not stop a superuser.
    let file = folder.path().join("file");
    std::fs::write(&file, "old").unwrap();
    assert!(message(file.join("weights")).contains("Not a directory"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "old");
}

#[test]
fn threads_may_save_to_one_place() {
    let (folder, path, _) = saved();
    let models: Vec<Model<R>> = (0..4).map(|seed| classifier(&R::new(), seed)).collect();
    std::thread::scope(|scope| {
        for model in &models {
            scope.spawn(|| (0..5).for_each(|_| model.save_weights(&path).unwrap()));
        }
    });
    let mut last = classifier(&R::new(), 9);
    last.load_weights(&path).unwrap();
    assert!(models.iter().any(|model| numbers(model) == numbers(&last)), "the file is one of theirs, whole");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Candle's own layers on a model's weights, and weights of candle's in a model.
#[test]
fn models_and_candle_share_weights() {
    use elman_candle::{candle_nn, var_builder, weights_to_candle};
    let b = Candle::cpu();
    let mut model = classifier(&b, 1);
    let given = points(8);
    let before = model.predict(given.inputs(), 8).unwrap();

    let exported = weights_to_candle(model.weights());
    let kernel = exported["dense.kernel"].to_vec2::<f32>().unwrap();
    let builder = var_builder(&b, model.weights());
    assert_eq!(builder.pp("dense").get((2, 4), "kernel").unwrap().to_vec2::<f32>().unwrap(), kernel);
    // candle keeps a kernel the other way round.
    let layer = candle_nn::Linear::new(exported["dense.kernel"].t().unwrap(), Some(exported["dense.bias"].clone()));
    let x = b.to_candle(&b.upload(vec![0.5, -1.0], [1, 2].into()).unwrap());
    let y = candle_nn::Module::forward(&layer, &x).unwrap().to_vec2::<f32>().unwrap();
    let by_hand = (0..4).map(|j| 0.5 * kernel[0][j] - kernel[1][j]).collect::<Vec<_>>();
    assert!(y[0].iter().zip(&by_hand).all(|(y, hand)| (y - hand).abs() < 1e-6), "{y:?}, by hand {by_hand:?}");

    // Training goes on in other memory than that which candle has seen.
    model.fit(&given, Fit::new().epochs(3).quiet()).unwrap();
    assert_ne!(model.predict(given.inputs(), 8).unwrap(), before);
    assert_eq!(exported["dense.kernel"].to_vec2::<f32>().unwrap(), kernel);
    model.set_weights(b.weights_from_candle(exported).unwrap()).unwrap();
    assert_eq!(model.predict(given.inputs(), 8).unwrap(), before);
}
