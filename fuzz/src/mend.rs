//! Checksums made right, so that a changed header is more than a bad checksum.

const BLOCK: usize = 512;
const CHECKSUM: std::ops::Range<usize> = 148..156;

/// Gives every block that could be the header of a member the checksum it needs, and
/// the archive its end.
pub(crate) fn mend(bytes: &[u8]) -> Vec<u8> {
    let mut archive = bytes.to_vec();
    archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    let mut at = 0;
    while let Some(block) = archive.get_mut(at..at + BLOCK) {
        at += BLOCK;
        if block.iter().all(|byte| *byte == 0) {
            continue;
        }
        block[CHECKSUM].fill(b' ');
        let sum: u32 = block.iter().copied().map(u32::from).sum();
        block[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        at += content_len(&block[124..136]);
    }
    archive.extend([0; 2 * BLOCK]);
    archive
}

/// How many bytes of blocks follow a header, as far as an octal size field tells.
fn content_len(field: &[u8]) -> usize {
    let digits = field.iter().filter(|byte| byte.is_ascii_digit());
    let size = digits.fold(0_usize, |size, digit| {
        size.saturating_mul(8).saturating_add(usize::from(digit - b'0'))
    });
    size.min(1 << 30).next_multiple_of(BLOCK)
}
