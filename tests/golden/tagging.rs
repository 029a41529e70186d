//! Conditional random fields against pytorch-crf: likelihoods, gradients, best paths, means; through the layer and its loss. Connectionist
//! temporal classification against PyTorch: likelihoods, and gradients at the logits.

use crate::common::golden::{Golden, Reading};
use crate::common::near::{assert_near, numbers, tensor, tolerance, variable};
use elman::layers::{Crf, Mask, Mode, Sequential, Value};
use elman::loss::{CrfLoss, Target};
use elman::model::Batch;
use elman::optim::Sgd;
use elman::{Backend, Element, Key, Model, Shape, Spec, Tensor};

on_every_backend!();

fn check<B: Backend>(b: &B) {
    Golden::open("tagging").each(|case| match case.kind() {
        "crf" => crf(b, case),
        "ctc" => ctc(b, case),
        other => panic!("{}: kind {other}", case.name()),
    });
}

fn near<B: Backend>(case: &Reading<'_>, what: &str, found: &Tensor<B>) {
    assert_near(&format!("{}: {what}", case.name()), &numbers(found), &case.numbers(what), tolerance::<B>());
}

/// The layer with the case's parameters.
fn model<B: Backend>(b: &B, case: &Reading<'_>, tags: usize) -> Model<B> {
    let pairs = case.option("forbidden").as_array().unwrap();
    let number = |pair: &serde_json::Value, at: usize| usize::try_from(pair[at].as_u64().unwrap()).unwrap();
    let crf = pairs.iter().fold(Crf::new(), |crf, pair| crf.forbid(number(pair, 0), number(pair, 1)));
    let mut model = Sequential::new().add(crf).build(b, Spec::Dense(vec![None, Some(tags)]), 0).unwrap();
    for param in model.params_mut() {
        let what = param.name().trim_start_matches("crf.").to_string();
        let value = tensor(b, &case.numbers(&what), &param.shape());
        param.set_value(value.value().clone()).unwrap();
    }
    model
}

fn crf<B: Backend>(b: &B, case: &Reading<'_>) {
    let (data, shape) = case.tensor("scores");
    let mut model = model(b, case, shape[2]);
    let steps = shape[1];
    let mask = Mask::from_array(b, tensor(b, &case.numbers("mask"), &shape[..2]).value().clone()).unwrap();
    let (labels, _) = case.labels("tags");
    let labels = |b: &B| b.upload_indices(labels.clone(), Shape::new(&shape[..2]).unwrap()).unwrap();

    // Likelihoods and gradients, with those of the scores.
    let scores = variable(b, &data, &shape);
    let [transitions, start, end] = [0, 1, 2].map(|param: usize| model.params()[param].tensor().clone());
    let mut allowed = vec![B::Elem::from_f64(1.0); shape[2] * shape[2]];
    for pair in case.option("forbidden").as_array().unwrap() {
        allowed[(pair[0].as_u64().unwrap() * shape[2] as u64 + pair[1].as_u64().unwrap()) as usize] =
            B::Elem::from_f64(0.0);
    }
    let allowed = Tensor::new(b, allowed, &[shape[2], shape[2]]).unwrap();
    let none = Tensor::full(b, &[], f64::NEG_INFINITY).unwrap();
    let edges = [&start, &transitions.select(&allowed, &none).unwrap(), &end];
    let each = scores.crf(edges, &labels(b), Some(mask.array())).unwrap();
    near(case, "each", &each);
    let upstream = tensor(b, &case.numbers("grad_output"), &shape[..1]).value().clone();
    let gradients = each.backward_from(upstream).unwrap();
    for (what, of) in
        [("grad_scores", &scores), ("grad_start", &start), ("grad_transitions", &transitions), ("grad_end", &end)]
    {
        near(case, what, &gradients.of(of).unwrap());
    }

    // The best paths, by the layer.
    let value = || Value::Tensor(tensor(b, &data, &shape)).with_mask(mask.clone());
    let mut pass = model.pass(Mode::Evaluation);
    let path = model.run(value(), &mut pass).unwrap().split().0.tensor(&pass).unwrap();
    let mut want = vec![0.0; data.len()];
    for (step, tag) in case.numbers("path").into_iter().enumerate().filter(|(_, tag)| *tag >= 0.0) {
        want[step * shape[2] + tag as usize] = 1.0;
    }
    assert_eq!(numbers(&path), want, "{}: path", case.name());

    // The means, by the loss.
    let target =
        || Target::Classes { labels: case.labels("tags").0.into(), shape: Shape::new(&[shape[0], steps]).unwrap() };
    for (what, loss) in [("token_mean", CrfLoss::new()), ("mean", CrfLoss::new().per_sequence())] {
        model.compile(Sgd::new(0.1), loss);
        let batch = Batch { input: value(), target: target(), weights: None, len: shape[0] };
        near(case, what, &model.loss(&batch, Mode::Training(Key::new(0))).unwrap().loss);
    }
}

fn ctc<B: Backend>(b: &B, case: &Reading<'_>) {
    let (data, shape) = case.tensor("logits");
    let whole = |what: &str| case.labels(what).0.into_iter().map(|x| x as usize).collect::<Vec<_>>();
    let mask = Mask::from_lengths(b, &whole("lengths"), shape[1]).unwrap();
    let (labels, most) = case.labels("labels");
    let labels: Vec<Vec<u32>> =
        labels.chunks(most[1]).zip(whole("counts")).map(|(row, count)| row[..count].to_vec()).collect();
    let blank = u32::try_from(case.option("blank").as_u64().unwrap()).unwrap();
    let logits = variable(b, &data, &shape);
    let each = logits.ctc(&labels, blank, Some(mask.array())).unwrap();
    near(case, "each", &each);
    let upstream = tensor(b, &case.numbers("grad_output"), &shape[..1]).value().clone();
    near(case, "grad_logits", &each.backward_from(upstream).unwrap().of(&logits).unwrap());
}
