//! What a model needs and what the machine has.

use std::fs;
use std::path::Path;

use engine::MAX_STEP_TOKENS;
use model::config::ModelConfig;
use model::{KvCache, Workspace};

/// Memory of this machine, or of the container this process lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Available {
    /// All there is, in bytes.
    pub total: u64,
    /// What can be had without swapping, in bytes.
    pub available: u64,
    /// The limit of the control group, if one is set, in bytes; the other two respect it.
    pub cgroup_limit: Option<u64>,
}

/// Memory of this machine; none if the system does not say.
pub fn available() -> Option<Available> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    let total = meminfo_bytes(&meminfo, "MemTotal:")?;
    let free = meminfo_bytes(&meminfo, "MemAvailable:")?;
    let Some((limit, used)) = cgroup(Path::new("/sys/fs/cgroup")) else {
        return Some(Available {
            total,
            available: free,
            cgroup_limit: None,
        });
    };
    let left = limit.saturating_sub(used);
    Some(Available {
        total: total.min(limit),
        available: free.min(left),
        cgroup_limit: Some(limit),
    })
}

fn meminfo_bytes(meminfo: &str, key: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(key))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The tightest limit of this process's control groups and what is used of it (page cache that can
/// be dropped not counted), version 2 first.
fn cgroup(root: &Path) -> Option<(u64, u64)> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let number = |path: &Path| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    if let Some(path) = own.lines().find_map(|line| line.strip_prefix("0::")) {
        let leaf = root.join(path.trim_start_matches('/'));
        let groups = leaf.ancestors().take_while(|dir| dir.starts_with(root));
        let limits = groups.filter_map(|dir| {
            let limit = number(&dir.join("memory.max"))?;
            let used = number(&dir.join("memory.current")).unwrap_or(0);
            let stat = fs::read_to_string(dir.join("memory.stat")).unwrap_or_default();
            let cached = stat
                .lines()
                .find_map(|line| line.strip_prefix("inactive_file "));
            let cached = cached.and_then(|n| n.trim().parse().ok()).unwrap_or(0);
            Some((limit, used.saturating_sub(cached)))
        });
        if let Some(found) = limits.min() {
            return Some(found);
        }
    }
    let v1 = root.join("memory");
    let limit = number(&v1.join("memory.limit_in_bytes"))?;
    // Version 1 writes "no limit" as a number near 2^63.
    let used = number(&v1.join("memory.usage_in_bytes")).unwrap_or(0);
    (limit < 1 << 62).then_some((limit, used))
}

/// Bytes that a model takes at a context length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Weights, mapped from the file.
    pub weights: u64,
    /// Keys and values for the whole context.
    pub kv: u64,
    /// Buffers of a step.
    pub workspace: u64,
}

impl Estimate {
    /// For weights of `weights` bytes and a context of `ctx` tokens.
    pub fn new(config: &ModelConfig, weights: u64, ctx: usize) -> Self {
        Self {
            weights,
            kv: KvCache::size_bytes(config, ctx) as u64,
            workspace: Workspace::size_bytes(config, MAX_STEP_TOKENS.min(ctx), 1) as u64,
        }
    }

    /// All of it.
    pub fn total(&self) -> u64 {
        self.weights + self.kv + self.workspace
    }
}

/// The context that is taken if none is asked for: what the model was trained for, or as much of it as
/// a quarter of the memory holds the keys and values of.
pub fn default_ctx(config: &ModelConfig) -> usize {
    const LEAST: usize = 2048;
    let Some(memory) = available() else {
        return config.max_seq_len.min(LEAST);
    };
    let fits = |ctx: usize| KvCache::size_bytes(config, ctx) as u64 <= memory.available / 4;
    let mut ctx = config.max_seq_len;
    while ctx > LEAST && !fits(ctx) {
        ctx /= 2;
    }
    ctx.max(LEAST).min(config.max_seq_len)
}

#[cfg(test)]
mod tests {
    use super::meminfo_bytes;

    #[test]
    fn meminfo_is_read_in_kib() {
        let text = "MemTotal:       24569584 kB\nMemAvailable:   23000000 kB\n";
        assert_eq!(meminfo_bytes(text, "MemTotal:"), Some(24_569_584 * 1024));
        assert_eq!(meminfo_bytes(text, "SwapTotal:"), None);
    }
}
