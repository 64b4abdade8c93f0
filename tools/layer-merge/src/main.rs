//! See `layer-merge`(1).

fn main() -> std::process::ExitCode {
    common::cli::main(layer_merge::command, layer_merge::run)
}
