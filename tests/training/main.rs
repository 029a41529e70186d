//! Training as a user meets it: fit, evaluate, predict, callbacks, weights in files, and what is said of bad input.

mod backends;
mod bad_input;
mod bad_options;
mod callbacks;
mod fit;
mod layers;
mod printing;
mod toy;
mod transfers;
mod weights;
mod xor;
