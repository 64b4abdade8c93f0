//! What the store promises whatever happens to those who use it: processes killed at
//! any instant, many at once, a disk that is full, others who look.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod crash;
mod full;
mod privacy;
mod read_only;
