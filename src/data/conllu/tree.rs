//! Whether the heads of a sentence's words are a tree.

use super::sentence::Sentence;
use crate::error::{Error, Result};

/// What the way from a word to the root is known to do.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Unknown,
    /// Goes through the word that is looked at now.
    Open,
    Ends,
}

pub(super) fn heads(sentence: &Sentence) -> Result<Vec<usize>> {
    let place = |word: usize| format!("word {word}");
    let mut heads = Vec::new();
    for (at, token) in sentence.words().enumerate() {
        heads.push(token.head.ok_or_else(|| Error::invalid(place(at + 1), "a head", "`_`"))?);
    }
    check_tree(&heads)?;
    Ok(heads)
}

/// Errors unless these are the heads of a tree: of words numbered from 1, 0 for the root.
pub(crate) fn check_tree(heads: &[usize]) -> Result<()> {
    let place = |word: usize| format!("word {word}");
    if let Some(at) = heads.iter().position(|&head| head > heads.len()) {
        return Err(Error::invalid(place(at + 1), format!("a head from 0 to {}", heads.len()), heads[at]));
    }
    let mut roots = (1..).zip(heads).filter(|&(_, &head)| head == 0).map(|(word, _)| word);
    match (roots.next(), roots.next()) {
        (None, _) => return Err(Error::invalid("tree", "a word whose head is 0, the root", "none")),
        (Some(first), Some(second)) => {
            return Err(Error::invalid(place(second), format!("one root, which word {first} is"), "another one"));
        }
        _ => {}
    }
    cycle(heads).map_or(Ok(()), |words| {
        let found: Vec<String> = words.iter().map(usize::to_string).collect();
        Err(Error::invalid(place(words[0]), "a way to the root", format!("a cycle: {}", found.join(" -> "))))
    })
}

/// Words that depend on each other in a ring, the first of them twice.
fn cycle(heads: &[usize]) -> Option<Vec<usize>> {
    let mut ways = vec![Way::Unknown; heads.len() + 1];
    ways[0] = Way::Ends;
    for start in 1..=heads.len() {
        let mut passed = Vec::new();
        let mut word = start;
        while ways[word] == Way::Unknown {
            ways[word] = Way::Open;
            passed.push(word);
            word = heads[word - 1];
        }
        if ways[word] == Way::Open {
            let from = passed.iter().position(|&other| other == word).unwrap_or(0);
            return Some(passed[from..].iter().copied().chain([word]).collect());
        }
        passed.into_iter().for_each(|word| ways[word] = Way::Ends);
    }
    None
}
