//! See `img-build`(1).

fn main() -> std::process::ExitCode {
    common::cli::main_or(common::sandbox::main_of_child, img_build::parser, img_build::run)
}
