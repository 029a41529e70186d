//! Pipelines: raw text in, answers out.

mod answers;
mod examples;
mod files;
mod text;
mod training;
mod translator;

use elman::Backend;
use elman::pipeline::{Tagger, TaggerBuilder, TaggerExample, TaggerTask};

/// Sentences of a small grammar: a name of one or two words, a verb, perhaps an object; with tags of names, or of parts of speech, and trees.
pub(crate) fn sentences(task: TaggerTask) -> Vec<TaggerExample> {
    let names = ["Anna", "Bert", "New York", "Carla", "Old Tom"];
    let verbs = ["sees", "likes", "doesn't know"];
    let mut all = Vec::new();
    for (number, name) in names.iter().enumerate() {
        for (other, verb) in verbs.iter().enumerate() {
            let object = names[(number + other + 1) % names.len()];
            all.push(sentence(task, name, verb, Some(object)));
        }
        all.push(sentence(task, name, "sleeps", None));
    }
    all
}

fn sentence(task: TaggerTask, subject: &str, verb: &str, object: Option<&str>) -> TaggerExample {
    // Word, tag of spans, part of speech, head within its part, label of the part's last word.
    let (mut words, mut spans, mut parts, mut heads, mut labels) = (vec![], vec![], vec![], vec![], vec![]);
    let of_subject = subject.split(' ').count();
    let of_verb = if verb.starts_with("doesn't") { vec!["does", "n't", "know"] } else { vec![verb] };
    let root = of_subject + of_verb.len();
    let mut name = |name: &str, label: &'static str, words: &mut Vec<String>| {
        let own: Vec<&str> = name.split(' ').collect();
        let last = words.len() + own.len();
        for (at, word) in own.iter().enumerate() {
            words.push(word.to_string());
            spans.push(if at == 0 { "B-NAME" } else { "I-NAME" });
            parts.push("PROPN");
            heads.push(if at + 1 == own.len() { root } else { last });
            labels.push(if at + 1 == own.len() { label } else { "compound" });
        }
    };
    name(subject, "nsubj", &mut words);
    // What stands between them is none of a name.
    let at_verb = words.len();
    words.extend(of_verb.iter().map(|word| word.to_string()));
    if let Some(object) = object {
        name(object, "obj", &mut words);
    }
    words.push(".".into());
    for (at, &word) in of_verb.iter().enumerate() {
        let is_last = at + 1 == of_verb.len();
        spans.insert(at_verb + at, "O");
        parts.insert(
            at_verb + at,
            if is_last {
                "VERB"
            } else if word == "n't" {
                "PART"
            } else {
                "AUX"
            },
        );
        heads.insert(at_verb + at, if is_last { 0 } else { root });
        labels.insert(at_verb + at, if is_last { "root" } else { "aux" });
    }
    spans.push("O");
    parts.push("PUNCT");
    heads.push(root);
    labels.push("punct");
    let example = TaggerExample::new(words).tree(heads, labels);
    match task {
        TaggerTask::Spans => example.tags(spans),
        _ => example.tags(parts),
    }
}

pub(crate) fn builder(task: TaggerTask) -> TaggerBuilder {
    let small = TaggerBuilder::new(task).min_count(1).dim(10).letters(6, 5).units(9).layers(1);
    small.tree_units(12, 6).dropout(0.1).word_dropout(0.05)
}

/// One that has learnt nothing yet.
pub(crate) fn untrained<B: Backend>(b: &B, builder: &TaggerBuilder, task: TaggerTask) -> Tagger<B> {
    builder.build(b, &sentences(task), &[], 3).unwrap()
}
