//! The commands, as a user gives them: what they print, and what is said of mistakes.

use super::{SMALL, Workplace};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Output, Stdio};

/// Standard output of a command that succeeds.
pub fn printed(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The first line of the error of a command that fails as a program should.
pub fn error(output: Output) -> String {
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && !text.contains("panicked"), "{text}");
    text.lines().find_map(|line| line.strip_prefix("error: ")).unwrap_or(&text).to_string()
}

/// The objects of JSON lines.
fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn all_commands_say_the_same_of_a_text() {
    let place = Workplace::new();
    printed(place.train("run", "--json train.json"));
    // A file of its own: a checkpoint alone is enough, wherever it lies.
    fs::create_dir(place.path("elsewhere")).unwrap();
    fs::rename(place.path("run/model.safetensors"), place.path("elsewhere/model.safetensors")).unwrap();

    let evaluated = printed(place.command("evaluate --run elsewhere --data test.tsv --threads 1 --json scores.json"));
    let scores: Value = serde_json::from_str(&fs::read_to_string(place.path("scores.json")).unwrap()).unwrap();
    let accuracy = scores["metrics"]["accuracy"].as_f64().unwrap();
    // Words alone do not tell the classes apart, and 240 texts are enough for their order to.
    assert!(accuracy > 0.9 && evaluated.contains(&format!("accuracy      {accuracy:.4}")), "{evaluated}");

    let test = fs::read_to_string(place.path("test.tsv")).unwrap();
    let (labels, texts): (Vec<&str>, Vec<&str>) = test.lines().map(|line| line.split_once('\t').unwrap()).unzip();
    fs::write(place.path("texts"), texts.join("\n")).unwrap();
    let predicted = objects(&printed(place.command("predict --run elsewhere texts --output jsonl --threads 1")));
    let right = predicted.iter().zip(&labels).filter(|(object, label)| object["label"] == **label).count();
    assert_eq!(right as f64 / labels.len() as f64, accuracy);
    let table = printed(place.command("predict --run elsewhere texts --threads 1"));
    assert_eq!(table.lines().next(), Some("label\tp(no)\tp(yes)\ttext"));
    for (line, object) in table.lines().skip(1).zip(&predicted) {
        let yes = object["probabilities"]["yes"].as_f64().unwrap();
        let cells: Vec<&str> = line.split('\t').collect();
        let expected = (object["label"].as_str().unwrap(), format!("{yes:.4}"), object["text"].as_str().unwrap());
        assert_eq!((cells[0], cells[2].to_string(), cells[3]), expected);
    }

    let mut serve = place.command("serve-stdin --run elsewhere --threads 1");
    let mut serve = serve.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut to, mut from) = (serve.stdin.take().unwrap(), serve.stdout.take().unwrap());
    writeln!(to, "{}", texts[0]).unwrap();
    // The answer comes at once: the input has not ended.
    let mut first = [0; 1];
    from.read_exact(&mut first).unwrap();
    to.write_all(b"\xff\n").unwrap();
    writeln!(to, "{}", texts[1]).unwrap();
    drop(to);
    let mut answers = String::from_utf8(first.to_vec()).unwrap();
    from.read_to_string(&mut answers).unwrap();
    assert!(serve.wait().unwrap().success());
    let answers = objects(&answers);
    assert_eq!(answers.len(), 3);
    assert_eq!(answers[1]["error"], "expected UTF-8, found other bytes");
    for (answer, expected) in [(&answers[0], &predicted[0]), (&answers[2], &predicted[1])] {
        assert_eq!(answer["label"], expected["label"]);
        let yes = |object: &Value| object["probabilities"]["yes"].as_f64().unwrap();
        // A batch of one is summed in another order.
        assert!((yes(answer) - yes(expected)).abs() < 1e-5, "{answer} {expected}");
    }
}

#[test]
fn a_closed_pipe_ends_a_command_in_silence() {
    let place = Workplace::new();
    printed(place.train("run", ""));
    fs::write(place.path("texts"), "good\n".repeat(20_000)).unwrap();
    for line in ["predict --run run texts --threads 1", "evaluate --run run --data test.tsv --threads 1"] {
        let mut child = place.command(line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn a_training_goes_on_only_as_it_was_begun() {
    let place = Workplace::new();
    printed(place.train("run", ""));
    let failed = |flags: &str| String::from_utf8(place.train("run", flags).output().unwrap().stderr).unwrap();
    let other = failed("--pooling max");
    assert!(other.contains("  --pooling: last then, max now\n"), "{other}");
    assert_eq!(
        error(place.command("train --run run --resume --units 9").output().unwrap()),
        "--units: with --resume the run has its own; leave it out"
    );
    // For longer: with its flags, and with --resume.
    let lines = || fs::read_to_string(place.path("run/history.csv")).unwrap().lines().count();
    assert_eq!(lines(), 7);
    printed(
        place.command(&format!("train --run run --train train.tsv {} --epochs 7", SMALL.replace("--epochs 6", ""))),
    );
    assert_eq!(lines(), 8);
    printed(place.command("train --run run --resume --epochs 8 --threads 1"));
    assert_eq!(lines(), 9);
    // Which a run that is interrupted now would have to remember.
    let record: Value = serde_json::from_str(&fs::read_to_string(place.path("run/run.json")).unwrap()).unwrap();
    assert_eq!(record["settings"]["epochs"], 8);
    // The same file with another text in it.
    let texts = fs::read_to_string(place.path("train.tsv")).unwrap();
    fs::write(place.path("train.tsv"), texts.replacen("good", "fine", 1)).unwrap();
    assert!(
        error(place.command("train --run run --resume").output().unwrap()).starts_with("the texts to train on are not")
    );
}

#[test]
fn mistakes_are_told_as_what_they_are() {
    let place = Workplace::new();
    let file = |name: &str, text: &str| fs::write(place.path(name), text).unwrap();
    file("empty.tsv", "");
    file("one.tsv", "yes\tgood\nyes\tfine\n");
    file("other.csv", "id,mood,words\n1,yes,good\n");
    file("unknown.tsv", "yes\tgood\nperhaps\tfine\n");
    file("file", "");
    let said = |line: &str| error(place.command(line).output().unwrap());
    let train = |flags: &str| said(&format!("train --run new --threads 1 {flags}"));
    for (flags, expected) in [
        ("--train none.tsv", "--train none.tsv: No such file"),
        ("--resume", "--run new: there is no such folder"),
        ("--train empty.tsv", "empty.tsv: expected texts, found none"),
        ("--train one.tsv", "one.tsv: expected texts of at least two labels, found only `yes`"),
        ("--train file", "--train file: expected a name that ends in"),
        ("--train other.csv", "other.csv, line 1: expected the column \"label\""),
        ("--train train.tsv --valid unknown.tsv", "unknown.tsv, line 2: expected one of the labels"),
        ("--train train.tsv --valid-part 0.001", "train.tsv: --valid-part 0.001 of 240 texts leaves none"),
        ("--train train.tsv --valid-part 0 --patience 2", "--patience needs texts to choose by"),
        ("--train train.tsv --valid test.tsv --valid-part 0.1", "the argument '--valid <FILE>' cannot be used with"),
        ("--train train.tsv --tokenizer wrods", "--tokenizer wrods: expected words,"),
        ("--train train.tsv --class-weights maybe=2", "--class-weights: expected a label of no, yes"),
        ("--train train.tsv --choose-by val_f1", "--choose-by val_f1: expected one of val_loss,"),
        ("--train train.tsv --dropout 1", "--dropout 1: expected"),
        ("--train train.tsv --min-count 1000", "vocabulary: expected"),
        ("--train train.tsv --batch-size 0", "--batch-size 0: expected"),
    ] {
        let found = train(flags);
        assert!(found.starts_with(expected), "{flags}: {found}");
    }
    // None of these starts stands in the way of one that is right.
    printed(place.train("new", ""));
    for (line, expected) in [
        ("train --run file", "--run file: this is a file"),
        ("train --run . --resume", "--resume: no training was begun in ."),
        ("train --run nowhere --resume", "--run nowhere: there is no such folder"),
        ("evaluate --run nowhere --data test.tsv", "--run nowhere: there is no such folder"),
        ("evaluate --run . --data test.tsv", "--run .: there is no checkpoint"),
        ("evaluate --run new --data unknown.tsv", "unknown.tsv, line 2: expected one of the labels"),
        ("evaluate --run new --data other.csv", "other.csv, line 1: expected the column"),
        ("evaluate --run new --data empty.tsv", "empty.tsv: expected texts, found none"),
        ("predict", "the following required arguments were not provided"),
        ("predict --run new none", "none: No such file"),
        ("serve-stdin --run new --device cuda:x", "--device cuda:x: `x` is not a device's number"),
    ] {
        let found = said(line);
        assert!(found.starts_with(expected), "{line}: {found}");
    }
    fs::write(place.path("new/model.safetensors"), "no model").unwrap();
    assert!(said("predict --run new --text good").starts_with("new/model.safetensors: "));
}
