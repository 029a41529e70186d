//! Training as a user meets it: fit, evaluate, predict, callbacks, weights in files, and what is said of bad input.

mod backends;
mod bad_input;
mod bad_options;
mod callbacks;
mod fit;
mod layers;
mod outputs;
mod printing;
mod toy;
mod transfers;
mod warnings;
mod weights;
mod wrong_use;
mod xor;
