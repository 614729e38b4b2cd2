//! Which cores the server and the generator have: half of them each, so that neither takes the other's time.

use std::{fs, path::PathBuf};

/// The cores of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cores {
    server: Vec<usize>,
    generator: Vec<usize>,
}

impl Cores {
    /// Divides the cores that this process may use. With one core, or without the program `taskset`, nothing is divided.
    pub fn divided() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default();
        let mut server = cores_in(list.trim());
        if server.len() < 2 || !is_installed("taskset") {
            return Self { server: Vec::new(), generator: Vec::new() };
        }
        let generator = server.split_off(server.len() / 2);
        Self { server, generator }
    }

    /// The words before a command of the server.
    pub fn before_server(&self) -> Vec<String> {
        before(&self.server)
    }

    /// The words before a command of the generator.
    pub fn before_generator(&self) -> Vec<String> {
        before(&self.generator)
    }

    /// Which cores each has, in words.
    pub fn described(&self) -> String {
        if self.server.is_empty() {
            return "shared by server and generator".into();
        }
        format!("server: {}, generator: {}", list(&self.server), list(&self.generator))
    }
}

fn before(cores: &[usize]) -> Vec<String> {
    if cores.is_empty() { Vec::new() } else { vec!["taskset".into(), "-c".into(), list(cores)] }
}

fn list(cores: &[usize]) -> String {
    cores.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// The cores of a list of the kernel, such as `0-3,8`.
fn cores_in(list: &str) -> Vec<usize> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse::<usize>().ok()?..=last.parse::<usize>().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder: PathBuf| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_list_is_read() {
        assert_eq!(cores_in("0-2,5,8-9"), [0, 1, 2, 5, 8, 9]);
        assert_eq!(cores_in(""), Vec::<usize>::new());
    }

    #[test]
    fn each_side_has_cores_of_its_own_or_nothing_is_divided() {
        let cores = Cores { server: vec![0], generator: vec![1, 2] };
        assert_eq!(cores.before_generator(), ["taskset", "-c", "1,2"]);
        assert_eq!(cores.described(), "server: 0, generator: 1,2");
        let shared = Cores { server: Vec::new(), generator: Vec::new() };
        assert!(shared.before_server().is_empty() && shared.described().contains("shared"));
    }
}
