//! What the Rust peers share: timing by the rule of `benches/common`, and data of the shapes of `benches/workloads.rs`.

use std::time::Instant;

/// What a program is asked for: `PEER WORKLOAD BATCH THREADS [EXTRA]`.
pub struct Options {
    pub peer: String,
    pub workload: String,
    pub batch: usize,
    pub threads: usize,
    /// `long`: steps; `vocabulary`: words
    pub extra: usize,
}

impl Options {
    pub fn parse() -> Self {
        let mut args = std::env::args().skip(1);
        let (peer, workload) = (args.next().expect("PEER"), args.next().expect("WORKLOAD"));
        let mut number = || args.next().map_or(0, |arg| arg.parse().expect("a number"));
        Options { peer, workload, batch: number(), threads: number(), extra: number() }
    }

    /// Prints the median, least and greatest milliseconds of five blocks of 0.15 seconds at least, after a warm-up.
    pub fn report(&self, what: &str, mut call: impl FnMut()) {
        let start = Instant::now();
        for calls in 1.. {
            call();
            let passed = start.elapsed().as_secs_f64();
            if (calls >= 3 && passed > 0.3) || (calls >= 2 && passed > 4.0) {
                break;
            }
        }
        let (start, mut blocks) = (Instant::now(), Vec::new());
        while blocks.is_empty() || (blocks.len() < 5 && start.elapsed().as_secs_f64() < 1.5) {
            let (before, mut calls) = (Instant::now(), 0.0);
            while calls == 0.0 || before.elapsed().as_secs_f64() < 0.15 {
                call();
                calls += 1.0;
            }
            blocks.push(before.elapsed().as_secs_f64() * 1e3 / calls);
        }
        blocks.sort_by(f64::total_cmp);
        let Options { peer, workload, batch, threads, .. } = self;
        let (median, least, greatest) = (blocks[blocks.len() / 2], blocks[0], blocks[blocks.len() - 1]);
        println!(
            "{{\"peer\":\"{peer}\",\"workload\":\"{workload}\",\"what\":\"{what}\",\"batch\":{batch},\"threads\":{threads},\
             \"median_ms\":{median},\"min_ms\":{least},\"max_ms\":{greatest},\"rss_mb\":{}}}",
            peak_memory()
        );
    }
}

/// The most memory that the process has had so far, in megabytes.
fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM")).expect("a line of the peak");
    line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<f64>().ok()).expect("kilobytes") / 1024.0
}

/// Random numbers (splitmix64).
pub struct Rng(pub u64);

impl Rng {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn below(&mut self, n: usize) -> usize {
        (self.uniform() * n as f64) as usize
    }

    /// A word as frequent as words are: the rank's logarithm is uniform.
    fn word(&mut self, words: usize) -> u32 {
        ((words as f64).powf(self.uniform()) as u32).clamp(1, words as u32 - 1)
    }
}

/// A batch of texts, padded on the right with 0.
pub struct Texts {
    /// `[batch * steps]`
    pub ids: Vec<u32>,
    pub labels: Vec<u32>,
    /// `[batch * steps]`: 1 at each text's last word, else 0
    pub last: Vec<f32>,
}

pub fn texts(rng: &mut Rng, batch: usize, [shortest, steps]: [usize; 2], words: usize, classes: usize) -> Texts {
    let mut texts = Texts { ids: vec![0; batch * steps], labels: vec![], last: vec![0.0; batch * steps] };
    for text in 0..batch {
        let length = shortest + rng.below(steps - shortest + 1);
        for step in 0..length {
            texts.ids[text * steps + step] = rng.word(words);
        }
        texts.last[text * steps + length - 1] = 1.0;
        texts.labels.push(rng.below(classes) as u32);
    }
    texts
}

/// Dense rows with a 1 for each of about 60 words, and labels.
pub fn bags(rng: &mut Rng, rows: usize, words: usize, topics: usize) -> (Vec<f32>, Vec<u32>) {
    let mut x = vec![0.0; rows * words];
    let mut y = vec![];
    for row in 0..rows {
        for _ in 0..60 {
            x[row * words + rng.below(words)] = 1.0;
        }
        y.push(rng.below(topics) as u32);
    }
    (x, y)
}
