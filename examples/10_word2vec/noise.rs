//! Random draws: numbers one after the other from a key, and words by a power of their frequency.

use elman::Key;

/// A stream of random numbers.
pub struct Draws {
    key: Key,
    block: u64,
    ready: [u32; 4],
    next: usize,
}

impl Draws {
    pub fn new(key: Key) -> Self {
        Draws { key, block: 0, ready: [0; 4], next: 4 }
    }

    /// 32 random bits.
    pub fn bits(&mut self) -> u32 {
        if self.next == 4 {
            (self.ready, self.block, self.next) = (self.key.block(self.block), self.block + 1, 0);
        }
        self.next += 1;
        self.ready[self.next - 1]
    }

    /// A whole number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        ((u64::from(self.bits()) * n as u64) >> 32) as usize
    }
}

/// Words to be drawn: Walker's alias method, two draws whatever their number.
pub struct Noise {
    /// Of each place the part, of 2³², that is its own word's, and the other word.
    places: Vec<(u32, u32)>,
}

impl Noise {
    /// Each word as often as its count to the power says.
    pub fn new(counts: &[u64], power: f64) -> Self {
        let weights: Vec<f64> = counts.iter().map(|&count| (count as f64).powf(power)).collect();
        let each = weights.iter().sum::<f64>() / weights.len() as f64;
        let mut parts: Vec<f64> = weights.iter().map(|weight| weight / each).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..parts.len()).partition(|&word| parts[word] < 1.0);
        let mut places: Vec<(u32, u32)> = (0..parts.len() as u32).map(|word| (u32::MAX, word)).collect();
        while let (Some(word), Some(&giver)) = (small.pop(), large.last()) {
            places[word] = ((parts[word] * 2f64.powi(32)) as u32, giver as u32);
            parts[giver] -= 1.0 - parts[word];
            if parts[giver] < 1.0 {
                large.pop();
                small.push(giver);
            }
        }
        Noise { places }
    }

    pub fn draw(&self, draws: &mut Draws) -> u32 {
        let place = draws.below(self.places.len());
        let (part, other) = self.places[place];
        if draws.bits() < part { place as u32 } else { other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_drawn_by_the_power_of_their_counts() {
        let counts = [625, 256, 81, 16, 1, 1];
        let (noise, mut draws) = (Noise::new(&counts, 0.75), Draws::new(Key::new(1)));
        let n = 200_000;
        let mut drawn = [0.0; 6];
        (0..n).for_each(|_| drawn[noise.draw(&mut draws) as usize] += 1.0);
        let powers = [125.0, 64.0, 27.0, 8.0, 1.0, 1.0];
        for (drawn, power) in drawn.iter().zip(powers) {
            let p: f64 = power / 226.0;
            // Five standard deviations of a binomial count.
            let (mean, deviation) = (f64::from(n) * p, (f64::from(n) * p * (1.0 - p)).sqrt());
            assert!((drawn - mean).abs() < 5.0 * deviation, "{drawn} draws, {mean} expected");
        }
    }
}
