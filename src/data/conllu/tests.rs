//! What is read comes out as it was; what is wrong is told with its line and column.

use super::*;
use crate::error::Result;

fn read(text: &str) -> Result<Vec<Sentence>, String> {
    let reader = std::io::Cursor::new(text.to_string().into_bytes());
    let sentences = Conllu::from_reader("file", reader).and_then(|sentences| sentences.collect::<Result<Vec<_>>>());
    sentences.map_err(|error| error.to_string().strip_prefix("file, ").unwrap_or("no line").to_string())
}

/// Lines of words with the columns in the place of which nothing is said left out: number, form, head, MISC.
fn lines(rows: &[[&str; 4]]) -> String {
    rows.iter().map(|[id, form, head, misc]| format!("{id}\t{form}\t_\t_\t_\t_\t{head}\t_\t_\t{misc}\n")).collect()
}

fn heads(heads: &[usize]) -> Sentence {
    let mut sentence = Sentence::of_words(heads.iter().map(usize::to_string)).unwrap();
    sentence.words_mut().zip(heads).for_each(|(word, &head)| word.head = Some(head));
    sentence
}

#[test]
fn what_is_read_is_written_to_the_byte() {
    let first = lines(&[
        ["0.1", "(", "_", "_"],
        ["1-2", "vámonos", "_", "SpaceAfter=No"],
        ["1", "vamos", "0", "_"],
        ["1.1", "ya", "_", "Gloss=now|X"],
        ["1.2", "#", "_", "_"],
        ["2", "nos", "1", "_"],
        ["3", "#", "1", "_"],
    ]);
    let second = lines(&[["1", "a b", "_", " "]]);
    for end in ["\n", "\r\n", "\r"] {
        for (before, after) in [("", "\n"), ("\n\n", "\n\n\n"), ("", "")] {
            let text = format!("{before}# sent_id=a = b\n#\n{first}\n\n{second}{after}").replace('\n', end);
            for text in [text.as_str(), text.strip_suffix(end).unwrap()] {
                let found = read(text).unwrap();
                assert_eq!(found.len(), 2);
                assert_eq!(found.iter().map(Sentence::to_string).collect::<String>(), text);
                let mut written = Vec::new();
                found.iter().for_each(|sentence| sentence.write(&mut written).unwrap());
                assert_eq!(written, text.as_bytes());
                assert_eq!((found[0].text().as_str(), found[0].comment("sent_id")), ("vámonos#", Some("a = b")));
                assert!(found.iter().all(|sentence| sentence.check().is_ok()));
                assert!(found[0].words().map(|word| word.head).eq([Some(0), Some(1), Some(1)]));
            }
        }
    }
    assert!(read("").unwrap().is_empty() && read("\n\n").unwrap().is_empty());
    // Each sentence has the ends of its own lines.
    let mixed = format!("{second}\n{}", format!("{second}\n").replace('\n', "\r\n"));
    assert_eq!(read(&mixed).unwrap().iter().map(Sentence::to_string).collect::<String>(), mixed);
}

#[test]
fn lines_that_are_wrong_are_named_with_their_column() {
    let error = |text: &str| read(text).map(|found| panic!("{text:?} was read: {found:?}")).unwrap_err();
    let word = |id: &str, head: &str| lines(&[[id, "x", head, "_"]]);
    let (one, two) = (word("1", "0"), word("2", "1"));
    let nine = "1\ta\tb\n";
    assert_eq!(error(nine), "line 1: expected ten columns with tabs between them, found 3 in \"1\\ta\\tb\"");
    assert_eq!(
        error(&format!("{one}   \n")),
        "line 2: expected ten columns with tabs between them, found 1 in \"   \""
    );
    let empty = error(&format!("{one}\n# c\n{}", one.replace("\tx", "\t")));
    assert_eq!(
        empty,
        "line 4: column 2 (FORM): expected something (`_` where there is nothing to say), found an empty column"
    );
    for id in ["", "0", "01", "+1", "1-", "-1", "1-0", "1.0", "1.01", "a", "1 ", "99999999999999999999"] {
        assert!(error(&word(id, "0")).starts_with("line 1: column 1 (ID): expected "), "{id}");
    }
    assert_eq!(
        error(&word("2", "0")),
        "line 1: column 1 (ID): expected `1`, a range that begins there or `0.1`, found `2`"
    );
    for ids in [
        &["1", "1"][..],
        &["1", "3"],
        &["2-3"],
        &["1-2", "1-3"],
        &["1-2", "0.1"],
        &["1-2", "1", "2-3"],
        &["1", "1.2"],
        &["1-2", "2"],
    ] {
        let text: String = ids.iter().map(|id| word(id, "_")).collect();
        let expected = format!("line {}: column 1 (ID): expected `", ids.len());
        assert!(error(&text).starts_with(&expected), "{ids:?}");
    }
    let range = error(&format!("{}{one}\n", word("1-2", "_")));
    assert_eq!(range, "line 2: column 1 (ID): expected words up to 2, the end of a range, found the sentence's end");
    let head = error(&format!("\n# c\n{}{two}\n", word("1", "3")));
    assert_eq!(head, "line 3: column 7 (HEAD): expected a word of the sentence, 0 to 2, found 3");
    assert_eq!(
        error(&word("1", "-1")),
        "line 1: column 7 (HEAD): expected the number of a word, 0 or `_`, found \"-1\""
    );
    assert!(error(&word("1-2", "0")).starts_with("line 1: column 7 (HEAD): expected `_`"));
    assert_eq!(error("# a\n# b\n\n"), "line 2: expected the words of a sentence, found none");
    assert_eq!(error("\n# a"), "line 2: expected the words of a sentence, found none");
    assert_eq!(error(&word("0.1", "_")), "line 1: expected the words of a sentence, found none");
    assert!(error(&format!("{one}# a\n{two}")).starts_with("line 2: expected comments before the words"));
    let ends = error(&format!("{}{two}", one.replace('\n', "\r\n")));
    assert_eq!(ends, "line 2: expected a line that ends in \"\\r\\n\" as those before, found \"\\n\"");
    let within = error(&one.replace('x', "x\ry"));
    assert!(within.starts_with("line 1: expected lines that end in"), "{within}");
}

#[test]
fn reading_ends_with_the_first_error() {
    let text = format!("{0}\nrubbish\n\n{0}", lines(&[["1", "x", "0", "_"]]));
    let mut sentences = Conllu::from_reader("-", std::io::Cursor::new(text.into_bytes())).unwrap();
    assert!(sentences.next().unwrap().is_ok() && sentences.next().unwrap().is_err() && sentences.next().is_none());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty");
    std::fs::write(&path, "\n").unwrap();
    assert!(read_conllu(&path).unwrap_err().to_string().ends_with("expected sentences, found an empty file"));
}

#[test]
fn only_trees_are_trees() {
    assert_eq!(heads(&[2, 0, 4, 2]).tree().unwrap(), [2, 0, 4, 2]);
    let error = |numbers: &[usize]| heads(numbers).tree().unwrap_err().to_string();
    assert_eq!(error(&[2, 0, 0]), "word 3: expected one root, which word 2 is, found another one");
    assert_eq!(error(&[2, 1]), "tree: expected a word whose head is 0, the root, found none");
    assert_eq!(error(&[0, 1, 4, 5, 3]), "word 3: expected a way to the root, found a cycle: 3 -> 4 -> 5 -> 3");
    assert_eq!(error(&[0, 3, 4, 3]), "word 3: expected a way to the root, found a cycle: 3 -> 4 -> 3");
    assert_eq!(error(&[0, 2]), "word 2: expected a way to the root, found a cycle: 2 -> 2");
    assert_eq!(error(&[0, 7]), "word 2: expected a head from 0 to 2, found 7");
    let open = Sentence::of_words(["a"]).unwrap();
    assert_eq!(open.tree().unwrap_err().to_string(), "word 1: expected a head, found `_`");
    let chain: Vec<usize> = (0..100_000).collect();
    assert_eq!(heads(&chain).tree().unwrap(), chain);
}

#[test]
fn what_the_format_cannot_hold_is_refused() {
    let error = |change: fn(&mut Sentence)| {
        let mut sentence = heads(&[0, 1]);
        sentence.comments.push("# c".into());
        change(&mut sentence);
        sentence.check().unwrap_err().to_string()
    };
    let form = error(|sentence| sentence.tokens[1].form = "a\tb".into());
    assert_eq!(
        form,
        "sentence, line 3, column 2 (FORM): expected a text of one line without tabs, `_` for none, found \"a\\tb\""
    );
    for text in ["", "\n", "\r", "\0"] {
        let mut sentence = heads(&[0]);
        sentence.tokens[0].misc = text.into();
        assert!(sentence.check().unwrap_err().to_string().contains("column 10 (MISC)"), "{text:?}");
    }
    assert!(error(|sentence| sentence.tokens[0].head = Some(3)).contains("line 2, column 7 (HEAD)"));
    assert!(error(|sentence| sentence.tokens[1].id = TokenId::Word(3)).contains("line 3, column 1 (ID)"));
    assert!(error(|sentence| sentence.tokens.clear()).contains("line 2: expected the words of a sentence, found none"));
    assert!(error(|sentence| sentence.comments[0] = "c".into()).starts_with("sentence, line 1: expected a comment"));
    assert!(
        error(|sentence| sentence.comments[0] = "# c\nd".into()).starts_with("sentence, line 1: expected a comment")
    );
    let node =
        |sentence: &mut Sentence| sentence.tokens.insert(0, Token { id: TokenId::Empty(0, 0), ..Token::word(1, "x") });
    assert!(error(node).contains("column 1 (ID): expected numbers from 1, found 0"));
    assert!(Sentence::of_words(Vec::<String>::new()).is_err() && Sentence::of_words([""]).is_err());
}
