//! Pairs of texts: read from the user's files, or made up, and cut into tokens.

use super::common::files::Input;
use super::common::run::{Fingerprint, Part, Run, kept_apart};
use super::settings::Settings;
use super::{note, tell};
use anyhow::{Context, bail, ensure};
use elman::data::{read_lines, read_pairs};
use elman::pipeline::{Codec, Languages};
use elman::text::HfTokenizer;
use std::path::Path;

/// A text and its translation.
pub type Pair = (String, String);

/// Byte pairs of a language, unless it is said otherwise.
const BYTE_PAIRS: usize = 8000;
/// Made-up pairs to test on, at most.
const MADE_UP_TEST: usize = 2000;

/// Pairs to train on and to choose by, and how they become numbers.
pub struct Corpus {
    pub languages: Languages,
    pub train: Vec<Pair>,
    pub valid: Vec<Pair>,
    /// All of it, to know it again.
    pub parts: Vec<Part>,
}

/// The pairs of a file, or of two that have a side each, line by line.
pub fn read(path: &Path, target: Option<&Path>) -> anyhow::Result<Vec<Pair>> {
    let Some(target) = target else { return Input::open(path)?.read(|path| read_pairs(path)) };
    let lines = |path: &Path| Input::open(path)?.read(|path| read_lines(path));
    let (sources, targets) = (lines(path)?, lines(target)?);
    let (a, b) = (path.display(), target.display());
    ensure!(
        sources.len() == targets.len(),
        "{a} has {} lines, {b} has {}: expected a translation for each line",
        sources.len(),
        targets.len()
    );
    let numbered = sources.into_iter().zip(targets).enumerate();
    let kept = numbered.filter_map(|(number, (source, target))| {
        let empty = [&source, &target].map(|text| text.trim().is_empty());
        let (path, other) = if empty[0] { (&a, &b) } else { (&b, &a) };
        match empty {
            [true, true] => None,
            [false, false] => Some(Ok((source, target))),
            _ => Some(Err(anyhow::anyhow!("{path}, line {}: expected a text, as {other} has one there", number + 1))),
        }
    });
    kept.collect()
}

impl Corpus {
    /// What the settings say. Of what is made up some to test on goes into the run's folder.
    pub fn read(settings: &Settings, run: &Run) -> anyhow::Result<Self> {
        let mut train = match settings.train_file() {
            Some(path) => read(path, settings.train_target.as_deref())?,
            None => {
                let (train, test) = settings.made_up.pairs(settings.made_up_pairs, MADE_UP_TEST);
                let lines = test.iter().map(|(source, target)| format!("{source}\t{target}\n")).collect::<String>();
                run.write("test.tsv", &lines)?;
                tell!("No --train given: training on {} that the project makes up.", settings.made_up.what());
                tell!("Others to evaluate are in {}.\n", run.file("test.tsv").display());
                train
            }
        };
        let what =
            settings.train_file().map_or("the made-up pairs".into(), |path| format!("--train {}", path.display()));
        ensure!(!train.is_empty(), "{what}: expected pairs, found none");
        let valid = match &settings.valid {
            Some(path) => read(path, settings.valid_target.as_deref())?,
            None => {
                let (valid, rest) = kept_apart(train, settings.valid_part);
                train = rest;
                valid
            }
        };
        ensure!(!train.is_empty(), "{what}: --valid-part {} leaves no pair to train on", settings.valid_part);
        let mut languages = languages(settings, &train)?;
        let (train, longest) = short_enough(settings, &languages, train)?;
        let (valid, _) = short_enough(settings, &languages, valid)?;
        ensure!(!train.is_empty(), "{what}: no pair of at most {} tokens a side (--max-tokens)", settings.max_tokens);
        ensure!(settings.valid.is_none() || !valid.is_empty(), "--valid: expected pairs, found none");
        // Half as long again as the longest that it has seen.
        languages.longest = longest + longest / 2 + 5;

        let by = settings.valid.as_deref().or(settings.train_file());
        let parts = vec![
            Part::new("train", "pairs to train on", "--train", settings.train_file(), print(&train)),
            Part::new("valid", "pairs to choose by", "--valid", by, print(&valid)),
            Part::new("languages", "tokens", "--train or --level", settings.train_file(), {
                let mut print = Fingerprint::new();
                print.add(&serde_json::to_vec(&languages)?);
                print.text()
            }),
        ];
        let Languages { source, target, .. } = &languages;
        tell!(
            "{} pairs to train on, {} to choose by; {} {}s are read, {} {}s written",
            train.len(),
            valid.len(),
            source.width(),
            source.unit(),
            target.width(),
            target.unit()
        );
        Ok(Corpus { languages, train, valid, parts })
    }
}

/// The tokens of both sides.
fn languages(settings: &Settings, train: &[Pair]) -> anyhow::Result<Languages> {
    let [source, target] = settings.levels();
    let source = codec(settings, source, "--source-level", &train.iter().map(|pair| &*pair.0).collect::<Vec<_>>())?;
    let target = codec(settings, target, "--target-level", &train.iter().map(|pair| &*pair.1).collect::<Vec<_>>())?;
    Ok(Languages::new(source, target))
}

fn codec(settings: &Settings, level: &str, flag: &str, texts: &[&str]) -> anyhow::Result<Codec> {
    let lowered: Vec<String>;
    let texts: Vec<&str> = match settings.lowercase {
        true => {
            lowered = texts.iter().map(|text| text.to_lowercase()).collect();
            lowered.iter().map(String::as_str).collect()
        }
        false => texts.to_vec(),
    };
    let codec = match level {
        "word" => Codec::words(&texts, settings.max_words.unwrap_or(usize::MAX), settings.min_count.unwrap_or(2))?,
        "char" => Codec::characters(&texts)?,
        "bpe" => Codec::byte_pairs(&texts, settings.max_words.unwrap_or(BYTE_PAIRS))?,
        path => Codec::subwords(HfTokenizer::from_file(path).with_context(|| flag.to_string())?),
    };
    Ok(if settings.lowercase { codec.lowercase() } else { codec })
}

/// The pairs that are not too long, and the tokens of the longest target among them.
fn short_enough(settings: &Settings, languages: &Languages, pairs: Vec<Pair>) -> anyhow::Result<(Vec<Pair>, usize)> {
    let (all, most) = (pairs.len(), settings.max_tokens);
    let (mut kept, mut longest) = (Vec::with_capacity(all), 0);
    for pair in pairs {
        let lengths = [languages.source.encode(&pair.0)?.len(), languages.target.encode(&pair.1)?.len()];
        if lengths.contains(&0) {
            bail!("expected tokens on both sides of {:?}, {:?}, found none", pair.0, pair.1);
        }
        if lengths.iter().all(|&length| length <= most) {
            longest = longest.max(lengths[1]);
            kept.push(pair);
        }
    }
    if kept.len() < all {
        note!("{} of {all} pairs have more than {most} tokens and are left out (--max-tokens)", all - kept.len());
    }
    Ok((kept, longest))
}

fn print(pairs: &[Pair]) -> String {
    let mut print = Fingerprint::new();
    pairs.iter().flat_map(|(source, target)| [source, target]).for_each(|text| print.add(text.as_bytes()));
    print.text()
}
