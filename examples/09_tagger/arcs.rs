//! Dependency trees as pictures: words in a row, arcs from heads to words above them.

use super::confusion::escaped;
use super::trees::Tree;
use std::fmt::Write;

/// Width of a letter, height of a level of arcs, room for words, size of letters.
const LETTER: f64 = 7.5;
const LEVEL: f64 = 26.0;
const WORDS: f64 = 34.0;
const LETTERS: usize = 12;

/// Sentences below each other, as SVG.
pub fn svg<'s>(sentences: impl Iterator<Item = (&'s [String], &'s Tree)>) -> String {
    let (mut body, mut width, mut height) = (String::new(), 0.0, 0.0);
    for (words, tree) in sentences {
        let levels = levels(&tree.heads);
        height += LEVEL * (1.5 + f64::from(levels.iter().copied().max().unwrap_or(0)));
        let mut middles = Vec::with_capacity(words.len());
        let mut right = LETTER;
        for (word, label) in words.iter().zip(&tree.labels) {
            let wide = LETTER * word.chars().count().max(label.chars().count()) as f64 + 2.0 * LETTER;
            middles.push(right + wide / 2.0);
            right += wide;
        }
        width = right.max(width);
        for (at, word) in words.iter().enumerate() {
            let (x, y, label) = (middles[at], height, escaped(&tree.labels[at]));
            // Writing to a string does not fail.
            let mut put = |line: std::fmt::Arguments<'_>| writeln!(body, "{line}").unwrap_or(());
            put(format_args!("<text x=\"{x}\" y=\"{}\">{}</text>", y + 16.0, escaped(word)));
            let top = y - LEVEL * f64::from(levels[at]);
            let (path, middle) = match tree.heads[at] {
                0 => (format!("M{x} {top} V{y}"), x),
                head => {
                    // The arcs of a word to both of its sides begin apart.
                    let from = middles[head - 1] + if head - 1 < at { 4.0 } else { -4.0 };
                    (format!("M{from} {y} C{from} {top} {x} {top} {x} {y}"), (from + x) / 2.0)
                }
            };
            // A curve rises to three quarters of the way.
            let above = if tree.heads[at] == 0 { top } else { y - 0.75 * (y - top) };
            put(format_args!("<path class=\"arc\" d=\"{path}\" marker-end=\"url(#end)\"/>"));
            put(format_args!("<text x=\"{middle}\" y=\"{}\" fill=\"#0072b2\">{label}</text>", above - 3.0));
        }
        height += WORDS;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"{LETTERS}\">\n\
         <defs><marker id=\"end\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 1 L8 4 L0 7 z\"/></marker></defs>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n\
         <style>text {{ text-anchor: middle }} .arc {{ fill: none; stroke: #555 }}</style>\n{body}</svg>\n"
    )
}

/// How high each word's arc rises: above all arcs that lie between its ends, the root's above those that it would cut.
fn levels(heads: &[usize]) -> Vec<u32> {
    let span = |at: usize| match heads[at] {
        0 => (0, heads.len() + 1),
        head => (head.min(at + 1), head.max(at + 1)),
    };
    let mut order: Vec<usize> = (0..heads.len()).collect();
    order.sort_by_key(|&at| span(at).1 - span(at).0);
    let mut levels = vec![0; heads.len()];
    for (place, &at) in order.iter().enumerate() {
        let (first, last) = span(at);
        let inside = |&&other: &&usize| span(other).0 >= first && span(other).1 <= last;
        levels[at] = 1 + order[..place].iter().filter(inside).map(|&other| levels[other]).max().unwrap_or(0);
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arcs_rise_above_those_below_them() {
        // From 2 to 3 and 3 to 4; above them from 3 to 1 and 2 to 5, which cross; the root above all.
        assert_eq!(levels(&[3, 0, 2, 3, 2]), [2, 3, 1, 1, 2]);
        // What lies beside it is not below it.
        assert_eq!(levels(&[3, 0, 5, 5, 2]), [1, 4, 2, 1, 3]);
        let words = ["<a>", "b"].map(String::from);
        let tree = Tree { heads: vec![2, 0], labels: vec!["det".into(), "root".into()] };
        let svg = svg([(&words[..], &tree), (&words[..], &tree)].into_iter());
        assert_eq!((svg.matches("marker-end").count(), svg.matches("</text>").count()), (4, 8));
        // By hand: words of 3 and 4 letters with their labels, the lower arc to the left, the root's straight down.
        assert!(svg.contains("width=\"90\" height=\"250\""), "{svg}");
        for part in [
            "<text x=\"26.25\" y=\"107\">&lt;a&gt;</text>",
            "<text x=\"67.5\" y=\"107\">b</text>",
            "d=\"M63.5 91 C63.5 65 26.25 65 26.25 91\"",
            "<text x=\"44.875\" y=\"68.5\" fill=\"#0072b2\">det</text>",
            "d=\"M67.5 39 V91\"",
            "<text x=\"67.5\" y=\"36\" fill=\"#0072b2\">root</text>",
            "<text x=\"67.5\" y=\"232\">b</text>",
        ] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
        assert!(svg.contains(">&lt;a&gt;</text>") && svg.contains(">det</text>") && svg.ends_with("</svg>\n"), "{svg}");
    }
}
