//! See `img-browse`(1).

fn main() -> std::process::ExitCode {
    common::cli::main(img_browse::command, img_browse::run)
}
