//! Which tags are taken for which, as a picture.

use std::fmt::Write;

/// Side of a cell, room for the names, size of letters.
const CELL: usize = 30;
const NAMES: usize = 110;
const LETTERS: usize = 11;

/// A table as SVG: a row for each tag, its words by what they were taken for, the darker the greater their share of the row.
pub fn svg(tags: &[&str], count: impl Fn(&str, &str) -> u64) -> String {
    let side = NAMES + CELL * tags.len() + CELL;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{side}\" height=\"{side}\" font-family=\"sans-serif\" font-size=\"{LETTERS}\">\n\
         <rect width=\"{side}\" height=\"{side}\" fill=\"white\"/>\n\
         <text x=\"4\" y=\"{}\">tag / taken for</text>\n",
        NAMES - 6
    );
    // Writing to a string does not fail.
    let mut put = |line: std::fmt::Arguments<'_>| writeln!(svg, "{line}").unwrap_or(());
    for (row, tag) in tags.iter().enumerate() {
        let (top, name) = (NAMES + CELL * row, escaped(tag));
        let middle = top + CELL / 2 + LETTERS / 3;
        put(format_args!("<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{name}</text>", NAMES - 6));
        put(format_args!("<text transform=\"translate({middle} {}) rotate(-60)\">{name}</text>", NAMES - 6));
        let all: u64 = tags.iter().map(|other| count(tag, other)).sum();
        for (column, other) in tags.iter().enumerate() {
            let words = count(tag, other);
            if words == 0 {
                continue;
            }
            let (left, share) = (NAMES + CELL * column, words as f64 / all as f64);
            // Few are seen too.
            let (colour, ink) =
                (if row == column { "0,114,178" } else { "213,94,0" }, if share > 0.5 { "white" } else { "black" });
            let title = format!("{words} of {all} {name} taken for {}", escaped(other));
            put(format_args!(
                "<rect x=\"{left}\" y=\"{top}\" width=\"{CELL}\" height=\"{CELL}\" fill=\"rgb({colour})\" fill-opacity=\"{:.3}\"><title>{title}</title></rect>",
                share.sqrt()
            ));
            put(format_args!(
                "<text x=\"{}\" y=\"{middle}\" text-anchor=\"middle\" fill=\"{ink}\" pointer-events=\"none\">{}</text>",
                left + CELL / 2,
                short(words)
            ));
        }
    }
    svg + "</svg>\n"
}

/// A number of at most four signs.
fn short(words: u64) -> String {
    match words {
        0..10_000 => words.to_string(),
        10_000..1_000_000 => format!("{}k", words / 1000),
        _ => format!("{}M", words / 1_000_000),
    }
}

pub fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pair_that_occurs_has_a_cell() {
        let count = |tag: &str, other: &str| match (tag, other) {
            ("A", "A") => 12_345,
            ("A", "<&") => 3,
            ("<&", "A") => 1,
            _ => 0,
        };
        let svg = svg(&["A", "<&"], count);
        assert_eq!((svg.matches("<title>").count(), svg.matches("</text>").count()), (3, 1 + 4 + 3));
        assert!(svg.contains("<title>12345 of 12348 A taken for A</title>") && svg.contains(">12k</text>"), "{svg}");
        assert!(svg.contains("<title>1 of 1 &lt;&amp; taken for A</title>"), "{svg}");
        // The one is nearly all of its row, the other next to nothing.
        let cell = |left: usize, colour: &str, opacity: &str| {
            format!(
                "<rect x=\"{left}\" y=\"110\" width=\"30\" height=\"30\" fill=\"rgb({colour})\" fill-opacity=\"{opacity}\">"
            )
        };
        assert!(
            svg.contains(&cell(110, "0,114,178", "1.000")) && svg.contains(&cell(140, "213,94,0", "0.016")),
            "{svg}"
        );
        let number = |ink: &str, number: &str| format!("fill=\"{ink}\" pointer-events=\"none\">{number}</text>");
        assert!(svg.contains(&number("white", "12k")) && svg.contains(&number("black", "3")), "{svg}");
        assert_eq!([short(9_999), short(10_000), short(2_345_678)], ["9999", "10k", "2M"]);
        assert!(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n") && !svg.contains("<&"));
    }
}
