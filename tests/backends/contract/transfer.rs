//! To the device and back.

use crate::common::host::{Host, exact};
use elman::{Backend, Result, Shape};

/// Shapes with no axis, no element, axes of size 1, odd sizes.
pub(crate) const SHAPES: [&[usize]; 9] =
    [&[], &[1], &[0], &[33], &[257], &[3, 0, 2], &[1, 1, 1], &[5, 1, 33], &[2, 3, 1, 2, 1, 3]];

pub(crate) fn numbers_come_back<B: Backend>(b: &B) -> Result<()> {
    for shape in SHAPES {
        let host = Host::random("numbers", shape);
        let a = host.up(b)?;
        assert_eq!(b.shape(&a), Shape::new(shape)?);
        exact(b, &a, &host);
    }
    // Numbers that have no equal, or only just exist.
    let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::from(f32::MIN_POSITIVE), f64::from(f32::MAX), 0.0];
    let odd = Host::new(odd, &[6]);
    exact(b, &odd.up(b)?, &odd);
    Ok(())
}

pub(crate) fn indices_come_back<B: Backend>(b: &B) -> Result<()> {
    for shape in SHAPES {
        let shape = Shape::new(shape)?;
        let data: Vec<u32> = (0..shape.elements() as u32).map(|i| u32::MAX - 7 * i).collect();
        let a = b.upload_indices(data.clone(), shape)?;
        assert_eq!(b.indices_shape(&a), shape);
        assert_eq!(b.download_indices(&a)?, data);
    }
    Ok(())
}

pub(crate) fn fill_is_uniform<B: Backend>(b: &B) -> Result<()> {
    for shape in SHAPES {
        exact(b, &b.fill(Shape::new(shape)?, -1.25)?, &Host::build(shape, |_| -1.25));
    }
    exact(b, &b.fill([2].into(), f64::NEG_INFINITY)?, &Host::new([f64::NEG_INFINITY; 2], &[2]));
    Ok(())
}

pub(crate) fn the_backend_has_a_name<B: Backend>(b: &B) -> Result<()> {
    assert!(!b.name().is_empty());
    assert_eq!(b.clone().name(), b.name());
    Ok(())
}
