//! Runs a target on one input after the other: those that are kept, then ones made of them.

use crate::coverage::Coverage;
use crate::mutate::mutate;
use crate::place::Place;
use crate::random::Random;
use crate::targets::Target;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// When a target has had enough.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    Inputs(u64),
    Time(Duration),
}

pub(crate) struct Options {
    pub(crate) until: Until,
    pub(crate) seed: u64,
    /// Whether small inputs that go where those kept do not are added to the corpus.
    pub(crate) keep: bool,
}

/// The longest input that is made.
const LONGEST: usize = 1 << 14;
/// The most inputs that new ones are made of.
const MOST_KEPT: usize = 4096;
/// An input that takes longer, three times in a row, is a finding.
const SLOW: Duration = Duration::from_secs(1);
/// An input that takes longer ends the program.
const HANGS: Duration = Duration::from_secs(60);

thread_local! {
    /// Where the last panic was and what it said.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
    /// Whether a panic is the target's.
    static JUDGING: Cell<bool> = const { Cell::new(false) };
}

/// What a target says of files, which need not be of its corpus. Gives the number of findings.
pub(crate) fn replay(target: &Target, files: Vec<Vec<u8>>) -> usize {
    let mut session = Session::new(target);
    files.iter().for_each(|file| session.judge(file));
    session.end()
}

/// Runs a target. Gives the number of findings.
pub(crate) fn run(target: &Target, options: &Options) -> usize {
    let mut session = Session::new(target);
    let mut random = Random::new(options.seed);
    let mut pool = (target.seeds)();
    let made = pool.len();
    pool.extend(corpus(target));
    pool.iter().for_each(|input| session.judge(input));
    session.coverage.news();
    let (sound, mut since) = (pool.len(), session.started);
    loop {
        let done = match options.until {
            Until::Inputs(inputs) => session.inputs >= inputs,
            Until::Time(time) => session.started.elapsed() >= time,
        };
        if done {
            break;
        }
        // What came last has been tried least.
        let at = |random: &mut Random| match random.one_in(3) {
            true => pool.len() - 1 - random.below(pool.len().min(16)),
            false => random.below(pool.len()),
        };
        let (base, other) = (at(&mut random), at(&mut random));
        let mut input = mutate(&pool[base], &pool[other], target.shape, target.words, &mut random);
        input.truncate(LONGEST);
        session.judge(&input);
        if session.coverage.news() {
            match pool.len() < MOST_KEPT {
                true => pool.push(input),
                false => pool[sound + random.below(MOST_KEPT - sound)] = input,
            }
        }
        if since.elapsed() > Duration::from_secs(60) {
            session.report(pool.len());
            since = Instant::now();
        }
    }
    session.report(pool.len());
    if options.keep {
        keep(target, &pool, made);
    }
    session.end()
}

fn folder(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name)
}

/// The inputs that are kept, in the order of their names.
fn corpus(target: &Target) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder(target)).into_iter().flatten().flatten().map(|e| e.path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).expect("a file of the corpus")).collect()
}

/// Adds to the corpus small inputs that together go wherever the pool went, as far as there is room, and few of them.
fn keep(target: &Target, pool: &[Vec<u8>], made: usize) {
    const ROOM: usize = 6 << 10;
    const MOST_FILES: usize = 48;
    let new = |of: &[&Vec<u8>]| -> Vec<usize> {
        let mut session = Session::new(target);
        pool[..made].iter().for_each(|input| session.judge(input));
        session.coverage.news();
        let is_new = |&i: &usize| {
            session.judge(of[i]);
            session.coverage.news()
        };
        (0..of.len()).filter(is_new).collect()
    };
    let mut candidates: Vec<&Vec<u8>> = pool[made..].iter().collect();
    candidates.sort_by_key(|input| input.len());
    // The smallest that reach something first; then, from the greatest of those, what the greater ones do not reach.
    let mut small: Vec<&Vec<u8>> = new(&candidates).into_iter().map(|i| candidates[i]).collect();
    small.reverse();
    let mut kept: Vec<&Vec<u8>> = new(&small).into_iter().map(|i| small[i]).collect();
    let (folder, mut room) = (folder(target), ROOM);
    fs::create_dir_all(&folder).expect("a folder for the corpus");
    for old in fs::read_dir(&folder).into_iter().flatten().flatten() {
        // Named by hand, for what they once found.
        let generated = old.file_name().len() == 16;
        if generated {
            fs::remove_file(old.path()).ok();
        }
    }
    // One long input would take the room of many.
    kept.retain(|input| input.len() <= ROOM / 8);
    for input in kept.into_iter().take(MOST_FILES).take_while(|input| {
        let fits = input.len() <= room;
        room = room.saturating_sub(input.len());
        fits
    }) {
        fs::write(folder.join(name(input)), input).expect("room for a file of the corpus");
    }
}

/// A name for an input, by its content (FNV-1a).
fn name(input: &[u8]) -> String {
    let step = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    format!("{:016x}", input.iter().fold(0xcbf2_9ce4_8422_2325, step))
}

struct Session<'a> {
    target: &'a Target,
    place: Place,
    coverage: Coverage,
    inputs: u64,
    started: Instant,
    slowest: Duration,
    /// One input for each place of a panic, with what was said.
    found: BTreeMap<String, (String, PathBuf)>,
    /// Milliseconds since the start when the present input began, and 0 between two.
    running: Arc<AtomicU64>,
}

impl<'a> Session<'a> {
    fn new(target: &'a Target) -> Self {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !JUDGING.get() {
                return usual(panic);
            }
            let place = panic.location().map(|place| format!("{}:{}", place.file(), place.line())).unwrap_or_default();
            PANIC.set(format!("{place}: {}", panic.payload_as_str().unwrap_or("a panic without words")));
        }));
        let (place, started, running) = (Place::new(target.name), Instant::now(), Arc::new(AtomicU64::new(0)));
        watch(place.path("input"), started, running.clone());
        let (coverage, found) = (Coverage::default(), BTreeMap::new());
        Session { target, place, coverage, inputs: 0, started, slowest: Duration::ZERO, found, running }
    }

    /// Runs the target on an input.
    fn judge(&mut self, input: &[u8]) {
        // Whatever ends the program leaves its input there.
        self.place.file("input", input);
        self.inputs += 1;
        self.running.store(self.started.elapsed().as_millis() as u64 + 1, Ordering::Relaxed);
        self.coverage.reset();
        let mut took = self.time(input);
        for _ in 0..2 {
            if took > SLOW {
                took = took.min(self.time(input));
            }
        }
        self.slowest = self.slowest.max(took);
        if took > SLOW {
            self.finding("too slow", format!("{:.1} s", took.as_secs_f64()), input);
        }
        self.running.store(0, Ordering::Relaxed);
    }

    fn time(&mut self, input: &[u8]) -> Duration {
        let start = Instant::now();
        JUDGING.set(true);
        let ran = catch_unwind(AssertUnwindSafe(|| (self.target.run)(&self.place, input)));
        JUDGING.set(false);
        let took = start.elapsed();
        if ran.is_err() {
            let said = PANIC.take();
            let place = said.split(": ").next().unwrap_or_default().to_string();
            self.finding(&place, said, input);
        }
        took
    }

    fn finding(&mut self, place: &str, said: String, input: &[u8]) {
        if self.found.contains_key(place) {
            return;
        }
        let folder = std::env::current_dir().unwrap_or_default().join("target/fuzz/found");
        let path = folder.join(format!("{}-{}", self.target.name, name(input)));
        let kept = fs::create_dir_all(&folder).and_then(|()| fs::write(&path, input));
        println!("{}: {said}\n  the input: {} ({:?})", self.target.name, path.display(), kept.err());
        self.found.insert(place.to_string(), (said, path));
    }

    fn report(&self, pool: usize) {
        let seconds = self.started.elapsed().as_secs_f64();
        println!(
            "{:<16} {:>9} inputs in {seconds:>4.0} s ({:.0} a second), slowest {:.0} ms, {} edges, {pool} kept, {} findings",
            self.target.name,
            self.inputs,
            self.inputs as f64 / seconds,
            self.slowest.as_secs_f64() * 1e3,
            self.coverage.edges(),
            self.found.len()
        );
    }

    fn end(self) -> usize {
        self.running.store(u64::MAX, Ordering::Relaxed);
        self.found.len()
    }
}

/// Ends the program when an input hangs.
fn watch(input: PathBuf, started: Instant, running: Arc<AtomicU64>) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let since = match running.load(Ordering::Relaxed) {
                u64::MAX => return,
                0 => continue,
                since => Duration::from_millis(since),
            };
            if started.elapsed().saturating_sub(since) > HANGS {
                println!("an input hangs: {}", input.display());
                std::process::exit(3);
            }
        }
    });
}
