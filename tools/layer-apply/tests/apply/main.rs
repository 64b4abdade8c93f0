//! `layer-apply` through its binary, and its engine through the library.

// Helpers of tests are not in test functions, where these are allowed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod cli;
mod overlay;
mod ownership;
mod peers;
mod rules;
mod security;
mod support;
