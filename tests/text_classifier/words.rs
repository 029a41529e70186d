//! What is said of wrong options and odd input, and that commands agree on it.

use super::Workplace;
use super::commands::{error, printed};
use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

/// The output of a command that reads this.
fn fed(mut command: Command, input: &[u8]) -> Output {
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    // Whether it is read to the end is the command's business.
    child.stdin.take().unwrap().write_all(input).unwrap_or(());
    child.wait_with_output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn all_wrong_options_are_told_at_once_and_before_texts_are_read() {
    let place = Workplace::new();
    let flags = "--rate 0 --dropout 1 --choose-by accuracy --label-column mood --vectors none.txt --tokenizer wrods \
                 --class-weights heavy --json none/x.json --threads 0";
    let output = place.command(&format!("train --run new --train train.tsv {flags}")).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && output.stdout.is_empty());
    let expected = [
        "--vectors none.txt: No such file",
        "--tokenizer wrods: expected words, tweets, keras, glove-twitter or a file, found neither",
        "--label-column: TSV has no names of columns",
        "--rate 0: expected a number above 0",
        "--dropout 1: expected",
        "--choose-by accuracy: expected one of val_loss, val_accuracy, val_macro_f1; that is of the texts trained on",
        "--class-weights: expected balanced or LABEL=WEIGHT, found `heavy`",
        "--threads 0: expected from 1",
        "--json none/x.json: No such file",
    ];
    assert!(said.starts_with(&format!("error: {} options are wrong:\n", expected.len())), "{said}");
    assert!(said.lines().skip(1).zip(expected).all(|(line, start)| line.trim_start().starts_with(start)), "{said}");
    assert!(!place.path("new").exists());
}

#[test]
fn columns_are_for_files_that_have_them() {
    let place = Workplace::new();
    printed(place.train("run", ""));
    for flags in ["--label-column mood", "--text-column words", "--separator ;"] {
        for line in [
            format!("train --run new --train train.tsv {flags}"),
            format!("evaluate --run run --data test.tsv {flags}"),
        ] {
            let found = error(place.command(&line).output().unwrap());
            let option = flags.split(' ').next().unwrap();
            assert!(found.starts_with(&format!("{option}: ")), "{line}: {found}");
        }
    }
    // In training one of two files may have names, and then any file to evaluate.
    let csv = "mood,text\nyes,good\nno,bad\n".to_string() + &"yes,good\nno,bad\n".repeat(20);
    fs::write(place.path("named.csv"), csv).unwrap();
    let small = "--threads 1 --units 2 --dim 2 --steps 4 --epochs 1";
    printed(
        place.command(&format!("train --run named --train named.csv --valid test.tsv --label-column mood {small}")),
    );
    printed(place.command("evaluate --run named --data test.tsv --threads 1"));
}

#[test]
fn another_separator_is_told() {
    let place = Workplace::new();
    for (separator, hint) in [(";", "give --separator ';'"), ("|", "give --separator '|'"), ("\t", "--format tsv")] {
        let lines = [["label", "text"], ["yes", "good"], ["no", "bad"]].map(|cells| cells.join(separator) + "\n");
        fs::write(place.path("other.csv"), lines.concat()).unwrap();
        let found = error(place.command("train --run new --train other.csv").output().unwrap());
        assert!(found.contains(hint) && found.contains("other.csv, line 1"), "{found}");
    }
    for (separator, shown) in [("é", "'é'"), ("\"", "'\"'"), ("\n", "'\\n'")] {
        let mut command = place.command("train --run new --train other.csv");
        let found = error(command.args(["--separator", separator]).output().unwrap());
        assert!(found.starts_with(&format!("--separator {shown}: expected one ASCII character")), "{found}");
    }
    // With it, the file is read.
    fs::write(place.path("other.csv"), "label;text\n".to_string() + &"yes;good\nno;bad\n".repeat(20)).unwrap();
    printed(place.command("train --run new --train other.csv --separator ; --epochs 1 --units 2 --dim 2 --steps 4"));
}

#[test]
fn a_class_whose_label_has_a_comma_can_be_given_a_weight() {
    let place = Workplace::new();
    let lines: String = (0..40).map(|i| format!("{}\tword\n", ["news, local", "other"][i % 2])).collect();
    fs::write(place.path("commas.tsv"), lines).unwrap();
    let mut command = place.command("train --run run --train commas.tsv --units 2 --dim 2 --steps 4 --epochs 1");
    command.args(["--class-weights", "news, local=2,other=0.5"]);
    printed(command);
    // Weights by which nothing would be learned.
    let mut command = place.command("train --run new --train commas.tsv --units 2 --dim 2 --steps 4 --epochs 1");
    command.args(["--class-weights", "news, local=0,other=0"]);
    let found = error(command.output().unwrap());
    assert!(found.starts_with("--class-weights: expected a weight above 0 for one label"), "{found}");
}

#[test]
fn many_labels_take_no_line_each_on_the_screen() {
    let place = Workplace::new();
    let lines: String = (0..3000).map(|i| format!("label {i}\tword\n")).collect();
    fs::write(place.path("many.tsv"), lines).unwrap();
    let said = printed(
        place.command("train --run run --train many.tsv --valid-part 0 --units 1 --dim 1 --steps 2 --epochs 1"),
    );
    assert!(said.lines().all(|line| line.len() < 300), "{said}");
    // What is confused with what is told where there is something, and not as a square of nine million numbers.
    printed(place.command("evaluate --run run --data many.tsv --threads 1 --json scores.json"));
    let scores: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(place.path("scores.json")).unwrap()).unwrap();
    let texts = scores["confused"].as_array().unwrap().iter().map(|pair| pair["texts"].as_u64().unwrap());
    assert_eq!(texts.sum::<u64>(), 3000);
    assert!(scores["confusion"].is_null());
    let found = error(place.command("train --run new --train many.tsv --class-weights none=1").output().unwrap());
    assert!(found.ends_with("... (3000 in all), found `none`"), "{found}");
}

#[test]
fn commands_agree_on_empty_texts_and_files() {
    let place = Workplace::new();
    printed(place.train("run", ""));
    let predict = "predict --run run --threads 1 --output jsonl";
    let serve = "serve-stdin --run run --threads 1";
    fs::write(place.path("empty"), "").unwrap();
    fs::write(place.path("lines"), "\ngood\n").unwrap();
    assert_eq!(printed(place.command(&format!("{predict} empty"))), "");
    assert_eq!(printed(place.command("predict --run run empty --threads 1")), "label\tp(no)\tp(yes)\ttext\n");
    assert_eq!(text(&fed(place.command(serve), b"")), "");
    let object = |line: &str| -> serde_json::Value { serde_json::from_str(line).unwrap() };
    let (predicted, served) =
        (printed(place.command(&format!("{predict} lines"))), text(&fed(place.command(serve), b"\ngood\n")));
    for (predicted, served) in predicted.lines().map(object).zip(served.lines().map(object)) {
        assert!(predicted["label"].is_string());
        assert_eq!(predicted["label"], served["label"]);
    }
    assert_eq!((predicted.lines().count(), served.lines().count()), (2, 2));
    let mut empty = place.command(predict);
    empty.args(["--text", "", "--text", "-1"]);
    assert_eq!(printed(empty).lines().count(), 2);
}

#[test]
fn a_hyphen_is_standard_input() {
    let place = Workplace::new();
    let (train, test) = (fs::read(place.path("train.tsv")).unwrap(), fs::read(place.path("test.tsv")).unwrap());
    let small = "--threads 1 --units 6 --dim 6 --steps 12 --batch-size 8 --epochs 6 --rate 0.01 --dropout 0.3 --seed 5";
    let line = format!("train --run run --train - --format tsv {small}");
    text(&fed(place.command(&line), &train));
    // What is not there any more has to be given again.
    let resume = "train --run run --resume --epochs 7";
    let found = error(fed(place.command(resume), b""));
    assert_eq!(found, "--train: it came from standard input; give it again, as `--train -` or in a file");
    text(&fed(place.command(&format!("{resume} --train -")), &train));

    let from_file = printed(place.command("evaluate --run run --data test.tsv --threads 1"));
    let piped = text(&fed(place.command("evaluate --run run --data - --format tsv --threads 1"), &test));
    let scores = |text: &str| text.lines().find(|line| line.starts_with("accuracy")).map(String::from);
    assert!(scores(&piped).is_some());
    assert_eq!(scores(&piped), scores(&from_file));
    let found = error(fed(place.command("evaluate --run run --data -"), &test));
    assert!(found.starts_with("--data -: expected") && found.ends_with("or --format"), "{found}");
    let found = error(fed(place.command("evaluate --run run --data - --format tsv"), b"yes good\n"));
    assert!(found.starts_with("standard input, line 1: expected a tab"), "{found}");
    let predicted = text(&fed(place.command("predict --run run - --threads 1"), b"good\nbad\n"));
    assert_eq!(predicted.lines().count(), 3);
    let both = "train --run new --train - --valid - --format tsv";
    let found = error(fed(place.command(both), &train));
    assert!(found.starts_with("-: standard input can be read once"), "{found}");
}

#[test]
fn a_file_where_the_run_s_folder_should_be_is_told() {
    let place = Workplace::new();
    fs::write(place.path("file"), "").unwrap();
    for line in ["evaluate --run file --data test.tsv", "predict --run file --text good", "serve-stdin --run file"] {
        let found = error(place.command(line).output().unwrap());
        assert!(found.starts_with("--run file: this is a file; give the folder that it is in"), "{line}: {found}");
    }
}
