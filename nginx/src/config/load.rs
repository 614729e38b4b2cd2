//! What a configuration needs before it can be used: secrets from files, folders, and values that depend on others.

use std::path::PathBuf;

use anyhow::{Context, bail};

use super::{Config, NodesFrom, listen, words::word};

impl Config {
    /// Reads the secrets, makes the folders, fills in the defaults that depend on other settings, and checks values. An
    /// error names the flag.
    pub fn load_files(mut self) -> anyhow::Result<Self> {
        if self.workers == 0 {
            bail!("--workers must be at least 1");
        }
        if self.serves_others() && self.nodes_from == NodesFrom::Redis {
            bail!(
                "--probe: nodes with leases are probed by /livez; leave it out, or name your servers with --nodes-from file: or dns:"
            );
        }
        listen::check(&self)?;
        self.secrets = self.read_secrets()?;
        let make = |dir: PathBuf| std::fs::create_dir_all(&dir).map(|()| dir);
        make(self.dir.clone()).with_context(|| format!("--dir: can't make the folder {}", self.dir.display()))?;
        let found = self.dir.canonicalize();
        self.dir = found.with_context(|| format!("--dir: can't find the folder {}", self.dir.display()))?;
        word(&self.dir.display().to_string()).map_err(|error| anyhow::anyhow!("--dir: {error}"))?;
        let temp = self.dir.join("temp");
        make(temp.clone()).with_context(|| format!("--dir: can't make the folder {}", temp.display()))?;
        let snippets = self.snippets.get_or_insert_with(|| self.dir.join("snippets").display().to_string());
        let snippets = PathBuf::from(&*snippets);
        for part in ["http", "server"] {
            make(snippets.join(part))
                .with_context(|| format!("--snippets: can't make the folder {}/{part}", snippets.display()))?;
        }
        if self.edge.is_none() {
            self.edge = Some(hostname());
        }
        Ok(self)
    }
}

/// Returns the host name without characters that Nginx's configuration can't hold; `proxy` if nothing is left.
fn hostname() -> String {
    let name = rustix::system::uname();
    let usable: String =
        name.nodename().to_string_lossy().chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    if usable.is_empty() { "proxy".into() } else { usable }
}
