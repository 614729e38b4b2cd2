//! Reads secrets from files into the configuration. An error names the flag, and never shows what is in the file.

use std::path::Path;

use anyhow::Context;
use muster_protocol::token::Secret;
use muster_redis::secret;

use crate::config::{Config, Keys};

impl Config {
    /// Reads the files that `--secret-file`, `--cluster-secret-file` and `--redis-password-file` name. Fails if a file can't be read, is
    /// empty, or holds a line that is no secret.
    pub fn load_files(self) -> anyhow::Result<Self> {
        let mut config = self.load_secrets()?;
        config.redis = config.redis.load_files()?;
        Ok(config)
    }

    /// Reads the files that `--secret-file` and `--cluster-secret-file` name, also once more. Fails as [`load_files`](Self::load_files) does.
    pub fn load_secrets(mut self) -> anyhow::Result<Self> {
        self.keys = self.keys.load_files()?;
        if let Some(file) = &self.cluster_secret_file {
            self.cluster_secrets = read_secrets("--cluster-secret-file", file)?;
        }
        Ok(self)
    }
}

impl Keys {
    /// Reads the file that `--secret-file` names, one secret on each line. The first secret is the one that signs.
    pub fn load_files(mut self) -> anyhow::Result<Self> {
        if let Some(file) = &self.secret_file {
            self.secret = read_secrets("--secret-file", file)?;
        }
        Ok(self)
    }
}

/// Reads a file of secrets, one on each line.
///
/// # Errors
/// If it can't be read, is empty, or has a line that is no secret. The text names the flag and not the secret.
pub fn read_secrets(flag: &str, file: &Path) -> anyhow::Result<Vec<Secret>> {
    let what = || format!("{flag} {}", file.display());
    let text = secret::read(file).with_context(what)?;
    Secret::parse_lines(&text).with_context(what)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use clap::Parser;
    use tempfile::NamedTempFile;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        config: Config,
    }

    fn load_files(flags: &[&str]) -> Result<Config, String> {
        let cli = Cli::try_parse_from(["node"].iter().chain(flags)).map_err(|error| error.to_string())?;
        cli.config.load_files().map_err(|error| format!("{error:#}"))
    }

    fn file(text: &str) -> (NamedTempFile, String) {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let path = file.path().display().to_string();
        (file, path)
    }

    #[test]
    fn a_file_holds_secrets_the_first_of_which_signs() {
        let (_file, path) = file(&format!("new={}\nold={}\n", "n".repeat(32), "o".repeat(32)));
        let keys = load_files(&["--secret-file", &path]).unwrap().keys;
        assert_eq!(keys.secret.iter().map(|secret| secret.kid.as_str()).collect::<Vec<_>>(), ["new", "old"]);
    }

    #[test]
    fn nodes_seal_with_the_secret_of_the_cluster_or_with_that_of_tokens() {
        let (_tokens, tokens) = file(&format!("token={}\n", "t".repeat(32)));
        let (_cluster, cluster) = file(&format!("new={}\nold={}\n", "n".repeat(32), "o".repeat(32)));
        for (flags, sealing) in [
            (vec!["--secret-file", &tokens], vec!["token"]),
            (vec!["--secret-file", &tokens, "--cluster-secret-file", &cluster], vec!["new", "old"]),
            (vec!["--public-key", "k1=f", "--cluster-secret-file", &cluster], vec!["new", "old"]),
            (vec!["--secret-file", &tokens, "--insecure"], vec![]),
        ] {
            let config = load_files(&flags).unwrap();
            let kids: Vec<_> = config.sealing_secrets().iter().map(|secret| secret.kid.as_str()).collect();
            assert_eq!(kids, sealing, "{flags:?}");
        }
    }

    #[test]
    fn a_password_from_a_file_joins_the_url() {
        let (_file, path) = file("p:w\n");
        let config = load_files(&["--redis", "redis://node@redis:6379", "--redis-password-file", &path]).unwrap();
        assert_eq!(config.redis.url.as_deref(), Some("redis://node:p%3Aw@redis:6379"));
    }

    #[test]
    fn what_is_wrong_is_told_by_its_flag_and_without_the_secret() {
        let (_short, short) = file("k1=tooshort");
        let (_empty, empty) = file("\n");
        let secret = format!("k1={}", "s".repeat(32));
        for (flags, expected) in [
            (vec!["--secret-file", "/nonexistent"], "--secret-file /nonexistent: No such file"),
            (vec!["--secret-file", &short], "line 1: a secret is written KID=SECRET"),
            (vec!["--secret-file", &empty], "it is empty"),
            (vec!["--cluster-secret-file", &short], "line 1: a secret is written KID=SECRET"),
            (vec!["--cluster-secret-file", "/nonexistent"], "--cluster-secret-file /nonexistent: No such file"),
            (vec!["--secret-file", "/dev/null"], "--secret-file /dev/null: it is no regular file"),
            (vec!["--secret-file", &short, "--secret", &secret], "cannot be used with"),
            (
                vec!["--redis", "redis://r", "--redis-password-file", "/nonexistent"],
                "--redis-password-file /nonexistent",
            ),
            (vec!["--redis", "redis://r", "--redis-password-file", &empty], "it is empty"),
            (vec!["--redis", "redis://:old@r", "--redis-password-file", &short], "--redis, which gets its password"),
            (vec!["--redis-password-file", &short], "--redis <URL>"),
        ] {
            let told = load_files(&flags).unwrap_err();
            assert!(
                told.contains(expected) && !told.contains("tooshort") && !told.contains(":old"),
                "{flags:?}: {told}"
            );
        }
    }
}
