//! A card as one page of Markdown.

use std::fmt::Write;

use super::{
    CardReport, CardVerdict, ScenarioResult,
    format::{bytes, course, escaped, grouped, point},
    repeat::RepeatResult,
    result::Capacity,
};

/// The page.
pub fn render(card: &CardReport) -> String {
    let mut page = String::new();
    head(&mut page, card);
    summary(&mut page, card);
    for scenario in &card.scenarios {
        section(&mut page, scenario);
    }
    // A write to a text does not fail.
    let _ = write!(page, "\n{WORDS}");
    page
}

/// What the words of a card mean.
const WORDS: &str = "\
## What the words mean

- **delivered**: each message that a terminal was owed arrived once, whole, and in order. **gap told**: what did not arrive was told to the
  terminal. **not promised**: messages were lost while the session was, and the protocol promises no more. **broken**: something was lost without
  a word, or delivered twice, changed, or to the wrong terminal. **unknown**: nobody can know, for the reason that is given.
- Times count from when a message was due. *(not to be trusted)* says that the generator was late or short of CPU.
- **CPU** is the server's time for a delivery, handshakes and what runs beside the server included, as a ratio to a server that does nothing but
  deliver. **Memory** is by how much the server grew for each terminal.
";

fn head(page: &mut String, card: &CardReport) {
    let server = &card.server;
    let _ = writeln!(page, "# {}: a card\n", escaped(&server.title));
    if card.small {
        let _ = writeln!(page, "**A trial with a tenth of the terminals and one repeat: not to be compared.**\n");
    }
    if card.cut_short {
        let _ = writeln!(page, "**A signal ended this card early.**\n");
    }
    let _ = writeln!(page, "{}\n", escaped(&server.promise));
    let machine = |name: &str| card.machine.get(name).map_or("unknown", String::as_str);
    let floor = &card.floor;
    let rows = [
        ("Server", server.version.clone()),
        ("Settings", server.settings.join("; ")),
        ("Scenarios", card.set.clone()),
        ("Made", card.started_at.clone()),
        ("Seed", card.seed.to_string()),
        ("Generator", format!("muster-loadgen {}, {}", machine("loadgen"), machine("git"))),
        ("Machine", format!("{}, {} cores, Linux {}", machine("cpu"), machine("cores"), machine("kernel"))),
        ("Cores", card.cores.clone()),
        (
            "Floor",
            format!(
                "p50 {}, p99 {}, {:.2} us a delivery, {} a session{}",
                point(&floor.live, "p50"),
                point(&floor.live, "p99"),
                floor.cpu_us_per_delivery,
                bytes(floor.bytes_per_session),
                if floor.doubts.is_empty() { "" } else { " (not to be trusted)" }
            ),
        ),
    ];
    let _ = writeln!(page, "| | |\n|---|---|");
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(page, "| {name} | {} |", escaped(value));
    }
}

fn summary(page: &mut String, card: &CardReport) {
    let _ = writeln!(page, "\n## Results\n");
    let _ = writeln!(page, "| Scenario | Verdict | Live p50 | Live p99 | CPU | Memory a session |");
    let _ = writeln!(page, "|---|---|---|---|---|---|");
    for scenario in &card.scenarios {
        let [p50, p99, cpu, memory] = figures(scenario);
        let (title, verdict) = (escaped(&scenario.title), scenario.verdict.words());
        let _ = writeln!(page, "| {title} | {verdict} | {p50} | {p99} | {cpu} | {memory} |");
    }
}

/// The medians of a scenario over its repeats: p50, p99, CPU and memory. Those of an overload are of the capacity itself.
pub fn figures(scenario: &ScenarioResult) -> [String; 4] {
    let counted = |repeat: &&RepeatResult| repeat.times_capacity.is_none_or(|times| times == 1);
    let repeats: Vec<&RepeatResult> = scenario.repeats.iter().filter(counted).collect();
    let over = |value: &dyn Fn(&RepeatResult) -> Option<f64>| {
        median(repeats.iter().filter_map(|repeat| value(repeat)).collect())
    };
    let doubt = if repeats.iter().all(|repeat| repeat.doubts.is_empty()) { "" } else { " (not to be trusted)" };
    let time = |name: &'static str| {
        let of = move |repeat: &RepeatResult| Some(repeat.live.points.get(name)?.milliseconds());
        over(&of).map_or("-".into(), |ms| if ms.is_finite() { format!("{ms:.2} ms{doubt}") } else { "never".into() })
    };
    let cpu = over(&|repeat| repeat.cpu_ratio).map_or("-".into(), |ratio| format!("x {ratio:.1}"));
    let memory = over(&|repeat| repeat.bytes_per_session.map(|bytes| bytes as f64));
    [time("p50"), time("p99"), cpu, memory.map_or("-".into(), |memory| bytes(memory as u64))]
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn section(page: &mut String, scenario: &ScenarioResult) {
    let _ = writeln!(page, "\n## {}\n\n{}\n", escaped(&scenario.title), escaped(&scenario.question));
    if let Some(capacity) = &scenario.capacity {
        capacity_line(page, capacity);
    }
    let _ = writeln!(
        page,
        "| Run | Verdict | Owed | On time | Late | Replayed | Gap told | Not promised | Silently lost |"
    );
    let _ = writeln!(page, "|---|---|---|---|---|---|---|---|---|");
    for repeat in &scenario.repeats {
        let it = &repeat.deliveries;
        let counts =
            [it.owed, it.on_time, it.late, it.replayed, it.gap_told, it.not_promised, it.silently_lost].map(grouped);
        let _ = writeln!(page, "| {} | {} | {} |", name(repeat), repeat.verdict.words(), counts.join(" | "));
    }
    let _ = writeln!(page);
    for repeat in &scenario.repeats {
        details(page, repeat);
    }
}

fn capacity_line(page: &mut String, capacity: &Capacity) {
    let tried = capacity.tried.iter().map(|(count, bears)| format!("{count} {}", if *bears { "yes" } else { "no" }));
    let tried = tried.collect::<Vec<_>>().join(", ");
    let Capacity { terminals, objective, limit, .. } = capacity;
    let _ = writeln!(page, "Capacity: **{terminals} terminals** with `{objective}` and all delivered. Tried: {tried}.");
    let _ = writeln!(page, "Why not more: {}.\n", escaped(limit));
}

/// The name of a run: its seed, or how many times the capacity it is.
fn name(repeat: &RepeatResult) -> String {
    match repeat.times_capacity {
        Some(times) => format!("x {times}: {} terminals", repeat.terminals),
        None => format!("seed {}: {} terminals", repeat.seed, repeat.terminals),
    }
}

fn details(page: &mut String, repeat: &RepeatResult) {
    let sessions = &repeat.sessions;
    let live = ["p50", "p99", "max"].map(|name| format!("{name} {}", point(&repeat.live, name))).join(", ");
    let reconnect = repeat.reconnect.as_ref().map(|figures| format!("; back after p99 {}", point(figures, "p99")));
    let _ = writeln!(
        page,
        "- {}: live {live}{}; `{}`; {} sessions lost, {} never let in, {} attempts failed, {} at once at most; {} messages refused, {} not sent{}",
        name(repeat),
        reconnect.unwrap_or_default(),
        course(&repeat.course),
        sessions.lost,
        sessions.never_let_in,
        sessions.failed_attempts,
        sessions.peak,
        repeat.deliveries.refused,
        repeat.deliveries.unsent,
        if repeat.server_alive { "" } else { "; **the server ended and was started again**" },
    );
    for (at, text) in &repeat.marks {
        let _ = writeln!(page, "  - at {at:.1} s: `{}`", text.replace('`', "'"));
    }
    if !matches!(repeat.verdict, CardVerdict::Delivered) {
        let _ = writeln!(page, "  - {}", escaped(&repeat.why));
    }
    for doubt in &repeat.doubts {
        let _ = writeln!(page, "  - not to be trusted: {}", escaped(doubt));
    }
}
