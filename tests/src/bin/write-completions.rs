//! Writes `completions/` from the argument definitions: `make completions`.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::fs;
use std::path::Path;

use layerutils_tests::{completion, tool};

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../completions");
    for tool in tool::ALL {
        for shell in completion::SHELLS {
            let path = folder.join(shell.file(tool.name));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, shell.script(tool)).unwrap();
        }
    }
}
