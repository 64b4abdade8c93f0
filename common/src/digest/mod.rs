//! Digests: what they look like, and how they are computed on the way.
//!
//! Follows image-spec descriptor.md ("Digests") and config.md ("Layer DiffID",
//! "Layer ChainID"). Only sha256 and sha512 are registered, and nothing else is
//! accepted: a digest becomes a file name in the store, so its grammar is the guard.

mod aside;

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512};

pub use aside::AsideHasher;

/// A hash function registered by the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// What everybody writes, and what we write.
    Sha256,
    /// Registered, read where it is met.
    Sha512,
}

impl Algorithm {
    /// The name before the colon.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Length of the hexadecimal part.
    const fn hex_len(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

/// `ALGORITHM:HEX`, valid by construction.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest {
    algorithm: Algorithm,
    hex: Box<str>,
}

impl Digest {
    /// The sha256 digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(bytes);
        hasher.finish()
    }

    /// Whether `text` is a digest, for those who keep it as text.
    #[must_use]
    pub fn is_valid(text: &str) -> bool {
        split(text).is_some()
    }

    /// Whether `text` is a digest as the specification writes one, of an algorithm that it
    /// does not register: content that cannot be checked.
    #[must_use]
    pub fn is_foreign(text: &str) -> bool {
        let Some((name, encoded)) = text.split_once(':') else { return false };
        let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let is_name =
            name.split(['+', '.', '_', '-']).all(|part| !part.is_empty() && part.bytes().all(word));
        let is_encoded = |byte: u8| byte.is_ascii_alphanumeric() || b"=_-".contains(&byte);
        is_name
            && !matches!(name, "sha256" | "sha512")
            && !encoded.is_empty()
            && encoded.bytes().all(is_encoded)
    }

    /// The hash function.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The lower-case hexadecimal part.
    #[must_use]
    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// The first twelve hexadecimal digits, as docker's tables show.
    #[must_use]
    pub fn short(&self) -> &str {
        self.hex.get(..12).unwrap_or(&self.hex)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm.name(), self.hex)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a sha256 or sha512 digest: '{}'", crate::name::show(.0))]
pub struct InvalidDigest(pub String);

/// The parts of a digest, if `text` is one.
fn split(text: &str) -> Option<(Algorithm, &str)> {
    let (name, hex) = text.split_once(':')?;
    let algorithm = match name {
        "sha256" => Algorithm::Sha256,
        "sha512" => Algorithm::Sha512,
        _ => return None,
    };
    let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (hex.len() == algorithm.hex_len() && hex.bytes().all(lower_hex)).then_some((algorithm, hex))
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        match split(text) {
            Some((algorithm, hex)) => Ok(Self { algorithm, hex: hex.into() }),
            None => Err(InvalidDigest(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidDigest;

    fn try_from(text: String) -> Result<Self, InvalidDigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// The digest of a layer's uncompressed tar stream.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DiffId(pub Digest);

impl fmt::Display for DiffId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The digest of a stack of layers, base first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChainId(pub Digest);

impl ChainId {
    /// The ChainID of `layer` put on `below`, or of `layer` alone.
    #[must_use]
    pub fn stack(below: Option<&Self>, layer: &DiffId) -> Self {
        match below {
            None => Self(layer.0.clone()),
            Some(below) => Self(Digest::of(format!("{} {}", below.0, layer.0).as_bytes())),
        }
    }

    /// The ChainID of a whole stack, `None` if it is empty.
    pub fn of<'a>(layers: impl IntoIterator<Item = &'a DiffId>) -> Option<Self> {
        layers.into_iter().fold(None, |below, layer| Some(Self::stack(below.as_ref(), layer)))
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Computes a digest piece by piece.
#[derive(Debug, Clone)]
pub struct Hasher(State);

#[derive(Debug, Clone)]
enum State {
    Sha256(Sha256),
    Sha512(Box<Sha512>),
}

impl Hasher {
    /// Starts a digest.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Box::default()),
        })
    }

    /// Takes in more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
        }
    }

    /// The digest of all that was taken in.
    #[must_use]
    pub fn finish(self) -> Digest {
        let (algorithm, hex) = match self.0 {
            State::Sha256(state) => (Algorithm::Sha256, format!("{:x}", state.finalize())),
            State::Sha512(state) => (Algorithm::Sha512, format!("{:x}", state.finalize())),
        };
        Digest { algorithm, hex: hex.into() }
    }
}

/// A reader or writer that hashes and counts what passes through it.
#[derive(Debug)]
pub struct Hashing<T> {
    inner: T,
    hasher: Hasher,
    len_bytes: u64,
}

impl<T> Hashing<T> {
    /// Hashes with sha256 what passes through `inner`.
    pub fn new(inner: T) -> Self {
        Self::with_algorithm(inner, Algorithm::Sha256)
    }

    /// Hashes what passes through `inner`.
    pub fn with_algorithm(inner: T, algorithm: Algorithm) -> Self {
        Self { inner, hasher: Hasher::new(algorithm), len_bytes: 0 }
    }

    /// How many bytes have passed.
    pub fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    /// The inner stream, the digest and the number of bytes that passed.
    pub fn finish(self) -> (T, Digest, u64) {
        (self.inner, self.hasher.finish(), self.len_bytes)
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        self.hasher.update(buffer.get(..len).unwrap_or_default());
        self.len_bytes += len as u64;
        Ok(len)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let len = self.inner.write(buffer)?;
        self.hasher.update(buffer.get(..len).unwrap_or_default());
        self.len_bytes += len as u64;
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::{ChainId, DiffId, Digest};

    #[test]
    fn only_registered_well_formed_digests_parse() {
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(format!("sha256:{hex}").parse::<Digest>().unwrap(), Digest::of(b""));
        let upper = hex.to_uppercase();
        for bad in [
            "",
            "sha256",
            "sha256:",
            "sha256:../../x",
            "md5:00",
            &format!("sha256:{upper}"),
            &format!("sha256:{hex}0"),
        ] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }

    #[test]
    fn chain_id_follows_the_specification() {
        let (one, two) = (DiffId(Digest::of(b"1")), DiffId(Digest::of(b"2")));
        assert_eq!(ChainId::of([]), None);
        assert_eq!(ChainId::of([&one]).unwrap().0, one.0);
        let expected = Digest::of(format!("{one} {two}").as_bytes());
        assert_eq!(ChainId::of([&one, &two]).unwrap().0, expected);
    }
}
