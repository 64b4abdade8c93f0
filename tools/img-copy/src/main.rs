//! See `img-copy`(1).

fn main() -> std::process::ExitCode {
    common::cli::main(img_copy::command, img_copy::run)
}
