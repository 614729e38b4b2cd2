//! The scenarios. Each starts the program, plays a node, or several one after the other, and judges some rules.

mod attempts;
mod closes;
mod commands;
mod cursor;
mod delays;
mod expiry;
mod limits;
mod liveness;
mod once;
mod opening;
mod stagger;
mod stay_away;
mod tokens;

use crate::stage::{Playing, Stage};

/// One scenario.
pub struct Scenario {
    /// Its name, in a word or two.
    pub name: &'static str,
    /// The rules that it judges.
    pub rules: &'static [&'static str],
    /// Whether it needs to see the status of a refused handshake, or to set headers: not in a browser.
    pub needs_status: bool,
    /// Plays it.
    pub play: for<'a> fn(&'a mut Stage) -> Playing<'a>,
}

const fn scenario(
    name: &'static str,
    rules: &'static [&'static str],
    play: for<'a> fn(&'a mut Stage) -> Playing<'a>,
) -> Scenario {
    Scenario { name, rules, needs_status: false, play }
}

const fn with_status(scenario: Scenario) -> Scenario {
    Scenario { needs_status: true, ..scenario }
}

/// All scenarios. The longest come first, so that none of them is waited for at the end.
pub const SCENARIOS: &[Scenario] = &[
    scenario("stable", &["R23"], |stage| Box::pin(delays::stable(stage))),
    with_status(scenario("no good token", &["R25", "R27"], |stage| Box::pin(tokens::refused(stage)))),
    scenario("token over", &["R25", "R33"], |stage| Box::pin(tokens::over(stage))),
    scenario("renewal", &["R28"], |stage| Box::pin(tokens::renewed(stage))),
    scenario("hints", &["R20"], |stage| Box::pin(delays::hints(stage))),
    scenario("jitter", &["R22"], |stage| Box::pin(delays::jitter(stage))),
    with_status(scenario("retry after", &["R21"], |stage| Box::pin(delays::retry_after(stage)))),
    scenario("silence", &["R18", "R19"], |stage| Box::pin(liveness::silence(stage))),
    scenario("deadline", &["R34"], |stage| Box::pin(attempts::deadline(stage))),
    scenario("closes", &["R33"], |stage| Box::pin(closes::come_back(stage))),
    scenario("stay away", &["R25", "R33"], |stage| Box::pin(stay_away::after_closes(stage))),
    with_status(scenario("refused", &["R25"], |stage| Box::pin(stay_away::after_refusals(stage)))),
    scenario("restart", &["R8", "R16", "R35"], |stage| Box::pin(once::over_restarts(stage))),
    scenario("stagger", &["R11"], |stage| Box::pin(stagger::shares(stage))),
    scenario("expiry", &["R10"], |stage| Box::pin(expiry::by_the_nodes_clock(stage))),
    scenario("cursor", &["R14", "R15", "R16", "R17"], |stage| Box::pin(cursor::kept(stage))),
    scenario("twice", &["R9"], |stage| Box::pin(once::in_sessions(stage))),
    scenario("opening", &["R1", "R2", "R3", "R5", "R7", "R30"], |stage| Box::pin(opening::handshake(stage))),
    scenario("not selected", &["R3"], |stage| Box::pin(opening::not_selected(stage))),
    scenario("commands", &["R6", "R12", "R32", "R36", "R37"], |stage| Box::pin(commands::answered(stage))),
    scenario("limits", &["R26"], |stage| Box::pin(limits::kept(stage))),
    scenario("several urls", &["R24"], |stage| Box::pin(attempts::next_url(stage))),
    scenario("token file", &["R27", "R29"], |stage| Box::pin(tokens::file(stage))),
];
