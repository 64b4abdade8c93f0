//! The Containerfile parser: whatever bytes, one answer, and variables expanded
//! without one.

use common::containerfile::{Containerfile, Expander, NoVariables, config, parse};
use common::oci::{ImageConfig, Platform};

pub(crate) fn run(input: &[u8]) {
    let _ = Containerfile::parse(input);
    if let Ok(parsed) = parse(input) {
        assert_eq!(parse(input).unwrap(), parsed);
        for located in &parsed.instructions {
            let expander = Expander::new('\\');
            let _ = located.instruction.expanded(expander, &NoVariables);
            let _ = Expander::new('`').words(&located.text, &NoVariables);
            let _ = Expander::for_heredoc().word(&located.text, &NoVariables);
        }
    }
    let text = String::from_utf8_lossy(input);
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut image = ImageConfig::scratch(&Platform::new("linux", "amd64", None));
    if config::change(&lines, &mut image).is_ok() {
        let bytes = image.to_bytes().unwrap();
        assert_eq!(ImageConfig::parse(&bytes).unwrap().to_bytes().unwrap(), bytes);
    }
}
