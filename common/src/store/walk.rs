//! One pass over the text of an index, which finds its entries.
//!
//! Values are parsed by `serde_json`, one after the other; what is not needed is passed over
//! without a tree of it, at any depth. Duplicate and misleading fields are refused as in
//! [`crate::oci`].

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde::de::{Error as _, IgnoredAny};
use serde_json::Error;

use super::index::{Place, Word};
use super::name::whole_name;
use crate::digest::{Digest, InvalidDigest};
use crate::oci::Probe;

const ENDS: &str = "unexpected end";

/// The place of the entries, and what has to be written around them.
#[derive(Debug)]
pub(super) struct Array {
    pub(super) text: Range<usize>,
    pub(super) around: (&'static str, &'static str),
}

/// The whole index: what it is, where its entries are to be, and the entries.
pub(super) fn document(text: &str) -> Result<(Probe, Array, Vec<Place>), Error> {
    Walk { text, at: 0 }.document()
}

/// What is read of an entry; the rest is checked where the entry is used.
#[derive(Deserialize)]
struct Fields<'t> {
    #[serde(rename = "mediaType", borrow, default)]
    _media_type: Option<Text<'t>>,
    #[serde(borrow)]
    digest: Text<'t>,
    #[serde(rename = "size")]
    _len_bytes: u64,
    #[serde(borrow, default)]
    annotations: Option<Notes<'t>>,
}

#[derive(Deserialize)]
struct Text<'t>(#[serde(borrow)] Cow<'t, str>);

#[derive(Deserialize)]
struct Notes<'t> {
    #[serde(rename = "org.opencontainers.image.ref.name", borrow, default)]
    name: Option<Text<'t>>,
    #[serde(rename = "io.containerd.image.name", borrow, default)]
    full_name: Option<Text<'t>>,
    #[serde(rename = "io.github.layerutils.index", borrow, default)]
    index: Option<Text<'t>>,
}

/// A walk through a JSON text, one value after the other.
struct Walk<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Walk<'t> {
    fn document(&mut self) -> Result<(Probe, Array, Vec<Place>), Error> {
        let mut probe = Probe::default();
        let mut array = None;
        let mut entries = Vec::new();
        self.expect(b'{')?;
        if self.next_byte() == Some(b'}') {
            self.at += 1;
        } else {
            loop {
                let name: String = self.value()?;
                self.expect(b':')?;
                if probe.has(&name) {
                    return Err(Error::custom(format!("duplicate field `{name}`")));
                }
                probe.note(&name);
                match name.as_str() {
                    "schemaVersion" => probe.schema_version = self.value()?,
                    "mediaType" => probe.media_type = self.value()?,
                    "manifests" => array = Some(self.entries(&mut entries)?),
                    _ => {
                        self.value::<IgnoredAny>()?;
                    }
                }
                if !self.goes_on(b'}')? {
                    break;
                }
            }
        }
        // Without entries, there is a place for them before the last brace.
        let end = self.at - 1;
        let around = (",\"manifests\":[", "]");
        let array = array.unwrap_or(Array { text: end..end, around });
        match self.next_byte() {
            None => Ok((probe, array, entries)),
            Some(_) => Err(Error::custom("trailing characters")),
        }
    }

    fn entries(&mut self, entries: &mut Vec<Place>) -> Result<Array, Error> {
        let start = self.skip_blanks();
        if self.next_byte() == Some(b'n') {
            // Go writes an empty list so.
            self.value::<()>()?;
            return Ok(Array { text: start..self.at, around: ("[", "]") });
        }
        self.expect(b'[')?;
        let start = self.at;
        if self.next_byte() == Some(b']') {
            self.at += 1;
        } else {
            loop {
                let entry = self.entry().map_err(|error| {
                    let text = format!("entry {}: {error}", entries.len() + 1);
                    Error::custom(text)
                })?;
                entries.push(entry);
                if !self.goes_on(b']')? {
                    break;
                }
            }
        }
        Ok(Array { text: start..self.at - 1, around: ("", "") })
    }

    fn entry(&mut self) -> Result<Place, Error> {
        let start = self.skip_blanks();
        if self.next_byte() != Some(b'{') {
            return Err(Error::custom("expected an object"));
        }
        let fields: Fields<'_> = self.value()?;
        let digest = fields.digest.0;
        // One of an algorithm that we do not know is in nobody's way.
        if !Digest::is_valid(&digest) && !Digest::is_foreign(&digest) {
            return Err(Error::custom(InvalidDigest(digest.into_owned())));
        }
        let (name, full_name, index) = match fields.annotations {
            Some(notes) => (notes.name, notes.full_name, notes.index),
            None => (None, None, None),
        };
        let whole = full_name.and_then(|name| whole_name(&name.0));
        Ok(Place {
            json: start..self.at,
            digest: self.word(digest),
            name: whole.map(|name| Word::Apart(name.into())),
            ref_name: name.map(|name| self.word(name.0)),
            index: index.map(|digest| self.word(digest.0)),
        })
    }

    fn word(&self, word: Cow<'t, str>) -> Word {
        match word {
            Cow::Borrowed(word) => {
                // It is a part of the text, whose beginning has the lower address.
                let start = word.as_ptr() as usize - self.text.as_ptr() as usize;
                Word::InText(start..start + word.len())
            }
            Cow::Owned(word) => Word::Apart(word.into()),
        }
    }

    fn value<T: Deserialize<'t>>(&mut self) -> Result<T, Error> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let mut values = serde_json::Deserializer::from_str(rest).into_iter();
        let value = values.next().unwrap_or_else(|| Err(Error::custom(ENDS)))?;
        self.at += values.byte_offset();
        Ok(value)
    }

    fn skip_blanks(&mut self) -> usize {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at += rest.iter().take_while(|byte| b" \t\n\r".contains(byte)).count();
        self.at
    }

    fn next_byte(&mut self) -> Option<u8> {
        let at = self.skip_blanks();
        self.text.as_bytes().get(at).copied()
    }

    fn expect(&mut self, byte: u8) -> Result<(), Error> {
        match self.next_byte() {
            Some(next) if next == byte => {
                self.at += 1;
                Ok(())
            }
            Some(_) => {
                let text = format!("expected `{}` at byte {}", byte as char, self.at + 1);
                Err(Error::custom(text))
            }
            None => Err(Error::custom(ENDS)),
        }
    }

    /// Passes a comma, or `end`, after which nothing goes on.
    fn goes_on(&mut self, end: u8) -> Result<bool, Error> {
        if self.next_byte() == Some(end) {
            self.at += 1;
            return Ok(false);
        }
        self.expect(b',').map(|()| true)
    }
}
