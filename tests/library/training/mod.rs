//! Training as a user meets it: fit, evaluate, predict, callbacks, weights in files, and what is said of bad input.

mod backends;
mod bad_input;
mod bad_options;
mod before_the_first_step;
mod callbacks;
mod cost;
mod counts;
#[cfg(feature = "csv")]
mod csv_log;
mod decided;
mod fit;
mod layers;
mod not_finite;
mod outputs;
mod printing;
mod sources;
mod splits;
mod state;
mod steps;
mod toy;
mod transfers;
mod warnings;
mod weight_average;
mod weights;
mod wrong_use;
mod xor;
