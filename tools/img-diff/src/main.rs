//! See `img-diff`(1).

fn main() -> std::process::ExitCode {
    common::cli::main(img_diff::command, img_diff::run)
}
