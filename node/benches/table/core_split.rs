//! Servers on one core, and terminals on another.

use std::{fmt, marker::PhantomData};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The core of servers and the core of terminals: the first and the last that this process may use. `None` if it may use one alone, which
/// both share then.
#[derive(Clone, Copy)]
pub struct CoreSplit(Option<(usize, usize)>);

/// While this lives, programs that this thread starts run on the core of servers.
pub struct OnServerCore {
    split: CoreSplit,
    /// The affinity is this thread's.
    _thread: PhantomData<*const ()>,
}

impl CoreSplit {
    /// Divides the cores, and puts this thread on that of terminals.
    pub fn divide() -> Self {
        let allowed = sched_getaffinity(None).expect("a thread may ask for its cores");
        let cores: Vec<_> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
        let split = Self((cores.len() > 1).then(|| (cores[0], cores[cores.len() - 1])));
        split.put(|(_, terminals)| terminals);
        split
    }

    /// Has programs that are started from now on run on the core of servers.
    pub fn on_server_core(self) -> OnServerCore {
        self.put(|(server, _)| server);
        OnServerCore { split: self, _thread: PhantomData }
    }

    /// Whether servers and terminals have cores of their own.
    pub fn is_divided(self) -> bool {
        self.0.is_some()
    }

    fn put(self, which: fn((usize, usize)) -> usize) {
        if let Some(cores) = self.0 {
            let mut set = CpuSet::new();
            set.set(which(cores));
            sched_setaffinity(None, &set).expect("a thread may use a core that it had");
        }
    }
}

impl Drop for OnServerCore {
    fn drop(&mut self) {
        self.split.put(|(_, terminals)| terminals);
    }
}

impl fmt::Display for CoreSplit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some((server, terminals)) => write!(f, "servers: {server}, terminals: {terminals}"),
            None => f.write_str("one, shared by servers and terminals"),
        }
    }
}
