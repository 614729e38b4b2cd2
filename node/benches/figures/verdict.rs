//! The end of a benchmark: its figures, each beside the bound that it must hold.

use std::process::ExitCode;

/// Prints each figure with its name and bound. Fails if one is over its bound.
pub fn verdict(figures: &[(&str, f64, f64)]) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for (what, value, most) in figures {
        let held = if value <= most { "ok" } else { "FAIL" };
        println!("{what:<42} {value:>6.2}  (at most {most:.2})  {held}");
        if value > most {
            code = ExitCode::FAILURE;
        }
    }
    code
}
