//! The memory of the kernel.

use std::fs;

/// Bytes of the kernel's own objects, such as sockets, of all programs together.
pub fn kernel_memory() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").expect("Linux tells of its memory");
    let line = text.lines().find_map(|line| line.strip_prefix("Slab:")).expect("Linux tells of its objects");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("it is a number") * 1024
}
