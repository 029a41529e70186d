//! `Lines` in batches by length and by tokens, texts without a word, what is said of labels, and the memory that it takes.

use super::said::of_file;
use super::{HELD, MOST};
use elman::checkpoint::Checkpoint;
use elman::data::{Dataset, HostBatch, Inputs, Lines, Order, Source, Targets, TextColumns, read_texts};
use elman::layers::{Dense, Embedding, GlobalAveragePooling, Sequential};
use elman::loss::SparseCategoricalCrossEntropy;
use elman::model::Model;
use elman::optim::Adam;
use elman::{Activation, Fit, Key, Result, Spec};
use elman_reference::Reference;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A text's bytes, 0 where it has none at its end.
fn bytes(text: &str) -> Result<Vec<u32>> {
    Ok(text.bytes().map(|byte| if byte == b'_' { 0 } else { u32::from(byte) }).collect())
}

/// Texts of 1 to 9 letters, some of them with padding at their ends.
fn many(n: u64) -> String {
    let key = Key::new(8);
    let text = |i: u64| format!("{}{}", "x".repeat(1 + key.below(i, 9)), "_".repeat(key.below(i + n, 3)));
    (0..n).map(|i| format!("{}\t{}\n", ["no", "yes"][i as usize % 2], text(i))).collect()
}

/// The same, all of one length.
fn padded(text: &str) -> Result<Vec<u32>> {
    let row = bytes(text)?;
    Ok(std::iter::repeat_n(0, 12 - row.len()).chain(row).collect())
}

fn in_memory_as(path: &Path, encode: fn(&str) -> Result<Vec<u32>>) -> Result<Dataset> {
    let whole = read_texts(path, &TextColumns::default())?;
    let texts: Vec<Vec<u32>> = whole.texts.iter().map(|text| encode(text).unwrap()).collect();
    Dataset::new(Inputs::indices(&texts)?, Targets::classes(whole.classes)?)
}

fn in_memory(path: &Path) -> Result<Dataset> {
    in_memory_as(path, bytes)
}

fn open(path: &Path) -> Result<Lines> {
    Lines::open(path, &TextColumns::default(), bytes)
}

fn batches(source: &dyn Source, order: &Order) -> Vec<HostBatch> {
    let epoch = source.epoch(order).unwrap();
    (0..epoch.batches()).map(|number| epoch.batch(number).unwrap()).collect()
}

/// Sequences as rows, however they are kept.
fn rows(batch: &HostBatch) -> (Vec<Vec<u32>>, Targets) {
    let rows = match batch.data.inputs() {
        Inputs::RaggedIndices(rows) => rows.rows().map(<[u32]>::to_vec).collect(),
        Inputs::Indices { data, steps, .. } => data.chunks(*steps).map(<[u32]>::to_vec).collect(),
        other => panic!("{other:?}"),
    };
    (rows, batch.data.targets().clone())
}

#[test]
fn batches_are_those_of_the_texts_in_memory() {
    of_file("many.tsv", many(150), |path| {
        let cuts = [(Some(8), None, Some(0)), (None, Some(30), Some(0)), (None, Some(30), None)];
        for (encode, (size, tokens, padding)) in
            [bytes as fn(&str) -> _, padded].into_iter().flat_map(|encode| cuts.map(|cut| (encode, cut)))
        {
            let lines = Lines::open(path, &TextColumns::default(), encode)?;
            let data = in_memory_as(path, encode)?;
            for (epoch, shuffle) in [(0, Some(true)), (3, None), (3, Some(false))] {
                let mut order = Order::new(Key::new(4), epoch);
                (order.batch_size, order.batch_tokens) = (size, tokens);
                (order.by_length, order.shuffle) = (padding, shuffle);
                let (of_lines, of_data) = (batches(&lines, &order), batches(&data, &order));
                assert!(of_lines.len() > 10);
                assert!(of_lines.iter().map(rows).eq(of_data.iter().map(rows)), "{order:?}");
            }
        }
        Ok(())
    })
    .unwrap();
}

/// Lengths are counted once, whatever the number of epochs.
#[test]
fn the_file_is_tokenised_once_for_its_lengths() {
    of_file("many.tsv", many(100), |path| {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let lines = Lines::open(path, &TextColumns::default(), move |text| {
            counted.fetch_add(1, Ordering::Relaxed);
            bytes(text)
        })?;
        let mut order = Order::new(Key::new(4), 0);
        order.by_length = Some(0);
        for epoch in 0..3 {
            order.epoch = epoch;
            lines.epoch(&order)?;
            // A copy knows them too.
            lines.clone().epoch(&order)?;
        }
        assert_eq!(calls.load(Ordering::Relaxed), 100);
        (order.by_length, order.batch_tokens) = (None, Some(30));
        lines.epoch(&order)?;
        assert_eq!(calls.load(Ordering::Relaxed), 200, "padding counts now");
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_error_of_the_tokenizer_is_told_with_its_line() {
    of_file("a.tsv", "a\tx\n\nb\tunsayable\na\ty\n", |path| {
        let lines = Lines::open(path, &TextColumns::default(), |text| match text {
            "unsayable" => Err(elman::Error::invalid("tokens", "words", "none")),
            text => bytes(text),
        })?;
        let mut order = Order::new(Key::new(4), 0);
        order.by_length = Some(0);
        let error = lines.epoch(&order).map(drop).unwrap_err().to_string();
        assert_eq!(error, format!("{}, line 3: tokens: expected words, found none", path.display()));
        Ok(())
    })
    .unwrap();
}

fn model(outputs: usize) -> Model<Reference<f64>> {
    let network = Sequential::new()
        .add(Embedding::new(128, 3))
        .add(GlobalAveragePooling)
        .add(Dense::new(outputs).activation(Activation::Softmax));
    let mut model = network.build(&Reference::new(), Spec::Indices(None), 1).unwrap();
    model.compile(Adam::new(0.05), SparseCategoricalCrossEntropy::new());
    model
}

fn numbers(model: &Model<Reference<f64>>) -> Vec<Vec<f64>> {
    model.params().iter().map(|param| param.tensor().to_vec().unwrap()).collect()
}

/// It is the training over the same texts in memory, and goes on from any step.
#[test]
fn a_training_by_length_goes_on_in_the_middle() {
    of_file("many.tsv", many(60), |path| {
        for by_tokens in [false, true] {
            let fit = || {
                let fit = Fit::new().epochs(2).by_length(0).quiet();
                if by_tokens { fit.batch_tokens(40) } else { fit.batch_size(8) }
            };
            let (mut memory, mut whole) = (model(2), model(2));
            let expected = memory.fit(&in_memory(path)?, fit())?;
            let folder = tempfile::tempdir().unwrap();
            let checkpoint = Checkpoint::new(folder.path().join("run.st")).every_steps(3).keep(20);
            let history = whole.fit(&open(path)?, fit().checkpoint(checkpoint))?;
            assert_eq!(history.series("loss"), expected.series("loss"));
            assert!(numbers(&whole) == numbers(&memory));
            for entry in std::fs::read_dir(folder.path()).unwrap() {
                let mut resumed = model(2);
                let again = resumed.fit(&open(path)?, fit().resume_from(entry.unwrap().path()))?;
                assert_eq!(again.series("loss"), history.series("loss"));
                assert!(numbers(&resumed) == numbers(&whole));
            }
        }
        Ok(())
    })
    .unwrap();
}

/// A label that the model has no output for, and an index that its table has no row for, are told by file and line.
#[test]
fn samples_that_do_not_fit_are_told_by_their_lines() {
    let content = "no\tab\n\nyes\tcd\nno\tef\nperhaps\tgh\nno\tij\n";
    of_file("a.tsv", content, |path| {
        let line = |line: usize| format!("{}, line {line}: ", path.display());
        for by_length in [false, true] {
            let fit = || {
                let fit = Fit::new().batch_size(2).shuffle(false).quiet();
                if by_length { fit.by_length(0) } else { fit }
            };
            let error = model(2).fit(&open(path)?, fit()).unwrap_err().to_string();
            let error = error.strip_prefix("training data: ").unwrap_or(&error);
            assert_eq!(error, line(5) + "targets: expected a label below 2, found 2");
        }
        let error = model(2).evaluate(&open(path)?, 2).unwrap_err().to_string();
        assert_eq!(error, line(5) + "targets: expected a label below 2, found 2");
        let strange = Lines::open(path, &TextColumns::default(), |text| match text {
            "ef" => Ok(vec![5, 128]),
            text => bytes(text),
        })?;
        let error = model(3).evaluate(&strange, 2).unwrap_err().to_string();
        assert_eq!(error, line(4) + "step 1: expected an index below 128, the rows of the table, found 128");
        // What is wrong with all of a batch is told of the batch.
        let mut dense = Sequential::new().add(Dense::new(2)).build(&Reference::<f64>::new(), Spec::dense(&[2]), 1)?;
        dense.compile(Adam::new(0.05), SparseCategoricalCrossEntropy::from_logits());
        let error = dense.evaluate(&open(path)?, 2).unwrap_err().to_string();
        assert!(error.starts_with("a.tsv, 5 texts in ") && error.contains("batch 0: expected [batch, 2]"), "{error}");
        Ok(())
    })
    .unwrap();
}

/// A text of which no token is left is one that is all padding, in a batch of its own too.
#[test]
fn texts_without_a_word_are_trained_on() {
    of_file("a.tsv", "no\t\nyes\tcd\nno\t\nyes\t\n", |path| {
        let (lines, data) = (open(path)?, in_memory(path)?);
        let fit = || Fit::new().batch_size(1).shuffle(false).quiet();
        let (mut of_lines, mut of_data) = (model(2), model(2));
        let history = of_lines.fit(&lines, fit())?;
        assert_eq!(history.series("loss"), of_data.fit(&data, fit())?.series("loss"));
        assert!(history.series("loss")[0].is_finite());
        assert_eq!(numbers(&of_lines), numbers(&of_data));
        Ok(())
    })
    .unwrap();
}

/// Of 12 MB of texts it holds where they begin, and a batch of them.
#[test]
fn a_file_is_not_held() {
    let content: String = (0..12_000).map(|i| format!("{}\t{} {}\n", i % 3, i, "word ".repeat(200))).collect();
    let size = content.len();
    of_file("long.tsv", content, |path| {
        let before = HELD.get();
        MOST.set(before);
        let lines = open(path)?;
        let opening = MOST.get() - before;
        // A piece of a megabyte at a time, as it is read and as texts.
        assert!(opening < 5 << 20, "{opening} bytes to open {size}");
        let kept = HELD.get() - before;
        assert!(kept < 12_000 * 16 * 2 + (1 << 16), "{kept} bytes are kept");
        MOST.set(HELD.get());
        let (start, mut order) = (HELD.get(), Order::new(Key::new(1), 0));
        order.batch_size = Some(16);
        let epoch = lines.epoch(&order)?;
        let texts: usize = (0..epoch.batches()).map(|number| epoch.batch(number).unwrap().data.len()).sum();
        let most = MOST.get() - start;
        assert_eq!(texts, 12_000);
        assert!(most < 1 << 20, "{most} bytes for a batch of 16 texts");
        Ok(())
    })
    .unwrap();
}
