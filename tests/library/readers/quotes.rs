//! Quotes, columns and separators of comma-separated values: RFC 4180 where it says something, and an error where a
//! file does not keep to it.

use super::said::{error, holds, of_file, pairs, texts};
use elman::data::{TextColumns, read_texts};
use proptest::prelude::*;

fn csv(rows: &str) -> String {
    error("a.csv", format!("label,text\n{rows}"))
}

#[test]
fn a_quote_that_runs_over_lines_into_another_is_an_error() {
    let error = csv("a,\"open at the start\nb,fine\na,\"quoted\"\nb,last\n");
    let expected = ", line 2: expected a comma or the line's end behind the quote that closes the value, found \
        \"quoted\\\"\" on line 4; a quote within a quoted value is written twice";
    assert_eq!(error, expected);
}

#[test]
fn a_backslash_is_no_escape() {
    let expected = ", line 2: expected a comma or the line's end behind the quote that closes the value, found \
        \" y\\\"\"; a quote within a quoted value is written twice";
    assert_eq!(csv("a,\"x \\\" y\"\n"), expected);
    holds("a.csv", "label,text\na,\"x \\\"\" y\"\n", &[("a", "x \\\" y")]);
    holds("a.csv", "label,text\na,\\n x\\\n", &[("a", "\\n x\\")]);
}

#[test]
fn a_quote_within_an_unquoted_value_is_text() {
    let inches = "label,text\npos,5\" pipe\nneg,\"two\nlines\"\n";
    holds("a.csv", inches, &[("pos", "5\" pipe"), ("neg", "two\nlines")]);
    holds("a.csv", "label,text\npos, \"spaced\"\nneg,a\"b\"c\"\n", &[("pos", " \"spaced\""), ("neg", "a\"b\"c\"")]);
}

#[test]
fn text_behind_a_closing_quote_is_an_error() {
    for (row, found) in [("\"x\"y", "\"y\""), ("\"x\" ", "\" \""), ("\"\"x\"\"", "\"x\\\"\\\"\"")] {
        assert!(
            csv(&format!("a,{row}\nb,c\n")).contains(&format!("closes the value, found {found}; a quote")),
            "{row}"
        );
    }
}

#[test]
fn a_quote_that_is_never_closed_is_named_where_it_opens() {
    let expected = ", line 3: expected every quote to be closed, found the end of the file within one";
    assert_eq!(csv("a,b\nc,\"open\nd,e\n"), expected);
    assert_eq!(csv("a,b\nc,\"open\nd,e"), expected);
    assert_eq!(csv("a,b\nc,\""), expected);
    assert_eq!(csv("a,b\n\"c\nd\",\"\"\"\n\n"), expected.replace("line 3", "line 4"));
}

#[test]
fn lines_are_counted_through_values_of_several() {
    let rows = "a,\"two\nlines\"\nb,\"\r\n\r\n\"\r\n\nc\n";
    assert_eq!(csv(rows), ", line 8: expected 2 values, as many as the header has, found 1");
    assert_eq!(csv("a,\"two\nlines\",x\nb,c\n"), ", line 2: expected 2 values, as many as the header has, found 3");
    holds("a.csv", "label,text\r\na,\"x\r\ny\"\r\n\r\n\r\nb,z", &[("a", "x\r\ny"), ("b", "z")]);
}

#[test]
fn what_excel_and_pandas_write_is_read() {
    // Excel where a comma is the decimal mark: a byte order mark, semicolons, CRLF, a line break (LF) in a cell.
    let excel = "\u{feff}label;text\r\npos;\"a \"\"b\"\"; c\nd\"\r\nneg;1,5\r\n";
    let columns = TextColumns::default().separator(b';');
    let found = of_file("a.csv", excel, |path| read_texts(path, &columns)).unwrap();
    assert_eq!(found.texts, ["a \"b\"; c\nd", "1,5"]);
    // Excel's own line that says what separates.
    holds("a.csv", format!("sep=;\r\n{}", &excel[3..]), &[("pos", "a \"b\"; c\nd"), ("neg", "1,5")]);
    // pandas: an index without a name, minimal quotes.
    holds("a.csv", ",label,text\n0,pos,\"a, b\"\n1,neg,\"\"\"\"\n", &[("pos", "a, b"), ("neg", "\"")]);
    // Names with spaces around, as people write them.
    holds("a.csv", "id, label , text\n1,pos,a\n", &[("pos", "a")]);
}

#[test]
fn another_separator_is_seen() {
    for (separator, shown) in [(';', "';'"), ('\t', "a tab"), ('|', "'|'")] {
        let file = format!("id{separator}label{separator}text\n1{separator}a{separator}b\n");
        let expected = format!("which {shown} would separate: give that as the separator");
        let error = error("a.csv", file);
        assert!(error.starts_with(", line 1: expected the column \"label\"") && error.ends_with(&expected), "{error}");
    }
    assert!(error("a.csv", "name;text\na;b\n").ends_with("found \"name;text\""));
}

#[test]
fn a_header_that_comes_again_is_no_text() {
    let expected = ", line 3: expected texts, found the header again: files put together keep the first one alone";
    assert_eq!(csv("a,b\nlabel,text\nc,d\n"), expected);
}

fn quoted(value: &str, separator: char, always: bool) -> String {
    if always || value.contains(['"', '\n', '\r', separator]) {
        return format!("\"{}\"", value.replace('"', "\"\""));
    }
    value.to_string()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_written_by_the_rules_is_read(
        rows in prop::collection::vec(("[a-z]{1,3}", "[ab\"\\\\,;\n\r\té ]{0,12}"), 1..12),
        semicolon: bool, always: bool, crlf: bool, last_end: bool,
    ) {
        let separator = if semicolon { ';' } else { ',' };
        let end = if crlf { "\r\n" } else { "\n" };
        let row = |(label, text): &(String, String)| {
            format!("{}{separator}{}", quoted(label, separator, always), quoted(text, separator, always))
        };
        // A name that no label is: a header again would be an error.
        let mut file = format!("labels{separator}text{end}");
        file += &rows.iter().map(row).collect::<Vec<_>>().join(end);
        file += if last_end { end } else { "" };
        let columns = TextColumns::new("labels", "text").separator(separator as u8);
        let found = of_file("a.csv", &file, |path| read_texts(path, &columns)).unwrap();
        let expected: Vec<&String> = rows.iter().map(|(_, text)| text).collect();
        prop_assert_eq!(found.texts.iter().collect::<Vec<_>>(), expected, "{:?}", file);
    }

    /// Whatever is accepted is what the rules say: written anew and read again it is the same.
    #[test]
    fn what_is_accepted_means_one_thing(body in "[ab,\"\n\\\\]{0,30}") {
        let Ok(found) = texts("a.csv", format!("label,text\n{body}")) else { return Ok(()) };
        let rows = found.classes.iter().zip(&found.texts);
        let row = |(&class, text): (&u32, &String)| {
            format!("{},{}\n", quoted(found.labels.name(class).unwrap(), ',', true), quoted(text, ',', true))
        };
        let again = pairs("a.csv", format!("label,text\n{}", rows.map(row).collect::<String>()));
        let texts: Vec<String> = again.into_iter().map(|(_, text)| text).collect();
        prop_assert_eq!(texts, found.texts);
    }
}
