//! Sparse files: the maps of the old GNU format and of its three PAX versions.
//!
//! GNU tar manual, "Storing Sparse Files" and "Sparse Formats": old GNU (type
//! `S`, the map in the header and in blocks after it), PAX 0.0 and 0.1 (the map
//! in records), PAX 1.0 (the map before the data). A layer should hold none
//! (layer.md, "File Types"), and GNU tar writes all four.

use super::pax::decimal;
use super::{BLOCK_LEN, Block, Limits, Problem};

/// Consecutive bytes of a file that are stored; between segments are holes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Where in the file.
    pub offset: u64,
    /// How many, at least 1.
    pub len_bytes: u64,
}

/// The segments of a file, ascending, apart, and within its length.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Map {
    pub(super) segments: Vec<Segment>,
    /// The length of the file, holes included.
    pub(super) len_bytes: u64,
    /// The sum of the segments' lengths: what is stored.
    pub(super) stored_bytes: u64,
}

const MALFORMED: Problem = Problem::Malformed("sparse map");

/// Collects a map.
#[derive(Debug, PartialEq)]
pub(super) struct MapBuilder {
    segments: Vec<Segment>,
    end: u64,
    stored_bytes: u64,
    limit: usize,
}

impl MapBuilder {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { segments: Vec::new(), end: 0, stored_bytes: 0, limit: limits.sparse_segments }
    }

    /// Adds the next segment. GNU tar ends maps with one of no length at the end.
    pub(super) fn push(&mut self, offset: u64, len_bytes: u64) -> Result<(), Problem> {
        if offset < self.end {
            return Err(MALFORMED);
        }
        self.end = offset.checked_add(len_bytes).ok_or(MALFORMED)?;
        if len_bytes == 0 {
            return Ok(());
        }
        if self.segments.len() >= self.limit {
            let limit = self.limit as u64;
            return Err(Problem::Limit { what: "segments of a sparse file", limit });
        }
        self.stored_bytes += len_bytes;
        self.segments.push(Segment { offset, len_bytes });
        Ok(())
    }

    /// The map of a file of `len_bytes` with `stored_bytes` in the archive.
    pub(super) fn finish(self, len_bytes: u64, stored_bytes: u64) -> Result<Map, Problem> {
        if self.end > len_bytes || i64::try_from(len_bytes).is_err() {
            return Err(MALFORMED);
        }
        if self.stored_bytes != stored_bytes {
            return Err(Problem::Invalid("the sparse map does not match the stored size"));
        }
        Ok(Map { segments: self.segments, len_bytes, stored_bytes })
    }
}

/// The `GNU.sparse.` records of a member.
#[derive(PartialEq, Debug, Default)]
pub(super) struct Records {
    seen: bool,
    major: Option<u64>,
    minor: Option<u64>,
    pub(super) name: Option<Vec<u8>>,
    /// `size` in 0.0 and 0.1, `realsize` in 1.0 (and in 0.x by some writers).
    size: Option<u64>,
    numblocks: Option<u64>,
    /// 0.1: offsets and lengths in turn.
    map: Option<Vec<u64>>,
    /// 0.0: the same, a record each.
    pairs: Vec<u64>,
}

/// Where the map of a sparse file in a PAX version is.
#[derive(Debug)]
pub(super) enum PaxMap {
    /// In the records.
    Given(MapBuilder),
    /// Before the data.
    Ahead,
}

impl Records {
    /// Takes in the record `GNU.sparse.KEYWORD=value`.
    pub(super) fn record(&mut self, keyword: &[u8], value: &[u8]) -> Result<(), Problem> {
        let number = || decimal(value).filter(|&n| i64::try_from(n).is_ok()).ok_or(MALFORMED);
        self.seen = true;
        match keyword {
            b"major" => self.major = Some(number()?),
            b"minor" => self.minor = Some(number()?),
            b"name" if value.contains(&0) => return Err(Problem::Nul("name")),
            b"name" => self.name = (!value.is_empty()).then(|| value.to_vec()),
            b"size" | b"realsize" => {
                let size = number()?;
                if self.size.is_some_and(|other| other != size) {
                    return Err(Problem::Ambiguous("two sizes of a sparse file"));
                }
                self.size = Some(size);
            }
            b"numblocks" => self.numblocks = Some(number()?),
            b"map" if value.is_empty() => self.map = Some(Vec::new()),
            b"map" => {
                let numbers = value.split(|&byte| byte == b',').map(decimal);
                self.map = Some(numbers.collect::<Option<_>>().ok_or(MALFORMED)?);
            }
            b"offset" if self.pairs.len() % 2 == 0 => self.pairs.push(number()?),
            b"numbytes" if self.pairs.len() % 2 == 1 => self.pairs.push(number()?),
            _ => return Err(Problem::Malformed("GNU.sparse record")),
        }
        Ok(())
    }

    /// The length of the file and its map, if the records make it a sparse one.
    pub(super) fn resolve(&self, limits: &Limits) -> Result<Option<(u64, PaxMap)>, Problem> {
        if !self.seen {
            return Ok(None);
        }
        let size = self.size.ok_or(Problem::Invalid("a sparse file without its size"))?;
        match (self.major, self.minor) {
            // Go and Python know the version by both its numbers.
            (Some(1), Some(0)) if self.map.is_none() && self.pairs.is_empty() => {
                Ok(Some((size, PaxMap::Ahead)))
            }
            (None | Some(0), None | Some(0 | 1)) => {
                let numbers = match &self.map {
                    Some(map) if self.pairs.is_empty() => map,
                    Some(_) => return Err(Problem::Ambiguous("two maps of a sparse file")),
                    None => &self.pairs,
                };
                let count = numbers.len() as u64 / 2;
                if numbers.len() % 2 != 0 || self.numblocks.is_some_and(|blocks| blocks != count) {
                    return Err(MALFORMED);
                }
                let mut map = MapBuilder::new(limits);
                for pair in numbers.chunks_exact(2) {
                    if let [offset, len_bytes] = *pair {
                        map.push(offset, len_bytes)?;
                    }
                }
                Ok(Some((size, PaxMap::Given(map))))
            }
            _ => Err(Problem::Invalid("unsupported version of sparse file")),
        }
    }
}

/// Reads the decimal lines of a 1.0 map, block by block.
#[derive(Debug)]
pub(super) struct AheadParser {
    map: MapBuilder,
    /// Numbers still to come; unknown until the first line.
    left: Option<u64>,
    offset: Option<u64>,
    number: Option<u64>,
}

impl AheadParser {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { map: MapBuilder::new(limits), left: None, offset: None, number: None }
    }

    /// Takes in a block; true when it was the last one of the map.
    pub(super) fn block(&mut self, block: &Block) -> Result<bool, Problem> {
        for &byte in block {
            if self.left == Some(0) {
                return Ok(true);
            }
            match byte {
                b'0'..=b'9' => {
                    let value = self.number.unwrap_or(0).checked_mul(10);
                    let value = value.and_then(|value| value.checked_add(u64::from(byte - b'0')));
                    self.number = Some(value.ok_or(MALFORMED)?);
                }
                b'\n' => {
                    let number = self.number.take().ok_or(MALFORMED)?;
                    self.line(number)?;
                }
                _ => return Err(MALFORMED),
            }
        }
        Ok(self.left == Some(0))
    }

    fn line(&mut self, number: u64) -> Result<(), Problem> {
        match (self.left, self.offset.take()) {
            (None, _) => self.left = Some(number.checked_mul(2).ok_or(MALFORMED)?),
            (Some(left), None) => (self.left, self.offset) = (Some(left - 1), Some(number)),
            (Some(left), Some(offset)) => {
                self.left = Some(left - 1);
                self.map.push(offset, number)?;
            }
        }
        Ok(())
    }

    pub(super) fn into_map(self) -> MapBuilder {
        self.map
    }
}

/// Reads segments of the old GNU format, as they are in a header or in a block after
/// it, and says whether one more block follows; empty ones end the map.
///
/// Where a map has gaps, or goes on after its end, readers find different segments,
/// or, as GNU tar and libarchive do, different headers after them.
pub(super) fn push_gnu<'a>(
    map: &mut MapBuilder,
    segments: impl IntoIterator<Item = &'a ::tar::GnuSparseHeader>,
    more: bool,
) -> Result<bool, Problem> {
    let mut ended = false;
    for segment in segments {
        let empty = [segment.offset.starts_with(&[0]), segment.numbytes.starts_with(&[0])];
        match empty {
            [true, true] => ended = true,
            [false, false] if !ended => {
                let offset = super::field::unsigned(&segment.offset, "sparse map")?;
                let len_bytes = super::field::unsigned(&segment.numbytes, "sparse map")?;
                map.push(offset, len_bytes)?;
            }
            _ => return Err(Problem::Ambiguous("a sparse map with gaps")),
        }
    }
    if ended && more {
        return Err(Problem::Ambiguous("a sparse map that goes on after its end"));
    }
    Ok(more)
}

/// A block of further segments of the old GNU format, and whether one more follows.
pub(super) fn push_gnu_block(map: &mut MapBuilder, block: &Block) -> Result<bool, Problem> {
    let mut extended = ::tar::GnuExtSparseHeader::new();
    debug_assert_eq!(extended.as_bytes().len(), BLOCK_LEN);
    extended.as_mut_bytes().copy_from_slice(block);
    push_gnu(map, extended.sparse(), extended.isextended != [0])
}

#[cfg(test)]
#[path = "sparse_tests.rs"]
mod tests;
