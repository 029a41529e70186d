//! What is wrong is an error, never a panic and never a silent result.

use crate::common::host::refused;
use elman::backend::{LinearWanted, Update, WeightStep, Zip};
use elman::data::Bags;
use elman::{Activation, Backend, Result, Shape};

fn array<B: Backend>(b: &B, shape: &[usize]) -> Result<B::Array> {
    b.fill(Shape::new(shape)?, 0.5)
}

fn indices<B: Backend>(b: &B, data: &[u32]) -> Result<B::Indices> {
    b.upload_indices(data.to_vec(), [data.len()].into())
}

pub(crate) fn wrong_counts<B: Backend>(b: &B) -> Result<()> {
    for (count, shape) in [(5, &[2, 3][..]), (7, &[2, 3]), (0, &[]), (2, &[]), (1, &[0]), (0, &[1])] {
        refused(b.upload(vec![B::Elem::default(); count], Shape::new(shape)?), "numbers and shape");
        refused(b.upload_indices(vec![0; count], Shape::new(shape)?), "indices and shape");
    }
    Ok(())
}

pub(crate) fn wrong_shapes<B: Backend>(b: &B) -> Result<()> {
    let a = |shape: &[usize]| array(b, shape);
    for (left, right) in [(&[2][..], &[3][..]), (&[2, 3], &[2]), (&[4, 2, 3], &[3, 3]), (&[0], &[2])] {
        refused(b.zip(Zip::Add, &a(left)?, &a(right)?), "zip");
        refused(b.zip(Zip::Less, &a(right)?, &a(left)?), "zip");
        refused(b.select(&a(left)?, &a(right)?, &a(&[])?), "select by mask");
        refused(b.select(&a(&[])?, &a(left)?, &a(right)?), "select of others");
        refused(b.add_assign(&mut a(left)?, &a(right)?), "add_assign");
    }
    // An addition in place does not broadcast.
    refused(b.add_assign(&mut a(&[2, 3])?, &a(&[3])?), "add_assign of a row");
    refused(b.add_assign(&mut a(&[3])?, &a(&[1, 3])?), "add_assign of another rank");
    for (from, to) in [(&[2, 3][..], &[2][..]), (&[2, 3], &[3, 2]), (&[2, 3], &[1, 2, 3]), (&[], &[1]), (&[3], &[6])] {
        refused(b.sum_to(&a(from)?, Shape::new(to)?), "sum_to a shape that does not broadcast");
    }
    for (from, to) in [(&[2, 3][..], &[5][..]), (&[2, 3], &[2, 3, 2]), (&[0], &[]), (&[1], &[0])] {
        refused(b.reshape(&a(from)?, Shape::new(to)?), "reshape to another count");
    }
    Ok(())
}

pub(crate) fn wrong_axes<B: Backend>(b: &B) -> Result<()> {
    let a = |shape: &[usize]| array(b, shape);
    for (shape, axis) in [(&[2, 3][..], 2), (&[], 0), (&[2], usize::MAX)] {
        refused(b.max(&a(shape)?, axis), "max along no axis");
        refused(b.argmax(&a(shape)?, axis), "argmax along no axis");
        refused(b.slice(&a(shape)?, axis, 0, 0), "slice of no axis");
        refused(b.concat(&[&a(shape)?], axis), "concat along no axis");
    }
    for (shape, axis) in [(&[0][..], 0), (&[2, 0], 1), (&[2, 0, 3], 1)] {
        refused(b.max(&a(shape)?, axis), "max of nothing");
        refused(b.argmax(&a(shape)?, axis), "argmax of nothing");
    }
    refused(b.softmax(&a(&[])?), "softmax of a scalar");
    refused(b.log_softmax(&a(&[])?), "log_softmax of a scalar");
    Ok(())
}

pub(crate) fn wrong_permutations<B: Backend>(b: &B) -> Result<()> {
    let a = array(b, &[2, 3, 4])?;
    for axes in [&[0, 1][..], &[0, 1, 1], &[0, 1, 3], &[0, 1, 2, 3], &[], &[0, 1, usize::MAX], &[0; 9]] {
        refused(b.permute(&a, axes), "permute");
    }
    Ok(())
}

pub(crate) fn wrong_slices<B: Backend>(b: &B) -> Result<()> {
    let a = array(b, &[2, 3])?;
    for (axis, start, length) in [(0, 0, 3), (0, 3, 0), (1, 2, 2), (1, 4, 0), (1, 1, usize::MAX), (0, usize::MAX, 2)] {
        refused(b.slice(&a, axis, start, length), "slice");
    }
    Ok(())
}

pub(crate) fn wrong_parts<B: Backend>(b: &B) -> Result<()> {
    let a = |shape: &[usize]| array(b, shape);
    refused(b.concat(&[], 0), "concat of nothing");
    refused(b.concat(&[&a(&[2, 3])?, &a(&[2, 4])?], 0), "concat along the wrong axis");
    refused(b.concat(&[&a(&[2, 3])?, &a(&[2])?], 0), "concat of different ranks");
    refused(b.concat(&[&a(&[2, 3])?, &a(&[1, 2, 3])?], 1), "concat of different ranks");
    Ok(())
}

pub(crate) fn wrong_indices<B: Backend>(b: &B) -> Result<()> {
    let a = |shape: &[usize]| array(b, shape);
    for bad in [&[3][..], &[0, 1, 2, 3], &[u32::MAX], &[0, 1, u32::MAX, 2]] {
        refused(b.gather(&a(&[3, 2])?, &indices(b, bad)?), "gather beyond the table");
        refused(b.one_hot(&indices(b, bad)?, 3), "one_hot beyond the classes");
        refused(b.scatter_add(&a(&[bad.len(), 2])?, &indices(b, bad)?, 3), "scatter_add beyond the result");
        refused(b.sparse_cross_entropy(&a(&[bad.len(), 3])?, &indices(b, bad)?, 0.0), "a label beyond the classes");
        let d = a(&[bad.len()])?;
        let gradient = b.sparse_cross_entropy_grad(&a(&[bad.len(), 3])?, &indices(b, bad)?, 0.0, &d);
        refused(gradient, "a label beyond the classes, backward");
    }
    refused(b.gather(&a(&[0, 2])?, &indices(b, &[0])?), "gather from an empty table");
    refused(b.one_hot(&indices(b, &[0])?, 0), "one_hot of no class");
    refused(b.scatter_add(&a(&[1, 2])?, &indices(b, &[0])?, 0), "scatter_add to nothing");
    refused(b.gather(&a(&[3])?, &indices(b, &[0])?), "gather from a vector");
    refused(b.gather(&a(&[3, 2, 2])?, &indices(b, &[0])?), "gather from three axes");
    for values in [&[2, 5][..], &[4, 5], &[3], &[3, 1, 5], &[]] {
        refused(b.scatter_add(&a(values)?, &indices(b, &[0, 1, 0])?, 4), "scatter_add of other rows");
    }
    Ok(())
}

pub(crate) fn wrong_products<B: Backend>(b: &B) -> Result<()> {
    let a = |shape: &[usize]| array(b, shape);
    let wrong: [(&[usize], bool, &[usize], bool); 10] = [
        (&[2, 3], false, &[2, 3], false),
        (&[2, 3], true, &[3, 2], false),
        (&[2, 3], false, &[3, 2], true),
        (&[2, 3], true, &[3, 4], true),
        (&[3], false, &[3, 2], false),
        (&[2, 3], false, &[3], false),
        (&[], false, &[3, 2], false),
        (&[2, 2, 3], false, &[3, 3, 2], false),
        // No broadcasting among leading axes but for a missing one.
        (&[1, 2, 3], false, &[4, 3, 2], false),
        (&[2, 4, 2, 3], false, &[4, 3, 2], false),
    ];
    for (left, at, right, bt) in wrong {
        refused(b.matmul(&a(left)?, at, &a(right)?, bt), "matmul");
    }
    Ok(())
}

pub(crate) fn wrong_affine_maps<B: Backend>(b: &B) -> Result<()> {
    let a = |shape: &[usize]| array(b, shape);
    type Shapes = (&'static [usize], &'static [usize], Option<&'static [usize]>);
    let wrong: [Shapes; 7] = [
        (&[2, 3], &[4, 5], None),
        (&[], &[1, 5], None),
        (&[2, 3], &[3], None),
        (&[2, 3], &[2, 3, 5], None),
        (&[2, 3], &[3, 5], Some(&[3])),
        (&[2, 3], &[3, 5], Some(&[1, 5])),
        (&[2, 3], &[3, 5], Some(&[])),
    ];
    let bags = Bags::binary([[0, 1], [1, 2]], 3)?;
    for (x, w, bias) in wrong {
        let bias = bias.map(a).transpose()?;
        refused(b.linear(&a(x)?, &a(w)?, bias.as_ref()), "linear");
        if w != [1, 5] {
            refused(b.bag_linear(&bags, &a(w)?, bias.as_ref()), "bag_linear");
        }
    }
    let all = LinearWanted::ALL;
    refused(b.linear_grad(&a(&[2, 3])?, &a(&[3, 5])?, &a(&[2, 4])?, all), "linear_grad with another width");
    refused(b.linear_grad(&a(&[2, 3])?, &a(&[3, 5])?, &a(&[3, 5])?, all), "linear_grad with other rows");
    refused(b.linear_steps(&a(&[2, 4, 3])?, &a(&[3, 5])?, None, &a(&[4, 2])?), "linear_steps with another mask");
    refused(b.bag_linear_grad(&bags, &a(&[3, 5])?), "bag_linear_grad with other rows");
    refused(b.bag_linear_grad(&bags, &a(&[2])?), "bag_linear_grad of a vector");
    Ok(())
}

pub(crate) fn wrong_losses<B: Backend>(b: &B) -> Result<()> {
    let a = |shape: &[usize]| array(b, shape);
    let labels = indices(b, &[0, 1])?;
    for logits in [&[3, 4][..], &[2], &[], &[2, 2, 4]] {
        refused(b.sparse_cross_entropy(&a(logits)?, &labels, 0.0), "labels of other rows");
        refused(b.sparse_cross_entropy_grad(&a(logits)?, &labels, 0.0, &a(&[2])?), "labels of other rows, backward");
    }
    for (logits, targets) in [(&[2, 3][..], &[2, 4][..]), (&[2, 3], &[3]), (&[2, 3], &[2, 1]), (&[2, 3], &[])] {
        let (z, t) = (a(logits)?, a(targets)?);
        refused(b.cross_entropy(&z, &t), "targets of another shape");
        refused(b.binary_cross_entropy(&z, &t), "targets of another shape");
        refused(b.cross_entropy_grad(&z, &t, &a(&[2])?), "targets of another shape, backward");
        refused(b.binary_cross_entropy_grad(&z, &t, &z), "targets of another shape, backward");
    }
    refused(b.cross_entropy(&a(&[])?, &a(&[])?), "a distribution without an axis");
    refused(b.cross_entropy_grad(&a(&[])?, &a(&[])?, &a(&[])?), "a distribution without an axis, backward");
    // A gradient for each row, in any shape of as many elements, or an error.
    let (z, t) = (a(&[2, 3])?, a(&[2, 3])?);
    refused(b.cross_entropy_grad(&z, &t, &a(&[3])?), "a gradient of other rows");
    refused(b.sparse_cross_entropy_grad(&z, &labels, 0.0, &a(&[3])?), "a gradient of other rows");
    // A gradient that broadcasts would give numbers, and wrong ones.
    for shape in [&[2][..], &[3], &[2, 1], &[1, 3], &[], &[3, 2]] {
        let d = a(shape)?;
        refused(b.binary_cross_entropy_grad(&z, &t, &d), "a gradient of another shape");
        refused(b.softmax_grad(&z, &d), "a gradient of another shape, softmax");
        refused(b.log_softmax_grad(&z, &d), "a gradient of another shape, log_softmax");
        for f in [Activation::Relu, Activation::Tanh, Activation::Gelu, Activation::Softmax, Activation::Linear] {
            refused(b.activate_grad(f, &z, &t, &d), "a gradient of another shape, activation");
        }
    }
    Ok(())
}

pub(crate) fn wrong_updates<B: Backend>(b: &B) -> Result<()> {
    let a = |shape: &[usize]| array(b, shape);
    let sgd = Update::Sgd { lr: 0.1, decay: 0.0 };
    let momentum = Update::Momentum { lr: 0.1, momentum: 0.9, nesterov: false, decay: 0.0 };
    let mut w = a(&[2, 3])?;
    refused(b.update(&sgd, &mut w, &a(&[6])?, &mut []), "a gradient of another shape");
    refused(b.update(&sgd, &mut w, &a(&[3])?, &mut []), "a gradient that only broadcasts");
    refused(b.update(&sgd, &mut w, &a(&[2, 3])?, &mut [a(&[2, 3])?]), "too much state");
    refused(b.update(&momentum, &mut w, &a(&[2, 3])?, &mut []), "too little state");
    refused(b.update(&momentum, &mut w, &a(&[2, 3])?, &mut [a(&[6])?]), "state of another shape");
    refused(b.update(&sgd, &mut a(&[0])?, &a(&[0])?, &mut [a(&[0])?]), "too much state of nothing");
    let (mut first, g) = (a(&[2, 3])?, a(&[2, 3])?);
    let wrong = a(&[6])?;
    let steps = &mut [(&mut first, &g), (&mut w, &wrong)].map(|(w, g)| WeightStep { rule: sgd, w, g, state: &mut [] });
    refused(b.update_all(steps, None), "one wrong gradient of two");
    crate::common::host::exact(b, &first, &crate::common::host::Host::new([0.5; 6], &[2, 3]));
    // A refused update changes nothing.
    crate::common::host::exact(b, &w, &crate::common::host::Host::new([0.5; 6], &[2, 3]));
    Ok(())
}
