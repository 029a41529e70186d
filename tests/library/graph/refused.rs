//! Graphs, records and objectives that cannot be: clear errors before any training.

use super::{Double, network, spec, texts};
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::*;
use elman::loss::{MeanSquaredError, SparseCategoricalCrossEntropy};
use elman::model::Objective;
use elman::optim::Sgd;
use elman::{Fit, Model, Record, Spec};

fn error(graph: Graph<Double>) -> String {
    let input = Spec::record([("x", Spec::dense(&[3])), ("y", Spec::dense(&[2]))]).unwrap();
    graph.build(&Double::new(), input, 0).unwrap_err().to_string()
}

#[test]
fn graphs_that_cannot_be_are_errors_that_name_the_node() {
    let dense = || Dense::new(2);
    let found = error(Graph::new().node("a", dense(), "z").output("a"));
    assert_eq!(found, "graph, node `a`: edge: expected the name of an input or of a node before (x, y), found `z`");
    let found = error(Graph::new().node("a", dense(), "b").node("b", dense(), "x").output("a"));
    assert!(found.starts_with("graph, node `a`: edge: ") && found.ends_with("found `b`"), "a circle: {found}");
    let found = error(
        Graph::new().node("a", dense(), "x").node("b", Add::new(), ["a", "y"]).node("c", dense(), "y").output("b"),
    );
    assert_eq!(found, "graph: expected inputs and nodes that are all used, found `c`, which is not");
    let found = error(Graph::new().node("a", dense(), "x").output("a"));
    assert!(found.ends_with("found `y`, which is not"), "{found}");
    let found = error(Graph::new().node("a", Add::new(), ["x", "y"]).output("a"));
    assert_eq!(found, "layer `a`: add, input `y`: expected sizes like those of `x`, [batch, 3], found [batch, 2]");
    let found = error(Graph::new().node("a", dense(), "x").node("a", dense(), "y").output("a"));
    assert!(found.contains("a name that is not taken"), "{found}");
    let found = error(Graph::new().node("x", dense(), "x").output("x"));
    assert!(found.contains("nodes of other names than the inputs"), "{found}");
    let found = error(Graph::new().node("a", Concatenate::new(), ["x", "y"]));
    assert!(found.contains("an output (`output` or `outputs`)"), "{found}");
    let found = error(Graph::new().node("a", Concatenate::new(), ["x", "y"]).output("a.h"));
    assert!(found.starts_with("graph, output: ") && found.contains("a record of named parts"), "{found}");
    let found = error(
        Graph::new().node("a", Concatenate::new(), ["x", "x"]).node("b", Concatenate::new(), ["a", "y"]).output("b"),
    );
    assert!(found.contains("names of parts that differ, found `x` twice"), "{found}");
    let found = error(Graph::new().node("a", Concatenate::new(), ["x", "y"]).again("b", "c", "a").output("b"));
    assert!(found.contains("a node before it that has a layer of its own, found `c`"), "{found}");
    let found = error(Graph::new().node("a", Concatenate::new(), ["x", "y"]).output("a").once(["b"]));
    assert!(found.contains("graph, once: expected the name of a node, found `b`"), "{found}");
    let found = error(Graph::new().node("a", dense(), ["x", "y"]).output("a"));
    assert!(
        found.starts_with("layer `a`: input: expected numbers") && found.contains("{x: [batch, 3], y: [batch, 2]}"),
        "{found}"
    );
}

#[test]
fn data_that_do_not_fit_are_told_by_part() {
    let b = Double::new();
    let mut model = network().build(&b, spec(), 0).unwrap();
    model.compile_outputs(
        Sgd::new(0.1),
        [Objective::new("topic", SparseCategoricalCrossEntropy::new()), Objective::new("size", MeanSquaredError)],
    );
    let data = texts(4);
    let fit = |model: &mut Model<Double>, data: &Dataset| model.fit(data, Fit::new().quiet()).unwrap_err().to_string();
    let Inputs::Record(inputs) = data.inputs().clone() else { panic!("no record") };
    let Targets::Record(targets) = data.targets().clone() else { panic!("no record") };
    let words = || inputs.get("words").unwrap().clone();
    let of = |parts: Vec<(&str, Inputs)>| Dataset::new(Inputs::record(parts).unwrap(), data.targets().clone()).unwrap();
    let numbers = |width: usize| Inputs::dense(vec![0.0; 4 * width], &[width]).unwrap();

    let found = fit(&mut model, &of(vec![("words", words())]));
    assert!(found.starts_with("training data: expected a part `numbers` of {words: "), "{found}");
    let found = fit(&mut model, &of(vec![("words", words()), ("numbers", numbers(2))]));
    assert_eq!(found, "training data, part `numbers`: expected [batch, 3], found [batch, 2]");
    let found = fit(&mut model, &of(vec![("words", words()), ("numbers", numbers(3)), ("more", numbers(1))]));
    assert!(found.starts_with("training data, part `more`: expected a part of"), "{found}");
    let found = fit(&mut model, &Dataset::new(words(), data.targets().clone()).unwrap());
    assert!(found.starts_with("training data: expected {words: "), "{found}");
    let beyond = Inputs::indices(&[[1], [2], [9], [3]]).unwrap();
    let found = fit(&mut model, &of(vec![("words", beyond), ("numbers", numbers(3))]));
    assert_eq!(
        found,
        "training data: part `words`: sample 2, step 0: expected an index below 9, the rows of the table, found 9"
    );

    let with = |targets: Targets| Dataset::new(data.inputs().clone(), targets).unwrap();
    let topic = || targets.get("topic").unwrap().clone();
    let found = fit(&mut model, &with(topic()));
    assert!(found.contains("output `topic`") && found.contains("targets of this output, by its name"), "{found}");
    let found = fit(&mut model, &with(Targets::record([("topic", topic())]).unwrap()));
    assert!(found.contains("output `size`"), "{found}");
    let size = || targets.get("size").unwrap().clone();
    let found =
        fit(&mut model, &with(Targets::record([("topic", topic()), ("size", size()), ("mood", size())]).unwrap()));
    assert!(found.contains("some of `mood`"), "{found}");
    let far = Targets::classes(vec![0, 1, 2, 7]).unwrap();
    let found = fit(&mut model, &with(Targets::record([("topic", far), ("size", size())]).unwrap()));
    assert!(found.contains("output `topic`") && found.contains("sample 3: expected a label below 3"), "{found}");

    let found = Inputs::record([("a", numbers(1)), ("b", Inputs::dense(vec![0.0; 3], &[1]).unwrap())]).unwrap_err();
    assert_eq!(found.to_string(), "inputs, part `b`: expected as many samples as part `a` has, 4, found 3");
}

#[test]
fn objectives_that_do_not_fit_are_errors() {
    let b = Double::new();
    let mut model = network().build(&b, spec(), 0).unwrap();
    let data = texts(4);
    let found = |model: &mut Model<Double>| model.fit(&data, Fit::new().quiet()).unwrap_err().to_string();
    model.compile(Sgd::new(0.1), MeanSquaredError);
    let single = found(&mut model);
    assert!(
        single.starts_with("compile: expected objectives for outputs of the model, {topic: ")
            && single.ends_with("found a single loss"),
        "{single}"
    );
    model.compile_outputs(Sgd::new(0.1), [Objective::new("mood", MeanSquaredError)]);
    assert!(found(&mut model).ends_with("found one for `mood`"));
    model.compile_outputs(Sgd::new(0.1), []);
    assert!(found(&mut model).contains("an objective"));
    model.compile_outputs(Sgd::new(0.1), ["size", "size"].map(|name| Objective::new(name, MeanSquaredError)));
    assert!(found(&mut model).contains("`size_loss` twice"));
    model.compile_outputs(Sgd::new(0.1), [Objective::new("size", MeanSquaredError).weight(f64::NAN)]);
    assert!(found(&mut model).contains("weight of the loss"));
    // The last activation is known by output.
    model.compile_outputs(Sgd::new(0.1), [Objective::new("size", SparseCategoricalCrossEntropy::new())]);
    let last = found(&mut model);
    assert!(last.contains("output `size`") && last.ends_with("found a model that ends in sigmoid"), "{last}");
    assert!(model.predict(data.inputs(), 4).unwrap_err().to_string().contains("predict_outputs"));
}

#[test]
fn values_that_are_no_records_are_errors() {
    let b = Double::new();
    let model = network().build(&b, spec(), 0).unwrap();
    let found =
        model.forward(elman::Tensor::full(&b, &[2, 3], 0.0).unwrap(), Mode::Evaluation).unwrap_err().to_string();
    assert!(found.starts_with("model input: expected {words: "), "{found}");
    let numbers = Record::new([("numbers", Value::Tensor(elman::Tensor::full(&b, &[2, 3], 0.0).unwrap()))]).unwrap();
    let found = model.forward(numbers, Mode::Evaluation).unwrap_err().to_string();
    assert!(found.contains("a part `words`"), "{found}");
    let spec = Spec::record([("input", Spec::Dense(vec![None, Some(2)])), ("h", Spec::dense(&[3]))]).unwrap();
    let built = |layer: Lstm| Model::new(&b, &layer, spec.clone(), 0).unwrap_err().to_string();
    assert!(built(Lstm::new(3)).contains("found none `c`"), "{}", built(Lstm::new(3)));
    assert!(built(Lstm::new(4)).contains("found h: [batch, 3]"));
    assert!(built(Lstm::new(3).record().return_state()).contains("none `c`"));
    let both = Model::new(&b, &Gru::new(3).record().return_state(), Spec::Dense(vec![None, Some(2)]), 0);
    assert!(both.unwrap_err().to_string().contains("states in a record or side by side"));
}
