//! Limits of memory that control groups set, read from what the kernel says about this process.
//!
//! Both versions, wherever they are mounted, and every group from the process's own up to the root of the
//! mount: each may have a limit, and the tightest counts. Page cache is charged to a group too, but can be
//! dropped; what is left of a limit is reckoned without it.
//!
//! Sources: <https://docs.kernel.org/admin-guide/cgroup-v2.html#memory>,
//! <https://docs.kernel.org/admin-guide/cgroup-v1/memory.html>, `proc_pid_mountinfo(5)`.

use std::path::{Path, PathBuf};

/// A limit, and what is taken of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CgroupLimit {
    /// The most that the group may have, in bytes.
    pub limit: u64,
    /// What it has that cannot be dropped, in bytes.
    pub used: u64,
}

impl CgroupLimit {
    /// What is left.
    pub fn left(self) -> u64 {
        self.limit.saturating_sub(self.used)
    }
}

/// The limit that leaves least, of all that hold for this process; none if there is none.
pub(crate) fn of_this_process() -> Option<CgroupLimit> {
    let read = |path: &Path| std::fs::read_to_string(path).ok();
    let mounts = read(Path::new("/proc/self/mountinfo"))?;
    let groups = read(Path::new("/proc/self/cgroup"))?;
    tightest(&mounts, &groups, &read)
}

/// The files of one version.
struct Files {
    limits: &'static [&'static str],
    usage: &'static str,
    /// Keys of `memory.stat`: page cache that can be dropped.
    cache: [&'static str; 2],
}

const V2: Files = Files {
    // Above `high` a group is slowed down until it gives memory back.
    limits: &["memory.max", "memory.high"],
    usage: "memory.current",
    cache: ["inactive_file", "active_file"],
};
const V1: Files = Files {
    limits: &["memory.limit_in_bytes"],
    usage: "memory.usage_in_bytes",
    cache: ["total_inactive_file", "total_active_file"],
};
/// Version 1 writes "no limit" as a number near this one.
const NO_LIMIT: u64 = 1 << 62;

/// From `/proc/self/mountinfo`, `/proc/self/cgroup`, and a way to read files.
fn tightest(
    mounts: &str,
    groups: &str,
    read: &dyn Fn(&Path) -> Option<String>,
) -> Option<CgroupLimit> {
    let mounts = mounts.lines().filter_map(Mount::parse);
    let found = mounts.flat_map(|mount| {
        let own = groups.lines().find_map(|line| mount.own_group(line));
        let leaf = mount.folder(&own.unwrap_or_default());
        let folders: Vec<PathBuf> = leaf
            .ancestors()
            .take_while(|folder| folder.starts_with(&mount.at))
            .map(Path::to_owned)
            .collect();
        let files = mount.files;
        folders
            .into_iter()
            .filter_map(move |folder| limit(&folder, files, read))
    });
    found.min_by_key(|limit| limit.left())
}

/// A mounted hierarchy that limits memory.
struct Mount {
    files: &'static Files,
    /// The group that is seen at the mount's root: of a container, its own.
    root: String,
    at: PathBuf,
}

impl Mount {
    /// `36 35 0:32 ROOT AT OPTIONS [TAGS] - TYPE SOURCE OPTIONS`.
    fn parse(line: &str) -> Option<Self> {
        let (mount, kind) = line.split_once(" - ")?;
        let mut kind = kind.split(' ');
        let files = match kind.next()? {
            "cgroup2" => &V2,
            "cgroup" if kind.nth(1)?.split(',').any(|option| option == "memory") => &V1,
            _ => return None,
        };
        let mut fields = mount.split(' ').skip(3);
        let root = fields.next()?.to_owned();
        let at = PathBuf::from(fields.next()?);
        Some(Self { files, root, at })
    }

    /// The path in a line of `/proc/self/cgroup`, if it is about this hierarchy: `0::/PATH`, `4:memory:/PATH`.
    fn own_group(&self, line: &str) -> Option<String> {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let is_v2 = std::ptr::eq(self.files, &V2);
        let is_ours = match is_v2 {
            true => controllers.is_empty(),
            false => controllers.split(',').any(|name| name == "memory"),
        };
        is_ours.then(|| path.to_owned())
    }

    /// Where the group `own` is. A container may be told the path outside of it, and see its own at the root.
    fn folder(&self, own: &str) -> PathBuf {
        let below = Path::new(own).strip_prefix(&self.root);
        let below = below.unwrap_or(Path::new(""));
        match below
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)))
        {
            true => self.at.join(below),
            false => self.at.clone(),
        }
    }
}

/// The limit of one group; none if it has none, or is not there.
fn limit(
    folder: &Path,
    files: &Files,
    read: &dyn Fn(&Path) -> Option<String>,
) -> Option<CgroupLimit> {
    let number = |name: &str| read(&folder.join(name))?.trim().parse::<u64>().ok();
    // `max` is no number, and no limit.
    let limits = files.limits.iter().filter_map(|name| number(name));
    let limit = limits.min().filter(|&limit| limit < NO_LIMIT)?;
    let stat = read(&folder.join("memory.stat")).unwrap_or_default();
    let value = |key: &str| {
        let mut lines = stat.lines().filter_map(|line| line.split_once(' '));
        lines
            .find(|(name, _)| *name == key)
            .and_then(|(_, value)| value.trim().parse::<u64>().ok())
            .unwrap_or(0)
    };
    let cache: u64 = files.cache.iter().map(|key| value(key)).sum();
    let used = number(files.usage).unwrap_or(0).saturating_sub(cache);
    Some(CgroupLimit { limit, used })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{CgroupLimit, tightest};

    const V2_MOUNT: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
    const V1_MOUNTS: &str = "\
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

    #[track_caller]
    fn check(mounts: &str, own: &str, files: &[(&str, &str)], expected: Option<(u64, u64)>) {
        let read = |path: &Path| {
            let found = files.iter().find(|(name, _)| Path::new(name) == path);
            found.map(|(_, text)| (*text).to_owned())
        };
        let expected = expected.map(|(limit, used)| CgroupLimit { limit, used });
        assert_eq!(tightest(mounts, own, &read), expected);
    }

    #[test]
    fn the_tightest_of_all_ancestors_counts() {
        let files = [
            ("/sys/fs/cgroup/a/b/memory.max", "max\n"),
            ("/sys/fs/cgroup/a/b/memory.current", "77\n"),
            ("/sys/fs/cgroup/a/memory.max", "6442450944\n"),
            ("/sys/fs/cgroup/a/memory.high", "max\n"),
            ("/sys/fs/cgroup/a/memory.current", "5000000000\n"),
            (
                "/sys/fs/cgroup/a/memory.stat",
                "anon 900000000\nfile 4100000000\nactive_file 4000000000\ninactive_file 20\n",
            ),
        ];
        let expected = Some((6 << 30, 1_000_000_000 - 20));
        check(V2_MOUNT, "0::/a/b\n", &files, expected);
        let tighter = [
            ("/sys/fs/cgroup/a/b/memory.max", "7000000000"),
            ("/sys/fs/cgroup/a/b/memory.current", "6900000000"),
        ];
        let both = [tighter.as_slice(), &files[2..]].concat();
        check(
            V2_MOUNT,
            "0::/a/b\n",
            &both,
            Some((7_000_000_000, 6_900_000_000)),
        );
        check(V2_MOUNT, "0::/\n", &files, None);
    }

    #[test]
    fn high_is_a_limit_too() {
        let files = [
            ("/sys/fs/cgroup/memory.max", "900"),
            ("/sys/fs/cgroup/memory.high", "800"),
        ];
        check(V2_MOUNT, "0::/\n", &files, Some((800, 0)));
    }

    #[test]
    fn version_1_beside_an_empty_version_2() {
        let own = "9:name=systemd:/\n4:memory:/jobs/7\n0::/\n";
        let files = [
            (
                "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                "9223372036854771712",
            ),
            (
                "/sys/fs/cgroup/memory/jobs/7/memory.limit_in_bytes",
                "4294967296\n",
            ),
            (
                "/sys/fs/cgroup/memory/jobs/7/memory.usage_in_bytes",
                "3000000000\n",
            ),
            (
                "/sys/fs/cgroup/memory/jobs/7/memory.stat",
                "inactive_file 5\ntotal_inactive_file 1000000000\ntotal_active_file 1500000000\n",
            ),
        ];
        check(V1_MOUNTS, own, &files, Some((4 << 30, 500_000_000)));
        check(V1_MOUNTS, own, &files[..1], None);
    }

    /// Without namespaces a container is told its path on the host, and sees its group as the root.
    #[test]
    fn containers_see_their_group_at_the_root() {
        let files = [("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1000")];
        let bound = "35 31 0:32 /docker/1f /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
        check(bound, "4:memory:/docker/1f\n", &files, Some((1000, 0)));
        check(bound, "4:memory:/elsewhere\n", &files, Some((1000, 0)));
        check(
            bound,
            "4:memory:/docker/1f/../../..\n",
            &files,
            Some((1000, 0)),
        );
        let inner = [("/sys/fs/cgroup/memory/in/memory.limit_in_bytes", "500")];
        check(bound, "4:memory:/docker/1f/in\n", &inner, Some((500, 0)));
    }

    #[test]
    fn nonsense_is_no_limit() {
        check("", "", &[], None);
        check(
            "a - b\n1 2 3 - cgroup2\n - cgroup2 x y\n",
            "x\n0:\n:::\n",
            &[],
            None,
        );
        let files = [("/sys/fs/cgroup/memory.max", "lots")];
        check(V2_MOUNT, "", &files, None);
    }
}
