//! Images of every kind that others make, or could: each is read, or refused with one
//! clear line, and the table of each file says which. Nothing hangs, and nothing is
//! left half-made.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod archives;
mod documents;
mod layers;
mod peers;
mod table;
