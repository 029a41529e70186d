//! Layer normalisation and attention against their default bodies and their definitions.

use crate::common::host::{Host, agree, close, refused};
use elman::backend::{Attention, AttentionWanted, LayerNormWanted, attention, norm};
use elman::{Backend, Element, Key, Result, Shape};

/// Shapes of what is normalised: odd sizes, one feature, no leading axis, none of them filled, and one for threads.
const NORMED: [&[usize]; 8] = [&[1, 1], &[33, 5], &[3, 257], &[2, 3, 5], &[5], &[0, 3], &[3, 0], &[700, 65]];

pub(crate) fn layer_norm_is_its_default<B: Backend>(b: &B) -> Result<()> {
    for shape in NORMED {
        let (width, rows) = (shape[shape.len() - 1], shape[..shape.len() - 1].iter().product::<usize>());
        let x = Host::random("x", shape).up(b)?;
        let [gamma, beta] = ["gamma", "beta"].map(|name| Host::random(name, &[width]));
        let (gamma, beta) = (gamma.up(b)?, beta.up(b)?);
        let dy = Host::random("dy", shape).up(b)?;
        // The factor of a row of one feature is one over the root of epsilon.
        for epsilon in [1e-3, 1.0] {
            let slack = (width as f64 + 10.0) / epsilon;
            let y = b.layer_norm(&x, &gamma, &beta, epsilon)?;
            agree(b, &y, &norm::layer_norm(b, &x, &gamma, &beta, epsilon)?, slack);
            for choice in 0..8 {
                let wanted = [choice & 1 > 0, choice & 2 > 0, choice & 4 > 0];
                let got = b.layer_norm_grad(&x, &gamma, epsilon, &dy, wanted.into())?;
                let want = norm::layer_norm_grad(b, &x, &gamma, epsilon, &dy, wanted.into())?;
                for ((got, want), wanted) in got.iter().zip(&want).zip(wanted) {
                    assert_eq!(got.is_some(), wanted, "what is wanted is given, and nothing else");
                    if let (Some(got), Some(want)) = (got, want) {
                        agree(b, got, want, slack + rows as f64);
                    }
                }
            }
        }
    }
    Ok(())
}

/// In `f64`; also far from 0, where a variance from the mean of squares would be lost in `f32`.
pub(crate) fn layer_norm_is_its_definition<B: Backend>(b: &B) -> Result<()> {
    for far in [0.0, 4096.0] {
        let host = Host::random("x", &[7, 33]).map(|x| (x * 256.0).round() / 256.0 + far);
        let [gamma, beta] = ["gamma", "beta"].map(|name| Host::random(name, &[33]));
        let mut want = host.clone();
        for row in want.data.chunks_mut(33) {
            let mean = row.iter().sum::<f64>() / 33.0;
            let variance = row.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 33.0;
            for (i, x) in row.iter_mut().enumerate() {
                *x = (*x - mean) / (variance + 0.25).sqrt() * gamma.data[i] + beta.data[i];
            }
        }
        let y = b.layer_norm(&host.up(b)?, &gamma.up(b)?, &beta.up(b)?, 0.25)?;
        // The mean is rounded to the last place of numbers as large as x.
        close(b, &y, &want, 64.0 * (1.0 + far));
    }
    Ok(())
}

/// Sizes `[batch, heads, queries, keys, d, width]`.
const ATTENDED: [[usize; 6]; 4] = [[1, 1, 1, 1, 1, 1], [2, 3, 5, 7, 4, 3], [3, 1, 4, 4, 33, 17], [0, 2, 3, 3, 2, 2]];

struct Operands<B: Backend> {
    host: [Host; 3],
    x: [B::Array; 3],
    masks: Masks,
    dy: B::Array,
}

/// Which keys count, `[batch, keys]`; which of them each query sees, `[batch, queries, keys]`; the same of each head, `[1, heads, queries,
/// keys]`; and what is added to the scores, of all heads or of each, some of it -∞.
struct Masks {
    keys: Host,
    pairs: Host,
    of_heads: Host,
    bias: [Host; 2],
}

/// Ways to attend, with what each says about a pair: whether it is seen, and what is added to its score.
struct Way<'a, B: Backend> {
    how: Attention<B>,
    of: Box<dyn Fn([usize; 4]) -> Option<f64> + 'a>,
}

fn operands<B: Backend>(b: &B, [batch, heads, queries, keys, d, width]: [usize; 6]) -> Result<Operands<B>> {
    let shapes = [[batch, heads, queries, d], [batch, heads, keys, d], [batch, heads, keys, width]];
    let [q, k, v] = ["query", "key", "value"];
    let host = [Host::random(q, &shapes[0]), Host::random(k, &shapes[1]), Host::random(v, &shapes[2])];
    let x = [host[0].up(b)?, host[1].up(b)?, host[2].up(b)?];
    // The last sequence has nothing that counts; of the others every third step does not.
    let counts = |at: &[usize]| at[0] + 1 < batch.max(2) && (at[0] + at[1]) % 3 != 1;
    let flag = |there: bool| f64::from(u8::from(there));
    // The first query of the first sequence and head sees nothing; the last key is seen by none.
    let pair = |at: &[usize]| at.iter().sum::<usize>() % 4 != 0 && (at[at.len() - 1] + 1 < keys.max(2));
    let added = |name: &str, shape: &[usize]| {
        let random = Host::random(name, shape);
        let shut = |at: &[usize]| at.iter().sum::<usize>() % 5 == 0;
        Host::build(shape, |at| if shut(at) { f64::NEG_INFINITY } else { random.at(at) })
    };
    let masks = Masks {
        keys: Host::build(&[batch, keys], |at| flag(counts(at))),
        pairs: Host::build(&[batch, queries, keys], |at| flag(pair(at))),
        of_heads: Host::build(&[1, heads, queries, keys], |at| flag(pair(&at[1..]))),
        bias: [added("bias", &[queries, keys]), added("bias of heads", &[batch, heads, queries, keys])],
    };
    let dy = Host::random("dy", &[batch, heads, queries, width]).up(b)?;
    Ok(Operands { host, x, masks, dy })
}

fn all_ways<'a, B: Backend>(b: &B, masks: &'a Masks) -> Result<Vec<Way<'a, B>>> {
    let mut ways = Vec::new();
    for choice in 0..48 {
        let (causal, dropped, mask, bias) = (choice & 1 > 0, choice & 2 > 0, choice / 4 % 4, choice / 16);
        let given = [None, Some(&masks.keys), Some(&masks.pairs), Some(&masks.of_heads)][mask];
        let added = [None, Some(&masks.bias[0]), Some(&masks.bias[1])][bias];
        // Dropout's draws are the same whatever is masked.
        if dropped && mask > 1 && bias > 0 {
            continue;
        }
        let how = Attention {
            mask: given.map(|mask| mask.up(b)).transpose()?,
            bias: added.map(|bias| bias.up(b)).transpose()?,
            scale: 0.6,
            causal,
            dropout: dropped.then(|| (0.4, Key::new(2).named("dropout"))),
        };
        let of = move |[n, h, query, key]: [usize; 4]| {
            let counts = match mask {
                0 => true,
                1 => masks.keys.at(&[n, key]) > 0.0,
                2 => masks.pairs.at(&[n, query, key]) > 0.0,
                _ => masks.of_heads.at(&[0, h, query, key]) > 0.0,
            };
            let added = match bias {
                0 => 0.0,
                1 => masks.bias[0].at(&[query, key]),
                _ => masks.bias[1].at(&[n, h, query, key]),
            };
            (counts && (!causal || key <= query) && added > f64::NEG_INFINITY).then_some(added)
        };
        ways.push(Way { how, of: Box::new(of) });
    }
    Ok(ways)
}

pub(crate) fn attention_is_its_default<B: Backend>(b: &B) -> Result<()> {
    for sizes in ATTENDED {
        let Operands { x, masks, dy, .. } = operands(b, sizes)?;
        for Way { how, .. } in all_ways(b, &masks)? {
            let (got, want) = (b.attention(x.each_ref(), &how)?, attention::attention(b, x.each_ref(), &how)?);
            agree(b, &got.output, &want.output, 300.0);
            for choice in 0..16 {
                let wanted = [choice & 1 > 0, choice & 2 > 0, choice & 4 > 0, choice & 8 > 0];
                let of_got = b.attention_grad(x.each_ref(), &how, &got, &dy, wanted.into())?;
                let of_want = attention::attention_grad(b, x.each_ref(), &how, &want, &dy, wanted.into())?;
                let there = [true, true, true, how.bias.is_some()];
                for (i, (got, want)) in of_got.iter().zip(&of_want).enumerate() {
                    assert_eq!(got.is_some(), wanted[i] && there[i], "what is wanted is given, and nothing else");
                    if let (Some(got), Some(want)) = (got, want) {
                        agree(b, got, want, 1000.0);
                    }
                }
            }
        }
    }
    Ok(())
}

/// In `f64`, one query after another.
pub(crate) fn attention_is_its_definition<B: Backend>(b: &B) -> Result<()> {
    for sizes in ATTENDED {
        let [batch, heads, queries, keys, d, width] = sizes;
        let Operands { host: [q, k, v], x, masks, .. } = operands(b, sizes)?;
        for Way { how, of } in all_ways(b, &masks)? {
            let weight = |at: &[usize], key: usize| {
                let (n, h, query) = (at[0], at[1], at[2]);
                let score: f64 = (0..d).map(|i| q.at(&[n, h, query, i]) * k.at(&[n, h, key, i])).sum();
                of([n, h, query, key]).map_or(0.0, |added| (0.6 * score + added).exp())
            };
            let kept = |at: &[usize], key: usize| {
                let Some((rate, draws)) = how.dropout else { return 1.0 };
                let index = ((at[0] * heads + at[1]) * queries + at[2]) * keys + key;
                if draws.bits(index as u64) < Key::drop_threshold(rate) { 0.0 } else { 1.0 / (1.0 - rate) }
            };
            let want = Host::build(&[batch, heads, queries, width], |at| {
                let total: f64 = (0..keys).map(|key| weight(at, key)).sum();
                let part = |key| weight(at, key) * kept(at, key) * v.at(&[at[0], at[1], key, at[3]]);
                let sum: f64 = (0..keys).map(part).sum();
                if total > 0.0 { sum / total } else { 0.0 }
            });
            close(b, &b.attention(x.each_ref(), &how)?.output, &want, 300.0);
        }
    }
    Ok(())
}

/// Not even as NaN, in the values and in the gradients: what is masked for all queries, by a mask, a bias or both.
pub(crate) fn what_is_masked_is_not_attended_to<B: Backend>(b: &B) -> Result<()> {
    for sizes in ATTENDED {
        let [_, _, queries, keys, ..] = sizes;
        let Operands { host, x, masks, dy } = operands(b, sizes)?;
        for Way { how, of } in all_ways(b, &masks)?.into_iter().filter(|way| way.how.mask.is_some() && !way.how.causal)
        {
            let seen = |at: &[usize]| (0..queries).any(|query| of([at[0], at[1], query, at[2]]).is_some());
            let spoilt = |host: &Host| Host::build(&host.shape, |at| if seen(at) { host.at(at) } else { f64::NAN });
            let bad = [x[0].clone(), spoilt(&host[1]).up(b)?, spoilt(&host[2]).up(b)?];
            let some = (0..keys).any(|key| sizes[0] > 0 && !seen(&[sizes[0] - 1, 0, key]));
            assert!(some || sizes[0] == 0 || keys == 1, "nothing is masked");
            let (clean, found) = (b.attention(x.each_ref(), &how)?, b.attention(bad.each_ref(), &how)?);
            agree(b, &found.output, &clean.output, 0.0);
            let of_clean = b.attention_grad(x.each_ref(), &how, &clean, &dy, AttentionWanted::ALL)?;
            let of_found = b.attention_grad(bad.each_ref(), &how, &found, &dy, AttentionWanted::ALL)?;
            for (found, clean) in of_found.into_iter().flatten().zip(of_clean.into_iter().flatten()) {
                assert!(b.download(&clean)?.into_iter().all(|x| x.to_f64().is_finite()));
                agree(b, &found, &clean, 0.0);
            }
        }
    }
    Ok(())
}

pub(crate) fn wrong_norms_and_attentions<B: Backend>(b: &B) -> Result<()> {
    let of = |shape: &[usize]| b.fill(Shape::new(shape)?, 1.0);
    let (x, three, four) = (of(&[2, 3])?, of(&[3])?, of(&[4])?);
    refused(b.layer_norm(&x, &four, &three, 0.1), "gamma of another width");
    refused(b.layer_norm(&x, &three, &four, 0.1), "beta of another width");
    refused(b.layer_norm(&x, &x, &three, 0.1), "gamma of another rank");
    refused(b.layer_norm(&of(&[])?, &three, &three, 0.1), "a scalar");
    refused(b.layer_norm_grad(&x, &three, 0.1, &three, LayerNormWanted::ALL), "a gradient of another shape");
    refused(b.layer_norm_grad(&x, &four, 0.1, &x, LayerNormWanted::ALL), "gamma of another width in the gradient");

    let (q, k, v) = (of(&[2, 3, 4])?, of(&[2, 5, 4])?, of(&[2, 5, 6])?);
    let how = |mask: Option<&B::Array>, rate: f64| Attention::<B> {
        mask: mask.cloned(),
        dropout: Some((rate, Key::new(0))),
        ..Attention::new(1.0)
    };
    let plain = how(None, 0.0);
    let y = b.attention([&q, &k, &v], &plain)?;
    refused(b.attention([&q, &v, &v], &plain), "keys of another width");
    refused(b.attention([&q, &k, &q], &plain), "another number of values");
    refused(b.attention([&of(&[3, 3, 4])?, &k, &v], &plain), "another number of sequences");
    refused(b.attention([&of(&[3, 4])?, &of(&[5, 4])?, &of(&[5, 6])?], &plain), "no batch");
    refused(b.attention([&of(&[2, 1, 3, 4])?, &k, &v], &plain), "another rank");
    refused(b.attention([&q, &of(&[2, 0, 4])?, &of(&[2, 0, 6])?], &plain), "no keys");
    refused(b.attention([&q, &k, &v], &how(Some(&of(&[2, 3])?), 0.0)), "a mask of the queries");
    for shape in [&[2, 5, 3][..], &[3, 3, 5], &[2, 3, 4], &[5], &[1, 2, 3, 5]] {
        refused(b.attention([&q, &k, &v], &how(Some(&of(shape)?), 0.0)), "a mask of other pairs");
    }
    for shape in [&[5, 3][..], &[3, 3, 5], &[4], &[1, 2, 3, 5]] {
        let biased = Attention { bias: Some(of(shape)?), ..plain.clone() };
        refused(b.attention([&q, &k, &v], &biased), "a bias of other pairs");
    }
    refused(b.attention([&q, &k, &v], &how(None, 1.0)), "a rate of 1");
    refused(b.attention_grad([&q, &k, &v], &plain, &y, &q, AttentionWanted::ALL), "a gradient of another shape");
    let none = attention::Attended { output: y.output.clone(), saved: vec![] };
    let kept = y.output.clone();
    refused(attention::attention_grad(b, [&q, &k, &v], &plain, &none, &kept, AttentionWanted::ALL), "nothing saved");
    // Sums of ones: each query gets the mean of the values.
    assert_eq!(b.download(&y.output)?, vec![B::Elem::from_f64(1.0); 2 * 3 * 6]);
    Ok(())
}
