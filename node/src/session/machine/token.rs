//! Extends a session by a newer token of its terminal. Without one, the session ends when the token of its handshake
//! expires.

use muster_protocol::frame::{TOKEN_REFUSED, TOKEN_TOO_SOON, TokenFrame};

use super::{Action, InputContext, Machine, State};

/// The longest token that the node looks at, in bytes. A longer token does not fit into the head of a handshake.
const TOKEN_MAX: usize = 16 * 1024;

impl Machine {
    /// Takes the frame `token`. The node answers with an error if it would refuse a handshake with this token, if the
    /// token does not expire later, or if it is the second token within a second: verifying a signature may take some
    /// 100 µs of the shard's time. After an error the session goes on until its own token expires. A session that does
    /// not expire ignores the frame.
    pub(super) fn renew(&mut self, frame: TokenFrame, context: &mut InputContext<'_>) {
        if self.registration.expires.is_none() {
            return;
        }
        let now = context.now.time.as_second() as u32;
        if std::mem::replace(&mut self.token_checked, now) == now {
            let message = "one token a second is looked at: send it again later";
            return self.send_error(TOKEN_TOO_SOON, message.into(), context);
        }
        if frame.token.len() > TOKEN_MAX {
            let message = format!("the token is refused: it is longer than {TOKEN_MAX} bytes");
            return self.send_error(TOKEN_REFUSED, message, context);
        }
        self.awaits_verdict = true;
        context.push(Action::Verify(frame));
    }

    /// Takes the verdict on a token: when the token expires (`None` for never), or a text that tells the terminal why
    /// the node refuses the token. The text does not repeat the token.
    pub(super) fn verified(&mut self, verdict: Result<Option<u64>, String>, context: &mut InputContext<'_>) {
        let was_awaited = std::mem::take(&mut self.awaits_verdict);
        if !was_awaited || matches!(self.state, State::Closing(_) | State::Done) {
            return;
        }
        let last = self.registration.expires;
        match verdict {
            Ok(Some(expires)) if last.is_some_and(|last| expires <= last) => {
                let message = "the token is refused: its exp is not later than that of the token before";
                self.send_error(TOKEN_REFUSED, message.into(), context);
            }
            Ok(later) => {
                self.registration.expires = later;
                context.push(Action::SetExpiry(later));
            }
            Err(refusal) => self.send_error(TOKEN_REFUSED, refusal, context),
        }
        self.take_waiting(context);
    }
}
