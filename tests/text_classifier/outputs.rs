//! Where results go: through links, pipes and devices, into no file of the program's own, and found out before the work.

use super::Workplace;
use super::commands::{error, printed};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::process::{Command, Stdio};

const EVALUATE: &str = "evaluate --run run --data test.tsv --threads 1";

/// The JSON object that a text ends in.
fn last_object(text: &str) -> Value {
    let start = text.rfind("\n{\n").map_or(0, |at| at + 1);
    serde_json::from_str(&text[start..]).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn results_go_through_links_and_pipes() {
    let place = Workplace::new();
    printed(place.train("run", ""));
    let is_result = |text: &str| last_object(text)["example"] == "07_text_classifier";

    fs::write(place.path("target.json"), "old").unwrap();
    symlink("target.json", place.path("link.json")).unwrap();
    printed(place.command(&format!("{EVALUATE} --json link.json")));
    assert!(fs::symlink_metadata(place.path("link.json")).unwrap().is_symlink());
    assert!(is_result(&fs::read_to_string(place.path("target.json")).unwrap()));

    let fifo = place.path("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let reader = {
        let fifo = fifo.clone();
        std::thread::spawn(move || fs::read_to_string(fifo).unwrap())
    };
    printed(place.command(&format!("{EVALUATE} --json fifo")));
    assert!(is_result(&reader.join().unwrap()));
    assert!(fs::metadata(&fifo).unwrap().file_type().is_fifo());

    // A file of this name would be left in the folder.
    for name in ["-", "/dev/stdout", "/dev/fd/1"] {
        let text = printed(place.command(&format!("{EVALUATE} --json {name}")));
        assert!(text.contains("accuracy      ") && is_result(&text), "{name}: {text}");
    }
    assert!(!place.path("-").exists());
    // Standard output that is a file gets the results behind the text.
    let file = fs::File::create(place.path("out")).unwrap();
    let number = file.metadata().unwrap().ino();
    let mut command = place.command(&format!("{EVALUATE} --json /dev/stdout"));
    assert!(command.stdout(file).status().unwrap().success());
    let text = fs::read_to_string(place.path("out")).unwrap();
    assert!(text.contains("accuracy      ") && is_result(&text), "{text}");
    assert_eq!(fs::metadata(place.path("out")).unwrap().ino(), number);
}

#[test]
fn a_full_device_is_an_error_with_its_place() {
    let place = Workplace::new();
    printed(place.train("run", ""));
    fs::write(place.path("texts"), "good\n".repeat(9)).unwrap();
    let failed = |line: &str| {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        error(place.command(line).stdin(fs::File::open(place.path("texts")).unwrap()).stdout(full).output().unwrap())
    };
    for line in [EVALUATE, "predict --run run texts --threads 1", "serve-stdin --run run --threads 1"] {
        assert_eq!(failed(line), "standard output: No space left on device (os error 28)", "{line}");
    }
    let found = error(place.command(&format!("{EVALUATE} --json /dev/full")).output().unwrap());
    assert!(found.starts_with("--json: /dev/full: No space left"), "{found}");
    assert!(fs::metadata("/dev/full").unwrap().file_type().is_char_device());
    // Standard error that takes nothing is no reason to panic.
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let status = place.command("evaluate --run nowhere --data test.tsv").stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn results_take_no_place_of_the_program_s_own_files() {
    let place = Workplace::new();
    printed(place.train("run", "--json run/results.json"));
    assert!(place.path("run/results.json").is_file());
    fs::hard_link(place.path("test.tsv"), place.path("same.tsv")).unwrap();
    symlink("run", place.path("way")).unwrap();
    let content = |name: &str| fs::read(place.path(name)).unwrap();
    let names = ["train.tsv", "test.tsv", "run/run.json", "run/model.safetensors", "run/history.csv"];
    let before = names.map(content);
    for (line, whose) in [
        ("train --run run --resume --json train.tsv".to_string(), "--json train.tsv: this is the file of --train"),
        (
            "train --run run --resume --json way/model.safetensors".to_string(),
            "--json way/model.safetensors: this is a file",
        ),
        ("train --run run --resume --json run/run.json".to_string(), "--json run/run.json: this is a file of the run"),
        ("train --run run --resume --json run/checkpoint.step-1.safetensors".to_string(), "--json run/checkpoint"),
        (format!("{EVALUATE} --json test.tsv"), "--json test.tsv: this is the file of --data"),
        (format!("{EVALUATE} --json same.tsv"), "--json same.tsv: this is the file of --data"),
        (format!("{EVALUATE} --json ./run/../run/model.safetensors"), "--json ./run/../run/model.safetensors: this is"),
    ] {
        let found = error(place.command(&line).output().unwrap());
        assert!(found.starts_with(whose), "{line}: {found}");
    }
    assert!(names.map(content) == before);
    let found = error(place.train("new", "--json train.tsv").output().unwrap());
    assert!(found.starts_with("--json train.tsv: this is the file of --train"), "{found}");
}

#[test]
fn whether_results_have_a_place_is_found_out_before_the_work() {
    let place = Workplace::new();
    fs::create_dir(place.path("folder")).unwrap();
    symlink("b", place.path("a")).unwrap();
    symlink("a", place.path("b")).unwrap();
    for (json, why) in [("none/x.json", "No such file"), ("folder", "directory"), ("a", "circle"), ("train.tsv/x", "")]
    {
        let output = place.train("new", &format!("--json {json}")).stdout(Stdio::piped()).output().unwrap();
        assert!(output.stdout.is_empty(), "{json}: {}", String::from_utf8_lossy(&output.stdout));
        let found = error(output);
        assert!(found.starts_with(&format!("--json {json}: ")) && found.contains(why), "{found}");
    }
    // As is that of the model.
    fs::create_dir_all(place.path("new/model.safetensors")).unwrap();
    let output = place.train("new", "").output().unwrap();
    assert!(output.stdout.is_empty());
    assert!(error(output).starts_with("new/model.safetensors: "));
}
