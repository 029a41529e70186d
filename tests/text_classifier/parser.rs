//! The tagger with trees, as a user runs it.

use super::commands::{error, printed};
use super::program;
use elman::Key;
use elman::data::{Sentence, read_conllu};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Flags for a model that trains in a few seconds.
const SMALL: &str = "--threads 1 --units 16 --dim 8 --letter-dim 8 --letter-units 8 --arc-units 16 --label-units 8 --layers 1 \
                     --rate 0.02 --dropout 0.1 --word-dropout 0.1 --seed 5 --epochs 12 --batch-size 8";

/// A folder with treebanks of one grammar: nouns, some with an adjective before them, hang on a verb, the first as its subject, the second as its
/// object. Words are made up, of which few come twice: what they are their last letters tell.
struct Workplace {
    folder: tempfile::TempDir,
}

fn treebank(seed: u64, count: u64) -> String {
    let sentence = |number: u64| {
        let key = Key::new(seed).fold(number);
        let letters = |at: u64| (0..2).map(|i| ["ba", "ki", "lo", "mu"][key.below(10 * at + i, 4)]).collect::<String>();
        let [first, second] = [1, 2].map(|at| key.below(at, 2));
        let (subject, verb) = (first + 1, first + 2);
        let object = verb + second + 1;
        let mut words = Vec::new();
        let mut put = |form: String, tag: &str, head: usize, label: &str| {
            let at = words.len() + 1;
            words.push(format!("{at}\t{form}\t_\t{tag}\t_\t_\t{head}\t{label}\t{head}:{label}\tm={at}\n"));
        };
        (0..first).for_each(|_| put(format!("{}y", letters(3)), "ADJ", subject, "amod"));
        put(format!("{}n", letters(4)), "NOUN", verb, "nsubj:x");
        put(format!("{}s", letters(5)), "VERB", 0, "root");
        (0..second).for_each(|_| put(format!("{}y", letters(6)), "ADJ", object, "amod"));
        put(format!("{}n", letters(7)), "NOUN", verb, "obj");
        put(".".into(), "PUNCT", verb, "punct");
        format!("# sent_id = {number}\n{}\n", words.concat())
    };
    (0..count).map(sentence).collect()
}

impl Workplace {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("train.conllu"), treebank(1, 160)).unwrap();
        fs::write(folder.path().join("test.conllu"), treebank(2, 40)).unwrap();
        Workplace { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = program("09_tagger");
        command.current_dir(self.folder.path()).args(line.split_whitespace());
        command
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&fs::read_to_string(self.path(name)).unwrap()).unwrap()
    }

    /// The sentences that a command prints.
    fn sentences(&self, line: &str) -> Vec<Sentence> {
        fs::write(self.path("out"), printed(self.command(line))).unwrap();
        read_conllu(self.path("out")).unwrap()
    }
}

#[test]
fn trees_and_tags_of_words_never_seen_are_found() {
    let place = Workplace::new();
    printed(place.command(&format!("train --run run --train train.conllu --task all {SMALL} --json train.json")));
    assert!(place.json("train.json")["metrics"]["trees_accuracy"].as_f64().unwrap() > 0.98);
    let said = printed(place.command("evaluate --run run --data test.conllu --threads 1 --json scores.json"));
    let scores = place.json("scores.json");
    let score = |name: &str| scores["metrics"][name].as_f64().unwrap();
    assert_eq!((score("uas"), score("las")), (1.0, 1.0), "{said}");
    assert!(score("accuracy") > 0.98 && said.contains("uas           1.0000"), "{said}");

    // Heads and labels are written over, with what hung on them; the rest is as it was.
    let gold = read_conllu(place.path("test.conllu")).unwrap();
    let bare: String = gold
        .iter()
        .map(|sentence| {
            let mut sentence = sentence.clone();
            sentence.words_mut().for_each(|word| (word.head, word.deprel) = (None, "_".into()));
            sentence.to_string()
        })
        .collect();
    fs::write(place.path("bare.conllu"), bare).unwrap();
    let found = place.sentences("predict --run run bare.conllu --threads 1");
    assert_eq!(found.len(), gold.len());
    for (found, gold) in found.iter().zip(&gold) {
        assert_eq!((found.tree().unwrap(), &found.comments), (gold.tree().unwrap(), &gold.comments));
        for (found, gold) in found.words().zip(gold.words()) {
            assert_eq!((&found.deprel, found.deps.as_str(), &found.misc), (&gold.deprel, "_", &gold.misc));
        }
    }
    let drawn = printed(place.command("predict --run run bare.conllu --trees --svg arcs.svg --threads 1"));
    assert!(fs::read_to_string(place.path("arcs.svg")).unwrap().matches(">nsubj:x</text>").count() == 40);
    assert!(drawn.lines().next().unwrap().ends_with("s  root") && drawn.contains("└─ .  punct\n\n"), "{drawn}");
}

#[test]
fn whatever_is_read_gets_a_tree() {
    let place = Workplace::new();
    // So few epochs teach nothing.
    let flags = SMALL.replace("--epochs 12", "--epochs 1").replace("--rate 0.02", "--rate 0.3");
    printed(place.command(&format!("train --run run --train train.conllu --task trees {flags}")));
    fs::write(place.path("text.txt"), format!("loban\n\n{}\nlobas kin . bakin ?\n", "bakin mus ".repeat(60))).unwrap();
    let found = place.sentences("predict --run run text.txt --format text --threads 1");
    assert_eq!(found.iter().map(|sentence| sentence.words().count()).collect::<Vec<_>>(), [1, 120, 5]);
    for sentence in &found {
        let heads = sentence.tree().unwrap();
        // The label of a root is its own.
        assert!(sentence.words().zip(heads).all(|(word, head)| (word.deprel == "root") == (head == 0)), "{sentence}");
    }
    // Parts of speech are not learnt, and stay.
    let found = place.sentences("predict --run run test.conllu --threads 1");
    assert_eq!(found[0].words().last().unwrap().upos, "PUNCT");
    printed(place.command("evaluate --run run --data test.conllu --threads 1 --json scores.json"));
    assert_eq!(place.json("scores.json")["by_label"]["nsubj"]["there"], 40);
}

#[test]
fn mistakes_are_told() {
    let place = Workplace::new();
    let said = |line: &str| error(place.command(line).output().unwrap());
    fs::write(place.path("a.tsv"), "a\tX\n").unwrap();
    let mut command = place.command("train --run run --train a.tsv --task trees --crf");
    let columns = String::from_utf8(command.output().unwrap().stderr).unwrap();
    assert!(columns.contains("--crf: --task trees has none"), "{columns}");
    assert!(
        columns.contains("--train a.tsv: --task trees needs CoNLL-U, found columns by name or --format"),
        "{columns}"
    );
    let whole = treebank(1, 3);
    let lines = treebank(1, 2).matches('\n').count();
    let broken = |number: usize, head: &str| {
        let mut sentences: Vec<String> = whole.split_inclusive("\n\n").map(String::from).collect();
        let rows: Vec<String> = sentences[2]
            .lines()
            .map(|line| {
                let mut columns: Vec<&str> = line.split('\t').collect();
                if columns[0] == number.to_string() {
                    columns[6] = head;
                }
                columns.join("\t") + "\n"
            })
            .collect();
        sentences[2] = rows.concat();
        fs::write(place.path("broken.conllu"), sentences.concat()).unwrap();
        said("train --run run --train broken.conllu --task trees")
    };
    let begins = format!("broken.conllu, the sentence from line {} on: ", lines + 1);
    let verb = whole.split("\n\n").nth(2).unwrap().lines().find(|line| line.contains("VERB")).unwrap();
    let verb: usize = verb.split('\t').next().unwrap().parse().unwrap();
    let two = broken(1, "0");
    assert!(two.contains(&begins) && two.contains("one root"), "{two}");
    let rootless = broken(verb, "1");
    assert!(rootless.contains(&begins) && rootless.contains("the root, found none"), "{rootless}");
    let cycle = broken(1, "1");
    assert!(cycle.contains(&begins) && cycle.contains("a cycle: 1 -> 1"), "{cycle}");
    let none = broken(1, "_");
    assert!(none.contains(&begins) && none.contains("word 1: expected a head, found `_`"), "{none}");
    let beyond = broken(1, "99");
    assert!(beyond.contains(&format!("broken.conllu, line {}", lines + 2)) && beyond.contains("99"), "{beyond}");
    printed(
        place.command(&format!("train --run tags --train train.conllu {}", SMALL.replace("--epochs 12", "--epochs 1"))),
    );
    let drawing = said("predict --run tags test.conllu --trees");
    assert_eq!(drawing, "--trees: expected a run of trees, found one of --task tags");
    let over = said("predict --run tags test.conllu --svg test.conllu");
    assert!(over.starts_with("--svg test.conllu: "), "{over}");
}
