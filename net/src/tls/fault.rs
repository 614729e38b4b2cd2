//! What can go wrong with TLS once there is a connection.

use std::{io, sync::Arc};

use rustls::{CertificateError, Error};

/// What is wrong with TLS on a connection.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TlsFault {
    /// The server answered with something that is not TLS.
    #[error("the server does not speak TLS on this port")]
    NotTls,
    /// The server did not answer in time.
    #[error("the server did not answer the TLS handshake in time; does it speak TLS on this port?")]
    Late,
    /// No CA that is trusted here has signed the server's certificate.
    #[error("the server's certificate is not accepted: no CA that is trusted here has signed it")]
    Untrusted,
    /// The server shows the certificate of a CA, mostly one that its owner has made and signed with itself.
    #[error("the server's certificate is not accepted: it is a CA's; sign one for the server with it")]
    Authority,
    /// The server's certificate has expired.
    #[error("the server's certificate is not accepted: it expired {0} s ago, by the clock of this host")]
    Expired(u64),
    /// The server's certificate is not valid yet.
    #[error("the server's certificate is not accepted: it becomes valid in {0} s, by the clock of this host")]
    NotValidYet(u64),
    /// The server's certificate is for another name, or broken.
    #[error("the server's certificate is not accepted: {0}")]
    Certificate(Error),
    /// The server ended the connection, mostly because of the client's certificate or the lack of one.
    #[error(
        "the server refused the TLS connection ({0}); does it require a client certificate, signed by a CA that it trusts?"
    )]
    Refused(Error),
    /// Another violation of the protocol.
    #[error("TLS failed: {0}")]
    Protocol(Error),
    /// The connection ended in the handshake.
    #[error("the connection ended in the TLS handshake: {0}")]
    Ended(Arc<io::Error>),
}

impl TlsFault {
    /// Returns whether a later attempt may succeed while the settings of both sides stay.
    pub fn will_pass(&self) -> bool {
        matches!(self, Self::Late | Self::Ended(_))
    }

    fn of(error: Error) -> Self {
        match error {
            Error::InvalidCertificate(CertificateError::UnknownIssuer) => Self::Untrusted,
            // This error has no variant of its own in rustls.
            Error::InvalidCertificate(why) if format!("{why:?}").contains("CaUsedAsEndEntity") => Self::Authority,
            Error::InvalidCertificate(CertificateError::ExpiredContext { time, not_after }) => {
                Self::Expired(time.as_secs().saturating_sub(not_after.as_secs()))
            }
            Error::InvalidCertificate(CertificateError::NotValidYetContext { time, not_before }) => {
                Self::NotValidYet(not_before.as_secs().saturating_sub(time.as_secs()))
            }
            Error::InvalidCertificate(_) => Self::Certificate(error),
            Error::AlertReceived(_) => Self::Refused(error),
            Error::InvalidMessage(_) => Self::NotTls,
            error => Self::Protocol(error),
        }
    }
}

/// Returns what an error of a handshake means.
pub fn of_handshake(error: io::Error) -> TlsFault {
    match rustls_error(&error) {
        Some(error) => TlsFault::of(error),
        None => TlsFault::Ended(Arc::new(error)),
    }
}

/// Returns an error of a read with its meaning. In TLS 1.3 a server refuses the client's certificate after the handshake,
/// so the client learns of it when it reads.
pub fn aborted(error: io::Error) -> io::Error {
    match rustls_error(&error) {
        Some(error) => io::Error::new(io::ErrorKind::ConnectionAborted, TlsFault::of(error)),
        None => error,
    }
}

fn rustls_error(error: &io::Error) -> Option<Error> {
    error.get_ref()?.downcast_ref::<Error>().cloned()
}
