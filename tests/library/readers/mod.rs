//! Every reader against files made at random, cut, flipped and lying: an error or a value, never a panic, and memory in
//! proportion to the file. What is written is read back to the bit.

mod columns;
mod composed;
mod encodings;
mod labels;
mod lines;
mod lines_by_length;
mod quotes;
mod said;
mod treebanks;
mod vectors;

use elman::data::{
    TextColumns, TextFormat, read_columns, read_conllu, read_labelled, read_lines, read_sequences, read_texts,
};
use elman::text::{ReadVectors, VectorFormat, WordVectors};
use proptest::prelude::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;

/// The system's allocator, with a count of what each thread holds and the most that it held: the whole program's, so that other
/// tests are counted too, each on its own threads.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

/// The bytes that this thread has allocated and not given back.
pub(crate) fn held() -> isize {
    HELD.get()
}

fn count(bytes: isize) {
    // At a thread's end the counts are gone before its last memory.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        let _ = MOST.try_with(|most| most.set(most.get().max(held.get())));
    });
}

// SAFETY: every call goes to the system's allocator as it came; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's promises are the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // The old and the new block may both be held for a moment.
        count(size as isize);
        count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What a reader may hold besides a multiple of its file: buffers, a look at the first 256 KiB (twice), a
/// decompressor's tables.
const CONSTANT: usize = 2 << 20;

/// Writes `bytes` to a file, reads it, and checks that at no time more than `times` the file and a constant was held.
fn within<T>(bytes: &[u8], times: usize, read: impl FnOnce(&Path) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, bytes).unwrap();
    let before = HELD.get();
    MOST.set(before);
    let value = read(&path);
    let most = (MOST.get() - before) as usize;
    let allowed = times * bytes.len() + CONSTANT;
    assert!(most <= allowed, "{most} bytes held for a file of {}, {allowed} allowed", bytes.len());
    value
}

const FORMATS: [VectorFormat; 3] = [VectorFormat::Word2vecText, VectorFormat::Word2vecBinary, VectorFormat::Glove];

/// Every reader on these bytes. A word with its entries in two tables takes some hundred bytes where a file has three.
fn read_all(bytes: &[u8], decompressed: usize) {
    const TIMES: usize = 100;
    let times = TIMES * decompressed.div_ceil(bytes.len().max(1)).max(1);
    for format in [None].into_iter().chain(FORMATS.map(Some)) {
        let reader = ReadVectors::new();
        let reader = format.into_iter().fold(reader, ReadVectors::format);
        let _ = within(bytes, times, |path| reader.read(path).map(drop));
        let _ = within(bytes, times, |path| reader.any_count().read(path).map(drop));
    }
    for format in [TextFormat::Tsv, TextFormat::Csv, TextFormat::JsonLines] {
        let _ = within(bytes, times, |path| read_texts(path, &TextColumns::default().format(format)).map(drop));
    }
    let _ = within(bytes, times, |path| read_labelled(path).map(drop));
    let _ = within(bytes, times, |path| read_sequences(path).map(drop));
    let _ = within(bytes, times, |path| read_lines(path).map(drop));
    let _ = within(bytes, times, |path| read_columns(path).map(drop));
    let _ = within(bytes, times, |path| read_conllu(path).map(drop));
}

/// A sound file of each kind, to be damaged.
fn sound() -> Vec<Vec<u8>> {
    let mut files: Vec<Vec<u8>> = [
        "3 2\ncat 1 -2.5\ndog 0.25 3e-7\n. . 1 2\n",
        "cat 1 -2.5\ndog 0.25 3e-7\n",
        "good\tOne, two\n1\t\n0\t1 2 3\n",
        "1\t1 2 3\n4\t\n",
        "id,text,label\n1,\"One, \"\"two\"\"\nlines\",good\n2,,bad\n",
        "{\"label\": \"good\", \"text\": \"\\u00e9\"}\n{\"x\": [1, {}], \"text\": \"\", \"label\": 2}\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    files.push(
        "# c\n1-2\tab\t_\t_\t_\t_\t_\t_\t_\t_\n1\ta\t_\tX\t_\t_\t0\troot\t_\t_\n2\tb\t_\t_\t_\t_\t1\tx\t_\t_\n".into(),
    );
    files.push("a\tone\rb\ttwo\r".into());
    files.push("\u{feff}label;text\r\na;\"b\r\nc\"\r\n".into());
    files.push("\u{feff}a\tone 😀\nb\ttwo\n".encode_utf16().flat_map(u16::to_le_bytes).collect());
    let binary = [("\u{e9}t\u{e9}", [1f32, -2.5]), ("dog", [0.25, 3e-7])];
    for end in ["", "\n"] {
        let mut bytes = b"2 2\n".to_vec();
        for (word, vector) in binary {
            bytes.extend_from_slice(word.as_bytes());
            bytes.push(b' ');
            vector.iter().for_each(|x| bytes.extend_from_slice(&x.to_le_bytes()));
            bytes.extend_from_slice(end.as_bytes());
        }
        files.push(bytes);
    }
    files
}

#[test]
fn files_cut_anywhere() {
    for file in sound() {
        for end in 0..file.len() {
            read_all(&file[..end], end);
        }
    }
}

#[test]
fn headers_that_lie() {
    let numbers =
        ["0", "1", "2", "65536", "65537", "4294967295", "18446744073709551615", "99999999999999999999999", "-1", "1.5"];
    for words in &numbers {
        for dim in &numbers {
            for rest in ["", "cat 1 2\n", "cat \0\0\0\0\0\0\0\0"] {
                let bytes = format!("{words} {dim}\n{rest}");
                read_all(bytes.as_bytes(), bytes.len());
            }
        }
    }
    // The count is a lie and the dimension as large as can be: what is taken is for what is there.
    let mut bytes = b"18446744073709551615 65536\nword ".to_vec();
    bytes.resize(bytes.len() + 4 * 65536, 0);
    let error = within(&bytes, 8, |path| WordVectors::read(path)).unwrap_err();
    assert!(error.to_string().contains("found the end of the file after 1"), "{error}");
}

#[cfg(feature = "gz")]
mod gz {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn compress(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn cut_and_flipped() {
        for file in sound() {
            let whole = compress(&file);
            // Every seventh byte: each is a dozen files for a dozen readers.
            for at in (0..whole.len()).step_by(7) {
                read_all(&whole[..at], file.len());
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << (at % 8);
                read_all(&flipped, file.len());
            }
        }
    }

    #[test]
    fn truncation_is_noticed_wherever_it_falls() {
        // Bytes that are no text are refused before the end is met.
        for file in sound().into_iter().filter(|file| std::str::from_utf8(file).is_ok()) {
            let whole = compress(&file);
            for end in 2..whole.len() {
                let read = within(&whole[..end], 100, |path| read_lines(path).map(drop));
                assert!(read.unwrap_err().to_string().contains("cut off"), "cut at {end}");
            }
        }
    }

    /// A line of 256 MiB in some 260 KiB: no reader takes more than the longest line that is accepted, doubled by
    /// growing.
    #[test]
    fn a_bomb_does_not_go_off() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        for _ in 0..256 {
            encoder.write_all(&vec![b'"'; 1 << 20]).unwrap();
        }
        let bomb = encoder.finish().unwrap();
        let times = (200 << 20) / bomb.len();
        for format in [TextFormat::Tsv, TextFormat::Csv, TextFormat::JsonLines] {
            let read = within(&bomb, times, |path| read_texts(path, &TextColumns::default().format(format)).map(drop));
            let error = read.unwrap_err().to_string();
            assert!(error.contains("found a longer one"), "{error}");
        }
        for format in FORMATS {
            assert!(within(&bomb, times, |path| ReadVectors::new().format(format).read(path).map(drop)).is_err());
        }
    }
}

fn finite() -> impl Strategy<Value = f32> {
    use prop::num::f32::{NORMAL, SUBNORMAL, ZERO};
    NORMAL | SUBNORMAL | ZERO
}

/// Words that every format can hold.
fn words() -> impl Strategy<Value = Vec<String>> {
    prop::collection::hash_set("[^\\s\u{feff}\u{0}]{1,12}", 1..20).prop_map(|words| words.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(
        words in words(),
        dim in 1usize..12,
        numbers in prop::collection::vec(finite(), 240),
        compress: bool,
    ) {
        let vectors = WordVectors::new(&words, dim, &numbers[..words.len() * dim]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(if compress && cfg!(feature = "gz") { "vectors.gz" } else { "vectors" });
        for format in FORMATS {
            vectors.write(&path, format).unwrap();
            // Named, since a word and four bytes of a number may by chance look like text.
            let read = ReadVectors::new().format(format).read(&path).unwrap();
            prop_assert!(read.words().eq(vectors.words()));
            let bits = |vectors: &WordVectors| vectors.data().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!((read.dim(), bits(&read)), (dim, bits(&vectors)));
            prop_assert_eq!((read.duplicates(), read.lossy_words()), (0, 0));
        }
    }

    #[test]
    fn formats_are_told_apart(
        words in prop::collection::hash_set("[a-zа-я]{1,9}", 1..20),
        // The eight bytes of two numbers may well be characters, and a small file be taken for text, as `WordVectors::read` says.
        dim in 4usize..12,
        seed: u64,
    ) {
        let key = elman::random::Key::new(seed);
        let numbers: Vec<f32> = (0..(words.len() * dim) as u64).map(|at| key.normal(at) as f32).collect();
        let vectors = WordVectors::new(&words, dim, &numbers).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for format in FORMATS {
            let path = folder.path().join("vectors");
            vectors.write(&path, format).unwrap();
            let read = WordVectors::read(&path).unwrap();
            prop_assert!(read.words().eq(vectors.words()));
            prop_assert_eq!(read.data(), vectors.data());
        }
    }

    #[test]
    fn bytes_at_random(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        read_all(&bytes, bytes.len());
    }

    #[test]
    fn text_at_random(text in "[0-9a-z \t\n\r\",.{}:\\[\\]-]{0,400}") {
        read_all(text.as_bytes(), text.len());
    }

    #[test]
    fn bits_flipped(file in 0..sound().len(), flips in prop::collection::vec((any::<prop::sample::Index>(), 0u32..8), 1..6)) {
        let mut bytes = sound().swap_remove(file);
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        read_all(&bytes, bytes.len());
    }

    #[test]
    fn words_of_any_text(text in any::<String>()) {
        use elman::text::{Tokenizer, WordTokenizer};
        let glove = WordTokenizer::glove_twitter();
        for tokenizer in [WordTokenizer::new(), WordTokenizer::keras(), WordTokenizer::tweets(), glove] {
            let tokens = tokenizer.tokenize(&text).unwrap();
            let sound = |token: &String| !token.is_empty() && !token.contains(char::is_whitespace);
            prop_assert!(tokens.iter().all(sound), "{:?}", tokens);
        }
    }

    /// Made of what has a meaning in tweets; with everything kept no letter is lost.
    #[test]
    fn words_of_what_looks_like_tweets(
        text in "([@#:;)(<38'’a-zA-ZЖё0-9.,/_ -]|http://|www\\.|👍🏽|❤️|1️⃣|🇷🇺){0,60}",
    ) {
        use elman::text::{Tokenizer, WordTokenizer};
        let tokens = WordTokenizer::new().lowercase(false).tokenize(&text).unwrap();
        // Typographic apostrophes become plain; variation selectors that stand alone are not seen.
        let seen = |text: &str| text.replace('’', "'").replace([' ', '\u{fe0f}'], "");
        prop_assert_eq!(seen(&tokens.concat()), seen(&text));
    }
}

#[cfg(feature = "tokenizers")]
mod hugging_face {
    use super::*;
    use elman::text::{HfTokenizer, Tokenizer};

    const SOUND: &str = r###"{"version": "1.0",
        "truncation": {"direction": "Right", "max_length": 9, "strategy": "LongestFirst", "stride": 0},
        "added_tokens": [{"id": 0, "content": "[P]", "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true}],
        "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {"type": "BertProcessing", "sep": ["[S]", 3], "cls": ["[C]", 2]},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {"type": "WordPiece", "unk_token": "?", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {"[P]": 0, "?": 1, "[C]": 2, "[S]": 3, "un": 4, "##known": 5}}}"###;

    /// Reads a file and, where that succeeds, uses what was read.
    fn use_it(bytes: &[u8]) {
        let tokenizer = within(bytes, 60, |path| HfTokenizer::from_file(path));
        if let Ok(tokenizer) = tokenizer {
            let _ = tokenizer.tokenize("Unknown [P] un\u{e9}known");
            let _ = tokenizer.encode("").and_then(|ids| tokenizer.decode(&ids));
        }
    }

    #[test]
    fn cut_anywhere() {
        use_it(SOUND.as_bytes());
        assert!(HfTokenizer::from_json(SOUND).is_ok());
        (0..SOUND.len()).for_each(|end| use_it(&SOUND.as_bytes()[..end]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn bits_flipped(flips in prop::collection::vec((any::<prop::sample::Index>(), 0u32..7), 1..4)) {
            let mut bytes = SOUND.as_bytes().to_vec();
            for (at, bit) in flips {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            use_it(&bytes);
        }

        #[test]
        fn bytes_at_random(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            use_it(&bytes);
        }
    }
}
