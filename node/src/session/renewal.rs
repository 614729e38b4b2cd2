//! Extends a session by a newer token of its terminal. Without one, the session ends when the token of its handshake
//! expires.

use jiff::Timestamp;
use muster_protocol::frame::{TOKEN_REFUSED, TOKEN_TOO_SOON};

use super::established::Established;

/// The longest token that is looked at, in bytes: none longer fits in the head of a handshake.
const TOKEN_MAX: usize = 16 * 1024;

impl Established {
    /// Takes the frame `token`. A token that a handshake would be refused with, or that does not expire later, is answered
    /// with an error, and so is every token beyond one a second: to verify a signature may take some 100 µs of the shard's
    /// time. The session then goes on until its own token expires. A session that does not expire ignores the frame.
    pub(super) fn renew(&mut self, token: &str) {
        let Some(last) = self.shard.sockets.expiry(self.key) else { return };
        let now = Timestamp::now().as_second();
        if std::mem::replace(&mut self.token_checked, now as u32) == now as u32 {
            return self.send_error(TOKEN_TOO_SOON, "one token a second is looked at: send it again later".into());
        }
        match self.later_expiry(token, last) {
            Ok(later) => self.shard.sockets.set_expiry(self.key, later),
            Err(refusal) => self.send_error(TOKEN_REFUSED, refusal),
        }
    }

    /// When the token expires, if that is after `last`; none for never. Fails with a text for the terminal, which does not
    /// repeat the token.
    fn later_expiry(&self, token: &str, last: u64) -> Result<Option<u64>, String> {
        if token.len() > TOKEN_MAX {
            return Err(format!("the token is refused: it is longer than {TOKEN_MAX} bytes"));
        }
        let terminal = self.socket.info.terminal.clone();
        let admitted =
            self.shard.shared.auth.terminal(Some(token), Some(terminal)).map_err(|error| error.to_string())?;
        match admitted.expires {
            Some(expires) if expires <= last => {
                Err("the token is refused: its exp is not later than that of the token before".into())
            }
            later => Ok(later),
        }
    }
}
