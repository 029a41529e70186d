//! Which of a training's samples are kept to choose by.

/// This part of all samples, spread evenly over them, and the rest: after any number of samples the part kept is as near to it as whole
/// samples can be from below.
pub fn kept_apart<T>(samples: Vec<T>, part: f64) -> (Vec<T>, Vec<T>) {
    let before = |number: usize| (number as f64 * part).floor();
    let (mut kept, mut rest) = (Vec::new(), Vec::new());
    for (number, sample) in samples.into_iter().enumerate() {
        if before(number + 1) > before(number) { kept.push(sample) } else { rest.push(sample) }
    }
    (kept, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_kept_as_the_part_says() {
        for (part, kept) in [(0.0, 0), (0.05, 50), (0.3, 300), (0.4, 400), (0.7, 700), (0.99, 990)] {
            let (valid, rest) = kept_apart((0..1000).collect(), part);
            assert!(valid.len().abs_diff(kept) <= 1, "{part}: {}", valid.len());
            assert_eq!(valid.len() + rest.len(), 1000);
            // Of any hundred about as many.
            let first = valid.iter().filter(|&&number| number < 100).count();
            assert!(first.abs_diff(kept / 10) <= 1, "{part}: {first}");
        }
    }
}
