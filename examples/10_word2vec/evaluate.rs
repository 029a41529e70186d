//! `evaluate`: what vectors know.

use super::common::files::{Files, input_problem};
use super::common::{Options, Program, merged};
use super::measures::Measures;
use super::say;
use elman::Backend;
use elman::text::WordVectors;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Evaluate {
    /// Vectors in word2vec's or GloVe's formats, plain or .gz
    #[arg(long, value_name = "FILE")]
    vectors: PathBuf,
    /// Words whose nearest neighbours are shown
    #[arg(long, value_name = "WORD", num_args = 1..)]
    like: Vec<String>,
    #[command(flatten)]
    measures: Measures,
    #[command(flatten)]
    pub options: Options,
}

impl Program for Evaluate {
    fn files(&self) -> Files {
        [("--vectors".to_string(), self.vectors.clone())].into_iter().chain(self.measures.files()).collect()
    }

    fn problems(&self) -> Vec<String> {
        input_problem("--vectors", &self.vectors).into_iter().chain(self.measures.problems()).collect()
    }

    fn run<B: Backend>(&self, backend: &B, _: &Options) -> anyhow::Result<Value> {
        let vectors = WordVectors::read(&self.vectors)?;
        say!("{} words, {} numbers each", vectors.len(), vectors.dim())?;
        let mut like = Map::new();
        for word in &self.like {
            let neighbours = vectors.neighbours(word, 10)?;
            let shown: Vec<String> = neighbours.iter().map(|(word, cosine)| format!("{word} {cosine:.2}")).collect();
            say!("{word}: {}", shown.join(", "))?;
            like.insert(word.clone(), json!(neighbours));
        }
        let results = json!({ "vocabulary": vectors.len(), "dim": vectors.dim(), "like": like });
        Ok(merged(results, self.measures.measure(backend, &vectors)?))
    }
}
