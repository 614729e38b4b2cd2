//! The environment of a run: machine, kernel and versions. Without it a figure can't be compared with another.

use std::{collections::BTreeMap, fs, process::Command};

use rustix::process::{Resource, getrlimit};

/// Facts by name, sorted by name.
pub type Environment = BTreeMap<String, String>;

/// Reads the facts of this machine now. Facts that can't be read are left out.
pub fn environment() -> Environment {
    let read = |file: &str| fs::read_to_string(file).map(|text| text.trim().to_owned()).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).and_then(|line| line.split_once(": "));
    let limit = getrlimit(Resource::Nofile).current.map_or("unlimited".into(), |limit| limit.to_string());
    let facts = [
        ("loadgen", env!("CARGO_PKG_VERSION").to_owned()),
        ("kernel", read("/proc/sys/kernel/osrelease")),
        ("cpu", model.map_or_else(String::new, |(_, model)| model.to_owned())),
        ("cores", cores().to_string()),
        ("load average", read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" ")),
        ("priority", priority()),
        ("open files", limit),
        ("host", read("/proc/sys/kernel/hostname")),
        ("git", output("git", &["rev-parse", "--short=12", "HEAD"])),
        ("nginx", output("nginx", &["-v"])),
        ("redis", output("redis-server", &["--version"])),
    ];
    facts.into_iter().filter(|(_, fact)| !fact.is_empty()).map(|(name, fact)| (name.to_owned(), fact)).collect()
}

/// Returns the number of cores that this process may use; 1 if it is unknown.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Returns the priority of this process: its real-time priority if it has one, and its nice value otherwise. With a real-time priority,
/// or a nice value below that of the servers, the kernel prefers the generator when both could run. Source: fields 19 and 40 of
/// `/proc/self/stat` (proc(5)).
fn priority() -> String {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let field = |number: usize| {
        let (_, from_third) = stat.rsplit_once(')')?;
        from_third.split_whitespace().nth(number - 3)?.parse::<i32>().ok()
    };
    match (field(40), field(19)) {
        (Some(priority @ 1..), _) => format!("real-time {priority}"),
        (_, Some(nice)) => format!("nice {nice}"),
        _ => String::new(),
    }
}

/// Returns the first line of a program's output. Returns an empty string if the program can't be started or fails.
fn output(program: &str, args: &[&str]) -> String {
    let Ok(output) = Command::new(program).args(args).output() else { return String::new() };
    let printed = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    let line = String::from_utf8_lossy(&printed).lines().next().unwrap_or_default().to_owned();
    if output.status.success() { line } else { String::new() }
}
