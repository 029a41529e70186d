//! Keras' conventions are ours, but for names and a GRU's two biases in one array.

use super::{Host, Kind, Mapping, Source, join};
use crate::error::{Error, Result};

/// The arrays of a mapping by our names.
pub(super) fn convert(mapping: &Mapping, source: &mut dyn Source) -> Result<Vec<(String, Host)>> {
    let Mapping { from, to, kind, layer } = mapping;
    if *layer > 0 {
        let expected = "a path for each layer: Keras' recurrent layers are not stacked";
        return Err(Error::invalid("import", expected, format!("{mapping:?}")));
    }
    let variables: &[&str] = match kind {
        Kind::Linear => &["kernel", "bias"],
        Kind::Embedding => &["embeddings"],
        Kind::LayerNorm => &["gamma", "beta"],
        Kind::Rnn | Kind::Lstm | Kind::Gru => &["kernel", "recurrent_kernel", "bias"],
    };
    let mut found = Vec::new();
    for name in source.names() {
        let rest = if from.is_empty() { Some(&*name) } else { name.strip_prefix(&format!("{from}/")) };
        let Some((direction, variable)) = rest.and_then(|rest| place(rest, *kind)) else { continue };
        if !variables.contains(&variable) {
            continue;
        }
        let path = if direction.is_empty() { to.clone() } else { join(to, direction) };
        let array = source.need(&name)?;
        if variable == "recurrent_kernel" {
            kind.check_recurrent(&array)?;
        }
        match (kind, variable, &array.shape[..]) {
            (Kind::Gru, "bias", &[2, gates]) => {
                let (bias, recurrent) = array.data.split_at(gates);
                for (name, row) in [("bias", bias), ("recurrent_bias", recurrent)] {
                    found.push((join(&path, name), Host { shape: vec![gates], data: row.to_vec() }));
                }
            }
            _ => found.push((join(&path, variable), array)),
        }
    }
    if found.is_empty() {
        let expected = format!("variables of a {kind:?} layer below `{from}`");
        return Err(Error::invalid("import", expected, source.names().join(", ")));
    }
    Ok(found)
}

/// Direction (of a bidirectional layer) and name of the variable at a path below a layer; `None` for what is another
/// layer's.
fn place(path: &str, kind: Kind) -> Option<(&'static str, &str)> {
    let mut parts: Vec<&str> = path.split('/').collect();
    let variable = parts.pop()?;
    // Between a recurrent layer and its variables stands its cell: `lstm/lstm_cell/kernel`.
    let recurrent = matches!(kind, Kind::Rnn | Kind::Lstm | Kind::Gru);
    parts.pop_if(|part| recurrent && part.contains("_cell"));
    match parts[..] {
        [] => Some(("", variable)),
        [layer] if recurrent && layer.starts_with("forward_") => Some(("forward", variable)),
        [layer] if recurrent && layer.starts_with("backward_") => Some(("backward", variable)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn converted(mapping: Mapping, arrays: &[(&str, &[usize])]) -> BTreeMap<String, Host> {
        let array = |(number, &(name, shape)): (usize, &(&str, &[usize]))| {
            let data = (0..shape.iter().product::<usize>()).map(|i| (100 * number + i) as f64).collect();
            (name.to_string(), Host { shape: shape.to_vec(), data })
        };
        let mut source: BTreeMap<String, Host> = arrays.iter().enumerate().map(array).collect();
        convert(&mapping, &mut source).unwrap().into_iter().collect()
    }

    #[test]
    fn variables_go_by_their_last_name() {
        let arrays: [(&str, &[usize]); 5] = [
            ("sequential/dense/kernel", &[2, 3]),
            ("sequential/dense/bias", &[3]),
            ("sequential/dense_1/kernel", &[3, 3]),
            ("sequential/dense/seed_generator/seed_generator_state", &[2]),
            ("sequential/norm/gamma", &[3]),
        ];
        let dense = converted(Mapping::new("sequential/dense", "out", Kind::Linear), &arrays);
        assert_eq!(dense.keys().collect::<Vec<_>>(), ["out.bias", "out.kernel"]);
        assert_eq!((dense["out.kernel"].data[5], dense["out.bias"].data[0]), (5.0, 100.0));
        let norm = converted(Mapping::new("sequential/norm", "norm", Kind::LayerNorm), &arrays);
        assert_eq!(norm["norm.gamma"].data, [400., 401., 402.]);
    }

    #[test]
    fn both_directions_are_found_in_their_cells() {
        let arrays: [(&str, &[usize]); 4] = [
            ("s/bidirectional/forward_lstm/lstm_cell/kernel", &[1, 4]),
            ("s/bidirectional/forward_lstm/lstm_cell/recurrent_kernel", &[1, 4]),
            ("s/bidirectional/backward_lstm/lstm_cell_1/kernel", &[1, 4]),
            ("s/bidirectional/backward_lstm/lstm_cell_1/bias", &[4]),
        ];
        let found = converted(Mapping::new("s/bidirectional", "both", Kind::Lstm), &arrays);
        let expected =
            ["both.backward.bias", "both.backward.kernel", "both.forward.kernel", "both.forward.recurrent_kernel"];
        assert_eq!(found.keys().collect::<Vec<_>>(), expected);
        assert_eq!(found["both.backward.kernel"].data, [200., 201., 202., 203.]);
    }

    #[test]
    fn the_rows_of_a_grus_bias_are_two_biases() {
        let reset_after = converted(Mapping::new("gru", "gru", Kind::Gru), &[("gru/gru_cell/bias", &[2, 3])]);
        assert_eq!(
            (&reset_after["gru.bias"].data[..], &reset_after["gru.bias"].shape[..]),
            (&[0., 1., 2.][..], &[3][..])
        );
        assert_eq!(reset_after["gru.recurrent_bias"].data, [3., 4., 5.]);
        let before = converted(Mapping::new("gru", "gru", Kind::Gru), &[("gru/gru_cell/bias", &[3])]);
        assert_eq!((before.len(), &before["gru.bias"].data[..]), (1, &[0., 1., 2.][..]));
    }

    #[test]
    fn what_is_not_there_is_named() {
        let mut source: BTreeMap<String, Host> = [("a/kernel".into(), Host { shape: vec![1], data: vec![0.] })].into();
        let error = convert(&Mapping::new("b", "dense", Kind::Linear), &mut source).unwrap_err().to_string();
        assert_eq!(error, "import: expected variables of a Linear layer below `b`, found a/kernel");
        assert!(convert(&Mapping::new("a", "dense", Kind::Linear).layer(1), &mut source).is_err());
    }
}
