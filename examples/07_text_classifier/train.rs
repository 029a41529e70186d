//! `train`: from labelled texts to a run, begun or gone on with.

use super::classifier::{Description, tokenizer};
use super::common::{self, Options, Program};
use super::corpus::Corpus;
use super::network::{network, optimizer};
use super::run::{Fingerprint, Record, Run};
use super::settings::Settings;
use super::{NAME, say};
use anyhow::{Context, bail, ensure};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args};
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::Embedding;
use elman::loss::SparseCategoricalCrossEntropy;
use elman::metrics::{Accuracy, Average, F1};
use elman::model::callbacks::{Callback, CsvLog, EarlyStopping, Flow, StopOnNan};
use elman::model::{EpochLog, Fit, History};
use elman::text::{UnknownRows, Vocabulary, VocabularyBuilder, WordVectors};
use elman::{Backend, Error, Key, Model, Spec};
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::PathBuf;

#[derive(Args)]
pub struct Train {
    /// Folder of the run: checkpoints, history and the trained model. If a training was begun there, this one goes on with
    /// it and must be told the same
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Go on with the training in --run as it was begun, without its flags
    #[arg(long)]
    resume: bool,
    /// Steps between two checkpoints within an epoch [default: one after each epoch alone]
    #[arg(long, value_name = "STEPS")]
    checkpoint_every_steps: Option<u64>,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    settings: Settings,
}

/// Flags that do not change what is trained, and are free when a training goes on.
const FREE: &[&str] = &["run", "resume", "checkpoint_every_steps", "backend", "device", "threads", "json", "epochs"];

/// A training that is about to begin or go on.
struct Training {
    run: Run,
    begun: Option<Record>,
    settings: Settings,
    checkpoint_every_steps: Option<u64>,
}

impl Train {
    pub fn launch(self, matches: Option<&ArgMatches>) -> anyhow::Result<()> {
        let (mut settings, mut options) = (self.settings, self.options);
        settings.check()?;
        ensure!(!self.resume || self.run.is_dir(), "--run {}: there is no such folder", self.run.display());
        let run = Run::open(&self.run)?;
        let place = self.run.display();
        // A start that led to no checkpoint has left nothing that another one would spoil.
        let begun = if self.resume || run.checkpoint().latest()?.is_some() { run.record()? } else { None };
        match &begun {
            None if self.resume => bail!("--resume: no training was begun in {place}"),
            None => {}
            Some(begun) if self.resume => {
                let given = |name: &str| {
                    matches.is_some_and(|matches| matches.value_source(name) == Some(ValueSource::CommandLine))
                };
                let names = matches.iter().flat_map(|matches| matches.ids()).map(|id| id.as_str());
                // Those with a capital are clap's names of whole groups.
                let told = names.filter(|name| name.starts_with(char::is_lowercase) && !FREE.contains(name));
                let told: Vec<_> =
                    told.filter(|name| given(name)).map(|n| format!("--{}", n.replace('_', "-"))).collect();
                ensure!(told.is_empty(), "{}: with --resume the run has its own; leave it out", told.join(", "));
                let epochs = if given("epochs") { settings.epochs } else { begun.settings.epochs };
                settings = Settings { epochs, ..begun.settings.clone() };
                options.seed = begun.seed;
            }
            Some(_) => {}
        }
        if let Some(begun) = &begun {
            let mut differ = settings.differences(&begun.settings);
            if begun.seed != options.seed {
                differ.push(format!("--seed: {} then, {} now", begun.seed, options.seed));
            }
            let differ = differ.join("\n  ");
            ensure!(
                differ.is_empty(),
                "the training in {place} was begun with other flags:\n  {differ}\nGive the same, or `train --resume --run {place}`, or another --run to begin anew"
            );
        }
        let training = Training { run, begun, settings, checkpoint_every_steps: self.checkpoint_every_steps };
        common::launch(NAME, &options, &training)
    }
}

impl Training {
    /// The table of vectors to begin with.
    fn words(&self, vocabulary: &Vocabulary, seed: u64) -> anyhow::Result<(Embedding, usize)> {
        let Some(path) = &self.settings.vectors else {
            let dim = self.settings.dim();
            return Ok((Embedding::new(vocabulary.width(), dim), dim));
        };
        let vectors = WordVectors::read(path)?;
        say!("{}: {}", path.display(), vectors.coverage(vocabulary, 5))?;
        // A vector that is drawn and never trained says nothing.
        let unknown = match self.settings.freeze_vectors {
            true => UnknownRows::Zeros,
            false => UnknownRows::Random(Key::new(seed).named("unknown words")),
        };
        let embedding = Embedding::from_vectors(vectors.matrix(vocabulary, unknown)?, vectors.dim())?;
        Ok((if self.settings.freeze_vectors { embedding.frozen() } else { embedding }, vectors.dim()))
    }

    /// Begins the run, or makes sure that it is the one that was begun.
    fn agree(&self, record: &Record) -> anyhow::Result<()> {
        let Some(begun) = &self.begun else { return self.run.begin(record) };
        ensure!(
            begun.fingerprint == record.fingerprint,
            "the texts are not those that this training was begun with (a file has changed, or the tokenizer's has)"
        );
        let (then, now) = ((&begun.backend, begun.threads), (&record.backend, record.threads));
        if then != now {
            let said = |(backend, threads): (&String, usize)| format!("{backend} with {threads} threads");
            eprintln!(
                "note: begun on {}, going on on {}: the last bits of the results may differ",
                said(then),
                said(now)
            );
        }
        Ok(())
    }
}

impl Program for Training {
    fn run<B: Backend>(&self, backend: &B, options: &Options) -> anyhow::Result<Value> {
        let settings = &self.settings;
        let corpus = Corpus::read(settings, options.seed)?;
        if settings.train.is_none() {
            let path = self.run.file("test.tsv");
            say!("No --train given: training on reviews that the project makes up, in which the order of the words")?;
            say!("matters. {} more of them to evaluate are in {}.\n", corpus.test.len(), path.display())?;
            let lines = corpus
                .test
                .iter()
                .map(|(class, text)| format!("{}\t{text}\n", corpus.labels.name(*class).unwrap_or_default()));
            self.run.write("test.tsv", &lines.collect::<String>())?;
        }
        let tokenizer = tokenizer(&settings.tokenizer)?;
        let builder = VocabularyBuilder::new().max_features(settings.max_features).min_count(settings.min_count);
        let vocabulary = builder.fit_texts(tokenizer.as_ref(), corpus.train.iter().map(|(_, text)| text))?;
        let (words, dim) = self.words(&vocabulary, options.seed)?;
        let description = Description {
            settings: settings.clone(),
            labels: corpus.labels.clone(),
            vocabulary,
            tokenizer: tokenizer.to_json(),
            dim,
        };

        let encoder = description.encoder()?;
        let mut print = Fingerprint::new();
        corpus.labels.names().iter().for_each(|name| print.add(name.as_bytes()));
        description.vocabulary.words().for_each(|(word, _)| print.add(word.as_bytes()));
        let mut dataset = |texts: &[(u32, String)]| -> anyhow::Result<Dataset> {
            let rows = encoder.rows(texts.iter().map(|(_, text)| text.as_str()))?;
            for (row, (class, _)) in rows.iter().zip(texts) {
                print.add(&row.iter().chain([class]).flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>());
            }
            let classes = Targets::classes(texts.iter().map(|(class, _)| *class).collect())?;
            Ok(Dataset::new(Inputs::indices(&rows)?, classes)?)
        };
        let train = dataset(&corpus.train)?;
        let valid = if corpus.valid.is_empty() { None } else { Some(dataset(&corpus.valid)?) };
        let classes: Vec<u32> = corpus.train.iter().map(|(class, _)| *class).collect();
        let each = corpus
            .labels
            .names()
            .iter()
            .zip(0..)
            .map(|(name, class)| format!("{name} {}", classes.iter().filter(|&&c| c == class).count()));
        say!(
            "{} texts to train on ({}), {} to choose by; {} words",
            train.len(),
            each.collect::<Vec<_>>().join(", "),
            corpus.valid.len(),
            description.vocabulary.len()
        )?;

        let network = network(settings, words, corpus.labels.len());
        let mut model = network.build(backend, Spec::indices(settings.steps), options.seed)?;
        let steps = (train.len().div_ceil(settings.batch_size.max(1)) as u64).saturating_mul(settings.epochs);
        model
            .compile(optimizer(settings, steps), SparseCategoricalCrossEntropy::new())
            .metric(Accuracy::new())
            .metric(F1::new(Average::Macro).named("macro_f1"));
        say!("on {}\n\n{}\n", backend.name(), model.summary())?;

        let choose_by = self.settings.choose_by.as_deref().unwrap_or("val_loss");
        let mut best =
            EarlyStopping::new(choose_by).patience(self.settings.patience.unwrap_or(u64::MAX)).restore_best();
        let mut fit = Fit::new().epochs(settings.epochs).batch_size(settings.batch_size);
        if let Some(weights) = settings.class_weights(&corpus.labels, &classes)? {
            fit = fit.class_weights(weights);
        }
        let threads = options.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let (fingerprint, backend_name) = (print.text(), backend.name());
        let (settings, seed) = (settings.clone(), options.seed);
        self.agree(&Record { settings, seed, fingerprint, backend: backend_name, threads })?;

        let extras = description.extras()?;
        let mut checkpoint = self.run.checkpoint();
        if let Some(last) = checkpoint.latest()? {
            say!("going on from {}", last.display())?;
            fit = fit.resume_from(last);
        }
        if let Some(steps) = self.checkpoint_every_steps {
            checkpoint = checkpoint.every_steps(steps);
        }
        fit = fit.checkpoint(checkpoint.extras(extras.clone())).callback(StopOnNan::new());
        fit = fit.callback(CsvLog::new(self.run.file("history.csv"))).callback(EpochLines);
        if let Some(valid) = &valid {
            fit = fit.validation_data(valid).callback(&mut best);
        }
        let history = model.fit(&train, fit).context("train")?;
        say!("{history}\n")?;

        let chosen = if valid.is_some() { best.best() } else { None };
        let loss = history.last().and_then(|last| last.get("loss")).unwrap_or(f64::NAN);
        ensure!(chosen.is_some() || loss.is_finite(), "the loss is {loss}: nothing to keep; try a smaller --rate");
        // A model that was not compiled is saved without the optimiser's state, which only training needs.
        let mut trained = network.build(backend, Spec::indices(self.settings.steps), options.seed)?;
        trained.restore(model.snapshot())?;
        let path = self.run.file("model.safetensors");
        trained.save_checkpoint(&path, &History::default(), &extras)?;
        match chosen {
            Some((epoch, value)) => {
                say!("{}: the weights of epoch {epoch}, the best by {choose_by} ({value:.4})", path.display())?
            }
            None => say!("{}: the weights of the last epoch", path.display())?,
        }
        let mut results = json!({ "best_epoch": chosen.map(|(epoch, _)| epoch), "stopped": history.stopped });
        if let Some(valid) = &valid {
            results = common::merged(results, json!({ "metrics": common::metrics(&model.evaluate(valid, 128)?) }));
        }
        Ok(common::merged(results, common::speed(&history)))
    }
}

/// A line an epoch where there is no terminal for a progress bar.
struct EpochLines;

impl<B: Backend> Callback<B> for EpochLines {
    fn on_epoch_end(&mut self, log: &EpochLog, _: &mut Model<B>) -> elman::Result<Flow> {
        if !std::io::stderr().is_terminal() {
            let values: Vec<String> = log.values.iter().map(|(name, value)| format!("{name} {value:.4}")).collect();
            let said = say!("epoch {}: {}, {:.1} s", log.epoch, values.join(", "), log.training_time.as_secs_f64());
            said.map_err(|e| Error::io("standard output", e))?;
        }
        Ok(Flow::Continue)
    }
}
