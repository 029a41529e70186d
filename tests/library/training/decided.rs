//! Classes that are found on the device are those that the metrics find among all predictions.

use elman::backend::Backend;
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::{Dense, Embedding, Sequential};
use elman::loss::{BinaryCrossEntropy, CategoricalCrossEntropy, SparseCategoricalCrossEntropy};
use elman::metrics::{Accuracy, Average, F1, Metric, Needs, Precision, Scores};
use elman::model::Compiled;
use elman::optim::Adam;
use elman::training::Fit;
use elman::{Activation, Key, Model, Result, Spec};
use elman_candle::Candle;
use elman_reference::Reference;

/// A metric that asks for all predictions, whatever it needs.
#[derive(Clone, Debug)]
struct Whole<M>(M);

impl<M: Metric + Clone + 'static> Metric for Whole<M> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn update(&mut self, batch: &Scores<'_>) -> Result<()> {
        assert!(batch.decided.is_none(), "all predictions are told");
        self.0.update(batch)
    }

    fn value(&self) -> f64 {
        self.0.value()
    }

    fn boxed_clone(&self) -> Box<dyn Metric> {
        Box::new(self.clone())
    }
}

/// The same that looks whether classes are all that is told.
#[derive(Clone, Debug)]
struct Told<M>(M, bool);

impl<M: Metric + Clone + 'static> Metric for Told<M> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn reset(&mut self) {
        self.0.reset();
    }

    fn update(&mut self, batch: &Scores<'_>) -> Result<()> {
        assert_eq!(batch.decided.is_some(), self.1, "{batch:?}");
        self.0.update(batch)
    }

    fn needs(&self) -> Needs {
        self.0.needs()
    }

    fn value(&self) -> f64 {
        self.0.value()
    }

    fn boxed_clone(&self) -> Box<dyn Metric> {
        Box::new(self.clone())
    }
}

/// A data set, its loss, the last layer, and whether its rows have one class of several.
struct Case<B: Backend> {
    data: Dataset,
    compile: fn(&mut Model<B>) -> &mut Compiled<B>,
    last: Dense,
    decided: bool,
}

const WORDS: u32 = 7;

/// Texts of 1 to 6 words.
fn texts(n: u64) -> Vec<Vec<u32>> {
    let key = Key::new(5);
    let text = |i: u64| (0..1 + key.below(i, 6) as u64).map(move |w| key.fold(i).below(w, WORDS as usize) as u32);
    (0..n).map(|i| text(i).collect()).collect()
}

fn weights(n: usize) -> Vec<f32> {
    (0..n as u64).map(|i| (Key::new(6).below(i, 4) as f32) / 2.0).collect()
}

fn cases<B: Backend>() -> Vec<Case<B>> {
    let rows = texts(40);
    // At random: nobody learns them.
    let tag = |row: usize, step: usize, of: usize| Key::new(7).fold(row as u64).below(step as u64, of) as u32;
    let drawn = |of: usize| {
        let steps =
            |(row, words): (usize, &Vec<u32>)| (0..words.len()).map(|step| tag(row, step, of)).collect::<Vec<_>>();
        rows.iter().enumerate().map(steps).collect::<Vec<_>>()
    };
    let tags = || drawn(5);
    let one_hot = || {
        let of = |class: &u32| (0..5).map(|c| f32::from(u8::from(c == *class))).collect::<Vec<_>>();
        tags().iter().map(|row| row.iter().flat_map(of).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    let data = |targets: Targets| Dataset::new(Inputs::indices(&rows).unwrap(), targets).unwrap();
    let steps = rows.iter().map(Vec::len).sum();
    let classes = || data(Targets::classes_per_step(&tags()).unwrap());
    let values = |rows: &[Vec<f32>], width| data(Targets::values_per_step(rows, width).unwrap());
    let softmax = || Dense::new(5).activation(Activation::Softmax);
    vec![
        Case {
            data: classes(),
            compile: |model| model.compile(Adam::new(0.05), SparseCategoricalCrossEntropy::new()),
            last: softmax(),
            decided: true,
        },
        Case {
            data: classes().with_weights(weights(steps)).unwrap(),
            compile: |model| {
                model.compile(Adam::new(0.05), SparseCategoricalCrossEntropy::from_logits().ignore_class(3))
            },
            last: Dense::new(5),
            decided: true,
        },
        Case {
            data: values(&one_hot(), 5).with_weights(weights(40)).unwrap(),
            compile: |model| model.compile(Adam::new(0.05), CategoricalCrossEntropy::new()),
            last: softmax(),
            decided: true,
        },
        // One label of several a row, and several of them.
        Case {
            data: classes(),
            compile: |model| model.compile(Adam::new(0.05), BinaryCrossEntropy::from_logits()),
            last: Dense::new(5),
            decided: true,
        },
        Case {
            data: values(&one_hot(), 5),
            compile: |model| model.compile(Adam::new(0.05), BinaryCrossEntropy::from_logits()),
            last: Dense::new(5),
            decided: false,
        },
        Case {
            data: data(Targets::classes_per_step(&drawn(2)).unwrap()),
            compile: |model| model.compile(Adam::new(0.05), BinaryCrossEntropy::from_logits()),
            last: Dense::new(1),
            decided: false,
        },
    ]
}

fn run<B: Backend>(backend: &B, case: &Case<B>, whole: bool) -> Vec<(String, u64)> {
    let network = Sequential::new().add(Embedding::new(WORDS as usize, 3).padding(0)).add(case.last.clone());
    let mut model: Model<B> = network.build(backend, Spec::Indices(None), 2).unwrap();
    let compiled = (case.compile)(&mut model);
    let (accuracy, exact, d) = (Accuracy::new(), Accuracy::exact_match(), case.decided);
    let (f1, precision) = (F1::new(Average::Macro), Precision::new(Average::Micro).named("by_weight"));
    match whole {
        true => {
            compiled.metric(Whole(accuracy)).metric(Whole(exact)).metric(Whole(f1)).weighted_metric(Whole(precision))
        }
        false => compiled
            .metric(Told(accuracy, d))
            .metric(Told(exact, d))
            .metric(Told(f1, d))
            .weighted_metric(Told(precision, d)),
    };
    let history =
        model.fit(&case.data, Fit::new().epochs(2).batch_size(7).validation_data(&case.data).quiet()).unwrap();
    let values = history.epochs.into_iter().flat_map(|epoch| epoch.values);
    values.map(|(name, value)| (name, value.to_bits())).collect()
}

fn same<B: Backend>(backend: &B) {
    for (number, case) in cases::<B>().iter().enumerate() {
        let (classes, all) = (run(backend, case, false), run(backend, case, true));
        assert_eq!(classes, all, "case {number} on {}", backend.name());
        let accuracy = all.iter().find(|(name, _)| name == "val_accuracy").map(|&(_, bits)| f64::from_bits(bits));
        assert!((0.05..0.999).contains(&accuracy.unwrap()), "{accuracy:?}: not all are right, nor wrong");
    }
}

#[test]
fn metrics_are_the_same_by_classes_and_by_predictions() {
    same(&Reference::<f32>::new());
    same(&Reference::<f64>::new());
    same(&Candle::cpu());
}

/// Of equal outputs the first is the class, as it is among predictions.
#[test]
fn ties_go_to_the_first_class() {
    fn share<B: Backend>(backend: &B) -> f64 {
        let mut model = Sequential::new().add(Dense::new(3)).build(backend, Spec::dense(&[1]), 0).unwrap();
        let shape = model.params()[0].shape();
        model.params_mut()[0].set_value(backend.fill(shape, 0.0).unwrap()).unwrap();
        model.compile(Adam::new(0.1), SparseCategoricalCrossEntropy::from_logits()).metric(Told(Accuracy::new(), true));
        let targets = Targets::classes(vec![0, 1, 0, 2, 0]).unwrap();
        let data = Dataset::new(Inputs::dense(vec![1.0; 5], &[1]).unwrap(), targets).unwrap();
        model.evaluate(&data, 2).unwrap().get("accuracy").unwrap()
    }
    assert_eq!([share(&Reference::<f64>::new()), share(&Candle::cpu())], [0.6, 0.6]);
}
