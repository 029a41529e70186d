//! Settings as a run keeps them: files, epochs, and what contradicts itself or is out of range.

use super::super::NAME;
use super::super::common::files::Files;
use super::super::common::limits::{part_problems, zero_problems};
use super::super::common::run::{RunSettings, measure_problem};
use super::Settings;

/// What the best epoch can be chosen by.
const MEASURES: [&str; 3] = ["val_loss", "val_accuracy", "val_macro_f1"];

impl RunSettings for Settings {
    const NAME: &'static str = NAME;
    const OWN: &'static [&'static str] = &["test.tsv"];

    fn files(&self) -> Files {
        self.inputs()
    }

    fn epochs(&self) -> u64 {
        self.learning.epochs
    }

    fn epochs_matter(&self) -> bool {
        self.learning.is_laid_out()
    }

    /// Numbers out of range, flags that contradict each other, files that are not there, sizes that no machine has.
    fn problems(&self) -> Vec<String> {
        let mut problems = self.file_problems();
        let whole = [
            ("--steps", self.steps),
            ("--layers", self.layers),
            ("--units", self.units),
            ("--dim", self.dim()),
            ("--max-features", self.max_features),
        ];
        problems.extend(zero_problems(&whole));
        problems.extend(self.learning.problems());
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
        problems.extend(self.choose_by.as_deref().and_then(|name| measure_problem(name, &MEASURES)));
        if let Some(given) = self.class_weights.as_deref().filter(|given| *given != "balanced" && !given.contains('='))
        {
            problems.push(format!("--class-weights: expected balanced or LABEL=WEIGHT, found `{given}`"));
        }
        problems.extend(self.size_problems(self.least()));
        problems
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
