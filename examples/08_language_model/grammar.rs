//! Text that the project makes up: sentences of a small grammar, whose verbs agree with nouns that stand far before them.

use elman::Key;

const SINGULAR: [&str; 8] = ["fox", "miller", "bird", "old king", "river", "baker", "child", "ship"];
const PLURAL: [&str; 8] = ["foxes", "millers", "birds", "old kings", "rivers", "bakers", "children", "ships"];
const VERBS: [[&str; 2]; 6] = [
    ["sleeps", "sleep"],
    ["sings", "sing"],
    ["waits", "wait"],
    ["remembers", "remember"],
    ["comes home", "come home"],
    ["laughs", "laugh"],
];
const PLACES: [&str; 6] = ["by the water", "in the valley", "on the hill", "under the bridge", "at night", "in winter"];
const SEEN: [&str; 4] = ["saw", "followed", "feared", "called"];

/// Draws, one after another.
struct Draws {
    key: Key,
    next: u64,
}

impl Draws {
    fn below(&mut self, bound: usize) -> usize {
        self.next += 1;
        self.key.below(self.next, bound)
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// A noun, and whether it is of several.
    fn noun(&mut self) -> (String, usize) {
        match self.below(2) {
            0 => (format!("the {}", self.one(&SINGULAR)), 0),
            _ => (format!("the {}", self.one(&PLURAL)), 1),
        }
    }

    /// A noun with what is told of it, others within, and the noun's own number.
    fn subject(&mut self, depth: usize) -> (String, usize) {
        let (noun, number) = self.noun();
        match self.below(3) {
            0 if depth > 0 => {
                let (other, _) = self.subject(depth - 1);
                (format!("{noun} that {other} {}", self.one(&SEEN)), number)
            }
            1 => (format!("{noun} {}", self.one(&PLACES)), number),
            _ => (noun, number),
        }
    }

    fn sentence(&mut self) -> String {
        let (subject, number) = self.subject(2);
        let clause = format!("{subject} {}", self.one(&VERBS)[number]);
        match self.below(4) {
            0 => format!("\"Listen,\" said {}, \"{clause}.\"", self.noun().0),
            1 => {
                let (other, number) = self.noun();
                format!("{}, and {other} {}.", capital(&clause), self.one(&VERBS)[number])
            }
            _ => format!("{}.", capital(&clause)),
        }
    }
}

/// About so many characters, whole lines of one sentence each.
pub fn text(characters: usize, seed: u64) -> String {
    let mut draws = Draws { key: Key::new(seed).named("grammar"), next: 0 };
    let mut text = String::new();
    while text.len() < characters {
        text += &draws.sentence();
        text.push('\n');
    }
    text
}

fn capital(clause: &str) -> String {
    let mut letters = clause.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_agree_with_the_noun_that_the_sentence_is_about() {
        for line in text(20_000, 3).lines().filter(|line| line.starts_with("The ") && !line.contains(", and")) {
            let ends = |number: usize| VERBS.iter().any(|verb| line.ends_with(&format!(" {}.", verb[number])));
            let about = line.trim_start_matches("The ");
            // `fox` begins `foxes` too.
            let plural = PLURAL.iter().any(|noun| about.starts_with(noun));
            assert!(ends(usize::from(plural)) && !ends(usize::from(!plural)), "{line}");
        }
    }

    #[test]
    fn a_seed_is_a_text() {
        assert_eq!(text(500, 1), text(500, 1));
        assert_ne!(text(500, 1), text(500, 2));
    }
}
