//! `--class-weights`: weights by label, of which some have commas and equals signs in them.

use super::Settings;
use anyhow::{Context, bail, ensure};
use elman::data::{ClassWeights, Labels};

impl Settings {
    /// Weights of the classes, if any were asked for. Errors: a label that is not there, what is not `LABEL=WEIGHT`.
    pub fn class_weights(&self, labels: &Labels, classes: &[u32]) -> anyhow::Result<Option<ClassWeights>> {
        let weights = match self.class_weights.as_deref() {
            None => return Ok(None),
            Some("balanced") => ClassWeights::balanced(classes, labels.len()).map_err(anyhow::Error::from),
            Some(given) => by_label(given, labels).and_then(|weights| {
                let zeros = weights.iter().filter(|(_, weight)| *weight == 0.0).count();
                ensure!(
                    zeros < labels.len(),
                    "expected a weight above 0 for one label at least: nothing would be learned"
                );
                Ok(ClassWeights::new(weights)?)
            }),
        };
        weights.map(Some).context("--class-weights")
    }
}

/// The weights of `LABEL=WEIGHT,...`: at each place the longest label that stands there.
fn by_label(given: &str, labels: &Labels) -> anyhow::Result<Vec<(u32, f32)>> {
    let (mut rest, mut weights) = (given, Vec::new());
    loop {
        let here =
            labels.names().iter().filter(|name| rest.strip_prefix(name.as_str()).is_some_and(|r| r.starts_with('=')));
        let Some(label) = here.max_by_key(|name| name.len()) else {
            let Some((found, _)) = rest.split_once('=') else {
                bail!("expected balanced or LABEL=WEIGHT, found `{rest}`")
            };
            bail!("expected a label of {}, found `{found}`", some(labels.names()))
        };
        let after = &rest[label.len() + 1..];
        let (weight, next) = match after.split_once(',') {
            Some((weight, next)) => (weight, Some(next)),
            None => (after, None),
        };
        let Ok(number) = weight.parse() else {
            bail!("expected a number as the weight of `{label}`, found `{weight}`")
        };
        weights.push((labels.number(label).unwrap_or(0), number));
        let Some(next) = next else { return Ok(weights) };
        rest = next;
    }
}

/// The first of many names.
fn some(names: &[String]) -> String {
    let shown = names.iter().take(10).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > 10 { format!("{shown}, ... ({} in all)", names.len()) } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_weights_are_by_label() {
        let labels = Labels::new(["ham", "spam=x", "a,b", "a", "b=1,a"]).unwrap();
        let weights = |given: &str| by_label(given, &labels).map_err(|error| error.to_string());
        assert_eq!(weights("spam=x=4").unwrap(), [(1, 4.0)]);
        // A comma within a label, and one between two.
        assert_eq!(weights("a,b=2,ham=0.5").unwrap(), [(2, 2.0), (0, 0.5)]);
        assert_eq!(weights("a=2,a,b=3,b=1,a=4").unwrap(), [(3, 2.0), (2, 3.0), (4, 4.0)]);
        for (given, why) in [
            ("spam=1", "found `spam`"),
            ("ham", "found `ham`"),
            ("ham=", "weight of `ham`, found ``"),
            ("ham=1,", "found ``"),
            ("", "found ``"),
        ] {
            let message = weights(given).unwrap_err();
            assert!(message.contains(why), "{given}: {message}");
        }
        let many: Vec<String> = (0..100_000).map(|i| format!("label {i}")).collect();
        let message = by_label("no=1", &Labels::new(many).unwrap()).unwrap_err().to_string();
        assert!(message.ends_with("label 9, ... (100000 in all), found `no`"), "{message}");
    }
}
