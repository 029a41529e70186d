//! `Lines`: a file of labelled texts read batch by batch has what the same file read whole has.

use super::said::of_file;
use elman::checkpoint::Checkpoint;
use elman::data::{Dataset, Epoch, HostBatch, Inputs, Labels, Lines, Order, Source, Targets, TextColumns, read_texts};
use elman::layers::{Dense, Embedding, Lstm, Sequential};
use elman::loss::BinaryCrossEntropy;
use elman::model::Model;
use elman::optim::Adam;
use elman::{Activation, Error, Fit, Key, Result, Spec};
use elman_reference::Reference;
use std::path::Path;

/// A text's bytes.
fn bytes(text: &str) -> Result<Vec<u32>> {
    match text.contains("unsayable") {
        true => Err(Error::invalid("tokens", "words", "none")),
        false => Ok(text.bytes().map(u32::from).collect()),
    }
}

fn open(path: &Path) -> Result<Lines> {
    Lines::open(path, &TextColumns::default(), bytes)
}

/// Texts and classes of batches, in the order in which they come.
fn samples(epoch: &dyn Epoch) -> Vec<(Vec<u32>, u32)> {
    let of_batch = |batch: HostBatch| {
        let rows: Vec<Vec<u32>> = match batch.data.inputs() {
            Inputs::RaggedIndices(rows) => rows.rows().map(<[u32]>::to_vec).collect(),
            Inputs::Indices { data, steps, .. } => data.chunks(*steps).map(<[u32]>::to_vec).collect(),
            other => panic!("{other:?}"),
        };
        let Targets::Classes { labels, .. } = batch.data.targets() else { panic!() };
        rows.into_iter().zip(labels.clone()).collect::<Vec<_>>()
    };
    (0..epoch.batches()).flat_map(|number| of_batch(epoch.batch(number).unwrap())).collect()
}

fn order(epoch: u64, size: usize, shuffle: bool) -> Order {
    let mut order = Order::new(Key::new(3), epoch);
    (order.batch_size, order.shuffle) = (Some(size), Some(shuffle));
    order
}

const FILES: [(&str, &str); 6] = [
    ("a.tsv", "pos\tA delight.\n\nneg\tToo long.\n  \npos\tWith a \ttab\nneg\tlast"),
    (
        "c.csv",
        "id,label,text\n1,pos,\"two\nlines, and a \"\"quote\"\"\"\n\n2,neg,5\" pipe\n3,pos,\"\"\"x\"\"\"\n4,neg,plain\n",
    ),
    ("d.csv", "\u{feff}sep=;\r\nlabel;text\r\npos;a, b\r\nneg;\"c;\r\nd\"\r\npos;e\r\n"),
    (
        "e.jsonl",
        "{\"label\": 5, \"text\": \"one\"}\n \n{\"text\": \"two\\nlines\", \"label\": 1}\n\u{feff}{\"label\": 5, \"text\": \"é\"}",
    ),
    ("f.csv", "\"label\",\"text\"\n\"a\",\"x\"\n\"b\",\"\"\n\"a\",\"y\"\n\"a\",\"z\""),
    ("g.tsv", "\u{feff}1\tfirst\n0\tsecond\n1\tthird\n"),
];

#[test]
fn all_texts_and_labels_are_those_of_the_file_read_whole() {
    for (name, content) in FILES {
        of_file(name, content, |path| {
            let (whole, lines) = (read_texts(path, &TextColumns::default())?, open(path)?);
            assert_eq!((lines.len(), lines.labels()), (whole.texts.len(), &whole.labels), "{name}");
            let texts = whole.texts.iter().map(|text| bytes(text).unwrap());
            let expected: Vec<(Vec<u32>, u32)> = texts.zip(whole.classes).collect();
            for size in [1, 2, 9] {
                // A batch of texts without a character is none.
                if expected.chunks(size).all(|batch| batch.iter().any(|(text, _)| !text.is_empty())) {
                    assert_eq!(samples(&*lines.epoch(&order(0, size, false))?), expected, "{name}");
                }
            }
            Ok(())
        })
        .unwrap();
    }
}

fn many(n: usize) -> String {
    (0..n).map(|i| format!("{}\ttext {}\n", ["no", "yes"][i % 2], "x".repeat(i % 5) + &i.to_string())).collect()
}

#[test]
fn a_shuffled_epoch_has_every_text_once() {
    of_file("many.tsv", many(300), |path| {
        let lines = open(path)?;
        let in_order = samples(&*lines.epoch(&order(0, 32, false))?);
        let shuffled = |epoch| samples(&*lines.epoch(&order(epoch, 32, true)).unwrap());
        let (first, second) = (shuffled(0), shuffled(1));
        assert!(first != in_order && first != second && first == shuffled(0));
        // Places move far: the mean distance of two random places among n is n / 3.
        let at = |text: &(Vec<u32>, u32)| in_order.iter().position(|other| other == text).unwrap() as f64;
        let moved: f64 = first.iter().enumerate().map(|(i, text)| (at(text) - i as f64).abs()).sum::<f64>() / 300.0;
        assert!((80.0..120.0).contains(&moved), "{moved}");
        for mut epoch in [first, second] {
            let mut all = in_order.clone();
            epoch.sort();
            all.sort();
            assert_eq!(epoch, all);
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn errors_name_file_and_line() {
    let error = |name: &str, content: &str| of_file(name, content, open).map(drop).unwrap_err();
    assert_eq!(error("a.tsv", "pos\tx\n\nno tab\n"), ", line 3: expected a tab after the label in \"no tab\"");
    assert_eq!(
        error("a.csv", "label,text\na,\"x\ny\"\nb\n"),
        ", line 4: expected 2 values, as many as the header has, found 1"
    );
    assert!(error("a.csv", "label,text\na,x\nb,\"y\n\nz\n").starts_with(", line 3: expected every quote to be closed"));
    assert!(
        error("a.jsonl", "{\"label\": 1, \"text\": \"x\"}\n\n[]\n").starts_with(", line 3: expected a JSON object")
    );
    assert!(error("a.csv", "text,class\nx,1\n").starts_with(", line 1: expected the column \"label\""));
    assert_eq!(error("a.tsv", "\n \n"), ": expected texts, found none");
    assert_eq!(error("a.csv", "label,text\n"), ": expected texts, found none");
    assert!(error("a.txt", "a\tb\n").contains("expected a name that ends in .tsv"));
    assert!(error("a.tsv", "a\tb\rc\td\r").contains("expected lines that end in \\n"));
    let gz = of_file("a.tsv.gz", [0x1f, 0x8b, 8, 0], open).map(drop).unwrap_err();
    assert_eq!(gz, ": expected a plain file, found a gzip-compressed one: unpack it first (`gunzip`)");
    let wide = of_file("a.tsv", b"\xff\xfea\0\t\0b\0", open).map(drop).unwrap_err();
    assert_eq!(wide, ": expected UTF-8, found UTF-16: save it as UTF-8");
    // Far behind the first piece that is checked.
    let long = many(100_000) + "no tab";
    assert_eq!(error("a.tsv", &long), ", line 100001: expected a tab after the label in \"no tab\"");
    let given = TextColumns::default().labels(Labels::new(["pos", "neg"]).unwrap());
    let unknown = of_file("a.tsv", "pos\tx\nbad\ty\n", |path| Lines::open(path, &given, bytes)).map(drop).unwrap_err();
    assert_eq!(unknown, ", line 2: expected one of the labels \"pos\", \"neg\", found \"bad\"");
}

#[test]
fn what_is_wrong_with_a_text_is_told_in_its_batch() {
    of_file("a.csv", "label,text\na,\"x\ny\"\n\nb,unsayable\na,z\n", |path| {
        let lines = open(path)?;
        let epoch = lines.epoch(&order(0, 1, false))?;
        let error = epoch.batch(1).unwrap_err().to_string();
        assert_eq!(error, format!("{}, line 5: tokens: expected words, found none", path.display()));
        assert!(epoch.batch(2).is_ok() && epoch.batch(3).is_err());
        std::fs::write(path, "label,text\n").unwrap();
        let error = lines.epoch(&order(0, 1, false)).map(drop).unwrap_err().to_string();
        assert!(error.contains("bytes that were there at first, found 11"), "{error}");
        Ok(())
    })
    .unwrap();
}

fn model() -> Model<Reference<f64>> {
    let network = Sequential::new()
        .add(Embedding::new(128, 3))
        .add(Lstm::new(3))
        .add(Dense::new(1).activation(Activation::Sigmoid));
    let mut model = network.build(&Reference::new(), Spec::Indices(None), 1).unwrap();
    model.compile(Adam::new(0.05), BinaryCrossEntropy::new());
    model
}

fn numbers(model: &Model<Reference<f64>>) -> Vec<Vec<f64>> {
    model.params().iter().map(|param| param.tensor().to_vec().unwrap()).collect()
}

/// In the order of the file it is the training over the same texts in memory; and a shuffled one goes on in the middle.
#[test]
fn a_training_over_a_file_is_that_over_its_texts() {
    of_file("many.tsv", many(40), |path| {
        let whole = read_texts(path, &TextColumns::default())?;
        let texts: Vec<Vec<u32>> = whole.texts.iter().map(|text| bytes(text).unwrap()).collect();
        let data = Dataset::new(Inputs::indices(&texts)?, Targets::classes(whole.classes)?)?;
        let fit = || Fit::new().epochs(2).batch_size(8).quiet();
        let (mut in_memory, mut of_lines) = (model(), model());
        let history = in_memory.fit(&data, fit().shuffle(false))?;
        let again = of_lines.fit(&open(path)?, fit().shuffle(false))?;
        assert_eq!((again.series("loss"), numbers(&of_lines)), (history.series("loss"), numbers(&in_memory)));

        let folder = tempfile::tempdir().unwrap();
        let checkpoint = Checkpoint::new(folder.path().join("run.st")).every_steps(1).keep(20);
        let mut shuffled = model();
        let history = shuffled.fit(&open(path)?, fit().checkpoint(checkpoint))?;
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let mut resumed = model();
            let again = resumed.fit(&open(path)?, fit().resume_from(entry.unwrap().path()))?;
            assert_eq!((again.series("loss"), numbers(&resumed)), (history.series("loss"), numbers(&shuffled)));
        }
        Ok(())
    })
    .unwrap();
}
