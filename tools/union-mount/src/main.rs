//! See `union-mount`(1).

fn main() -> std::process::ExitCode {
    common::cli::main_or(common::sandbox::main_of_child, union_mount::command, union_mount::run)
}
