//! Settings that contradict themselves or those that a run was begun with.

use super::super::common::limits::{part_problems, range_problem, zero_problems};
use super::{Course, Settings};
use serde_json::Value;

/// What the best epoch can be chosen by.
const MEASURES: [&str; 3] = ["val_loss", "val_accuracy", "val_macro_f1"];

impl Settings {
    /// All that is wrong and can be said before texts are read: numbers out of range, flags that contradict each other,
    /// files that are not there, sizes that no machine has.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.file_problems();
        let whole = [
            ("--epochs", usize::try_from(self.epochs).unwrap_or(usize::MAX)),
            ("--steps", self.steps),
            ("--layers", self.layers),
            ("--units", self.units),
            ("--dim", self.dim()),
            ("--batch-size", self.batch_size),
            ("--max-features", self.max_features),
        ];
        problems.extend(zero_problems(&whole));
        let numbers = [
            ("--rate", self.rate, f64::MIN_POSITIVE, 1.0),
            ("--clip-norm", self.clip_norm, 0.0, f64::MAX),
            ("--weight-decay", self.weight_decay, 0.0, 1.0),
        ];
        problems
            .extend(numbers.into_iter().filter_map(|(option, x, least, most)| range_problem(option, x, least, most)));
        let parts = [
            ("--valid-part", self.held_out()),
            ("--dropout", self.dropout),
            ("--word-dropout", self.word_dropout),
            ("--recurrent-dropout", self.recurrent_dropout),
        ];
        problems.extend(part_problems(&parts));
        if self.train.is_none() && self.valid_part.is_some() {
            problems.push("--valid-part: the made-up reviews have texts to choose by; give --train".into());
        }
        let choosing = [("--patience", self.patience.is_some()), ("--choose-by", self.choose_by.is_some())];
        if let Some((flag, _)) = choosing.iter().find(|(_, given)| *given && !self.chooses()) {
            problems.push(format!("{flag} needs texts to choose by: leave out --valid-part 0, or give --valid"));
        }
        if let Some(name) = self.choose_by.as_deref().filter(|name| !MEASURES.contains(name)) {
            let of_training = MEASURES.contains(&format!("val_{name}").as_str());
            let why = if of_training { "; that is of the texts trained on, which always looks better" } else { "" };
            problems.push(format!("--choose-by {name}: expected one of {}{why}", MEASURES.join(", ")));
        }
        if let Some(given) = self.class_weights.as_deref().filter(|given| *given != "balanced" && !given.contains('='))
        {
            problems.push(format!("--class-weights: expected balanced or LABEL=WEIGHT, found `{given}`"));
        }
        problems.extend(self.size_problems(self.least()));
        problems
    }

    /// Whether a setting may differ from that of a run that was begun. Where files lie is no difference (what is in them
    /// is compared by itself), nor is how many epochs there are to be where the rate does not depend on it.
    pub fn is_free(&self, begun: &Settings, name: &str) -> bool {
        match name {
            "train" | "valid" => true,
            "vectors" => self.vectors.is_some() == begun.vectors.is_some(),
            "tokenizer" => self.tokenizer_file().is_some() && begun.tokenizer_file().is_some(),
            "epochs" => self.schedule == Course::Constant && begun.schedule == Course::Constant,
            _ => false,
        }
    }

    /// What differs from the settings that a run was begun with, as flags.
    pub fn differences(&self, begun: &Settings) -> Vec<String> {
        let (now, then) = (flags(self), flags(begun));
        let changed =
            then.iter().zip(&now).filter(|((name, then), (_, now))| then != now && !self.is_free(begun, name));
        changed
            .map(|((name, then), (_, now))| format!("--{}: {then} then, {now} now", name.replace('_', "-")))
            .collect()
    }
}

/// Settings by name, those of the columns among them.
pub fn flags(settings: &Settings) -> Vec<(String, String)> {
    let json = serde_json::to_value(settings).unwrap_or_default();
    let mut flags = Vec::new();
    for (name, value) in json.as_object().into_iter().flatten() {
        match value.as_object() {
            Some(columns) => flags.extend(columns.iter().map(|(name, value)| (name.clone(), shown(value)))),
            None => flags.push((name.clone(), shown(value))),
        }
    }
    flags
}

/// A value as a user gives it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(false) => "not given".into(),
        Value::Bool(true) => "given".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        settings: Settings,
    }

    fn settings(flags: &str) -> Settings {
        Cli::parse_from(["train"].into_iter().chain(flags.split_whitespace())).settings
    }

    #[test]
    fn settings_come_back_from_json() {
        let given = settings("--train a.csv --separator ; --pooling attention --patience 3 --rate 0.1 --format csv");
        let json = serde_json::to_string(&given).unwrap();
        assert_eq!(serde_json::from_str::<Settings>(&json).unwrap(), given);
    }

    #[test]
    fn differences_name_the_flags() {
        let begun = settings("--train a.tsv --units 8 --lazy --epochs 3");
        assert_eq!(begun.differences(&begun), [""; 0]);
        // Another place and more epochs are no other training,
        assert_eq!(settings("--train b.tsv --units 8 --lazy --epochs 5").differences(&begun), [""; 0]);
        // but everything else is.
        let other = settings("--train a.tsv --units 9 --text-column review --patience 2 --epochs 3");
        let expected = ["--text-column: text then, review now", "--lazy: given then, not given now"];
        let differences = other.differences(&begun);
        assert_eq!(differences.len(), 4, "{differences:?}");
        assert!(expected.iter().all(|line| differences.contains(&line.to_string())), "{differences:?}");
        // Where the rate's course is laid out over the epochs, their number counts.
        let (short, long) = (settings("--schedule cosine --epochs 3"), settings("--schedule cosine --epochs 5"));
        assert_eq!(long.differences(&short), ["--epochs: 3 then, 5 now"]);
    }

    #[test]
    fn contradictions_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(at("a.tsv"), "").unwrap();
        std::fs::write(at("b.tsv"), "").unwrap();
        let problems =
            |flags: &str| settings(&flags.replace("a.tsv", &at("a.tsv")).replace("b.tsv", &at("b.tsv"))).problems();
        let message = |flags: &str| problems(flags).join("\n");
        assert!(message("--train a.tsv --valid-part 0 --patience 2").starts_with("--patience needs texts"));
        assert!(message("--valid-part 0.2").contains("made-up"));
        assert!(message("--train a.tsv --valid-part 1").starts_with("--valid-part 1: expected"));
        assert_eq!(message("--layers 0"), "--layers 0: expected at least 1");
        assert!(message("--clip-norm nan").starts_with("--clip-norm NaN"));
        assert_eq!(problems("--train a.tsv --valid b.tsv --patience 2"), [""; 0]);
        // All of them at once.
        let many =
            problems("--train a.tsv --rate 0 --dropout 1 --label-column mood --units 99999999999 --choose-by accuracy");
        let begin = [
            "--label-column: TSV",
            "--rate 0: expected",
            "--dropout 1:",
            "--choose-by accuracy:",
            "--units 99999999999,",
            "--steps 100 with",
        ];
        assert_eq!(many.len(), begin.len(), "{many:?}");
        assert!(many.iter().zip(begin).all(|(problem, begin)| problem.starts_with(begin)), "{many:?}");
    }
}
