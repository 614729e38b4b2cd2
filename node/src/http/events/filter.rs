//! Which events a stream is given: `?kind=…&terminal=…&selector=…&match=…&command=…&detail=1`. An event is given if it meets every condition.

use std::collections::BTreeSet;

use hyper::Response;
use muster_protocol::{
    CommandId, TerminalId,
    selector::{Labels, MatchExpression, MatchTerm},
};

use super::{counts::COUNTS, message::EventSubject};
use crate::http::{
    answer::Body,
    request,
    terminals::{expression, labels},
};

/// The kinds of events that there are. `gap`, `partial`, `slow` and `expired` are about the stream itself and always given.
pub const KINDS: [&str; 12] = [
    "terminal.online",
    "terminal.offline",
    "terminal.health",
    "terminal.event",
    "terminal.contested",
    "terminal.refused",
    "command.state",
    "command.target",
    "command.done",
    COUNTS,
    "rollout.changed",
    "store.ordinals",
];

/// The conditions of a stream.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Its kind is one of these. Any kind if this is empty.
    kinds: BTreeSet<&'static str>,
    /// It is about this terminal.
    terminal: Option<TerminalId>,
    /// It is about a terminal that has all of these labels. Any event if this is empty.
    labels: Labels,
    /// It is about a terminal that this expression picks by its id and labels. Any event if `None`.
    expression: Option<MatchExpression>,
    /// The labels that a limited key is limited to. It is told of terminals that have all of them, and of its command. All events if empty.
    reach: Labels,
    /// It is about this command.
    command: Option<CommandId>,
    /// Whether the stream has an event for each target of the command.
    detail: bool,
}

impl EventFilter {
    /// Reads the conditions of a query.
    pub fn parse(text: &str) -> Result<Self, Response<Body>> {
        let mut filter = Self::default();
        request::query(text, |name, value| {
            match name {
                "kind" => value.split(',').try_for_each(|name| kind(name).map(|kind| _ = filter.kinds.insert(kind)))?,
                "terminal" => filter.terminal = Some(value.parse().map_err(|error| format!("{error}"))?),
                "selector" => filter.labels = labels(value)?,
                "match" => filter.expression = Some(by_id_and_labels(value)?),
                "command" => filter.command = Some(value.parse().map_err(|_| "a command id, which is a UUID")?),
                "detail" => filter.detail = flag(value)?,
                // The others are no conditions.
                _ => {}
            }
            Ok(())
        })?;
        if filter.detail && filter.command.is_none() {
            return Err(request::bad("detail: only together with command=ID, whose targets it shows one by one"));
        }
        Ok(filter)
    }

    /// The expression by which it picks terminals, if it has one.
    pub fn expression(&self) -> Option<&MatchExpression> {
        self.expression.as_ref()
    }

    /// The filter with this expression.
    ///
    /// # Errors
    /// 400 if more must be known than a terminal's id and labels.
    pub fn picking(self, expression: MatchExpression) -> Result<Self, Response<Body>> {
        check_expression(&expression).map_err(|error| request::bad(format!("match: {error}")))?;
        Ok(Self { expression: Some(expression), ..self })
    }

    /// The filter of a key that reaches the terminals with these labels. The caller checks that the key sees the command.
    #[must_use]
    pub fn limited_to(self, labels: &Labels) -> Self {
        Self { reach: labels.clone(), ..self }
    }

    /// The command that the events are about.
    pub fn command(&self) -> Option<CommandId> {
        self.command
    }

    /// The command whose targets are shown one by one.
    pub fn detailed(&self) -> Option<CommandId> {
        self.command.filter(|_| self.detail)
    }

    /// Whether the stream has the counts of commands.
    pub fn wants_counts(&self) -> bool {
        self.admits(&EventSubject { kind: COUNTS.to_owned(), command: self.command, ..EventSubject::default() })
    }

    /// Whether the labels of an event's terminal must be known to decide about it.
    pub fn needs_labels(&self) -> bool {
        !self.labels.is_empty() || self.expression.is_some() || !self.reach.is_empty()
    }

    /// Whether an event meets all conditions besides the labels.
    pub fn admits(&self, subject: &EventSubject) -> bool {
        let is_any_kind = match subject.kind.as_str() {
            // They say again what the others say: who has not named them has them of one command alone.
            COUNTS => self.kinds.is_empty() && self.command.is_some(),
            _ => self.kinds.is_empty(),
        };
        let is_kind = is_any_kind || self.kinds.contains(subject.kind.as_str());
        let is_terminal = self.terminal.is_none() || self.terminal == subject.terminal;
        let is_command = self.command.is_none() || self.command == subject.command;
        // What is about no terminal has no labels. A limited key may be told of the command that it asked for.
        let is_told =
            self.labels.is_empty() && self.expression.is_none() && (self.reach.is_empty() || self.command.is_some());
        is_kind && is_terminal && is_command && (is_told || subject.terminal.is_some())
    }

    /// Whether a terminal with these labels is one that the stream is about. One that is not known has none, and no expression picks it.
    pub fn admits_labels(&self, terminal: &TerminalId, labels: Option<&Labels>) -> bool {
        let has = |(key, value): (&String, &String)| labels.is_some_and(|labels| labels.get(key) == Some(value));
        let is_picked = |expression: &MatchExpression| labels.is_some_and(|own| expression.tree().picks(terminal, own));
        self.labels.iter().chain(&self.reach).all(has) && self.expression.as_ref().is_none_or(is_picked)
    }
}

/// The parameter in place of the header `Last-Event-ID`, which a web page can't set.
pub const LAST_EVENT_ID: &str = "last_event_id";

fn kind(name: &str) -> Result<&'static str, String> {
    let found = KINDS.into_iter().find(|kind| *kind == name);
    found.ok_or_else(|| format!("{name:?} is no kind of event; there are {}", KINDS.join(", ")))
}

/// Reads an expression that can be judged by what an event has: its terminal, and the labels of that.
fn by_id_and_labels(value: &str) -> Result<MatchExpression, String> {
    let read = expression(value)?;
    check_expression(&read).map(|()| read)
}

fn check_expression(expression: &MatchExpression) -> Result<(), String> {
    if expression.tree().terms().into_iter().all(MatchTerm::is_about_id_or_labels) {
        return Ok(());
    }
    Err("events are picked by labels and @id; kind= picks those that tell of a status or a condition".into())
}

fn flag(value: &str) -> Result<bool, String> {
    match value {
        "1" => Ok(true),
        "0" => Ok(false),
        _ => Err("1 or 0".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMAND: &str = "0198c0de-0000-7000-8000-000000000001";

    fn t1() -> TerminalId {
        "t1".parse().unwrap()
    }

    fn subject(kind: &str, data: &str) -> EventSubject {
        EventSubject::of(kind, data)
    }

    #[test]
    fn an_event_is_given_if_it_meets_every_condition() {
        let (online, event) = (r#"{"terminal":"t1","node":"n1"}"#, r#"{"terminal":"t2","name":"door"}"#);
        let state = format!(r#"{{"command":"{COMMAND}","state":"sent"}}"#);
        let given = |query: &str| {
            let filter = EventFilter::parse(query).unwrap();
            [("terminal.online", online), ("terminal.event", event), ("command.state", &state)]
                .map(|(kind, data)| filter.admits(&subject(kind, data)))
        };
        assert_eq!(given(""), [true, true, true]);
        assert_eq!(given("kind=terminal.online,command.state"), [true, false, true]);
        assert_eq!(given("kind=terminal.online&kind=terminal.event"), [true, true, false]);
        assert_eq!(given("terminal=t2"), [false, true, false]);
        assert_eq!(given("terminal=t2&kind=terminal.online"), [false, false, false]);
        assert_eq!(given("selector=site%3Dbj"), [true, true, false], "a command has no labels");
        assert_eq!(given(&format!("command={COMMAND}")), [false, false, true]);
    }

    #[test]
    fn a_terminal_must_have_every_label() {
        let labels = |pairs: &[(&str, &str)]| -> Labels {
            pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
        };
        let filter = EventFilter::parse("selector=site%3Dbj,kind%3Dkiosk").unwrap();
        let admits = |own: &[(&str, &str)]| filter.admits_labels(&t1(), Some(&labels(own)));
        assert!(admits(&[("site", "bj"), ("kind", "kiosk"), ("x", "y")]));
        assert!(!admits(&[("site", "bj"), ("kind", "door")]) && !admits(&[("site", "bj")]));
        assert!(!filter.admits_labels(&t1(), None) && EventFilter::default().admits_labels(&t1(), None));
    }

    #[test]
    fn an_expression_picks_terminals_by_id_and_labels() {
        let filter = EventFilter::parse("match=site+!=+bj+and+@id+^=+t").unwrap();
        let site = |site: &str| Labels::from([("site".to_owned(), site.to_owned())]);
        assert!(filter.needs_labels() && filter.admits_labels(&t1(), Some(&site("sh"))));
        assert!(filter.admits_labels(&t1(), Some(&Labels::new())) && !filter.admits_labels(&t1(), None));
        assert!(!filter.admits_labels(&t1(), Some(&site("bj"))));
        assert!(!filter.admits_labels(&"x".parse().unwrap(), Some(&site("sh"))));
        assert!(!filter.admits(&subject("command.state", &format!(r#"{{"command":"{COMMAND}"}}"#))));
    }

    #[test]
    fn a_limited_key_is_told_of_its_terminals_and_of_the_command_that_it_asked_for() {
        let labels = |shop: &str| Labels::from([("shop".to_owned(), shop.to_owned())]);
        let filter = |query: &str| EventFilter::parse(query).unwrap().limited_to(&labels("7"));
        let (online, done) = (r#"{"terminal":"t1"}"#, format!(r#"{{"command":"{COMMAND}","state":"done"}}"#));
        let admits = |query: &str| {
            let filter = filter(query);
            assert!(filter.needs_labels());
            [("terminal.online", online), ("command.done", &done)]
                .map(|(kind, data)| filter.admits(&subject(kind, data)))
        };
        assert_eq!((admits(""), admits(&format!("command={COMMAND}"))), ([true, false], [false, true]));
        assert_eq!(admits(&format!("command={COMMAND}&selector=a%3Db")), [false, false]);
        let free = filter("");
        let admits_shop = |filter: &EventFilter, shop| filter.admits_labels(&t1(), Some(&labels(shop)));
        assert!(admits_shop(&free, "7") && !admits_shop(&free, "8") && !free.admits_labels(&t1(), None));
        assert!(!admits_shop(&filter("selector=shop%3D8"), "8") && !admits_shop(&filter("match=shop%3D8"), "8"));
    }

    #[test]
    fn counts_are_for_streams_that_name_them_or_have_all_of_a_command() {
        let data = format!(r#"{{"command":"{COMMAND}","state":"open"}}"#);
        let given = |query: &str| EventFilter::parse(query).unwrap().admits(&subject(COUNTS, &data));
        let (of_command, of_another) =
            (format!("command={COMMAND}"), "command=0198c0de-0000-7000-8000-000000000002&kind=command.counts");
        assert!(given("kind=command.counts") && given(&of_command));
        assert!(given(&format!("{of_command}&kind=command.done,command.counts")));
        assert!(!given("") && !given(&format!("{of_command}&kind=command.done")) && !given(of_another));
        let wanted = |query: &str| EventFilter::parse(query).unwrap().wants_counts();
        assert!(wanted("kind=command.counts") && wanted(&of_command) && wanted(of_another) && !wanted(""));
        assert!(!wanted("kind=command.counts&terminal=t1") && !wanted("kind=command.counts&selector=a%3Db"));
        let shop = Labels::from([("shop".to_owned(), "7".to_owned())]);
        let limited = |query: &str| EventFilter::parse(query).unwrap().limited_to(&shop).wants_counts();
        assert!(limited(&of_command) && !limited("kind=command.counts"));
    }

    #[test]
    fn what_can_t_be_read_is_refused() {
        for bad in [
            "kind=",
            "kind=terminal.onlin",
            "kind=terminal.online,",
            "terminal=a%20b",
            "selector=site",
            "match=site",
            "match=@status=online",
            "command=7",
            "detail=1",
            "detail=yes&command=0198c0de-0000-7000-8000-000000000001",
        ] {
            assert!(EventFilter::parse(bad).is_err(), "{bad}");
        }
    }
}
