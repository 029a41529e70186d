//! PyTorch's conventions: `y = x Wᵀ + b`, two biases a recurrent layer, gates of a GRU in the order r, z, n.

use super::{Host, Kind, Mapping, Source, join};
use crate::error::{Error, Result};

/// The gates of a GRU, ours (z, r, h) in PyTorch's order.
const GRU: [usize; 3] = [1, 0, 2];

/// The arrays of a mapping by our names.
pub(super) fn convert(mapping: &Mapping, source: &mut dyn Source) -> Result<Vec<(String, Host)>> {
    let Mapping { from, to, kind, layer } = mapping;
    let recurrent = matches!(kind, Kind::Rnn | Kind::Lstm | Kind::Gru);
    if *layer > 0 && !recurrent {
        return Err(Error::invalid("import", "a layer's number for recurrent modules only", format!("{mapping:?}")));
    }
    let weight = join(from, "weight");
    let mut found = Vec::new();
    match kind {
        Kind::Linear => found.push((join(to, "kernel"), source.need(&weight)?.transposed()?)),
        Kind::Embedding => found.push((join(to, "embeddings"), source.need(&weight)?)),
        Kind::LayerNorm => found.push((join(to, "gamma"), source.need(&weight)?)),
        Kind::Rnn | Kind::Lstm | Kind::Gru => {
            let names = source.names();
            let has = |end: &str| names.contains(&join(from, &format!("weight_ih{end}")));
            let stacked = format!("_l{layer}");
            // A module of a single step (`nn.LSTMCell`) does not number its layers.
            let end = if *layer == 0 && !has(&stacked) && has("") { String::new() } else { stacked };
            let reverse = format!("{end}_reverse");
            match has(&reverse) {
                false => recurrent_layer(*kind, from, &end, to, source, &mut found)?,
                true => {
                    recurrent_layer(*kind, from, &end, &join(to, "forward"), source, &mut found)?;
                    recurrent_layer(*kind, from, &reverse, &join(to, "backward"), source, &mut found)?;
                }
            }
        }
    }
    let bias = if *kind == Kind::LayerNorm { "beta" } else { "bias" };
    if let (false, Some(array)) = (recurrent, source.find(&join(from, "bias"))?) {
        found.push((join(to, bias), array));
    }
    Ok(found)
}

/// The arrays of one direction of a recurrent layer.
fn recurrent_layer(
    kind: Kind,
    from: &str,
    end: &str,
    to: &str,
    source: &mut dyn Source,
    found: &mut Vec<(String, Host)>,
) -> Result<()> {
    let gates = |array: Host| if kind == Kind::Gru { array.reordered(&GRU) } else { Ok(array) };
    let name = |what: &str| join(from, &format!("{what}{end}"));
    for (theirs, ours) in [("weight_ih", "kernel"), ("weight_hh", "recurrent_kernel")] {
        let kernel = source.need(&name(theirs))?.transposed()?;
        if ours == "recurrent_kernel" {
            kind.check_recurrent(&kernel)?;
        }
        found.push((join(to, ours), gates(kernel)?));
    }
    let Some(bias) = source.find(&name("bias_ih"))? else { return Ok(()) };
    let recurrent = source.need(&name("bias_hh"))?;
    match kind {
        // The reset gate acts on the second bias alone.
        Kind::Gru => {
            found.push((join(to, "bias"), gates(bias)?));
            found.push((join(to, "recurrent_bias"), gates(recurrent)?));
        }
        _ => found.push((join(to, "bias"), bias.plus(&recurrent)?)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Numbers that tell where they are: `base + 100 gate + 10 unit + input`, for two units and three inputs (or none).
    fn gates(base: f64, gates: usize, inputs: Option<usize>) -> Host {
        let row =
            |row: usize| (0..inputs.unwrap_or(1)).map(move |i| base + (100 * (row / 2) + 10 * (row % 2) + i) as f64);
        let shape = [vec![2 * gates], inputs.into_iter().collect()].concat();
        Host { shape, data: (0..2 * gates).flat_map(row).collect() }
    }

    fn module(prefix: &str, end: &str, base: f64, count: usize) -> Vec<(String, Host)> {
        let name = |what: &str| format!("{prefix}{what}{end}");
        vec![
            (name("weight_ih"), gates(base, count, Some(3))),
            (name("weight_hh"), gates(base + 1000.0, count, Some(2))),
            (name("bias_ih"), gates(base + 2000.0, count, None)),
            (name("bias_hh"), gates(base + 3000.0, count, None)),
        ]
    }

    fn converted(mapping: Mapping, arrays: Vec<(String, Host)>) -> BTreeMap<String, Host> {
        let mut source: BTreeMap<String, Host> = arrays.into_iter().collect();
        convert(&mapping, &mut source).unwrap().into_iter().collect()
    }

    #[test]
    fn an_lstm_keeps_its_gates_and_adds_its_biases() {
        let found = converted(Mapping::new("rnn", "lstm", Kind::Lstm), module("rnn.", "_l0", 0.0, 4));
        assert_eq!(found.keys().collect::<Vec<_>>(), ["lstm.bias", "lstm.kernel", "lstm.recurrent_kernel"]);
        let kernel = &found["lstm.kernel"];
        assert_eq!(
            (&kernel.shape[..], &kernel.data[..8]),
            (&[3, 8][..], &[0., 10., 100., 110., 200., 210., 300., 310.][..])
        );
        assert_eq!(kernel.data[8..10], [1., 11.], "the second input");
        let recurrent = &found["lstm.recurrent_kernel"];
        assert_eq!((&recurrent.shape[..], recurrent.data[9]), (&[2, 8][..], 1011.0));
        assert_eq!(found["lstm.bias"].data, [5000., 5020., 5200., 5220., 5400., 5420., 5600., 5620.]);
    }

    #[test]
    fn a_gru_has_its_update_gate_first_and_two_biases() {
        let found = converted(Mapping::new("", "gru", Kind::Gru), module("", "_l0", 0.0, 3));
        // PyTorch's gates r, z, n begin with 0, 100 and 200.
        assert_eq!(found["gru.kernel"].data[..6], [100., 110., 0., 10., 200., 210.]);
        assert_eq!(found["gru.recurrent_kernel"].data[6..], [1101., 1111., 1001., 1011., 1201., 1211.]);
        assert_eq!(found["gru.bias"].data, [2100., 2110., 2000., 2010., 2200., 2210.]);
        assert_eq!(found["gru.recurrent_bias"].data, [3100., 3110., 3000., 3010., 3200., 3210.]);
    }

    #[test]
    fn layers_and_directions_are_told_by_their_ends() {
        let ends = [("_l0", 0.0), ("_l0_reverse", 0.25), ("_l1", 0.5), ("_l1_reverse", 0.75)];
        let arrays: Vec<_> = ends.iter().flat_map(|&(end, base)| module("rnn.", end, base, 1)).collect();
        let first = converted(Mapping::new("rnn", "a", Kind::Rnn), arrays.clone());
        let second = converted(Mapping::new("rnn", "b", Kind::Rnn).layer(1), arrays.clone());
        assert_eq!((first.len(), second.len()), (6, 6));
        assert_eq!((first["a.forward.kernel"].data[0], first["a.backward.kernel"].data[0]), (0.0, 0.25));
        assert_eq!((second["b.forward.kernel"].data[0], second["b.backward.bias"].data[0]), (0.5, 5001.5));
        let cell = converted(Mapping::new("cell", "c", Kind::Rnn), module("cell.", "", 7.0, 1));
        assert_eq!(cell["c.kernel"].data[0], 7.0);
        let mut source: BTreeMap<String, Host> = arrays.into_iter().collect();
        let error = convert(&Mapping::new("rnn", "c", Kind::Rnn).layer(2), &mut source).unwrap_err().to_string();
        assert!(error.starts_with("import: expected a file with `rnn.weight_ih_l2`, found one with rnn.bias_hh_l0, "));
        source.remove("rnn.bias_hh_l0");
        assert!(convert(&Mapping::new("rnn", "c", Kind::Rnn), &mut source).is_err(), "one bias of two");
    }

    #[test]
    fn gates_tell_the_kinds_apart() {
        let kinds = [(Kind::Rnn, 1), (Kind::Gru, 3), (Kind::Lstm, 4)];
        for ((kind, _), (other, gates)) in kinds.into_iter().flat_map(|kind| kinds.map(|other| (kind, other))) {
            // Without biases, of which a GRU has two: nothing else would tell.
            let mut arrays = module("m.", "_l0", 0.0, gates);
            arrays.retain(|(name, _)| name.contains("weight"));
            let mut source: BTreeMap<String, Host> = arrays.into_iter().collect();
            let converted = convert(&Mapping::new("m", "to", kind), &mut source);
            assert_eq!(converted.is_ok(), kind == other, "{kind:?} from {other:?}");
        }
    }

    #[test]
    fn other_layers_need_little() {
        let matrix = Host { shape: vec![2, 3], data: vec![1., 2., 3., 4., 5., 6.] };
        let vector = Host { shape: vec![2], data: vec![7., 8.] };
        let arrays = vec![("m.weight".to_string(), matrix.clone()), ("m.bias".to_string(), vector.clone())];
        let linear = converted(Mapping::new("m", "d", Kind::Linear), arrays.clone());
        assert_eq!((&linear["d.kernel"], &linear["d.bias"]), (&matrix.clone().transposed().unwrap(), &vector));
        let norm = converted(Mapping::new("m", "n", Kind::LayerNorm), arrays.clone());
        assert_eq!((&norm["n.gamma"], &norm["n.beta"]), (&matrix, &vector));
        let embedding = converted(Mapping::new("m", "e", Kind::Embedding), arrays[..1].to_vec());
        assert_eq!((&embedding["e.embeddings"], embedding.len()), (&matrix, 1));
        let mut source: BTreeMap<String, Host> = arrays.into_iter().collect();
        assert!(convert(&Mapping::new("m", "d", Kind::Linear).layer(1), &mut source).is_err());
    }
}
