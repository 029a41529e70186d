//! Arrays are values: what is done in place to one is not seen in another. And the same calls give the same bits.

use crate::common::host::{Host, close, exact};
use elman::backend::{Map, Update};
use elman::data::Bags;
use elman::{Backend, Key, Result, Tensor};

pub(crate) fn add_assign_adds<B: Backend>(b: &B) -> Result<()> {
    for shape in [&[][..], &[0], &[2, 0, 3], &[33], &[5, 257]] {
        let (x, y) = (Host::random("x", shape), Host::random("y", shape));
        let mut sum = x.up(b)?;
        b.add_assign(&mut sum, &y.up(b)?)?;
        let want = Host::new(x.data.iter().zip(&y.data).map(|(x, y)| x + y).collect::<Vec<_>>(), shape);
        // One rounding.
        close(b, &sum, &want, 1.0);
    }
    Ok(())
}

pub(crate) fn add_assign_spares_siblings<B: Backend>(b: &B) -> Result<()> {
    let (host, doubled) = (Host::random("x", &[33]), Host::random("x", &[33]).map(|x| 2.0 * x));
    let original = host.up(b)?;
    let mut sibling = original.clone();
    b.add_assign(&mut sibling, &original)?;
    exact(b, &original, &host);
    exact(b, &sibling, &doubled);
    // The sibling is alone now; the operand is a clone of itself.
    let same = sibling.clone();
    b.add_assign(&mut sibling, &same)?;
    exact(b, &same, &doubled);
    exact(b, &sibling, &host.map(|x| 4.0 * x));
    // A sum that was moved elsewhere in place keeps its value when the first name is used again.
    let kept = sibling.clone();
    b.add_assign(&mut sibling, &same)?;
    exact(b, &kept, &host.map(|x| 4.0 * x));
    Ok(())
}

pub(crate) fn update_spares_siblings<B: Backend>(b: &B) -> Result<()> {
    let rule = Update::Momentum { lr: 0.5, momentum: 0.5, nesterov: false, decay: 0.0 };
    let (host, gradient) = (Host::random("w", &[33]), Host::random("g", &[33]));
    let (before, g) = (host.up(b)?, gradient.up(b)?);
    let velocity = b.fill([33].into(), 0.0)?;
    let (mut w, mut state) = (before.clone(), [velocity.clone()]);
    for _ in 0..2 {
        let (w_seen, v_seen) = (Host::down(b, &w)?, Host::down(b, &state[0])?);
        let (w_clone, v_clone) = (w.clone(), state[0].clone());
        b.update(&rule, &mut w, &g, &mut state)?;
        exact(b, &w_clone, &w_seen);
        exact(b, &v_clone, &v_seen);
    }
    exact(b, &before, &host);
    exact(b, &g, &gradient);
    exact(b, &velocity, &Host::new([0.0; 33], &[33]));
    assert_ne!(Host::down(b, &w)?, host, "the update had no effect");
    // Weight, gradient and state in one array.
    let one = host.up(b)?;
    let (mut w, mut state) = (one.clone(), [one.clone()]);
    b.update(&rule, &mut w, &one, &mut state)?;
    exact(b, &one, &host);
    // v = w / 2 - w / 2 = 0.
    exact(b, &state[0], &Host::new([0.0; 33], &[33]));
    exact(b, &w, &host);
    Ok(())
}

pub(crate) fn views_are_spared_too<B: Backend>(b: &B) -> Result<()> {
    let host = Host::random("x", &[4, 6]);
    let ones = |a: &B::Array| b.fill(b.shape(a), 1.0);
    type View<'a, B> = Box<dyn Fn(&<B as Backend>::Array) -> Result<<B as Backend>::Array> + 'a>;
    let views: Vec<View<'_, B>> = vec![
        Box::new(|a| Ok(a.clone())),
        Box::new(|a| b.reshape(a, [24].into())),
        Box::new(|a| b.reshape(a, [4, 6].into())),
        Box::new(|a| b.permute(a, &[1, 0])),
        Box::new(|a| b.permute(a, &[0, 1])),
        Box::new(|a| b.slice(a, 0, 1, 2)),
        Box::new(|a| b.slice(a, 1, 1, 2)),
        Box::new(|a| b.slice(a, 0, 0, 4)),
        Box::new(|a| b.concat(&[a], 0)),
        Box::new(|a| b.sum_to(a, [4, 6].into())),
        Box::new(|a| b.map(Map::Affine(1.0, 0.0), a)),
    ];
    for (i, view) in views.iter().enumerate() {
        println!("view {i}");
        let seen = Host::down(b, &view(&host.up(b)?)?)?;
        // The original changes, the view does not.
        let mut original = host.up(b)?;
        let mut part = view(&original)?;
        let one = ones(&original)?;
        b.add_assign(&mut original, &one)?;
        b.update(&Update::Sgd { lr: 1.0, decay: 0.0 }, &mut original, &one, &mut [])?;
        exact(b, &part, &seen);
        // The view changes, the original does not.
        let original = host.up(b)?;
        part = view(&original)?;
        let one = ones(&part)?;
        b.add_assign(&mut part, &one)?;
        b.update(&Update::Sgd { lr: 0.5, decay: 0.0 }, &mut part, &one, &mut [])?;
        exact(b, &original, &host);
        close(b, &part, &seen.map(|x| x + 1.0 - 0.5), 2.0);
    }
    Ok(())
}

pub(crate) fn the_tape_keeps_what_it_saved<B: Backend>(b: &B) -> Result<()> {
    let host = Host::random("x", &[33]);
    let mut x = Tensor::constant(b, host.up(b)?).into_variable();
    let y = x.square()?.sum()?;
    // An optimiser that steps too early changes the weight, not what the tape keeps of it.
    let one = b.fill([33].into(), 1.0)?;
    b.add_assign(x.value_mut(), &one)?;
    b.update(&Update::Sgd { lr: 0.5, decay: 0.0 }, x.value_mut(), &one, &mut [])?;
    let gradient = y.backward()?.take(&x).expect("y depends on x");
    exact(b, &gradient, &host.map(|x| 2.0 * x));
    Ok(())
}

pub(crate) fn the_same_calls_give_the_same_bits<B: Backend>(b: &B) -> Result<()> {
    let run = || -> Result<Vec<Vec<B::Elem>>> {
        let (x, w) = (Host::random("x", &[128, 257]).up(b)?, Host::random("w", &[257, 65]).up(b)?);
        let rows = b.upload_indices((0..128).map(|i| i * i % 7).collect(), [128].into())?;
        let bags = Bags::binary((0..128u32).map(|i| [i % 5, i % 257, 3]), 257)?;
        let key = Key::new(3);
        let y = b.matmul(&x, false, &w, false)?;
        let results = [
            b.sum_to(&x, [].into())?,
            b.sum_to(&x, [257].into())?,
            b.softmax(&x)?,
            b.scatter_add(&x, &rows, 7)?,
            b.bag_linear(&bags, &w, None)?,
            b.bag_linear_grad(&bags, &y)?,
            b.dropout(&x, 0.5, key)?,
            b.sparse_cross_entropy(&x, &rows, 0.1)?,
            y,
        ];
        results.iter().map(|a| b.download(a)).collect()
    };
    let first = run()?;
    for _ in 0..3 {
        // Compared as numbers: there is no NaN among them, and no two numbers but ±0 are equal with different bits.
        assert!(run()? == first, "the same calls gave other numbers");
    }
    Ok(())
}
