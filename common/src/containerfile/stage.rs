//! A file as a build sees it: global ARGs, then stages.

use super::directive::Directives;
use super::error::{Error, Problem};
use super::instruction::{Argument, Base, Instruction, Located};
use super::parse;

/// A Containerfile that can be built.
#[derive(Debug, Clone, PartialEq)]
pub struct Containerfile {
    /// What stands at its very top.
    pub directives: Directives,
    /// The ARGs before the first FROM, with their lines.
    pub globals: Vec<(u32, Vec<Argument>)>,
    /// At least one.
    pub stages: Vec<Stage>,
    /// The last lines of instructions that have an empty line in them.
    pub empty_continuations: Vec<u32>,
}

/// FROM, and what follows up to the next.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// The line of FROM.
    pub line: u32,
    /// FROM as written.
    pub text: String,
    /// What it says.
    pub base: Base,
    /// The instructions after it.
    pub instructions: Vec<Located>,
}

impl Containerfile {
    /// Parses a file and sorts its instructions into stages.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let parsed = parse(bytes)?;
        let mut globals = Vec::new();
        let mut stages: Vec<Stage> = Vec::new();
        let mut last = 1;
        for located in parsed.instructions {
            last = located.line;
            match (located.instruction, stages.last_mut()) {
                (Instruction::From(base), _) => stages.push(Stage {
                    line: located.line,
                    text: located.text,
                    base,
                    instructions: Vec::new(),
                }),
                (Instruction::Arg(arguments), None) => globals.push((located.line, arguments)),
                (instruction, None) => {
                    return Err(Problem::BeforeFrom(instruction.keyword()).at(located.line));
                }
                (instruction, Some(stage)) => {
                    stage.instructions.push(Located { instruction, ..located });
                }
            }
        }
        if stages.is_empty() {
            return Err(Problem::NoStage.at(last));
        }
        let (directives, empty_continuations) = (parsed.directives, parsed.empty_continuations);
        Ok(Self { directives, globals, stages, empty_continuations })
    }
}
