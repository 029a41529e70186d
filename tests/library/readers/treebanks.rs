//! CoNLL-U: whatever a treebank holds is written as it was read.

use super::said::of_file;
use elman::data::{Conllu, Sentence, Token, TokenId, read_conllu};
use proptest::prelude::*;
use std::io::Cursor;

fn written(sentences: &[Sentence]) -> Vec<u8> {
    let mut bytes = Vec::new();
    sentences.iter().for_each(|sentence| sentence.write(&mut bytes).unwrap());
    bytes
}

/// What may stand in a column.
const TEXT: &str = "[^\t\n\r\u{0}]{1,6}";

/// Words with ranges and empty nodes among them, numbered as they must be.
fn tokens() -> impl Strategy<Value = Vec<Token>> {
    let columns = (prop::collection::vec(TEXT, 8), any::<prop::sample::Index>(), 0usize..3, 0usize..6);
    prop::collection::vec(columns, 1..8).prop_map(|rows| {
        let (words, mut tokens, mut covered) = (rows.len(), Vec::new(), 0);
        for (at, (texts, head, nodes, range)) in rows.into_iter().enumerate() {
            let token = |id| {
                let [form, lemma, upos, xpos, feats, deprel, deps, misc] = texts.clone().try_into().unwrap();
                let head = match id {
                    TokenId::Word(_) => Some(head.index(words + 1)),
                    _ => None,
                };
                Token { id, form, lemma, upos, xpos, feats, head, deprel, deps, misc }
            };
            if range < 3 && at + range < words && at >= covered {
                covered = at + range + 1;
                tokens.push(token(TokenId::Range(at + 1, covered)));
            }
            tokens.push(token(TokenId::Word(at + 1)));
            tokens.extend((1..=nodes).map(|node| token(TokenId::Empty(at + 1, node))));
        }
        tokens
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_made_is_written_and_read(
        sentences in prop::collection::vec((prop::collection::vec("#[^\n\r\u{0}]{0,9}", 0..3), tokens()), 1..5),
    ) {
        let made: Vec<_> =
            sentences.into_iter().map(|(comments, tokens)| Sentence::new(comments, tokens).unwrap()).collect();
        let read = Conllu::from_reader("-", Cursor::new(written(&made))).unwrap();
        prop_assert_eq!(read.collect::<elman::Result<Vec<_>>>().unwrap(), made);
    }

    /// Lines at random, and what is said of them or comes out again.
    #[test]
    fn a_file_that_is_read_comes_out_as_it_was(
        lines in prop::collection::vec("(# c|1\tx|2\ty|1-2\tz|1\\.1\tn|)", 0..8),
        end in "(\n|\r\n|\r)",
        last_end: bool,
    ) {
        let rest = "\t_".repeat(8);
        let lines: Vec<String> =
            lines.iter().map(|line| if line.contains('\t') { format!("{line}{rest}") } else { line.clone() }).collect();
        let text = lines.join(&end) + if last_end { &end } else { "" };
        let reader = Conllu::from_reader("-", Cursor::new(text.clone().into_bytes())).unwrap();
        if let Ok(read) = reader.collect::<elman::Result<Vec<_>>>() && !read.is_empty() {
            prop_assert_eq!(String::from_utf8(written(&read)).unwrap(), text);
        }
    }

    /// A way from every word to the root is what the search for cycles finds, by another road.
    #[test]
    fn heads_are_a_tree_where_every_word_reaches_the_root(heads in prop::collection::vec(0usize..6, 1..6)) {
        let mut sentence = Sentence::of_words(heads.iter().map(|_| "x")).unwrap();
        sentence.words_mut().zip(&heads).for_each(|(word, &head)| word.head = Some(head));
        let inside = heads.iter().all(|&head| head <= heads.len());
        let reaches = |word: usize| (0..heads.len()).fold(word, |at, _| if at == 0 { 0 } else { heads[at - 1] }) == 0;
        let one = heads.iter().filter(|&&head| head == 0).count() == 1;
        prop_assert_eq!(sentence.tree().is_ok(), inside && one && (1..=heads.len()).all(reaches));
    }
}

#[test]
fn marks_and_compression_are_the_files_and_not_the_texts() {
    let text = "1\tx\t_\t_\t_\t_\t_\t_\t_\t_\n\n";
    let read = of_file("a", format!("\u{feff}{text}"), |path| read_conllu(path)).unwrap();
    assert_eq!(written(&read), text.as_bytes());
}

/// Published files, which are compressed.
#[cfg(feature = "gz")]
mod published {
    use super::*;
    use elman::data::read_columns;
    use std::io::Read;
    use std::path::{Path, PathBuf};

    /// The folder that `ELMAN_DATA` names, where there is one.
    fn data() -> Option<PathBuf> {
        let folder = std::env::var_os("ELMAN_DATA").map(PathBuf::from);
        if folder.is_none() {
            println!("skipped: ELMAN_DATA names no folder of data");
        }
        folder
    }

    fn bytes(path: &Path) -> Vec<u8> {
        let file = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut bytes = Vec::new();
        flate2::read::MultiGzDecoder::new(&file[..]).read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn published_treebanks_come_out_as_they_were() {
        let Some(data) = data() else { return };
        let counts = [
            ("en_ewt", "train", 12_544, 204_577),
            ("en_ewt", "valid", 2_001, 25_147),
            ("en_ewt", "test", 2_077, 25_094),
            ("ru_taiga", "train", 3_138, 43_557),
            ("ru_taiga", "valid", 945, 10_094),
            ("ru_taiga", "test", 881, 10_269),
        ];
        for (treebank, part, sentences, words) in counts {
            let path = data.join(format!("pos/{treebank}/{part}.conllu.gz"));
            let read = read_conllu(&path).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(
                (read.len(), read.iter().map(|s| s.words().count()).sum::<usize>()),
                (sentences, words),
                "{treebank} {part}"
            );
            assert!(written(&read) == bytes(&path), "{treebank} {part}: other bytes");
            for sentence in &read {
                sentence.tree().unwrap_or_else(|error| panic!("{sentence}{error}"));
            }
            let texts = read
                .iter()
                .filter(|sentence| sentence.comment("text").is_some_and(|text| text.trim_end() == sentence.text()));
            println!("{treebank} {part}: {} of {sentences} texts are those of their words", texts.count());
        }
    }

    #[test]
    fn published_columns_are_read() {
        let Some(data) = data() else { return };
        let counts = [
            ("conll2000", "train", 8_936, 3),
            ("conll2000", "test", 2_012, 3),
            ("wnut17", "train", 3_394, 2),
            ("wnut17", "valid", 1_009, 2),
            ("wnut17", "test", 1_287, 2),
        ];
        for (set, part, sentences, columns) in counts {
            let read =
                read_columns(data.join(format!("spans/{set}/{part}.tsv.gz"))).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!((read.len(), read[0][0].len()), (sentences, columns), "{set} {part}");
        }
    }
}
