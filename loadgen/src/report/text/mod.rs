//! The report as text for a terminal: the verdict first, then the tables that it is based on.

mod costs;

use std::fmt;

use super::{Figures, Point, Report};
use crate::{measure::Account, names};

/// The names of the times, most important first, with a description of each.
pub const TIMES: [(&str, &str); 16] = [
    (names::LIVE, "due to received: the main result"),
    (names::SERVICE, "sent to received"),
    (names::REPLAY, "due to received by replay"),
    (names::LAST, "due to received by the last terminal"),
    (names::COMMAND, "to one terminal: due to received"),
    (names::ACK, "due to its ack seen in the API (polled every few ms)"),
    (names::RESULT, "due to its result seen in the API (polled)"),
    (names::ACCEPT, "sent to accepted"),
    (names::CONNECT, "planned to ready, retries included"),
    (names::ATTEMPT, "one attempt that succeeded"),
    (names::TLS_FULL, "a TLS handshake without a session ticket"),
    (names::TLS_RESUMED, "a TLS handshake with a session ticket"),
    (names::RECONNECT, "lost to ready again"),
    (names::CAUGHT_UP, "lost to the last message that was missed"),
    (names::LAG, "due to sent: the generator's own delay"),
    (names::CANARY, "the delay of a sleeping thread of the generator"),
];

const POINTS: [&str; 5] = ["p50", "p90", "p99", "p99.9", "max"];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head(f)?;
        self.ledger_table(f)?;
        self.faults_list(f)?;
        self.times(f)?;
        self.matrix_table(f)?;
        self.marks_table(f)?;
        self.people(f)?;
        self.costs(f)?;
        self.judgement(f)
    }
}

impl Report {
    fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = if self.title.is_empty() { "a run" } else { &self.title };
        writeln!(
            f,
            "\n{title}: {} terminals, {:.0} s, {} messages",
            self.terminals, self.measured_s, self.messages.planned
        )?;
        writeln!(
            f,
            "seed {}, schedule {}, {} deliveries intended (set {})",
            self.seed, self.schedule, self.intended.0, self.intended.1
        )?;
        if self.closed_loop {
            writeln!(f, "closed loop: senders waited for answers, so these times are no evidence for an SLO")?;
        }
        Ok(())
    }

    fn ledger_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = [
            "expected",
            "on time",
            "late",
            "replayed",
            "gap told",
            "other kind",
            "still away",
            "not promised",
            "silently lost",
        ];
        write!(f, "\n{:<14}", "ledger")?;
        columns.iter().try_for_each(|column| write!(f, "{column:>14}"))?;
        writeln!(f)?;
        let mut sum = Account::default();
        for (cohort, account) in &self.ledger {
            sum.add(account);
            row(f, &format!("  {}", format!("{cohort:?}").to_lowercase()), account)?;
        }
        if self.ledger.len() > 1 {
            row(f, "  all", &sum)?;
        }
        let frames = &self.frames;
        writeln!(
            f,
            "  {} frames read = {} owed + {} extra + {} repeated on the wire + {} delivered twice + {} misdelivered + {} of messages \
             without an answer + {} never sent + {} corrupt + {} of other runs + {} not of a generator",
            frames.read,
            frames.owed,
            frames.extra,
            frames.dup_wire,
            frames.dup_app,
            frames.misdelivered,
            frames.indeterminate,
            frames.phantom,
            frames.corrupt,
            frames.other_run,
            frames.foreign
        )?;
        let close = sum.closes() && frames.closes() && self.connections.closes() && self.messages.closes();
        let closed = if close { "all equations close" } else { "AN EQUATION DOES NOT CLOSE" };
        let replay = if self.replay {
            "the server owes a replay"
        } else {
            "no replay promised: a terminal that is away is owed nothing"
        };
        writeln!(f, "  {closed}; {replay}")?;
        if !self.promise.adapter.is_empty() {
            writeln!(f, "  {} promises: {}", self.promise.adapter, self.promise.text)?;
        }
        if sum.not_promised > 0 {
            writeln!(
                f,
                "  {} deliveries were lost while their session was: the protocol promises no more, and they did not arrive",
                sum.not_promised
            )?;
        }
        if self.ledger.keys().any(|cohort| !cohort.behaves()) {
            writeln!(f, "  mute and slow terminals are so by plan: their losses are in no SLO and no fault")?;
        }
        Ok(())
    }

    fn faults_list(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.faults.is_empty() {
            return writeln!(
                f,
                "\nfaults        none: nothing lost in silence, doubled, swapped, changed or misdelivered"
            );
        }
        let counts: Vec<_> = self.faults.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        writeln!(f, "\nfaults        {}", counts.join(", "))?;
        for fault in self.examples.iter().take(12) {
            let message = fault.message.map_or("a message".into(), |message| format!("message {message}"));
            let node = if fault.node.is_empty() { String::new() } else { format!(" on {}", fault.node) };
            let (kind, at) = (fault.kind.name(), fault.at as f64 / 1e9);
            writeln!(f, "  {kind:<14} {message} at {}{node}, {at:.3} s", fault.terminal)?;
        }
        Ok(())
    }

    fn times(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.promise.pipe {
            writeln!(f, "\ntimes include the pipe to the program of --adapter-cmd")?;
        }
        write!(f, "\n{:<12}", "ms")?;
        POINTS.iter().try_for_each(|point| write!(f, "{point:>10}"))?;
        writeln!(f, "{:>12}", "samples")?;
        for (name, what) in TIMES {
            let Some(figures) = self.latencies.get(name).filter(|figures| figures.count + figures.missing > 0) else {
                continue;
            };
            write!(f, "  {name:<10}")?;
            points(f, figures)?;
            writeln!(f, "{:>12}  {what}", figures.count)?;
        }
        if let Some((low, high)) = self.live_p99_range {
            writeln!(
                f,
                "  live p99 is {low:.2} to {high:.2} with 95 % confidence, over {} broadcasts",
                self.messages.broadcasts
            )?;
        }
        writeln!(f, "  the longest time without a message at any connected terminal: {:.0} ms", self.max_silence_ms)
    }

    fn matrix_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.matrix.len() < 2 {
            return Ok(());
        }
        write!(f, "\n{:<42}", "ms, by publisher > node")?;
        POINTS.iter().try_for_each(|point| write!(f, "{point:>10}"))?;
        writeln!(f)?;
        for (key, figures) in &self.matrix {
            write!(f, "  {key:<40}")?;
            points(f, figures)?;
            writeln!(f)?;
        }
        Ok(())
    }

    fn marks_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let p99 = |figures: &Figures| {
            figures.points.get("p99").or(figures.points.get("max")).map_or("-".into(), Point::to_string)
        };
        for (number, mark) in self.marks.iter().enumerate() {
            if number == 0 {
                writeln!(f, "\n{:<32}{:>10}{:>12}{:>12}{:>14}", "marks", "before", "during", "after", "steady in")?;
            }
            let steady = mark.steady_s.map_or("not".into(), |seconds| format!("{seconds:.1} s"));
            let text = format!("  {:>6.1} s  {}", mark.at, mark.text);
            let (before, during, after) = (p99(&mark.before), p99(&mark.during), p99(&mark.after));
            writeln!(f, "{text:<32}{before:>10}{during:>12}{after:>12}{steady:>14}")?;
        }
        Ok(())
    }

    fn people(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (c, m) = (&self.connections, &self.messages);
        writeln!(
            f,
            "\nconnections   {} stays planned, {} let in, {} never let in, {} never answered, {} too short to say; {} sessions, {} lost unplanned, {} resumed, {} attempts failed; peak {}",
            c.planned, c.made, c.never, c.unanswered, c.brief, c.sessions, c.lost, c.resumed, c.failed, c.peak
        )?;
        self.tls(f)?;
        writeln!(
            f,
            "messages      {} due, {} sent, {} accepted, {} refused, {} without an answer, {} not sent by the generator",
            m.planned, m.sent, m.accepted, m.refused, m.indeterminate, m.unsent
        )?;
        let mut reasons: Vec<_> = self.reasons.iter().chain(&self.other).collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (why, count) in reasons.into_iter().take(8) {
            writeln!(f, "  {count:>8} x {why}")?;
        }
        Ok(())
    }

    /// Says whether TLS was used, and how many handshakes a session ticket made short.
    fn tls(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |name| self.latencies.get(name).map_or(0, |figures: &Figures| figures.count);
        match (count(names::TLS_FULL), count(names::TLS_RESUMED)) {
            (0, 0) => Ok(()),
            (full, resumed) => {
                writeln!(f, "TLS           {full} full handshakes, {resumed} with a session ticket")
            }
        }
    }

    fn judgement(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        for check in &self.verdict.checks {
            let mark = match (check.trusted, check.ok) {
                (false, _) => "?   ",
                (true, true) => "ok  ",
                (true, false) => "MISS",
            };
            writeln!(f, "  {mark} {check}")?;
        }
        for doubt in self.verdict.doubts() {
            writeln!(f, "NOT TO BE TRUSTED: {doubt}")?;
        }
        writeln!(f, "{}: {}", self.verdict.outcome.label(), self.verdict.sentence())
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, account: &Account) -> fmt::Result {
    let Account { expected, on_time, late, replayed, signalled_gap, other_kind, still_away, .. } = account;
    write!(f, "{name:<14}")?;
    let arrived = [expected, on_time, late, replayed, signalled_gap, other_kind, still_away];
    let mut counts = arrived.into_iter().chain([&account.not_promised, &account.silently_lost]);
    counts.try_for_each(|n| write!(f, "{n:>14}"))?;
    writeln!(f)
}

fn points(f: &mut fmt::Formatter<'_>, figures: &Figures) -> fmt::Result {
    POINTS
        .iter()
        .try_for_each(|point| write!(f, "{:>10}", figures.points.get(*point).map_or("-".into(), Point::to_string)))
}
