//! `layer-apply` through its binary, and its engine through the library.

mod rules;
mod security;
mod support;
