//! See `img-ls`(1).

fn main() -> std::process::ExitCode {
    common::cli::main(img_ls::command, img_ls::run)
}
