//! Any bytes as a compressed stream, and any bytes compressed and read again.

#![no_main]

use std::io::{Read as _, Write as _};

use common::compression::{Decoder, Encoder, Format};
use libfuzzer_sys::fuzz_target;

/// A few bytes of a stream can stand for very many.
const MOST_BYTES: u64 = 4 << 20;

fuzz_target!(|data: &[u8]| {
    if let Ok(decoder) = Decoder::new(data) {
        let _ = std::io::copy(&mut decoder.take(MOST_BYTES), &mut std::io::sink());
    }
    for format in [Format::Gzip, Format::Zstd] {
        let mut encoder = Encoder::new(Vec::new(), format, Some(1)).expect("level 1 is there");
        encoder.write_all(data).expect("memory takes everything");
        let compressed = encoder.finish().expect("memory takes everything");
        let mut decoder = Decoder::new(&compressed[..]).expect("our own stream");
        assert_eq!(decoder.format(), format);
        let mut plain = Vec::new();
        decoder.read_to_end(&mut plain).expect("our own stream");
        assert_eq!(plain, data);
    }
});
