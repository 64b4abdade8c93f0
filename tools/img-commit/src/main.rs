//! See `img-commit`(1).

fn main() -> std::process::ExitCode {
    common::cli::main(img_commit::command, img_commit::run)
}
