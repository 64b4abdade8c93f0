//! Exit statuses, as one type.

/// How a tool ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(u8);

impl Status {
    /// All that was asked for is done.
    pub const DONE: Self = Self(0);
    /// A negative answer that was asked for (`--exit-code`, `--check`).
    pub const NEGATIVE: Self = Self(1);
    /// Usage or failure.
    pub const FAILED: Self = Self(2);
    /// A tool that runs a command failed itself, as env(1) and docker say it.
    pub const RUNNER_FAILED: Self = Self(125);
    /// The command was found but could not be executed.
    pub const NOT_EXECUTABLE: Self = Self(126);
    /// The command was not found.
    pub const NOT_FOUND: Self = Self(127);

    /// A command's own exit status, passed through.
    #[must_use]
    pub const fn of_command(code: u8) -> Self {
        Self(code)
    }

    /// A command that was killed by signal `number`: 128 + number.
    #[must_use]
    pub fn of_signal(number: i32) -> Self {
        Self(u8::try_from(128 + number).unwrap_or(u8::MAX))
    }

    /// The number that the shell sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        self.0
    }
}
