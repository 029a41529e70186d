//! Spans against seqeval, and labels of trees against the scorer in scripts/: they work on the host and know nothing of backends.

use crate::common::golden::{Golden, Reading};
use crate::common::near::assert_near;
use elman::data::{Span, TagScheme, spans};
use elman::decode::maximum_tree;
use elman::metrics::{AttachmentScores, Metric, Scores, SpanF1, SpanScores, TargetsRef};

fn names(case: &Reading<'_>, option: &str) -> Vec<String> {
    case.option(option).as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_string()).collect()
}

/// The tags of a sequence by number.
fn unpacked(number: f64) -> Vec<usize> {
    let tags = (0..).map(|place| (number as u64 >> (4 * place)) & 15);
    tags.take_while(|&tag| tag != 0).map(|tag| tag as usize - 1).collect()
}

#[test]
fn spans_are_counted_as_seqeval_does() {
    Golden::open("spans").each(|case| {
        let (tags, kinds) = (names(case, "tags"), names(case, "kinds"));
        let scheme = match case.option("scheme").as_str() {
            None => None,
            Some("IOB1") => Some(TagScheme::Iob1),
            Some("IOB2") => Some(TagScheme::Bio),
            Some("IOBES") => Some(TagScheme::Bioes),
            Some(other) => panic!("{other}"),
        };
        let new = || scheme.map_or_else(SpanScores::new, SpanScores::strict);
        let metric = SpanF1::new(tags.clone()).unwrap();
        let mut metric = scheme.map_or(Ok(metric.clone()), |scheme| metric.strict(scheme)).unwrap();
        let mut all = new();
        let (targets, predicted) = (case.numbers("targets"), case.numbers("predicted"));
        let counts = case.numbers("counts");
        assert!(targets.len() == counts.len() && predicted.len() == counts.len());
        for (number, ((targets, predicted), expected)) in targets.iter().zip(&predicted).zip(&counts).enumerate() {
            let (targets, predicted) = (unpacked(*targets), unpacked(*predicted));
            let named = |numbers: &[usize]| numbers.iter().map(|&tag| tags[tag].as_str()).collect::<Vec<_>>();
            let mut one = new();
            for scores in [&mut one, &mut all] {
                scores.add(&named(&targets), &named(&predicted)).unwrap();
            }
            let found = kinds.iter().flat_map(|kind| {
                let counts = one.of(kind);
                [counts.right, counts.predicted, counts.actual]
            });
            let found = found.enumerate().fold(0, |sum, (place, count)| sum | (count << (5 * place)));
            let told = || format!("{} {number}: {:?} {:?}", case.name(), named(&targets), named(&predicted));
            assert_eq!(found, *expected as u64, "{}", told());
            update(&mut metric, &targets, &predicted, tags.len());
        }
        let micro = all.micro();
        let found = [
            [micro.precision(), micro.recall(), micro.f1()],
            [all.macro_precision(), all.macro_recall(), all.macro_f1()],
        ];
        let expected = [case.numbers("micro"), case.numbers("macro")];
        // Counts and a division or two: the last digits.
        found.iter().zip(&expected).for_each(|(found, expected)| assert_near(case.name(), found, expected, 1e-14));
        assert_near(case.name(), &[metric.value()], &[expected[0][2]], 1e-14);
        assert!(all.kinds().map(|(kind, _)| kind).eq(kinds_in_order(&kinds)));
    });
}

fn kinds_in_order(kinds: &[String]) -> Vec<&str> {
    let mut kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
    kinds.sort();
    kinds
}

/// The sequence twice in a batch, padded by a step that does not count: a span ends where its sequence does.
fn update(metric: &mut SpanF1, targets: &[usize], predicted: &[usize], tags: usize) {
    let steps = targets.len() + 1;
    let there = targets.iter().zip(predicted).map(|(&target, &predicted)| (target as u32, predicted, 1.0));
    let padded: Vec<_> = there.chain([(0, 0, 0.0)]).collect();
    let rows = [&padded[..], &padded].concat();
    let one_hot =
        |&(_, predicted, _): &(u32, usize, f32)| (0..tags).map(move |tag| f32::from(u8::from(tag == predicted)));
    let predictions: Vec<f32> = rows.iter().flat_map(one_hot).collect();
    let labels: Vec<u32> = rows.iter().map(|row| row.0).collect();
    let weights: Vec<f32> = rows.iter().map(|row| row.2).collect();
    let scores = Scores::new(&predictions, tags, TargetsRef::Classes(&labels));
    metric.update(&Scores { weights: Some(&weights), steps, ..scores }).unwrap();
}

#[test]
fn trees_are_those_of_networkx_and_counted_as_the_scorer_does() {
    Golden::open("trees").each(|case| match case.kind() {
        "tree" => {
            let scores: Vec<f32> = case.numbers("scores").iter().map(|&score| score as f32).collect();
            let tree = maximum_tree(&scores, case.number("words") as usize).unwrap();
            let heads: Vec<f64> = tree.heads.iter().map(|&head| head as f64).collect();
            assert_eq!(heads, case.numbers("heads"), "{}", case.name());
            // A sum of at most thirty numbers.
            assert_near(case.name(), &[tree.score], &case.numbers("total"), 1e-13);
        }
        "attachment" => {
            let labels = names(case, "labels");
            let whole = |what: &str| case.numbers(what).into_iter().map(|x| x as usize).collect::<Vec<_>>();
            let [heads, relations, found_heads, found_relations] =
                ["heads", "relations", "found_heads", "found_relations"].map(whole);
            let named = |numbers: &[usize]| numbers.iter().map(|&label| labels[label].clone()).collect::<Vec<_>>();
            let (mut scores, mut from) = (AttachmentScores::new(), 0);
            for length in whole("lengths") {
                let words = from..from + length;
                let target = (&heads[words.clone()], &named(&relations[words.clone()])[..]);
                let found = (&found_heads[words.clone()], &named(&found_relations[words])[..]);
                scores.add(target, found).unwrap();
                from += length;
            }
            assert_eq!((from, scores.words()), (heads.len(), from as u64));
            assert_near(case.name(), &[scores.uas(), scores.las()], &case.numbers("value"), 1e-14);
        }
        other => panic!("{}: kind {other}", case.name()),
    });
}

#[test]
fn tags_that_are_none_are_named() {
    let error = |tags: &[&str]| spans(tags).unwrap_err().to_string();
    let letters = "expected a tag: `O`, or `B-`, `I-`, `E-` or `S-` and a kind";
    assert_eq!(error(&["O", "X-a"]), format!("word 1: tag: {letters}, found \"X-a\""));
    for tag in ["", "o", "O-a", "Ba", "B-", "-a", "BI-a"] {
        assert!(error(&[tag]).starts_with(&format!("word 0: tag: {letters}")), "{tag}");
    }
    let strict = TagScheme::Bio.spans(&["E-a"]).unwrap_err().to_string();
    assert_eq!(strict, "word 0: tag: expected a tag of BIO: `O`, or `B-` or `I-` and a kind, found \"E-a\"");
    assert_eq!(spans(&["I-a-b", "S"]).unwrap()[1], Span { kind: "_", words: 1..2 });
    let mut scores = SpanScores::new();
    let side = |error: elman::Result<()>| error.unwrap_err().to_string();
    assert!(side(scores.add(&["x"], &["O"])).starts_with("targets: word 0: tag"));
    assert!(side(scores.add(&["O"], &["x"])).starts_with("predictions: word 0: tag"));
    assert_eq!(
        side(scores.add(&["O", "O"], &["O"])),
        "spans: expected 2 predicted tags, as many as there are words, found 1"
    );
    assert_eq!((scores.micro().f1(), scores.macro_f1(), scores.kinds().count()), (0.0, 0.0, 0));
    let metric = |tags: &[&str]| SpanF1::new(tags.iter().copied()).unwrap_err().to_string();
    assert!(metric(&["O", "x"]).starts_with("span_f1: tag: expected"), "{}", metric(&["O", "x"]));
    assert_eq!(metric(&[]), "span_f1: expected at least one tag, found none");
    let mut f1 = SpanF1::new(["O", "B-a"]).unwrap();
    let outputs = f1.update(&Scores::new(&[0.0; 3], 3, TargetsRef::Classes(&[0]))).unwrap_err().to_string();
    assert_eq!(outputs, "span_f1: expected outputs for 2 tags, found 3");
    let mut attached = AttachmentScores::new();
    assert!(attached.add((&[0], &["root"]), (&[0, 1], &["root"])).unwrap_err().to_string().contains("found [1, 2, 1]"));
    assert_eq!((attached.uas(), attached.las()), (0.0, 0.0));
}
