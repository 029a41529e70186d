//! What can be found wrong is found before the first step, and told by the sample that it is in.

use super::toy::{R, numbers};
use elman::data::{Dataset, Inputs, Targets};
use elman::layers::{Dense, Embedding, GlobalAveragePooling, Sequential};
use elman::loss::BinaryCrossEntropy;
use elman::model::Model;
use elman::optim::Sgd;
use elman::training::Fit;
use elman::{Activation, Spec};

/// A table of ten words.
fn model() -> Model<R> {
    let network = Sequential::new()
        .add(Embedding::new(10, 2).padding(0))
        .add(GlobalAveragePooling)
        .add(Dense::new(1).activation(Activation::Sigmoid));
    let mut model = network.build(&R::new(), Spec::Indices(None), 0).unwrap();
    model.compile(Sgd::new(0.1), BinaryCrossEntropy::new());
    model
}

/// A hundred texts of three words, the second word of one of them beyond the table.
fn texts(wrong: Option<usize>) -> Dataset {
    let rows: Vec<[u32; 3]> = (0..100).map(|i| [1 + i as u32 % 9, if wrong == Some(i) { 10 } else { 2 }, 3]).collect();
    Dataset::new(Inputs::indices(&rows).unwrap(), Targets::classes((0..100).map(|i| i % 2).collect()).unwrap()).unwrap()
}

#[test]
fn an_index_beyond_the_table_is_found_before_the_first_step() {
    let options = || Fit::new().batch_size(10).shuffle(false).quiet();
    let (good, bad) = (texts(None), texts(Some(90)));
    for place in ["training data", "validation data"] {
        let mut model = model();
        let before = numbers(&model);
        let error = match place {
            "training data" => model.fit(&bad, options()),
            _ => model.fit(&good, options().validation_data(&bad)),
        };
        let error = error.unwrap_err().to_string();
        // The sample in the data, not a position in a batch; which index, and how many there are.
        for words in [place, "sample 90", "below 10", "found 10"] {
            assert!(error.contains(words), "`{words}` is not in: {error}");
        }
        assert_eq!(numbers(&model), before, "{place}: weights have moved");
    }
}
