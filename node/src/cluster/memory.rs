//! How much memory this node may use, and when it has too little for further sessions. A process beyond its limit is killed with all its
//! sessions, so a node stops to take new ones before.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// From this part of the limit on, in percent, no session is taken. The rest is for those that are there: their queues may fill.
const FULL: u64 = 90;
/// Below this part, in percent, sessions are taken again.
const ROOM: u64 = 85;
/// Where the control groups of version 2 are.
const GROUPS: &str = "/sys/fs/cgroup";

/// Watches one limit.
#[derive(Debug)]
pub struct MemoryWatch {
    limit: u64,
    measure: Measure,
    is_full: bool,
}

/// What is compared with the limit.
#[derive(Debug, PartialEq, Eq)]
enum Measure {
    /// What this process has in memory, for `--max-memory`.
    Process,
    /// What the control group in this folder uses, without files that the kernel can drop. It has the buffers of sockets, too.
    Group(PathBuf),
}

impl MemoryWatch {
    /// With `--max-memory` in bytes, or else the limit of the control group (version 2) that this process is in. None if there is neither.
    pub fn new(wanted: Option<u64>) -> Option<Self> {
        let (limit, measure) = match wanted {
            Some(limit) => (limit, Measure::Process),
            None => {
                let (limit, folder) =
                    limit_of_groups(Path::new(GROUPS), &fs::read_to_string("/proc/self/cgroup").ok()?)?;
                tracing::info!(limit, "the control group limits this node's memory");
                (limit, Measure::Group(folder))
            }
        };
        Some(Self { limit, measure, is_full: false })
    }

    /// Why the node has too little memory for further sessions. None if it has enough, or if what it uses can't be read.
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
            Self::Group(folder) => {
                let current: u64 = number(&folder.join("memory.current"))?;
                let stat = fs::read_to_string(folder.join("memory.stat")).ok()?;
                let of = |line: &str| {
                    line.strip_prefix("inactive_file ").or(line.strip_prefix("active_file "))?.parse::<u64>().ok()
                };
                Some(current.saturating_sub(stat.lines().filter_map(of).sum::<u64>()))
            }
        }
    }
}

/// The least limit of the groups that a process is in, and the folder of the group that has it. `memberships` is /proc/PID/cgroup.
fn limit_of_groups(root: &Path, memberships: &str) -> Option<(u64, PathBuf)> {
    let own = memberships.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let own = root.join(own);
    let groups = own.ancestors().take_while(|folder| folder.starts_with(root));
    groups.filter_map(|folder| Some((number(&folder.join("memory.max"))?, folder.to_owned()))).min()
}

/// The number in a file. None if the file says `max`, or can't be read.
fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
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
    fn the_least_limit_of_the_own_groups_counts_and_files_that_can_be_dropped_do_not() {
        let root = tempfile::tempdir().unwrap();
        let own = root.path().join("system.slice/muster.service");
        fs::create_dir_all(&own).unwrap();
        let write = |folder: &Path, file: &str, text: &str| fs::write(folder.join(file), text).unwrap();
        let limit = || limit_of_groups(root.path(), "1:name=x:/other\n0::/system.slice/muster.service\n");
        write(&own, "memory.max", "max\n");
        assert_eq!(limit(), None);
        write(own.parent().unwrap(), "memory.max", "5000\n");
        assert_eq!(limit(), Some((5000, own.parent().unwrap().to_owned())));
        write(&own, "memory.max", "1000\n");
        assert_eq!(limit(), Some((1000, own.clone())));
        assert_eq!(limit_of_groups(root.path(), "4:memory:/docker/x\n"), None, "of version 1");
        write(&own, "memory.current", "950\n");
        write(&own, "memory.stat", "anon 300\ninactive_file 400\nactive_file 50\n");
        assert_eq!(Measure::Group(own).used(), Some(500));
    }

    #[test]
    fn what_this_process_uses_is_read() {
        assert!(Measure::Process.used().unwrap() > 1 << 20);
    }
}
