//! Tests of the decoder, on what our encoder and the libraries write.

use std::io::{self, Read, Write};

use super::super::{Encoder, Format, Growth, MaxSize, TooLarge};
use super::Decoder;

fn unlimited() -> Growth {
    MaxSize::default().growth(None)
}

fn decode(compressed: &[u8]) -> io::Result<Vec<u8>> {
    let mut decoder = Decoder::new(compressed, unlimited())?;
    let mut plain = Vec::new();
    decoder.read_to_end(&mut plain)?;
    decoder.finish()?;
    Ok(plain)
}

fn encode(plain: &[u8], format: Format) -> Vec<u8> {
    match format {
        Format::Xz => {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        Format::Bzip2 => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
        _ => {
            let mut encoder = Encoder::new(Vec::new(), format, None).unwrap();
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        }
    }
}

const COMPRESSED: [Format; 4] = [Format::Gzip, Format::Zstd, Format::Xz, Format::Bzip2];

fn sample() -> Vec<u8> {
    (0_u32..60_000).flat_map(|number| (number.wrapping_mul(number) >> 7).to_le_bytes()).collect()
}

#[test]
fn each_format_is_detected_and_read() {
    for format in [Format::None].into_iter().chain(COMPRESSED) {
        for plain in [&b""[..], b"x", &sample()] {
            let compressed = encode(plain, format);
            if format != Format::None {
                assert_eq!(Decoder::new(&compressed[..], unlimited()).unwrap().format(), format);
            }
            assert_eq!(decode(&compressed).unwrap(), plain, "{format}");
        }
    }
}

#[test]
fn a_stream_grows_to_its_limit_and_no_further() {
    let plain = sample();
    for format in [Format::None].into_iter().chain(COMPRESSED) {
        let compressed = encode(&plain, format);
        let read = |limit: u64| {
            let growth = MaxSize::Bytes(limit).growth(None);
            let mut bytes = Vec::new();
            Decoder::new(&compressed[..], growth).unwrap().read_to_end(&mut bytes)
        };
        assert_eq!(read(plain.len() as u64).unwrap(), plain.len());
        let error = read(plain.len() as u64 - 1).unwrap_err();
        let limit = plain.len() as u64 - 1;
        let told = error.get_ref().and_then(|error| error.downcast_ref::<TooLarge>());
        assert_eq!(told, Some(&TooLarge { limit }), "{format}: {error}");
    }
}

#[test]
fn streams_one_after_the_other_are_one_stream() {
    for format in COMPRESSED {
        let twice = [encode(b"first ", format), encode(b"second", format)].concat();
        assert_eq!(decode(&twice).unwrap(), b"first second", "{format}");
    }
}

#[test]
fn every_truncation_is_an_error() {
    let plain = &sample()[..2000];
    for format in COMPRESSED {
        let whole = encode(plain, format);
        for len in 10..whole.len() {
            let error = decode(&whole[..len]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{format} at {len}: {error}");
        }
        // A second stream that is cut is no better than a first one.
        let cut = [&whole[..], &whole[..whole.len() - 1]].concat();
        assert!(decode(&cut).is_err(), "{format}");
    }
}

#[test]
fn a_changed_byte_is_an_error_or_changes_nothing() {
    let plain = &sample()[..3000];
    for format in COMPRESSED {
        let whole = encode(plain, format);
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            if Format::detect(&changed) == format {
                if let Ok(read) = decode(&changed) {
                    // The gzip header holds a time and a system that nobody checks,
                    // and bits are left over at the end of a deflate stream.
                    assert_eq!(read, plain, "{format} at {at}");
                }
            }
        }
    }
}

#[test]
fn gzip_padding_is_accepted_and_garbage_is_not() {
    let whole = encode(b"content", Format::Gzip);
    assert_eq!(decode(&[&whole[..], &[0; 700]].concat()).unwrap(), b"content");
    for garbage in [&b"garbage"[..], b"\0\0\0x", b"\x1f", b"\x1f\x8b\x08"] {
        assert!(decode(&[&whole[..], garbage].concat()).is_err(), "{garbage:?}");
    }
}

#[test]
fn gzip_header_fields_are_skipped_whatever_their_length() {
    let mut header = flate2::GzBuilder::new()
        .extra(vec![7; 65535])
        .comment("a comment")
        .filename(vec![b'n'; 60_000])
        .write(Vec::new(), flate2::Compression::fast());
    header.write_all(b"content").unwrap();
    assert_eq!(decode(&header.finish().unwrap()).unwrap(), b"content");
    let mut reserved = encode(b"content", Format::Gzip);
    reserved[3] = 0x20;
    assert!(decode(&reserved).is_err());
}

#[test]
fn gzip_header_checksum_is_checked() {
    let whole = encode(b"content", Format::Gzip);
    let mut header = whole[..10].to_vec();
    header[3] = 2;
    let mut crc = flate2::Crc::new();
    crc.update(&header);
    let sum = (crc.sum() as u16).to_le_bytes();
    let good = [&header[..], &sum, &whole[10..]].concat();
    assert_eq!(decode(&good).unwrap(), b"content");
    let bad = [&header[..], &[sum[0] ^ 1, sum[1]], &whole[10..]].concat();
    assert!(decode(&bad).is_err());
}

#[test]
fn zstd_skippable_frames_are_skipped_wherever_they_are() {
    let frame = encode(b"content", Format::Zstd);
    let skippable = b"\x5a\x2a\x4d\x18\x05\0\0\0skip!";
    let stream = [&skippable[..], &frame, skippable, &frame, skippable].concat();
    assert_eq!(decode(&stream).unwrap(), b"contentcontent");
    assert_eq!(decode(skippable).unwrap(), b"");
    assert!(decode(&[&frame[..], &skippable[..9]].concat()).is_err());
    assert!(decode(&[&frame[..], b"garbage"].concat()).is_err());
}

#[test]
fn zstd_window_is_bounded() {
    // A frame whose header asks for a window of 2 GiB.
    let error = decode(b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00").unwrap_err();
    assert!(error.to_string().contains("zstd"), "{error}");
}

#[test]
fn xz_memory_is_bounded() {
    let header = {
        // Encoding with such a dictionary would need gigabytes: take the header of
        // a small one and raise the dictionary size in it.
        let mut whole = encode(b"content", Format::Xz);
        // Stream header 12, block header: size, flags, filter id, props size, dict.
        assert_eq!(whole[14..16], [0x21, 1]);
        whole[16] = 36;
        let mut crc = flate2::Crc::new();
        crc.update(&whole[12..20]);
        whole.splice(20..24, crc.sum().to_le_bytes());
        whole
    };
    let error = decode(&header).unwrap_err();
    assert!(error.to_string().contains("xz"), "{error}");
}

#[test]
fn errors_of_the_stream_are_not_blamed_on_the_format() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(libc::EIO))
        }
    }
    let whole = encode(&sample(), Format::Gzip);
    let mut decoder = Decoder::new((&whole[..100]).chain(Failing), unlimited()).unwrap();
    let error = decoder.read_to_end(&mut Vec::new()).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EIO));
}
