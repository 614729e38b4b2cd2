//! Reads the secrets by which the sidecar checks the nodes' leases.

use anyhow::Context;
use muster_protocol::token::Secret;
use muster_redis::secret;

use super::Config;

impl Config {
    /// Reads the secrets by which leases are checked. The error names the flag, and never shows what is in the file.
    pub fn read_secrets(&self) -> anyhow::Result<Vec<Secret>> {
        let files = [("--cluster-secret-file", &self.cluster_secret_file), ("--secret-file", &self.secret_file)];
        let Some((flag, file)) = files.iter().find_map(|(flag, file)| Some((flag, file.as_ref()?))) else {
            return Ok(Vec::new());
        };
        let what = || format!("{flag} {}", file.display());
        let text = secret::read(file).with_context(what)?;
        Secret::parse_lines(&text).with_context(what)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        config: Config,
    }

    fn read(flags: &[&str]) -> Result<Vec<String>, String> {
        let config = Flags::try_parse_from(["sidecar"].iter().chain(flags)).map_err(|error| error.to_string())?.config;
        let secrets = config.read_secrets().map_err(|error| format!("{error:#}"))?;
        Ok(secrets.into_iter().map(|secret| secret.kid).collect())
    }

    #[test]
    fn the_secret_of_the_cluster_comes_before_that_of_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: String| {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let cluster = file("cluster", format!("new={}\nold={}\n", "n".repeat(32), "o".repeat(32)));
        let tokens = file("tokens", format!("token={}", "t".repeat(32)));
        let short = file("short", "k1=tooshort".into());
        assert_eq!(read(&[]).unwrap(), Vec::<String>::new());
        assert_eq!(read(&["--secret-file", &tokens]).unwrap(), ["token"]);
        assert_eq!(read(&["--secret-file", &tokens, "--cluster-secret-file", &cluster]).unwrap(), ["new", "old"]);
        for flag in ["--secret-file", "--cluster-secret-file"] {
            let error = read(&[flag, &short]).unwrap_err();
            assert!(error.starts_with(flag) && error.contains("line 1") && !error.contains("tooshort"), "{error}");
            assert!(
                read(&[flag, "/nonexistent"]).unwrap_err().starts_with(&format!("{flag} /nonexistent: No such file"))
            );
        }
    }
}
