//! Published files, read from the folder that the environment variable `ELMAN_DATA` names; without it these tests say
//! so and check nothing.

use elman::data::{Labels, TextColumns, read_texts};
use elman::text::{ReadVectors, Special, VectorFormat, VocabularyBuilder, WordTokenizer, WordVectors};
use std::path::{Path, PathBuf};

/// The folder of data, where there is one.
fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("ELMAN_DATA").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: ELMAN_DATA names no folder of data");
    }
    folder
}

fn read(path: &Path) -> WordVectors {
    WordVectors::read(path).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_file_of_vectors_is_read() {
    let Some(data) = data() else { return };
    let folder = data.join("vectors");
    let files = [
        ("glove-twitter-25d-12k.glove.txt.gz", 11_925, 25),
        ("glove-twitter-25d-12k.w2v.txt.gz", 11_925, 25),
        ("glove-twitter-25d-12k.w2v.bin", 11_925, 25),
        ("googlenews-300d-8k.w2v.bin.gz", 8_000, 300),
        ("googlenews-300d-8k.w2v.txt.gz", 8_000, 300),
        ("emoji2vec-300d.w2v.bin", 1_661, 300),
        ("tiny/word2vec_pre_kv_c", 1_750, 10),
        ("tiny/euclidean_vectors.bin", 2_747, 10),
        ("tiny/high_precision.kv.bin", 2, 2),
        ("tiny/high_precision.kv.txt", 2, 2),
        ("tiny/lee_fasttext.vec", 1_762, 10),
        ("tiny/toy-model.vec", 22, 5),
        ("tiny/EN.1-10.cbow1_wind5_hs0_neg10_size300_smpl1e-05.txt", 20, 300),
        ("tiny/IT.1-10.cbow1_wind5_hs0_neg10_size300_smpl1e-05.txt", 20, 300),
    ];
    for (name, words, dim) in files {
        let vectors = read(&folder.join(name));
        println!(
            "{name}: {} x {}, {} twice, {} lossy",
            vectors.len(),
            vectors.dim(),
            vectors.duplicates(),
            vectors.lossy_words()
        );
        assert_eq!((vectors.len() + vectors.duplicates(), vectors.dim()), (words, dim), "{name}");
    }
    let glove = read(&folder.join("tiny/test_glove.txt"));
    assert_eq!((glove.len(), glove.dim()), (76, 50));
    // Its header promises three words; one follows.
    let short = WordVectors::read(folder.join("tiny/pretrained.vec")).unwrap_err().to_string();
    assert!(short.contains("expected 3 words, as the header promises, found the end of the file after 1"), "{short}");
    assert_eq!(ReadVectors::new().any_count().read(folder.join("tiny/pretrained.vec")).unwrap().dim(), 5);
    let refused = WordVectors::read(folder.join("tiny/non_ascii_fasttext.bin")).unwrap_err().to_string();
    assert!(refused.contains("fastText's own binary format"), "{refused}");
}

/// The same vectors in each format are the same numbers, and stay so when written.
#[test]
fn the_formats_agree() {
    let Some(data) = data() else { return };
    let folder = data.join("vectors");
    let read = |name: &str| read(&folder.join(name));
    let glove = read("glove-twitter-25d-12k.glove.txt.gz");
    let same = |other: &WordVectors| glove.words().eq(other.words()) && glove.data() == other.data();
    assert!(same(&read("glove-twitter-25d-12k.w2v.txt.gz")) && same(&read("glove-twitter-25d-12k.w2v.bin")));
    let written = tempfile::tempdir().unwrap();
    for format in [VectorFormat::Glove, VectorFormat::Word2vecText, VectorFormat::Word2vecBinary] {
        let path = written.path().join("vectors");
        glove.write(&path, format).unwrap();
        assert!(same(&WordVectors::read(&path).unwrap()), "{format:?}");
    }
    let (text, binary) = (read("tiny/high_precision.kv.txt"), read("tiny/high_precision.kv.bin"));
    assert!(text.words().eq(binary.words()));
    let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-5;
    assert!(text.data().iter().zip(binary.data()).all(near), "{:?} {:?}", text.data(), binary.data());
}

/// Ranks from 0, the mean rank where numbers are equal.
fn ranks(numbers: &[f64]) -> Vec<f64> {
    let rank = |x: &f64| {
        let below = numbers.iter().filter(|y| *y < x).count();
        let equal = numbers.iter().filter(|y| *y == x).count();
        below as f64 + (equal as f64 - 1.0) / 2.0
    };
    numbers.iter().map(rank).collect()
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let product = |f: &dyn Fn((&f64, &f64)) -> f64| a.iter().zip(b).map(f).sum::<f64>();
    let covariance = product(&|(x, y)| (x - mean_a) * (y - mean_b));
    let variances = product(&|(x, _)| (x - mean_a).powi(2)) * product(&|(_, y)| (y - mean_b).powi(2));
    covariance / variances.sqrt()
}

/// Spearman's correlation with what people said of pairs of words (in lower case), over the pairs that have vectors.
fn spearman(vectors: &WordVectors, pairs: &str) -> (usize, f64) {
    let mut both = (Vec::new(), Vec::new());
    for line in pairs.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('\t').collect();
        let word = |at: usize| fields[at].to_lowercase();
        if let Ok(cosine) = vectors.similarity(&word(0), &word(1)) {
            both.0.push(f64::from(cosine));
            both.1.push(fields[2].trim().parse().unwrap());
        }
    }
    (both.0.len(), correlation(&ranks(&both.0), &ranks(&both.1)))
}

/// The figures of the data's own description, found there by other means.
#[test]
fn similarities_agree_with_peoples() {
    let Some(data) = data() else { return };
    let pairs = std::fs::read_to_string(data.join("vectors/eval/wordsim353.tsv")).unwrap();
    let figures = [("glove-twitter-25d-12k.w2v.bin", (284, 0.43)), ("googlenews-300d-8k.w2v.bin.gz", (243, 0.69))];
    for (name, expected) in figures {
        let (count, found) = spearman(&read(&data.join("vectors").join(name)), &pairs);
        println!("{name}: {found:.4} over {count} pairs");
        assert_eq!(count, expected.0);
        assert!((found - expected.1).abs() <= 0.005, "{found}");
    }
}

#[test]
fn tweets_are_covered_by_twitters_vectors() {
    let Some(data) = data() else { return };
    let columns = TextColumns::default().labels(Labels::new(["0", "1", "2"]).unwrap());
    let tweets = read_texts(data.join("tweets/train.tsv.gz"), &columns).unwrap();
    assert_eq!(tweets.texts.len(), 45_476);
    let glove = read(&data.join("vectors/glove-twitter-25d-12k.w2v.bin"));
    // Words alone, without what stands for names, addresses and numbers.
    let words = WordTokenizer::tweets().punctuation(false).emoji(false).emoticons(Special::Drop);
    let words = words.names(Special::Drop).urls(Special::Drop).numbers(Special::Drop);
    let tokenizers = [
        ("keras", WordTokenizer::keras()),
        ("tweets", WordTokenizer::tweets()),
        ("glove twitter", WordTokenizer::glove_twitter()),
        ("words of tweets", words),
    ];
    let mut share = 0.0;
    for (name, tokenizer) in tokenizers {
        let vocabulary = VocabularyBuilder::new().fit_texts(&tokenizer, &tweets.texts).unwrap();
        let coverage = glove.coverage(&vocabulary, 10);
        println!("{name}: {coverage}");
        share = coverage.token_share();
    }
    // 84.3 % by the description of the data.
    assert!((share - 0.843).abs() <= 0.005, "{share}");
}

#[test]
fn neighbours_make_sense() {
    let Some(data) = data() else { return };
    let google = read(&data.join("vectors/googlenews-300d-8k.w2v.bin.gz"));
    println!("king - man + woman: {:?}", google.analogy("king", "man", "woman", 3));
    assert_eq!(google.analogy("king", "man", "woman", 1).unwrap()[0].0, "queen");
    let emoji = read(&data.join("vectors/emoji2vec-300d.w2v.bin"));
    assert_eq!(emoji.index("😂").map(|_| ()), Some(()));
}

#[test]
fn russian_tweets_are_tokenized() {
    let Some(data) = data() else { return };
    let tweets = read_texts(data.join("tweets_ru/train.tsv.gz"), &TextColumns::default()).unwrap();
    assert_eq!((tweets.texts.len(), tweets.labels.len()), (3_619, 3));
    let vocabulary = VocabularyBuilder::new().min_count(2).fit_texts(&WordTokenizer::tweets(), &tweets.texts).unwrap();
    let first: Vec<&str> = vocabulary.words().map(|(word, _)| word).take(20).collect();
    println!("most frequent: {first:?}");
    assert!(first.contains(&"<user>") && first.contains(&"в"));
}

#[cfg(feature = "tokenizers")]
#[test]
fn tokenizers_of_both_layouts_are_read() {
    let Some(data) = data() else { return };
    use elman::text::{HfTokenizer, Tokenizer};
    let bert = HfTokenizer::from_file(data.join("formats/bert-base-uncased/tokenizer.json")).unwrap();
    assert_eq!(bert.width(), 30_522);
    // The published example of the model's first use.
    let tokens = bert.tokenize("Hello, my dog is cute").unwrap();
    assert_eq!(tokens, ["[CLS]", "hello", ",", "my", "dog", "is", "cute", "[SEP]"]);
    assert_eq!(bert.encode("Hello, my dog is cute").unwrap(), [101, 7592, 1010, 2026, 3899, 2003, 10140, 102]);
    let gpt2 = HfTokenizer::from_file(data.join("formats/gpt2/tokenizer.json")).unwrap();
    assert_eq!(gpt2.width(), 50_257);
    assert_eq!(gpt2.encode("Hello world").unwrap(), [15496, 995]);
    // The file asks for texts cut at 50 tokens; that is not done.
    let long = "word ".repeat(100);
    assert!(gpt2.encode(&long).unwrap().len() >= 100);
    assert_eq!(gpt2.decode(&gpt2.encode("Ёлка 😂 it's").unwrap()).unwrap(), "Ёлка 😂 it's");
}
