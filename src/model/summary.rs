//! [`Summary`]: a model's layers, shapes and parameters as a table.

use super::Model;
use crate::backend::Backend;
use crate::param::Param;
use std::fmt;

/// A model's layers with what comes out of them and their parameters. Prints as a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    lines: Vec<[String; 4]>,
    total: usize,
    trainable: usize,
}

impl Summary {
    /// The number of all numbers in parameters.
    pub fn total(&self) -> usize {
        self.total
    }

    /// The number of numbers that are trained.
    pub fn trainable(&self) -> usize {
        self.trainable
    }
}

impl<B: Backend> Model<B> {
    /// The model's layers, shapes and parameters, to be printed.
    pub fn summary(&self) -> Summary {
        let count = |params: &[Param<B>]| params.iter().map(|p| p.shape().elements()).sum::<usize>();
        let trained = |params: &[Param<B>]| {
            params.iter().filter(|p| p.is_trainable()).map(|p| p.shape().elements()).sum::<usize>()
        };
        let mut lines = vec![["input".to_string(), String::new(), self.input.to_string(), String::new()]];
        for row in &self.rows {
            let params = &self.params[row.params.clone()];
            let frozen = match (count(params), trained(params)) {
                (all, trained) if all == trained => "",
                (_, 0) => " (frozen)",
                _ => " (partly frozen)",
            };
            let name = format!("{}{}", "  ".repeat(row.depth), row.path);
            let numbers = format!("{}{frozen}", grouped(count(params)));
            lines.push([name, row.kind.to_string(), row.output.to_string(), numbers]);
        }
        Summary { lines, total: count(&self.params), trainable: trained(&self.params) }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["layer", "kind", "output", "parameters"].map(String::from);
        let all = || std::iter::once(&head).chain(&self.lines);
        let width = |column: usize| all().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths = [0, 1, 2, 3].map(width);
        for line in all() {
            let [name, kind, output, params] = line;
            let [w0, w1, w2, w3] = widths;
            writeln!(f, "{name:<w0$}  {kind:<w1$}  {output:<w2$}  {params:>w3$}")?;
        }
        write!(f, "{} parameters, {} trainable", grouped(self.total), grouped(self.trainable))
    }
}

/// `1234567` as `1,234,567`.
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn digits_are_grouped_by_three() {
        assert_eq!([0, 999, 1000, 1234567].map(super::grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
