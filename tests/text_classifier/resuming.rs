//! A training goes on only as what it was begun as, and from anywhere.

use super::commands::{error, printed};
use super::{SMALL, Workplace};
use serde_json::Value;
use std::fs;

fn record(place: &Workplace, run: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(place.path(run).join("run.json")).unwrap()).unwrap()
}

#[test]
fn other_vectors_are_noticed() {
    let place = Workplace::new();
    let vectors = |good: f32| format!("good {good} 0.5\nbad -0.5 0.25\nfilm 0.1 0.1\n");
    fs::write(place.path("vectors.txt"), vectors(0.5)).unwrap();
    let flags = SMALL.replace("--dim 6", "");
    let line = |run: &str, vectors: &str| format!("train --run {run} --train train.tsv {flags} --vectors {vectors}");
    printed(place.command(&line("run", "vectors.txt")));
    // The same in another place are the same.
    fs::copy(place.path("vectors.txt"), place.path("copy.txt")).unwrap();
    printed(place.command(&line("run", "copy.txt")));
    fs::write(place.path("copy.txt"), vectors(0.75)).unwrap();
    for line in ["train --run run --resume".to_string(), line("run", "copy.txt")] {
        let found = error(place.command(&line).output().unwrap());
        assert!(found.starts_with("the word vectors are not those that this training was begun with"), "{found}");
        assert!(found.contains("copy.txt has changed"), "{found}");
    }
}

#[test]
fn resuming_brings_back_how_it_was_computed() {
    let place = Workplace::new();
    printed(place.train("run", "--backend reference --checkpoint-every-steps 5"));
    let said = place.command("train --run run --resume --epochs 7 --json again.json").output().unwrap();
    assert!(said.status.success() && !String::from_utf8_lossy(&said.stderr).contains("begun on"), "{said:?}");
    let results: Value = serde_json::from_str(&fs::read_to_string(place.path("again.json")).unwrap()).unwrap();
    assert_eq!((&results["backend"], &results["threads"]), (&"reference".into(), &1.into()));
    let now = record(&place, "run");
    assert_eq!((&now["computed"]["steps"], &now["settings"]["epochs"]), (&5.into(), &7.into()));
    // What is given counts.
    printed(place.command("train --run run --resume --epochs 8 --backend candle --json again.json"));
    let results: Value = serde_json::from_str(&fs::read_to_string(place.path("again.json")).unwrap()).unwrap();
    assert_eq!(results["backend"], "candle");
}

#[test]
fn it_goes_on_from_any_working_directory() {
    let place = Workplace::new();
    fs::create_dir(place.path("elsewhere")).unwrap();
    fs::copy(place.path("test.tsv"), place.path("valid.tsv")).unwrap();
    printed(place.train("run", "--valid valid.tsv"));
    let mut command = place.command("train --run ../run --resume --epochs 7");
    printed({
        command.current_dir(place.path("elsewhere"));
        command
    });
    assert_eq!(fs::read_to_string(place.path("run/history.csv")).unwrap().lines().count(), 8);
    // What is handed on does not tell of the folders of whoever trained.
    let model = fs::read(place.path("run/model.safetensors")).unwrap();
    let folder = place.path("").display().to_string();
    assert!(!String::from_utf8_lossy(&model).contains(folder.trim_end_matches('/')));
}

#[test]
fn files_may_be_given_again_where_they_are_the_same() {
    let place = Workplace::new();
    printed(place.train("run", ""));
    let resume = "train --run run --resume --epochs 7";
    printed(place.command(&format!("{resume} --train train.tsv --units 6")));
    fs::rename(place.path("train.tsv"), place.path("moved.tsv")).unwrap();
    assert!(error(place.command(resume).output().unwrap()).contains("train.tsv: No such file"));
    printed(place.command(&format!("{resume} --train moved.tsv")));
    let found = error(place.command(&format!("{resume} --train test.tsv")).output().unwrap());
    assert!(found.starts_with("the texts to train on are not those"), "{found}");
    let found = error(place.command(&format!("{resume} --seed 6")).output().unwrap());
    assert!(found.starts_with("--seed: 5 then, 6 now"), "{found}");
}

#[test]
fn the_checkpoint_of_another_training_does_not_go_on() {
    let place = Workplace::new();
    printed(place.train("one", ""));
    // All shapes are the same.
    printed(place.train("other", "--weight-decay 0.1"));
    // A run like the first, elsewhere: the very same training, and its checkpoint as good.
    printed(place.train("like", ""));
    let name = "checkpoint.step-162.safetensors";
    let resumed = |from: &str| {
        fs::copy(place.path(from).join(name), place.path("one").join(name)).unwrap();
        place.command("train --run one --resume --epochs 7").output().unwrap()
    };
    let found = error(resumed("other"));
    assert!(found.starts_with(&format!("one/{name}: this checkpoint is of another training")), "{found}");
    assert!(resumed("like").status.success());
}

#[test]
fn fewer_epochs_than_are_done_are_told_and_change_nothing() {
    let place = Workplace::new();
    printed(place.train("run", ""));
    let content = |name: &str| fs::read(place.path("run").join(name)).unwrap();
    let before = ["run.json", "history.csv", "model.safetensors"].map(content);
    let fewer = SMALL.replace("--epochs 6", "--epochs 3");
    for line in ["train --run run --resume --epochs 3", &format!("train --run run --train train.tsv {fewer}")] {
        let found = error(place.command(line).output().unwrap());
        assert_eq!(found, "--epochs 3: the training in run is in epoch 6 already; give as many at least");
    }
    assert!(["run.json", "history.csv", "model.safetensors"].map(content) == before);
}
