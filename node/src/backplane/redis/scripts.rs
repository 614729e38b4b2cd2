//! The steps that must not be torn apart, each a script that Redis runs as one. Every script begins with names.lua.

use muster_protocol::{
    api::{Protocol, TargetState},
    redis_keys::RedisKeys,
};
use redis::{Script, ScriptInvocation};

use crate::backplane::rules;

macro_rules! scripts {
    ($($name:ident),*) => {
        /// All scripts, by the names of their files.
        pub struct Scripts { tag: String, $($name: Script),* }

        impl Scripts {
            /// Reads them in, for the cluster with these names.
            pub fn new(keys: &RedisKeys) -> Self {
                Self {
                    tag: keys.tag().to_owned(),
                    $($name: script(keys, stringify!($name), include_str!(concat!("scripts/", stringify!($name), ".lua")))),*
                }
            }

            $(
                /// A call of the script in the file of this name.
                pub fn $name(&self) -> ScriptInvocation<'_> {
                    let mut call = self.$name.prepare_invoke();
                    call.key(&self.tag);
                    call
                }
            )*
        }
    };
}

scripts!(accept, beat, bury, cancel, disconnect, forget, join, label, leave, raise, reply, vitals);

/// What makes Redis larger is refused by one that is full; what only keeps up with what is (leases, sessions, states) must go on.
const MAY_BE_REFUSED: [&str; 3] = ["accept", "label", "reply"];

fn script(keys: &RedisKeys, name: &str, body: &str) -> Script {
    let flags = if MAY_BE_REFUSED.contains(&name) { "" } else { "flags=allow-oom" };
    let (rendered, names) = (rendered(keys), include_str!("scripts/names.lua"));
    Script::new(&format!("#!lua {flags}\n{rendered}\n{names}\n{body}"))
}

/// What Lua needs to know of Rust: the prefixes of names, and the rules that hold on every backplane.
fn rendered(keys: &RedisKeys) -> String {
    let table = |rows: Vec<String>| format!("{{ {} }}", rows.join(", "));
    let rank = table(TargetState::ALL.map(|state| format!("{} = {}", state.name(), state.rank())).into());
    let resent = |protocol| {
        let states = TargetState::ALL.into_iter().filter(|state| rules::is_resent(*state, protocol));
        table(states.map(|state| format!("{} = true", state.name())).collect())
    };
    [
        format!("local PREFIX, CHANNELS = '{}', '{}'", keys.key(""), keys.channel("")),
        format!("local EVENTS_MAX, LOOK_BACK = {}, {}", rules::EVENTS_MAX, rules::LOOK_BACK),
        format!("local CONTESTED_AFTER = {}", rules::CONTESTED_AFTER),
        format!("local ENDED_MS = {}", rules::ENDED_TTL.as_millis()),
        format!("local CONTEST_WINDOW_MS, FIGHT_MAX = {}, {}", rules::CONTEST_WINDOW.as_millis(), rules::CONTEST_MAX),
        format!("local RANK = {rank}"),
        format!("local RESENT = {{ v1 = {}, plain = {} }}", resent(Protocol::V1), resent(Protocol::Plain)),
    ]
    .join("\n")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn scripts_know_the_rules_as_they_are_here() {
        let rendered = rendered(&RedisKeys::new(&Default::default(), 0));
        for line in [
            "local PREFIX, CHANNELS = '{muster}:', '{muster}:0:'",
            "local EVENTS_MAX, LOOK_BACK = 10000, 256",
            "local CONTEST_WINDOW_MS, FIGHT_MAX = 60000, 15",
            "local RESENT = { v1 = { queued = true, sent = true }, plain = { queued = true } }",
        ] {
            assert!(rendered.lines().any(|rendered| rendered == line), "{line} is not in:\n{rendered}");
        }
    }

    /// The commands of Redis that a script calls, in lower case.
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
        let mut count = 0;
        for file in fs::read_dir(format!("{root}/node/src/backplane/redis/scripts")).unwrap() {
            let file = file.unwrap().path();
            for command in commands(&fs::read_to_string(&file).unwrap()) {
                let right = format!("+{command}");
                assert!(user.split(' ').any(|word| word == right), "{right} is missing, for {}", file.display());
                count += 1;
            }
        }
        assert!(count > 100, "{count} calls were found");
    }
}
