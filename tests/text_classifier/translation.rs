//! The translator as a user runs it.

use super::commands::{error, printed};
use super::program;
use elman::Key;
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Flags for a model that trains in some seconds.
const SMALL: &str = "--threads 1 --units 32 --dim 16 --rate 0.01 --dropout 0 --seed 5 --epochs 16 --batch-size 16";

/// A folder with pairs of sentences whose words stand the other way round and are others in the translation.
struct Workplace {
    folder: tempfile::TempDir,
}

const WORDS: [(&str, &str); 6] =
    [("ein", "one"), ("zwei", "two"), ("rote", "red"), ("alte", "old"), ("hund", "dog"), ("katze", "cat")];

fn pairs(seed: u64, count: u64) -> Vec<(String, String)> {
    let pair = |number: u64| {
        let key = Key::new(seed).fold(number);
        let words: Vec<_> = (0..2 + key.below(0, 3) as u64).map(|at| WORDS[key.below(1 + at, WORDS.len())]).collect();
        let source: Vec<&str> = words.iter().map(|word| word.0).collect();
        let target: Vec<&str> = words.iter().rev().map(|word| word.1).collect();
        (source.join(" "), target.join(" "))
    };
    (0..count).map(pair).collect()
}

impl Workplace {
    fn new() -> Self {
        let place = Workplace { folder: tempfile::tempdir().unwrap() };
        for (name, seed, count) in [("train", 1, 300), ("test", 2, 40)] {
            let pairs = pairs(seed, count);
            let side = |text: fn(&(String, String)) -> &String| {
                pairs.iter().map(|pair| format!("{}\n", text(pair))).collect::<String>()
            };
            let lines = pairs.iter().map(|(source, target)| format!("{source}\t{target}\n")).collect::<String>();
            place.write(&format!("{name}.tsv"), &lines);
            place.write(&format!("{name}.de"), &side(|pair| &pair.0));
            place.write(&format!("{name}.en"), &side(|pair| &pair.1));
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.text(name)).unwrap()
    }

    fn command(&self, line: &str) -> Command {
        let mut command = program("11_translation");
        command.current_dir(self.folder.path()).args(line.split_whitespace());
        command
    }

    fn train(&self, run: &str, flags: &str) -> Command {
        self.command(&format!("train --run {run} {SMALL} {flags}"))
    }
}

#[test]
fn sentences_never_seen_are_translated() {
    let place = Workplace::new();
    printed(place.train("run", "--train train.tsv --json train.json"));
    assert!(place.json("train.json")["metrics"]["perplexity"].as_f64().unwrap() < 2.0);
    // A file of its own, wherever it lies.
    fs::create_dir(place.path("elsewhere")).unwrap();
    fs::rename(place.path("run/model.safetensors"), place.path("elsewhere/model.safetensors")).unwrap();
    let line = "evaluate --run elsewhere --data test.tsv --threads 1 --json scores.json --output found";
    let said = printed(place.command(line));
    let scores = place.json("scores.json");
    let number = |name: &str| scores["metrics"][name].as_f64().unwrap();
    assert!(number("exact") > 0.9 && number("bleu") > 90.0 && number("chrf") > 90.0, "{scores}");
    assert!(said.contains(&format!("BLEU   {:.2}", number("bleu"))), "{said}");
    let (found, expected) = (place.text("found"), place.text("test.en"));
    let same = found.lines().zip(expected.lines()).filter(|(found, expected)| found == expected).count();
    assert_eq!(same as f64 / 40.0, number("exact"));

    // The same from two files, and from the reference backend by words that come one by one.
    let line = "evaluate --run elsewhere --data test.de --data-target test.en --threads 1 --json again.json";
    printed(place.command(line));
    assert_eq!(place.json("again.json")["metrics"], scores["metrics"]);
    let line = "translate --run elsewhere test.de --threads 1 --batch 1 --backend reference";
    assert_eq!(printed(place.command(line)), found);

    let mut command = place.command("translate --run elsewhere --n-best 3 --attention --svg seen.svg --threads 1");
    let said = printed({
        command.args(["--text", "ein rote hund"]);
        command
    });
    let first = said.lines().next().unwrap();
    assert!(first.ends_with("\tdog red one") && first.starts_with("1\t-"), "{said}");
    assert!(said.lines().any(|line| line.trim() == "│ │ hund"), "{said}");
    let svg = place.text("seen.svg");
    assert_eq!(svg.matches("<title>").count(), 9, "{svg}");
    // What is looked at most for `dog` is `hund`.
    let weights: Vec<f64> =
        svg.lines().filter_map(|line| line.split("<title>hund: ").nth(1)?.split('<').next()?.parse().ok()).collect();
    assert!(weights[0] > weights[1] && weights[0] > weights[2], "{weights:?}");
    place.write("two", "ein hund\nzwei katze\n");
    let two = printed(place.command("translate --run elsewhere two --n-best 2 --threads 1"));
    assert_eq!(two.lines().map(|line| line.split('\t').next().unwrap()).collect::<Vec<_>>(), ["1", "1", "2", "2"]);
    // Of references of fewer than four words BLEU says nothing.
    place.write("short.tsv", "ein hund\tdog one\n");
    let short = printed(place.command("evaluate --run elsewhere --data short.tsv --threads 1"));
    assert!(short.contains("BLEU   -  no reference has four words"), "{short}");
    // Texts come from standard input where none are given.
    let mut child = place.command("translate --run elsewhere --threads 1");
    let mut child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"ein hund\n").unwrap();
    assert_eq!(String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap(), "dog one\n");
    // A text without a word, and one of unknown words.
    place.write("odd", "ein hund\n\n\u{3000}\nxyzzy \u{7f}\n");
    let odd = printed(place.command("translate --run elsewhere odd --threads 1 --replace-unknown"));
    assert_eq!(odd.lines().count(), 4);
    assert_eq!(odd.lines().nth(1), Some(""));
}

#[test]
fn every_form_is_trained_and_used() {
    let place = Workplace::new();
    for (run, flags) in [
        "--attention luong --tied --level char --model lstm --label-smoothing 0",
        "--attention none --layers 2 --level bpe --max-words 270 --average 0.9 --scheduled-sampling 0.3",
        "--attention luong --input-feeding --dropout 0.1 --lowercase --backend reference",
        "--input-feeding --source-level char --schedule linear --valid test.tsv --patience 1",
    ]
    .into_iter()
    .enumerate()
    {
        let small = "--threads 1 --units 6 --dim 4 --epochs 1";
        printed(place.command(&format!("train --run {run} --train train.tsv {small} {flags}")));
        let line = format!("evaluate --run {run} --data test.tsv --beam 2 --threads 1 --longest 9 --json s.json");
        printed(place.command(&line));
        assert_eq!(place.json("s.json")["texts"], 40);
    }
    let without = "translate --run 1 test.de --attention --threads 1";
    let found = error(place.command(without).output().unwrap());
    assert!(found.contains("expected a run with attention"), "{found}");
}

#[test]
fn small_letters_are_held_to_small_letters() {
    let place = Workplace::new();
    printed(place.train("run", "--train train.tsv --lowercase"));
    place.write("great.tsv", &place.text("test.tsv").to_uppercase());
    let line = |data: &str| format!("evaluate --run run --data {data} --threads 1 --json {data}.json");
    let (said, great) = (printed(place.command(&line("test.tsv"))), printed(place.command(&line("great.tsv"))));
    assert!(place.json("test.tsv.json")["metrics"]["exact"].as_f64().unwrap() > 0.9, "{said}");
    assert_eq!(place.json("great.tsv.json")["metrics"], place.json("test.tsv.json")["metrics"]);
    assert!(great.matches("case:lc").count() == 2 && !great.contains("case:mixed"), "{great}");
    // A run that tells them apart is held to what is there.
    printed(place.command("train --run mixed --train train.tsv --threads 1 --units 6 --dim 4 --epochs 1"));
    assert!(printed(place.command(&line("test.tsv").replace("--run run", "--run mixed"))).contains("case:mixed"));
}

#[test]
fn dates_and_sums_are_made_up() {
    let place = Workplace::new();
    let flags = "--units 8 --dim 4 --epochs 1 --threads 1 --made-up-pairs 300";
    for made_up in ["dates", "sums"] {
        let said = printed(place.command(&format!("train --run {made_up} {flags} --made-up {made_up}")));
        assert!(said.contains("that the project makes up"), "{said}");
        let line = format!("evaluate --run {made_up} --data {made_up}/test.tsv --beam 1 --threads 1 --json s.json");
        printed(place.command(&line));
        assert_eq!(place.json("s.json")["texts"], 2000);
    }
}

#[test]
fn a_training_that_is_killed_ends_in_the_same_bytes() {
    let place = Workplace::new();
    let flags = "--train train.tsv --dropout 0.3 --average 0.9 --schedule cosine --checkpoint-every-steps 5";
    let flags = format!("{flags} --units 16");
    let train = |run: &str| {
        let line =
            format!("train --run {run} {} {flags}", SMALL.replace("--dropout 0 ", "").replace("--units 32 ", ""));
        place.command(&line)
    };
    printed(train("whole"));
    for kill in 0..2 {
        let mut child = train("parts").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let newest = || {
            let names = fs::read_dir(place.path("parts")).into_iter().flatten();
            let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let step = |name: String| name.strip_prefix("checkpoint.step-")?.split('.').next()?.parse::<u64>().ok();
            names.filter_map(step).max().unwrap_or(0)
        };
        // A little behind a checkpoint, of which there are some sixty.
        while newest() < [5, 100][kill] && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(3));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(newest() > 0 && !place.path("parts/model.safetensors").exists());
    }
    printed(train("parts"));
    let bytes = |run: &str| fs::read(place.path(&format!("{run}/model.safetensors"))).unwrap();
    assert!(bytes("whole") == bytes("parts"));
    // And goes on for longer, but not as another one.
    let other = error(place.command("train --run parts --resume --attention luong").output().unwrap());
    assert_eq!(other, "--attention: with --resume the run has its own; leave it out");
}

#[test]
fn pairs_that_are_none_are_told() {
    let place = Workplace::new();
    let said = |line: &str| error(place.command(line).output().unwrap());
    let train = |flags: &str| said(&format!("train --run new --threads 1 --units 4 --dim 4 --epochs 1 {flags}"));
    place.write("one_side.tsv", "ein\tone\n\nzwei\t \n");
    let found = train("--train one_side.tsv");
    assert_eq!(found, "one_side.tsv, line 3: expected a text behind the tab in \"zwei\\t \"");
    place.write("columns.tsv", "ein\tone\tuno\n");
    assert!(
        train("--train columns.tsv").starts_with("columns.tsv, line 1: expected a text, a tab and a text, found 3")
    );
    place.write("no_tab.tsv", "ein one\n");
    assert!(train("--train no_tab.tsv").contains("line 1: expected a text, a tab and a text, found 1 columns"));
    place.write("empty.tsv", "\n");
    assert_eq!(train("--train empty.tsv"), "empty.tsv: expected lines, found an empty file");
    place.write("more.en", &format!("{}one\n", place.text("train.en")));
    let found = train("--train train.de --train-target more.en");
    assert_eq!(found, "train.de has 300 lines, more.en has 301: expected a translation for each line");
    let gap = |(at, line): (usize, &str)| format!("{}\n", if at == 6 { "" } else { line });
    place.write("gap.en", &place.text("train.en").lines().enumerate().map(gap).collect::<String>());
    let found = train("--train train.de --train-target gap.en");
    assert_eq!(found, "gap.en, line 7: expected a text, as train.de has one there");
    let found = train("--train train.de --train-target train.en --valid test.tsv");
    assert!(found.starts_with("--train-target, --valid-target: expected both or none"), "{found}");
    for (flags, expected) in [
        ("--attention none --input-feeding", "--input-feeding: --attention none has nothing to feed"),
        ("--units 1", "--units 1: expected at least 2"),
        ("--level bpe --max-words 256", "--max-words: expected more than 256"),
        ("--valid-part 0 --patience 2", "--patience needs pairs"),
        ("--level none.json", "--level none.json: No such file"),
        ("--level words", "--level words: expected word, char, bpe or the file"),
        (
            "--train train.tsv --level char --min-count 2",
            "--min-count: expected --level word on a side, found char and char",
        ),
        ("--train train.tsv --level char --max-words 300", "--max-words: expected --level word or bpe on a side"),
        ("--made-up-pairs 100000000", "--made-up-pairs 100000000: expected at most"),
        ("--units 99999999999", "--units, --layers and --dim: would take"),
    ] {
        let flags = if flags.contains("--units") { flags.to_string() } else { format!("{flags} --units 4") };
        let found = said(&format!("train --run new --threads 1 --dim 4 --epochs 1 {flags}"));
        assert!(found.starts_with(expected), "{flags}: {found}");
    }
    // Too long for its neighbours, but no reason to fail.
    place.write("long.tsv", &format!("{}{}\tone\n", place.text("train.tsv"), "ein ".repeat(10_000)));
    let output = place
        .command("train --run long --train long.tsv --units 4 --dim 4 --epochs 1 --threads 1 --seed 1")
        .output()
        .unwrap();
    let note = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && note.contains("1 of 286 pairs have more than 100 tokens and are left out"),
        "{note}"
    );
    place.write("long.txt", &"ein ".repeat(10_000));
    assert_eq!(printed(place.command("translate --run long long.txt --threads 1")).lines().count(), 1);
    assert!(printed(place.command("translate --run long long.txt --threads 1 --attention")).len() < 10_000);

    for (flags, expected) in [
        ("evaluate --run long --data test.de", "test.de, line 1: expected a text, a tab and a text"),
        ("evaluate --run long --data test.de --data-target train.en", "test.de has 40 lines, train.en has 300"),
        ("evaluate --run long --data test.tsv --beam 0", "--beam 0: expected a number of at least 1"),
        (
            "evaluate --run long --data test.tsv --output long/run.json",
            "--output long/run.json: this is the file of --run",
        ),
        ("translate --run long test.de --svg test.de", "--svg test.de: this is the file of the texts"),
        ("translate --run long test.de --svg long/run.json", "--svg long/run.json: this is the file of --run"),
        ("translate --run long test.de --n-best 6", "--n-best 6: expected 1 to 5"),
        ("translate --run nowhere test.de", "--run nowhere: there is no such folder"),
    ] {
        let found = said(flags);
        assert!(found.starts_with(expected), "{flags}: {found}");
    }
}
