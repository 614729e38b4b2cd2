//! The scripts of a partition. They are the same for every partition: a call says by its first two keys whose names are
//! meant, `{TAG}:` before keys and `{TAG}:DATABASE:` before channels.
//!
//! [`render`](super::render) puts their texts together.

use muster_protocol::{
    api::{Protocol, TargetState},
    redis_keys::RedisKeys,
};
use redis::{Script, ScriptInvocation};

use super::render::render;
use crate::backplane::{
    changes::{CHANGES_BYTES, CHANGES_MAX, REASONS},
    fleet_minute::{COUNTERS, MINUTE_BYTES, MINUTES_MAX},
    rules,
};

/// The bytes of a partition's events: at least two chunks (`lib/events.lua`), and no more than someone would read.
const EVENTS_MIN: u64 = 256 << 10;
const EVENTS_MAX: u64 = 4 << 20;

const NAMES: &str = include_str!("scripts/lib/names.lua");

/// The libraries, by the names that `-- uses:` lines have.
const LIBRARIES: &[(&str, &str)] = &[
    ("backlog", include_str!("scripts/lib/backlog.lua")),
    ("base64", include_str!("scripts/lib/base64.lua")),
    ("bitmaps", include_str!("scripts/lib/bitmaps.lua")),
    ("budget", include_str!("scripts/lib/budget.lua")),
    ("bury", include_str!("scripts/lib/bury.lua")),
    ("changes", include_str!("scripts/lib/changes.lua")),
    ("confirm", include_str!("scripts/lib/confirm.lua")),
    ("count_events", include_str!("scripts/lib/count_events.lua")),
    ("dead", include_str!("scripts/lib/dead.lua")),
    ("done", include_str!("scripts/lib/done.lua")),
    ("due", include_str!("scripts/lib/due.lua")),
    ("epoch", include_str!("scripts/lib/epoch.lua")),
    ("events", include_str!("scripts/lib/events.lua")),
    ("few", include_str!("scripts/lib/few.lua")),
    ("few_states", include_str!("scripts/lib/few_states.lua")),
    ("forget", include_str!("scripts/lib/forget.lua")),
    ("full", include_str!("scripts/lib/full.lua")),
    ("held", include_str!("scripts/lib/held.lua")),
    ("labels", include_str!("scripts/lib/labels.lua")),
    ("levels", include_str!("scripts/lib/levels.lua")),
    ("log", include_str!("scripts/lib/log.lua")),
    ("many_states", include_str!("scripts/lib/many_states.lua")),
    ("missed", include_str!("scripts/lib/missed.lua")),
    ("named", include_str!("scripts/lib/named.lua")),
    ("notices", include_str!("scripts/lib/notices.lua")),
    ("open", include_str!("scripts/lib/open.lua")),
    ("ordinals", include_str!("scripts/lib/ordinals.lua")),
    ("owner", include_str!("scripts/lib/owner.lua")),
    ("presence", include_str!("scripts/lib/presence.lua")),
    ("presence_event", include_str!("scripts/lib/presence_event.lua")),
    ("ranges", include_str!("scripts/lib/ranges.lua")),
    ("reason_text", include_str!("scripts/lib/reason_text.lua")),
    ("record_change", include_str!("scripts/lib/record_change.lua")),
    ("rollouts", include_str!("scripts/lib/rollouts.lua")),
    ("rows", include_str!("scripts/lib/rows.lua")),
    ("selection", include_str!("scripts/lib/selection.lua")),
    ("sessions", include_str!("scripts/lib/sessions.lua")),
    ("stamp", include_str!("scripts/lib/stamp.lua")),
    ("sweep", include_str!("scripts/lib/sweep.lua")),
    ("time", include_str!("scripts/lib/time.lua")),
    ("tmp", include_str!("scripts/lib/tmp.lua")),
];

macro_rules! scripts {
    ($($name:ident $oom:literal),* $(,)?) => {
        /// All scripts, by the names of their files.
        pub struct PartitionScripts { $($name: Script),* }

        impl PartitionScripts {
            /// Returns the scripts of a partition that stores this many bytes. Its events have an eighth of them, from
            /// 256 KiB to 4 MiB. `records_changes` says whether changes of terminals are recorded.
            pub fn new(bytes: u64, records_changes: bool) -> Self {
                let rules = rules((bytes / 8).clamp(EVENTS_MIN, EVENTS_MAX), records_changes);
                Self {
                    $($name: script($oom, include_str!(concat!("scripts/", stringify!($name), ".lua")), &rules)),*
                }
            }
        }

        impl PartitionScripts {
            $(
                /// Returns a call of the script in the file of this name, in the partition with these names.
                pub fn $name(&self, keys: &RedisKeys) -> ScriptInvocation<'_> {
                    let mut call = self.$name.prepare_invoke();
                    call.key(keys.key("")).key(keys.channel(""));
                    call
                }
            )*
        }
    };
}

// What makes Redis larger is refused by a Redis that is full. What only keeps up with what is (leases, sessions,
// states) goes on: `allow-oom`.
scripts!(
    accept_one "",
    audit "allow-oom",
    audit_append "",
    beat "allow-oom",
    begin "",
    bury "allow-oom",
    cancel "allow-oom",
    changes "allow-oom",
    clock "allow-oom",
    commit "allow-oom",
    compare "allow-oom",
    confirm "allow-oom",
    count "allow-oom",
    differences "allow-oom",
    disconnect "allow-oom",
    enrol "allow-oom",
    enrol_add "",
    enrol_approve "allow-oom",
    enrol_remove "allow-oom",
    enrolments "allow-oom",
    export_command "allow-oom",
    export_commands "allow-oom",
    export_keys "allow-oom",
    export_replies "allow-oom",
    export_targets "allow-oom",
    export_terminals "allow-oom",
    finish_share "allow-oom",
    fleet "allow-oom",
    forget "allow-oom",
    forget_away "allow-oom",
    freeze "allow-oom",
    happened "",
    has_ordinal "allow-oom",
    is_target "allow-oom",
    join "allow-oom",
    key "",
    label "",
    labels_of "allow-oom",
    leave "allow-oom",
    list "allow-oom",
    minute "allow-oom",
    missed "allow-oom",
    note_for_events "allow-oom",
    notice_attempts "allow-oom",
    notice_due "allow-oom",
    notice_put "",
    notice_remove "allow-oom",
    notice_tried "allow-oom",
    notices "allow-oom",
    notices_away "allow-oom",
    notices_carried "allow-oom",
    notices_save "",
    open "",
    operator_key "allow-oom",
    operator_keys "allow-oom",
    operator_keys_put "",
    page "allow-oom",
    raise "allow-oom",
    raise_schema "allow-oom",
    reopen "allow-oom",
    reply "",
    resign "allow-oom",
    restore_begin "",
    restore_done "",
    restore_end "",
    restore_home "",
    restore_keys "",
    restore_look "allow-oom",
    restore_share "",
    restore_targets "",
    restore_terminals "",
    revocations "allow-oom",
    revoke "allow-oom",
    rollout "allow-oom",
    rollout_create "",
    rollout_freeze "",
    rollout_save "allow-oom",
    rollout_targets "allow-oom",
    rollouts "allow-oom",
    rollouts_open "allow-oom",
    selector_put "",
    selector_remove "allow-oom",
    selectors "allow-oom",
    share "allow-oom",
    survey "allow-oom",
    sweep "allow-oom",
    take_back "allow-oom",
    targets "allow-oom",
    tell_done "allow-oom",
    telling "allow-oom",
    terminal "allow-oom",
    ticket "allow-oom",
    unfinished "allow-oom",
    view "allow-oom",
    vitals "allow-oom",
    wait "allow-oom",
);

fn script(flags: &str, body: &str, rules: &str) -> Script {
    let flags = if flags.is_empty() { String::new() } else { format!("flags={flags}") };
    Script::new(&format!("#!lua {flags}\n{}", render(body, NAMES, rules, library)))
}

fn library(name: &str) -> &'static str {
    let found = LIBRARIES.iter().find(|(library, _)| *library == name);
    found.unwrap_or_else(|| panic!("a script uses the library {name}, which scripts.rs does not have")).1
}

/// Returns the rules of `rules.rs`, the bytes of events, and what is recorded, one definition a line.
fn rules(events: u64, records_changes: bool) -> String {
    let table = |rows: Vec<String>| format!("{{ {} }}", rows.join(", "));
    let rank = table(TargetState::ALL.map(|state| format!("{} = {}", state.name(), state.rank())).into());
    let resent = |protocol| {
        let states = TargetState::ALL.into_iter().filter(|state| rules::is_resent(*state, protocol));
        table(states.map(|state| format!("{} = true", state.name())).collect())
    };
    [
        format!("local EVENTS_BYTES = {events}"),
        format!("local LOOK_BACK = {}", rules::LOOK_BACK),
        format!("local FREE_MIN = {}", rules::FREE_ORDINALS_MIN),
        format!("local FREE_SHARE = {}", rules::FREE_ORDINALS_SHARE),
        format!("local REFUSALS_TOLD_MS = {}", rules::REFUSALS_TOLD.as_millis()),
        format!("local CONTESTED_AFTER = {}", rules::CONTESTED_AFTER),
        format!("local CONTEST_WINDOW_MS = {}", rules::CONTEST_WINDOW.as_millis()),
        format!("local CONTEST_MAX = {}", rules::CONTEST_MAX),
        format!("local ENDED_MS = {}", rules::ENDED_TTL.as_millis()),
        format!("local CHANGES_MAX = {}", if records_changes { CHANGES_MAX } else { 0 }),
        format!("local CHANGES_BYTES = {CHANGES_BYTES}"),
        format!("local REASONS = '{REASONS}'"),
        format!("local MINUTES_MAX = {MINUTES_MAX}"),
        format!("local MINUTE_BYTES = {MINUTE_BYTES}"),
        format!("local COUNTERS = {}", table(COUNTERS.map(|name| format!("'{name}'")).into())),
        format!("local RANK = {rank}"),
        format!("local RESENT = {{ v1 = {}, plain = {} }}", resent(Protocol::V1), resent(Protocol::Plain)),
    ]
    .join("\n")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Returns the commands of Redis that a script calls, in lower case.
    fn commands(script: &str) -> impl Iterator<Item = String> {
        let calls = script.split("redis.call(").skip(1);
        // The name is a text, or a choice between several.
        let names = calls.map(|call| call.split(',').next().unwrap().split('\'').skip(1).step_by(2));
        names.flatten().map(str::to_lowercase)
    }

    #[test]
    fn the_redis_user_of_nodes_may_call_what_scripts_call() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let users = fs::read_to_string(format!("{root}/compose/redis/users.acl")).unwrap();
        let user = users.lines().find(|line| line.starts_with("user node ")).unwrap();
        let folder = format!("{root}/node/src/backplane/redis/partition/scripts");
        let mut count = 0;
        for file in [folder.clone(), format!("{folder}/lib")].iter().flat_map(|folder| fs::read_dir(folder).unwrap()) {
            let file = file.unwrap().path();
            if file.is_dir() {
                continue;
            }
            for command in commands(&fs::read_to_string(&file).unwrap()) {
                let right = format!("+{command}");
                assert!(user.split(' ').any(|word| word == right), "{right} is missing, for {}", file.display());
                count += 1;
            }
        }
        assert!(count > 100, "{count} calls were found");
    }

    #[test]
    fn every_definition_is_on_a_line_of_its_own() {
        let all = NAMES.lines().filter(|line| !line.is_empty() && !line.starts_with("--"));
        assert!(all.clone().all(|line| line.starts_with("local ") && line.matches('=').count() >= 1));
        PartitionScripts::new(1 << 30, true);
    }
}
