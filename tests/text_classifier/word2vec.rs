//! Word vectors as a user trains and measures them.

use super::commands::{error, printed};
use super::{program, word2vec_example as example};
use elman::text::WordVectors;
use serde_json::Value;
use std::fs;
use std::process::Command;

/// Flags for vectors that are trained in some seconds, on the sentences that the program makes up.
const SMALL: &str = "--threads 2 --dim 32 --epochs 2 --rate 0.2 --seed 3";

struct Workplace(tempfile::TempDir);

impl Workplace {
    fn new() -> Self {
        Workplace(tempfile::tempdir().unwrap())
    }

    fn command(&self, line: &str) -> Command {
        let mut command = program("10_word2vec");
        command.current_dir(self.0.path()).args(line.split_whitespace());
        command
    }

    fn object(&self, name: &str) -> Value {
        serde_json::from_str(&fs::read_to_string(self.0.path().join(name)).unwrap()).unwrap()
    }
}

/// What is to the other countries as a city is to its own.
fn analogies() -> String {
    let places = example::made_up::PLACES.map(|[city, country, ..]| [city.replace(' ', "_"), country.to_string()]);
    let pairs = places.iter().flat_map(|a| places.iter().filter(move |b| *b != a).map(move |b| [a, b]));
    let line = |[[a, b], [c, d]]: [&[String; 2]; 2]| format!("{a} {b} {c} {d}\n");
    format!(": countries\n{}", pairs.map(line).collect::<String>())
}

#[test]
fn what_is_made_up_is_learnt_with_its_phrases() {
    let place = Workplace::new();
    fs::write(place.0.path().join("questions"), analogies()).unwrap();
    let judged = "# pairs\nparis\trome\t9\nfrance\titaly\t9\nparis\tcook\t1\nfrance\ttrams\t1\nparis\tnowhere\t5\n";
    fs::write(place.0.path().join("pairs"), judged).unwrap();
    for model in ["skip-gram", "cbow"] {
        let measures = "--phrases 1 --phrase-threshold 30 --analogies questions --pairs pairs --json found.json";
        let said = printed(place.command(&format!("train --output {model}.bin --model {model} {SMALL} {measures}")));
        assert!(said.contains("words a second"), "{said}");
        let found = place.object("found.json");
        // By chance one of a hundred; of all questions, names of two words included.
        let asked = &found["analogies"]["questions"];
        assert_eq!((asked["of"].as_u64(), asked["unknown"].as_u64()), (Some(132), Some(0)));
        assert!(asked["accuracy"].as_f64().unwrap() > 0.5, "{found}");
        assert!(found["pairs"]["pairs"]["spearman"].as_f64().unwrap() > 0.8, "{found}");
        let vectors = WordVectors::read(place.0.path().join(format!("{model}.bin"))).unwrap();
        assert!(vectors.index("new_york").is_some() && vectors.index("york").is_none());
        // `evaluate` finds the same in the file.
        let line = format!("evaluate --vectors {model}.bin --analogies questions --like new_york --json again.json");
        assert!(printed(place.command(&line)).contains("new_york: "));
        assert_eq!(place.object("again.json")["analogies"], found["analogies"]);
    }
}

#[test]
fn the_same_training_gives_the_same_bytes_on_any_number_of_threads() {
    let place = Workplace::new();
    let text: String = example::made_up::sentences().take(3000).map(|sentence| sentence + "\n").collect();
    fs::write(place.0.path().join("text"), text).unwrap();
    let train = |name: &str, flags: &str| {
        printed(place.command(&format!("train --data text --output {name} --dim 50 --epochs 1 --block 64 {flags}")));
        fs::read(place.0.path().join(name)).unwrap()
    };
    let one = train("one.txt", "--threads 1");
    assert_eq!(one, train("three.txt", "--threads 3"));
    assert_ne!(one, train("other.txt", "--threads 1 --seed 1"));
    // Text and binary hold the same numbers.
    train("one.bin", "--threads 1");
    let read = |name: &str| WordVectors::read(place.0.path().join(name)).unwrap();
    assert_eq!(read("one.txt").data(), read("one.bin").data());
}

#[test]
fn mistakes_are_told() {
    let place = Workplace::new();
    let output = place.command("train --data none --dim 0 --rate 0 --sample 2 --pairs nowhere").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let expected = ["--data none: No such file", "--dim 0", "--rate 0", "--sample 2", "--pairs nowhere: No such file"];
    assert!(said.starts_with(&format!("error: {} options are wrong:\n", expected.len())), "{said}");
    assert!(expected.iter().all(|problem| said.contains(problem)), "{said}");
    let found = error(place.command("train --data -").output().unwrap());
    assert!(found.starts_with("--data -: texts are read several times"), "{found}");
    fs::write(place.0.path().join("one"), "word word word word word\n").unwrap();
    let found = error(place.command("train --data one").output().unwrap());
    assert!(found.starts_with("--min-count 5: 1 of 1 words come so often"), "{found}");
    fs::write(place.0.path().join("latin1"), b"gr\xfcn\n").unwrap();
    let found = error(place.command("train --data latin1").output().unwrap());
    assert!(found.contains("latin1, line 1: expected UTF-8"), "{found}");
    printed(place.command("train --output v.txt --threads 1 --dim 2 --epochs 1"));
    fs::write(place.0.path().join("pairs"), "paris\tseine\n").unwrap();
    let found = error(place.command("evaluate --vectors v.txt --pairs pairs").output().unwrap());
    assert!(found.contains("pairs, line 1: expected two words and a number"), "{found}");
}
