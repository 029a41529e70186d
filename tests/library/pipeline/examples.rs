//! What a tagger is built from: mistakes in it are told by sentence.

use super::{builder, sentences, untrained};
use elman::Backend;
use elman::data::{Sentence, Targets, Token};
use elman::pipeline::{RecurrentCell, Tagger, TaggerExample, TaggerTask};
use elman::text::WordVectors;
use elman_reference::Reference;

type R = Reference<f32>;

fn message<T>(result: elman::Result<T>) -> String {
    result.err().expect("an error").to_string()
}

#[test]
fn what_a_sentence_lacks_is_told() {
    let build = |task, train: &[TaggerExample], valid: &[TaggerExample]| {
        message(builder(task).build(&R::new(), train, valid, 0))
    };
    let good = || TaggerExample::new(["a", "b"]).tags(["O", "B-x"]).tree(vec![0, 1], ["root", "obj"]);
    use TaggerTask::{All, Spans, Tags, Trees};
    let found = build(Tags, &[good(), good().tags(["X"])], &[]);
    assert_eq!(found, "sentence 1 of the training: tags: expected one for each of 2 words, found 1");
    let found = build(Tags, &[good()], &[TaggerExample::new([""; 0])]);
    assert_eq!(found, "sentence 0 of the validation: words: expected at least one, found none");
    assert!(build(Spans, &[good().tags(["O", "x"])], &[]).contains("word 1: tag: expected a tag"));
    let found = build(Trees, &[good().tree(vec![0], ["root"])], &[]);
    assert!(found.ends_with("tree: expected a head and a label for each of 2 words, found 1 and 1"), "{found}");
    let found = build(All, &[good().tree(vec![0, 3], ["root", "obj"])], &[]);
    assert!(found.ends_with("word 2: expected a head from 0 to 2, found 3"), "{found}");
    let found = build(Trees, &[good().tree(vec![2, 1], ["root", "obj"])], &[]);
    assert!(found.ends_with("tree: expected a word whose head is 0, the root, found none"), "{found}");
    assert!(build(Tags, &[good().columns(vec![vec![]])], &[]).contains("a row for each of 2 words, found 1"));
    assert_eq!(build(Tags, &[], &[good()]), "tagger: expected sentences to train on, found none");

    let crf = message(builder(All).crf(true).vocabulary(&[good()], &[]));
    assert!(crf.contains("without trees, as it ends in a field, found one of the task `all`"), "{crf}");
    let smoothed = message(builder(Tags).crf(true).label_smoothing(0.1).vocabulary(&[good()], &[]));
    assert!(smoothed.contains("no label smoothing"), "{smoothed}");
    assert!(message(builder(Tags).min_count(9).vocabulary(&[good()], &[])).contains("9 times or more"));
    assert!(message(builder(Tags).dropout(1.5).build(&R::new(), &[good()], &[], 0)).contains("1.5"));
    assert!(message(builder(Tags).units(0).build(&R::new(), &[good()], &[], 0)).contains("found 0"));
}

#[test]
fn tags_of_the_validation_are_known_and_others_told() {
    let (train, odd) = (sentences(TaggerTask::Tags), TaggerExample::new(["Ha", "!"]).tags(["INTJ", "PUNCT"]));
    let with = builder(TaggerTask::Tags).build(&R::new(), &train, std::slice::from_ref(&odd), 0).unwrap();
    assert!(with.dataset(std::slice::from_ref(&odd)).is_ok());
    // Words are those of training alone.
    assert_eq!(with.vocabulary().words().index("ha"), None);
    let without = untrained(&R::new(), &builder(TaggerTask::Tags), TaggerTask::Tags);
    let found = message(without.dataset(&[train[0].clone(), odd]));
    assert!(found.starts_with("sentence 1: tag: expected one of those"), "{found}");
    assert!(found.ends_with("AUX, PART, PROPN, PUNCT, VERB, found \"INTJ\""), "{found}");
    let trees = untrained(&R::new(), &builder(TaggerTask::Trees), TaggerTask::Trees);
    // Heads times the number of labels, and the label's own: aux, compound, nsubj, obj, punct, root.
    let data = trees.dataset(&sentences(TaggerTask::Trees)[..1]).unwrap();
    let expected = Targets::classes_per_step(&[vec![2 * 6 + 2, 5, 2 * 6 + 3, 2 * 6 + 4]]).unwrap();
    let Targets::Record(parts) = data.targets() else { panic!("{:?}", data.targets()) };
    assert_eq!(parts.get("trees"), Some(&expected));
    let odd = TaggerExample::new(["a"]).tree(vec![0], ["dep"]);
    assert!(message(trees.dataset(&[odd])).contains("label: expected one of"));
}

#[test]
fn treebanks_and_columns_are_taken_as_they_are() {
    let mut sentence = Sentence::of_words(["It", "rains"]).unwrap();
    let told = [("PRON", 2, "expl"), ("VERB", 0, "root")];
    for (word, (tag, head, label)) in sentence.words_mut().zip(told) {
        (word.upos, word.head, word.deprel) = (tag.into(), Some(head), label.into());
    }
    let all = TaggerExample::of_conllu(&sentence, TaggerTask::All).unwrap();
    let expected = TaggerExample::new(["It", "rains"]).tags(["PRON", "VERB"]).tree(vec![2, 0], ["expl", "root"]);
    assert_eq!(all, expected);
    sentence.tokens[0] = Token::word(1, "It");
    assert!(TaggerExample::of_conllu(&sentence, TaggerTask::Tags).is_ok());
    assert!(message(TaggerExample::of_conllu(&sentence, TaggerTask::Trees)).contains("word 1: expected a head"));
    let rows =
        [vec!["a".to_string(), "N".into(), "x".into(), "O".into()], vec!["b".into(), "O".into()], vec!["c".into()]];
    let read = TaggerExample::of_columns(&rows);
    assert_eq!(
        (read.words.len(), &read.columns[0][..], read.columns[1].len(), read.tags.len()),
        (3, &["N".to_string(), "x".into()][..], 0, 2)
    );
    assert_eq!("spans".parse::<TaggerTask>().unwrap(), TaggerTask::Spans);
    assert!(message("span".parse::<TaggerTask>()).ends_with("tags, spans, trees or all, found \"span\""));
}

/// A vector of outside is that of the word as it is written, or in small letters, and it stays as it is unless it is to be trained.
#[test]
fn vectors_of_outside_count_by_word() {
    let (task, train) = (TaggerTask::Tags, sentences(TaggerTask::Tags));
    let built = |numbers: [f32; 4], trained: bool| {
        let vectors = WordVectors::new(["zebra", "Yak"], 2, &numbers).unwrap();
        builder(task).vectors(vectors).train_vectors(trained).build(&R::new(), &train, &[], 3).unwrap()
    };
    let [one, other] = [[1.0, 2.0, 3.0, 4.0], [-1.0, 0.5, 5.0, 6.0]].map(|numbers| built(numbers, false));
    let answer = |tagger: &Tagger<R>, word: &str| tagger.tag_words(&[[word]]).unwrap()[0].words[0].probability;
    for (word, same) in [("zebra", false), ("ZEBRA", false), ("Yak", false), ("yak", true), ("gnu", true)] {
        assert_eq!(answer(&one, word) == answer(&other, word), same, "{word}");
    }
    let table = |tagger: &Tagger<R>| -> Vec<f32> {
        let (_, table) = tagger.model().weights().find(|(name, _)| name.starts_with("known.")).unwrap();
        tagger.model().backend().download(table).unwrap()
    };
    for (trained, more) in [(false, vec![]), (true, vec![TaggerExample::new(["Yak", "zebra"]).tags(["PROPN", "VERB"])])]
    {
        let mut tagger = built([1.0, 2.0, 3.0, 4.0], trained);
        let before = table(&tagger);
        assert_eq!(before[4..], [1.0, 2.0, 3.0, 4.0]);
        let data = tagger.dataset(&[&train[..], &more].concat()).unwrap();
        tagger.fit(&data, elman::Fit::new().epochs(1).quiet()).unwrap();
        assert_eq!(table(&tagger)[4..] != before[4..], trained);
    }
}

#[test]
fn further_columns_are_read_where_they_are_asked_for() {
    // The word says nothing, the column all.
    let example = |tags: &[&str]| {
        let columns = tags.iter().map(|tag| vec![tag.to_lowercase(), "same".into()]).collect();
        TaggerExample::new(vec!["word"; tags.len()]).columns(columns).tags(tags.iter().copied())
    };
    let train = [example(&["A", "B", "B"]), example(&["B", "A"]), example(&["B"]), example(&["A", "A", "B"])];
    let mut builder = builder(TaggerTask::Tags).columns(true);
    for cell in [RecurrentCell::Elman, RecurrentCell::Gru] {
        builder = builder.cell(cell);
        let mut tagger = builder.build(&R::new(), &train, &[], 1).unwrap();
        tagger.fit(&tagger.dataset(&train).unwrap(), elman::Fit::new().epochs(30).batch_size(2).quiet()).unwrap();
        let found = tagger.tag_examples(&[example(&["B", "A", "A", "B"])]).unwrap();
        assert_eq!(found[0].tags().collect::<Vec<_>>(), ["B", "A", "A", "B"], "{cell:?}");
        let bare = message(tagger.tag("word word"));
        assert_eq!(bare, "columns: expected 2 of each word besides it, as in training, found 0");
        let few = message(tagger.tag_examples(&[TaggerExample::new(["word"]).columns(vec![vec!["a".into()]])]));
        assert!(few.ends_with("found 1"), "{few}");
        // What is new in a column is unknown, and no error.
        let odd = TaggerExample::new(["word"]).columns(vec![vec!["z".into(), "y".into()]]);
        assert_eq!(tagger.tag_examples(&[odd]).unwrap()[0].words.len(), 1);
    }
    let uneven = [example(&["A"]), TaggerExample::new(["x"]).tags(["A"])];
    let found = message(builder.build(&R::new(), &uneven, &[], 0));
    assert_eq!(
        found,
        "sentence 1 of the training: columns: expected 2 of each word besides it, as in training, found 0"
    );
    let found = message(builder.build(&R::new(), &[TaggerExample::new(["x"]).tags(["A"])], &[], 0));
    assert!(
        found.starts_with("tagger: expected words with further columns") && found.ends_with("words alone"),
        "{found}"
    );
}
