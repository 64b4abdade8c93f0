//! gzip streams (RFC 1952) of any number of members.
//!
//! flate2 inflates; the framing is ours, to reuse one state for the thousands of
//! members of an estargz layer, and for what follows the last member. gzip(1)
//! takes zeros for padding, and so do we; anything else it warns about and
//! ignores, and we refuse.

use std::io::{self, BufRead, Read};

use flate2::{Crc, Decompress, FlushDecompress, Status};

/// A multi-member gzip stream, decompressed.
pub(in crate::compression) struct GzipReader<B> {
    stream: B,
    inflate: Decompress,
    /// Of the member's decompressed bytes.
    crc: Crc,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    First,
    Body,
    Between,
    Ended,
}

const FLAG_HEADER_CRC: u8 = 1 << 1;
const FLAG_EXTRA: u8 = 1 << 2;
const FLAG_NAME: u8 = 1 << 3;
const FLAG_COMMENT: u8 = 1 << 4;
const FLAGS_RESERVED: u8 = 0b1110_0000;

impl<B: BufRead> GzipReader<B> {
    pub(in crate::compression) fn new(stream: B) -> Self {
        let (inflate, crc) = (Decompress::new(false), Crc::new());
        Self { stream, inflate, crc, phase: Phase::First }
    }

    pub(in crate::compression) fn get_ref(&self) -> &B {
        &self.stream
    }

    pub(in crate::compression) fn into_inner(self) -> B {
        self.stream
    }

    /// Skips a member's header, whatever its length.
    fn header(&mut self) -> io::Result<()> {
        let mut header = HeaderBytes { stream: &mut self.stream, crc: Crc::new() };
        let [id1, id2, method, flags, _, _, _, _, _, _] = header.array()?;
        if [id1, id2] != [0x1f, 0x8b] {
            return Err(invalid("something else follows its last member"));
        }
        if method != 8 {
            return Err(invalid("unknown compression method"));
        }
        if flags & FLAGS_RESERVED != 0 {
            return Err(invalid("unknown flags"));
        }
        if flags & FLAG_EXTRA != 0 {
            let len = u16::from_le_bytes(header.array()?);
            for _ in 0..len {
                header.byte()?;
            }
        }
        for flag in [FLAG_NAME, FLAG_COMMENT] {
            if flags & flag != 0 {
                while header.byte()? != 0 {}
            }
        }
        if flags & FLAG_HEADER_CRC != 0 {
            let sum = header.crc.sum() & 0xffff;
            if u32::from(u16::from_le_bytes(header.array()?)) != sum {
                return Err(invalid("checksum mismatch in a header"));
            }
        }
        self.inflate.reset(false);
        self.crc.reset();
        Ok(())
    }

    /// Inflates some of the member. 0 at its end.
    fn body(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let input = self.stream.fill_buf()?;
            let at_end = input.is_empty();
            let (total_in, total_out) = (self.inflate.total_in(), self.inflate.total_out());
            let status = self.inflate.decompress(input, buffer, FlushDecompress::None);
            let used = self.inflate.total_in() - total_in;
            let made = usize::try_from(self.inflate.total_out() - total_out).unwrap_or(0);
            self.stream.consume(usize::try_from(used).unwrap_or(0));
            let status = status.map_err(|error| invalid(error.to_string()))?;
            self.crc.update(buffer.get(..made).unwrap_or_default());
            if status == Status::StreamEnd {
                self.trailer()?;
                self.phase = Phase::Between;
                return Ok(made);
            }
            if made > 0 {
                return Ok(made);
            }
            if at_end {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if used == 0 {
                return Err(invalid("no progress"));
            }
        }
    }

    fn trailer(&mut self) -> io::Result<()> {
        let mut header = HeaderBytes { stream: &mut self.stream, crc: Crc::new() };
        let sum = u32::from_le_bytes(header.array()?);
        let len = u32::from_le_bytes(header.array()?);
        if sum != self.crc.sum() {
            return Err(invalid("checksum mismatch"));
        }
        // The length is kept modulo 2^32 on both sides.
        if len != self.crc.amount() {
            return Err(invalid("length mismatch"));
        }
        Ok(())
    }

    /// What follows a member: another, padding, or nothing.
    fn between(&mut self) -> io::Result<Phase> {
        match self.stream.fill_buf()?.first() {
            None => return Ok(Phase::Ended),
            Some(0) => {}
            Some(_) => {
                self.header()?;
                return Ok(Phase::Body);
            }
        }
        loop {
            let padding = self.stream.fill_buf()?;
            if padding.is_empty() {
                return Ok(Phase::Ended);
            }
            if padding.iter().any(|&byte| byte != 0) {
                return Err(invalid("something else follows its last member"));
            }
            let len = padding.len();
            self.stream.consume(len);
        }
    }
}

impl<B: BufRead> Read for GzipReader<B> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match self.phase {
                Phase::First => {
                    self.header()?;
                    self.phase = Phase::Body;
                }
                Phase::Body => match self.body(buffer)? {
                    0 => {}
                    made => return Ok(made),
                },
                Phase::Between => self.phase = self.between()?,
                Phase::Ended => return Ok(0),
            }
        }
    }
}

/// The bytes of a header, one by one, and their checksum.
struct HeaderBytes<'a, B> {
    stream: &'a mut B,
    crc: Crc,
}

impl<B: BufRead> HeaderBytes<'_, B> {
    fn byte(&mut self) -> io::Result<u8> {
        let byte = *self.stream.fill_buf()?.first().ok_or(io::ErrorKind::UnexpectedEof)?;
        self.stream.consume(1);
        self.crc.update(&[byte]);
        Ok(byte)
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        for byte in &mut bytes {
            *byte = self.byte()?;
        }
        Ok(bytes)
    }
}

fn invalid(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
