//! Why a connection failed or ended, in the words of the shipped client: what the server answered to the handshake,
//! what its close frame says, or what broke.

use std::time::Duration;

use muster_client::ConnectionEnd;
use muster_protocol::close::RetryHint;
use tokio_tungstenite::tungstenite::{Error, error::ProtocolError, http::Response, protocol::CloseFrame};

/// Returns the end of a connection that broke, for this reason.
pub(super) fn lost(cause: impl ToString) -> ConnectionEnd {
    ConnectionEnd::Lost(cause.to_string())
}

/// Returns the end of an attempt whose handshake failed.
pub(super) fn refused(error: Error) -> ConnectionEnd {
    match error {
        Error::Http(response) => {
            ConnectionEnd::Refused { status: response.status().as_u16(), hint: retry_after(&response) }
        }
        Error::Protocol(ProtocolError::HttparseError(_)) => {
            lost("the server's answer is not HTTP; if it speaks TLS, write wss:// in --url")
        }
        other => lost(other),
    }
}

fn retry_after<B>(response: &Response<B>) -> Option<Duration> {
    response.headers().get("retry-after")?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// Returns the end of a connection that the server closed; 1005 stands for a close without a code (RFC 6455).
pub(super) fn closed(frame: Option<CloseFrame>) -> ConnectionEnd {
    let (code, reason) = frame.map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
    ConnectionEnd::Closed { code, hint: RetryHint::in_reason(&reason), reason }
}
