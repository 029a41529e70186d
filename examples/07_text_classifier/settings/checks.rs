//! Settings that contradict themselves or those that a run was begun with; weights of classes by label.

use super::{Course, Settings};
use anyhow::{bail, ensure};
use elman::data::{ClassWeights, Labels};
use serde_json::Value;

impl Settings {
    /// Errors for what clap cannot know: flags that contradict each other, numbers out of range. What the library
    /// checks itself (rates of dropout, say) is left to it.
    pub fn check(&self) -> anyhow::Result<()> {
        let part = self.held_out();
        ensure!((0.0..1.0).contains(&part), "--valid-part {part}: expected a part from 0 to below 1");
        if self.train.is_none() {
            ensure!(
                self.valid_part.is_none(),
                "--valid-part: the made-up reviews have texts to choose by; give --train"
            );
        }
        let choosing = [("--patience", self.patience.is_some()), ("--choose-by", self.choose_by.is_some())];
        if let Some((flag, _)) = choosing.iter().find(|(_, given)| *given && !self.chooses()) {
            bail!("{flag} needs texts to choose by: leave out --valid-part 0, or give --valid");
        }
        let numbers = [("--epochs", self.epochs), ("--steps", self.steps as u64), ("--layers", self.layers as u64)];
        if let Some((flag, _)) = numbers.iter().find(|(_, number)| *number == 0) {
            bail!("{flag} 0: expected at least 1");
        }
        let norm = self.clip_norm;
        ensure!(norm.is_finite() && norm >= 0.0, "--clip-norm {norm}: expected a number of at least 0");
        Ok(())
    }

    /// What differs from the settings that a run was begun with, as flags. Where files lie is no difference (what is in
    /// them is compared by itself), nor is how many epochs there are to be where the rate does not depend on it.
    pub fn differences(&self, begun: &Settings) -> Vec<String> {
        let free = |name: &str| match name {
            "train" | "valid" => true,
            "epochs" => self.schedule == Course::Constant && begun.schedule == Course::Constant,
            _ => false,
        };
        let (now, then) = (flags(self), flags(begun));
        let changed = then.iter().zip(&now).filter(|((name, then), (_, now))| then != now && !free(name));
        changed
            .map(|((name, then), (_, now))| format!("--{}: {then} then, {now} now", name.replace('_', "-")))
            .collect()
    }

    /// Weights of the classes, if any were asked for. Errors: a label that is not there, what is not `LABEL=WEIGHT`.
    pub fn class_weights(&self, labels: &Labels, classes: &[u32]) -> anyhow::Result<Option<ClassWeights>> {
        let weight = |part: &str| {
            // A label may have an `=` in it, a weight not.
            let pair = part.rsplit_once('=').and_then(|(label, weight)| Some((label, weight.parse::<f32>().ok()?)));
            let Some((label, weight)) = pair else { bail!("expected balanced or LABEL=WEIGHT, found `{part}`") };
            let names = || labels.names().join(", ");
            let Some(number) = labels.number(label) else { bail!("expected a label of {}, found `{label}`", names()) };
            Ok((number, weight))
        };
        let weights = match self.class_weights.as_deref() {
            None => return Ok(None),
            Some("balanced") => ClassWeights::balanced(classes, labels.len()).map_err(anyhow::Error::from),
            Some(given) => given
                .split(',')
                .map(weight)
                .collect::<anyhow::Result<Vec<_>>>()
                .and_then(|weights| Ok(ClassWeights::new(weights)?)),
        };
        weights.map(Some).map_err(|e| e.context("--class-weights"))
    }
}

/// Settings by name, those of the columns among them.
fn flags(settings: &Settings) -> Vec<(String, String)> {
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
        let message = |flags: &str| settings(flags).check().unwrap_err().to_string();
        assert!(message("--train a.tsv --valid-part 0 --patience 2").starts_with("--patience needs texts"));
        assert!(message("--valid-part 0.2").contains("made-up"));
        assert!(message("--train a.tsv --valid-part 1").starts_with("--valid-part 1: expected"));
        assert_eq!(message("--layers 0"), "--layers 0: expected at least 1");
        assert!(message("--clip-norm nan").starts_with("--clip-norm NaN"));
        settings("--train a.tsv --valid b.tsv --patience 2").check().unwrap();
    }

    #[test]
    fn class_weights_are_by_label() {
        let labels = Labels::new(["ham", "spam=x"]).unwrap();
        let weights = |given: &str| {
            settings(&format!("--class-weights {given}")).class_weights(&labels, &[0, 0, 0, 1]).map(Option::unwrap)
        };
        assert_eq!(weights("spam=x=4").unwrap(), ClassWeights::new([(1, 4.0)]).unwrap());
        assert_eq!(weights("balanced").unwrap(), ClassWeights::balanced(&[0, 0, 0, 1], 2).unwrap());
        for (given, why) in [("spam=1", "found `spam`"), ("ham", "found `ham`"), ("ham=-1", "at least 0")] {
            let message = format!("{:#}", weights(given).unwrap_err());
            assert!(message.starts_with("--class-weights: ") && message.contains(why), "{message}");
        }
    }
}
