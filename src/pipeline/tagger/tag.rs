//! From text to answers.

use super::predict::Found;
use super::vocabulary::Row;
use super::{Tagged, TaggedSpan, TaggedWord, Tagger, TaggerExample, TaggerTask, words};
use crate::backend::Backend;
use crate::data::{Span, spans};
use crate::error::Result;
use std::ops::Range;

/// Where the words of a sentence stand in its text.
type Places = Vec<Range<usize>>;

impl<B: Backend> Tagger<B> {
    /// The sentences of a text with what is found in them: none of an empty text. Errors: a tagger that reads further columns.
    pub fn tag(&self, text: &str) -> Result<Vec<Tagged>> {
        Ok(self.tag_all(&[text])?.pop().unwrap_or_default())
    }

    /// The sentences of each text, as [`tag`](Self::tag): in batches of like length.
    pub fn tag_all<T: AsRef<str>>(&self, texts: &[T]) -> Result<Vec<Vec<Tagged>>> {
        let places: Vec<Vec<Places>> = texts.iter().map(|text| self.sentences(text.as_ref())).collect();
        let pairs = || texts.iter().map(AsRef::as_ref).zip(&places);
        let sentences = pairs().flat_map(|(text, places)| places.iter().map(move |ranges| (text, ranges)));
        let rows: Vec<Row<'_>> = sentences.map(|(text, ranges)| row(text, ranges)).collect();
        let mut found = self.found(&rows)?.into_iter();
        let of_text = |(text, places): (&str, &Vec<Places>)| {
            places.iter().zip(found.by_ref()).map(|(ranges, found)| self.answer(text, ranges, found)).collect()
        };
        pairs().map(of_text).collect()
    }

    /// The words of each sentence of a text, as [`tag`](Self::tag) parts it, where they stand in it, in bytes.
    pub fn sentences(&self, text: &str) -> Vec<Vec<Range<usize>>> {
        words::sentences(&self.tokenizer, &self.vocabulary, text)
    }

    /// Sentences whose words are known, with what is found in them: in batches of like length, one for each, those without words too.
    /// Errors: a tagger that reads further columns.
    pub fn tag_words<W: AsRef<str>, S: AsRef<[W]>>(&self, sentences: &[S]) -> Result<Vec<Tagged>> {
        let row =
            |sentence: &'_ S| -> TaggerExample { TaggerExample::new(sentence.as_ref().iter().map(AsRef::as_ref)) };
        self.tag_examples(&sentences.iter().map(row).collect::<Vec<_>>())
    }

    /// The same of examples: of their words and further columns; their tags and trees are not looked at. Errors: columns that are missing.
    pub fn tag_examples(&self, examples: &[TaggerExample]) -> Result<Vec<Tagged>> {
        let found = self.found(&examples.iter().map(Row::from).collect::<Vec<_>>())?;
        let answer = |(example, found): (&TaggerExample, Found)| {
            let (mut text, mut ranges) = (String::new(), Vec::with_capacity(example.words.len()));
            for word in &example.words {
                text.push_str(if ranges.is_empty() { "" } else { " " });
                ranges.push(text.len()..text.len() + word.len());
                text.push_str(word);
            }
            self.answer(&text, &ranges, found)
        };
        examples.iter().zip(found).map(answer).collect()
    }

    /// The answer for a sentence whose words stand at these places of a text.
    fn answer(&self, text: &str, places: &[Range<usize>], found: Found) -> Result<Tagged> {
        let Found { tags, arcs } = found;
        let (mut tags, mut arcs) = (tags.into_iter(), arcs.into_iter());
        let mut words = Vec::with_capacity(places.len());
        for range in places {
            let (tag, probability) = match tags.next() {
                Some((tag, probability)) => {
                    (self.tags()?.name(tag as u32).unwrap_or_default().to_string(), probability)
                }
                None => (String::new(), 0.0),
            };
            let text = text[range.clone()].to_string();
            words.push(TaggedWord { text, range: range.clone(), tag, probability, arc: arcs.next() });
        }
        if self.task() != TaggerTask::Spans {
            return Ok(Tagged { words, spans: Vec::new() });
        }
        let tags: Vec<&str> = words.iter().map(|word| word.tag.as_str()).collect();
        let span = |span: Span<'_>| {
            let own = &words[span.words.clone()];
            let range = own[0].range.start..own[own.len() - 1].range.end;
            let probability = own.iter().map(|word| word.probability).fold(1.0, f64::min);
            let (kind, text) = (span.kind.to_string(), text[range.clone()].to_string());
            TaggedSpan { kind, words: span.words, text, range, probability }
        };
        let spans = spans(&tags)?.into_iter().map(span).collect();
        Ok(Tagged { words, spans })
    }
}

fn row<'t>(text: &'t str, words: &[Range<usize>]) -> Row<'t> {
    Row { words: words.iter().map(|range| &text[range.clone()]).collect(), columns: &[] }
}
