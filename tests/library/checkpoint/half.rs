//! Weights as others publish them: of 16 bits, converted to the bit; in other formats, told by name.

use elman::backend::Backend;
use elman::checkpoint::{Kind, Mapping};
use elman::layers::{Dense, Sequential};
use elman::{Model, Spec};
use elman_candle::Candle;
use elman_reference::Reference;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

/// All numbers of 16 bits in one kernel `[256, 256]`, as the model has them after loading.
fn loaded<B: Backend>(b: &B, dtype: Dtype, load: impl FnOnce(&mut Model<B>, &std::path::Path)) -> Vec<f64> {
    let bytes: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
    let view = |name: &str| (name.to_string(), TensorView::new(dtype, vec![256, 256], &bytes).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("half.safetensors");
    std::fs::write(&path, safetensors::serialize([view("dense.kernel")], None).unwrap()).unwrap();
    let network = Sequential::new().add(Dense::new(256).without_bias());
    let mut model = network.build(b, Spec::dense(&[256]), 0).unwrap();
    load(&mut model, &path);
    let kernel = model.params()[0].tensor().to_vec().unwrap();
    kernel.into_iter().map(elman::Element::to_f64).collect()
}

fn all_ways(dtype: Dtype, check: impl Fn(&[f64])) {
    check(&loaded(&Reference::<f64>::new(), dtype, |model, path| model.load_weights(path).unwrap()));
    check(&loaded(&Candle::cpu(), dtype, |model, path| model.load_weights(path).unwrap()));
    check(&loaded(&Reference::<f32>::new(), dtype, |model, path| {
        model.load_weights_partial(path, &elman::checkpoint::PartialLoad::new()).map(drop).unwrap();
    }));
    // Keras' kernels are as ours.
    check(&loaded(&Candle::cpu(), dtype, |model, path| {
        let mapping = Mapping::new("dense", "dense", Kind::Linear);
        let path = renamed(path);
        model.import_keras(&path, &[mapping]).map(drop).unwrap();
    }));
}

/// The file with the name of Keras' variable.
fn renamed(path: &std::path::Path) -> std::path::PathBuf {
    let bytes = std::fs::read(path).unwrap();
    let at = bytes.windows(12).position(|window| window == b"dense.kernel").unwrap();
    let new = path.with_file_name("keras.safetensors");
    std::fs::write(&new, [&bytes[..at], b"dense/kernel", &bytes[at + 12..]].concat()).unwrap();
    new
}

/// Every finite number is the one before and the unit of its binade, from 0 on: that leaves no other conversion.
#[test]
fn every_number_of_f16_is_exact() {
    all_ways(Dtype::F16, |numbers| {
        let (positive, negative) = numbers.split_at(0x8000);
        assert_eq!(positive[0].to_bits(), 0f64.to_bits());
        for bits in 0..0x7bff_usize {
            // Subnormal numbers have the unit of the first binade.
            let unit = 2f64.powi((bits >> 10).max(1) as i32 - 25);
            assert_eq!(positive[bits + 1] - positive[bits], unit, "{bits:#06x}");
        }
        assert_eq!((positive[0x3c00], positive[0x7bff], positive[0x7c00]), (1.0, 65504.0, f64::INFINITY));
        assert!(positive[0x7c01..].iter().all(|x| x.is_nan()));
        let same = |(p, n): (&f64, &f64)| p.is_nan() && n.is_nan() || (-p).to_bits() == n.to_bits();
        assert!(positive.iter().zip(negative).all(same));
    });
}

/// The upper half of an `f32`.
#[test]
fn every_number_of_bf16_is_exact() {
    all_ways(Dtype::BF16, |numbers| {
        assert_eq!((numbers[0x3f80], numbers[0xc000], numbers[0x3dcd]), (1.0, -2.0, 0.10009765625));
        for (bits, &x) in numbers.iter().enumerate() {
            let expected = f32::from_bits((bits as u32) << 16);
            let same = if expected.is_nan() { x.is_nan() } else { (x as f32).to_bits() == expected.to_bits() };
            assert!(same, "{bits:#06x}: {x}");
        }
    });
}

#[test]
fn other_formats_of_weights_are_told_by_name() {
    let kinds: [(&[u8], &str); 4] = [
        (b"PK\x03\x04\0\0\x08\x08archive", "PyTorch"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j", "pickle"),
        (b"\x1f\x8b\x08\0\0\0\0\0rest", "gzip"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    let network = Sequential::new().add(Dense::new(1));
    let mut model = network.build(&Reference::<f32>::new(), Spec::dense(&[1]), 0).unwrap();
    for (bytes, kind) in kinds {
        std::fs::write(&path, bytes).unwrap();
        let error = model.load_weights(&path).unwrap_err().to_string();
        assert!(error.contains("expected a safetensors file, found") && error.contains(kind), "{kind}: {error}");
    }
}
