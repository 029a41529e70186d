//! What a network takes at the least, and what there is: sizes that no machine has are errors and no abort.

use std::fs;

/// More threads than any machine of today has cores.
pub const MOST_THREADS: usize = 1024;

/// Bytes of a parameter in training with Adam: itself and two moments.
pub const TRAINED: f64 = 12.0;

/// Bytes of memory that this process can have at the most: of the machine, the container, `ulimit -v`. Where the system
/// does not say, more than machines have.
pub fn memory() -> f64 {
    let number = |text: &str| text.split_whitespace().next().and_then(|word| word.parse::<f64>().ok());
    let line = |file: &str, name: &str| {
        let text = fs::read_to_string(file).ok()?;
        text.lines().find_map(|line| line.strip_prefix(name).and_then(number))
    };
    let machine = line("/proc/meminfo", "MemTotal:").map(|kibibytes| kibibytes * 1024.0);
    let process = line("/proc/self/limits", "Max address space");
    let container = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .iter()
        .find_map(|file| fs::read_to_string(file).ok().and_then(|text| number(&text)));
    [machine, process, container].into_iter().flatten().fold(2f64.powi(46), f64::min)
}

/// What is wrong with options that ask for so many bytes, if it is too much.
pub fn memory_problem(options: &str, bytes: f64) -> Option<String> {
    let memory = memory();
    (bytes > memory).then(|| {
        format!("{options}: would take {} of memory or more, found {}; give less", amount(bytes), amount(memory))
    })
}

/// What is wrong with a number that has to be from `least` to `most`, if it is not.
pub fn range_problem(option: &str, x: f64, least: f64, most: f64) -> Option<String> {
    // Not the other way round: NaN is in no range.
    let inside = x >= least && x <= most;
    let least = if least == f64::MIN_POSITIVE { "above 0".to_string() } else { format!("of at least {least}") };
    let most = if most == f64::MAX { "finite".to_string() } else { format!("at most {most}") };
    let found = if x.abs() < 1e7 { x.to_string() } else { format!("{x:e}") };
    (!inside).then(|| format!("{option} {found}: expected a number {least} and {most}"))
}

/// What is wrong with rates of dropout and other parts of a whole, which have to be below 1.
pub fn part_problems<'a>(parts: &'a [(&'a str, f64)]) -> impl Iterator<Item = String> + 'a {
    let wrong = parts.iter().filter(|(_, part)| !(0.0..1.0).contains(part));
    wrong.map(|(option, part)| format!("{option} {part}: expected a part from 0 to below 1"))
}

/// What is wrong with whole numbers that have to be above 0.
pub fn zero_problems<'a>(numbers: &'a [(&'a str, usize)]) -> impl Iterator<Item = String> + 'a {
    numbers.iter().filter(|(_, number)| *number == 0).map(|(option, _)| format!("{option} 0: expected at least 1"))
}

/// Parameters of a recurrent layer with so many gates.
pub fn recurrent(gates: usize, inputs: f64, units: f64) -> f64 {
    gates as f64 * units * (inputs + units + 1.0)
}

/// The options of a recurrent network that reads words.
pub struct Sizes {
    pub units: usize,
    pub dim: usize,
    pub steps: usize,
    pub gates: usize,
    pub batch: usize,
    /// The learning rate, of Adam.
    pub rate: f64,
}

impl Sizes {
    /// What is wrong with them: zeros, and what no machine has room for even where there are few words and texts.
    pub fn problems(&self) -> Vec<String> {
        let (units, dim, steps) = (self.units as f64, self.dim as f64, self.steps as f64);
        let weights = (recurrent(self.gates, dim, units) + 2.0 * dim) * TRAINED;
        let needs = [
            (format!("--units {} and --dim {}", self.units, self.dim), weights),
            (format!("--steps {}", self.steps), steps * (dim + units) * 4.0),
        ];
        let whole =
            [("--units", self.units), ("--dim", self.dim), ("--steps", self.steps), ("--batch-size", self.batch)];
        let memory = needs.into_iter().filter_map(|(options, bytes)| memory_problem(&options, bytes));
        let rate = range_problem("--rate", self.rate, f64::MIN_POSITIVE, 1.0);
        zero_problems(&whole).chain(memory).chain(rate).collect()
    }
}

/// A number of bytes as people say it.
fn amount(bytes: f64) -> String {
    let units = ["bytes", "kB", "MB", "GB", "TB", "PB", "EB"];
    let power = ((bytes.max(1.0).log10() / 3.0) as usize).min(units.len() - 1);
    let (number, unit) = (bytes / 1000f64.powi(power as i32), units[power]);
    match number {
        x if x < 10.0 => format!("{x:.1} {unit}"),
        x if x < 1e6 => format!("{x:.0} {unit}"),
        x => format!("{x:.0e} {unit}"),
    }
}
