//! The tape: depth, memory, what is wanted, errors, sharing, threads.

use elman::backend::{Backend, Map, Zip};
use elman::{Error, Result};
use elman_reference::{Array, Reference};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

type B = Reference<f64>;
type Tensor = elman::Tensor<B>;

fn scalar(x: f64) -> Result<Tensor> {
    Tensor::variable(&B::new(), vec![x], &[])
}

fn gradient(gradients: &elman::tensor::Gradients<B>, of: &Tensor) -> Result<Option<Vec<f64>>> {
    gradients.of(of).map(|g| g.to_vec()).transpose()
}

/// Runs on a thread with the 2 MiB of stack that Rust's test threads have, whatever the environment sets for those.
fn on_a_small_stack(work: impl FnOnce() -> Result<()> + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(work).expect("a thread");
    thread.join().expect("no overflow").expect("no error");
}

const DEEP: usize = 1_000_000;

/// x + 1e-6 x + ... : a chain in which every operation's result is used once.
fn deep_chain(x: &Tensor) -> Result<Tensor> {
    (0..DEEP).try_fold(x.clone(), |y, _| y.affine(1.0, 1e-6))
}

/// Some microseconds an operation in an unoptimised build; a tape of quadratic cost would take hours.
const QUICK: Duration = Duration::from_secs(60);

#[test]
fn backward_through_a_million_operations() {
    on_a_small_stack(|| {
        let start = Instant::now();
        let x = scalar(2.0)?;
        let y = deep_chain(&x)?;
        let gradients = y.backward()?;
        assert_eq!(gradient(&gradients, &x)?, Some(vec![1.0]));
        drop(y);
        println!("recorded, differentiated and dropped in {:?}", start.elapsed());
        assert!(start.elapsed() < QUICK);
        Ok(())
    });
}

#[test]
fn dropping_a_million_operations_without_backward() {
    on_a_small_stack(|| {
        let start = Instant::now();
        drop(deep_chain(&scalar(2.0)?)?);
        println!("recorded and dropped in {:?}", start.elapsed());
        assert!(start.elapsed() < QUICK);
        Ok(())
    });
}

/// A chain in which every value is used twice: 2^500,000 paths, of which each operation must be walked once.
#[test]
fn backward_through_diamonds() {
    on_a_small_stack(|| {
        let start = Instant::now();
        let x = scalar(1.0)?;
        let half = Tensor::full(&B::new(), &[], 0.5)?;
        // y = (y + y) / 2
        let y = (0..DEEP / 2).try_fold(x.clone(), |y, _| y.add(&y)?.mul(&half))?;
        assert_eq!(gradient(&y.backward()?, &x)?, Some(vec![1.0]));
        assert!(start.elapsed() < QUICK);
        Ok(())
    });
}

/// An identity whose pullback reports that it was freed.
struct Saved(Arc<AtomicUsize>);

impl Drop for Saved {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn what_backward_no_longer_needs_is_freed_as_it_goes() -> Result<()> {
    const LENGTH: usize = 10;
    let b = B::new();
    let (alive, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let x = scalar(1.0)?;
    let mut y = x.clone();
    for _ in 0..LENGTH {
        alive.fetch_add(1, Ordering::SeqCst);
        let (saved, alive, seen) = (Saved(alive.clone()), alive.clone(), seen.clone());
        y = Tensor::record("identity", &b, y.value().clone(), &[&y], move |dy, _| {
            let _held_until_here = &saved;
            seen.lock().expect("one thread").push(alive.load(Ordering::SeqCst));
            Ok(vec![Some(dy.clone())])
        });
    }
    assert_eq!(alive.load(Ordering::SeqCst), LENGTH);
    y.backward()?;
    // Each pullback sees those of all later operations gone.
    assert_eq!(*seen.lock().expect("one thread"), (1..=LENGTH).rev().collect::<Vec<_>>());
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    // Without backward, they go with the graph.
    alive.fetch_add(1, Ordering::SeqCst);
    let saved = Saved(alive.clone());
    let unused = Tensor::record("unused", &b, x.value().clone(), &[&x], move |_, _| {
        let _held_until_here = &saved;
        Ok(vec![None])
    });
    assert_eq!(alive.load(Ordering::SeqCst), 1);
    drop(unused);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
    Ok(())
}

#[test]
fn arrays_that_an_operation_kept_are_released() -> Result<()> {
    let b = B::new();
    let x = Tensor::variable(&b, vec![1.0, 2.0], &[2])?;
    assert!(!x.value().is_shared());
    let y = x.exp()?;
    // exp keeps its input and its value.
    assert!(x.value().is_shared() && y.value().is_shared());
    let loss = y.sum()?;
    let mut gradients = loss.backward()?;
    // The graph is still there, through `loss` and `y`, but keeps no array.
    assert!(!x.value().is_shared() && !y.value().is_shared());
    assert!(!gradients.take(&x).expect("a gradient").is_shared());
    // Without backward the arrays go with the last tensor that needs them.
    let y = x.exp()?;
    assert!(x.value().is_shared());
    drop(y);
    assert!(!x.value().is_shared());
    Ok(())
}

#[test]
fn first_contributions_are_moved_and_later_ones_added_in_place() -> Result<()> {
    let b = B::new();
    let x = Tensor::variable(&b, vec![0.0; 3], &[3])?;
    let seen = Arc::new(Mutex::new(Vec::new()));
    // Three uses of x, each with a gradient array of its own, whose places in memory are noted.
    let uses = (1..=3).map(|number| {
        let (b, seen) = (b.clone(), seen.clone());
        Tensor::record("use", &b.clone(), x.value().clone(), &[&x], move |dy, _| {
            let part = b.map(Map::Affine(f64::from(number), 0.0), dy)?;
            seen.lock().expect("one thread").push(part.data().as_ptr() as usize);
            Ok(vec![Some(part)])
        })
    });
    let total = uses.collect::<Vec<_>>().iter().try_fold(Tensor::full(&b, &[3], 0.0)?, |sum, each| sum.add(each))?;
    let sum = total.sum()?.backward()?.take(&x).expect("a gradient");
    assert_eq!(sum.data(), [6.0; 3]);
    assert_eq!(
        sum.data().as_ptr() as usize,
        seen.lock().expect("one thread")[0],
        "not the first contribution's memory"
    );
    Ok(())
}

/// x · y that notes what it was told.
fn noted_product(x: &Tensor, y: &Tensor, note: &Arc<Mutex<Vec<Vec<bool>>>>) -> Result<Tensor> {
    let (b, left, right, note) = (x.backend().clone(), x.value().clone(), y.value().clone(), note.clone());
    let value = b.zip(Zip::Mul, &left, &right)?;
    Ok(Tensor::record("product", x.backend(), value, &[x, y], move |dy, wanted| {
        note.lock().expect("one thread").push(wanted.to_vec());
        let dx = wanted[0].then(|| b.zip(Zip::Mul, dy, &right)).transpose()?;
        let dy = wanted[1].then(|| b.zip(Zip::Mul, dy, &left)).transpose()?;
        Ok(vec![dx, dy])
    }))
}

#[test]
fn pullbacks_are_told_what_is_wanted() -> Result<()> {
    let note = Arc::new(Mutex::new(Vec::new()));
    let (x, frozen) = (scalar(3.0)?, scalar(5.0)?.detach());
    let gradients = noted_product(&x, &frozen, &note)?.backward()?;
    assert_eq!((gradient(&gradients, &x)?, gradient(&gradients, &frozen)?), (Some(vec![5.0]), None));
    assert_eq!(gradients.len(), 1);
    noted_product(&frozen, &x, &note)?.backward()?;
    noted_product(&x, &x, &note)?.backward()?;
    // What follows from constants alone is constant, and its pullback is never called.
    assert!(!noted_product(&frozen, &frozen, &note)?.is_tracked());
    assert_eq!(*note.lock().expect("one thread"), [[true, false], [false, true], [true, true]]);
    Ok(())
}

/// Frozen inputs of an operation of ours get none.
#[test]
fn unwanted_gradients_are_not_given() -> Result<()> {
    let b = B::new();
    let x = Tensor::full(&b, &[2, 3], 1.0)?;
    let w = Tensor::variable(&b, vec![1.0; 6], &[3, 2])?;
    let bias = Tensor::full(&b, &[2], 1.0)?;
    let gradients = x.linear(&w, Some(&bias))?.sum()?.backward()?;
    assert_eq!(gradient(&gradients, &w)?, Some(vec![2.0; 6]));
    assert!(gradients.of(&x).is_none() && gradients.of(&bias).is_none());
    assert_eq!(gradients.len(), 1);
    Ok(())
}

#[test]
fn gradients_that_a_pullback_gives_unasked_are_ignored() -> Result<()> {
    let (x, frozen) = (scalar(3.0)?, scalar(5.0)?.detach());
    let y = Tensor::record("generous", x.backend(), x.value().clone(), &[&x, &frozen], |dy, _| {
        Ok(vec![Some(dy.clone()), Some(dy.clone())])
    });
    let gradients = y.backward()?;
    assert_eq!((gradients.len(), gradient(&gradients, &x)?), (1, Some(vec![1.0])));
    Ok(())
}

#[test]
fn an_input_without_a_gradient_ends_the_walk_there() -> Result<()> {
    let (x, y) = (scalar(3.0)?, scalar(5.0)?);
    let blocked = x.square()?;
    let z = Tensor::record("block", x.backend(), blocked.value().clone(), &[&blocked, &y], |dy, _| {
        Ok(vec![None, Some(dy.clone())])
    });
    let gradients = z.backward()?;
    assert_eq!((gradient(&gradients, &x)?, gradient(&gradients, &y)?), (None, Some(vec![1.0])));
    Ok(())
}

#[test]
fn backward_needs_a_scalar() -> Result<()> {
    let x = Tensor::variable(&B::new(), vec![1.0, 2.0], &[2])?;
    let error = x.square()?.backward().expect_err("two elements");
    assert!(matches!(error, Error::NotScalar { shape } if *shape == [2]), "{error}");
    // One element in any number of axes is a scalar.
    let y = x.sum()?.reshape(&[1, 1])?;
    assert_eq!(gradient(&y.backward()?, &x)?, Some(vec![1.0; 2]));
    // None is not.
    assert!(matches!(x.slice(0, 0, 0)?.backward(), Err(Error::NotScalar { .. })));
    Ok(())
}

#[test]
fn backward_from_a_constant_is_an_error() -> Result<()> {
    let x = scalar(1.0)?;
    for constant in [x.detach(), x.detach().exp()?, Tensor::full(&B::new(), &[], 1.0)?] {
        assert!(matches!(constant.backward(), Err(Error::Constant)));
    }
    // From a variable itself the gradient is 1.
    assert_eq!(gradient(&x.backward()?, &x)?, Some(vec![1.0]));
    Ok(())
}

#[test]
fn a_graph_is_used_once() -> Result<()> {
    let x = scalar(2.0)?;
    let shared = x.square()?;
    let (first, second) = (shared.exp()?, shared.ln()?);
    first.backward()?;
    let error = first.backward().map(drop).expect_err("the graph is freed");
    assert!(matches!(error, Error::Freed { op: "exp" }), "{error}");
    // Another way in meets the part that was freed.
    let error = second.backward().map(drop).expect_err("a part of the graph is freed");
    assert!(matches!(error, Error::Freed { op: "square" }), "{error}");
    // The values are still there, and so is the variable.
    assert_eq!(first.to_scalar()?, 4f64.exp());
    assert_eq!(gradient(&x.square()?.backward()?, &x)?, Some(vec![4.0]));
    Ok(())
}

#[test]
fn a_gradient_of_the_wrong_shape_is_named() -> Result<()> {
    let b = B::new();
    let x = Tensor::variable(&b, vec![1.0, 2.0], &[2])?;
    let y = scalar(1.0)?;
    let bad = Tensor::record("bad", &b, x.value().clone(), &[&y, &x], |dy, _| {
        Ok(vec![None, Some(Reference::<f64>::new().reshape(dy, [2, 1].into())?)])
    });
    let error = bad.sum()?.backward().map(drop).expect_err("[2, 1] is not [2]");
    let Error::Pullback { op: "bad", input: 1, shapes } = error else { panic!("{error}") };
    assert_eq!(*shapes, [[2].into(), [2, 1].into()]);
    // Too few gradients, and an error of the pullback's own.
    let short = Tensor::record("short", &b, x.value().clone(), &[&x, &y], |dy, _| Ok(vec![Some(dy.clone())]));
    assert!(short.sum()?.backward().is_err_and(|error| error.to_string().contains("short")));
    let failing = Tensor::record("failing", &b, x.value().clone(), &[&x], |_, _| Err(Error::invalid("mine", 1, 2)));
    assert!(failing.sum()?.backward().is_err_and(|error| error.to_string().contains("mine")));
    Ok(())
}

#[test]
fn backward_from_a_given_gradient() -> Result<()> {
    let b = B::new();
    let x = Tensor::variable(&b, vec![1.0, 2.0], &[2])?;
    let y = x.square()?;
    assert!(y.backward_from(b.fill([1].into(), 1.0)?).is_err());
    let gradients = y.backward_from(b.upload(vec![10.0, 100.0], [2].into())?)?;
    assert_eq!(gradient(&gradients, &x)?, Some(vec![20.0, 400.0]));
    Ok(())
}

#[test]
fn shared_values_sum_their_gradients() -> Result<()> {
    let x = scalar(3.0)?;
    // x² + x · x² + x: 2 x + 3 x² + 1
    let square = x.square()?;
    let y = square.add(&x.mul(&square)?)?.add(&x)?;
    assert_eq!(gradient(&y.backward()?, &x)?, Some(vec![6.0 + 27.0 + 1.0]));
    // The same input on both sides, whose pullback gives one array twice.
    let z = x.add(&x)?;
    assert_eq!(gradient(&z.add(&z)?.backward()?, &x)?, Some(vec![4.0]));
    Ok(())
}

#[test]
fn detach_cuts_the_gradient() -> Result<()> {
    let x = scalar(3.0)?;
    let y = x.square()?.detach().mul(&x)?;
    assert_eq!(gradient(&y.backward()?, &x)?, Some(vec![9.0]));
    // A new variable of the same value stands on its own.
    let fresh = x.square()?.into_variable();
    let gradients = fresh.mul(&x.detach())?.backward()?;
    assert_eq!((gradient(&gradients, &x)?, gradient(&gradients, &fresh)?), (None, Some(vec![3.0])));
    Ok(())
}

#[test]
fn gradients_are_for_the_variables_that_took_part() -> Result<()> {
    let (x, other) = (scalar(3.0)?, scalar(4.0)?);
    let y = x.square()?;
    let mut gradients = y.exp()?.ln()?.backward()?;
    assert!(gradients.of(&other).is_none() && gradients.of(&y).is_none() && gradients.of(&x.detach()).is_none());
    // A clone is the same variable.
    assert!(gradients.of(&x.clone()).is_some());
    assert!(gradients.take(&x).is_some() && gradients.take(&x).is_none() && gradients.is_empty());
    Ok(())
}

#[test]
fn tensors_work_across_threads() -> Result<()> {
    fn sendable<T: Send + Sync>() {}
    sendable::<Tensor>();
    sendable::<Array<f64>>();
    sendable::<elman::tensor::Gradients<B>>();
    let x = Tensor::variable(&B::new(), vec![1.0, 2.0], &[2])?;
    // Each thread builds a graph of its own on one variable; the last is differentiated where it was not built.
    let losses: Vec<Tensor> = std::thread::scope(|scope| {
        let build = |i: i32| x.affine(f64::from(i), 0.0)?.square()?.mul(&x)?.sum();
        let threads: Vec<_> = (1..=4).map(|i| scope.spawn(move || build(i))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect::<Result<_>>()
    })?;
    for (i, loss) in losses.into_iter().enumerate() {
        let x = x.clone();
        let gradient = std::thread::spawn(move || gradient(&loss.backward()?, &x)).join().expect("no panic")?;
        let square = ((i + 1) * (i + 1)) as f64;
        // (i x)² x has slope 3 i² x².
        assert_eq!(gradient, Some(vec![3.0 * square, 12.0 * square]));
    }
    Ok(())
}
