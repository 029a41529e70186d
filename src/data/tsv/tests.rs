//! Files good and bad: what is read from them, and what is said about them.

use super::*;

/// Writes `bytes` to a file of its own and reads it; errors come back as text that begins after the file's name.
fn read<T>(bytes: impl AsRef<[u8]>, reader: impl Fn(PathBuf) -> Result<T>) -> Result<T, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, bytes).unwrap();
    reader(path.clone()).map_err(|error| {
        let (text, name) = (error.to_string(), path.display().to_string());
        text.strip_prefix(&name).unwrap_or_else(|| panic!("{text} does not begin with the path")).to_string()
    })
}

fn labelled_file(bytes: impl AsRef<[u8]>) -> Result<Vec<(u32, String)>, String> {
    read(bytes, read_labelled)
}

#[test]
fn only_newlines_end_lines() {
    let found = labelled_file("3\ta\u{85}b\u{2028}c\n0\t\r\n7\twith\ttab").unwrap();
    let expected = [(3, "a\u{85}b\u{2028}c"), (0, ""), (7, "with\ttab")];
    assert_eq!(found, expected.map(|(label, text)| (label, text.to_string())));
    assert_eq!(read("cocoa\n\ngrain\n", read_lines).unwrap(), ["cocoa", "", "grain"]);
}

#[test]
fn sequences_are_labels_and_indices() {
    assert_eq!(read("4\t1 20  3\n0\t\n", read_sequences).unwrap(), [(4, vec![1, 20, 3]), (0, vec![])]);
    let error = read("4\t1 2\n4\t1 -2\n", read_sequences).unwrap_err();
    assert_eq!(error, ", line 2: expected an index from 0 to 4294967295, found \"-2\"");
}

#[test]
fn bad_lines_are_named() {
    let error = |text: &str| labelled_file(text).unwrap_err();
    assert_eq!(error("1\tfine\nno tab\n"), ", line 2: expected a tab after the label in \"no tab\"");
    assert_eq!(error("one\ttext\n"), ", line 1: expected a label from 0 to 4294967295, found \"one\"");
    assert_eq!(error("4294967296\ttext\n"), ", line 1: expected a label from 0 to 4294967295, found \"4294967296\"");
    assert!(error(&"é".repeat(100)).ends_with(&format!("{:?}...", "é".repeat(40))));
    assert_eq!(error(""), ": expected lines, found an empty file");
    let not_utf8 = labelled_file(b"1\ta\n2\tb\xff\n").unwrap_err();
    assert_eq!(not_utf8, ", line 2: expected UTF-8, found the byte 0xff at column 4");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = read_labelled("no/such/file.tsv").unwrap_err();
    assert!(matches!(error, Error::Io { .. }) && error.to_string().starts_with("no/such/file.tsv: "), "{error}");
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(read_lines(folder.path()).unwrap_err(), Error::Io { .. }));
}

#[test]
fn a_line_without_end_is_refused() {
    let long = vec![b'a'; LONGEST_LINE + 1];
    assert_eq!(read(&long, read_lines).unwrap_err(), ", line 1: expected lines of at most 64 MiB, found a longer one");
    assert!(read(&long[1..], read_lines).is_ok());
}

#[cfg(feature = "gz")]
mod gz {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn compress(text: &str) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn gzip_is_known_by_its_bytes_and_may_have_members() {
        let members = [compress("1\tfirst\n2\tsec"), compress("ond\n")].concat();
        assert_eq!(labelled_file(members).unwrap(), [(1, "first".to_string()), (2, "second".to_string())]);
    }

    #[test]
    fn truncation_is_noticed_wherever_it_falls() {
        let text: String = (0..200).map(|i| format!("{i}\tline {}\n", i * i)).collect();
        let whole = compress(&text);
        assert_eq!(labelled_file(&whole).unwrap().len(), 200);
        for end in 2..whole.len() {
            let error = labelled_file(&whole[..end]).expect_err(&format!("cut at {end} of {}", whole.len()));
            assert!(error.contains("cut off"), "cut at {end}: {error}");
        }
    }

    #[test]
    fn malformed_data_are_refused() {
        let mut bytes = compress("1\ttext that goes on and on and on\n");
        let checksum = bytes.len() - 8;
        bytes[checksum] ^= 1;
        let error = labelled_file(&bytes).unwrap_err();
        assert!(error.contains("the gzip data are malformed"), "{error}");
        assert!(labelled_file([0x1f, 0x8b, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap_err().contains("malformed"));
        let trailing = [compress("1\ta\n"), b"rubbish".repeat(4)].concat();
        assert!(labelled_file(trailing).unwrap_err().contains("malformed"));
    }
}

#[cfg(not(feature = "gz"))]
#[test]
fn without_the_feature_gzip_is_refused() {
    assert!(labelled_file([0x1f, 0x8b, 8, 0]).unwrap_err().contains("feature `gz`"));
}
