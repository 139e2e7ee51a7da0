//! The rules of the house that no compiler keeps. They run under `cargo test` too.
//!
//! Each rule is a function that gives a list of what breaks it; exceptions stand in tables beside
//! the rule, with their reason.

mod deps;
mod families;
mod files;
mod links;
mod names;
pub(crate) mod source;
mod unsafety;

use std::path::Path;

use crate::Failure;

/// Checks every rule.
///
/// # Errors
/// Lists everything that breaks a rule, one line each: where, and what.
pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    let sources = source::rust_files(root)?;
    let tracked = source::tracked_files(root)?;
    let mut broken = Vec::new();
    broken.extend(deps::directions(root)?);
    broken.extend(deps::budgets(root)?);
    broken.extend(unsafety::check(&sources));
    broken.extend(names::check(root, &sources)?);
    let families = families::check(&sources);
    broken.extend_from_slice(&families.broken);
    broken.extend(files::check_sources(&sources));
    broken.extend(files::check_all(root, &tracked));
    broken.extend(links::check(root, &tracked));
    println!(
        "tidy: {} files; {} of {} lines unsafe; {} packages locked, {} below `engine`",
        tracked.len(),
        unsafety::count(&sources),
        unsafety::MAX_LINES,
        deps::locked(root)?.len(),
        deps::closure(root, "engine")?.len(),
    );
    println!("tidy: {families}");
    match broken.len() {
        0 => Ok(()),
        n => Err(format!("{}\ntidy: {n} rules broken", broken.join("\n"))),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_house_is_tidy() {
        if let Err(broken) = super::run(&crate::root()) {
            panic!("{broken}");
        }
    }
}
