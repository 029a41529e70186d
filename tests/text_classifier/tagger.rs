//! The tagger as a user runs it.

use super::commands::{error, printed};
use super::program;
use elman::Key;
use elman::pipeline::Tagger;
use elman_candle::Candle;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Flags for a model that trains in about a second.
const SMALL: &str = "--threads 1 --units 12 --dim 8 --letter-dim 6 --letter-units 6 --rate 0.02 --dropout 0.1 --seed 5 \
                     --epochs 12 --batch-size 8";

/// A folder with sentences in which a word's tag follows from its letters and from the word before it.
struct Workplace {
    folder: tempfile::TempDir,
}

/// Words and tags: of made-up names some are two words long; verbs end in `s`, of which few come twice.
fn sentences(seed: u64, count: u64) -> Vec<Vec<(String, &'static str)>> {
    let sentence = |number: u64| {
        let key = Key::new(seed).fold(number);
        let letters = |at: u64| (0..3).map(|i| ["ba", "ki", "lo", "mu"][key.below(10 * at + i, 4)]).collect::<String>();
        let name = |at: u64| format!("{}{}", ["A", "B"][key.below(at, 2)], letters(at + 1));
        let mut words = vec![(name(1), "B-x")];
        if key.below(0, 2) == 0 {
            words.push((name(2), "I-x"));
        }
        words.push((format!("{}s", letters(3)), "O"));
        words.push((letters(4), "O"));
        words
    };
    (0..count).map(sentence).collect()
}

fn columns(sentences: &[Vec<(String, &str)>]) -> String {
    let line = |(word, tag): &(String, &str)| format!("{word}\t{tag}\n");
    sentences.iter().map(|words| words.iter().map(line).collect::<String>() + "\n").collect()
}

/// The same with comments and a range, as CoNLL-U.
fn conllu(sentences: &[Vec<(String, &str)>]) -> String {
    let sentence = |words: &Vec<(String, &str)>| {
        let rest = "\t_\t_\t_\t_\t_\n";
        let of = |(at, (word, tag)): (usize, &(String, &str))| format!("{}\t{word}\t_\t{tag}\t_{rest}", at + 1);
        let range = format!("1-2\t{}{}\t_\t_\t_{rest}", words[0].0, words[1].0);
        format!("# c\n{range}{}\n", words.iter().enumerate().map(of).collect::<String>())
    };
    sentences.iter().map(sentence).collect()
}

impl Workplace {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
        for (name, seed, count) in [("train", 1, 120), ("test", 2, 40)] {
            let sentences = sentences(seed, count);
            write(&format!("{name}.tsv"), columns(&sentences));
            write(&format!("{name}.conllu"), conllu(&sentences));
        }
        Workplace { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn command(&self, line: &str) -> Command {
        let mut command = program("09_tagger");
        command.current_dir(self.folder.path()).args(line.split_whitespace());
        command
    }

    fn train(&self, run: &str, flags: &str) -> Command {
        self.command(&format!("train --run {run} {SMALL} {flags}"))
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.text(name)).unwrap()
    }
}

#[test]
fn spans_of_words_never_seen_are_found_by_their_letters() {
    let place = Workplace::new();
    printed(place.train("run", "--train train.tsv --task spans --json train.json"));
    assert!(place.json("train.json")["metrics"]["span_f1"].as_f64().unwrap() > 0.9);
    // A file of its own, wherever it lies.
    fs::create_dir(place.path("elsewhere")).unwrap();
    fs::rename(place.path("run/model.safetensors"), place.path("elsewhere/model.safetensors")).unwrap();
    let said = printed(
        place.command("evaluate --run elsewhere --data test.tsv --threads 1 --json scores.json --svg tags.svg"),
    );
    let scores = place.json("scores.json");
    assert!(place.text("tags.svg").contains(" B-x taken for B-x</title>"));
    let f1 = scores["metrics"]["f1"].as_f64().unwrap();
    assert!(f1 > 0.9 && said.contains(&format!("f1            {f1:.4}")), "{said}");
    assert_eq!(scores["by_kind"]["x"]["there"], 40);

    // The same tags with the old ones in the file and without, from a file and from standard input.
    let predicted = printed(place.command("predict --run elsewhere test.tsv --threads 1"));
    let test = place.text("test.tsv");
    let right =
        predicted.lines().zip(test.lines()).filter(|(found, there)| !there.is_empty() && found == there).count();
    let words = test.lines().filter(|line| !line.is_empty()).count();
    assert_eq!(predicted.lines().count(), test.lines().count());
    assert_eq!(right as f64 / words as f64, scores["metrics"]["accuracy"].as_f64().unwrap());
    let bare: String = test.lines().map(|line| format!("{}\n", line.split('\t').next().unwrap())).collect();
    fs::write(place.path("bare"), bare).unwrap();
    let mut command = place.command("predict --run elsewhere --threads 1");
    command.stdin(Stdio::from(fs::File::open(place.path("bare")).unwrap()));
    assert_eq!(printed(command), predicted);
    // Plain text, whose words are found by rules.
    fs::write(place.path("text.txt"), "Abakilo Bkilomu lobas, ki\n").unwrap();
    let text = printed(place.command("predict --run elsewhere text.txt --format text --threads 1"));
    assert_eq!(
        text.lines().map(|line| line.split('\t').next().unwrap()).collect::<Vec<_>>(),
        ["Abakilo", "Bkilomu", "lobas", ",", "ki", ""]
    );
}

#[test]
fn a_field_gives_no_tags_that_its_scheme_does_not_know() {
    let place = Workplace::new();
    let said = printed(place.train("run", "--train train.tsv --task spans --crf"));
    assert!(said.contains("the tags are in BIO"), "{said}");
    printed(place.command("evaluate --run run --data test.tsv --threads 1 --json scores.json"));
    assert!(place.json("scores.json")["metrics"]["f1"].as_f64().unwrap() > 0.9);
    let predicted = printed(place.command("predict --run run train.tsv --threads 1"));
    let tags: Vec<&str> = predicted.lines().map(|line| line.split('\t').nth(1).unwrap_or("")).collect();
    assert!(tags.contains(&"I-x") && !tags.windows(2).any(|pair| pair[1] == "I-x" && !pair[0].ends_with("-x")));
    // In no scheme: nothing is forbidden.
    let odd = place.text("train.tsv").replacen("B-x", "I-x", 1).replacen("\tO", "\tS-x", 1);
    fs::write(place.path("odd.tsv"), odd).unwrap();
    let mut command = place.command("train --run odd --train odd.tsv --task spans --crf --epochs 1 --threads 1");
    command.args(["--units", "4"]);
    assert!(!printed(command).contains("the tags are in"));
}

#[test]
fn treebanks_come_out_as_they_were_but_for_their_tags() {
    let place = Workplace::new();
    printed(place.train("run", "--train train.conllu --valid test.conllu"));
    let predicted = printed(place.command("predict --run run test.conllu --threads 1"));
    let test = place.text("test.conllu");
    let without = |text: &str| -> Vec<String> {
        let tag = |line: &str| {
            line.split('\t').enumerate().filter(|(at, _)| *at != 3).map(|(_, column)| format!("{column}|")).collect()
        };
        text.lines().map(tag).collect()
    };
    assert_eq!(without(&predicted), without(&test));
    let same = predicted.lines().zip(test.lines()).filter(|(found, there)| found == there).count();
    assert!(same as f64 > 0.95 * test.lines().count() as f64, "{same}");
}

#[test]
fn an_interrupted_training_ends_in_the_same_bytes() {
    let place = Workplace::new();
    let flags = "--train train.tsv --task spans";
    printed(place.train("whole", flags));
    printed(place.command(&format!("train --run parts {SMALL} --epochs 5 {flags}").replace("--epochs 12", "")));
    printed(place.command("train --run parts --resume --epochs 12"));
    let bytes = |run: &str| fs::read(place.path(&format!("{run}/model.safetensors"))).unwrap();
    // The number of epochs is told in the file's settings.
    assert!(bytes("whole") == bytes("parts"));
}

/// Where words say nothing, the column between word and tag does, if it is to be read.
#[test]
fn further_columns_are_read_if_they_are_asked_for() {
    let place = Workplace::new();
    let rows = |seed: u64| {
        let row = |i: u64| {
            let which = Key::new(seed).below(i, 2);
            format!("ba\tc{which}\tT{which}\n{}", if i % 5 == 4 { "\n" } else { "" })
        };
        (0..300).map(row).collect::<String>()
    };
    fs::write(place.path("train3.tsv"), rows(1)).unwrap();
    fs::write(place.path("test3.tsv"), rows(2)).unwrap();
    let accuracy = |run: &str, flags: &str| {
        printed(place.train(run, &format!("--train train3.tsv {flags}")));
        printed(place.command(&format!("evaluate --run {run} --data test3.tsv --threads 1 --json scores.json")));
        place.json("scores.json")["metrics"]["accuracy"].as_f64().unwrap()
    };
    assert!(accuracy("with", "--features") > 0.9);
    let none = error(place.train("none", "--train train.conllu --features").output().unwrap());
    assert_eq!(none, "--features: expected columns between word and tag, found none");
    assert!(accuracy("without", "") < 0.8);
    // The tag may lack, the column may not.
    let bare = |rows: &str| rows.replace("\tT0", "").replace("\tT1", "");
    fs::write(place.path("bare.tsv"), bare(&rows(2))).unwrap();
    let predicted = printed(place.command("predict --run with bare.tsv --threads 1"));
    assert!(bare(&predicted) == bare(&rows(2)) && predicted != bare(&predicted), "{predicted}");
    fs::write(place.path("text.txt"), "ba ba\n").unwrap();
    let text = error(place.command("predict --run with text.txt --format text").output().unwrap());
    assert!(text.starts_with("--format text: expected 3 columns a word"), "{text}");
}

#[test]
fn sentences_are_made_up_where_none_are_given() {
    let place = Workplace::new();
    let flags = SMALL.replace("--epochs 12", "--epochs 3");
    for (task, file, score) in [("spans", "test.tsv", "f1"), ("all", "test.conllu", "las")] {
        let more = "--arc-units 16 --label-units 8 --layers 1";
        let said = printed(place.command(&format!("train --run {task} --task {task} {flags} {more}")));
        assert!(said.starts_with("No --train given: training on sentences that the project makes up"), "{said}");
        assert!(said.contains("1350 sentences of ") && said.contains("150 of "), "{said}");
        printed(place.command(&format!("evaluate --run {task} --data {task}/{file} --threads 1 --json scores.json")));
        let scores = place.json("scores.json");
        assert_eq!(scores["sentences"], 300);
        assert!(scores["metrics"][score].as_f64().unwrap() > 0.9, "{scores}");
        // Goes on as it was begun, without a file.
        let more = printed(place.command(&format!("train --run {task} --resume --epochs 4")));
        assert!(more.contains("going on from"), "{more}");
    }
    let picture = error(place.command("predict --run all all/test.conllu --svg all/test.tsv").output().unwrap());
    assert!(picture.contains("this is the file of --run"), "{picture}");
    let alone = error(place.command("train --run other --valid test.tsv").output().unwrap());
    assert_eq!(alone, "--valid: sentences to choose by go with those of --train; give both");
}

/// A program without any code of this one needs nothing but the file.
#[test]
fn the_file_of_a_run_is_a_pipeline() {
    let place = Workplace::new();
    printed(place.train("run", "--train train.tsv --task spans --crf"));
    let tagger = Tagger::load(&Candle::cpu_with_threads(1).unwrap(), place.path("run/model.safetensors")).unwrap();
    let found = tagger.tag("Abakilo Bkilomu lobas ki.").unwrap();
    let names: Vec<_> = found[0].spans.iter().map(|span| (span.text.as_str(), span.range.clone())).collect();
    assert_eq!(names, [("Abakilo Bkilomu", 0..15)]);
    // Of a tagger that another program has saved, this one does not know what its files are.
    tagger.save(place.path("run/model.safetensors")).unwrap();
    let other = error(place.command("predict --run run test.tsv").output().unwrap());
    assert!(other.contains("model.safetensors: not written by this program"), "{other}");
    let none = error(place.command("predict --run elsewhere test.tsv").output().unwrap());
    assert!(none.contains("there is no such folder"), "{none}");
}

#[test]
fn mistakes_are_told() {
    let place = Workplace::new();
    let said = |mut command: Command| error(command.output().unwrap());
    fs::write(place.path("odd.tsv"), "a\tX-x\n").unwrap();
    let tags = said(place.train("run", "--train odd.tsv --task spans --valid-part 0"));
    assert!(tags.contains("--task spans: word 0: tag: expected a tag") && tags.contains("X-x"), "{tags}");
    fs::write(place.path("three.tsv"), "a\tN\tO\n").unwrap();
    printed(place.train("run", "--train train.tsv"));
    let columns = said(place.command("evaluate --run run --data three.tsv"));
    assert_eq!(columns, "three.tsv: expected 2 columns, the first the word, the last the tag, found 3");
    let other = said(place.command("predict --run run test.conllu"));
    assert_eq!(other, "test.conllu: expected columns, as the training's file has, found CoNLL-U by name or --format");
    fs::write(place.path("broken.conllu"), "1\ta\n").unwrap();
    let broken = said(place.train("other", "--train broken.conllu"));
    assert!(
        broken.ends_with("broken.conllu, line 1: expected ten columns with tabs between them, found 2 in \"1\\ta\""),
        "{broken}"
    );
    fs::write(place.path("empty.tsv"), "\n").unwrap();
    assert!(said(place.train("other", "--train empty.tsv")).ends_with("expected sentences, found none"));
    assert_eq!(printed(place.command("predict --run run empty.tsv")), "");
}
