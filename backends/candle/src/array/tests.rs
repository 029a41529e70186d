//! When memory is shared, when it is not, and what an update in place may do.

use crate::Candle;
use elman::Backend;
use elman::backend::Update;

const SGD: Update = Update::Sgd { lr: 1.0, decay: 0.0 };

/// The memory that an array lies in.
fn place(a: &super::Array) -> *const f32 {
    a.numbers().unwrap().as_ptr()
}

/// What an update makes of `[1, 2, 3, 4]`, and whether it happened in place, when `keep` has looked at the array.
fn update_after<T>(keep: impl FnOnce(&Candle, &super::Array) -> T) -> (Vec<f32>, bool, T) {
    let device = Candle::cpu();
    let mut w = device.upload(vec![1.0, 2.0, 3.0, 4.0], [2, 2].into()).unwrap();
    let one = device.fill([2, 2].into(), 1.0).unwrap();
    let kept = keep(&device, &w);
    let before = place(&w);
    device.update(&SGD, &mut w, &one, &mut []).unwrap();
    (device.download(&w).unwrap(), place(&w) == before, kept)
}

const AFTER: [f32; 4] = [0.0, 1.0, 2.0, 3.0];

#[test]
fn a_sole_owner_is_updated_in_place() {
    let (after, in_place, ()) = update_after(|_, _| ());
    assert!(after == AFTER && in_place);
}

#[test]
fn siblings_of_an_updated_array_do_not_change() {
    let device = Candle::cpu();
    let check = |(after, in_place, kept): (Vec<f32>, bool, super::Array), expected: &[f32]| {
        assert!(after == AFTER && !in_place);
        assert_eq!(device.download(&kept).unwrap(), expected);
    };
    check(update_after(|_, w| w.clone()), &[1.0, 2.0, 3.0, 4.0]);
    check(update_after(|d, w| d.reshape(w, [4].into()).unwrap()), &[1.0, 2.0, 3.0, 4.0]);
    check(update_after(|d, w| d.permute(w, &[1, 0]).unwrap()), &[1.0, 3.0, 2.0, 4.0]);
    check(update_after(|d, w| d.slice(w, 0, 1, 1).unwrap()), &[3.0, 4.0]);
}

#[test]
fn a_sibling_that_is_gone_does_not_count() {
    let (after, in_place, ()) = update_after(|d, w| drop((w.clone(), d.permute(w, &[1, 0]).unwrap())));
    assert!(after == AFTER && in_place);
}

#[test]
fn a_part_that_is_left_alone_is_updated_where_it_lies_if_it_is_most() {
    for (length, in_place) in [(3000, true), (300, false)] {
        let device = Candle::cpu();
        let whole = device.upload((0..4000).map(|i| i as f32).collect(), [4000].into()).unwrap();
        let mut part = device.slice(&whole, 0, 500, length).unwrap();
        drop(whole);
        let (before, one) = (place(&part), device.fill([length].into(), 1.0).unwrap());
        device.update(&SGD, &mut part, &one, &mut []).unwrap();
        assert_eq!(place(&part) == before, in_place);
        let expected: Vec<f32> = (499..499 + length).map(|i| i as f32).collect();
        assert_eq!(device.download(&part).unwrap(), expected);
    }
}

#[test]
fn an_exported_tensor_does_not_change() {
    let (after, in_place, kept) = update_after(|d, w| d.to_candle(w));
    assert!(after == AFTER && !in_place);
    assert_eq!(kept.to_vec2::<f32>().unwrap(), [[1.0, 2.0], [3.0, 4.0]]);
}

#[test]
fn an_exported_tensor_outlives_its_array() {
    let device = Candle::cpu();
    let n = 100_000;
    let a = device.fill([n].into(), 5.0).unwrap();
    let kept = device.to_candle(&a);
    drop(a);
    // Memory that had gone back for reuse would be overwritten here.
    let _other = device.fill([n].into(), 7.0).unwrap();
    assert_eq!(kept.max(0).unwrap().to_scalar::<f32>().unwrap(), 5.0);
}

#[test]
fn the_gradient_itself_may_be_a_sibling() {
    let device = Candle::cpu();
    let mut w = device.upload(vec![1.0, 2.0], [2].into()).unwrap();
    let g = w.clone();
    device.update(&SGD, &mut w, &g, &mut []).unwrap();
    device.add_assign(&mut w, &g).unwrap();
    assert_eq!((device.download(&w).unwrap(), device.download(&g).unwrap()), (vec![1.0, 2.0], vec![1.0, 2.0]));
}

#[test]
fn a_part_of_an_array_is_updated_apart() {
    let device = Candle::cpu();
    let whole = device.upload(vec![1.0, 2.0, 3.0, 4.0], [4].into()).unwrap();
    let mut part = device.slice(&whole, 0, 1, 2).unwrap();
    drop(whole);
    // The sole owner now, yet of more memory than it shows.
    let one = device.fill([2].into(), 1.0).unwrap();
    device.add_assign(&mut part, &one).unwrap();
    assert_eq!(device.download(&part).unwrap(), [3.0, 4.0]);
}

#[test]
fn memory_of_dropped_arrays_is_used_again() {
    let device = Candle::cpu();
    let a = device.fill([5000].into(), 1.0).unwrap();
    let before = place(&a);
    let view = device.reshape(&a, [50, 100].into()).unwrap();
    drop(a);
    assert_ne!(place(&device.fill([5000].into(), 2.0).unwrap()), before);
    drop(view);
    let (b, c) = (device.fill([5000].into(), 3.0).unwrap(), device.fill([5000].into(), 3.0).unwrap());
    assert!(place(&b) == before || place(&c) == before);
}
