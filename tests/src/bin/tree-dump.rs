//! Prints the tree below a directory as text: see `layerutils_tests::tree`.
//! A program of its own, to be run where the tests themselves are not: in a
//! namespace, in a container, as somebody else.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout)]

use layerutils_tests::tree::{dump, read};

fn main() {
    for root in std::env::args_os().skip(1) {
        print!("{}", dump::dump(&read(root.as_ref()).unwrap()));
    }
}
