//! A file of texts that is read batch by batch, beside the same texts in memory.

use super::{Options, imdb_model, peak_memory};
use elman::data::{Dataset, Inputs, Lines, Order, Source, Targets, TextColumns, read_texts};
use elman::text::{Padding, Truncation, VocabularyBuilder, WordTokenizer, pad_sequences};
use elman::training::Fit;
use elman::{Backend, Error, Key, Result};
use std::path::Path;
use std::time::Instant;

/// Texts that the vocabulary is made of.
const COUNTED: usize = 25_000;
const STEPS: usize = 80;

/// What makes the last words of a text, or all with padding before them, of its words.
fn encoder(path: &Path, words: usize) -> Result<impl Fn(&str) -> Result<Vec<u32>> + Send + Sync + 'static> {
    let tokenizer = WordTokenizer::new();
    let builder = VocabularyBuilder::new().max_features(words);
    let failed = |error| Error::io(path, error);
    let file = std::io::BufReader::new(std::fs::File::open(path).map_err(failed)?);
    let texts =
        std::io::BufRead::lines(file).take(COUNTED).collect::<std::io::Result<Vec<String>>>().map_err(failed)?;
    let vocabulary = builder.fit_texts(&tokenizer, texts.iter().filter_map(|line| Some(line.split_once('\t')?.1)))?;
    Ok(move |text: &str| {
        let row = vocabulary.encode_text(&tokenizer, text)?;
        Ok(pad_sequences(&[row], Padding::Pre, Truncation::Pre, Some(STEPS))?.concat())
    })
}

/// Five rounds of an epoch of imdb_lstm over the texts in memory, and one over the file, by turns: the median of texts a second of
/// each, and of their ratio.
pub fn trained<B: Backend>(backend: &B, options: &Options, path: &Path) -> Result<()> {
    let lines = Lines::open(path, &TextColumns::default(), encoder(path, options.words)?)?;
    let encode = encoder(path, options.words)?;
    let texts = read_texts(path, &TextColumns::default())?;
    let rows = texts.texts.iter().map(|text| encode(text)).collect::<Result<Vec<_>>>()?;
    let data = Dataset::new(Inputs::indices(&rows)?, Targets::classes(texts.classes)?)?;
    drop(texts.texts);
    let fit = || Fit::new().batch_size(options.batch).quiet();
    let rate = |source: &dyn Source| {
        let mut model = imdb_model(backend, options, false)?;
        let start = Instant::now();
        model.fit(source, fit())?;
        Ok::<f64, Error>(data.len() as f64 / start.elapsed().as_secs_f64())
    };
    let mut rounds = Vec::new();
    for round in 0..options.rounds {
        // Each begins every other round.
        let both = match round % 2 {
            0 => [rate(&data)?, rate(&lines)?],
            _ => {
                let of_lines = rate(&lines)?;
                [rate(&data)?, of_lines]
            }
        };
        eprintln!("round {round}: {:.0} texts/s in memory, {:.0} of the file", both[0], both[1]);
        rounds.push(both);
    }
    let median = |of: fn(&[f64; 2]) -> f64| {
        let mut all: Vec<f64> = rounds.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let line = serde_json::json!({
        "peer": "elman", "workload": "imdb_lines", "what": "epoch", "batch": options.batch, "threads": options.threads,
        "texts": data.len(), "memory_per_s": median(|both| both[0]), "file_per_s": median(|both| both[1]),
        "ratio": median(|both| both[1] / both[0]),
    });
    println!("{line}");
    Ok(())
}

/// The file alone: how long it takes to open it, how many texts a second its shuffled batches have, and the memory.
pub fn read(options: &Options, path: &Path) -> Result<()> {
    let encode = encoder(path, options.words)?;
    let before = peak_memory();
    let start = Instant::now();
    let lines = Lines::open(path, &TextColumns::default(), encode)?;
    let opened = start.elapsed().as_secs_f64();
    let mut order = Order::new(Key::new(1), 0);
    order.batch_size = Some(options.batch);
    let (epoch, start, mut texts) = (lines.epoch(&order)?, Instant::now(), 0);
    for number in 0..epoch.batches() {
        texts += epoch.batch(number)?.data.len();
        if start.elapsed().as_secs_f64() > 20.0 {
            break;
        }
    }
    let line = serde_json::json!({
        "peer": "elman", "workload": "imdb_lines", "what": "read", "texts": lines.len(), "open_s": opened,
        "per_s": texts as f64 / start.elapsed().as_secs_f64(), "rss_before_mb": before, "rss_mb": peak_memory(),
    });
    println!("{line}");
    Ok(())
}
