//! Taggers are trained by the ordinary `Fit`.

use super::{builder, sentences};
use elman::checkpoint::Checkpoint;
use elman::data::{Sentence, read_conllu};
use elman::optim::{Adam, Sgd};
use elman::pipeline::{Tagger, TaggerExample, TaggerTask};
use elman::training::callbacks::EarlyStopping;
use elman::{Backend, Fit};
use elman_candle::Candle;
use elman_reference::Reference;

fn trained<B: Backend>(b: &B, task: TaggerTask, crf: bool) -> Tagger<B> {
    let (train, builder) = (sentences(task), builder(task).crf(crf));
    let mut tagger = builder.build(b, &train, &[], 5).unwrap();
    tagger.compile(Adam::new(0.02)).unwrap();
    let data = tagger.dataset(&train).unwrap();
    let mut best = EarlyStopping::new(task.best_by()).patience(80).restore_best();
    let fit = Fit::new().epochs(80).batch_size(4).validation_data(&data).callback(&mut best).quiet();
    tagger.fit(&data, fit).unwrap();
    tagger
}

#[test]
fn each_task_is_learnt() {
    fn check<B: Backend>(b: &B) {
        for (task, crf) in
            [(TaggerTask::Tags, true), (TaggerTask::Spans, false), (TaggerTask::Trees, false), (TaggerTask::All, false)]
        {
            let tagger = trained(b, task, crf);
            for (example, found) in sentences(task).iter().zip(tagger.tag_examples(&sentences(task)).unwrap()) {
                if task.has_tags() {
                    assert_eq!(found.tags().collect::<Vec<_>>(), example.tags, "{task}: {:?}", example.words);
                }
                if task.has_trees() {
                    let arcs: Vec<(usize, &str)> = found.arcs().map(|arc| (arc.head, arc.label.as_str())).collect();
                    let there: Vec<(usize, &str)> =
                        example.heads.iter().copied().zip(example.labels.iter().map(String::as_str)).collect();
                    assert_eq!(arcs, there, "{task}: {:?}", example.words);
                }
            }
        }
    }
    check(&Reference::<f32>::new());
    check(&Candle::cpu());
}

/// A checkpoint is a tagger's file, and a training that goes on from it ends as one that was not interrupted.
#[test]
fn checkpoints_are_taggers_and_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (b, task, train) = (Candle::cpu(), TaggerTask::Spans, sentences(TaggerTask::Spans));
    let path = folder.path().join("run.safetensors");
    let build = || builder(task).crf(true).build(&b, &train, &[], 5).unwrap();
    let fit = |epochs| Fit::new().epochs(epochs).batch_size(4).quiet();
    let mut parts = build();
    let data = parts.dataset(&train).unwrap();
    let checkpoint = Checkpoint::new(&path).extras(parts.extras().unwrap());
    parts.fit(&data, fit(2).checkpoint(checkpoint.clone())).unwrap();
    let newest = checkpoint.latest().unwrap().unwrap();
    let words = [["Anna", "sees", "Bert"]];
    assert_eq!(Tagger::load(&b, &newest).unwrap().tag_words(&words).unwrap(), parts.tag_words(&words).unwrap());

    let (mut resumed, mut whole) = (build(), build());
    resumed.fit(&data, fit(4).resume_from(&newest)).unwrap();
    whole.fit(&data, fit(4)).unwrap();
    assert_eq!(resumed.tag_words(&words).unwrap(), whole.tag_words(&words).unwrap());
    assert_ne!(resumed.tag_words(&words).unwrap(), parts.tag_words(&words).unwrap());
}

#[test]
fn any_optimiser_trains() {
    let (b, task) = (Reference::<f32>::new(), TaggerTask::All);
    let mut tagger = builder(task).build(&b, &sentences(task), &[], 5).unwrap();
    tagger.compile(Sgd::new(0.25)).unwrap();
    assert_eq!(tagger.model().optimizer().unwrap().learning_rate(), 0.25);
    let data = tagger.dataset(&sentences(task)).unwrap();
    let history = tagger.fit(&data, Fit::new().epochs(1).quiet()).unwrap();
    for name in ["tags_accuracy", "trees_accuracy", "trees_loss"] {
        assert!(history.epochs[0].get(name).is_some(), "{name}");
    }
}

/// As a program of one's own does it: a treebank from a file, the tagger from another.
#[test]
fn from_a_treebank_to_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let [treebank, model] = ["train.conllu", "model.safetensors"].map(|name| folder.path().join(name));
    let conllu = |example: &TaggerExample| {
        let mut sentence = Sentence::of_words(example.words.clone()).unwrap();
        for (at, word) in sentence.words_mut().enumerate() {
            word.upos.clone_from(&example.tags[at]);
            (word.head, word.deprel) = (Some(example.heads[at]), example.labels[at].clone());
        }
        sentence.to_string()
    };
    std::fs::write(&treebank, sentences(TaggerTask::All).iter().map(conllu).collect::<String>()).unwrap();

    let (backend, task) = (Candle::cpu(), TaggerTask::All);
    let read = read_conllu(&treebank).unwrap();
    let train: Vec<_> = read.iter().map(|sentence| TaggerExample::of_conllu(sentence, task).unwrap()).collect();
    assert_eq!(train, sentences(task));
    let mut tagger = builder(task).build(&backend, &train, &[], 1).unwrap();
    tagger.compile(Adam::new(0.02)).unwrap();
    let data = tagger.dataset(&train).unwrap();
    tagger.fit(&data, Fit::new().epochs(40).batch_size(4).quiet()).unwrap();
    tagger.save(&model).unwrap();

    let found = Tagger::load(&backend, &model).unwrap().tag("Anna doesn't know New York.").unwrap();
    let told: Vec<_> = found[0].words.iter().map(|word| (word.tag.as_str(), word.arc.as_ref().unwrap().head)).collect();
    assert_eq!(told, [("PROPN", 4), ("AUX", 4), ("PART", 4), ("VERB", 0), ("PROPN", 6), ("PROPN", 4), ("PUNCT", 4)]);
}
