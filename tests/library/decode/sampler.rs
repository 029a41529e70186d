//! Draws follow the law that the options say, computed here from its definition; options out of range are errors.

use elman::Key;
use elman::decode::Sampler;

const SCORES: [f32; 6] = [1.0, -0.5, 2.0, 0.0, 1.5, -3.0];

/// Probabilities of scores divided by a temperature.
fn softmax(scores: &[f64], temperature: f64) -> Vec<f64> {
    let exponentials: Vec<f64> = scores.iter().map(|x| (x / temperature).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.iter().map(|x| x / sum).collect()
}

/// The probabilities of those that are kept, which add up to 1.
fn kept(p: &[f64], keep: impl Fn(usize) -> bool) -> Vec<f64> {
    let left: Vec<f64> = p.iter().enumerate().map(|(i, &p)| if keep(i) { p } else { 0.0 }).collect();
    let sum: f64 = left.iter().sum();
    left.iter().map(|p| p / sum).collect()
}

/// How many are more probable.
fn rank(p: &[f64], i: usize) -> usize {
    p.iter().filter(|&&other| other > p[i]).count()
}

/// The sum of those that are more probable.
fn above(p: &[f64], i: usize) -> f64 {
    p.iter().filter(|&&other| other > p[i]).sum()
}

#[track_caller]
fn follows(sampler: &Sampler, history: &[u32], law: &[f64]) {
    let (n, key) = (40_000, Key::new(11).named("law"));
    let mut counts = [0.0; SCORES.len()];
    for i in 0..n {
        counts[sampler.sample(&SCORES, history, key, i).unwrap() as usize] += 1.0;
    }
    for (token, (count, p)) in counts.iter().zip(law).enumerate() {
        // Five standard deviations of a binomial law; what has no probability never comes.
        let most = 5.0 * (n as f64 * p * (1.0 - p)).sqrt();
        assert!((count - n as f64 * p).abs() <= most, "token {token}: {count} of {n}, expected {p}, {sampler:?}");
    }
}

#[test]
fn draws_follow_the_law_of_the_options() {
    let scores = SCORES.map(f64::from);
    let plain = softmax(&scores, 1.0);
    follows(&Sampler::new(), &[], &plain);
    follows(&Sampler::new().temperature(0.5), &[], &softmax(&scores, 0.5));
    follows(&Sampler::new().temperature(3.0), &[], &softmax(&scores, 3.0));
    follows(&Sampler::new().top_k(3), &[], &kept(&plain, |i| rank(&plain, i) < 3));
    follows(&Sampler::new().top_k(100), &[], &plain);
    for p in [0.3, 0.7, 0.95] {
        follows(&Sampler::new().top_p(p), &[], &kept(&plain, |i| above(&plain, i) < p));
    }
    let most = plain.iter().copied().fold(0.0, f64::max);
    follows(&Sampler::new().min_p(0.3), &[], &kept(&plain, |i| plain[i] >= 0.3 * most));
    follows(&Sampler::new().ban([2, 5]).ban([0]), &[], &kept(&plain, |i| ![0, 2, 5].contains(&i)));
    // One after another: temperature, then k, then the nucleus of what is left, then what is probable enough.
    let hot = softmax(&scores, 2.0);
    let of_k = kept(&hot, |i| rank(&hot, i) < 5);
    let nucleus = |p: f64| kept(&of_k, |i| of_k[i] > 0.0 && above(&of_k, i) < p);
    let count = |law: &[f64]| law.iter().filter(|&&p| p > 0.0).count();
    // Of all tokens the nucleus would be larger.
    let sampler = Sampler::new().temperature(2.0).top_k(5);
    assert_eq!((count(&nucleus(0.775)), count(&kept(&hot, |i| above(&hot, i) < 0.775))), (3, 4));
    follows(&sampler.clone().top_p(0.775), &[], &nucleus(0.775));
    let four = nucleus(0.8);
    let greatest = four.iter().copied().fold(0.0, f64::max);
    let law = kept(&four, |i| four[i] >= 0.5 * greatest);
    assert_eq!((count(&four), count(&law)), (4, 3));
    follows(&sampler.top_p(0.8).min_p(0.5), &[], &law);
}

/// A draw is the first token at which the probabilities, summed up in the order of the tokens, pass a uniform number, whatever was left
/// out in what order: so draws stay what they are.
#[test]
fn a_draw_inverts_the_distribution_function() {
    let plain = softmax(&SCORES.map(f64::from), 1.0);
    let key = Key::new(9).named("draws");
    for (sampler, law) in [
        (Sampler::new(), plain.clone()),
        (Sampler::new().top_k(4), kept(&plain, |i| rank(&plain, i) < 4)),
        (Sampler::new().top_p(0.9), kept(&plain, |i| above(&plain, i) < 0.9)),
    ] {
        for i in 0..300 {
            let (mut sum, uniform) = (0.0, key.uniform(i));
            let expected = law.iter().position(|p| {
                sum += p;
                sum > uniform
            });
            assert_eq!(
                sampler.sample(&SCORES, &[], key, i).unwrap() as usize,
                expected.unwrap(),
                "{sampler:?}, {uniform}"
            );
        }
    }
}

#[test]
fn what_was_there_is_less_probable() {
    let history = [2, 1, 2, 4];
    let penalised = |of: &[usize]| {
        let mut scores = SCORES.map(f64::from);
        for &i in of {
            scores[i] = if scores[i] > 0.0 { scores[i] / 1.5 } else { scores[i] * 1.5 };
        }
        softmax(&scores, 1.0)
    };
    let sampler = Sampler::new().repetition_penalty(1.5);
    // Once for each token, however often it was there.
    follows(&sampler, &history, &penalised(&[1, 2, 4]));
    follows(&sampler, &[], &penalised(&[]));
    follows(&sampler.clone().repetition_window(2), &history, &penalised(&[2, 4]));
    follows(&sampler.clone().repetition_window(0), &history, &penalised(&[]));
    follows(&sampler.repetition_window(9), &history, &penalised(&[1, 2, 4]));
}

#[test]
fn a_function_of_ones_own_comes_first() {
    // Only what is above the last token.
    let rising = Sampler::new().adjust(|scores, tokens| {
        let last = tokens.last().map_or(0, |&token| token as usize + 1);
        scores[..last].fill(f32::NEG_INFINITY);
    });
    let plain = softmax(&SCORES.map(f64::from), 1.0);
    follows(&rising, &[3], &kept(&plain, |i| i > 3));
    follows(&rising.clone().top_k(1), &[2], &kept(&plain, |i| i == 4));
    let error = rising.sample(&SCORES, &[5], Key::new(0), 0).unwrap_err().to_string();
    assert_eq!(error, "sampler: expected a token that may be drawn, found scores that are all minus infinity");
}

#[test]
fn greedy_takes_the_first_of_the_most_probable() {
    let scores = [0.0, 3.0, 1.0, 3.0];
    for sampler in [Sampler::greedy(), Sampler::new().temperature(0.0).top_p(0.2), Sampler::new().top_k(1)] {
        for i in 0..20 {
            assert_eq!(sampler.sample(&scores, &[], Key::new(i), i).unwrap(), 1);
        }
    }
    // A small temperature comes near it, without numbers that are too great.
    assert_eq!(Sampler::new().temperature(1e-300).sample(&[0.0, 1.0], &[], Key::new(0), 0).unwrap(), 1);
    assert_eq!(Sampler::new().top_p(1e-300).sample(&[0.0, 1.0], &[], Key::new(0), 0).unwrap(), 1);
    assert_eq!(Sampler::greedy().ban([1]).sample(&scores, &[], Key::new(0), 0).unwrap(), 3);
}

/// Scores may have any offset and be far from 0, and a token may be impossible.
#[test]
fn scores_are_logits() {
    let far = SCORES.map(|x| x + 4096.0);
    let [near, far] = [SCORES, far].map(|scores| {
        let draw = |i| Sampler::new().temperature(0.8).sample(&scores, &[], Key::new(5), i).unwrap();
        (0..200).map(draw).collect::<Vec<_>>()
    });
    assert_eq!(near, far);
    let never = [f32::NEG_INFINITY, 0.0, f32::NEG_INFINITY];
    assert!((0..50).all(|i| Sampler::new().sample(&never, &[], Key::new(1), i).unwrap() == 1));
}

#[test]
fn options_out_of_range_are_errors() {
    let wrong = [
        ("temperature", vec![Sampler::new().temperature(-0.1), Sampler::new().temperature(f64::NAN)]),
        ("temperature", vec![Sampler::new().temperature(f64::INFINITY)]),
        ("top_k", vec![Sampler::new().top_k(0)]),
        ("top_p", [0.0, -0.1, 1.1, f64::NAN].map(|p| Sampler::new().top_p(p)).to_vec()),
        ("min_p", [-0.1, 1.1, f64::NAN].map(|p| Sampler::new().min_p(p)).to_vec()),
        ("repetition penalty", [0.0, -1.0, f64::INFINITY].map(|x| Sampler::new().repetition_penalty(x)).to_vec()),
    ];
    for (name, samplers) in wrong {
        for sampler in samplers {
            let [check, draw] = [sampler.check(), sampler.sample(&SCORES, &[], Key::new(0), 0).map(drop)];
            let (check, draw) = (check.unwrap_err().to_string(), draw.unwrap_err().to_string());
            assert!(check.starts_with(&format!("sampler, {name}: expected")), "{check}");
            assert_eq!(check, draw);
        }
    }
    let message =
        |sampler: Sampler, scores: &[f32]| sampler.sample(scores, &[], Key::new(0), 0).unwrap_err().to_string();
    assert!(message(Sampler::new().ban([6]), &SCORES).contains("tokens below 6 to ban, found token 6"));
    for (scores, found) in [([0.0, f32::NAN], "NaN"), ([0.0, f32::INFINITY], "inf")] {
        let expected = format!("sampler, score of token 1: expected a number or minus infinity, found {found}");
        assert_eq!(message(Sampler::greedy(), &scores), expected);
    }
    assert!(message(Sampler::new(), &[]).contains("a token that may be drawn"));
}
