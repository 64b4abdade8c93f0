//! See `img-commit`(1).

fn main() -> std::process::ExitCode {
    common::cli::main_or(common::sandbox::main_of_child, img_commit::command, img_commit::run)
}
