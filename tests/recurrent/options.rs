//! Options
