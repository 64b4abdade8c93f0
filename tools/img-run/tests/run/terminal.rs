//! Terminals of the command's own.

use crate::support::{in_each_role, text};

#[test]
fn a_terminal_of_its_own() {
    in_each_role(|scratch| {
        let script = "tty; test -t 0 && test -t 1 && test -t 2 && echo all; exec 3</dev/tty && \
                      echo controlling; exit 5";
        let words = ["-t", "--entrypoint", "", "app", "sh", "-c", script];
        let output = scratch.run(&words);
        assert_eq!(text(&output.stdout), "/dev/pts/0\r\nall\r\ncontrolling\r\n", "{output:?}");
        assert_eq!(output.status.code(), Some(5));
    });
}

#[test]
fn an_ended_input_ends_a_shell_on_a_terminal() {
    in_each_role(|scratch| {
        // Interactive, so it discards what was typed before its prompt.
        let output = scratch.run(&["-t", "--entrypoint", "", "app", "sh", "-i"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let twice = ["-t", "--entrypoint", "", "app", "sh", "-c", "cat; echo one; cat; echo two"];
        assert_eq!(text(&scratch.run(&twice).stdout), "one\r\ntwo\r\n");
    });
}
