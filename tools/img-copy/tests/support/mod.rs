//! Registries for the tests of `img-copy`: a real one, and one that misbehaves.

#![allow(dead_code, clippy::unwrap_used)]

pub(crate) mod fake;
pub(crate) mod proxy;
pub(crate) mod pulled;

use layerutils_tests::place::Place;

pub(crate) fn place() -> Place {
    Place::new(env!("CARGO_BIN_EXE_img-copy"))
}

/// Bytes that do not compress, the same in every run.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// Puts an image into the store whose one layer does not compress.
pub(crate) fn put_noise(place: &Place, name: &str, len: usize) -> common::digest::Digest {
    let config = common::oci::ImageConfig::scratch(&"linux/amd64".parse().unwrap());
    let layer = layerutils_tests::place::layer(&[("noise", &noise(len))]);
    place.put(&[name], config, &[&layer], |_| {})
}
