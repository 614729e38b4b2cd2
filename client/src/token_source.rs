//! Where a terminal's token comes from.

use std::{
    fmt,
    path::PathBuf,
    str::FromStr,
    sync::{Arc, atomic::AtomicBool},
};

use futures_util::future::BoxFuture;

use crate::{
    ConfigError, TlsSource,
    endpoint::Endpoint,
    renewed_file::RenewedFile,
    token::{InvalidToken, Token, TokenUnavailable},
    token_file::read_file,
};

/// Where a terminal's token comes from. If a source gives a newer token before the present one expires, the session
/// goes on. With a fixed token the session ends when the token expires, and the terminal can't come back.
///
/// A source gets [`Config::deadline`](crate::Config::deadline) to answer. A source that fails or takes longer stops
/// nothing: the terminal goes on with the token that it has, and reports
/// [`Incoming::TokenUnavailable`](crate::Incoming::TokenUnavailable).
#[derive(Clone)]
pub struct TokenSource(Origin);

#[derive(Clone)]
enum Origin {
    Fixed(Token),
    File(PathBuf),
    Call(Arc<dyn Fn() -> BoxFuture<'static, Result<Token, String>> + Send + Sync>),
}

impl TokenSource {
    /// Reads the token from a file, which another program may replace at any time. The terminal reads the file before
    /// each attempt to connect and before the token expires. White space around the token is ignored. A program that
    /// replaces the file should write another file and rename it, so that the terminal never reads half of a token.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Origin::File(path.into()))
    }

    /// Gets the token from a function, which may ask a server. The terminal calls it if there is no token yet, before
    /// the token expires, and after a node has refused it; never twice at once. The function runs in a task of its own,
    /// which ends at the deadline. The text of its error is reported to the program, so it must not hold a token.
    pub fn call<F, Fut, E>(fetch: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Token, E>> + Send + 'static,
        E: fmt::Display,
    {
        Self(Origin::Call(Arc::new(move || {
            let fetching = fetch();
            Box::pin(async move { fetching.await.map_err(|error| error.to_string()) })
        })))
    }

    /// Keeps in a file a token that allows to be renewed (`muster-node token --renew`, or one from an enrolment).
    /// Before the token expires, the terminal trades it for a later one at a node and writes that into the file. So a
    /// program that is started again goes on with the later token. `urls` are those of
    /// [`Config::urls`](crate::Config::urls): only the scheme, the host and the port count. `tls` is
    /// [`Config::tls`](crate::Config::tls).
    ///
    /// # Errors
    /// If there is no URL, if one can't be used, or if the files for TLS can't be used.
    pub fn renewed_file(
        path: impl Into<PathBuf>,
        urls: impl IntoIterator<Item = impl Into<String>>,
        tls: &TlsSource,
    ) -> Result<Self, ConfigError> {
        let urls: Vec<String> = urls.into_iter().map(Into::into).collect();
        let file = Arc::new(RenewedFile::new(path.into(), Endpoint::servers(&urls, tls)?));
        Ok(Self::call(move || {
            let file = file.clone();
            async move { file.ask().await }
        }))
    }

    /// Returns the token, if it is always the same.
    pub(crate) fn fixed(&self) -> Option<&Token> {
        match &self.0 {
            Origin::Fixed(token) => Some(token),
            _ => None,
        }
    }

    /// Returns whether the source is a file: to ask it costs so little that the terminal does so before each attempt.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self.0, Origin::File(_))
    }

    /// Asks for a token. `is_reading` belongs to the caller, and is true while a file that the caller asked for has not
    /// been read: so a file system that hangs holds one thread, and not one more for each call.
    pub(crate) fn ask(&self, is_reading: &Arc<AtomicBool>) -> BoxFuture<'static, Result<Token, TokenUnavailable>> {
        match self.0.clone() {
            Origin::Fixed(token) => Box::pin(async { Ok(token) }),
            Origin::File(path) => Box::pin(read_file(path, is_reading.clone())),
            Origin::Call(fetch) => Box::pin(async move { fetch().await.map_err(TokenUnavailable::Failed) }),
        }
    }
}

impl From<Token> for TokenSource {
    fn from(token: Token) -> Self {
        Self(Origin::Fixed(token))
    }
}

impl FromStr for TokenSource {
    type Err = InvalidToken;

    /// Reads the text as a fixed token.
    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        text.parse().map(|token: Token| token.into())
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Origin::Fixed(token) => write!(f, "{token:?}"),
            Origin::File(path) => write!(f, "the file {}", path.display()),
            Origin::Call(_) => f.write_str("a function"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write, path::Path};

    use super::*;

    async fn ask(source: TokenSource) -> Result<Token, TokenUnavailable> {
        source.ask(&Arc::default()).await
    }

    #[test]
    fn a_fixed_token_is_never_printed() {
        let source: TokenSource = "eyJ.secret".parse().unwrap();
        assert!(!format!("{source:?}").contains("secret"));
    }

    #[tokio::test]
    async fn a_file_is_read_anew_each_time() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let source = TokenSource::file(file.path());
        for token in ["first", "second"] {
            fs::write(file.path(), format!(" {token}\n")).unwrap();
            assert_eq!(ask(source.clone()).await, Ok(token.parse().unwrap()));
        }
    }

    #[tokio::test]
    async fn what_is_wrong_with_a_file_is_told_by_its_path_and_without_its_text() {
        let mut large = tempfile::NamedTempFile::new().unwrap();
        large.write_all(&[b'x'; 20_000]).unwrap();
        let mut words = tempfile::NamedTempFile::new().unwrap();
        words.write_all(b"two secrets").unwrap();
        let empty = tempfile::NamedTempFile::new().unwrap();
        for (path, problem) in [
            (large.path(), "16384 bytes"),
            (words.path(), "one word"),
            (empty.path(), "empty"),
            (Path::new("/nonexistent"), "No such file"),
            (Path::new("/dev/zero"), "no regular file"),
        ] {
            let told = ask(TokenSource::file(path)).await.unwrap_err().to_string();
            assert!(told.contains(problem) && told.contains(&path.display().to_string()), "{told}");
            assert!(!told.contains("secrets") && !told.contains("xx"), "{told}");
        }
    }

    #[tokio::test]
    async fn a_file_that_is_still_being_read_is_not_read_again() {
        let source = TokenSource::file("/nonexistent");
        let told = source.ask(&Arc::new(AtomicBool::new(true))).await.unwrap_err().to_string();
        assert!(told.contains("has not ended"), "{told}");
    }
}
