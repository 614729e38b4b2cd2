//! The steps that must not be torn apart, each a script that Redis runs as one. Every script begins with names.lua.

use muster_protocol::redis_keys::RedisKeys;
use redis::{Script, ScriptInvocation};

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

scripts!(accept, beat, bury, cancel, forget, join, label, leave, raise, reply, vitals);

/// What makes Redis larger is refused by one that is full; what only keeps up with what is (leases, sessions, states) must go on.
const MAY_BE_REFUSED: [&str; 3] = ["accept", "label", "reply"];

fn script(keys: &RedisKeys, name: &str, body: &str) -> Script {
    let flags = if MAY_BE_REFUSED.contains(&name) { "" } else { "flags=allow-oom" };
    let (prefix, channels) = (keys.key(""), keys.channel(""));
    let names = format!("local PREFIX, CHANNELS = '{prefix}', '{channels}'\n{}", include_str!("scripts/names.lua"));
    Script::new(&format!("#!lua {flags}\n{names}\n{body}"))
}
