//! Law 7: the model of a stack in memory is what the layers make of a directory, for
//! generated layers and for whatever bytes.

use arbitrary::Unstructured;
use common::compression::Format;

use crate::mend::mend;
use crate::odd::{OddLayer, law_7};
use crate::{generate, scratch};

pub(crate) fn run(input: &[u8]) {
    let Some((&choice, rest)) = input.split_first() else { return };
    let layers: Vec<Vec<u8>> = match choice & 1 {
        0 => {
            let Ok(layers) = generate::layers(&mut Unstructured::new(rest)) else { return };
            layers.iter().map(OddLayer::write).collect()
        }
        _ => {
            let (one, other) = rest.split_at((usize::from(choice) << 4).min(rest.len()));
            vec![mend(one), mend(other)]
        }
    };
    // What is merged may be compressed, what is applied here not.
    if layers.iter().any(|layer| Format::detect(layer) != Format::None) {
        return;
    }
    let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    let scratch = scratch::folder();
    if let Err(problem) = law_7(&layers, scratch.path()) {
        panic!("{problem}");
    }
}
