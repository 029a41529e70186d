//! [`vectorised!`]: functions compiled once for each set of vector instructions, the best of which is chosen at run
//! time.

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
            pulp::Arch::new().dispatch(Kernel(($($arg,)*)))
        }
    )*};
}
pub(super) use vectorised;
