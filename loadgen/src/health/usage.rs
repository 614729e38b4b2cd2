//! What the kernel reports about a process: CPU time and memory.

use std::{fs, process, time::Duration};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// The resources that a process used up to one moment.
#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time of all threads since the process began, in seconds.
    pub cpu_s: f64,
    /// Resident memory, in bytes.
    pub rss_bytes: u64,
    /// How often the process was preempted: taken off its CPU although it had more to do.
    pub preempted: u64,
}

impl Usage {
    /// Reads the usage of this process, with its CPU time in nanoseconds. The ticks of [`Usage::of`] would be 5 % of what
    /// the measurement of the floor counts.
    pub fn own() -> Self {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        let cpu_s = Duration::try_from(time).unwrap_or_default().as_secs_f64();
        Self { cpu_s, ..Self::of(process::id()).unwrap_or_default() }
    }

    /// Reads the usage of a process, with its CPU time in ticks of usually 10 ms. Returns `None` if the process does not
    /// exist.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        // The fields are counted after the process name, because the name may contain any character. The times are
        // the 12th and 13th of these fields.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks: f64 = fields.get(11..13)?.iter().filter_map(|field| field.parse::<f64>().ok()).sum();
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        };
        Some(Self {
            cpu_s: ticks / rustix::param::clock_ticks_per_second() as f64,
            rss_bytes: kib("VmRSS:").unwrap_or(0) * 1024,
            preempted: kib("nonvoluntary_ctxt_switches:").unwrap_or(0),
        })
    }

    /// Sums the usage of a process and all its descendants; Nginx, for example, does its work in child processes.
    /// Processes that do not exist count as zero.
    pub fn of_family(pid: u32) -> Self {
        let parents: Vec<(u32, u32)> = processes();
        let mut family = vec![pid];
        let mut next = 0;
        while let Some(&parent) = family.get(next) {
            family.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(child, _)| *child));
            next += 1;
        }
        family.into_iter().filter_map(Self::of).fold(Self::default(), |sum, one| Self {
            cpu_s: sum.cpu_s + one.cpu_s,
            rss_bytes: sum.rss_bytes + one.rss_bytes,
            preempted: sum.preempted + one.preempted,
        })
    }
}

/// Returns the pid of every process with the pid of its parent.
fn processes() -> Vec<(u32, u32)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let parent = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
        Some((pid, parent))
    };
    pids.filter_map(parent).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_uses_cpu_time_and_children_are_found() {
        let before = Usage::own();
        assert!(before.rss_bytes > 0);
        let mut child = process::Command::new("sleep").arg("60").spawn().unwrap();
        let family = processes();
        assert!(family.contains(&(child.id(), process::id())), "{family:?}");
        child.kill().unwrap();
        child.wait().unwrap();
        let mut sum = 0_u64;
        while Usage::own().cpu_s <= before.cpu_s {
            sum = std::hint::black_box(sum + 1);
        }
        assert_eq!(Usage::of(u32::MAX), None);
    }

    #[test]
    fn the_own_cpu_time_is_finer_than_a_tick() {
        let times: Vec<f64> = (0..50).map(|_| Usage::own().cpu_s).collect();
        let steps = times.windows(2).map(|two| two[1] - two[0]).filter(|step| *step > 0.0);
        // Other tests of this process use CPU time meanwhile, so most steps may be longer.
        assert!(steps.fold(f64::INFINITY, f64::min) < 0.005);
    }
}
