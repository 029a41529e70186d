//! Operations on arrays that are reshaped, permuted, sliced or joined from others: a backend may delay the copy, but
//! no one may see.

use crate::common::host::{Host, agree, exact};
use elman::backend::{Map, Update, Zip};
use elman::{Backend, Result, Shape};

/// The same array in every disguise.
fn disguises<B: Backend>(b: &B, host: &Host) -> Result<Vec<(&'static str, B::Array)>> {
    let shape = Shape::new(&host.shape)?;
    let flat = Host::new(host.data.clone(), &[host.data.len()]).up(b)?;
    let reversed: Vec<usize> = (0..shape.rank()).rev().collect();
    // With a margin of noise around it on the first and the last axis.
    let margin = |axis: usize| -> Result<B::Array> {
        let mut sizes = host.shape.clone();
        sizes[axis] = 2;
        let noise = Host::random("noise", &sizes).up(b)?;
        let wide = b.concat(&[&noise, &host.up(b)?, &noise], axis)?;
        b.slice(&wide, axis, 2, host.shape[axis])
    };
    let last = shape.rank() - 1;
    let turned = b.permute(&host.permuted(&reversed).up(b)?, &reversed)?;
    let halves = [b.slice(&turned, 0, 0, 1)?, b.slice(&turned, 0, 1, shape[0] - 1)?];
    Ok(vec![
        ("reshaped", b.reshape(&flat, shape)?),
        ("permuted", turned),
        ("sliced in front", margin(0)?),
        ("sliced at the end", margin(last)?),
        ("joined", b.concat(&[&halves[0], &halves[1]], 0)?),
        ("stretched and summed", b.sum_to(&b.zip(Zip::Mul, &host.up(b)?, &b.fill([1; 4].into(), 1.0)?)?, shape)?),
    ])
}

pub(crate) fn operations_see_through_views<B: Backend>(b: &B) -> Result<()> {
    let host = Host::random("view", &[6, 1, 9]);
    let plain = host.up(b)?;
    let (side, row) = (Host::random("side", &[9, 5]).up(b)?, Host::random("row", &[9]).up(b)?);
    let rows = b.upload_indices(vec![3, 0, 3, 5], [4].into())?;
    let places = b.upload_indices(vec![1, 2, 1, 0, 3, 3], [6, 1].into())?;
    let flat = |a: &B::Array| b.reshape(a, [6, 9].into());
    type Operation<'a, B> = (&'static str, Box<dyn Fn(&<B as Backend>::Array) -> Result<<B as Backend>::Array> + 'a>);
    let operations: Vec<Operation<'_, B>> = vec![
        ("map", Box::new(|a| b.map(Map::Tanh, a))),
        ("zip left", Box::new(|a| b.zip(Zip::Sub, a, &row))),
        ("zip right", Box::new(|a| b.zip(Zip::Sub, &row, a))),
        ("zip with itself", Box::new(|a| b.zip(Zip::Mul, a, a))),
        ("select by it", Box::new(|a| b.select(&b.map(Map::Step, a)?, a, &row))),
        ("select of it", Box::new(|a| b.select(&row, &row, a))),
        ("sum of all", Box::new(|a| b.sum_to(a, [].into()))),
        ("sum of columns", Box::new(|a| b.sum_to(a, [9].into()))),
        ("sum of rows", Box::new(|a| b.sum_to(a, [6, 1, 1].into()))),
        ("max", Box::new(|a| b.max(a, 2))),
        ("max of columns", Box::new(|a| b.max(a, 0))),
        ("argmax", Box::new(|a| b.one_hot(&b.argmax(a, 2)?, 9))),
        ("matmul", Box::new(|a| b.matmul(a, false, &side, false))),
        ("matmul transposed", Box::new(|a| b.matmul(&flat(a)?, true, &flat(a)?, false))),
        ("matmul of transposes", Box::new(|a| b.matmul(&flat(a)?, false, &flat(a)?, true))),
        ("reshape", Box::new(|a| b.reshape(a, [3, 18].into()))),
        ("permute", Box::new(|a| b.permute(a, &[2, 0, 1]))),
        ("slice", Box::new(|a| b.slice(a, 2, 3, 4))),
        ("concat", Box::new(|a| b.concat(&[a, a], 2))),
        ("gather", Box::new(|a| b.gather(&flat(a)?, &rows))),
        ("scatter_add", Box::new(|a| b.scatter_add(a, &places, 4))),
        ("linear", Box::new(|a| b.linear(a, &side, None))),
        ("softmax", Box::new(|a| b.softmax(a))),
        ("log_softmax", Box::new(|a| b.log_softmax(a))),
        ("dropout", Box::new(|a| b.dropout(a, 0.3, elman::Key::new(5)))),
        ("sparse_cross_entropy", Box::new(|a| b.sparse_cross_entropy(a, &places, 0.1))),
        (
            "add_assign to it",
            Box::new(|a| {
                let mut sum = a.clone();
                b.add_assign(&mut sum, &plain)?;
                Ok(sum)
            }),
        ),
        (
            "add_assign of it",
            Box::new(|a| {
                let mut sum = plain.clone();
                b.add_assign(&mut sum, a)?;
                Ok(sum)
            }),
        ),
        (
            "update",
            Box::new(|a| {
                let mut weights = a.clone();
                b.update(&Update::Sgd { lr: 0.5, decay: 0.0 }, &mut weights, a, &mut [])?;
                Ok(weights)
            }),
        ),
    ];
    for (disguise, array) in disguises(b, &host)? {
        println!("{disguise}");
        exact(b, &array, &host);
        for (name, operation) in &operations {
            println!("  {name}");
            // Another layout may take another kernel, which adds in another order: nine numbers of order 1.
            agree(b, &operation(&array)?, &operation(&plain)?, 32.0);
        }
        // No operation changed its operand.
        exact(b, &array, &host);
    }
    Ok(())
}
