//! See `union-mount`(1).

fn main() -> std::process::ExitCode {
    common::cli::main(union_mount::command, union_mount::run)
}
