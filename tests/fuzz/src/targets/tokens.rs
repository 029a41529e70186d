//! `tokenizer.json`, and what is saved of vocabularies, labels and tokenizers.

use super::{Target, seeds};
use crate::mutate::Shape;
use crate::place::Place;
use elman::data::Labels;
use elman::text::{HfTokenizer, Tokenizer, Vocabulary, WordTokenizer, tokenizer_from_json};
use serde_json::Value;

pub(crate) const TOKENIZER: Target = Target {
    name: "tokenizer",
    shape: Shape::Json,
    words: &[
        "type",
        "WordPiece",
        "BPE",
        "Unigram",
        "WordLevel",
        "vocab",
        "merges",
        "unk_token",
        "dropout",
        "byte_fallback",
        "normalizer",
        "pre_tokenizer",
        "post_processor",
        "decoder",
        "Sequence",
        "normalizers",
        "pretokenizers",
        "Whitespace",
        "ByteLevel",
        "Metaspace",
        "Split",
        "Punctuation",
        "Digits",
        "Replace",
        "Precompiled",
        "pattern",
        "Regex",
        "String",
        "behavior",
        "Isolated",
        "Removed",
        "Lowercase",
        "NFKC",
        "Strip",
        "Prepend",
        "prepend",
        "TemplateProcessing",
        "single",
        "pair",
        "special_tokens",
        "Roberta",
        "BertProcessing",
        "added_tokens",
        "truncation",
        "padding",
        "max_length",
        "stride",
        "id",
        "content",
        "(a+)+$",
        "",
        "##",
        "<unk>",
        "▁",
        "a",
        "b",
        "ab",
        "fuse_unk",
        "cleanup",
        "trim_offsets",
        "FixedLength",
        "length",
    ],
    seeds: || seeds(&[WORD_PIECE, BPE, UNIGRAM, WORD_LEVEL]),
    run: tokenizer,
};

const WORD_PIECE: &str = r###"{"version":"1.0",
"truncation":{"direction":"Right","max_length":9,"strategy":"LongestFirst","stride":0},
"added_tokens":[{"id":0,"content":"[P]","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],
"normalizer":{"type":"Sequence","normalizers":[{"type":"NFD"},{"type":"Lowercase"},{"type":"StripAccents"},{"type":"Replace","pattern":{"Regex":"x+"},"content":"y"}]},
"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Whitespace"},{"type":"Punctuation","behavior":"Isolated"},{"type":"Digits","individual_digits":true}]},
"post_processor":{"type":"BertProcessing","sep":["[S]",3],"cls":["[C]",2]},
"decoder":{"type":"WordPiece","prefix":"##","cleanup":true},
"model":{"type":"WordPiece","unk_token":"?","continuing_subword_prefix":"##","max_input_chars_per_word":100,
"vocab":{"[P]":0,"?":1,"[C]":2,"[S]":3,"un":4,"##known":5,"a":6,"##b":7}}}"###;

const BPE: &str = r###"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,
"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},
"post_processor":{"type":"RobertaProcessing","sep":["b",1],"cls":["a",0],"trim_offsets":true,"add_prefix_space":true},
"decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},
"model":{"type":"BPE","dropout":null,"unk_token":"a","continuing_subword_prefix":null,"end_of_word_suffix":null,
"fuse_unk":false,"byte_fallback":false,"ignore_merges":false,"vocab":{"a":0,"b":1,"ab":2,"Ġ":3,"Ġa":4,"n":5,"un":6,"u":7},
"merges":[["a","b"],["Ġ","a"],["u","n"]]}}"###;

const UNIGRAM: &str = r###"{"version":"1.0","added_tokens":[],
"normalizer":{"type":"Prepend","prepend":"▁"},
"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true},
"post_processor":{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"a","type_id":0}}],
"pair":[{"Sequence":{"id":"A","type_id":0}},{"Sequence":{"id":"B","type_id":1}}],
"special_tokens":{"a":{"id":"a","ids":[1],"tokens":["a"]}}},
"decoder":{"type":"Sequence","decoders":[{"type":"Metaspace","replacement":"▁","prepend_scheme":"always","split":true},{"type":"Strip","content":" ","start":1,"stop":0},{"type":"Fuse"}]},
"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0.0],["a",-1.0],["▁",-2.0],["un",-3.0],["▁a",-1.5]],"byte_fallback":false}}"###;

const WORD_LEVEL: &str = r###"{"added_tokens":[],"pre_tokenizer":{"type":"Split","pattern":{"String":" "},"behavior":"Removed","invert":false},
"model":{"type":"WordLevel","vocab":{"a":0,"b":1,"?":2},"unk_token":"?"}}"###;

/// What tokenizers are tried on.
const TEXTS: [&str; 4] = ["", "Unknown [P] un\u{e9}known ab!", "a b aaab 12 xx\u{301}", "\u{10ffff}\0 \n\u{feff}▁a"];

fn tokenizer(place: &Place, bytes: &[u8]) {
    let Ok(tokenizer) = place.read("tokenizer.json", bytes, |path| HfTokenizer::from_file(path)) else { return };
    // A saved one is the same. Dropout draws anew each time.
    let random =
        bytes.windows(9).any(|word| word == b"\"dropout\"") && !bytes.windows(14).any(|w| w == b"\"dropout\":null");
    let again = tokenizer_from_json(&tokenizer.to_json()).expect("what is saved of a tokenizer can be read");
    for text in TEXTS {
        let tokens = tokenizer.tokenize(text);
        if !random {
            let again = again.tokenize(text);
            let same = match (&tokens, &again) {
                (Ok(tokens), Ok(again)) => tokens == again,
                (tokens, again) => tokens.is_err() && again.is_err(),
            };
            assert!(same, "a saved tokenizer is another: {tokens:?} {again:?}");
        }
        let Ok(ids) = tokenizer.encode(text) else { continue };
        let _ = tokenizer.decode(&ids);
        let beyond = ids.iter().find(|&&id| id as usize >= tokenizer.width());
        assert!(beyond.is_none(), "{beyond:?} for a table of {} rows", tokenizer.width());
    }
    let _ = tokenizer.decode(&[0, 1, u32::MAX]);
}

pub(crate) const VOCABULARY: Target = Target {
    name: "vocabulary",
    shape: Shape::Json,
    words: &[
        "words",
        "counts",
        "unknown",
        "kind",
        "settings",
        "hugging_face",
        "lowercase",
        "hashtags",
        "split",
        "keep",
        "urls",
        "users",
        "numbers",
        "keras",
        "tweets",
    ],
    seeds: || {
        let tokenizers =
            [WordTokenizer::new(), WordTokenizer::keras(), WordTokenizer::tweets(), WordTokenizer::glove_twitter()];
        let saved = tokenizers.iter().map(|tokenizer| tokenizer.to_json().to_string().into_bytes());
        let texts = ["{\"words\":[\"b\",\"ä\"],\"counts\":[2,1],\"unknown\":true}", "[\"no\",\"yes\"]"];
        saved.chain(seeds(&texts)).collect()
    },
    run: vocabulary,
};

fn vocabulary(_: &Place, bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return };
    if let Ok(vocabulary) = serde_json::from_value::<Vocabulary>(value.clone()) {
        let saved = serde_json::to_string(&vocabulary).expect("a vocabulary can be saved");
        assert_eq!(serde_json::from_str::<Vocabulary>(&saved).expect("what was saved"), vocabulary);
        let indices: Vec<u32> = (0..vocabulary.width() as u32).collect();
        let words = vocabulary.decode(&indices).expect("all indices have words");
        let known = words.iter().filter(|word| vocabulary.index(word).is_some()).count();
        assert!(known >= vocabulary.len(), "{known} of {} words", vocabulary.len());
    }
    if let Ok(labels) = serde_json::from_value::<Labels>(value.clone()) {
        let saved = serde_json::to_string(&labels).expect("labels can be saved");
        assert_eq!(serde_json::from_str::<Labels>(&saved).expect("what was saved"), labels);
        assert!((0..labels.len() as u32).all(|i| labels.name(i).and_then(|name| labels.number(name)) == Some(i)));
    }
    if let Ok(tokenizer) = tokenizer_from_json(&value) {
        let again = tokenizer_from_json(&tokenizer.to_json()).expect("what is saved of a tokenizer can be read");
        for text in ["", "#OneTwo @user http://a.b :-) 1,2 don't \u{1f44d}\u{1f3fd}", "\u{feff}\0\u{10ffff}"] {
            let tokens = tokenizer.tokenize(text).expect("words are found in any text");
            assert_eq!(again.tokenize(text).expect("as before"), tokens);
        }
    }
}
