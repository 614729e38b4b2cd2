//! The steps that must not be torn apart, each a script that Redis runs as one. Every script begins with names.lua.

use redis::{Script, ScriptInvocation};

use super::keys;

macro_rules! scripts {
    ($($name:ident),*) => {
        /// All scripts, by the names of their files.
        pub struct Scripts { $($name: Script),* }

        impl Scripts {
            /// Reads them in.
            pub fn new() -> Self {
                Self { $($name: script(include_str!(concat!("scripts/", stringify!($name), ".lua")))),* }
            }

            $(
                /// A call of the script in the file of this name.
                pub fn $name(&self) -> ScriptInvocation<'_> {
                    let mut call = self.$name.prepare_invoke();
                    call.key(keys::TAG);
                    call
                }
            )*
        }
    };
}

scripts!(accept, beat, bury, cancel, forget, join, label, leave, raise, reply);

fn script(body: &str) -> Script {
    Script::new(&format!("{}\n{body}", include_str!("scripts/names.lua")))
}
