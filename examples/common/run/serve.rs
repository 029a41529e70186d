//! A line in, a JSON object out, flushed at once, until the input ends: for another program at the other end of two pipes.

use anyhow::Context;
use clap::ValueEnum;
use serde_json::{Map, Value, json};
use std::io::{self, BufRead, Read, Write};

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
pub enum Line {
    Text,
    Jsonl,
}

/// Bytes of the longest line that is read.
const LONGEST: u64 = 1 << 20;

/// An answer for each line: `line` counts from 1, `error` says what was wrong with one, and a request's `id` is given back.
/// Gives the number of lines.
pub fn serve(
    mut from: impl BufRead,
    mut to: impl Write,
    input: Line,
    answer: impl Fn(&str) -> anyhow::Result<Map<String, Value>>,
) -> anyhow::Result<u64> {
    let mut number = 0;
    while let Some(line) = next_line(&mut from).context("standard input")? {
        number += 1;
        let (id, text) = match line.and_then(|line| request(&line, input)) {
            Ok((id, text)) => (id, Ok(text)),
            Err(why) => (None, Err(why)),
        };
        let mut object = text
            .and_then(|text| answer(&text).map_err(|error| format!("{error:#}")))
            .unwrap_or_else(|why| Map::from_iter([("error".to_string(), json!(why))]));
        object.insert("line".into(), json!(number));
        if let Some(id) = id {
            object.insert("id".into(), id);
        }
        writeln!(to, "{}", Value::Object(object)).and_then(|()| to.flush()).context("standard output")?;
    }
    Ok(number)
}

/// What a line asks for: an id, if it has one, and a text.
fn request(line: &str, input: Line) -> Result<(Option<Value>, String), String> {
    // An empty line is a text like others, as for `predict`.
    if input == Line::Text {
        return Ok((None, line.to_string()));
    }
    let mut fields: Map<String, Value> =
        serde_json::from_str(line).map_err(|e| format!("expected a JSON object ({e})"))?;
    match fields.remove("text") {
        Some(Value::String(text)) => Ok((fields.remove("id"), text)),
        Some(other) => Err(format!("expected a string as the field `text`, found {other}")),
        None => Err("expected a field `text`, found none".into()),
    }
}

/// The next line without its end, or what is wrong with it; `None` at the end. Takes no more memory than for the longest
/// line, whatever comes.
fn next_line(from: &mut impl BufRead) -> io::Result<Option<Result<String, String>>> {
    let mut line = Vec::new();
    from.by_ref().take(LONGEST + 1).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() as u64 > LONGEST {
        from.skip_until(b'\n')?;
        return Ok(Some(Err(format!("expected lines of at most {LONGEST} bytes, found a longer one"))));
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some(String::from_utf8(line).map_err(|_| "expected UTF-8, found other bytes".into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(from: &[u8], input: Line) -> Vec<Value> {
        let mut to = Vec::new();
        let answer = |text: &str| Ok(Map::from_iter([("label".to_string(), json!(text.len()))]));
        let lines = serve(from, &mut to, input, answer).unwrap();
        let objects: Vec<Value> =
            String::from_utf8(to).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines, objects.len() as u64);
        objects
    }

    #[test]
    fn bad_lines_get_an_error_and_it_goes_on() {
        let mut input = b"good\r\n\n\xff\xfe\n".to_vec();
        input.extend(std::iter::repeat_n(b'x', 3 * LONGEST as usize));
        input.extend(b"\nlast, without an end");
        let objects = served(&input, Line::Text);
        assert_eq!(objects.len(), 5);
        assert_eq!(objects[0], json!({ "label": 4, "line": 1 }));
        // A text without a word is one.
        assert_eq!(objects[1], json!({ "label": 0, "line": 2 }));
        for (object, why) in objects[2..4].iter().zip(["UTF-8", "a longer one"]) {
            assert!(object["error"].as_str().unwrap().contains(why), "{object}");
        }
        assert_eq!(objects[4], json!({ "label": 20, "line": 5 }));
        // As long as is allowed, with its end and without.
        let mut longest = vec![b'x'; LONGEST as usize];
        assert_eq!(served(&longest, Line::Text)[0]["label"], LONGEST);
        longest.extend(b"\nnext");
        assert_eq!(served(&longest, Line::Text)[1]["label"], 4);
    }

    #[test]
    fn objects_give_their_id_back() {
        let lines = b"{\"id\": [7], \"text\": \"abc\"}\n{\"text\": 1}\n[]\n{\"id\": 2}\n{\"text\": \"a\"";
        let objects = served(lines, Line::Jsonl);
        assert_eq!(objects[0], json!({ "id": [7], "label": 3, "line": 1 }));
        assert!(objects[1..].iter().all(|object| object["error"].is_string()), "{objects:?}");
        assert_eq!(objects.len(), 5);
    }

    #[test]
    fn a_closed_pipe_is_an_error_and_no_panic() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let error = serve(&b"one\ntwo\n"[..], Closed, Line::Text, |_| Ok(Map::new())).unwrap_err();
        assert_eq!(error.to_string(), "standard output");
        assert_eq!(error.downcast_ref::<io::Error>().unwrap().kind(), io::ErrorKind::BrokenPipe);
    }
}
