//! [`Trellis`] against all paths one after another.

use super::{Double, STEPS, field, mask, numbers};
use crate::common::near::assert_near;
use crate::common::paths::Field;
use elman::data::Inputs;
use elman::decode::Trellis;
use elman::layers::{Crf, Dense, Embedding, Graph};
use elman::{Backend, Spec};
use elman_candle::Candle;

fn trellis(field: &Field) -> Trellis {
    let Field { scores, start, transitions, end } = field.clone();
    Trellis::new(scores.concat(), start, transitions.concat(), end).unwrap()
}

/// Those of [`super::STEPS`], and the same with forbidden starts, transitions and ends.
fn fields() -> Vec<Field> {
    let none = f64::NEG_INFINITY;
    let forbidding = |mut field: Field| {
        (field.start[1], field.end[0]) = (none, none);
        (field.transitions[0][2], field.transitions[2][2]) = (none, none);
        field
    };
    (0..5).map(field).flat_map(|field| [field.clone(), forbidding(field)]).collect()
}

#[test]
fn it_is_all_paths_one_after_another() {
    for field in fields() {
        let (trellis, steps) = (trellis(&field), field.scores.len());
        assert_eq!((trellis.steps(), trellis.tags()), (steps, 3));
        let all = field.log_partition();
        assert_near("partition", &[trellis.log_partition()], &[all], 1e-12);
        let marginals = field.expected(steps * 3, |path, add| {
            path.iter().enumerate().for_each(|(step, tag)| add(step * 3 + tag));
        });
        assert_near("marginals", &trellis.marginals().concat(), &marginals, 1e-12);
        let ranked = field.ranked();
        for n in [0, 1, 2, 5, ranked.len(), ranked.len() + 3] {
            let best = trellis.n_best(n);
            assert_eq!(best.len(), n.min(ranked.len()));
            for (found, (path, score)) in best.iter().zip(&ranked) {
                assert_eq!(&found.tags, path);
                assert_near("score", &[found.score, found.log_probability], &[*score, score - all], 1e-12);
            }
        }
        assert_eq!(trellis.best().map(|path| path.tags), ranked.first().map(|(path, _)| path.clone()));
        for path in field.paths() {
            let score = field.score(&path);
            let found = [trellis.score(&path).unwrap(), trellis.log_probability(&path).unwrap()];
            match score == f64::NEG_INFINITY {
                true => assert_eq!(found, [score; 2]),
                false => assert_near("path", &found, &[score, score - all], 1e-12),
            }
        }
    }
}

/// Scores so far apart that nothing but the best path is left, and equal ones.
#[test]
fn extremes_and_ties() {
    let far =
        Field { scores: field(4).scores.iter().map(|row| row.iter().map(|x| x * 1e5).collect()).collect(), ..field(4) };
    let (best, _) = far.ranked().remove(0);
    let found = trellis(&far).best().unwrap();
    assert_eq!((&found.tags, found.log_probability), (&best, 0.0));
    for (step, of_step) in trellis(&far).marginals().iter().enumerate() {
        assert_eq!(of_step[best[step]], 1.0);
    }
    let zeros = Trellis::new(vec![0.0; 6], vec![0.0; 2], vec![0.0; 4], vec![0.0; 2]).unwrap();
    let all: Vec<Vec<usize>> = zeros.n_best(4).into_iter().map(|path| path.tags).collect();
    assert_eq!(all, [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]]);
    assert_near("marginals", &zeros.marginals().concat(), &[0.5; 6], 1e-12);
    // Nothing is possible.
    let none = Trellis::new(vec![0.0; 4], vec![0.0; 2], vec![f64::NEG_INFINITY; 4], vec![0.0; 2]).unwrap();
    assert_eq!((none.best(), none.log_partition()), (None, f64::NEG_INFINITY));
    assert_eq!(none.marginals(), vec![vec![0.0; 2]; 2]);
    assert_eq!(none.log_probability(&[0, 0]).unwrap(), f64::NEG_INFINITY);
}

#[test]
fn wrong_numbers_are_refused() {
    let new = |scores: usize, start: usize, transitions: usize, end: usize| {
        Trellis::new(vec![0.0; scores], vec![0.0; start], vec![0.0; transitions], vec![0.0; end])
    };
    for [scores, start, transitions, end] in [[4, 0, 0, 0], [5, 2, 4, 2], [4, 2, 3, 2], [4, 2, 4, 1]] {
        assert!(new(scores, start, transitions, end).is_err());
    }
    assert!(Trellis::new(vec![f64::NAN, 0.0], vec![0.0; 2], vec![0.0; 4], vec![0.0; 2]).is_err());
    assert!(Trellis::new(vec![0.0; 2], vec![0.0, f64::INFINITY], vec![0.0; 4], vec![0.0; 2]).is_err());
    let trellis = new(4, 2, 4, 2).unwrap();
    assert!(trellis.score(&[0]).is_err() && trellis.score(&[0, 2]).is_err() && trellis.score(&[0, 1]).is_ok());
}

/// The path on the device is the best of the trellis, in every sequence.
#[test]
fn the_path_of_a_model_is_the_best() {
    fn check<B: Backend>(b: &B) {
        let [scores, start, transitions, end] = numbers().map(|x| x.up(b).unwrap());
        let mut model = elman::Model::new(b, &Crf::new(), Spec::Dense(vec![None, Some(3)]), 0).unwrap();
        for (param, value) in model.params_mut().iter_mut().zip([transitions, start, end]) {
            param.set_value(value).unwrap();
        }
        let mut pass = model.pass(elman::layers::Mode::Evaluation);
        let value = elman::layers::Value::Tensor(elman::Tensor::constant(b, scores)).with_mask(mask(b));
        let (path, of_path) = model.run(value, &mut pass).unwrap().split();
        let path = crate::common::near::numbers(&path.tensor(&pass).unwrap());
        assert!(of_path.is_some(), "the mask goes through");
        for (row, steps) in STEPS.iter().enumerate() {
            let mut best = trellis(&field(row)).best().unwrap().tags.into_iter();
            for (t, &there) in steps.iter().enumerate() {
                let mut want = [0.0; 3];
                if there {
                    want[best.next().unwrap()] = 1.0;
                }
                assert_eq!(path[(row * 4 + t) * 3..][..3], want, "sequence {row}, step {t}");
            }
        }
    }
    check(&Double::new());
    check(&Candle::cpu());
    check(&Candle::portable(elman_candle::candle_core::Device::Cpu));
}

#[test]
fn several_outputs_have_trellises_by_name() {
    let b = Double::new();
    let network = Graph::new()
        .node("words", Embedding::new(9, 4).padding(0), "input")
        .node("scores", Dense::new(3), "words")
        .node("names", Crf::new().forbid(0, 1), "scores")
        .node("kinds", Dense::new(2), "words")
        .outputs(["names", "kinds"]);
    let model = network.build(&b, Spec::Indices(None), 0).unwrap();
    let inputs = Inputs::indices(&[vec![1, 2, 3, 4], vec![5], vec![6, 7]]).unwrap();
    let found = Trellis::of_output(&model, "names", &inputs, 2).unwrap();
    assert_eq!(found.iter().map(Trellis::steps).collect::<Vec<_>>(), [4, 1, 2]);
    let predicted = model.predict_outputs(&inputs, 2).unwrap();
    let classes = predicted.get("names").unwrap().classes().unwrap();
    for (row, trellis) in found.iter().enumerate() {
        assert_eq!(trellis.best().unwrap().tags, classes[row * 4..][..trellis.steps()]);
        assert!(trellis.n_best(100).iter().all(|path| !path.tags.windows(2).any(|pair| pair == [0, 1])));
    }
    for wrong in ["kinds", "others"] {
        assert!(Trellis::of_output(&model, wrong, &inputs, 2).unwrap_err().to_string().contains("ends in a `Crf`"));
    }
    assert!(Trellis::of(&model, &inputs, 2).is_err());
    assert!(Trellis::of_output(&model, "names", &Inputs::indices(&[vec![9]]).unwrap(), 2).is_err());
}
