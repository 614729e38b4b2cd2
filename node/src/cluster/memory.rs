//! How much memory this node may use, and when it has too little for further sessions. The system kills a process
//! beyond its limit, with all its sessions, so a node stops taking new sessions before that.

use std::fs;

use muster_service::memory::MemoryGroup;

/// From this part of the limit on, in percent, the node takes no sessions. The rest is for the sessions that it has:
/// their queues may fill.
const FULL: u64 = 90;
/// Below this part, in percent, the node takes sessions again.
const ROOM: u64 = 85;

/// Watches one limit.
#[derive(Debug)]
pub struct MemoryWatch {
    limit: u64,
    measure: Measure,
    is_full: bool,
}

/// What is compared with the limit.
#[derive(Debug)]
enum Measure {
    /// What this process has in memory, for `--max-memory`.
    Process,
    /// What this control group uses.
    Group(MemoryGroup),
}

impl MemoryWatch {
    /// Returns the watch of `wanted`, which is `--max-memory` in bytes; without it, of the limit of the control group
    /// (version 2) that this process is in. None if there is neither.
    pub fn new(wanted: Option<u64>) -> Option<Self> {
        let (limit, measure) = match wanted {
            Some(limit) => (limit, Measure::Process),
            None => {
                let group = MemoryGroup::of_this_process()?;
                let limit = group.limit();
                tracing::info!(limit, "the control group limits this node's memory");
                (limit, Measure::Group(group))
            }
        };
        Some(Self { limit, measure, is_full: false })
    }

    /// Returns why the node has too little memory for further sessions, as a sentence. None if it has enough, or if the
    /// memory in use can't be read.
    pub fn shortage(&mut self) -> Option<String> {
        let used = self.measure.used()?;
        self.judge(used)
    }

    fn judge(&mut self, used: u64) -> Option<String> {
        let from = if self.is_full { ROOM } else { FULL };
        self.is_full = used >= self.limit / 100 * from;
        let limit_is = match self.measure {
            Measure::Process => "--max-memory",
            Measure::Group(_) => "memory.max of its control group",
        };
        self.is_full.then(|| {
            format!(
                "this node uses {} MiB of the {} MiB of memory that it may have ({limit_is}): it takes no new sessions until it uses less \
                 than {ROOM} %; raise the limit, or lower --max-sessions or --queue",
                used >> 20,
                self.limit >> 20
            )
        })
    }
}

impl Measure {
    fn used(&self) -> Option<u64> {
        match self {
            Self::Process => {
                let pages = fs::read_to_string("/proc/self/statm").ok()?;
                let resident: u64 = pages.split(' ').nth(1)?.parse().ok()?;
                Some(resident * rustix::param::page_size() as u64)
            }
            Self::Group(group) => group.used(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_nine_tenths_of_the_limit_on_no_session_is_taken_until_there_is_clearly_room() {
        let mut memory = MemoryWatch { limit: 1000 << 20, measure: Measure::Process, is_full: false };
        assert_eq!(memory.judge(899 << 20), None);
        let why = memory.judge(901 << 20).unwrap();
        for part in ["uses 901 MiB of the 1000 MiB", "(--max-memory)", "less than 85 %"] {
            assert!(why.contains(part), "{why}");
        }
        assert!(memory.judge(860 << 20).is_some(), "one session that ends makes no room");
        assert_eq!(memory.judge(849 << 20), None);
        assert_eq!(memory.judge(860 << 20), None);
    }

    #[test]
    fn what_this_process_uses_is_read() {
        assert!(Measure::Process.used().unwrap() > 1 << 20);
    }
}
