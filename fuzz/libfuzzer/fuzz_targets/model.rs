#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| layerutils_fuzz::run("model", input));
