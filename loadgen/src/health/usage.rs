//! What the kernel says of a process: its CPU time and its memory.

use std::{fs, process};

use serde::{Deserialize, Serialize};

/// At one moment.
#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Seconds of CPU since it began, of all its threads.
    pub cpu_s: f64,
    /// Resident memory.
    pub rss_bytes: u64,
    /// How often it was taken off its CPU though it had more to do.
    pub preempted: u64,
}

impl Usage {
    /// Of this process.
    pub fn own() -> Self {
        Self::of(process::id()).unwrap_or_default()
    }

    /// Of a process; `None` if there is none.
    pub fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        // After the name, which may hold anything, the times are the 12th and 13th field.
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

    /// Of a process and all its descendants: Nginx's work is done by its children.
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

/// Every process with its parent.
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
    fn work_shows_as_cpu_time_and_a_child_is_family() {
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
}
