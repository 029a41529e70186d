//! Vectors in text, with word2vec's header or, as GloVe's, without.

use super::format;
use super::gather::Gathering;
use super::read::Plan;
use crate::error::Result;
use crate::file::{Lines, Source, cut};
use std::ops::Range;

const NO_WORD: &str = "expected a word at the beginning of the line, found white space";

/// Reads a file's lines into `gathering`; gives the dimension of the vectors.
pub(super) fn read(source: Source, with_header: bool, plan: Plan, gathering: &mut Gathering) -> Result<usize> {
    let mut lines = Lines::new(source);
    let (mut promised, mut dim) = (None, None);
    if with_header {
        let header = lines.next_bytes()?.map_or_else(|| format::header(b""), format::header);
        let (words, columns) = header.map_err(|why| lines.error(why))?;
        format::check_dim(columns).map_err(|why| lines.error(format!("expected {why}, found {columns}")))?;
        promised = Some(words).filter(|_| !plan.any_count);
        dim = Some(columns);
    }
    let (mut entries, mut blank) = (0, false);
    let (mut fields, mut vector) = (Vec::new(), Vec::new());
    while entries < plan.limit {
        let Some(line) = lines.next_bytes()? else { break };
        if line.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r')) {
            // At the file's end blank lines do no harm.
            blank = true;
            continue;
        }
        let parsed = match promised {
            _ if blank => Err("expected no blank line before this one".into()),
            Some(words) if entries >= words => {
                Err(format!("expected {words} words, as the header promises, found one more"))
            }
            _ => parse(line, dim, &mut fields, &mut vector),
        };
        match parsed {
            Ok(word) if word.is_empty() && plan.skip_blank_words => gathering.skip(),
            Ok(word) if word.is_empty() => return Err(lines.error(NO_WORD.into())),
            Ok(word) => drop(gathering.offer(&line[word], &vector)),
            Err(why) => return Err(lines.error(why)),
        }
        dim = Some(vector.len());
        entries += 1;
    }
    if let Some(words) = promised.filter(|&words| entries < words.min(plan.limit)) {
        let why = format!("expected {words} words, as the header promises, found the end of the file after {entries}");
        return Err(lines.error(why));
    }
    dim.ok_or_else(|| lines.error("expected a word and numbers, found none".into()))
}

/// Reads a line's numbers into `vector` and gives the place of its word, which is empty where the line has numbers alone
/// behind white space. The last `dim` fields are the numbers, or all but the first where the dimension is not known yet.
pub(super) fn parse(
    line: &[u8],
    dim: Option<usize>,
    fields: &mut Vec<Range<usize>>,
    vector: &mut Vec<f32>,
) -> Result<Range<usize>, String> {
    fields.clear();
    let mut start = 0;
    for field in line.split(|byte| matches!(byte, b' ' | b'\t' | b'\r')) {
        if !field.is_empty() {
            fields.push(start..start + field.len());
        }
        start += field.len() + 1;
    }
    let is_number = |field: &Range<usize>| format::number(&line[field.clone()]).is_ok();
    let blank = fields.first().is_none_or(|first| first.start > 0);
    if blank && dim != Some(fields.len()) {
        return Err(NO_WORD.into());
    }
    let found = if blank { fields.len() } else { fields.len() - 1 };
    let dim = dim.unwrap_or(found);
    format::check_dim(dim).map_err(|why| format!("expected a word and {why}, found {found} numbers"))?;
    // A word with spaces has more fields; a number among them is a number too many.
    if found < dim || !blank && fields[1..=found - dim].iter().any(is_number) {
        return Err(format!("expected a word and {dim} numbers, found a word and {found}"));
    }
    let (word, numbers) = fields.split_at(fields.len() - dim);
    vector.clear();
    for (at, field) in numbers.iter().enumerate() {
        let field = &line[field.clone()];
        let x = format::number(field).map_err(|what| {
            format!("expected {what} as number {at} of the vector, found {}", cut(&String::from_utf8_lossy(field)))
        })?;
        vector.push(x);
    }
    Ok(0..word.last().map_or(0, |last| last.end))
}
