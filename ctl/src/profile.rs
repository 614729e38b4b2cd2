//! Which cluster is asked, and with which key: by flags, variables, or a profile in a file.

use std::{
    collections::BTreeMap,
    env, fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use clap::Args;
use muster_net::{TlsFiles, TlsFlags};
use serde::Deserialize;

/// The URL of the API if no flag, variable or profile names one.
const DEFAULT_URL: &str = "http://127.0.0.1:9000";

/// Which cluster is asked, by flags and variables.
#[derive(Debug, Clone, Default, Args)]
pub struct ClusterFlags {
    /// Where the API is: https://HOST[:PORT], or http:// on this host. Default: http://127.0.0.1:9000
    #[arg(long, env = "MUSTER_API_URL", global = true, value_name = "URL")]
    pub url: Option<String>,

    /// A file with an operator's key. A node with --insecure needs none
    #[arg(long, env = "MUSTER_KEY_FILE", global = true, value_name = "FILE")]
    pub key_file: Option<PathBuf>,

    /// The profile in the file of profiles that has the rest. Default: the one that the file calls `default`
    #[arg(long, env = "MUSTER_PROFILE", global = true, value_name = "NAME")]
    pub profile: Option<String>,

    /// The file of profiles. Default: muster/config.toml in $XDG_CONFIG_HOME, or in ~/.config
    #[arg(long, env = "MUSTER_CONFIG", global = true, value_name = "FILE", hide_short_help = true)]
    pub config: Option<PathBuf>,

    /// The CA of the server's certificate, if the system does not know it
    #[arg(long, env = "MUSTER_CA", global = true, value_name = "FILE", hide_short_help = true)]
    pub ca: Option<PathBuf>,

    /// The certificate (PEM, with its chain) to show to servers that ask for one
    #[arg(
        long,
        env = "MUSTER_CLIENT_CERT",
        global = true,
        value_name = "FILE",
        requires = "client_key",
        hide_short_help = true
    )]
    pub client_cert: Option<PathBuf>,

    /// The key of --client-cert (PEM, not encrypted)
    #[arg(
        long,
        env = "MUSTER_CLIENT_KEY",
        global = true,
        value_name = "FILE",
        requires = "client_cert",
        hide_short_help = true
    )]
    pub client_key: Option<PathBuf>,

    /// Accept every certificate of a server. For tests: whoever is on the way can then read and change everything, keys too
    #[arg(long, global = true, conflicts_with = "ca", hide_short_help = true)]
    pub tls_insecure: bool,

    /// Send the key to another host by http://, where whoever is on the way can read it
    #[arg(long, global = true, hide_short_help = true)]
    pub http: bool,
}

/// A cluster, and how it is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Profile {
    /// Where the API is.
    pub url: String,
    /// The file with the operator's key.
    pub key_file: Option<PathBuf>,
    /// The file with the CA.
    pub ca: Option<PathBuf>,
    /// The file with the client certificate.
    pub client_cert: Option<PathBuf>,
    /// The file with the key of the client certificate.
    pub client_key: Option<PathBuf>,
    /// Whether every certificate of a server is accepted.
    pub tls_insecure: bool,
    /// Whether the key may be sent to another host by `http://`.
    pub http: bool,
}

impl Profile {
    /// Returns the settings of TLS, by the names of their flags.
    pub fn tls_files(&self) -> TlsFiles {
        TlsFiles {
            flags: TlsFlags { ca: "--ca", cert: "--client-cert", key: "--client-key", insecure: "--tls-insecure" },
            ca: self.ca.clone(),
            cert: self.client_cert.clone(),
            key: self.client_key.clone(),
            insecure: self.tls_insecure,
        }
    }
}

/// The file of profiles.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ProfileFile {
    /// The profile that is used if none is named.
    default: Option<String>,
    profile: BTreeMap<String, Profile>,
}

impl ClusterFlags {
    /// Returns the cluster that is asked: the profile, in which flags and variables replace what they set.
    ///
    /// # Errors
    /// If the file can't be read, or has no such profile.
    pub fn resolve(self) -> anyhow::Result<Profile> {
        let profile = self.profile()?;
        let url = self.url.or(Some(profile.url).filter(|url| !url.is_empty()));
        Ok(Profile {
            url: url.unwrap_or_else(|| DEFAULT_URL.to_owned()),
            key_file: self.key_file.or(profile.key_file),
            ca: self.ca.or(profile.ca),
            client_cert: self.client_cert.or(profile.client_cert),
            client_key: self.client_key.or(profile.client_key),
            tls_insecure: self.tls_insecure || profile.tls_insecure,
            http: self.http || profile.http,
        })
    }

    fn profile(&self) -> anyhow::Result<Profile> {
        let Some(file) = self.config.clone().or_else(default_file) else { return Ok(Profile::default()) };
        let mut known = match fs::read_to_string(&file) {
            Ok(text) => toml::from_str(&text).map_err(|error| unreadable(&file, &text, &error))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.config.is_none() => ProfileFile::default(),
            Err(error) => bail!("--config {}: {error}", file.display()),
        };
        let Some(name) = self.profile.clone().or(known.default) else { return Ok(Profile::default()) };
        let found = known.profile.remove(&name);
        found.with_context(|| no_profile(&name, &file, known.profile.keys()))
    }
}

/// Returns why the file can't be used. Does not show the line itself: it may have a key.
fn unreadable(file: &Path, text: &str, error: &toml::de::Error) -> anyhow::Error {
    let line = error.span().map(|span| 1 + text[..span.start].matches('\n').count()).unwrap_or_default();
    anyhow::anyhow!("the file of profiles, {}, line {line}: {}", file.display(), error.message())
}

fn no_profile<'a>(name: &str, file: &Path, known: impl Iterator<Item = &'a String>) -> String {
    let known: Vec<&str> = known.map(String::as_str).collect();
    let known = if known.is_empty() { "no profile".to_owned() } else { known.join(", ") };
    format!("--profile {name}: {} has {known}", file.display())
}

fn default_file() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(folder.join("muster/config.toml"))
}

/// Reads the key in a file. The text of an error has no key.
///
/// # Errors
/// If the file can't be read, or holds anything but one word.
pub fn read_key(file: &Path) -> anyhow::Result<String> {
    let flag = || format!("--key-file {}", file.display());
    ensure!(fs::metadata(file).with_context(flag)?.is_file(), "{}: it is no regular file", flag());
    let key = fs::read_to_string(file).with_context(flag)?.trim().to_owned();
    let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
    ensure!(is_key, "{}: it has no key, as muster-node key prints it", flag());
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "default = 'shop'\n\
        [profile.shop]\nurl = 'https://shop.example.net'\nkey_file = '/keys/shop'\n\
        [profile.lab]\nurl = 'http://lab:9000'\nhttp = true\n";

    fn resolved(text: &str, place: ClusterFlags) -> Result<Profile, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("config.toml");
        fs::write(&file, text).unwrap();
        ClusterFlags { config: Some(file), ..place }.resolve().map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn flags_win_over_the_profile_and_the_profile_over_defaults() {
        let shop = resolved(FILE, ClusterFlags::default()).unwrap();
        assert_eq!((shop.url.as_str(), shop.key_file), ("https://shop.example.net", Some("/keys/shop".into())));
        let lab = resolved(FILE, ClusterFlags { profile: Some("lab".into()), ..ClusterFlags::default() }).unwrap();
        assert_eq!((lab.url.as_str(), lab.http, lab.key_file), ("http://lab:9000", true, None));
        let flags = ClusterFlags {
            url: Some("https://other".into()),
            key_file: Some("/keys/other".into()),
            ..ClusterFlags::default()
        };
        let other = resolved(FILE, flags).unwrap();
        assert_eq!((other.url.as_str(), other.key_file), ("https://other", Some("/keys/other".into())));
        assert_eq!(resolved("", ClusterFlags::default()).unwrap().url, DEFAULT_URL);
    }

    #[test]
    fn what_is_wrong_with_the_file_is_said() {
        let none =
            resolved(FILE, ClusterFlags { profile: Some("shpo".into()), ..ClusterFlags::default() }).unwrap_err();
        assert!(none.contains("shpo") && none.contains("lab, shop"), "{none}");
        let typo = resolved("[profile.shop]\nurI = 'x'\n", ClusterFlags::default()).unwrap_err();
        assert!(typo.contains("config.toml") && typo.contains("uri") || typo.contains("urI"), "{typo}");
        let secret = resolved("[profile.shop]\nkey = 'eyJhbGci'\n", ClusterFlags::default()).unwrap_err();
        assert!(secret.contains("line 2") && secret.contains("key") && !secret.contains("eyJ"), "{secret}");
        let absent =
            ClusterFlags { config: Some("/no/such/file".into()), ..ClusterFlags::default() }.resolve().unwrap_err();
        assert!(absent.to_string().contains("--config /no/such/file"), "{absent}");
    }
}
