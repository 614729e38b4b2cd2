//! Calls of `muster`.

use std::process::{Command, Output, Stdio};

use muster_testkit::TestNode;

/// A call with these words, of the API of this node.
pub fn muster(node: &TestNode, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    command.args(line.split_whitespace()).env_clear().env("MUSTER_API_URL", format!("http://{}", node.address));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The exit code, and what is printed on standard output and standard error.
pub async fn run(node: &TestNode, line: &str) -> (i32, String) {
    output(muster(node, line)).await
}

/// The same of a command that was made before.
pub async fn output(mut command: Command) -> (i32, String) {
    ended(tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap())
}

/// The exit code, and what was printed.
pub fn ended(output: Output) -> (i32, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().unwrap_or(-1), text(&output.stdout) + &text(&output.stderr))
}
