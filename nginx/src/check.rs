//! Checks a configuration with `nginx -t`.

use std::{path::Path, time::Duration};

use anyhow::{Context, bail};
use tokio::time;

use crate::{
    config::Config,
    nginx::{command, missing},
};

/// How long `nginx -t` may take. It reads files and resolves names, which takes milliseconds. After this time the
/// sidecar kills it and does not use the configuration.
const CHECK: Duration = Duration::from_secs(10);

/// Checks a configuration with `nginx -t`. An error if Nginx refuses it, with Nginx's message, or does not answer
/// within 10 s. The check would not notice an injected directive; the templates hold typed values only.
pub async fn check(config: &Config, file: &Path) -> anyhow::Result<()> {
    let mut command = command(config);
    command.args(["-t", "-q", "-c"]).arg(file).kill_on_drop(true);
    let Ok(checked) = time::timeout(CHECK, command.output()).await else { bail!(unchecked(config)) };
    let checked = checked.with_context(|| missing(config))?;
    if !checked.status.success() {
        bail!("Nginx refuses the configuration: {}", String::from_utf8_lossy(&checked.stderr).trim());
    }
    Ok(())
}

fn unchecked(config: &Config) -> String {
    format!(
        "--nginx {}: its check of the configuration (-t) did not end within {} s; check that every file and host name in it and in --snippets can be read and resolved",
        config.nginx.display(),
        CHECK.as_secs()
    )
}
