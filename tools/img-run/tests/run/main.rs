//! The tool through its binary, as root and as an ordinary user.

// Helpers of tests are not in test functions, where these are allowed.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod command;
mod isolation;
mod runtime;
mod support;
mod terminal;
mod volumes;
