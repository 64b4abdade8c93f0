//! Archives changed as a hand with bad intentions, or a bad disk, would.

use proptest::prelude::RngCore as _;
use proptest::test_runner::TestRunner;

const BLOCK: usize = 512;

/// Offsets and lengths of the fields of a header.
const FIELDS: [(usize, usize); 16] = [
    (0, 100),
    (100, 8),
    (108, 8),
    (116, 8),
    (124, 12),
    (136, 12),
    (156, 1),
    (157, 100),
    (257, 8),
    (265, 32),
    (329, 8),
    (337, 8),
    (345, 155),
    (386, 24),
    (482, 1),
    (483, 12),
];

/// What a field is overwritten with, from its start.
const VALUES: [&[u8]; 40] = [
    b"0",
    b"1",
    b"2",
    b"3",
    b"4",
    b"5",
    b"6",
    b"7",
    b"L",
    b"K",
    b"x",
    b"g",
    b"S",
    b"V",
    b"X",
    b"\0",
    b"00000000000\0",
    b"00000001000\0",
    b"00000002000\0",
    b"77777777777\0",
    b"0000000\0",
    b"0001000\0",
    b"-1",
    b"+1",
    b" 1 ",
    b"9",
    b"1 1",
    b"\x80\0\0\0\0\0\0\0\0\0\x02\0",
    b"\x80\x01",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    b"a/",
    b"/",
    b"..",
    b"ustar\x0000",
    b"ustar  \0",
    b"ustar\0  ",
    b"\0\0\0\0\0\0\0\0",
    b"    ",
    b"path",
    b"9",
];

/// All types, and one that there is not; global headers come about too seldom otherwise.
const TYPES: &[u8] = b"01234567LKxggggXSV\0?";

/// Where the headers of an archive are, and the blocks after them, which may hold
/// records or a map: there is more to change in these than in content.
pub(crate) fn places(archive: &[u8]) -> Vec<usize> {
    let blocks = archive.chunks_exact(BLOCK).enumerate();
    let headers = blocks.filter(|(_, block)| is_header(block)).map(|(index, _)| index * BLOCK);
    headers.flat_map(|header| [header, header + BLOCK]).collect()
}

/// Changes up to three things, most of them in these places, and makes the headers'
/// checksums right again.
pub(crate) fn tamper(runner: &mut TestRunner, archive: &[u8], places: &[usize]) -> Vec<u8> {
    let mut bytes = archive.to_vec();
    let mut pick = |below: usize| (runner.rng().next_u64() % below as u64) as usize;
    for _ in 0..=pick(3) {
        let block = match pick(8) {
            0 => pick(bytes.len() / BLOCK) * BLOCK,
            _ => places[pick(places.len())].min(bytes.len() - BLOCK),
        };
        match pick(10) {
            // A field of a header; blocks of content are changed too, and sealed
            // only where they were headers.
            0..=4 => {
                let (offset, len) = FIELDS[pick(FIELDS.len())];
                let value = VALUES[pick(VALUES.len())];
                let len = len.min(value.len());
                overwrite(&mut bytes[block..block + BLOCK], offset, &value[..len]);
            }
            5 => overwrite(&mut bytes[block..block + BLOCK], 156, &[TYPES[pick(TYPES.len())]]),
            // Any byte: most of these are in records and content.
            6..=7 => overwrite(&mut bytes[block..block + BLOCK], pick(BLOCK), &[pick(256) as u8]),
            // A block twice, or not at all.
            8 => {
                let copy = bytes[block..block + BLOCK].to_vec();
                let to = pick(bytes.len() / BLOCK) * BLOCK;
                bytes.splice(to..to, copy);
            }
            _ => {
                bytes.drain(block..block + BLOCK);
            }
        }
        if bytes.len() < 2 * BLOCK {
            return bytes;
        }
    }
    bytes
}

fn overwrite(block: &mut [u8], offset: usize, value: &[u8]) {
    let was_header = is_header(block);
    block[offset..][..value.len()].copy_from_slice(value);
    if was_header {
        seal(block);
    }
}

fn is_header(block: &[u8]) -> bool {
    let mut sealed = block.to_vec();
    seal(&mut sealed);
    let sum = |block: &[u8]| block[148..154].to_vec();
    sum(&sealed) == sum(block)
}

fn seal(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().copied().map(u32::from).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}
