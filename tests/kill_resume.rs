//! The text classifier's training killed (SIGKILL) at random moments and gone on with, until it ends: what is left must be
//! the very bytes of a training that nobody touched.
//!
//! Times are the one thing that differs, being measured: the last column of `history.csv`, and `training_time` in the
//! checkpoint. They are taken out on both sides; `model.safetensors` has none and is compared as it is.
//!
//! Three kills with the other tests; fifty, which take some minutes, with
//! `cargo build --example 07_text_classifier && cargo test --test kill_resume -- --ignored --nocapture`.
#![cfg(unix)]

use elman::Key;
use serde_json::Value;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Trainings with much that has state: dropout, moments, a schedule, early stopping with its best weights.
const TRAININGS: [&str; 3] = [
    "--model lstm --bidirectional --pooling attention --schedule cosine --warm-up 10 --weight-decay 0.01",
    "--model gru --layers 2 --pooling max --recurrent-dropout 0.3 --lazy --class-weights balanced",
    "--model elman --pooling average --word-dropout 0.1 --patience 3 --choose-by val_macro_f1 --backend reference",
];
const COMMON: &str = "--threads 1 --units 6 --dim 6 --steps 12 --batch-size 8 --epochs 6 --rate 0.01 --dropout 0.3 \
                      --checkpoint-every-steps 3 --seed 5";

/// The example, which `cargo test` builds beside the tests.
fn program() -> PathBuf {
    let deps = std::env::current_exe().unwrap();
    let name = format!("07_text_classifier{}", std::env::consts::EXE_SUFFIX);
    let path = deps.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(path.is_file(), "{} is not there: cargo build --example 07_text_classifier", path.display());
    path
}

/// A folder with a corpus in which what is meant comes last.
struct Workplace {
    folder: tempfile::TempDir,
}

impl Workplace {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let words = [["bad", "dull", "poor"], ["good", "great", "fine"]];
        let text = |i: u64| {
            let key = Key::new(7).fold(i);
            let (class, pick) = (key.below(0, 2), |n, class: usize| words[class][key.below(n, 3)]);
            format!("{}\tthe film was not {} but {}\n", ["no", "yes"][class], pick(1, 1 - class), pick(2, class))
        };
        fs::write(folder.path().join("train.tsv"), (0..240).map(text).collect::<String>()).unwrap();
        fs::write(folder.path().join("test.tsv"), (240..260).map(text).collect::<String>()).unwrap();
        Workplace { folder }
    }

    fn train(&self, run: &Path, flags: &str) -> Command {
        let mut command = Command::new(program());
        command.args(["train", "--run"]).arg(run).arg("--train").arg(self.folder.path().join("train.tsv"));
        command.args(COMMON.split_whitespace()).args(flags.split_whitespace());
        command
    }

    fn evaluate(&self, run: &Path) -> Output {
        let mut command = Command::new(program());
        command.args(["evaluate", "--threads", "1", "--run"]).arg(run);
        command.arg("--data").arg(self.folder.path().join("test.tsv")).output().unwrap()
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The newest checkpoint's step.
fn newest(folder: &Path) -> Option<u64> {
    let step = |name: &String| name.strip_prefix("checkpoint.step-")?.strip_suffix(".safetensors")?.parse().ok();
    names(folder).iter().filter_map(step).max()
}

/// What is to be the same in two runs: file by file, without times.
fn essence(run: &Path) -> Vec<(String, Vec<u8>)> {
    let content = |name: String| {
        let bytes = fs::read(run.join(&name)).unwrap();
        let bytes = match name.as_str() {
            "history.csv" => {
                let text = String::from_utf8(bytes).unwrap();
                assert!(text.lines().next().unwrap().ends_with(",seconds"));
                text.lines().flat_map(|line| [line.rsplit_once(',').unwrap().0, "\n"]).collect::<String>().into()
            }
            name if name.starts_with("checkpoint.") => without_times(&bytes),
            _ => bytes,
        };
        (name, bytes)
    };
    names(run).into_iter().map(content).collect()
}

/// A safetensors file without the times in its metadata.
fn without_times(bytes: &[u8]) -> Vec<u8> {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&bytes[8..][..length]).unwrap();
    let state = &mut header["__metadata__"]["elman.training"];
    let mut training: Value = serde_json::from_str(state.as_str().unwrap()).unwrap();
    for epoch in training["epoch_logs"].as_array_mut().unwrap() {
        epoch.as_object_mut().unwrap().remove("training_time").unwrap();
    }
    *state = Value::String(training.to_string());
    [header.to_string().as_bytes(), &bytes[8 + length..]].concat()
}

/// Kills trainings until there were so many kills and the last training has ended, with each going on.
fn kill_and_compare(kills: usize) {
    let place = Workplace::new();
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
    println!("moments drawn from seed {seed}");
    let (mut moments, mut killed, mut within, mut before, mut round) = (0, 0, 0, 0, 0);
    while killed < kills {
        let flags = TRAININGS[round % TRAININGS.len()];
        let whole = place.folder.path().join(format!("whole-{round}"));
        let start = Instant::now();
        let output = place.train(&whole, flags).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let time = start.elapsed();

        let broken = place.folder.path().join(format!("broken-{round}"));
        let mut this_round = 0;
        loop {
            let from = if broken.is_dir() { newest(&broken) } else { None };
            let log = place.folder.path().join("log");
            let mut child = place
                .train(&broken, flags)
                .stdout(fs::File::create(&log).unwrap())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            if killed < kills {
                moments += 1;
                sleep(time.mul_f64(0.7 * Key::new(seed).uniform(moments)) + Duration::from_millis(5));
                child.kill().unwrap();
            }
            let status = child.wait().unwrap();
            let said = fs::read_to_string(&log).unwrap();
            // A training that was killed before it got there has not said so.
            let goes_on = from.map(|step| format!("checkpoint.step-{step}.safetensors\n"));
            if let Some(goes_on) = goes_on.filter(|_| status.success() || said.contains("going on")) {
                assert!(said.contains(&goes_on), "did not go on with {goes_on}: {said}");
            }
            if status.success() {
                break;
            }
            assert_eq!(status.signal(), Some(9), "failed by itself: {said}");
            (killed, this_round) = (killed + 1, this_round + 1);
            // The newest checkpoint is whole, and no step is lost again.
            let (evaluated, now) = (place.evaluate(&broken), newest(&broken));
            assert!(now >= from, "killed at {from:?}, then at {now:?}");
            let error = String::from_utf8_lossy(&evaluated.stderr);
            match now {
                Some(_) => assert!(evaluated.status.success(), "{error}"),
                None => assert!(error.contains("there is no checkpoint"), "{error}"),
            }
            if now.is_none() { before += 1 } else { within += 1 }
        }
        let (expected, found) = (essence(&whole), essence(&broken));
        let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&found), names(&expected));
        for ((name, expected), (_, found)) in expected.iter().zip(&found) {
            assert!(expected == found, "{name} differs after {this_round} kills ({flags})");
        }
        println!("{this_round} kills in a training of {:.2} s: the same bytes ({flags})", time.as_secs_f64());
        round += 1;
    }
    println!("{killed} kills in {round} trainings, {before} of them before the first checkpoint, {within} after it");
    assert!(within > 0, "every kill came before the first checkpoint: nothing was gone on with");
}

#[test]
fn three_kills_leave_the_same_bytes() {
    kill_and_compare(3);
}

#[test]
#[ignore = "some minutes; see the top of the file"]
fn fifty_kills_leave_the_same_bytes() {
    kill_and_compare(50);
}
