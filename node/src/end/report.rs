//! The end of a session as it is told: to the registry, the events, the history of its terminal, the log and the metrics.

use muster_protocol::api::Protocol;

use super::SessionEnd;
use crate::wire::ReceivedClose;

/// How a session ended, with the close frame that ended it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndReport {
    /// Why the session ended.
    pub end: SessionEnd,
    /// The close frame: the terminal's if the terminal closed the session, else the node's. None if there was none, as when the connection
    /// broke, or if the terminal's has no code.
    pub close: Option<CloseReport>,
}

/// What a close frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseReport {
    /// The code.
    pub code: u16,
    /// The reason, at most 123 bytes, without characters that a screen would not show as they are. Empty if it is a hint for a program.
    pub text: Box<str>,
}

impl From<SessionEnd> for EndReport {
    /// An end without a close frame.
    fn from(end: SessionEnd) -> Self {
        Self { end, close: None }
    }
}

impl EndReport {
    /// The end of a session of this protocol. `received` is the close frame of the terminal, if it sent one with a code.
    pub fn new(end: SessionEnd, protocol: Protocol, received: Option<&ReceivedClose>) -> Self {
        let close = match (received, end) {
            (Some(close), _) => Some((close.code, close.reason.to_string())),
            (None, SessionEnd::Left) => None,
            (None, end) => end.close(protocol),
        };
        // Hints are JSON.
        let text = |reason: String| if reason.starts_with('{') { Box::default() } else { printable(&reason) };
        Self { end, close: close.map(|(code, reason)| CloseReport { code, text: text(reason) }) }
    }

    /// Whether the close frame tells more than that the session is over: the terminal's has a reason or another code than 1000 and 1001,
    /// or the node's says what the terminal did wrong.
    pub fn is_telling(&self) -> bool {
        let is_fault = matches!(
            self.end,
            SessionEnd::NoHeartbeat | SessionEnd::TooSlow | SessionEnd::Wire(_) | SessionEnd::Protocol
        );
        let tells = |close: &CloseReport| !matches!(close.code, 1000 | 1001) || !close.text.is_empty();
        self.close.as_ref().is_some_and(|close| is_fault || self.end == SessionEnd::Left && tells(close))
    }

    /// The code, if the reason of the end does not say it.
    pub fn untold_code(&self) -> Option<u16> {
        let close = self.close.as_ref()?;
        match self.end {
            SessionEnd::Wire(_) => Some(close.code),
            SessionEnd::Left => Some(close.code).filter(|code| !matches!(code, 1000 | 1001)),
            _ => None,
        }
    }

    /// The values of the labels `by` and `code` of the metric. Terminals choose among 2,000 codes of their own, which are counted in two classes.
    pub fn labels(&self) -> (&'static str, String) {
        let by = if self.end == SessionEnd::Left { "terminal" } else { "node" };
        let code = match self.close.as_ref().map(|close| close.code) {
            None => "none".into(),
            Some(3000..=3999) if by == "terminal" => "3000-3999".into(),
            Some(4000..=4999) if by == "terminal" => "4000-4999".into(),
            Some(code) => code.to_string(),
        };
        (by, code)
    }
}

/// A text without control characters, and without the characters by which a text can be shown in another order than it has, or not at all.
fn printable(text: &str) -> Box<str> {
    let is_hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
            || matches!(c, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    text.chars().filter(|c| !is_hidden(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::WireError;

    fn left(code: u16, reason: &str) -> EndReport {
        let received = ReceivedClose { code, reason: reason.into() };
        EndReport::new(SessionEnd::Left, Protocol::V1, Some(&received))
    }

    #[test]
    fn the_close_of_the_terminal_is_told_without_what_a_screen_would_not_show() {
        let close = left(1009, "too \u{1b}[31mlarge\r\n\u{202e}egral\u{200b} \u{2066}x\u{2069}é\"").close.unwrap();
        assert_eq!((close.code, &*close.text), (1009, "too [31mlargeegral xé\""));
    }

    #[test]
    fn the_nodes_own_close_is_told_and_no_hint() {
        let told = |end| EndReport::new(end, Protocol::V1, None).close.map(|close| (close.code, close.text));
        assert_eq!(told(SessionEnd::Wire(WireError::TooBig)).unwrap().0, 1009);
        assert_eq!(told(SessionEnd::NoHeartbeat).unwrap().0, 4001);
        assert_eq!(told(SessionEnd::Disconnected), Some((1012, "".into())));
        assert_eq!((told(SessionEnd::Left), told(SessionEnd::Lost)), (None, None));
    }

    #[test]
    fn a_close_is_telling_if_it_is_not_the_usual_one() {
        let node = |end| EndReport::new(end, Protocol::Plain, None);
        assert!(
            !left(1000, "").is_telling() && !left(1001, "").is_telling() && left(1000, "the shift ends").is_telling()
        );
        assert!(left(1009, "").is_telling() && node(SessionEnd::Wire(WireError::TooBig)).is_telling());
        assert!(!node(SessionEnd::Replaced).is_telling() && !node(SessionEnd::Lost).is_telling());
        assert_eq!((left(1009, "").untold_code(), left(1001, "x").untold_code()), (Some(1009), None));
        assert_eq!(node(SessionEnd::Wire(WireError::NotUtf8)).untold_code(), Some(1007));
        assert_eq!(node(SessionEnd::NoHeartbeat).untold_code(), None);
    }

    #[test]
    fn codes_of_terminals_are_counted_in_classes() {
        let of = |report: EndReport| report.labels();
        assert_eq!(of(left(1009, "")), ("terminal", "1009".into()));
        assert_eq!(of(left(3005, "")), ("terminal", "3000-3999".into()));
        assert_eq!(of(left(4999, "")), ("terminal", "4000-4999".into()));
        assert_eq!(of(SessionEnd::Left.into()), ("terminal", "none".into()));
        assert_eq!(of(EndReport::new(SessionEnd::NoHeartbeat, Protocol::V1, None)), ("node", "4001".into()));
    }
}
