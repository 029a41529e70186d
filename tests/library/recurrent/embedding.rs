//! Embeddings: what they look up, what they mask, what they drop, what is refused.

use crate::common::near::{numbers, tensor};
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::{Dense, Elman, Embedding, Lstm, Mode, Sequential, Value, Weight};
use elman::loss::MeanSquaredError;
use elman::model::Batch;
use elman::optim::{AdaDelta, AdaGrad, Adam, Nadam, Optimizer, Reach, RmsProp, Rule, Sgd};
use elman::tensor::Gradient;
use elman::training::Fit;
use elman::{Backend, Key, Model, Regularizer, Spec};
use elman_candle::Candle;
use elman_reference::Reference;

type R = Reference<f64>;

fn b() -> R {
    R::with_threads(1)
}

fn model(layer: Embedding) -> Model<R> {
    Sequential::new().add(layer).build(&b(), Spec::Indices(None), 3).unwrap()
}

fn words(rows: &[u32], steps: usize) -> Value<R> {
    Value::Indices(b().upload_indices(rows.to_vec(), [rows.len() / steps, steps].into()).unwrap())
}

#[test]
fn vectors_are_looked_up() {
    let layer = Embedding::from_vectors(vec![0.0, 0.0, 1.0, 2.0, 3.0, 4.0], 2).unwrap();
    let model = model(layer);
    assert_eq!(model.output(), &Spec::Dense(vec![None, Some(2)]));
    let y = model.forward(words(&[2, 1, 1, 0], 2), Mode::Evaluation).unwrap();
    assert_eq!((numbers(&y), &y.shape()[..]), (vec![3., 4., 1., 2., 1., 2., 0., 0.], &[2, 2, 2][..]));
    let error = model.forward(words(&[1, 3], 2), Mode::Evaluation).unwrap_err().to_string();
    assert!(error.starts_with("layer `embedding`: gather: ") && error.contains('3'), "{error}");
}

#[test]
fn the_padding_starts_at_zero_and_is_masked() {
    let network = |embedding: Embedding| Sequential::new().add(embedding).add(Elman::new(3));
    let run = |embedding, rows: &[u32]| {
        let model = network(embedding).build(&b(), Spec::Indices(None), 3).unwrap();
        numbers(&model.forward(words(rows, rows.len()), Mode::Evaluation).unwrap())
    };
    let padded = || Embedding::new(5, 4).padding(0);
    assert_eq!(run(padded(), &[0, 0, 3, 1]), run(padded(), &[3, 1]));
    assert_eq!(run(padded(), &[3, 0, 1, 0]), run(padded(), &[3, 1]));
    assert_ne!(run(Embedding::new(5, 4), &[3, 1, 0]), run(Embedding::new(5, 4), &[3, 1]));
    assert_eq!(model(padded()).params()[0].tensor().to_vec().unwrap()[..4], [0.0; 4]);
    // Both masks count.
    let model = network(padded()).build(&b(), Spec::Indices(None), 3).unwrap();
    let mask = elman::layers::Mask::new(&b(), &[true, true, false, true], 4).unwrap();
    let both = model.forward(words(&[0, 3, 2, 1], 4).with_mask(mask), Mode::Evaluation).unwrap();
    assert_eq!(numbers(&both), run(padded(), &[3, 1]));
}

#[test]
fn whole_words_are_dropped_wherever_they_occur() {
    let layer = Embedding::new(400, 2).table(Weight::ones()).word_dropout(0.25);
    let model = model(layer);
    let rows: Vec<u32> = (0..400).chain(0..400).collect();
    let y = |key| numbers(&model.forward(words(&rows, 400), Mode::Training(Key::new(key))).unwrap());
    let drawn = y(1);
    assert_eq!(drawn[..800], drawn[800..], "a word fares alike in every sequence");
    assert!(drawn.chunks(2).all(|v| v == [0.0; 2] || v == [1.0 / 0.75; 2]));
    let dropped = drawn[..800].chunks(2).filter(|v| v[0] == 0.0).count();
    // 100 expected, standard deviation sqrt(400 · 1/4 · 3/4) = 8.7; five of them.
    assert!((dropped as i64 - 100).abs() < 44, "{dropped}");
    assert_ne!(drawn, y(2));
    assert!(numbers(&model.forward(words(&rows, 400), Mode::Evaluation).unwrap()).iter().all(|&y| y == 1.0));
}

#[test]
fn the_gradient_holds_the_rows_that_occurred() {
    let model = model(Embedding::new(50, 2));
    let table = model.params()[0].tensor();
    let gradient = || {
        let y = model.forward(words(&[7, 3, 7, 9], 2), Mode::Training(Key::new(0))).unwrap();
        y.mul(&tensor(&b(), &[1., 2., 3., 4., 5., 6., 7., 8.], &[2, 2, 2])).unwrap().sum().unwrap().backward().unwrap()
    };
    let Some(Gradient::Rows(rows)) = gradient().take_gradient(table) else { panic!("not by rows") };
    let rows = rows.coalesce(&b()).unwrap();
    assert_eq!(b().download_indices(&rows.rows).unwrap(), [3, 7, 9]);
    assert_eq!(b().download(&rows.values).unwrap(), [3., 4., 6., 8., 7., 8.]);
    // Whoever wants it whole has it whole.
    let whole = gradient().of(table).unwrap().to_vec().unwrap();
    assert_eq!((whole.iter().sum::<f64>(), &whole[14..16]), (36.0, &[6.0, 8.0][..]));
}

#[test]
fn a_frozen_table_costs_no_gradient_and_no_state() {
    let layer = Embedding::from_vectors((0..20).map(|x| x as f32 / 10.0).collect(), 2).unwrap().frozen();
    let network = Sequential::new().add(layer).add(Lstm::new(3)).add(Dense::new(1));
    let mut model = network.build(&b(), Spec::Indices(None), 3).unwrap();
    model.compile(Adam::new(0.1), MeanSquaredError);
    let before = model.params()[0].tensor().to_vec().unwrap();
    let data = Dataset::new(Inputs::indices(&[[1, 2], [3, 9]]).unwrap(), Targets::values(vec![1., 0.], &[1]).unwrap());
    let data = data.unwrap();
    model.fit(&data, Fit::new().epochs(2).quiet()).unwrap();
    assert_eq!(model.params()[0].tensor().to_vec().unwrap(), before);
    let state = model.optimizer().unwrap().state();
    assert!(state.params.len() == 5 && state.params.iter().all(|param| param.name != "embedding.embeddings"));
    let loss = model.loss(&Batch::new(&b(), data).unwrap(), Mode::Training(Key::new(1))).unwrap().loss;
    assert!(loss.backward().unwrap().take_gradient(model.params()[0].tensor()).is_none());
}

/// A dense gradient for the same table, by a penalty of nearly nothing: the optimiser's numbers without rows.
fn trained<B: Backend>(b: &B, rule: impl Into<Optimizer<B>>, dense: bool) -> Vec<f64> {
    let mut table = Weight::new(elman::Init::Uniform { low: -0.5, high: 0.5 });
    if dense {
        table = table.regularizer(Regularizer::l2(0.0));
    }
    let network =
        Sequential::new().add(Embedding::new(12, 3).table(table).padding(0)).add(Elman::new(2)).add(Dense::new(1));
    let mut model = network.build(b, Spec::Indices(None), 3).unwrap();
    model.compile(rule, MeanSquaredError);
    // Words that come in every batch, once, and never.
    let rows = [[1, 2, 0], [2, 5, 7], [2, 2, 1], [8, 2, 0]];
    let data = Dataset::new(Inputs::indices(&rows).unwrap(), Targets::values(vec![1., -1., 0.5, 0.], &[1]).unwrap());
    model.fit(&data.unwrap(), Fit::new().epochs(4).batch_size(1).quiet()).unwrap();
    model.params()[0].tensor().to_vec().unwrap().into_iter().map(elman::Element::to_f64).collect()
}

fn rows_move_as_the_whole_table_does<B: Backend>(b: &B, tolerance: f64) {
    type Make<B> = fn() -> Optimizer<B>;
    let rules: [(&str, Make<B>); 9] = [
        ("sgd", || Sgd::new(0.1).into()),
        ("momentum", || Sgd::new(0.1).momentum(0.9).into()),
        ("adagrad", || AdaGrad::new(0.1).into()),
        ("adadelta", || AdaDelta::new(1.0).into()),
        ("rmsprop", || RmsProp::new(0.01).into()),
        ("adam", || Adam::new(0.05).into()),
        ("amsgrad", || Adam::new(0.05).amsgrad().into()),
        ("nadam", || Nadam::new(0.05).into()),
        ("adam, clipped", || Optimizer::new(Adam::new(0.05)).clip_global_norm(0.1).accumulate(2)),
    ];
    for (name, rule) in rules {
        let (rows, whole) = (trained(b, rule(), false), trained(b, rule(), true));
        let worst = rows.iter().zip(&whole).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst <= tolerance, "{name} on {}: {worst}", b.name());
    }
}

#[test]
fn exact_updates_by_rows_are_those_of_the_whole_table() {
    rows_move_as_the_whole_table_does(&b(), 1e-14);
    rows_move_as_the_whole_table_does(&Candle::cpu(), 1e-6);
}

#[test]
fn lazy_updates_leave_other_rows_alone() {
    fn check<B: Backend>(b: &B) {
        let run = |reach| trained(b, Optimizer::new(Adam::new(0.05)).reach(reach), false);
        let start = trained(b, Optimizer::new(Sgd::new(0.0)), false);
        let (lazy, exact) = (run(Reach::Lazy), run(Reach::Exact));
        let row = |all: &[f64], i: usize| all[3 * i..3 * i + 3].to_vec();
        for never in [0, 3, 4, 6, 9, 10, 11] {
            assert_eq!(row(&lazy, never), row(&start, never));
        }
        // Word 2 comes in every batch: both are one rule. Word 5 comes once an epoch: momentum goes on without it.
        let apart = |i| row(&lazy, i).iter().zip(row(&exact, i)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(apart(5) > 1e-3 && row(&lazy, 5) != row(&start, 5));
        let sgd = |reach| trained(b, Optimizer::new(Sgd::new(0.1)).reach(reach), false);
        assert_eq!(sgd(Reach::Lazy), sgd(Reach::Exact), "plain descent has nothing that goes on");
    }
    check(&b());
    check(&Candle::cpu());
}

/// A rule of one's own gets the whole gradient.
#[test]
fn rules_that_are_not_fused_work_on_tables_too() {
    #[derive(Debug)]
    struct Plain;
    impl<B: Backend> Rule<B> for Plain {
        fn name(&self) -> &'static str {
            "plain"
        }
        fn learning_rate(&self) -> f64 {
            0.1
        }
        fn update(
            &self,
            at: elman::optim::Step,
            b: &B,
            w: &mut B::Array,
            g: &B::Array,
            state: &mut [B::Array],
        ) -> elman::Result<()> {
            b.update(&elman::backend::Update::Sgd { lr: at.learning_rate, decay: 0.0 }, w, g, state)
        }
    }
    assert_eq!(trained(&b(), Optimizer::new(Plain), false), trained(&b(), Sgd::new(0.1), false));
}

#[test]
fn what_an_embedding_cannot_be_is_refused() {
    let build = |layer: Embedding, spec| Model::new(&b(), &layer, spec, 0).unwrap_err().to_string();
    let spec = || Spec::indices(4);
    assert_eq!(
        build(Embedding::new(3, 2), Spec::dense(&[4])),
        "input: expected indices [batch, time], found [batch, 4]"
    );
    let none = "embedding: expected at least one row of at least one number, found";
    assert_eq!(build(Embedding::new(0, 2), spec()), format!("{none} 0 rows of 2 numbers"));
    assert_eq!(build(Embedding::new(2, 0), spec()), format!("{none} 2 rows of 0 numbers"));
    let padding = "padding: expected an index below 3, the rows of the table, found 3";
    assert_eq!(build(Embedding::new(3, 2).padding(3), spec()), padding);
    let rate = "word dropout: expected a rate in [0, 1), found 1";
    assert_eq!(build(Embedding::new(3, 2).word_dropout(1.0), spec()), rate);
    let vectors = |vectors: &[f32], dim| Embedding::from_vectors(vectors.to_vec(), dim).unwrap_err().to_string();
    assert_eq!(vectors(&[1.0; 5], 2), "embedding: expected whole rows of 2 numbers, at least 1, found 5 numbers");
    assert_eq!(vectors(&[1.0; 5], 0), "embedding: expected whole rows of 0 numbers, at least 1, found 5 numbers");
    let nan = [1.0, 2.0, 3.0, f32::NAN];
    assert_eq!(vectors(&nan, 2), "embedding, row 1, number 1: expected a finite number, found NaN");
}
