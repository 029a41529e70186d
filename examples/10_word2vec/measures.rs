//! What vectors are measured by, at the end of a training or by themselves.

use super::common::files::{Files, input_problem};
use super::say;
use super::spearman::spearman;
use anyhow::anyhow;
use elman::file::each_line;
use elman::text::WordVectors;
use elman::{Backend, Element};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// Questions that are answered in one product.
const TOGETHER: usize = 64;

#[derive(clap::Args)]
pub struct Measures {
    /// Pairs of words with how similar people find them, apart by tabs (wordsim353, simlex999): Spearman's rank correlation
    #[arg(long, value_name = "FILE", num_args = 1.., help_heading = "Measures")]
    pairs: Vec<PathBuf>,
    /// Analogies, four words a line and `: name` before each section (questions-words.txt): how many are right
    #[arg(long, value_name = "FILE", num_args = 1.., help_heading = "Measures")]
    analogies: Vec<PathBuf>,
    /// Analogies are asked among so many of the first words of the file, which are mostly the commonest
    #[arg(long, value_name = "WORDS", default_value_t = 300_000, help_heading = "Measures")]
    among: usize,
}

impl Measures {
    pub fn files(&self) -> Files {
        let named = |option: &'static str, paths: &[PathBuf]| {
            paths.iter().map(|path| (option.to_string(), path.clone())).collect::<Files>()
        };
        [named("--pairs", &self.pairs), named("--analogies", &self.analogies)].concat()
    }

    pub fn problems(&self) -> Vec<String> {
        self.files().iter().filter_map(|(option, path)| input_problem(option, path)).collect()
    }

    /// Prints and gives what the files say of the vectors.
    pub fn measure<B: Backend>(&self, backend: &B, vectors: &WordVectors) -> anyhow::Result<Value> {
        let (mut pairs, mut analogies) = (Map::new(), Map::new());
        for path in &self.pairs {
            pairs.insert(name(path), similarity(path, vectors)?);
        }
        for path in &self.analogies {
            analogies.insert(name(path), self.ask(backend, path, vectors)?);
        }
        Ok(json!({ "pairs": pairs, "analogies": analogies }))
    }

    fn ask<B: Backend>(&self, backend: &B, path: &Path, vectors: &WordVectors) -> anyhow::Result<Value> {
        let (n, dim) = (vectors.len().min(self.among), vectors.dim());
        let known = |word: &str| vectors.index(word).filter(|&row| row < n);
        let mut sections: Vec<(String, Vec<[usize; 4]>)> = Vec::new();
        let (mut asked, mut number) = (0, 0);
        each_line(path, |line| {
            number += 1;
            if let Some(name) = line.strip_prefix(':') {
                sections.push((name.trim().to_string(), Vec::new()));
                return Ok(());
            }
            let words: Vec<String> = line.split_whitespace().map(str::to_lowercase).collect();
            let four = <&[String; 4]>::try_from(&words[..]);
            let four = four.map_err(|_| problem(path, number, "four words, or a colon and a name", line))?;
            asked += 1;
            if let [Some(a), Some(b), Some(c), Some(d)] = four.each_ref().map(|word| known(word)) {
                if sections.is_empty() {
                    sections.push(("all".into(), Vec::new()));
                }
                sections.last_mut().into_iter().for_each(|(_, questions)| questions.push([a, b, c, d]));
            }
            anyhow::Ok(())
        })?;
        let unit: Vec<Vec<f64>> = vectors.data().chunks_exact(dim).take(n).map(normal).collect();
        let all = unit.iter().flatten().map(|&x| B::Elem::from_f64(x)).collect();
        let all = backend.upload(all, [n, dim].into())?;
        let (mut right_of_all, mut of_all, mut told) = (0, 0, Map::new());
        for (name, questions) in &sections {
            let mut right = 0;
            for some in questions.chunks(TOGETHER) {
                // What is to c as b is to a (3CosAdd).
                let target = |&[a, b, c, _]: &[usize; 4]| {
                    (0..dim).map(|i| B::Elem::from_f64(unit[b][i] - unit[a][i] + unit[c][i])).collect::<Vec<_>>()
                };
                let targets = backend.upload(some.iter().flat_map(target).collect(), [some.len(), dim].into())?;
                let scores = backend.download(&backend.matmul(&targets, false, &all, true)?)?;
                right += some
                    .iter()
                    .zip(scores.chunks_exact(n))
                    .filter(|(question, scores)| is_right(question, scores))
                    .count();
            }
            if !questions.is_empty() {
                told.insert(name.clone(), json!({ "right": right, "of": questions.len() }));
            }
            (right_of_all, of_all) = (right_of_all + right, of_all + questions.len());
        }
        let part = right_of_all as f64 / (of_all as f64).max(1.0);
        say!("{}: {right_of_all} of {of_all} right ({part:.3}); {} with unknown words", name(path), asked - of_all)?;
        Ok(
            json!({ "accuracy": part, "right": right_of_all, "of": of_all, "unknown": asked - of_all, "sections": told }),
        )
    }
}

/// Whether no word but those of the question is nearer than its answer.
fn is_right<E: Element>(&[a, b, c, d]: &[usize; 4], scores: &[E]) -> bool {
    let own = scores[d].to_f64();
    let nearer = |(row, score): (usize, &E)| row != d && ![a, b, c].contains(&row) && score.to_f64() >= own;
    ![a, b, c].contains(&d) && !scores.iter().enumerate().any(nearer)
}

fn normal(vector: &[f32]) -> Vec<f64> {
    let norm = vector.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
    vector.iter().map(|&x| if norm > 0.0 { f64::from(x) / norm } else { 0.0 }).collect()
}

/// The rank correlation of cosines and what people say, over the pairs of known words.
fn similarity(path: &Path, vectors: &WordVectors) -> anyhow::Result<Value> {
    let (mut cosines, mut judged, mut unknown, mut number) = (Vec::new(), Vec::new(), 0, 0);
    each_line(path, |line| {
        number += 1;
        if line.starts_with('#') || line.trim().is_empty() {
            return Ok(());
        }
        let cells: Vec<&str> = line.split('\t').map(str::trim).collect();
        let [a, b, score, ..] = cells[..] else { return Err(problem(path, number, "two words and a number", line)) };
        let score = score.parse::<f64>().map_err(|_| problem(path, number, "two words and a number", line))?;
        match vectors.similarity(&a.to_lowercase(), &b.to_lowercase()) {
            Ok(cosine) => {
                cosines.push(f64::from(cosine));
                judged.push(score);
            }
            Err(_) => unknown += 1,
        }
        Ok(())
    })?;
    let found = spearman(&cosines, &judged);
    say!(
        "{}: Spearman's correlation {found:.3} over {} pairs; {unknown} with unknown words",
        name(path),
        judged.len()
    )?;
    Ok(json!({ "spearman": found, "pairs": judged.len(), "unknown": unknown }))
}

fn problem(path: &Path, line: usize, expected: &str, found: &str) -> anyhow::Error {
    anyhow!("{}, line {line}: expected {expected}, found {found:?}", path.display())
}

fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
