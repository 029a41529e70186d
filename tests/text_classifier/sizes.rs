//! Numbers that no machine has room for, and trainings that come to nothing.

use super::Workplace;
use super::commands::error;
use std::fs;

#[test]
fn numbers_out_of_all_bounds_are_told_before_the_work() {
    let place = Workplace::new();
    for (flags, expected) in [
        ("--units 99999999999", "2 options are wrong:\n  --units 99999999999, --layers 1"),
        ("--units 18446744073709551615", "2 options are wrong:\n  --units 18446744073709551615,"),
        ("--dim 99999999999", "2 options are wrong:\n  --units 64, --layers 1 and vectors of 99999999999 numbers"),
        ("--steps 99999999999999", "--steps 99999999999999 with --batch-size 32: would take 104 PB of memory or more"),
        ("--layers 99999999999", "2 options are wrong:\n  --units 64, --layers 99999999999"),
        ("--threads 20000", "--threads 20000: expected from 1 to 1024"),
        ("--threads 0", "--threads 0: expected from 1 to 1024"),
        ("--rate -1", "--rate -1: expected a number above 0 and at most 1"),
        ("--rate 0", "--rate 0: expected a number above 0 and at most 1"),
        ("--rate 1e30", "--rate 1e30: expected a number above 0 and at most 1"),
        ("--rate nan", "--rate NaN: expected"),
        ("--clip-norm inf", "--clip-norm inf: expected a number of at least 0 and finite"),
        ("--weight-decay -0.1", "--weight-decay -0.1: expected"),
        ("--dropout 1", "--dropout 1: expected a part from 0 to below 1"),
        ("--batch-size 0", "--batch-size 0: expected at least 1"),
        ("--units -5", "invalid value '-5' for '--units <UNITS>'"),
        ("--checkpoint-every-steps 0", "--checkpoint-every-steps 0: expected at least 1"),
    ] {
        let output = place.command(&format!("train --run new --train train.tsv {flags}")).output().unwrap();
        assert!(output.stdout.is_empty(), "{flags}: {}", String::from_utf8_lossy(&output.stdout));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let found = error(output);
        assert!(text.starts_with(&format!("error: {expected}")), "{flags}: {found}");
    }
    assert!(!place.path("new").exists());
}

/// A thousand words of a text that is read whole fit, a thousand times as many do not: seen when the texts are known.
#[test]
fn what_the_texts_add_is_told_before_the_training() {
    let place = Workplace::new();
    let lines: String = (0..3000).map(|i| format!("{}\tword\n", i % 2)).collect();
    fs::write(place.path("many.tsv"), lines).unwrap();
    let output = place
        .command("train --run new --train many.tsv --units 1 --dim 1 --batch-size 1 --steps 100000000")
        .output()
        .unwrap();
    let found = error(output);
    assert!(found.starts_with("--steps 100000000 with --batch-size 1: would take 2."), "{found}");
}

#[test]
fn a_training_that_diverges_keeps_no_model() {
    let place = Workplace::new();
    // Products of such vectors are infinite, and their differences no numbers.
    let vectors: String =
        ["good", "bad", "film", "not", "but", "the", "was"].map(|w| format!("{w} 3e38 -3e38\n")).concat();
    fs::write(place.path("vectors.txt"), vectors).unwrap();
    for (run, flags) in [("a", ""), ("b", "--choose-by val_accuracy"), ("c", "--valid-part 0")] {
        let flags = format!("--units 6 --steps 12 --epochs 2 --threads 1 --freeze-vectors {flags}");
        let line = format!("train --run {run} --train train.tsv --vectors vectors.txt {flags}");
        let found = error(place.command(&line).output().unwrap());
        assert!(found.contains("a smaller --rate or --clip-norm"), "{flags}: {found}");
        assert!(!place.path(run).join("model.safetensors").exists(), "{flags}");
        // Nor is what a checkpoint has of it taken for a model.
        let output = place.command(&format!("predict --run {run} --text good --threads 1")).output().unwrap();
        assert!(!output.status.success() || !String::from_utf8_lossy(&output.stdout).contains("NaN"), "{output:?}");
    }
}
