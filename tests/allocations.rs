//! What a train step allocates on candle's CPU backend: buffers of the order of the activations are used again from the
//! second step on, so that a step takes next to nothing from the system. Counted, not timed; in a program of its own, as the
//! counts are the whole process's.

use elman::data::{Bags, Dataset, Inputs, Targets};
use elman::layers::{Dense, Dropout, Embedding, Lstm, Sequential};
use elman::loss::{BinaryCrossEntropy, SparseCategoricalCrossEntropy};
use elman::model::Batch;
use elman::optim::Adam;
use elman::{Activation, Key, Model, Result, Spec};
use elman_candle::Candle;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The system's allocator, which counts what it is asked for.
struct Counting;
static BYTES: AtomicUsize = AtomicUsize::new(0);
static CALLS: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: everything is the system allocator's; counting changes nothing.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size(), Relaxed);
        CALLS.fetch_add(1, Relaxed);
        // SAFETY: what the caller vouches for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: what the caller vouches for.
        unsafe { System.dealloc(at, layout) }
    }
}

/// One test at a time: the counts are the process's.
static TURN: Mutex<()> = Mutex::new(());

/// Bytes and calls of a train step after a few on the same batches.
fn step(model: &mut Model<Candle>, data: &Dataset, batch: usize) -> Result<[usize; 2]> {
    let mut counts = [0; 2];
    for at in 0..6 {
        let rows: Vec<usize> = (0..batch).map(|row| (at % 2) * batch + row).collect();
        let before = [BYTES.load(Relaxed), CALLS.load(Relaxed)];
        let batch = Batch::new(model.backend(), data.select(&rows)?)?;
        model.train_step(&batch)?;
        counts = [BYTES.load(Relaxed) - before[0], CALLS.load(Relaxed) - before[1]];
    }
    Ok(counts)
}

#[test]
fn a_step_of_an_lstm_allocates_no_activations() -> Result<()> {
    let _turn = TURN.lock();
    let (batch, steps, units, words) = (32, 80, 64, 2000);
    // The pre-activations of all steps: one of some ten arrays of their size.
    let activations = batch * steps * 4 * units * size_of::<f32>();
    let key = Key::new(1);
    for padded in [false, true] {
        let text = |text: u64| {
            let length = if padded { 10 + key.fold(text).below(0, steps - 10) } else { steps };
            let words = (0..length as u64).map(move |i| 1 + key.fold(text).below(i + 1, words - 1) as u32);
            std::iter::repeat_n(0, steps - length).chain(words).collect::<Vec<u32>>()
        };
        let rows: Vec<_> = (0..2 * batch as u64).map(text).collect();
        let labels = (0..rows.len() as u32).map(|row| row % 2).collect();
        let data = Dataset::new(Inputs::indices(&rows)?, Targets::classes(labels)?)?;
        let embedding = Embedding::new(words, units);
        let mut model = Sequential::new()
            .add(if padded { embedding.padding(0) } else { embedding })
            .add(Lstm::new(units).dropout(0.2))
            .add(Dense::new(1).activation(Activation::Sigmoid))
            .build(&Candle::cpu_with_threads(2)?, Spec::indices(steps), 0)?;
        model.compile(Adam::new(1e-3), BinaryCrossEntropy::new());
        let [bytes, calls] = step(&mut model, &data, batch)?;
        // Indices, small vectors, and what the gemm crate packs.
        assert!(bytes < activations / 4, "{bytes} bytes in a step, padded: {padded}");
        assert!(calls < 25 * steps, "{calls} allocations in a step, padded: {padded}");
    }
    Ok(())
}

#[test]
fn a_step_on_bags_of_words_allocates_no_activations() -> Result<()> {
    let _turn = TURN.lock();
    let (batch, words, units) = (32, 1000, 512);
    let key = Key::new(1);
    let bags = Bags::binary(
        (0..2 * batch as u64).map(|text| (0..60).map(move |i| key.fold(text).below(i, words) as u32)),
        words,
    )?;
    let labels = (0..2 * batch as u32).map(|row| row % 46).collect();
    let data = Dataset::new(Inputs::bags(bags)?, Targets::classes(labels)?)?;
    let mut model = Sequential::new()
        .add(Dense::new(units).activation(Activation::Relu))
        .add(Dropout::new(0.5))
        .add(Dense::new(46).activation(Activation::Softmax))
        .build(&Candle::cpu_with_threads(2)?, Spec::bags(words), 0)?;
    model.compile(Adam::new(1e-3), SparseCategoricalCrossEntropy::new());
    let [bytes, calls] = step(&mut model, &data, batch)?;
    // The gradient of the first layer alone is this large.
    let kernel = words * units * size_of::<f32>();
    assert!(bytes < kernel / 4, "{bytes} bytes in a step");
    assert!(calls < 500, "{calls} allocations in a step");
    Ok(())
}
