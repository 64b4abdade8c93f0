//! See `img-inspect`(1).

fn main() -> std::process::ExitCode {
    common::cli::main(img_inspect::command, img_inspect::run)
}
