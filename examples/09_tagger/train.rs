//! `train`: from tagged sentences to a tagger, from trees to a parser.

use super::common::files::Input;
use super::common::outcome::refuse;
use super::common::run::{Fingerprint, Part, Run, Training, Trains, kept_apart};
use super::common::{merged, metrics, speed};
use super::corpus::{Format, Given, alike, read, read_trees};
use super::settings::Settings;
use super::size::check_length;
use super::{grammar, tell, trained};
use anyhow::{Context, ensure};
use elman::Backend;
use elman::data::{Labels, write_columns};
use elman::pipeline::{TaggerExample, TaggerTask, TaggerVocabulary};
use elman::text::{ReadVectors, WordVectors};
use elman::training::callbacks::EarlyStopping;
use serde_json::{Value, json};
use std::path::Path;

/// Sentences that are made up to train on, and to test on.
const MADE_UP: u64 = 1500;
const TEST: u64 = 300;

impl Trains for Settings {
    fn train<B: Backend>(&self, backend: &B, training: &Training<Self>) -> anyhow::Result<Value> {
        let Sentences { train, valid, columns } = Sentences::read(self, &training.run)?;
        let further = columns.is_some_and(|columns| columns > 2);
        ensure!(!self.features || further, "--features: expected columns between word and tag, found none");
        let (vectors, print) = vectors(self)?;
        let builder = vectors.into_iter().fold(self.builder(), |builder, vectors| builder.vectors(vectors));
        let vocabulary = builder.vocabulary(&train, &valid)?;
        refuse(self.size_problems(&vocabulary))?;
        if let Some(labels) = vocabulary.labels() {
            check_length(train.iter().chain(&valid), labels.len())?;
        }
        tell!("{}", told(&train, &valid, &vocabulary));
        let by = self.valid.as_deref().or(self.train.as_deref());
        let parts = [
            Part::new("train", "sentences to train on", "--train", self.train.as_deref(), fingerprint(&train)),
            Part::new("valid", "sentences to choose by", "--valid", by, fingerprint(&valid)),
            Part::new("vectors", "word vectors", "--vectors", self.vectors.as_deref(), print),
        ];

        let scheme = vocabulary.scheme().filter(|_| self.crf);
        let mut tagger = builder.build_with(backend, vocabulary, training.options.seed)?;
        tagger.compile(self.optimizer(train.len()))?;
        if let Some(scheme) = scheme {
            tell!("the tags are in {scheme}");
        }
        tell!("on {}\n\n{}\n", backend.name(), tagger.model().summary());

        let (data, valid) =
            (tagger.dataset(&train)?, if valid.is_empty() { None } else { Some(tagger.dataset(&valid)?) });
        let extras = trained::extras(&tagger, self, columns)?;
        let choose_by = self.task.best_by();
        let mut best = EarlyStopping::new(choose_by).patience(self.patience.unwrap_or(u64::MAX)).restore_best();
        let mut fit = training.fit(backend, &parts, &extras)?.batch_size(self.learning.batch_size);
        if let Some(valid) = &valid {
            fit = fit.validation_data(valid).callback(&mut best);
        }
        let history = training.history(tagger.fit(&data, fit))?;

        let chosen = valid.as_ref().and_then(|_| best.best()).map(|best| (choose_by, best));
        let mut results = training.keep(tagger.model(), &history, chosen, &extras)?;
        if let Some(valid) = &valid {
            results = merged(results, json!({ "metrics": metrics(&tagger.model().evaluate(valid, 64)?) }));
        }
        Ok(merged(results, speed(&history)))
    }
}

/// Sentences to train on and to choose by, and how many columns their files have.
struct Sentences {
    train: Vec<TaggerExample>,
    valid: Vec<TaggerExample>,
    columns: Option<usize>,
}

impl Sentences {
    fn read(settings: &Settings, run: &Run) -> anyhow::Result<Self> {
        let (task, format) = (settings.task, |path| Format::of(path, settings.format));
        let (mut train, place) = match &settings.train {
            Some(path) => (read(path, format(path), None, false)?, path.as_path()),
            None => (made_up(task, run)?, Path::new("made-up sentences")),
        };
        let shown = place.display();
        let columns = train.first().with_context(|| format!("{shown}: expected sentences, found none"))?.width();
        let mut valid = match &settings.valid {
            Some(path) => {
                alike(path, format(path), columns)?;
                read(path, format(path), columns, false)?
            }
            None => {
                let (valid, rest) = kept_apart(std::mem::take(&mut train), settings.valid_part);
                train = rest;
                valid
            }
        };
        ensure!(!train.is_empty(), "{shown}: --valid-part {} leaves no sentence to train on", settings.valid_part);
        ensure!(settings.valid.is_none() || !valid.is_empty(), "--valid: expected sentences, found none");
        if task.has_trees() {
            read_trees(place, &mut train)?;
            read_trees(settings.valid.as_deref().unwrap_or(place), &mut valid)?;
        }
        let examples = |given: Vec<Given>| given.into_iter().map(|given| given.example).collect::<Vec<_>>();
        let (train, valid) = (examples(train), examples(valid));
        if task == TaggerTask::Spans {
            for sentence in train.iter().chain(&valid) {
                elman::data::spans(&sentence.tags).with_context(|| format!("{shown}: --task spans"))?;
            }
        }
        Ok(Sentences { train, valid, columns })
    }
}

/// Sentences of a small grammar. More of them, to test on, go into the run's folder.
fn made_up(task: TaggerTask, run: &Run) -> anyhow::Result<Vec<Given>> {
    let (given, name, test): (anyhow::Result<Vec<Given>>, _, _) = if task == TaggerTask::Spans {
        let mut test = Vec::new();
        grammar::chunks(TEST, 2).iter().try_for_each(|rows| write_columns(&mut test, rows, '\t'))?;
        let given = grammar::chunks(MADE_UP, 1).into_iter().map(|rows| Given::columns(rows, '\t', true)).collect();
        (Ok(given), "test.tsv", String::from_utf8(test)?)
    } else {
        let test = grammar::treebank(TEST, 2)?.iter().map(ToString::to_string).collect();
        (grammar::treebank(MADE_UP, 1)?.into_iter().map(Given::conllu).collect(), "test.conllu", test)
    };
    tell!("No --train given: training on sentences that the project makes up, of words that are mostly made of");
    tell!("syllables. More of them to evaluate are in {}.\n", run.file(name).display());
    run.write(name, &test)?;
    given
}

fn told(train: &[TaggerExample], valid: &[TaggerExample], vocabulary: &TaggerVocabulary) -> String {
    let words = |sentences: &[TaggerExample]| sentences.iter().map(|sentence| sentence.words.len()).sum::<usize>();
    let count = |names: Option<&Labels>, what| names.map_or(String::new(), |names| format!(", {} {what}", names.len()));
    format!(
        "{} sentences of {} words to train on, {} of {} to choose by; {} words, {} letters{}{}",
        train.len(),
        words(train),
        valid.len(),
        words(valid),
        vocabulary.words().len(),
        vocabulary.letters().len(),
        count(vocabulary.tags(), "tags"),
        count(vocabulary.labels(), "labels")
    )
}

/// Outside vectors with a fingerprint.
fn vectors(settings: &Settings) -> anyhow::Result<(Option<WordVectors>, String)> {
    let Some(path) = &settings.vectors else { return Ok((None, String::new())) };
    let vectors = Input::open(path)?.read(|path| ReadVectors::new().limit(settings.max_vectors).read(path))?;
    let mut print = Fingerprint::new();
    vectors.data().iter().for_each(|number| print.add(&number.to_le_bytes()));
    vectors.words().for_each(|word| print.add(word.as_bytes()));
    Ok((Some(vectors), print.text()))
}

fn fingerprint(sentences: &[TaggerExample]) -> String {
    let mut print = Fingerprint::new();
    for sentence in sentences {
        print.add(&[]);
        sentence.words.iter().chain(&sentence.tags).for_each(|text| print.add(text.as_bytes()));
        sentence.columns.iter().flatten().for_each(|text| print.add(text.as_bytes()));
        sentence.heads.iter().for_each(|head| print.add(&head.to_le_bytes()));
        sentence.labels.iter().for_each(|label| print.add(label.as_bytes()));
    }
    print.text()
}
