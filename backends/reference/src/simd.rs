//! [`vectorised!`]: functions compiled once for three vector lengths, of which the longest is chosen at run time.

/// Defines a function whose body is compiled for the vector registers that every machine has, for AVX2 and for AVX-512,
/// and which calls the best one that the machine has. The body knows the length of a register in bytes as `VECTOR`, and
/// as `FUSED` whether `mul_add` is an instruction. What it calls must be `#[inline(always)]`: another function stays
/// compiled for the least of machines.
macro_rules! vectorised {
    ($(#[$meta:meta])* fn $name:ident <$e:ident>($($arg:ident: $type:ty),* $(,)?) $(-> $out:ty)? $body:block) => {
        $(#[$meta])*
        #[allow(unsafe_code)]
        fn $name<$e: elman::Element>($($arg: $type),*) $(-> $out)? {
            #[inline(always)]
            fn body<$e: elman::Element, const VECTOR: usize, const FUSED: bool>($($arg: $type),*) $(-> $out)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
                fn avx512<$e: elman::Element>($($arg: $type),*) $(-> $out)? {
                    body::<$e, 64, true>($($arg),*)
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2<$e: elman::Element>($($arg: $type),*) $(-> $out)? {
                    body::<$e, 32, true>($($arg),*)
                }
                match $crate::simd::vector() {
                    // SAFETY: these are safe functions but for the instructions, which `vector` found there.
                    64 => return unsafe { avx512($($arg),*) },
                    32 => return unsafe { avx2($($arg),*) },
                    _ => {}
                }
            }
            // Arm's processors have it in their least of machines.
            body::<$e, 16, { cfg!(target_arch = "aarch64") }>($($arg),*)
        }
    };
}
pub(crate) use vectorised;

/// Bytes in the longest vector register that [`vectorised!`] compiles for and the machine has.
#[cfg(target_arch = "x86_64")]
pub(crate) fn vector() -> usize {
    let fused = is_x86_feature_detected!("fma");
    let wide = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    match (fused && wide, fused && is_x86_feature_detected!("avx2")) {
        (true, _) => 64,
        (_, true) => 32,
        _ => 16,
    }
}
