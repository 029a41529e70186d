//! `train`: from tagged sentences to a tagger, from trees to a parser.

use super::common::files::Input;
use super::common::outcome::refuse;
use super::common::run::{Fingerprint, Part, Training, Trains};
use super::common::{merged, metrics, speed};
use super::corpus::{Format, Tagged, alike, read};
use super::encoder::Encoder;
use super::network::network;
use super::parser::check_length;
use super::settings::Settings;
use super::tagger::Description;
use super::task::Task;
use super::{tell, trees};
use anyhow::{Context, ensure};
use elman::Backend;
use elman::data::{Dataset, Labels, TagScheme, Targets};
use elman::layers::{Crf, Embedding};
use elman::loss::{CrfLoss, SparseCategoricalCrossEntropy};
use elman::metrics::{Accuracy, SpanF1};
use elman::model::Objective;
use elman::text::{ReadVectors, UnknownRows, Vocabulary};
use elman::training::callbacks::EarlyStopping;
use serde_json::{Value, json};

impl Trains for Settings {
    fn train<B: Backend>(&self, backend: &B, training: &Training<Self>) -> anyhow::Result<Value> {
        let seed = training.options.seed;
        let (train, valid, columns) = sentences(self)?;
        let tags = Labels::new(sorted(train.iter().chain(&valid)))?;
        let labels = trees::labels(train.iter().chain(&valid))?;
        let of_trees = labels.as_ref().map_or(0, Labels::len);
        let (vocabulary, vectors, print) = vectors(self)?;
        let encoder = Encoder::new(self, &train, vocabulary)?;
        refuse(self.size_problems(&encoder, tags.len(), of_trees))?;
        [&train, &valid].into_iter().try_for_each(|part| check_length(part, of_trees))?;
        let words = |sentences: &[Tagged]| sentences.iter().map(|sentence| sentence.words.len()).sum::<usize>();
        tell!(
            "{} sentences of {} words to train on, {} of {} to choose by; {} words, {} letters, {} tags{}",
            train.len(),
            words(&train),
            valid.len(),
            words(&valid),
            encoder.words.len(),
            encoder.letters.len(),
            tags.len(),
            labels.as_ref().map_or(String::new(), |labels| format!(", {} labels", labels.len()))
        );
        let by = self.valid.as_deref().or(Some(self.train_file()));
        let parts = [
            Part::new("train", "sentences to train on", "--train", Some(self.train_file()), fingerprint(&train)),
            Part::new("valid", "sentences to choose by", "--valid", by, fingerprint(&valid)),
            Part::new("vectors", "word vectors", "--vectors", self.vectors.as_deref(), print),
        ];

        let field = if self.crf { Some(field(self.task, &tags, train.iter().chain(&valid))?) } else { None };
        let network = network(self, &encoder, vectors, [tags.len(), of_trees], field);
        let (mut model, optimizer) = (network.build(backend, encoder.spec()?, seed)?, self.optimizer(train.len()));
        let softmax = SparseCategoricalCrossEntropy::from_logits().label_smoothing(self.label_smoothing);
        let objective = |output: &str| Objective::new(output, softmax.clone()).metric(Accuracy::new());
        let compiled = match (self.task, self.crf) {
            (Task::Trees, _) => model.compile_outputs(optimizer, [objective("trees")]),
            (Task::All, _) => model.compile_outputs(optimizer, [objective("tags"), objective("trees")]),
            (_, true) => model.compile(optimizer, CrfLoss::new()).metric(Accuracy::new()),
            (_, false) => model.compile(optimizer, softmax).metric(Accuracy::new()),
        };
        if self.task == Task::Spans {
            compiled.metric(SpanF1::new(tags.names().iter().cloned())?);
        }
        tell!("on {}\n\n{}\n", backend.name(), model.summary());

        let dataset = |sentences: &[Tagged]| dataset(sentences, self.task, &encoder, (&tags, labels.as_ref()));
        let (data, valid) = (dataset(&train)?, if valid.is_empty() { None } else { Some(dataset(&valid)?) });
        let extras = Description {
            settings: self.clone(),
            encoder: encoder.clone(),
            tags: tags.clone(),
            labels: labels.clone(),
            columns,
        }
        .extras()?;
        let choose_by = self.task.choose_by();
        let mut best = EarlyStopping::new(choose_by).patience(self.patience.unwrap_or(u64::MAX)).restore_best();
        let mut fit = training.fit(backend, &parts, &extras)?.batch_size(self.learning.batch_size).by_length(0);
        if let Some(valid) = &valid {
            fit = fit.validation_data(valid).callback(&mut best);
        }
        let history = training.history(model.fit(&data, fit))?;

        let chosen = valid.as_ref().and_then(|_| best.best()).map(|best| (choose_by, best));
        let mut results = training.keep(&model, &history, chosen, &extras)?;
        if let Some(valid) = &valid {
            results = merged(results, json!({ "metrics": metrics(&model.evaluate(valid, 64)?) }));
        }
        Ok(merged(results, speed(&history)))
    }
}

/// Sentences to train on and to choose by, and how many columns their files have.
fn sentences(settings: &Settings) -> anyhow::Result<(Vec<Tagged>, Vec<Tagged>, Option<usize>)> {
    let format = |path| Format::of(path, settings.format);
    let mut train = read(settings.train_file(), format(settings.train_file()), None, false)?;
    let place = settings.train_file().display();
    let columns = train.first().with_context(|| format!("{place}: expected sentences, found none"))?.width();
    let mut valid = match &settings.valid {
        Some(path) => {
            alike(path, format(path), columns)?;
            read(path, format(path), columns, false)?
        }
        None => {
            // One in so many, from the first on.
            let every =
                if settings.valid_part > 0.0 { (1.0 / settings.valid_part).round() as usize } else { usize::MAX };
            let numbered = std::mem::take(&mut train).into_iter().enumerate();
            let (valid, rest): (Vec<_>, Vec<_>) =
                numbered.partition(|(number, _)| every != usize::MAX && number % every == 0);
            train = rest.into_iter().map(|(_, sentence)| sentence).collect();
            valid.into_iter().map(|(_, sentence)| sentence).collect()
        }
    };
    ensure!(!train.is_empty(), "{place}: --valid-part {} leaves no sentence to train on", settings.valid_part);
    ensure!(settings.valid.is_none() || !valid.is_empty(), "--valid: expected sentences, found none");
    if settings.task.has_trees() {
        trees::read(settings.train_file(), &mut train)?;
        trees::read(settings.valid.as_deref().unwrap_or(settings.train_file()), &mut valid)?;
    }
    if settings.task == Task::Spans {
        for sentence in train.iter().chain(&valid) {
            elman::data::spans(&sentence.tags).with_context(|| format!("{place}: --task spans"))?;
        }
    }
    Ok((train, valid, columns))
}

/// All tags in alphabetical order, which is that of no file.
fn sorted<'s>(sentences: impl Iterator<Item = &'s Tagged>) -> Vec<String> {
    let mut tags: Vec<String> = sentences.flat_map(|sentence| sentence.tags.iter().cloned()).collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}

/// A field in which tags cannot follow each other that never do so in the scheme that all sentences are in, if they are in one.
fn field<'s>(task: Task, tags: &Labels, sentences: impl Iterator<Item = &'s Tagged> + Clone) -> elman::Result<Crf> {
    let fits = |scheme: &TagScheme| {
        // Read strictly they have the spans that they have otherwise.
        sentences.clone().all(|sentence| match (scheme.spans(&sentence.tags), elman::data::spans(&sentence.tags)) {
            (Ok(strict), Ok(spans)) => strict == spans,
            _ => false,
        })
    };
    let schemes = [TagScheme::Bio, TagScheme::Bioes, TagScheme::Iob1];
    match schemes.into_iter().find(|scheme| task == Task::Spans && fits(scheme)) {
        Some(scheme) => {
            tell!("the tags are in {scheme}");
            Crf::new().scheme(scheme, tags.names())
        }
        None => Ok(Crf::new()),
    }
}

/// Outside vectors with their words and a fingerprint.
fn vectors(settings: &Settings) -> anyhow::Result<(Option<Vocabulary>, Option<Embedding>, String)> {
    let Some(path) = &settings.vectors else { return Ok((None, None, String::new())) };
    let vectors = Input::open(path)?.read(|path| ReadVectors::new().limit(settings.max_vectors).read(path))?;
    let vocabulary = Vocabulary::from_words(vectors.words(), true)?;
    let (matrix, mut print) = (vectors.matrix(&vocabulary, UnknownRows::Zeros)?, Fingerprint::new());
    matrix.iter().for_each(|number| print.add(&number.to_le_bytes()));
    vectors.words().for_each(|word| print.add(word.as_bytes()));
    let table = Embedding::from_vectors(matrix, vectors.dim())?;
    let table = if settings.train_vectors { table } else { table.frozen() };
    Ok((Some(vocabulary), Some(table), print.text()))
}

fn fingerprint(sentences: &[Tagged]) -> String {
    let mut print = Fingerprint::new();
    for sentence in sentences {
        print.add(&[]);
        sentence.words.iter().chain(&sentence.tags).for_each(|text| print.add(text.as_bytes()));
        sentence.features.iter().flatten().for_each(|text| print.add(text.as_bytes()));
        if let Some(tree) = &sentence.tree {
            tree.heads.iter().for_each(|head| print.add(&head.to_le_bytes()));
            tree.labels.iter().for_each(|label| print.add(label.as_bytes()));
        }
    }
    print.text()
}

fn dataset(
    sentences: &[Tagged],
    task: Task,
    encoder: &Encoder,
    (tags, labels): (&Labels, Option<&Labels>),
) -> anyhow::Result<Dataset> {
    let number = |tag: &String| tags.number(tag).unwrap_or(0);
    let rows: Vec<Vec<u32>> = sentences.iter().map(|sentence| sentence.tags.iter().map(number).collect()).collect();
    let of_tags = Targets::classes_per_step(&rows)?;
    let targets = match labels {
        None => of_tags,
        Some(labels) => {
            let trees = sentences.iter().filter_map(|sentence| sentence.tree.as_ref());
            let trees = Targets::classes_per_step(&trees.map(|tree| tree.classes(labels)).collect::<Vec<_>>())?;
            let of_tags = task.has_tags().then_some(("tags", of_tags));
            Targets::record(of_tags.into_iter().chain([("trees", trees)]))?
        }
    };
    Ok(Dataset::new(encoder.inputs(sentences.iter())?, targets)?)
}
