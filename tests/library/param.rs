//! Parameters, regularisers and constraints.

use crate::common::golden::Golden;
use elman::backend::Backend;
use elman::constraint::Constraint;
use elman::gradcheck::{Tolerance, gradcheck};
use elman::regularizer::Regularizer;
use elman::{Init, Key, Param, Tensor};
use elman_reference::Reference;

type B = Reference<f64>;

#[test]
fn freezing_makes_a_constant_and_thawing_a_variable_of_the_same_value() {
    let b = B::new();
    let mut param = Param::new("w", Tensor::variable(&b, vec![1.0, 2.0], &[2]).unwrap(), false);
    assert!(!param.tensor().is_tracked() && !param.is_trainable());
    param.set_trainable(true);
    assert!(param.tensor().is_tracked() && param.is_trainable());
    let gradients = param.tensor().square().unwrap().sum().unwrap().backward().unwrap();
    assert_eq!(gradients.of(param.tensor()).unwrap().to_vec().unwrap(), [2.0, 4.0]);
    // Saying again what holds already changes nothing: gradients under way still find the variable.
    param.set_trainable(true);
    assert!(gradients.of(param.tensor()).is_some());
    param.set_trainable(false);
    assert_eq!(param.tensor().to_vec().unwrap(), [1.0, 2.0]);
}

#[test]
fn a_value_is_replaced_only_by_one_of_its_shape() {
    let b = B::new();
    let mut param = Param::new("w", Tensor::full(&b, &[2], 0.0).unwrap(), true);
    param.set_value(b.upload(vec![5.0, 6.0], [2].into()).unwrap()).unwrap();
    assert_eq!(param.tensor().to_vec().unwrap(), [5.0, 6.0]);
    assert!(param.tensor().is_tracked());
    let error = param.set_value(b.fill([2, 1].into(), 1.0).unwrap()).unwrap_err();
    assert!(error.to_string().contains("[2]") && error.to_string().contains("[2, 1]"), "{error}");
    assert_eq!(param.tensor().to_vec().unwrap(), [5.0, 6.0]);
}

#[test]
fn penalties_have_the_gradients_of_their_differences() {
    let b = B::new();
    // Away from 0, where |w| has a kink.
    let weights = [(vec![0.5, -0.3, 1.2, -2.0, 0.1, 0.7], vec![2, 3])];
    for regularizer in [Regularizer::l1(0.3), Regularizer::l2(0.2), Regularizer::l1_l2(0.3, 0.2)] {
        gradcheck(&b, &weights, Tolerance::default(), |w| regularizer.penalty(&w[0])).unwrap();
    }
    let w = Tensor::variable(&b, weights[0].0.clone(), &weights[0].1).unwrap();
    let none = Regularizer::default().penalty(&w).unwrap();
    assert!(none.to_scalar().unwrap() == 0.0 && !none.is_tracked());
    for wrong in [Regularizer::l1(-0.1), Regularizer::l2(f64::NAN), Regularizer::l1_l2(0.1, f64::INFINITY)] {
        assert!(wrong.penalty(&w).is_err(), "{wrong:?}");
    }
}

#[test]
fn penalties_and_projections_are_those_of_keras() {
    let (golden, b) = (Golden::open("layers"), B::new());
    let near = |name: &str, found: &[f64], expected: &[f64]| {
        assert_eq!(found.len(), expected.len());
        let far = found.iter().zip(expected).any(|(x, y)| (x - y).abs() > 1e-12);
        assert!(!far, "{name}: {found:?}, expected {expected:?}");
    };
    let mut compared = 0;
    for case in &golden.cases {
        let weights = || golden.tensor(case, "weights").unwrap();
        match &*case.kind {
            "regularizer" => {
                let (data, shape) = weights();
                let w = Tensor::variable(&b, data, &shape).unwrap();
                let regularizer = Regularizer::l1_l2(case.number("l1"), case.number("l2"));
                let penalty = regularizer.penalty(&w).unwrap();
                near(&case.name, &penalty.to_vec().unwrap(), &golden.tensor(case, "value").unwrap().0);
                let gradient = penalty.backward().unwrap().of(&w).unwrap();
                near(&case.name, &gradient.to_vec().unwrap(), &golden.tensor(case, "grad").unwrap().0);
            }
            "constraint" => {
                let constraint = match case.args["constraint"].as_str().unwrap() {
                    "max_norm" => Constraint::MaxNorm(case.number("max_value")),
                    "non_neg" => Constraint::NonNegative,
                    "unit_norm" => Constraint::UnitNorm,
                    other => panic!("{other}"),
                };
                let (data, shape) = weights();
                let w = Tensor::new(&b, data, &shape).unwrap();
                let found = b.download(&constraint.project(&b, w.value()).unwrap()).unwrap();
                near(&case.name, &found, &golden.tensor(case, "output").unwrap().0);
            }
            _ => continue,
        }
        compared += 1;
    }
    assert_eq!(compared, 6);
}

#[test]
fn a_vector_has_one_norm_and_zeros_stay() {
    let b = B::new();
    let project = |constraint: Constraint, data: Vec<f64>| {
        let w = b.upload(data.clone(), [data.len()].into()).unwrap();
        b.download(&constraint.project(&b, &w).unwrap()).unwrap()
    };
    let [x, y] = project(Constraint::MaxNorm(1.0), vec![3.0, 4.0])[..] else { panic!() };
    assert!((x - 0.6).abs() < 1e-7 && (y - 0.8).abs() < 1e-7);
    assert_eq!(project(Constraint::UnitNorm, vec![0.0, 0.0]), [0.0, 0.0]);
    let w = b.fill([2].into(), 1.0).unwrap();
    assert!(Constraint::MaxNorm(-1.0).project(&b, &w).is_err());
    assert!(Constraint::MaxNorm(f64::NAN).project(&b, &w).is_err());
}

#[test]
fn first_values_are_the_same_in_every_precision() {
    let (init, shape, key) = (Init::Orthogonal { gain: 1.0 }, [7, 5].into(), Key::new(3).named("u"));
    let values = init.values(shape, key).unwrap();
    assert_eq!(init.tensor(&Reference::<f64>::new(), shape, key).unwrap().to_vec().unwrap(), values);
    let single: Vec<f32> = values.iter().map(|&x| x as f32).collect();
    assert_eq!(init.tensor(&Reference::<f32>::new(), shape, key).unwrap().to_vec().unwrap(), single);
}
