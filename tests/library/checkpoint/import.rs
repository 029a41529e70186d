//! Weights of PyTorch and Keras, end to end for dense layers: what the model computes is what theirs would.

use elman::checkpoint::{Kind, Mapping};
use elman::data::Inputs;
use elman::layers::{Dense, Sequential};
use elman::{Backend, Model, Spec};
use elman_candle::Candle;
use elman_reference::Reference;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use std::path::PathBuf;

fn file(arrays: &[(&str, &[usize], &[f32])]) -> (tempfile::TempDir, PathBuf) {
    let bytes: Vec<Vec<u8>> =
        arrays.iter().map(|(_, _, numbers)| numbers.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
    let views = arrays.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        (name.to_string(), TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap())
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("theirs.safetensors");
    std::fs::write(&path, safetensors::serialize(views, None).unwrap()).unwrap();
    (folder, path)
}

fn model<B: Backend>(b: &B) -> Model<B> {
    let network = Sequential::new().add_named("hidden", Dense::new(3)).add_named("out", Dense::new(1).without_bias());
    network.build(b, Spec::dense(&[2]), 0).unwrap()
}

fn predicted<B: Backend>(model: &Model<B>) -> Vec<f32> {
    model.predict(&Inputs::rows(&[[1.0, 10.0]]).unwrap(), 1).unwrap().data().to_vec()
}

fn of_pytorch<B: Backend>(b: &B) {
    let mappings = [Mapping::new("net.0", "hidden", Kind::Linear), Mapping::new("net.1", "out", Kind::Linear)];
    // nn.Linear: y = x Wᵀ + b with W [outputs, inputs].
    let (_folder, path) = file(&[
        ("net.0.weight", &[3, 2], &[1., 2., 3., 4., 5., 6.]),
        ("net.0.bias", &[3], &[0.5, 0.25, 0.125]),
        ("net.1.weight", &[1, 3], &[1., 100., 10000.]),
        ("net.2.weight", &[1], &[1.]),
    ]);
    let mut model = model(b);
    let report = model.import_pytorch(&path, &mappings).unwrap();
    assert_eq!(report.loaded, ["hidden.kernel", "hidden.bias", "out.kernel"]);
    assert_eq!((report.kept, report.unused), (vec![], vec!["net.2.weight".to_string()]));
    // (21 + 0.5) + 100 (43 + 0.25) + 10000 (65 + 0.125)
    assert_eq!(predicted(&model), [21.5 + 4325.0 + 651_250.0]);
}

#[test]
fn linear_layers_of_pytorch_compute_the_same() {
    of_pytorch(&Reference::<f64>::new());
    of_pytorch(&Candle::cpu());
}

#[test]
fn dense_layers_of_keras_compute_the_same() {
    // Dense: y = x W + b with W [inputs, outputs].
    let (_folder, path) = file(&[
        ("sequential/dense/kernel", &[2, 3], &[1., 3., 5., 2., 4., 6.]),
        ("sequential/dense/bias", &[3], &[0.5, 0.25, 0.125]),
        ("sequential/dense_1/kernel", &[3, 1], &[1., 100., 10000.]),
    ]);
    let mut model = model(&Reference::<f64>::new());
    let hidden = Mapping::new("sequential/dense", "hidden", Kind::Linear);
    let report = model.import_keras(&path, std::slice::from_ref(&hidden)).unwrap();
    assert_eq!(
        (report.kept, report.unused),
        (vec!["out.kernel".to_string()], vec!["sequential/dense_1/kernel".into()])
    );
    model.import_keras(&path, &[hidden, Mapping::new("sequential/dense_1", "out", Kind::Linear)]).unwrap();
    assert_eq!(predicted(&model), [21.5 + 4325.0 + 651_250.0]);
}

#[test]
fn what_does_not_fit_is_refused_with_all_names() {
    let (_folder, path) = file(&[
        ("a.weight", &[3, 2], &[0.; 6]),
        ("b.weight", &[2, 3], &[0.; 6]),
        ("b.bias", &[2], &[0.; 2]),
        ("c.weight", &[6], &[0.; 6]),
    ]);
    let mut model = model(&Reference::<f64>::new());
    let before = predicted(&model);
    let mut message = |mappings: &[Mapping]| {
        let message = model.import_pytorch(&path, mappings).unwrap_err().to_string();
        assert_eq!(before, predicted(&model));
        message.replace(&path.display().to_string(), "FILE")
    };
    let map = |from, to| Mapping::new(from, to, Kind::Linear);
    let fit = "weights do not fit the model: ";
    let expected = "missing: hidden.bias; superfluous: out.bias; of another shape: out.kernel ([3, 2] for [3, 1])";
    assert_eq!(message(&[map("a", "hidden"), map("b", "out")]), format!("{fit}{expected}"));
    let twice = message(&[map("a", "hidden"), map("a", "hidden")]);
    assert_eq!(twice, format!("{fit}missing: hidden.bias; superfluous: hidden.kernel (twice)"));
    let expected = "FILE: import: expected a file with `d.weight`, found one with a.weight, b.bias, b.weight, c.weight";
    assert_eq!(message(&[map("d", "hidden")]), expected);
    let expected = "FILE: import: expected a matrix, found an array of shape [6]";
    assert_eq!(message(&[map("c", "hidden")]), expected);
}
