//! The text classifier's training killed (SIGKILL) at random moments and gone on with, until it ends: what is left must be
//! the very bytes of a training that nobody touched.
//!
//! Times are the one thing that differs, being measured: the last column of `history.csv`, and `training_time` in the
//! checkpoint. They are taken out on both sides; `model.safetensors` has none and is compared as it is.
//!
//! Three kills with the other tests; fifty, which take a minute, with
//! `cargo build --example 07_text_classifier && cargo test --test text_classifier -- --ignored --nocapture`.

use super::Workplace;
use elman::Key;
use serde_json::Value;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Trainings with much that has state: dropout, moments, a schedule, early stopping with its best weights.
const TRAININGS: [&str; 3] = [
    "--model lstm --bidirectional --pooling attention --schedule cosine --warm-up 10 --weight-decay 0.01",
    "--model gru --layers 2 --pooling max --recurrent-dropout 0.3 --lazy --class-weights balanced",
    "--model elman --pooling average --word-dropout 0.1 --patience 3 --choose-by val_macro_f1 --backend reference",
];
/// So often that many kills come while a checkpoint is written.
const OFTEN: &str = "--checkpoint-every-steps 3";

/// The files of a folder; none where a training was killed before it could make it.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
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

/// A safetensors file without the times in its metadata, and the checksums that depend on them.
fn without_times(bytes: &[u8]) -> Vec<u8> {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&bytes[8..][..length]).unwrap();
    header["__metadata__"].as_object_mut().unwrap().remove("elman.checksum").unwrap();
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
    // One at least must have left a checkpoint to go on with.
    let enough = |killed, within| killed >= kills && within > 0;
    while !enough(killed, within) {
        let flags = TRAININGS[round % TRAININGS.len()];
        let train = |run: &str| place.train(run, &format!("{OFTEN} {flags}"));
        let [whole, broken] = ["whole", "broken"].map(|run| format!("{run}-{round}"));
        let start = Instant::now();
        let output = train(&whole).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let time = start.elapsed();

        let folder = place.path(&broken);
        let mut this_round = 0;
        loop {
            let from = newest(&folder);
            let log = place.path("log");
            let mut child =
                train(&broken).stdout(fs::File::create(&log).unwrap()).stderr(Stdio::null()).spawn().unwrap();
            if !enough(killed, within) {
                moments += 1;
                // Early moments are the more frequent, so that some come before the first checkpoint and a training gets
                // several.
                sleep(time.mul_f64(0.7 * Key::new(seed).uniform(moments).powi(2)) + Duration::from_millis(2));
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
            let (evaluated, now) = (place.evaluate(&broken), newest(&folder));
            assert!(now >= from, "killed at {from:?}, then at {now:?}");
            let error = String::from_utf8_lossy(&evaluated.stderr);
            match now {
                Some(_) => assert!(evaluated.status.success(), "{error}"),
                None => assert!(
                    error.contains("there is no checkpoint") || error.contains("there is no such folder"),
                    "{error}"
                ),
            }
            if now.is_none() { before += 1 } else { within += 1 }
        }
        let (expected, found) = (essence(&place.path(&whole)), essence(&folder));
        let names = |files: &[(String, Vec<u8>)]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&found), names(&expected));
        assert!(names(&found).contains(&"model.safetensors".to_string()), "{:?}", names(&found));
        for ((name, expected), (_, found)) in expected.iter().zip(&found) {
            assert!(expected == found, "{name} differs after {this_round} kills ({flags})");
        }
        println!("{this_round} kills in a training of {:.2} s: the same bytes ({flags})", time.as_secs_f64());
        round += 1;
    }
    println!("{killed} kills in {round} trainings, {before} of them before the first checkpoint, {within} after it");
}

#[test]
fn three_kills_leave_the_same_bytes() {
    kill_and_compare(3);
}

#[test]
#[ignore = "takes a minute; see the top of the file"]
fn fifty_kills_leave_the_same_bytes() {
    kill_and_compare(50);
}
