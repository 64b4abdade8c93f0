//! Completion scripts: their text, from the argument definitions, and their
//! names, as each shell looks for them.

use clap_complete::aot::{Shell as Generator, generate};

use crate::tool::Tool;

/// A shell that we complete for.
#[derive(Debug, Clone, Copy)]
pub struct Shell {
    /// Its command, and its folder in `completions/`.
    pub name: &'static str,
    generator: Generator,
}

/// Every shell that we complete for.
pub const SHELLS: &[Shell] = &[
    Shell { name: "bash", generator: Generator::Bash },
    Shell { name: "zsh", generator: Generator::Zsh },
    Shell { name: "fish", generator: Generator::Fish },
];

impl Shell {
    /// The script's path in `completions/`; the last component is what the shell
    /// looks for when it completes `tool` for the first time.
    #[must_use]
    pub fn file(&self, tool: &str) -> String {
        match self.generator {
            Generator::Zsh => format!("zsh/_{tool}"),
            Generator::Fish => format!("fish/{tool}.fish"),
            _ => format!("{}/{tool}", self.name),
        }
    }

    /// The script for `tool`.
    #[must_use]
    pub fn script(&self, tool: &Tool) -> Vec<u8> {
        let mut script = Vec::new();
        let mut command = common::cli::with_one_help((tool.command)());
        generate(self.generator, &mut command, tool.name, &mut script);
        script
    }
}
