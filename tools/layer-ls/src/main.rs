//! See `layer-ls`(1).

fn main() -> std::process::ExitCode {
    common::cli::main(layer_ls::command, layer_ls::run)
}
