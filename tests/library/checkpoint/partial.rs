//! Parts of files into parts of models.

use elman::checkpoint::{LoadReport, PartialLoad};
use elman::layers::{Dense, Sequential};
use elman::{Backend, Model, Spec};
use elman_candle::Candle;
use elman_reference::Reference;
use std::path::PathBuf;

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| name.to_string()).collect()
}

/// An encoder below `path` of two layers, and a head.
fn model<B: Backend>(b: &B, path: &str, head: usize, seed: u64) -> Model<B> {
    let encoder = Sequential::new().add(Dense::new(3)).add(Dense::new(2).without_bias());
    let network = Sequential::new().add_named(path, encoder).add_named("head", Dense::new(head));
    network.build(b, Spec::dense(&[2]), seed).unwrap()
}

fn all<B: Backend>(model: &Model<B>) -> Vec<Vec<f64>> {
    use elman::Element;
    let numbers = |p: &elman::Param<B>| p.tensor().to_vec().unwrap().into_iter().map(|x| x.to_f64()).collect();
    model.params().iter().map(numbers).collect()
}

fn saved() -> (tempfile::TempDir, PathBuf, Vec<Vec<f64>>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lm.st");
    let given = model(&Candle::cpu(), "lm", 7, 1);
    given.save_weights(&path).unwrap();
    (folder, path, all(&given))
}

#[test]
fn a_prefix_moves_an_encoder_to_another_model() {
    let (_folder, path, given) = saved();
    let mut taker = model(&Reference::<f64>::new(), "encoder", 2, 2);
    let before = all(&taker);
    let report = taker.load_weights_partial(&path, &PartialLoad::new().prefix("lm", "encoder")).unwrap();
    let expected = LoadReport {
        loaded: names(&["encoder.dense.kernel", "encoder.dense.bias", "encoder.dense_1.kernel"]),
        kept: names(&["head.kernel", "head.bias"]),
        unused: names(&["head.bias", "head.kernel"]),
    };
    assert_eq!(report, expected);
    assert_eq!((&all(&taker)[..3], &all(&taker)[3..]), (&given[..3], &before[3..]));
    // One layer, under another name.
    let report = taker.load_weights_partial(&path, &PartialLoad::new().prefix("lm.dense", "encoder.dense")).unwrap();
    assert_eq!(report.loaded.len(), 2, "`lm.dense_1` is not below `lm.dense`");
}

#[test]
fn what_is_missing_or_left_over_has_to_be_allowed() {
    let (_folder, path, given) = saved();
    let mut taker = model(&Reference::<f64>::new(), "encoder", 7, 2);
    let before = all(&taker);
    let mut load = |what: PartialLoad| {
        let result = taker.load_weights_partial(&path, &what).map_err(|e| e.to_string());
        assert!(result.is_ok() || all(&taker) == before);
        result
    };
    let superfluous = "superfluous: lm.dense.bias, lm.dense.kernel, lm.dense_1.kernel";
    let missing = "missing: encoder.dense.kernel, encoder.dense.bias, encoder.dense_1.kernel";
    let prefix = "weights do not fit the model: ";
    assert_eq!(load(PartialLoad::new()), Err(format!("{prefix}{missing}; {superfluous}")));
    assert_eq!(load(PartialLoad::new().missing_ok()), Err(format!("{prefix}{superfluous}")));
    assert_eq!(load(PartialLoad::new().superfluous_ok()), Err(format!("{prefix}{missing}")));
    let wrong = load(PartialLoad::new().prefix("lm.dense", "head").missing_ok().superfluous_ok());
    assert_eq!(
        wrong,
        Err(format!("{prefix}of another shape: head.bias ([3] for [7]), head.kernel ([2, 3] for [2, 7])"))
    );
    let twice =
        load(PartialLoad::new().prefix("lm.dense", "encoder.dense").prefix("lm", "encoder").prefix("head", "head"));
    assert_eq!(twice.unwrap().loaded.len(), 5, "the first prefix that fits counts");
    let report = taker.load_weights_partial(&path, &PartialLoad::new().missing_ok().superfluous_ok()).unwrap();
    assert_eq!(report.loaded, names(&["head.kernel", "head.bias"]));
    assert_eq!(all(&taker)[3..], given[3..]);
    let mut two = Sequential::new().add_named("a", Dense::new(3)).add_named("b", Dense::new(3).without_bias());
    two = two.add_named("c", Dense::new(3));
    let mut two = two.build(&Reference::<f64>::new(), Spec::dense(&[2]), 1).unwrap();
    let path_b = path.with_file_name("b.st");
    two.save_weights(&path_b).unwrap();
    let what = PartialLoad::new().prefix("a", "c").prefix("c", "c");
    let error = two.load_weights_partial(&path_b, &what).unwrap_err().to_string();
    assert!(error.contains("c.bias (c.bias is already a.bias)"), "{error}");
}
