//! Pairs of files compared on all processors, while the walk that wants to know goes
//! on.

use super::Error;
use super::content::{self, FileContent};
use super::pool::{Pool, Work};

/// How much of each file is compared at a time: two of these stay in a processor's
/// own cache.
const BLOCK_LEN_BYTES: usize = 128 << 10;

/// Two files of the same length.
#[derive(Debug)]
pub(super) struct Pair(pub(super) FileContent, pub(super) FileContent);

/// A block of either file.
#[derive(Debug, Default)]
pub(super) struct Blocks(Vec<u8>, Vec<u8>);

/// Compares pairs.
pub(super) type Comparer = Pool<Box<Pair>>;

/// What will say whether a pair is equal.
pub(super) type Pending = super::pool::Pending<Box<Pair>>;

impl Work for Box<Pair> {
    type Result = Result<bool, Error>;
    type Scratch = Blocks;

    fn run(mut self, blocks: &mut Blocks) -> Self::Result {
        for block in [&mut blocks.0, &mut blocks.1] {
            block.resize(BLOCK_LEN_BYTES, 0);
        }
        content::are_equal(&mut self.0, &mut self.1, &mut blocks.0, &mut blocks.1)
    }
}
