//! Decompression: the same however the stream is cut, and the inverse of compression.

use std::io::{Read, Write as _};

use common::compression::{Decoder, Encoder, Format, MaxSize};

use crate::tar_reader::Dribble;

/// As much output as is looked at: bombs are no business of the decoder's.
const MAX_OUTPUT: u64 = 1 << 20;

pub(crate) fn run(input: &[u8]) {
    let Some((choice, input)) = input.split_first() else { return };
    if choice % 4 == 0 {
        let formats = [Format::None, Format::Gzip, Format::Zstd];
        return round_trip(input, formats[usize::from(choice / 4) % formats.len()]);
    }
    let (output, ended_well) = decode(input);
    let (other, other_end) = decode(Dribble(input));
    // How much comes before an error depends on how much is asked for at once.
    let agree = match ended_well {
        true => output == other,
        false => output.starts_with(&other) || other.starts_with(&output),
    };
    assert!(agree && ended_well == other_end, "the stream was cut another way");
}

fn decode(stream: impl Read) -> (Vec<u8>, bool) {
    let mut output = Vec::new();
    let growth = MaxSize::default().growth(None);
    let Ok(mut decoder) = Decoder::new(stream, growth) else { return (output, false) };
    let outcome = decoder.by_ref().take(MAX_OUTPUT).read_to_end(&mut output);
    let is_all = (output.len() as u64) < MAX_OUTPUT;
    (output, outcome.is_ok() && is_all && decoder.finish().is_ok())
}

fn round_trip(content: &[u8], format: Format) {
    let mut encoder = Encoder::new(Vec::new(), format, None).unwrap();
    encoder.write_all(content).unwrap();
    let packed = encoder.finish().unwrap();
    if format != Format::None {
        assert!(decode(&packed[..]) == (content.to_vec(), true));
    }
}
