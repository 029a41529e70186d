//! What several test programs share; not each uses all of it.
#![allow(dead_code)]

pub(crate) mod golden;
pub(crate) mod host;
pub(crate) mod logged;
pub(crate) mod near;
pub(crate) mod paths;
