//! Made-up opinions in which the order of the words decides, as with negation: "not good but bad", "not bad but good".
//!
//! Texts come in groups with one text for each class. Those of a group have *the same words* and differ in their order
//! alone, so that whoever looks at a bag of words says the same of all of them and is right with one: 1 in 2 of
//! [`reviews`], 1 in 3 of [`tweets`]. A network that reads in order can be right every time.

use elman::random::Key;

/// The classes of [`tweets`]. Those of [`reviews`] are the first and the last.
pub const SENTIMENTS: [&str; 3] = ["negative", "neutral", "positive"];

/// Words for the three classes: adjectives,
const ADJECTIVES: [&[&str]; 3] = [
    &["bad", "dull", "poor", "weak", "boring", "terrible", "clumsy", "dreadful"],
    &["plain", "common", "normal", "middling", "so-so", "passable", "medium", "standard"],
    &["good", "great", "fine", "strong", "brilliant", "gripping", "lovely", "superb"],
];

/// and nouns.
const NOUNS: [&[&str]; 3] = [
    &["failure", "mess", "bore", "disaster", "letdown", "flop"],
    &["routine", "filler", "stopgap", "footnote", "pastime", "commonplace"],
    &["success", "triumph", "delight", "marvel", "treasure", "winner"],
];

/// Judgements in two classes: `{!}` is what is meant and `{x}` what is not; with an `n` behind it, nouns. `{it}` is what
/// is judged.
const JUDGEMENTS: &[&str] = &[
    "{it} was not {x} but {!}",
    "{it} was {!} and not {x} at all",
    "I had feared or hoped for {it} to be {x} and found it {!}",
    "{it} seemed {x} at first but turned out {!}",
    "{it} was anything but {x}, it was {!}",
    "{it} was hardly a {xn}, it was truly a {!n}",
    "{it} was a {!n} rather than a {xn}",
    "though others call {it} {x}, to me it was {!}",
    "I call {it} {!}, whoever says {x} is wrong",
    "nobody could find {it} {x}, everybody found it {!}",
    "{it} was never a {xn}, always a {!n}",
    "{it} was less {x} than {!}",
    "{it} was more {!} than {x}",
];

/// Judgements in three classes.
const VERDICTS: &[&str] = &[
    "{it} is neither {x} nor {x} but {!}",
    "{it} is {!}, not {x} and not {x}",
    "some say {it} is {x}, some say {x}, I say {!}",
    "I say {it} is {!}, let others say {x} or {x}",
    "expected {it} to be {x}, or {x}, and got {!}",
    "{it} is more {!} than {x} or {x}",
    "{it}: less {x}, less {x}, more {!}",
    "thought {it} would be a {xn} or a {xn}, it is a {!n}",
    "{it} is a {!n} for me, no {xn} and no {xn}",
];

/// What a review judges.
const PARTS: &[&str] = &[
    "the film",
    "the plot",
    "the acting",
    "the music",
    "the ending",
    "the camera work",
    "the script",
    "the first hour",
];

/// What a tweet judges.
const THINGS: &[&str] =
    &["the new phone", "this album", "the match", "the update", "my coffee", "the show", "the bus", "that talk"];

/// What a review says without judging.
const ASIDES: &[&str] = &[
    "I saw it on a Sunday with my sister",
    "it runs for two hours",
    "the story begins in a small town by the sea",
    "the cinema was half full",
    "two brothers look for their father and meet a stranger",
    "it was shot in black and white",
    "the director has made three films before",
    "we talked about it on the way home",
    "the book came out years ago",
    "a friend had told me about it",
];

/// What tweets are sprinkled with.
const BEFORE: &[&str] = &["@anna_b ", "@tom99 ", "RT @newsdesk: ", "@the_real_kim ", "", "", ""];
const BEHIND: &[&str] = &[
    " #mondays",
    " #justsaying",
    " #review",
    " http://t.co/a1B2c3",
    " https://example.org/x?id=7",
    " 🎬",
    " ☕️",
    " 📱",
    " 👀 #thoughts",
    "",
    "",
    "",
];

/// Makes labelled reviews of at most eighty words: 0 negative, 1 positive. Text `i` depends on `seed` and `i` alone, and texts
/// `2 k` and `2 k + 1` have the same words.
pub fn reviews(texts: usize, seed: u64) -> Vec<(u32, String)> {
    (0..texts as u64).map(|i| labelled(Key::new(seed).named("reviews"), i, &[0, 2], review)).collect()
}

/// Makes labelled short texts with @names, #tags, addresses and emoji, whose labels are numbers of [`SENTIMENTS`]. Text `i`
/// depends on `seed` and `i` alone, and texts `3 k` to `3 k + 2` have the same words.
pub fn tweets(texts: usize, seed: u64) -> Vec<(u32, String)> {
    (0..texts as u64).map(|i| labelled(Key::new(seed).named("tweets"), i, &[0, 1, 2], tweet)).collect()
}

/// A vector for a word that depends on the word alone, for want of trained ones: normal, of length 1 in the mean square.
pub fn vector(word: &str, dim: usize) -> Vec<f32> {
    let key = Key::new(0).named("vector").named(word);
    (0..dim as u64).map(|i| (key.normal(i) / (dim as f64).sqrt()) as f32).collect()
}

/// Text `i` and its label. The texts of a group make the same draws.
fn labelled(key: Key, i: u64, kinds: &[usize], text: fn(&mut Draws, &[usize]) -> String) -> (u32, String) {
    let group = key.fold(i / kinds.len() as u64);
    // What is meant comes first; which text of the group means what differs from group to group.
    let label = (i as usize % kinds.len() + group.named("order").below(0, kinds.len())) % kinds.len();
    let mut order = kinds.to_vec();
    order.rotate_left(label);
    (label as u32, text(&mut Draws { key: group, next: 0 }, &order))
}

fn review(draws: &mut Draws, order: &[usize]) -> String {
    let mut sentences = vec![draws.pick(ASIDES).to_string()];
    for _ in 0..2 + draws.below(2) {
        let part = draws.pick(PARTS);
        sentences.push(judgement(draws, JUDGEMENTS, part, order));
        if draws.below(2) == 0 {
            sentences.push(draws.pick(ASIDES).to_string());
        }
    }
    let capital = |text: &String| text[..1].to_uppercase() + &text[1..] + ".";
    sentences.iter().map(capital).collect::<Vec<_>>().join(" ")
}

fn tweet(draws: &mut Draws, order: &[usize]) -> String {
    let (before, thing) = (draws.pick(BEFORE), draws.pick(THINGS));
    let verdict = judgement(draws, VERDICTS, thing, order);
    before.to_string() + &verdict + draws.pick(BEHIND) + draws.pick(BEHIND)
}

/// One of `patterns` on `it`, with a word for each class of `order`, the first of which is meant.
fn judgement(draws: &mut Draws, patterns: &[&str], it: &str, order: &[usize]) -> String {
    let mut text = draws.pick(patterns).replace("{it}", it);
    // A draw for each class, whether it is meant or not.
    let words: Vec<[&str; 2]> = (0..3).map(|class| [draws.pick(ADJECTIVES[class]), draws.pick(NOUNS[class])]).collect();
    for (slots, classes) in [(["{!}", "{!n}"], &order[..1]), (["{x}", "{xn}"], &order[1..])] {
        for &class in classes {
            for (slot, word) in slots.iter().zip(words[class]) {
                text = text.replacen(slot, word, 1);
            }
        }
    }
    text
}

/// The draws of one text, in order.
struct Draws {
    key: Key,
    next: u64,
}

impl Draws {
    fn below(&mut self, bound: usize) -> usize {
        self.next += 1;
        self.key.below(self.next, bound)
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}
