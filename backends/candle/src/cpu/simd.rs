//! Which vector instructions kernels use: [`dispatch`] runs a kernel with them, [`vectorised!`] defines functions compiled
//! for each set.
//!
//! The best set that the machine has is chosen at run time. The environment variable `ELMAN_INSTRUCTIONS` (`avx2`,
//! `scalar`; read at the first use) holds the choice down, to compare results and times. It does not reach into the
//! `gemm` crate, which multiplies larger matrices and chooses for itself.

use pulp::{Arch, WithSimd};
use std::sync::OnceLock;

/// What is chosen, once for the process. A name that is not known, or of what the machine does not have, changes nothing.
fn chosen() -> Arch {
    static CHOSEN: OnceLock<Arch> = OnceLock::new();
    *CHOSEN.get_or_init(|| match std::env::var("ELMAN_INSTRUCTIONS").as_deref() {
        Ok("scalar") => Arch::Scalar,
        #[cfg(target_arch = "x86_64")]
        Ok("avx2") => pulp::x86::V3::try_new().map_or_else(Arch::new, Arch::V3),
        _ => Arch::new(),
    })
}

/// Runs a kernel with the instructions chosen.
#[inline]
pub(super) fn dispatch<W: WithSimd>(kernel: W) -> W::Output {
    chosen().dispatch(kernel)
}

/// Defines functions whose bodies are compiled for every instruction set that `pulp` knows, and which call the best one
/// that the machine has. What a body calls must be `#[inline(always)]`, or a closure handed to it; otherwise it stays
/// compiled for the least of machines. (For the same reason a body is no closure itself: a large one is not inlined.)
macro_rules! vectorised {
    ($($(#[$meta:meta])* $vis:vis fn $name:ident $(<$g:ident: $bound:path>)? ($($arg:ident: $type:ty),* $(,)?)
        $(-> $out:ty)? $body:block)*) => {$(
        $(#[$meta])*
        $vis fn $name $(<$g: $bound>)? ($($arg: $type),*) $(-> $out)? {
            struct Kernel<T>(T);
            impl $(<$g: $bound>)? pulp::NullaryFnOnce for Kernel<($($type,)*)> {
                // Parentheses around nothing are the unit that a kernel without a result returns.
                #[allow(unused_parens)]
                type Output = ($($out)?);

                #[inline(always)]
                fn call(self) -> Self::Output {
                    let ($($arg,)*) = self.0;
                    $body
                }
            }
            $crate::cpu::simd::dispatch(Kernel(($($arg,)*)))
        }
    )*};
}
pub(super) use vectorised;
