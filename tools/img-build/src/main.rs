//! See `img-build`(1).

fn main() -> std::process::ExitCode {
    common::cli::main(img_build::command, img_build::run)
}
