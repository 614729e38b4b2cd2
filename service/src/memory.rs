//! What the control group (version 2) of this process allows it of memory, and the memory that the host has left.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where the control groups of version 2 are.
const GROUPS: &str = "/sys/fs/cgroup";

/// The control group with the least limit among those that this process is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemoryGroup {
    limit: u64,
    folder: PathBuf,
}

impl MemoryGroup {
    /// Finds the group. `None` if no group of version 2 has a limit.
    pub fn of_this_process() -> Option<Self> {
        Self::find(Path::new(GROUPS), &fs::read_to_string("/proc/self/cgroup").ok()?)
    }

    /// Finds the group below `root`. `memberships` is /proc/PID/cgroup.
    fn find(root: &Path, memberships: &str) -> Option<Self> {
        let own = memberships.lines().find_map(|line| line.strip_prefix("0::/"))?;
        let own = root.join(own);
        let groups = own.ancestors().take_while(|folder| folder.starts_with(root));
        let limited = groups.filter_map(|folder| Some((number(&folder.join("memory.max"))?, folder.to_owned())));
        limited.min().map(|(limit, folder)| Self { limit, folder })
    }

    /// How much its processes may use together, in bytes.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// What its processes use, in bytes, without files that the kernel can drop. It has the buffers of sockets, too. `None` if it can't be read.
    pub fn used(&self) -> Option<u64> {
        let current = number(&self.folder.join("memory.current"))?;
        let stat = fs::read_to_string(self.folder.join("memory.stat")).ok()?;
        let of =
            |line: &str| line.strip_prefix("inactive_file ").or(line.strip_prefix("active_file "))?.parse::<u64>().ok();
        Some(current.saturating_sub(stat.lines().filter_map(of).sum::<u64>()))
    }
}

/// The memory that new processes can have, in bytes, by the host's own estimate. `None` if it can't be read.
pub fn available() -> Option<u64> {
    let told = fs::read_to_string("/proc/meminfo").ok()?;
    let kilobytes = told.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(kilobytes.split_whitespace().next()?.parse::<u64>().ok()? << 10)
}

/// The number in a file. `None` if the file says `max`, or can't be read.
fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_limit_of_the_own_groups_counts_and_files_that_can_be_dropped_do_not() {
        let root = tempfile::tempdir().unwrap();
        let own = root.path().join("system.slice/muster.service");
        fs::create_dir_all(&own).unwrap();
        let write = |folder: &Path, file: &str, text: &str| fs::write(folder.join(file), text).unwrap();
        let group = || MemoryGroup::find(root.path(), "1:name=x:/other\n0::/system.slice/muster.service\n");
        write(&own, "memory.max", "max\n");
        assert_eq!(group(), None);
        write(own.parent().unwrap(), "memory.max", "5000\n");
        assert_eq!(group(), Some(MemoryGroup { limit: 5000, folder: own.parent().unwrap().to_owned() }));
        write(&own, "memory.max", "1000\n");
        let group = group().unwrap();
        assert_eq!((group.limit(), &group.folder), (1000, &own));
        assert_eq!(MemoryGroup::find(root.path(), "4:memory:/docker/x\n"), None, "of version 1");
        write(&own, "memory.current", "950\n");
        write(&own, "memory.stat", "anon 300\ninactive_file 400\nactive_file 50\n");
        assert_eq!(group.used(), Some(500));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_the_host_has_left_is_read() {
        assert!(available().unwrap() > 1 << 20);
    }
}
