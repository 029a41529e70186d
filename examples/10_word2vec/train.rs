//! `train`: from sentences to vectors of their words.

use super::common::files::Files;
use super::common::{Options, Program, merged};
use super::measures::Measures;
use super::noise::Noise;
use super::phrases::Phrases;
use super::sentences::Sentences;
use super::settings::Settings;
use super::tell;
use super::vocabulary::Vocabulary;
use super::windows::{BATCH, Batch, Cutter};
use anyhow::ensure;
use elman::text::WordVectors;
use elman::{Backend, Element, Key};
use serde_json::{Value, json};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

/// How often it is told how far a training has come.
const PAUSE: Duration = Duration::from_secs(5);

#[derive(clap::Args)]
pub struct Train {
    #[command(flatten)]
    pub settings: Settings,
    #[command(flatten)]
    measures: Measures,
    #[command(flatten)]
    pub options: Options,
}

impl Program for Train {
    fn files(&self) -> Files {
        let output = ("--output".to_string(), self.settings.output.clone());
        self.settings.files().into_iter().chain(self.measures.files()).chain([output]).collect()
    }

    fn problems(&self) -> Vec<String> {
        self.settings.problems().into_iter().chain(self.measures.problems()).collect()
    }

    fn run<B: Backend>(&self, backend: &B, options: &Options) -> anyhow::Result<Value> {
        let settings = &self.settings;
        let mut sentences = Sentences::new(&settings.data);
        if settings.data.is_empty() {
            tell!("No --data given: training on sentences about cities and countries that the project makes up.");
        }
        for _ in 0..settings.phrases {
            let found = Phrases::find(&sentences, settings.min_count, settings.phrase_threshold)?;
            tell!("{} phrases", found.len());
            sentences.phrases.push(found);
        }
        let vocabulary = Vocabulary::count(&sentences, settings.min_count, settings.max_words)?;
        super::common::outcome::refuse(settings.memory_problem(vocabulary.len()).into_iter().collect())?;
        tell!("{} words, {} of them get vectors; on {}", vocabulary.read, vocabulary.len(), backend.name());
        let noise = Noise::new(&vocabulary.counts, settings.noise_power);
        let mut training = Training::new(backend, settings, &vocabulary, options.seed)?;
        for epoch in 0..settings.epochs {
            let key = Key::new(options.seed).named("windows").fold(epoch);
            let cutter = Cutter::new(settings, &vocabulary, &noise, key);
            read_ahead(&sentences, cutter, options.threads() > 1, |batch| training.step(&batch))?;
            training.tell(epoch + 1)?;
        }
        let seconds = training.start.elapsed().as_secs_f64();
        let vectors = WordVectors::new(&vocabulary.words, settings.dim, &training.vectors()?)?;
        vectors.write(&settings.output, settings.vector_format())?;
        let each = training.words as f64 / seconds;
        tell!("{each:.0} words a second; the vectors are in {}", settings.output.display());
        let results = json!({
            "words": vocabulary.read, "vocabulary": vocabulary.len(), "loss": training.losses.last(),
            "losses": training.losses, "seconds": seconds, "words_per_second": each,
            "phrases": sentences.phrases.iter().map(Phrases::len).collect::<Vec<_>>(), "settings": settings,
        });
        Ok(merged(results, self.measures.measure(backend, &vectors)?))
    }
}

/// Cuts all sentences and gives the windows on in batches, which a thread of its own can make while others are learnt from.
fn read_ahead(
    sentences: &Sentences,
    mut cutter: Cutter<'_>,
    ahead: bool,
    mut each: impl FnMut(Batch) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut read = |give: &mut dyn FnMut(Batch) -> anyhow::Result<()>| {
        let mut batch = Batch::default();
        sentences.each(|sentence| {
            cutter.cut(sentence, &mut batch);
            if batch.len() >= BATCH { give(std::mem::take(&mut batch)) } else { Ok(()) }
        })?;
        give(batch)
    };
    if !ahead {
        return read(&mut each);
    }
    let (send, receive) = sync_channel(2);
    thread::scope(|scope| {
        // Nobody listens any more where a step has failed, and that is the error to tell.
        let reader = scope.spawn(move || read(&mut |batch| Ok(send.send(batch)?)));
        let learnt = receive.iter().try_for_each(each);
        drop(receive);
        let read = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        learnt.and(read)
    })
}

/// Two tables in training.
struct Training<'a, B: Backend> {
    backend: &'a B,
    settings: &'a Settings,
    tables: [B::Array; 2],
    /// Words of all epochs, and those that have been read.
    all: u64,
    words: u64,
    /// The loss of each score, an epoch a number.
    losses: Vec<f64>,
    loss: Option<B::Array>,
    scores: u64,
    start: Instant,
    told: Instant,
}

impl<'a, B: Backend> Training<'a, B> {
    fn new(backend: &'a B, settings: &'a Settings, vocabulary: &Vocabulary, seed: u64) -> anyhow::Result<Self> {
        let (words, dim) = (vocabulary.len(), settings.dim);
        let key = Key::new(seed).named("vectors");
        let first = (0..(words * dim) as u64).map(|i| B::Elem::from_f64((key.uniform(i) - 0.5) / dim as f64));
        let tables = [backend.upload(first.collect(), [words, dim].into())?, backend.fill([words, dim].into(), 0.0)?];
        let (all, now) = (vocabulary.read * settings.epochs, Instant::now());
        let (losses, loss) = (Vec::new(), None);
        Ok(Training { backend, settings, tables, all, words: 0, losses, loss, scores: 0, start: now, told: now })
    }

    fn step(&mut self, batch: &Batch) -> anyhow::Result<()> {
        let (rate, [input, output]) = (self.rate(), &mut self.tables);
        let loss = self.backend.negative_sampling(&batch.windows(self.settings), input, output, rate)?;
        self.words += batch.words;
        self.scores += batch.scores;
        match &mut self.loss {
            Some(sum) => self.backend.add_assign(sum, &loss)?,
            None => self.loss = Some(loss),
        }
        if self.told.elapsed() >= PAUSE {
            self.told = Instant::now();
            tell!("{:5.1} %  loss {:.4}  {}", 100.0 * self.words as f64 / self.all as f64, self.loss()?, self.speed());
        }
        Ok(())
    }

    fn rate(&self) -> f64 {
        let (first, last) = (self.settings.first_rate(), self.settings.last_rate);
        first + (last - first) * (self.words as f64 / self.all as f64).min(1.0)
    }

    fn speed(&self) -> String {
        let seconds = self.start.elapsed().as_secs_f64();
        format!("rate {:.5}  {:.0} words a second", self.rate(), self.words as f64 / seconds)
    }

    /// The mean of the epoch so far.
    fn loss(&self) -> anyhow::Result<f64> {
        let Some(loss) = &self.loss else { return Ok(0.0) };
        let sum = self.backend.download(loss)?.first().map_or(0.0, |loss| loss.to_f64());
        Ok(sum / self.scores.max(1) as f64)
    }

    /// An epoch is over.
    fn tell(&mut self, epoch: u64) -> anyhow::Result<()> {
        let loss = self.loss()?;
        ensure!(loss.is_finite(), "the training diverged: the loss is {loss}; try a smaller --rate or --block");
        tell!("epoch {epoch}/{}  loss {loss:.4}  {}", self.settings.epochs, self.speed());
        self.losses.push(loss);
        (self.loss, self.scores) = (None, 0);
        Ok(())
    }

    fn vectors(&self) -> anyhow::Result<Vec<f32>> {
        let numbers = self.backend.download(&self.tables[0])?;
        Ok(numbers.into_iter().map(|x| x.to_f64() as f32).collect())
    }
}
