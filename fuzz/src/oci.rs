//! Documents, references, names, digests and platforms: what is taken is written as
//! it was taken.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use common::digest::Digest;
use common::image::{Destination, Reference};
use common::oci::{Document, ImageConfig, Platform, media_type};
use common::store::Name;

pub(crate) fn run(input: &[u8]) {
    let expected = ["", media_type::MANIFEST, media_type::INDEX, "text/plain"];
    for media_type in expected {
        match Document::parse(input, media_type) {
            Ok(Document::Manifest(manifest)) => {
                let bytes = manifest.to_bytes().unwrap();
                let again = Document::parse(&bytes, media_type).unwrap();
                assert_eq!(again, Document::Manifest(manifest));
            }
            Ok(Document::Index(index)) => {
                let bytes = index.to_bytes().unwrap();
                let again = Document::parse(&bytes, media_type).unwrap();
                assert_eq!(again, Document::Index(index));
            }
            Err(_) => {}
        }
    }
    if let Ok(config) = ImageConfig::parse(input) {
        let bytes = config.to_bytes().unwrap();
        assert_eq!(ImageConfig::parse(&bytes).unwrap(), config);
        let _ = (config.platform(), config.created_time());
        let _ = config.child().to_bytes().unwrap();
    }
    let text = OsStr::from_bytes(input);
    let _ = Reference::parse(text).map(|reference| reference.store_name());
    let _ = Destination::parse(text);
    let Some(text) = text.to_str() else { return };
    if let Ok(digest) = text.parse::<Digest>() {
        assert_eq!(digest.to_string(), text);
    }
    if let Ok(name) = text.parse::<Name>() {
        assert_eq!(name.canonical().parse::<Name>().unwrap(), name);
    }
    if let Ok(platform) = text.parse::<Platform>() {
        assert_eq!(platform.to_string().parse::<Platform>().unwrap(), platform);
    }
}
