//! What the library computes beside the numbers of PyTorch, Keras and scikit-learn that lie here (README.md).

/// The module's `check` on each backend.
macro_rules! on_every_backend {
    () => {
        #[test]
        fn on_reference_f64() {
            check(&elman_reference::Reference::<f64>::new());
        }

        #[test]
        fn on_reference_f32() {
            check(&elman_reference::Reference::<f32>::new());
        }

        #[test]
        fn on_candle() {
            check(&elman_candle::Candle::cpu());
        }

        #[cfg(feature = "cuda")]
        #[test]
        fn on_cuda() {
            check(&elman_candle::Candle::cuda(0).unwrap());
        }
    };
}

#[path = "../common/mod.rs"]
mod common;
mod imports;
mod layers;
mod losses;
mod metrics;
mod optim;
mod recurrent;
mod sequences;
mod spans;
mod tagging;
mod texts;
