//! What was looked at while a translation was written: as a table of text, and as a picture.

use elman::pipeline::Translation;
use std::fmt::Write;

/// Shades of a table's cells, from nothing to all.
const SHADES: [&str; 5] = [" ", "░", "▒", "▓", "█"];

/// Words of a text that a table has columns for, at most.
const COLUMNS: usize = 60;

/// Side of a cell, size of letters, width of a letter.
const CELL: usize = 22;
const LETTERS: usize = 12;
const LETTER: f64 = 7.0;

/// A row for each word that was written, a column for each that was read, whose words stand above it; the darker a cell, the more the
/// one was looked at for the other. Of a text that is too long for that the word is told that was looked at most.
pub fn table(translation: &Translation) -> String {
    let Translation { source, tokens, attention, .. } = translation;
    let width = tokens.iter().map(|token| shown(token).chars().count()).max().unwrap_or(0);
    let mut table = String::new();
    if source.len() > COLUMNS {
        for (token, weights) in tokens.iter().zip(attention) {
            let most = (0..weights.len()).reduce(|a, b| if weights[b] > weights[a] { b } else { a }).unwrap_or(0);
            let (word, weight) = (shown(&source[most]), weights[most]);
            writeln!(table, "{:>width$} {weight:.2} {} {word}", shown(token), most + 1).unwrap_or(());
        }
        return table;
    }
    // Words above their columns, as stairs: each line begins with one, and goes on with lines down to the columns of those before.
    for (column, word) in source.iter().enumerate() {
        let before = "│ ".repeat(column);
        writeln!(table, "{:width$} {before}{}", "", shown(word)).unwrap_or(());
    }
    for (token, weights) in tokens.iter().zip(attention) {
        let shade = |weight: &f32| SHADES[((weight * 5.0) as usize).min(SHADES.len() - 1)];
        let cells: String = weights.iter().map(|weight| format!("{} ", shade(weight))).collect();
        writeln!(table, "{:>width$} {}", shown(token), cells.trim_end()).unwrap_or(());
    }
    table
}

/// Pictures below each other, as SVG: a row for each word that was written, a column for each that was read.
pub fn svg<'t>(translations: impl Iterator<Item = &'t Translation>) -> String {
    let (mut body, mut width, mut height) = (String::new(), 0, 0);
    let wide = |words: &[String]| {
        let letters = words.iter().map(|word| shown(word).chars().count()).max().unwrap_or(0);
        (letters as f64 * LETTER) as usize + 12
    };
    for Translation { source, tokens, attention, .. } in translations {
        let (left, top) = (wide(tokens), height + wide(source));
        // Writing to a string does not fail.
        let mut put = |line: std::fmt::Arguments<'_>| writeln!(body, "{line}").unwrap_or(());
        for (column, word) in source.iter().enumerate() {
            let (x, y) = (left + CELL * column + CELL / 2 + LETTERS / 3, top - 4);
            put(format_args!("<text transform=\"translate({x} {y}) rotate(-90)\">{}</text>", escaped(word)));
        }
        for (row, (token, weights)) in tokens.iter().zip(attention).enumerate() {
            let y = top + CELL * row;
            let middle = y + CELL / 2 + LETTERS / 3;
            put(format_args!("<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{}</text>", left - 6, escaped(token)));
            for (column, weight) in weights.iter().enumerate() {
                let (x, title) = (left + CELL * column, format!("{}: {weight:.3}", escaped(&source[column])));
                put(format_args!(
                    "<rect x=\"{x}\" y=\"{y}\" width=\"{CELL}\" height=\"{CELL}\" fill=\"#0072b2\" fill-opacity=\"{weight:.3}\" stroke=\"#ddd\"><title>{title}</title></rect>"
                ));
            }
        }
        width = width.max(left + CELL * (source.len() + 1));
        height = top + CELL * (tokens.len() + 1);
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"{LETTERS}\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n{body}</svg>\n"
    )
}

/// A token that can be seen.
fn shown(token: &str) -> String {
    match token.trim() {
        "" => "␣".into(),
        token => token.replace(char::is_control, "?"),
    }
}

fn escaped(token: &str) -> String {
    shown(token).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translation() -> Translation {
        let words = |text: &str| text.split(' ').map(String::from).collect::<Vec<_>>();
        let attention = vec![vec![0.0, 1.0], vec![0.5, 0.1]];
        Translation { text: "a <b>".into(), tokens: words("a <b>"), source: words("eins zwei"), score: 0.0, attention }
    }

    #[test]
    fn a_table_has_a_column_for_each_word_that_was_read() {
        assert_eq!(table(&translation()), "    eins\n    │ zwei\n  a   █\n<b> ▒\n");
    }

    #[test]
    fn of_a_long_text_the_word_is_told_that_was_looked_at_most() {
        let mut weights = vec![0.0; 1000];
        weights[7] = 0.75;
        let source = (0..1000).map(|number| format!("w{number}")).collect();
        let long = Translation { source, attention: vec![weights; 2], ..translation() };
        assert_eq!(table(&long), "  a 0.75 8 w7\n<b> 0.75 8 w7\n");
    }

    #[test]
    fn a_picture_has_a_cell_for_each_pair() {
        let (one, other) = (translation(), translation());
        let svg = svg([&one, &other].into_iter());
        assert_eq!((svg.matches("<title>").count(), svg.matches("</text>").count()), (8, 8));
        assert!(svg.contains("&lt;b&gt;") && svg.contains("<title>zwei: 1.000</title>") && svg.ends_with("</svg>\n"));
    }
}
