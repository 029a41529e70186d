//! Every layer, activation, initialiser, loss, metric and rule goes through JSON: what the registry builds of its description gives the
//! same numbers. Fails when somebody adds one and forgets it here, in its `describe` or in the registry.

mod layers;
mod losses;
mod metrics;
mod rules;
mod source;

use elman::description::Description;
use std::collections::{BTreeMap, BTreeSet};

/// A description as it comes out of a file.
fn through_json(description: &Description) -> Description {
    let back = serde_json::from_str(&description.to_string()).unwrap();
    assert_eq!(&back, description, "numbers come back to the bit");
    back
}

/// Fails unless each option of each kind has two values or more among what was described, so that none of them can be
/// dropped or fixed unseen.
#[track_caller]
fn assert_each_option_varies(described: &[Description]) {
    let mut values: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for description in described {
        options(description["kind"].as_str().unwrap(), description, &mut values);
    }
    values.retain(|(_, option), values| option != "kind" && values.len() < 2);
    assert!(values.is_empty(), "options of which no sample sets another value: {values:?}");
}

fn options(kind: &str, description: &Description, values: &mut BTreeMap<(String, String), BTreeSet<String>>) {
    for (option, value) in description.as_object().unwrap() {
        values.entry((kind.to_string(), option.clone())).or_default().insert(value.to_string());
        if option == "cell" {
            options(&format!("{kind}.cell"), value, values);
        }
    }
}
