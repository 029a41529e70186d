//! `surprise`: a text in colours, by how much each token surprises a trained model, on a terminal or as a page.

use super::common::files::{Files, STANDARD, input_problem, output_problem};
use super::common::run::{RunSettings, Trained, own_files};
use super::common::{Options, Program, files};
use super::corpus::read;
use super::evaluate::mean;
use super::language::{Cost, Language};
use super::say;
use super::settings::Settings;
use super::shown::Figures;
use super::tokens::Tokens;
use anyhow::Context;
use elman::Backend;
use serde_json::{Value, json};
use std::f64::consts::LN_2;
use std::fmt::Write;
use std::path::PathBuf;

/// Bits that are as red as it gets.
const MOST: f64 = 8.0;

#[derive(clap::Args)]
pub struct Surprise {
    #[command(flatten)]
    pub trained: Trained,
    /// The text
    #[arg(
        long,
        value_name = "TEXT",
        required_unless_present = "data",
        conflicts_with = "data",
        allow_hyphen_values = true
    )]
    text: Option<String>,
    /// A file with the text, plain or .gz; -: standard input
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Write a page instead of ANSI colours; -: to standard output
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl Program for Surprise {
    fn files(&self) -> Files {
        let data = self.data.iter().map(|path| ("--data".to_string(), path.clone()));
        data.chain(own_files(&self.trained.run, Settings::OWN)).collect()
    }

    fn problems(&self) -> Vec<String> {
        let data = self.data.iter().filter_map(|path| input_problem("--data", path));
        data.chain(self.html.iter().filter_map(|path| output_problem("--html", path, &self.files()))).collect()
    }

    fn run<B: Backend>(&self, backend: &B, _: &Options) -> anyhow::Result<Value> {
        let language = Language::load(backend, &self.trained.path()?)?;
        let (what, text) = match (&self.text, &self.data) {
            (None, Some(path)) => (format!("--data {}", path.display()), read(path)?),
            (text, _) => ("--text".into(), text.clone().unwrap_or_default()),
        };
        let tokens = language.tokens.read(&what, &text, 2)?.tokens;
        let costs = language.costs(&tokens)?;
        let pieces = pieces(&language.tokens, &tokens, &costs)?;
        let figures = Figures::new(mean(&costs), language.tokens.unit());
        match &self.html {
            Some(path) => files::write(path, &html(&pieces)).context("--html")?,
            None => say!("{}", ansi(&pieces))?,
        }
        if self.html.as_ref().is_none_or(|path| path.as_os_str() != STANDARD) {
            say!("{figures}")?;
        }
        Ok(json!({ "text": figures.json() }))
    }
}

/// A token as it is shown.
pub struct Piece {
    text: String,
    /// What it costs; the first token costs nothing that could be told.
    bits: Option<f64>,
    /// What was expected in its place.
    expected: String,
}

/// The tokens of a text with what each costs.
pub fn pieces(tokens: &Tokens, text: &[u32], costs: &[Cost]) -> anyhow::Result<Vec<Piece>> {
    let costs = std::iter::once(None).chain(costs.iter().map(Some));
    let piece = |(at, cost): (usize, Option<&Cost>)| {
        let expected = cost.map_or(Ok(String::new()), |cost| tokens.piece(&text[..at], cost.likeliest))?;
        Ok(Piece { text: tokens.piece(&text[..at], text[at])?, bits: cost.map(|cost| cost.nats / LN_2), expected })
    };
    (0..text.len()).zip(costs).map(piece).collect()
}

/// From white over yellow to red.
fn colour(bits: f64) -> [u8; 3] {
    let part = (bits / MOST).clamp(0.0, 1.0);
    let fades = |from: f64, to: f64| (255.0 * (1.0 - ((part - from) / (to - from)).clamp(0.0, 1.0))) as u8;
    [255, fades(0.4, 1.4), fades(0.0, 0.5)]
}

/// For a terminal: black on colours. A line's end is shown as ⏎ where it surprises.
pub fn ansi(pieces: &[Piece]) -> String {
    let mut out = String::new();
    for Piece { text, bits, .. } in pieces {
        let [r, g, b] = colour(bits.unwrap_or(0.0));
        for (number, line) in text.split('\n').enumerate() {
            if number > 0 {
                let sign = if bits.is_some_and(|bits| bits > 1.0) { "⏎" } else { "" };
                let _ = writeln!(out, "\x1b[30;48;2;{r};{g};{b}m{sign}\x1b[0m");
            }
            if !line.is_empty() {
                let _ = write!(out, "\x1b[30;48;2;{r};{g};{b}m{}", shown(line));
            }
        }
    }
    out + "\x1b[0m"
}

/// Without what would steer a terminal.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\t' { '\u{fffd}' } else { c }).collect()
}

/// A page by itself; what a token costs, and what was expected, shows where the mouse is.
pub fn html(pieces: &[Piece]) -> String {
    let mut out = String::from(
        "<!doctype html>\n<meta charset=\"utf-8\">\n<title>Surprise</title>\n<style>pre{white-space:pre-wrap;color:#000;background:#fff}</style>\n<pre>",
    );
    for Piece { text, bits, expected } in pieces {
        let text = escaped(text);
        match bits {
            None => out.push_str(&text),
            Some(bits) => {
                let [r, g, b] = colour(*bits);
                let sign = if text == "\n" && *bits > 1.0 { "⏎" } else { "" };
                let expected = escaped(&format!("{expected:?}"));
                let _ = write!(
                    out,
                    "<span style=\"background:#{r:02x}{g:02x}{b:02x}\" title=\"{bits:.2} bits, expected {expected}\">{sign}{text}</span>"
                );
            }
        }
    }
    out + "</pre>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces() -> Vec<Piece> {
        let piece = |text: &str, bits| Piece { text: text.into(), bits, expected: "\"".into() };
        vec![piece("a", None), piece("<", Some(0.0)), piece("\n", Some(9.0)), piece("\x1b", Some(3.0))]
    }

    #[test]
    fn the_more_it_surprises_the_redder_it_is() {
        assert_eq!((colour(0.0), colour(100.0)), ([255, 255, 255], colour(MOST)));
        let sum = |bits| colour(bits).iter().map(|&x| u32::from(x)).sum::<u32>();
        assert!((0..16).all(|i| sum(f64::from(i) / 2.0) > sum(f64::from(i + 1) / 2.0)));
    }

    #[test]
    fn what_is_in_a_text_steers_neither_page_nor_terminal() {
        let page = html(&pieces());
        assert!(page.contains("title=\"0.00 bits, expected &quot;\\&quot;&quot;\">&lt;</span>"), "{page}");
        assert!(page.contains(">⏎\n</span>"), "{page}");
        let terminal = ansi(&pieces());
        assert!(terminal.contains("m\u{fffd}") && terminal.contains("⏎\x1b[0m\n"), "{terminal:?}");
        assert!(!terminal.contains("\x1b\x1b") && terminal.ends_with("\x1b[0m"), "{terminal:?}");
    }
}
