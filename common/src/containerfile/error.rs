//! What can be wrong with a Containerfile, and where.

use crate::name::show;

/// A problem at a line. Shown as `LINE: PROBLEM`, so that a caller who knows
/// the file's name writes `Containerfile:3: unknown instruction: FROB`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}: {problem}")]
pub struct Error {
    /// The line where the instruction begins, from 1.
    pub line: u32,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with an instruction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not one instruction.
    #[error("there is no instruction in it")]
    Empty,
    /// The file is longer than we are willing to keep.
    #[error("larger than {0} bytes")]
    TooLarge(usize),
    /// Words that expand to more than an image can hold.
    #[error("the values are longer than {0} bytes together")]
    TooLong(usize),
    /// More ports than there are.
    #[error("more than {0} ports")]
    TooManyPorts(usize),
    /// A word that names no instruction.
    #[error("unknown instruction: {}", show(.0))]
    UnknownInstruction(String),
    /// The same directive twice.
    #[error("only one '{0}' directive is allowed")]
    DuplicateDirective(&'static str),
    /// An `escape` directive with neither a backslash nor a backquote.
    #[error("invalid escape character '{}': it must be \\ or `", show(.0))]
    InvalidEscape(String),
    /// A heredoc whose delimiter never comes.
    #[error("heredoc '{}' is not terminated", show(.0))]
    UnterminatedHeredoc(String),
    /// A heredoc where only a path makes sense.
    #[error("{0} cannot take a heredoc as its destination")]
    HeredocDestination(&'static str),
    /// A JSON array with something else than strings in it.
    #[error("a JSON array here may hold only strings")]
    NotStringArray,
    /// SHELL without a JSON array.
    #[error("SHELL requires the arguments in JSON form")]
    NotJson,
    /// Too few arguments.
    #[error("{0} requires at least one argument")]
    AtLeastOne(&'static str),
    /// Another number of arguments than one.
    #[error("{0} requires exactly one argument")]
    ExactlyOne(&'static str),
    /// COPY or ADD with a single argument.
    #[error("{0} requires at least two arguments: the last is the destination")]
    NoDestination(&'static str),
    /// `ENV NAME` alone.
    #[error("{0} must have two arguments")]
    TwoArguments(&'static str),
    /// A word without `=` among `NAME=VALUE` words.
    #[error("'{}' is not of the form NAME=VALUE", show(.0))]
    NotPair(String),
    /// `=VALUE`.
    #[error("{0} names can not be blank")]
    BlankName(&'static str),
    /// An empty VOLUME.
    #[error("VOLUME cannot be an empty string")]
    EmptyVolume,
    /// A flag that this instruction does not have.
    #[error("unknown flag: {} for {instruction}", show(.flag))]
    UnknownFlag {
        /// The instruction's keyword.
        instruction: &'static str,
        /// The flag as written, without its value.
        flag: String,
        /// The flag of the instruction that was probably meant.
        nearest: Option<&'static str>,
    },
    /// A flag twice.
    #[error("flag given twice: {}", show(.0))]
    DuplicateFlag(String),
    /// A flag without its value.
    #[error("flag needs a value: {}", show(.0))]
    MissingValue(String),
    /// A flag's value that does not parse.
    #[error("invalid value for {flag}: '{}'", show(.value))]
    InvalidValue {
        /// The flag, with its dashes, or the key of a mount.
        flag: String,
        /// The value as written.
        value: String,
    },
    /// FROM with two or more than three words.
    #[error("FROM requires either one or three arguments")]
    FromArguments,
    /// A stage name that is not one.
    #[error(
        "invalid name for build stage: '{}': it must begin with a letter, and hold letters, digits, '-', '_' and '.'",
        show(.0)
    )]
    InvalidStageName(String),
    /// Something before the first FROM that is not ARG.
    #[error("{0} before the first FROM: only ARG may come there")]
    BeforeFrom(&'static str),
    /// Only ARGs.
    #[error("no build stage: there is no FROM")]
    NoStage,
    /// ONBUILD ONBUILD.
    #[error("chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")]
    ChainedOnbuild,
    /// ONBUILD of an instruction that cannot be a trigger.
    #[error("{0} isn't allowed as an ONBUILD trigger")]
    ForbiddenTrigger(&'static str),
    /// An instruction that `docker commit` does not take.
    #[error("{} is not a valid change command", show(.0))]
    NotAChange(String),
    /// Arguments after NONE.
    #[error("HEALTHCHECK NONE takes no arguments")]
    HealthcheckNone,
    /// HEALTHCHECK of another type than CMD and NONE.
    #[error("unknown type '{}' in HEALTHCHECK: it must be CMD or NONE", show(.0))]
    HealthcheckType(String),
    /// HEALTHCHECK CMD alone.
    #[error("missing command after HEALTHCHECK CMD")]
    HealthcheckCommand,
    /// A port that is not one.
    #[error("invalid port: '{}'", show(.0))]
    InvalidPort(String),
    /// A signal that Linux does not have.
    #[error("invalid signal: '{}'", show(.0))]
    InvalidSignal(String),
    /// `--from=$x`.
    #[error("variables are not expanded in {0}: name a stage with FROM instead")]
    VariableInFrom(&'static str),
    /// A mount key or type that is unknown or of another type of mount.
    #[error("invalid --mount: {0}")]
    InvalidMount(String),
    /// A word whose variables or quotes are malformed.
    #[error("failed to process '{}': {reason}", show(.word))]
    Expansion {
        /// The word.
        word: String,
        /// Why.
        reason: ExpansionError,
    },
}

/// Why a word cannot be expanded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpansionError {
    /// A quote without its match.
    #[error("unexpected end of statement while looking for matching {0}")]
    Unterminated(&'static str),
    /// `${` without `}`, or `${x/…` without the second `/`.
    #[error("syntax error: missing '{0}'")]
    Missing(char),
    /// `${}`, `${:x}` and the like.
    #[error("syntax error: bad substitution")]
    BadSubstitution,
    /// A modifier that does not exist.
    #[error("unsupported modifier ({}) in substitution", show(.0))]
    UnsupportedModifier(String),
    /// `${x?message}` of an unset or empty variable.
    #[error("{}: {}", show(.name), show(.message))]
    Required {
        /// The variable.
        name: String,
        /// The message from the file, or our own.
        message: String,
    },
    /// A backslash before what needs none, in a pattern.
    #[error("invalid pattern ({}) in substitution", show(.0))]
    InvalidPattern(String),
    /// `${a:-${b:-…` too deep.
    #[error("substitutions are nested more than {0} deep")]
    TooDeep(usize),
    /// A pattern that would be tried on a value for too long.
    #[error("the pattern is too long for a value of {0} characters")]
    TooMuchWork(usize),
    /// A few lines of ENV can double a value without end.
    #[error("the result is longer than {0} bytes")]
    TooLong(usize),
}

impl Problem {
    /// Returns the hint for this error.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let meant = |word: &str| format!("did you mean {word}?");
        match self {
            Self::UnknownInstruction(word) => {
                super::nearest(word, super::grammar::KEYWORDS).map(meant)
            }
            Self::UnknownFlag { nearest, .. } => nearest.map(|flag| meant(&format!("--{flag}"))),
            _ => None,
        }
    }

    /// This problem at `line`.
    #[must_use]
    pub fn at(self, line: u32) -> Error {
        Error { line, problem: self }
    }
}
