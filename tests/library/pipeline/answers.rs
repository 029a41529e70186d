//! Answers are what the model says, whatever the batch.

use super::{builder, sentences, untrained};
use crate::common::near::assert_near;
use elman::decode::Trellis;
use elman::pipeline::TaggerTask;
use elman::{Backend, Fit};
use elman_candle::Candle;
use elman_reference::Reference;

fn on_both(check: impl Fn(&dyn Fn(TaggerTask, bool))) {
    check(&|task, crf| by_hand(&Reference::<f64>::new(), task, crf));
    check(&|task, crf| by_hand(&Candle::cpu(), task, crf));
}

/// Tags and probabilities of sentences of unlike length beside those of the model's own prediction, one sentence at a time.
fn by_hand<B: Backend>(b: &B, task: TaggerTask, crf: bool) {
    let mut tagger = untrained(b, &builder(task).crf(crf), task);
    let examples = sentences(task);
    tagger.fit(&tagger.dataset(&examples).unwrap(), Fit::new().epochs(2).quiet()).unwrap();
    let found = tagger.tag_examples(&examples).unwrap();
    for (example, found) in examples.iter().zip(&found) {
        let data = tagger.dataset(std::slice::from_ref(example)).unwrap();
        let (vocabulary, words) = (tagger.vocabulary(), example.words.len());
        assert_eq!(found.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>(), example.words);
        let outputs =
            if task.has_trees() { Some(tagger.model().predict_outputs(data.inputs(), 1).unwrap()) } else { None };
        if task.has_tags() {
            let of_tags = match &outputs {
                Some(outputs) => outputs.part("tags").unwrap().clone(),
                None => tagger.model().predict(data.inputs(), 1).unwrap(),
            };
            let classes = of_tags.classes().unwrap();
            let names = classes.iter().map(|&class| vocabulary.tags().unwrap().name(class as u32).unwrap());
            assert_eq!(found.tags().collect::<Vec<_>>(), names.collect::<Vec<_>>());
            let width = of_tags.shape()[2];
            let probability = |(at, row): (usize, &[f32])| match crf {
                true => Trellis::of(tagger.model(), data.inputs(), 1).unwrap()[0].marginals()[at][classes[at]],
                false => {
                    let sum: f64 = row.iter().map(|&x| f64::from(x).exp()).sum();
                    f64::from(row[classes[at]]).exp() / sum
                }
            };
            let expected: Vec<f64> = of_tags.data().chunks(width).enumerate().map(probability).collect();
            let told: Vec<f64> = found.words.iter().map(|word| word.probability).collect();
            // In a batch with others sums are in another order, by candle in f32.
            assert_near("probabilities", &told, &expected, 1e-5);
        }
        let Some(outputs) = &outputs else { continue };
        let (trees, labels) = (outputs.part("trees").unwrap(), vocabulary.labels().unwrap());
        let score = |word: usize, head: usize, label: &str| {
            let class = head * labels.len() + labels.number(label).unwrap() as usize;
            trees.data()[word * trees.shape()[2] + class]
        };
        assert_eq!(found.arcs().count(), words);
        for (word, arc) in found.arcs().enumerate() {
            assert_eq!(arc.label == "root", arc.head == 0);
            assert_near("arcs", &[arc.probability], &[f64::from(score(word, arc.head, &arc.label)).exp()], 1e-5);
            let others = labels.names().iter().filter(|name| (*name == "root") == (arc.head == 0));
            assert!(
                others
                    .into_iter()
                    .all(|other| score(word, arc.head, other) <= score(word, arc.head, &arc.label) + 1e-5)
            );
        }
    }
}

#[test]
fn tags_are_those_of_the_model() {
    on_both(|check| check(TaggerTask::Tags, false));
}

#[test]
fn tags_of_a_field_are_those_of_the_model() {
    on_both(|check| check(TaggerTask::Spans, true));
}

#[test]
fn trees_are_those_of_the_model() {
    on_both(|check| {
        check(TaggerTask::Trees, false);
        check(TaggerTask::All, false);
    });
}

#[test]
fn sentences_of_too_many_scores_are_told() {
    for task in [TaggerTask::Trees, TaggerTask::All] {
        let tagger = untrained(&Reference::<f32>::new(), &builder(task), task);
        let long = vec!["Anna"; 20_000];
        let error = tagger.tag_words(&[vec!["Bert"], vec![], long]).unwrap_err().to_string();
        assert!(error.starts_with("tagger, sentence 2: expected at most 268435456 scores"), "{error}");
        assert!(error.ends_with(" of 20000 words"), "{error}");
    }
}

#[test]
fn whatever_is_given_has_an_answer() {
    fn check<B: Backend>(b: &B) {
        for task in TaggerTask::ALL {
            let tagger = untrained(b, &builder(task).crf(task == TaggerTask::Spans), task);
            assert!(
                tagger.tag_all(&[""; 0]).unwrap().is_empty() && tagger.tag_words(&[[""; 0]; 0]).unwrap().is_empty()
            );
            assert!(tagger.tag("").unwrap().is_empty() && tagger.tag(" \n\u{200b}").unwrap().is_empty());
            // Nothing of it was ever seen.
            let odd = tagger.tag("☃ Ж 漢字 \u{1f469}\u{200d}\u{1f52c} \u{0} e\u{301}").unwrap();
            assert_eq!(odd[0].words.len(), 5, "{odd:?}");
            // Sentences without words keep their place, words without letters theirs.
            let sentences: [&[&str]; 4] = [&["Anna"], &[], &["", "sleeps"], &[]];
            let found = tagger.tag_words(&sentences).unwrap();
            assert_eq!(found.iter().map(|found| found.words.len()).collect::<Vec<_>>(), [1, 0, 2, 0]);
            let text = "Anna sees ".repeat(500);
            let long = tagger.tag(&text).unwrap();
            assert_eq!((long.len(), long[0].words.len()), (1, 1000));
            if task.has_trees() {
                let heads: Vec<usize> = long[0].arcs().map(|arc| arc.head).collect();
                assert!(heads.iter().all(|&head| head <= 1000) && heads.iter().filter(|&&head| head == 0).count() == 1);
            }
        }
    }
    check(&Reference::<f32>::new());
    check(&Candle::cpu());
}

#[test]
fn spans_have_kind_words_and_text() {
    let task = TaggerTask::Spans;
    let mut tagger = untrained(&Candle::cpu(), &builder(task).crf(true), task);
    assert_eq!(tagger.vocabulary().scheme(), Some(elman::data::TagScheme::Bio));
    tagger.fit(&tagger.dataset(&sentences(task)).unwrap(), Fit::new().epochs(30).batch_size(4).quiet()).unwrap();
    let text = "Yes.  New York likes Bert.";
    let found = tagger.tag(text).unwrap();
    let spans: Vec<_> =
        found[1].spans.iter().map(|span| (span.kind.as_str(), span.words.clone(), span.text.as_str())).collect();
    assert_eq!(spans, [("NAME", 0..2, "New York"), ("NAME", 3..4, "Bert")]);
    for span in &found[1].spans {
        assert_eq!(&text[span.range.clone()], span.text);
        let least =
            found[1].words[span.words.clone()].iter().map(|word| word.probability).fold(f64::INFINITY, f64::min);
        assert!(span.probability == least && least > 0.5 && least <= 1.0, "{span:?}");
    }
    // A tagger of tags has none, whatever they are called.
    let tags = untrained(&Reference::<f32>::new(), &builder(TaggerTask::Tags), task);
    assert!(tags.tag(text).unwrap().iter().all(|sentence| sentence.spans.is_empty()));
}

#[test]
fn threads_share_one() {
    // Seen when this is compiled.
    fn shared<T: Send + Sync + 'static>(_: &T) {}
    fn check<B: Backend>(b: &B) {
        let task = TaggerTask::All;
        let tagger = untrained(b, &builder(task), task);
        shared(&tagger);
        let words: Vec<Vec<String>> = sentences(task).into_iter().map(|example| example.words).collect();
        let alone = tagger.tag_words(&words).unwrap();
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..2).map(|_| scope.spawn(|| tagger.tag_words(&words).unwrap())).collect();
            threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), alone));
        });
    }
    check(&Reference::<f32>::new());
    check(&Candle::cpu());
}
