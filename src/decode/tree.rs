//! The best tree over the words of a sentence, by the scores of its arcs.

use crate::error::{Error, Result};
use std::cmp::Ordering;
use std::ops::Sub;

/// A dependency tree, and how sure it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// The head of each word, numbered from 1; 0 is the root.
    pub heads: Vec<usize>,
    /// The sum of its arcs' scores: where these are log-probabilities of heads, the tree's own. (-∞ where every tree has a forbidden arc.)
    pub score: f64,
    /// How sure each arc is: the share of its head among all heads of the word, the softmax of the word's scores. What the word's
    /// scores say for themselves; the tree may have had to pass over the word's best head.
    pub arcs: Vec<f64>,
}

/// The tree of greatest score over `words` words, of all that have one root: every word has a head, one word's head is 0, and all
/// ways lead there.
///
/// `scores` is `[words, words + 1]`, row-major: row `d` has the scores of the heads of word `d + 1`, column 0 the root, column `h` word
/// `h`; a word's score as its own head is not looked at. A score of -∞ forbids an arc: a tree has as few of these as can be. So it is a
/// tree whatever the scores; of equal trees which one is taken depends on the scores alone.
///
/// Chu and Liu (1965), Edmonds (1967), with Tarjan's (1977) contraction for dense graphs, as Camerini, Fratta and Maffioli (1979)
/// corrected it: `O(words²)` steps and memory. That there is one root costs nothing: arcs from it count as worse than any others, and so
/// as few as can be are taken (Stanojević and Cohen, 2021).
///
/// Errors: another number of scores; a score that is NaN or +∞ (names the arc).
///
/// ```
/// use elman::decode::maximum_tree;
/// // Both words would rather be the root; the first one wins by a little.
/// let tree = maximum_tree(&[0.0, -9.0, -3.0, -0.5, -3.0, -9.0], 2)?;
/// assert_eq!((tree.heads, tree.score), (vec![0, 1], -3.0));
/// # Ok::<(), elman::Error>(())
/// ```
pub fn maximum_tree(scores: &[f32], words: usize) -> Result<Tree> {
    let width = words + 1;
    if scores.len() != words * width {
        let expected = format!("{} scores, those of {width} heads for each of {words} words", words * width);
        return Err(Error::invalid("tree", expected, scores.len()));
    }
    let own = |at: usize| at % width == at / width + 1;
    let wrong = |at: usize| (scores[at].is_nan() || scores[at] == f32::INFINITY) && !own(at);
    if let Some(at) = (0..scores.len()).find(|&at| wrong(at)) {
        let place = format!("tree, word {}, head {}", at / width + 1, at % width);
        return Err(Error::invalid(place, "a number or -inf", scores[at]));
    }
    let heads = Contraction::new(scores, words).heads();
    let chosen = heads.iter().enumerate().map(|(word, &head)| f64::from(scores[word * width + head]));
    let rows = scores.chunks(width).enumerate();
    let arcs = rows.zip(&heads).map(|((word, row), &head)| share(row, head, word + 1)).collect();
    Ok(Tree { score: chosen.sum(), arcs, heads })
}

/// The softmax of a word's scores at its head, itself left out.
fn share(row: &[f32], head: usize, own: usize) -> f64 {
    let others = || row.iter().enumerate().filter(|&(at, _)| at != own).map(|(_, &score)| f64::from(score));
    let greatest = others().fold(f64::NEG_INFINITY, f64::max);
    if greatest == f64::NEG_INFINITY {
        return 0.0;
    }
    let sum: f64 = others().map(|score| (score - greatest).exp()).sum();
    (f64::from(row[head]) - greatest).exp() / sum
}

/// What an arc, or a sum of arcs, is worth: first of all few roots, then few forbidden arcs, then the score.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
struct Worth {
    /// Minus the number of arcs from the root.
    roots: i32,
    /// Minus the number of forbidden arcs.
    forbidden: i32,
    score: f64,
}

impl Worth {
    fn of(score: f32, head: usize) -> Self {
        let forbidden = score == f32::NEG_INFINITY;
        let score = if forbidden { 0.0 } else { f64::from(score) };
        Worth { roots: -i32::from(head == 0), forbidden: -i32::from(forbidden), score }
    }

    fn exceeds(self, other: Worth) -> bool {
        self.partial_cmp(&other) == Some(Ordering::Greater)
    }
}

impl Sub for Worth {
    type Output = Worth;

    fn sub(self, other: Worth) -> Worth {
        Worth {
            roots: self.roots - other.roots,
            forbidden: self.forbidden - other.forbidden,
            score: self.score - other.score,
        }
    }
}

/// An arc from a head, by its place in a row, to a word.
#[derive(Clone, Copy)]
struct Arc {
    worth: Worth,
    word: usize,
}

/// Words and, above them, the groups that cycles were contracted to. A group stands for its words: each arc into it is the best of those
/// into them, worth what it gains over the arc of the cycle that it would replace.
struct Contraction {
    words: usize,
    /// Of each word (from 1) and group that is still there the arcs into it, by head.
    rows: Vec<Vec<Arc>>,
    /// The arc that was chosen for each: head and word.
    chosen: Vec<(usize, usize)>,
    /// The group that each is in.
    group: Vec<Option<usize>>,
    members: Vec<Vec<usize>>,
    /// The uppermost group of each word, or itself; of the root itself.
    top: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    /// On the path that is followed now.
    Open,
    /// Its chosen arcs lead to the root.
    Rooted,
}

impl Contraction {
    fn new(scores: &[f32], words: usize) -> Self {
        let row = |word: usize| {
            let scores = scores[(word - 1) * (words + 1)..][..words + 1].iter().enumerate();
            scores.map(|(head, &score)| Arc { worth: Worth::of(score, head), word }).collect()
        };
        Contraction {
            words,
            rows: std::iter::once(Vec::new()).chain((1..=words).map(row)).collect(),
            chosen: vec![(0, 0); words + 1],
            group: vec![None; words + 1],
            members: vec![Vec::new(); words + 1],
            top: (0..=words).collect(),
        }
    }

    fn heads(mut self) -> Vec<usize> {
        let mut states = vec![State::New; self.words + 1];
        states[0] = State::Rooted;
        for start in 1..=self.words {
            let (mut path, mut at) = (Vec::new(), self.top[start]);
            while states[at] != State::Rooted {
                if states[at] == State::Open {
                    // All from there on depend on each other in a ring.
                    let first = path.iter().position(|&(node, _)| node == at).unwrap_or(0);
                    at = self.contract(path.split_off(first));
                    states.push(State::New);
                }
                let (head, worth) = self.choose(at);
                states[at] = State::Open;
                path.push((at, worth));
                at = self.top[head];
            }
            path.into_iter().for_each(|(node, _)| states[node] = State::Rooted);
        }
        self.expand()
    }

    /// Chooses the best arc into a word or group.
    fn choose(&mut self, node: usize) -> (usize, Worth) {
        let outside = self.rows[node].iter().enumerate().filter(|&(head, _)| self.top[head] != node);
        let better = |best: (usize, Arc), arc: (usize, Arc)| if arc.1.worth.exceeds(best.1.worth) { arc } else { best };
        // The root is never inside.
        let root = (0, self.rows[node][0]);
        let (head, arc) = outside.map(|(head, &arc)| (head, arc)).fold(root, better);
        self.chosen[node] = (head, arc.word);
        (head, arc.worth)
    }

    /// Makes one of those on a cycle, given with the worth of their chosen arcs.
    fn contract(&mut self, cycle: Vec<(usize, Worth)>) -> usize {
        let node = self.rows.len();
        let mut row: Vec<Arc> = Vec::new();
        for &(member, worth) in &cycle {
            let mut gains = std::mem::take(&mut self.rows[member]);
            gains.iter_mut().for_each(|arc| arc.worth = arc.worth - worth);
            if row.is_empty() {
                row = gains;
            } else {
                let better = |(best, gain): (&mut Arc, Arc)| {
                    if gain.worth.exceeds(best.worth) {
                        *best = gain;
                    }
                };
                row.iter_mut().zip(gains).for_each(better);
            }
            self.group[member] = Some(node);
        }
        let inside = |top: &mut usize| {
            if self.group[*top] == Some(node) {
                *top = node;
            }
        };
        self.top.iter_mut().for_each(inside);
        self.rows.push(row);
        self.chosen.push((0, 0));
        self.group.push(None);
        self.members.push(cycle.into_iter().map(|(member, _)| member).collect());
        node
    }

    /// The arcs of the words: the one into a group takes the place of that of one member, the others keep theirs.
    fn expand(self) -> Vec<usize> {
        let mut heads = vec![0; self.words];
        let uppermost = |&node: &usize| self.group[node].is_none();
        let mut open: Vec<usize> = (1..self.rows.len()).filter(uppermost).collect();
        while let Some(node) = open.pop() {
            let (head, word) = self.chosen[node];
            heads[word - 1] = head;
            let mut below = word;
            while below != node {
                let Some(group) = self.group[below] else { break };
                open.extend(self.members[group].iter().filter(|&&member| member != below));
                below = group;
            }
        }
        heads
    }
}
