//! `muster-loadgen`. The command line is in [`muster_loadgen::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    muster_loadgen::cli::main()
}
