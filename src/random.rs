//! Random numbers that are a function of (seed, stream, index): the same draws on every backend and device.
//!
//! The bits are Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011):
//! a block cipher over a counter, so that any draw can be had without those before it, on a host or a GPU alike.
//! A [`Key`] names a stream; streams are derived by purpose, never by order of use:
//!
//! ```
//! use elman::random::Key;
//! let dropout = Key::new(7).named("dropout");
//! let of_step_3 = dropout.fold(3);
//! assert_eq!(of_step_3.bits(10), Key::new(7).named("dropout").fold(3).bits(10));
//! assert_ne!(of_step_3.bits(10), dropout.fold(4).bits(10));
//! ```

/// Names a stream of random numbers. Draws are addressed by index; a key has no state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(u64);

impl Key {
    /// The root stream of a seed.
    pub fn new(seed: u64) -> Self {
        Key(mix(seed))
    }

    /// The stream `number` below this one: of a step, an epoch, a layer.
    #[must_use]
    pub fn fold(self, number: u64) -> Self {
        Key(mix(self.0 ^ mix(number.wrapping_add(0x9E37_79B9_7F4A_7C15))))
    }

    /// The stream below this one that bears a name: a purpose, a parameter's path.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        // Eight bytes at a time, then the length, so that no two names share a stream by concatenation; the length is
        // counted from the top, where no step or epoch comes near.
        let words = name.as_bytes().chunks(8).map(|chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(word)
        });
        words.fold(self, Key::fold).fold(u64::MAX - name.len() as u64)
    }

    /// The key as a backend's kernel needs it.
    pub fn bits64(self) -> u64 {
        self.0
    }

    /// The four draws of block `block`, indices `4 * block ..`.
    #[inline(always)]
    pub fn block(self, block: u64) -> [u32; 4] {
        philox4x32([block as u32, (block >> 32) as u32, 0, 0], [self.0 as u32, (self.0 >> 32) as u32])
    }

    /// Draw `index`: 32 uniform bits.
    pub fn bits(self, index: u64) -> u32 {
        self.block(index / 4)[(index % 4) as usize]
    }

    /// Draw `index` as a number in `[0, 1)`, with 32 bits of it.
    pub fn uniform(self, index: u64) -> f64 {
        f64::from(self.bits(index)) / 4_294_967_296.0
    }

    /// Draw `index` of the standard normal distribution (Box-Muller over the pair that holds the index).
    pub fn normal(self, index: u64) -> f64 {
        let pair = index / 2 * 2;
        // (0, 1] so that the logarithm is finite.
        let u = 1.0 - self.uniform(pair);
        let angle = std::f64::consts::TAU * self.uniform(pair + 1);
        let radius = (-2.0 * u.ln()).sqrt();
        if index.is_multiple_of(2) { radius * angle.cos() } else { radius * angle.sin() }
    }

    /// Draw `index` as a whole number below `bound` (at least 1), by Lemire's multiplication over 64 bits: its bias
    /// is below `bound / 2^64`.
    pub fn below(self, index: u64, bound: usize) -> usize {
        let [a, b, _, _] = self.block(index);
        let bits = u64::from(a) | u64::from(b) << 32;
        ((u128::from(bits) * bound as u128) >> 64) as usize
    }

    /// Puts `items` into a random order (Fisher-Yates).
    ///
    /// ```
    /// let mut rows: Vec<usize> = (0..5).collect();
    /// elman::random::Key::new(1).named("shuffle").fold(0).shuffle(&mut rows);
    /// rows.sort();
    /// assert_eq!(rows, [0, 1, 2, 3, 4]);
    /// ```
    pub fn shuffle<T>(self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64, last + 1));
        }
    }

    /// Where item `index` of `n` comes in a random order, in no memory and without those before it: a permutation of `0..n`, by
    /// six rounds of a Feistel cipher over the next power of four, walked until it is below `n` (Black and Rogaway: "Ciphers with
    /// Arbitrary Finite Domains", CT-RSA 2002). `index` must be below `n`.
    ///
    /// ```
    /// let key = elman::Key::new(1);
    /// let mut places: Vec<u64> = (0..100).map(|i| key.place(i, 100)).collect();
    /// assert_ne!(places, (0..100).collect::<Vec<_>>());
    /// places.sort();
    /// assert_eq!(places, (0..100).collect::<Vec<_>>());
    /// ```
    pub fn place(self, index: u64, n: u64) -> u64 {
        let half = (u64::BITS - n.saturating_sub(1).leading_zeros()).div_ceil(2);
        let low = (1u64 << half) - 1;
        let mut at = index;
        loop {
            let (mut left, mut right) = (at >> half, at & low);
            for round in 0..6 {
                (left, right) = (right, left ^ (u64::from(self.fold(round).bits(right)) & low));
            }
            at = left << half | right;
            // A walk along a cycle of the greater permutation comes back to `0..n`, at the latest where it began.
            if at < n || index >= n {
                return at;
            }
        }
    }

    /// The threshold that a draw's bits are compared with to drop an element with probability `rate`:
    /// it is dropped where `bits < threshold`. Whole numbers, so that all backends agree to the bit.
    pub fn drop_threshold(rate: f64) -> u32 {
        (rate.clamp(0.0, 1.0) * 4_294_967_296.0).min(4_294_967_295.0) as u32
    }
}

/// splitmix64's finaliser: a bijection that scatters neighbouring numbers.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Philox4x32 with ten rounds.
#[inline(always)]
fn philox4x32(mut c: [u32; 4], mut k: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let (p0, p1) = (u64::from(c[0]) * 0xD251_1F53, u64::from(c[2]) * 0xCD9E_8D57);
        c = [(p1 >> 32) as u32 ^ c[1] ^ k[0], p1 as u32, (p0 >> 32) as u32 ^ c[3] ^ k[1], p0 as u32];
        k = [k[0].wrapping_add(0x9E37_79B9), k[1].wrapping_add(0xBB67_AE85)];
    }
    c
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers of the authors' Random123 (kat_vectors, philox4x32 10).
    #[test]
    fn philox_gives_the_published_answers() {
        assert_eq!(philox4x32([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox4x32([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox4x32([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn draws_have_the_moments_of_their_law() {
        let (n, key) = (200_000u64, Key::new(3).named("moments"));
        let mean = |f: &dyn Fn(u64) -> f64| (0..n).map(f).sum::<f64>() / n as f64;
        // Five standard errors: 1/sqrt(12 n), 1/sqrt(n), sqrt(2/n).
        assert!((mean(&|i| key.uniform(i)) - 0.5).abs() < 5.0 / (12.0 * n as f64).sqrt());
        assert!(mean(&|i| key.normal(i)).abs() < 5.0 / (n as f64).sqrt());
        assert!((mean(&|i| key.normal(i).powi(2)) - 1.0).abs() < 5.0 * (2.0 / n as f64).sqrt());
        assert!((mean(&|i| key.below(i, 7) as f64) - 3.0).abs() < 5.0 * 2.0 / (n as f64).sqrt());
    }

    #[test]
    fn streams_differ_by_name_and_number() {
        let root = Key::new(0);
        let keys = [root, root.fold(0), root.fold(1), root.named("a"), root.named("b"), root.named(""), Key::new(1)];
        for (i, a) in keys.iter().enumerate() {
            for b in &keys[i + 1..] {
                assert_ne!(a.block(0), b.block(0));
            }
        }
        assert_ne!(root.named("ab").named("c"), root.named("a").named("bc"));
    }

    #[test]
    fn a_shuffle_reaches_every_order_alike() {
        let mut counts = std::collections::HashMap::new();
        for seed in 0..6000 {
            let mut items = [0, 1, 2];
            Key::new(seed).shuffle(&mut items);
            *counts.entry(items).or_insert(0) += 1;
        }
        // Six orders, 1000 each expected, standard deviation sqrt(6000 * 1/6 * 5/6) = 29; five of them.
        assert!(counts.len() == 6 && counts.values().all(|&c: &i32| (c - 1000).abs() < 145), "{counts:?}");
    }
}
