//! See `layer-apply`(1).

fn main() -> std::process::ExitCode {
    common::cli::main(layer_apply::command, layer_apply::run)
}
