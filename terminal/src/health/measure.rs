//! The figures of the system, as Linux has them under /proc and /sys. A figure that can't be read is `None`.

use std::{fs, path::Path};

/// The share of the processors' time that was used since the last look.
#[derive(Debug, Default)]
pub struct Cpu {
    idle: u64,
    all: u64,
}

impl Cpu {
    /// Returns the share that was used since the last call, or since the start of the system.
    pub fn share_used(&mut self) -> Option<f64> {
        let (idle, all) = processor_times(&fs::read_to_string("/proc/stat").ok()?)?;
        let passed = all.checked_sub(self.all).filter(|passed| *passed > 0)?;
        let used = passed.saturating_sub(idle.saturating_sub(self.idle));
        (self.idle, self.all) = (idle, all);
        Some(used as f64 / passed as f64)
    }
}

/// Returns the idle time and all time of all processors, from the first line of /proc/stat.
fn processor_times(stat: &str) -> Option<(u64, u64)> {
    let fields = stat.lines().next()?.strip_prefix("cpu ")?;
    // The times of guests, which follow the first eight, are part of the others.
    let times: Vec<u64> = fields.split_whitespace().take(8).map_while(|field| field.parse().ok()).collect();
    let idle = times.get(3)? + times.get(4)?;
    Some((idle, times.iter().sum()))
}

/// Returns the share of the memory that is used and can't be freed.
pub fn memory_used() -> Option<f64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let kilobytes = |name: &str| -> Option<f64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim_start_matches(':').split_whitespace().next()?.parse().ok()
    };
    Some(1.0 - kilobytes("MemAvailable")? / kilobytes("MemTotal")?)
}

/// Returns the temperature of a file that has thousandths of a degree Celsius, in degrees.
pub fn temperature(file: &Path) -> Option<f64> {
    let thousandths: f64 = fs::read_to_string(file).ok()?.trim().parse().ok()?;
    Some(thousandths / 1000.0)
}

/// Returns the seconds since the start of the system.
pub fn uptime() -> Option<f64> {
    fs::read_to_string("/proc/uptime").ok()?.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processors_times_are_the_first_line() {
        let stat = "cpu  100 0 50 800 50 0 0 0 7 0\ncpu0 1 2 3 4 5 6 7 8\n";
        assert_eq!(processor_times(stat), Some((850, 1000)));
        assert_eq!(processor_times("intr 5"), None);
        assert_eq!(processor_times("cpu  1 2"), None);
    }

    #[test]
    fn a_temperature_is_in_degrees() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("temp");
        assert_eq!(temperature(&file), None);
        fs::write(&file, "48500\n").unwrap();
        assert_eq!(temperature(&file), Some(48.5));
    }
}
