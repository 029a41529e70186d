//! Which gradients of a fused operation are wanted, by name. A backend may skip the others' work.

macro_rules! wanted {
    ($(#[$meta:meta])* $name:ident, $count:literal, $($(#[$of_field:meta])* $field:ident),+) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[must_use]
        pub struct $name {
            $($(#[$of_field])* pub $field: bool),+
        }

        impl $name {
            /// All of them.
            pub const ALL: Self = $name { $($field: true),+ };
            /// None of them.
            pub const NONE: Self = $name { $($field: false),+ };
        }

        /// In the order of the fields, which is that of the gradients.
        impl From<[bool; $count]> for $name {
            fn from([$($field),+]: [bool; $count]) -> Self {
                $name { $($field),+ }
            }
        }
    };
}

wanted! {
    /// Gradients of [`Backend::linear`](super::Backend::linear) and
    /// [`Backend::linear_steps`](super::Backend::linear_steps).
    LinearWanted, 3,
    /// That for the inputs.
    x,
    /// That for the kernel, `w`.
    kernel,
    /// That for the bias.
    bias
}

wanted! {
    /// Gradients of [`Backend::layer_norm`](super::Backend::layer_norm).
    LayerNormWanted, 3,
    /// That for the inputs.
    x,
    /// That for the factors.
    gamma,
    /// That for the shifts.
    beta
}

wanted! {
    /// Gradients of [`Backend::attention`](super::Backend::attention).
    AttentionWanted, 4,
    /// That for the queries.
    query,
    /// That for the keys.
    key,
    /// That for the values.
    value,
    /// That for the bias, where there is one.
    bias
}

wanted! {
    /// Gradients of [`Backend::crf`](super::Backend::crf).
    CrfWanted, 4,
    /// That for the scores.
    scores,
    /// That for the start.
    start,
    /// That for the transitions.
    transitions,
    /// That for the end.
    end
}

wanted! {
    /// Gradients of [`Backend::recurrent`](super::Backend::recurrent), those for arrays that there are.
    RecurrentWanted, 5,
    /// That for the pre-activations.
    z,
    /// That for the recurrent kernel.
    u,
    /// That for the recurrent bias.
    bias,
    /// That for the first output.
    h,
    /// That for the first cell state.
    c
}

wanted! {
    /// Gradients of [`Backend::projected_recurrent`](super::Backend::projected_recurrent), those for arrays that there are.
    ProjectedWanted, 7,
    /// That for the inputs.
    x,
    /// That for the inputs' kernel.
    kernel,
    /// That for the inputs' bias.
    bias,
    /// That for the recurrent kernel.
    u,
    /// That for the recurrent bias.
    recurrent_bias,
    /// That for the first output.
    h,
    /// That for the first cell state.
    c
}
