//! Law 3: merged and applied is applied in turn, for generated layers and trees, and
//! for whatever bytes.

use arbitrary::Unstructured;
use common::compression::Format;

use crate::mend::mend;
use crate::odd::{OddLayer, law_3};
use crate::support::model::{Meta, Node, Tree};
use crate::{generate, scratch};

pub(crate) fn run(input: &[u8]) {
    let Some((&choice, rest)) = input.split_first() else { return };
    let (base, layers) = match choice & 1 {
        0 => {
            let mut bytes = Unstructured::new(rest);
            let layers = generate::layers(&mut bytes);
            let tree = generate::tree(&mut bytes);
            let (Ok(tree), Ok(layers)) = (tree, layers) else { return };
            (tree, layers.iter().map(OddLayer::write).collect())
        }
        _ => {
            let (one, other) = rest.split_at((usize::from(choice) << 4).min(rest.len()));
            (empty(), vec![mend(one), mend(other)])
        }
    };
    // What is merged may be compressed, what is applied here not.
    if layers.iter().any(|layer| Format::detect(layer) != Format::None) {
        return;
    }
    let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    let scratch = scratch::folder();
    if let Err(problem) = law_3(&base, &layers, scratch.path()) {
        panic!("{problem}");
    }
}

fn empty() -> Tree {
    let (owner, mtime) = ((0, 0), (0, 0));
    let meta = Meta { mode: 0o755, owner, mtime, xattrs: Default::default() };
    Tree { root: Node::Directory(meta, Default::default()), inodes: Vec::new() }
}
