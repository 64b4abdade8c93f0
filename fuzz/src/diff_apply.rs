//! Law 1: a tree, and what leads from it to another, give the other; and law 2:
//! nothing is then left to say.

use arbitrary::Unstructured;
use common::layer::diff::{ContentPolicy, Options};

use crate::support::model::make;
use crate::support::snapshot::{compare, snapshot};
use crate::support::{apply_to, diff, members};
use crate::{generate, scratch};

pub(crate) fn run(input: &[u8]) {
    let Ok((before, after)) = generate::two_trees(&mut Unstructured::new(input)) else { return };
    let scratch = scratch::folder();
    let at = |name: &str| scratch.path().join(name);
    make(&before, &at("lower"));
    make(&after, &at("upper"));
    make(&before, &at("copy"));
    let options = Options { content: ContentPolicy::Always, ..Options::default() };
    let layer = diff(Some(&at("lower")), &at("upper"), &options);
    apply_to(&at("copy"), &layer);
    let differences = compare(&snapshot(&at("copy")), &snapshot(&at("upper")));
    assert!(differences.is_empty(), "{differences:#?} {:?}", members(&layer));
    let rest = diff(Some(&at("copy")), &at("upper"), &options);
    assert!(rest.iter().all(|byte| *byte == 0), "{:?}", members(&rest));
}
